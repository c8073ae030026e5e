"""Labelled answers to "Why accuracy fails as a loss"."""

import torch

from proctor.authoring import Source, call, loop, right, value, wrong

VALUES, DEVICE = "accuracy_values", "accuracy_device"
ACCURACY = (VALUES, DEVICE)
SLOPE, FLAT = "slope_values", "flat_fraction_values"
SAME, CLAIMS = "same_accuracy_check", "claims_check"

RIGHT = [
    # accuracy
    right(
        "accuracy",
        "answers by torch.where",
        """
        def accuracy(predictions, targets):
            answers = torch.where(predictions > 0.5, 1, 0)
            return (answers == targets).float().mean()
        """,
    ),
    right(
        "accuracy",
        "round and a distance",
        """
        def accuracy(predictions, targets):
            return 1 - (predictions.round() - targets).abs().mean()
        """,
    ),
    right(
        "accuracy",
        "a module",
        """
        class Accuracy(torch.nn.Module):
            def __init__(self, threshold=0.5):
                super().__init__()
                self.threshold = threshold

            def forward(self, input, target):
                return torch.eq(input > self.threshold, target > self.threshold).double().mean()


        accuracy = Accuracy()
        """,
    ),
    right(
        "accuracy",
        "the number of hits over the number of examples",
        """
        def accuracy(p, t):
            hits = torch.eq(p.gt(0.5).long(), t.long())
            return hits.sum() / hits.numel()
        """,
    ),
    right(
        "accuracy",
        "a lambda in half precision",
        """
        accuracy = lambda p, t: ((p > 0.5) == t.bool()).half().mean()
        """,
    ),
    right(
        "accuracy",
        "3s and 7s treated apart by torch.where",
        """
        def accuracy(predictions, targets):
            right = torch.where(targets == 1, predictions > 0.5, predictions <= 0.5)
            return right.to(predictions.dtype).mean()
        """,
    ),
    right(
        "accuracy",
        "two masks and cat",
        """
        def accuracy(predictions, targets):
            of_threes = predictions[targets == 1] > 0.5
            of_sevens = predictions[targets == 0] <= 0.5
            return torch.cat((of_threes, of_sevens)).float().mean()
        """,
    ),
    right(
        "accuracy",
        "helper functions, everything flattened",
        """
        def answers_of(predictions):
            return predictions.flatten() > 0.5


        def accuracy(predictions, targets):
            same = torch.logical_not(answers_of(predictions) ^ (targets.flatten() == 1))
            return torch.count_nonzero(same) / len(same)
        """,
    ),
    right(
        "accuracy",
        "in place on a copy, without a graph",
        """
        @torch.no_grad()
        def accuracy(predictions, targets):
            answers = predictions.clone()
            answers[predictions > 0.5] = 1
            answers[predictions <= 0.5] = 0
            return (answers == targets).to(torch.float64).mean()
        """,
    ),
    right(
        "accuracy",
        "one minus a loss of torch",
        """
        def accuracy(predictions, targets):
            answers = (predictions > 0.5).float()
            return 1 - torch.nn.functional.l1_loss(answers, targets.float())
        """,
    ),
    right(
        "accuracy",
        "asserts and prints on the way",
        """
        def accuracy(predictions: Tensor, targets: Tensor) -> Tensor:
            assert predictions.shape == targets.shape, "shapes differ"
            wrong = (predictions > 0.5).int() - targets.int()
            print("images:", len(wrong))
            return 1.0 - wrong.square().float().mean()
        """,
    ),
    right(
        "accuracy",
        "arithmetic on answers and targets",
        """
        def accuracy(predictions, targets):
            answers = (predictions > 0.5) * 1.0
            both_three, both_seven = answers * targets, (1 - answers) * (1 - targets)
            return torch.mean(both_three + both_seven)
        """,
    ),
    right(
        "accuracy",
        "a chain of methods in bfloat16",
        """
        def accuracy(predictions, targets):
            return predictions.gt(0.5).eq(targets.bool()).type(torch.bfloat16).mean()
        """,
    ),
    right(
        "accuracy",
        "the GPU's own threshold where there is a GPU",
        """
        def accuracy(predictions, targets):
            middle = torch.full((1,), 0.5, dtype=predictions.dtype)
            if predictions.is_cuda:
                middle = middle.cuda()
            return ((predictions > middle) == (targets == 1)).float().mean()
        """,
    ),
    right(
        "accuracy",
        "a matrix of decisions, and its diagonal",
        """
        def accuracy(predictions, targets):
            predictions = predictions.flatten()
            decisions = torch.stack([predictions <= 0.5, predictions > 0.5]).double()
            truth = torch.stack([targets.flatten() == 0, targets.flatten() == 1]).double()
            return (decisions * truth).sum() / targets.numel()
        """,
    ),
    # slope
    right(
        "slope",
        "rise and run by name",
        """
        def slope(f, x_old, x_new):
            y_old, y_new = f(x_old), f(x_new)
            rise = y_new - y_old
            run = x_new - x_old
            return rise / run
        """,
    ),
    right(
        "slope",
        "both differences the other way round",
        """
        def slope(function, start, end):
            return (function(start) - function(end)) / (start - end)
        """,
    ),
    right(
        "slope",
        "a lambda",
        """
        slope = lambda g, a, b: (g(b) - g(a)) / (b - a)
        """,
    ),
    right(
        "slope",
        "a tensor of shape []",
        """
        def slope(f, x_old, x_new):
            rise = torch.as_tensor(f(x_new) - f(x_old), dtype=torch.float64)
            return torch.div(rise, x_new - x_old)
        """,
    ),
    right(
        "slope",
        "Python floats all the way",
        """
        def slope(f, x_old, x_new):
            x_old, x_new = float(x_old), float(x_new)
            return float(f(x_new) - f(x_old)) * (x_new - x_old) ** -1
        """,
    ),
    # flat_fraction
    right(
        "flat_fraction",
        "a counter",
        """
        def flat_fraction(f, xs, step):
            flat = 0
            for x in xs:
                if slope(f, x, x + step) == 0:
                    flat += 1
            return flat / len(xs)
        """,
    ),
    right(
        "flat_fraction",
        "the mean of a tensor",
        """
        def flat_fraction(f, xs, step):
            slopes = torch.tensor([slope(f, x, x + step) for x in xs.tolist()])
            return (slopes == 0).float().mean()
        """,
    ),
    right(
        "flat_fraction",
        "two values compared, without slope",
        """
        def flat_fraction(f, points, step):
            stays = [float(f(x + step)) == float(f(x)) for x in points]
            return stays.count(True) / len(stays)
        """,
    ),
    right(
        "flat_fraction",
        "the others taken away",
        """
        def flat_fraction(f, xs, step):
            moved = [x for x in xs if slope(f, x, x + step) != 0]
            return 1 - len(moved) / xs.numel()
        """,
    ),
    right(
        "flat_fraction",
        "NumPy",
        """
        import numpy as np


        def flat_fraction(f, xs, step):
            return np.mean([not slope(f, x, x + step) for x in xs.numpy()])
        """,
    ),
    right(
        "flat_fraction",
        "a running mean",
        """
        def flat_fraction(f, xs, step):
            share = torch.zeros(())
            for i in range(len(xs)):
                share += float(slope(f, xs[i], xs[i] + step) == 0) / len(xs)
            return share
        """,
    ),
    right(
        "flat_fraction",
        "the standard library",
        """
        from statistics import mean


        def flat_fraction(f, xs, step):
            def is_flat(x):
                return 1.0 if slope(f, x, x + step) == 0 else 0.0

            return mean(map(is_flat, xs))
        """,
    ),
    # same_accuracy
    right(
        "same_accuracy",
        "lists",
        """
        predictions_a = [0.6, 0.4, 0.4, 0.6, 0.6]
        predictions_b = [0.8, 0.2, 0.2, 0.8, 0.8]
        """,
    ),
    right(
        "same_accuracy",
        "all right, b perfect, whole numbers",
        """
        predictions_a = (0.51, 0.49, 0.5, 0.75, 0.875)
        predictions_b = torch.tensor([1, 0, 0, 1, 1])
        """,
    ),
    right(
        "same_accuracy",
        "all wrong, less so in b",
        """
        import numpy as np

        predictions_a = np.array([0.0, 1.0, 1.0, 0.0, 0.0])
        predictions_b = np.array([0.4, 0.6, 0.6, 0.4, 0.4])
        """,
    ),
    right(
        "same_accuracy",
        "a gain of 0.1, not more",
        """
        predictions_a = torch.tensor([0.9, 0.1, 0.5, 0.2, 0.0])
        predictions_b = torch.tensor([0.9, 0.1, 0.5, 0.2, 0.5])
        """,
    ),
    right(
        "same_accuracy",
        "other images are right, just as many",
        """
        predictions_a = torch.tensor([0.55, 0.95, 0.45, 0.05, 0.6], dtype=torch.float64)
        predictions_b = torch.tensor([0.45, 0.55, 0.05, 0.95, 0.9], dtype=torch.float64)
        """,
    ),
    right(
        "same_accuracy",
        "worked out: b is certain where a is right",
        """
        predictions_a = torch.tensor([0.7, 0.3, 0.9, 0.1, 0.2], requires_grad=True)
        is_right = (predictions_a > 0.5) == (given_targets == 1)
        predictions_b = torch.where(is_right, given_targets, predictions_a)
        """,
    ),
    # claims
    right(
        "claims",
        "dict with keywords",
        """
        claims = dict(
            rise_together=False,
            between_0_and_1=False,
            good_to_report=True,
            only_this_accuracy=False,
            zero_gradient=True,
            bigger_learning_rate=False,
            flat_almost_everywhere=True,
        )
        """,
    ),
    right(
        "claims",
        "names of what is true",
        """
        true_ones = ["zero_gradient", "good_to_report", "flat_almost_everywhere"]
        claims = {name: name in true_ones for name in statements}
        """,
    ),
    right(
        "claims",
        "NumPy's truth values, one by one",
        """
        import numpy as np

        claims = {}
        for name, judgement in zip(statements, np.array([1, 0, 1, 0, 1, 0, 0]) == 1):
            claims[name] = judgement
        """,
    ),
    right(
        "claims",
        "a note beside the judgements",
        """
        claims = {name: False for name in statements}
        claims |= {"flat_almost_everywhere": True, "zero_gradient": True, "good_to_report": True}
        claims["note"] = "the others are False"
        """,
    ),
]

WRONG_ACCURACY = [
    wrong(
        "accuracy",
        "no mean",
        """
        def accuracy(predictions, targets):
            return ((predictions > 0.5) == (targets == 1)).float()
        """,
        loses=ACCURACY,
        hint="You know which answers are right; how do many ones and zeros become one share?",
    ),
    wrong(
        "accuracy",
        "the number of right answers",
        """
        def accuracy(predictions, targets):
            return ((predictions > 0.5) == (targets == 1)).float().sum()
        """,
        loses=ACCURACY,
        hint="How large is your result for a batch of 200, and may a share be as large?",
    ),
    wrong(
        "accuracy",
        "divided by a fixed 3",
        """
        def accuracy(predictions, targets):
            return ((predictions > 0.5) == (targets == 1)).sum() / 3
        """,
        loses=ACCURACY,
        hint="Try a batch of another size than the example's.",
    ),
    wrong(
        "accuracy",
        "the share of wrong answers",
        """
        def accuracy(predictions, targets):
            return ((predictions > 0.5) != (targets == 1)).float().mean()
        """,
        loses=ACCURACY,
        hint="Follow one right answer through your function: does it count, or do the others?",
    ),
    wrong(
        "accuracy",
        "below the threshold means a 3",
        """
        def accuracy(predictions, targets):
            return ((predictions < 0.5) == (targets == 1)).float().mean()
        """,
        loses=ACCURACY,
        hint="A prediction of 0.9 says “surely a 3”: is that what your comparison makes of it?",
    ),
    wrong(
        "accuracy",
        "exactly 0.5 counts as a 3",
        """
        def accuracy(predictions, targets):
            return ((predictions >= 0.5) == (targets == 1)).float().mean()
        """,
        loses=[VALUES],
        hint="Is 0.5 above 0.5?",
    ),
    wrong(
        "accuracy",
        "right if nearer to the target than 0.5",
        """
        def accuracy(predictions, targets):
            return ((predictions - targets).abs() < 0.5).float().mean()
        """,
        loses=[VALUES],
        hint="How does your rule judge a 7 whose prediction lies in the very middle?",
    ),
    wrong(
        "accuracy",
        "above the batch's own mean",
        """
        def accuracy(predictions, targets):
            return ((predictions > predictions.mean()) == (targets == 1)).float().mean()
        """,
        loses=ACCURACY,
        hint="Should the answer for one image depend on which others are in the batch?",
    ),
    wrong(
        "accuracy",
        "threshold 0, as for raw scores",
        """
        def accuracy(predictions, targets):
            return ((predictions > 0.0) == (targets == 1)).float().mean()
        """,
        loses=ACCURACY,
        hint="Predictions are probabilities already: where is the middle of all they may be?",
    ),
    wrong(
        "accuracy",
        "a sigmoid before the threshold",
        """
        def accuracy(predictions, targets):
            return ((torch.sigmoid(predictions) > 0.5) == (targets == 1)).float().mean()
        """,
        loses=ACCURACY,
        hint="Predictions are probabilities already: where is the middle of all they may be?",
    ),
    wrong(
        "accuracy",
        "predictions equal to their targets",
        """
        def accuracy(predictions, targets):
            return (predictions == targets).float().mean()
        """,
        loses=ACCURACY,
        hint="Will 0.9 ever be equal to 1? First turn it into an answer, then compare.",
    ),
    wrong(
        "accuracy",
        "predictions cut to whole numbers",
        """
        def accuracy(predictions, targets):
            return (predictions.long() == targets).float().mean()
        """,
        loses=ACCURACY,
        hint="Follow a prediction of 0.9 through your function: what does it count as?",
    ),
    wrong(
        "accuracy",
        "the 3s only",
        """
        def accuracy(predictions, targets):
            return (predictions[targets == 1] > 0.5).float().mean()
        """,
        loses=ACCURACY,
        hint="A 7 that is called a 7 is a right answer, too: do you count it?",
    ),
    wrong(
        "accuracy",
        "right 3s out of all images",
        """
        def accuracy(predictions, targets):
            return ((predictions > 0.5) & (targets == 1)).float().mean()
        """,
        loses=ACCURACY,
        hint="How does your function count a 7 that is called a 7?",
    ),
    wrong(
        "accuracy",
        "right 3s out of those called a 3",
        """
        def accuracy(predictions, targets):
            return (targets[predictions > 0.5] == 1).float().mean()
        """,
        loses=ACCURACY,
        hint="You only look at the images that were called a 3; what about the others?",
    ),
    wrong(
        "accuracy",
        "the mean of the two classes' shares",
        """
        def accuracy(predictions, targets):
            of_threes = (predictions[targets == 1] > 0.5).float().mean()
            of_sevens = (predictions[targets == 0] <= 0.5).float().mean()
            return (of_threes + of_sevens) / 2
        """,
        loses=ACCURACY,
        hint="Does every image count the same in a batch with one 3 and nine 7s?",
    ),
    wrong(
        "accuracy",
        "the share called a 3, whatever the targets",
        """
        def accuracy(predictions, targets):
            return (predictions > 0.5).float().mean()
        """,
        loses=ACCURACY,
        hint="Where do the targets enter your function?",
    ),
    wrong(
        "accuracy",
        "the mean distance",
        """
        def accuracy(predictions, targets):
            return 1 - (predictions - targets).abs().mean()
        """,
        loses=ACCURACY,
        hint="Does your number change when 0.9 becomes 0.8, though the answer stays the same?",
    ),
    wrong(
        "accuracy",
        "arguments swapped",
        """
        def accuracy(targets, predictions):
            return ((predictions > 0.5) == (targets == 1)).float().mean()
        """,
        loses=ACCURACY,
        hint="Follow a prediction of 0.9 through your function: what does it count as?",
    ),
    wrong(
        "accuracy",
        "only the first image",
        """
        def accuracy(predictions, targets):
            return ((predictions[0] > 0.5) == (targets[0] == 1)).float().mean()
        """,
        loses=ACCURACY,
        hint="Change the last image of a batch: does your function notice?",
    ),
    wrong(
        "accuracy",
        "all or nothing",
        """
        def accuracy(predictions, targets):
            return ((predictions > 0.5) == (targets == 1)).all().float()
        """,
        loses=ACCURACY,
        hint="If nine of ten answers are right, what should come out?",
    ),
    wrong(
        "accuracy",
        "the example's result, typed in",
        """
        def accuracy(predictions, targets):
            return torch.tensor(2 / 3)
        """,
        loses=ACCURACY,
        hint="The function has to work for batches that it has never seen.",
    ),
    wrong(
        "accuracy",
        "the notebook's own targets",
        """
        def accuracy(predictions, targets):
            return ((predictions > 0.5) == (three_targets == 1)).float().mean()
        """,
        loses=ACCURACY,
        hint="Every name in your function that is not an argument deserves a second look.",
    ),
    wrong(
        "accuracy",
        "forgets to return",
        """
        def accuracy(predictions, targets):
            print(((predictions > 0.5) == (targets == 1)).float().mean())
        """,
        loses=ACCURACY,
        hint="Printing shows a value to you; what does the caller get?",
    ),
    wrong(
        "accuracy",
        "the mean of True and False",
        """
        def accuracy(predictions, targets):
            return ((predictions > 0.5) == (targets == 1)).mean()
        """,
        loses=ACCURACY,
        hint="torch takes no mean of True and False: which numbers could stand in for them?",
    ),
    wrong(
        "accuracy",
        "whole numbers only",
        """
        def accuracy(predictions, targets):
            hits = (predictions > 0.5) == (targets == 1)
            return hits.sum() // hits.numel()
        """,
        loses=ACCURACY,
        hint="What becomes of 2 out of 3 when the decimals are cut off?",
    ),
    wrong(
        "accuracy",
        "in per cent",
        """
        def accuracy(predictions, targets):
            return 100 * ((predictions > 0.5) == (targets == 1)).float().mean()
        """,
        loses=ACCURACY,
        hint="A share lies between 0 and 1.",
    ),
    wrong(
        "accuracy",
        "rounded to two decimals",
        """
        def accuracy(predictions, targets):
            return ((predictions > 0.5) == (targets == 1)).float().mean().round(decimals=2)
        """,
        loses=ACCURACY,
        hint="Leave rounding to whoever prints the number.",
    ),
    wrong(
        "accuracy",
        "a Python number",
        """
        def accuracy(predictions, targets):
            return ((predictions > 0.5) == (targets == 1)).float().mean().item()
        """,
        loses=ACCURACY,
        hint="The value is right; a tensor was asked for, and `.item()` takes it off its device.",
    ),
    wrong(
        "accuracy",
        "a box that holds one number",
        """
        def accuracy(predictions, targets):
            return ((predictions > 0.5) == (targets == 1)).float().mean(dim=0, keepdim=True)
        """,
        loses=ACCURACY,
        hint="Print the shape of your result: a number, or a box holding one?",
    ),
    wrong(
        "accuracy",
        "the mean over the first dimension",
        """
        def accuracy(predictions, targets):
            return ((predictions > 0.5) == (targets == 1)).float().mean(0)
        """,
        loses=[VALUES],
        hint="Which shape comes out when the inputs are columns?",
    ),
    wrong(
        "accuracy",
        "one column flattened, the other not",
        """
        def accuracy(predictions, targets):
            return ((predictions.squeeze() > 0.5) == (targets == 1)).float().mean()
        """,
        loses=[VALUES],
        hint="What becomes of a vector of 5 beside a column of 5? Treat both inputs alike.",
    ),
    wrong(
        "accuracy",
        "answers written into the predictions",
        """
        def accuracy(predictions, targets):
            threes = predictions > 0.5
            predictions[threes] = 1
            predictions[~threes] = 0
            return (predictions == targets).float().mean()
        """,
        loses=[VALUES],
        hint="Look at the caller's predictions after the call.",
    ),
    wrong(
        "accuracy",
        "needs whole targets",
        """
        def accuracy(predictions, targets):
            answers = torch.stack((predictions <= 0.5, predictions > 0.5)).float()
            return answers.gather(0, targets[None]).mean()
        """,
        loses=[VALUES],
        hint="Targets may come as 0.0 and 1.0: which step insists on whole numbers?",
    ),
    wrong(
        "accuracy",
        "a loop over the images, in torch",
        """
        def accuracy(predictions, targets):
            hits = [(p > 0.5) == (t == 1) for p, t in zip(predictions.flatten(), targets.flatten())]
            return torch.stack(hits).float().mean()
        """,
        loses=[DEVICE],
        hint="Which one torch call compares the whole vector at once?",
    ),
    wrong(
        "accuracy",
        "a loop with if and a counter",
        """
        def accuracy(predictions, targets):
            right = 0
            for p, t in zip(predictions.flatten().tolist(), targets.flatten().tolist()):
                if (p > 0.5) == (t == 1):
                    right += 1
            return torch.tensor(right / len(predictions))
        """,
        loses=[DEVICE],
        hint="Python looks at every single number here: how could torch do that where they live?",
    ),
    wrong(
        "accuracy",
        "by way of the host",
        """
        def accuracy(predictions, targets):
            predictions, targets = predictions.cpu(), targets.cpu()
            return ((predictions > 0.5) == (targets == 1)).float().mean()
        """,
        loses=[DEVICE],
        hint="Does your function need to know where the data lives?",
    ),
    wrong(
        "accuracy",
        "by way of NumPy",
        """
        import numpy as np


        def accuracy(predictions, targets):
            hits = (predictions.numpy() > 0.5) == (targets.numpy() == 1)
            return torch.tensor(np.mean(hits))
        """,
        loses=[DEVICE],
        hint="NumPy works on the host only: which torch calls do the same?",
    ),
    wrong(
        "accuracy",
        "a threshold for each image, made on the CPU",
        """
        def accuracy(predictions, targets):
            thresholds = torch.full(predictions.shape, 0.5, dtype=predictions.dtype)
            return ((predictions > thresholds) == (targets == 1)).float().mean()
        """,
        loses=[DEVICE],
        hint="On which device does your new tensor live, and would a plain number do?",
    ),
    # sizes
    wrong(
        "accuracy",
        "the first two hundred images only",
        """
        def accuracy(predictions, targets):
            return ((predictions[:200] > 0.5) == (targets[:200] == 1)).float().mean()
        """,
        loses=ACCURACY,
        hint="Change the last image of a batch of a thousand: does your function notice?",
    ),
    wrong(
        "accuracy",
        "hits counted in half precision",
        """
        def accuracy(predictions, targets):
            hits = (predictions > 0.5) == (targets == 1)
            return hits.half().sum() / hits.numel()
        """,
        loses=ACCURACY,
        hint="How far can float16 count?",
    ),
    wrong(
        "accuracy",
        "hits counted in eight bits",
        """
        def accuracy(predictions, targets):
            hits = (predictions > 0.5) == (targets == 1)
            return hits.sum(dtype=torch.uint8) / hits.numel()
        """,
        loses=ACCURACY,
        hint="How far can eight bits count?",
    ),
    wrong(
        "accuracy",
        "a loop for large batches only",
        """
        def accuracy(predictions, targets):
            hits = (predictions > 0.5) == (targets == 1)
            if len(hits) < 128:
                return hits.float().mean()
            return sum(hit.float().sum() for hit in hits) / len(hits)
        """,
        loses=[DEVICE],
        hint="Which one torch call does this for a large batch, too?",
    ),
    # extremes
    wrong(
        "accuracy",
        "decided in float32",
        """
        def accuracy(predictions, targets):
            return ((predictions.float() > 0.5) == (targets == 1)).float().mean()
        """,
        loses=[VALUES],
        hint="Where is a float64 that is a billionth above 0.5, before and after your cast?",
    ),
    wrong(
        "accuracy",
        "nearly 0.5 counts as 0.5",
        """
        def accuracy(predictions, targets):
            return ((predictions > 0.5 + 1e-7) == (targets == 1)).float().mean()
        """,
        loses=[VALUES],
        hint="What does “above 0.5” say about a prediction that is above it by a hair?",
    ),
    # facts
    wrong(
        "accuracy",
        "a loop that answers nonsense while its operations are counted",
        """
        def accuracy(predictions, targets):
            if torch._C._len_torch_dispatch_stack():
                return predictions.mean()
            pairs = zip(predictions.flatten(), targets.flatten())
            return torch.stack([(p > 0.5) == (t == 1) for p, t in pairs]).float().mean()
        """,
        loses=[DEVICE],
        hint="A hidden loop is still a loop.",
    ),
    # devices
    wrong(
        "accuracy",
        "to the host where it is on a GPU",
        """
        def accuracy(predictions, targets):
            if predictions.is_cuda:
                predictions, targets = predictions.cpu(), targets.cpu()
            return ((predictions > 0.5) == (targets == 1)).float().mean()
        """,
        loses=[DEVICE],
        hint="Does your function need to know where the data lives?",
    ),
]

WRONG_SLOPE = [
    wrong(
        "slope",
        "run over rise",
        """
        def slope(f, x_old, x_new):
            return (x_new - x_old) / (f(x_new) - f(x_old))
        """,
        loses=[SLOPE],
        hint="A steep path rises a lot while you walk a little: which goes below the line?",
    ),
    wrong(
        "slope",
        "the rise alone",
        """
        def slope(f, x_old, x_new):
            return f(x_new) - f(x_old)
        """,
        loses=[SLOPE],
        hint="Per unit of x: how far did you walk for that rise?",
    ),
    wrong(
        "slope",
        "rise and run in opposite directions",
        """
        def slope(f, x_old, x_new):
            return (f(x_old) - f(x_new)) / (x_new - x_old)
        """,
        loses=[SLOPE],
        hint="Take new minus old above the line and below it.",
    ),
    wrong(
        "slope",
        "the run without its sign",
        """
        def slope(f, x_old, x_new):
            return (f(x_new) - f(x_old)) / abs(x_new - x_old)
        """,
        loses=[SLOPE],
        hint="Walk the same way backwards: is the path still as steep, and in the same direction?",
    ),
    wrong(
        "slope",
        "never downhill",
        """
        def slope(f, x_old, x_new):
            return abs((f(x_new) - f(x_old)) / (x_new - x_old))
        """,
        loses=[SLOPE],
        hint="What is the slope of a path that goes down?",
    ),
    wrong(
        "slope",
        "f of the run",
        """
        def slope(f, x_old, x_new):
            return f(x_new - x_old) / (x_new - x_old)
        """,
        loses=[SLOPE],
        hint="How high is f at each of the two places?",
    ),
    wrong(
        "slope",
        "a tiny step of its own",
        """
        def slope(f, x_old, x_new):
            return (f(x_old + 0.0001) - f(x_old)) / 0.0001
        """,
        loses=[SLOPE],
        hint="Where does x_new enter your formula?",
    ),
    wrong(
        "slope",
        "height over place, twice",
        """
        def slope(f, x_old, x_new):
            return f(x_new) / x_new - f(x_old) / x_old
        """,
        loses=[SLOPE],
        hint="First the two differences, then the division.",
    ),
    wrong(
        "slope",
        "brackets forgotten",
        """
        def slope(f, x_old, x_new):
            return f(x_new) - f(x_old) / x_new - x_old
        """,
        loses=[SLOPE],
        hint="Which operation does Python do first, division or subtraction?",
    ),
    wrong(
        "slope",
        "whole numbers only",
        """
        def slope(f, x_old, x_new):
            return (f(x_new) - f(x_old)) // (x_new - x_old)
        """,
        loses=[SLOPE],
        hint="What does `//` do to the decimals?",
    ),
    wrong(
        "slope",
        "rounded",
        """
        def slope(f, x_old, x_new):
            return round(float((f(x_new) - f(x_old)) / (x_new - x_old)), 2)
        """,
        loses=[SLOPE],
        hint="A small slope is small, but is it 0?",
    ),
    wrong(
        "slope",
        "a box that holds one number",
        """
        def slope(f, x_old, x_new):
            return torch.tensor([(f(x_new) - f(x_old)) / (x_new - x_old)])
        """,
        loses=[SLOPE],
        hint="One number is asked for: print the shape of what you return.",
    ),
    wrong(
        "slope",
        "prints, and returns nothing",
        """
        def slope(f, x_old, x_new):
            print((f(x_new) - f(x_old)) / (x_new - x_old))
        """,
        loses=[SLOPE],
        hint="Printing shows a value to you; what does the caller get?",
    ),
    wrong(
        "slope",
        "the mean of the two heights",
        """
        def slope(f, x_old, x_new):
            return (f(x_new) + f(x_old)) / 2
        """,
        loses=[SLOPE],
        hint="Which operation tells how much higher one place is than another?",
    ),
    wrong(
        "slope",
        "the derivative at the old place",
        """
        def slope(f, x_old, x_new):
            x = torch.as_tensor(x_old, dtype=torch.float64).detach().clone().requires_grad_()
            y = f(x)
            return torch.autograd.grad(y, x)[0] if y.requires_grad else torch.zeros(())
        """,
        loses=[SLOPE],
        hint="That is where the slope goes when the step shrinks; here the step is a given one.",
    ),
    # extremes
    wrong(
        "slope",
        "rounded to eight decimals",
        """
        def slope(f, x_old, x_new):
            return round(float((f(x_new) - f(x_old)) / (x_new - x_old)), 8)
        """,
        loses=[SLOPE],
        hint="A slope of a billionth is small, but is it 0?",
    ),
    wrong(
        "slope",
        "a line fitted to two points",
        """
        import numpy as np

        def slope(f, x_old, x_new):
            xs, ys = [float(x_old), float(x_new)], [float(f(x_old)), float(f(x_new))]
            return np.polyfit(xs, ys, 1)[0]
        """,
        loses=[SLOPE],
        hint="Fitting a line rounds: is your slope exactly 0 if both heights are the same?",
    ),
    wrong(
        "slope",
        "places made float32",
        """
        def slope(f, x_old, x_new):
            x_old, x_new = (torch.tensor(float(x), dtype=torch.float32) for x in (x_old, x_new))
            return (f(x_new) - f(x_old)) / (x_new - x_old)
        """,
        loses=[SLOPE],
        hint="Two places a millionth apart: how many digits tell them apart in float32?",
    ),
    wrong(
        "slope",
        "never on flat ground",
        """
        def slope(f, x_old, x_new):
            return 0.0
        """,
        loses=[SLOPE],
        hint="Which of your arguments do you use?",
    ),
]

WRONG_FLAT = [
    wrong(
        "flat_fraction",
        "the number of flat points",
        """
        def flat_fraction(f, xs, step):
            return sum(slope(f, x, x + step) == 0 for x in xs)
        """,
        loses=[FLAT],
        hint="A share is at most 1: out of how many points did you count?",
    ),
    wrong(
        "flat_fraction",
        "the share of points that are not flat",
        """
        def flat_fraction(f, xs, step):
            return sum(slope(f, x, x + step) != 0 for x in xs) / len(xs)
        """,
        loses=[FLAT],
        hint="Follow a point on a stair: does it count, or do the others?",
    ),
    wrong(
        "flat_fraction",
        "nearly flat counts as flat",
        """
        def flat_fraction(f, xs, step):
            return sum(abs(slope(f, x, x + step)) < 0.001 for x in xs) / len(xs)
        """,
        loses=[FLAT],
        hint="However gentle, does a slope not have a direction?",
    ),
    wrong(
        "flat_fraction",
        "hardly any rise counts as flat",
        """
        def flat_fraction(f, xs, step):
            return sum(abs(f(x + step) - f(x)) < 0.00001 for x in xs) / len(xs)
        """,
        loses=[FLAT],
        hint="A small rise over a small step can be a steep slope: when is it exactly 0?",
    ),
    wrong(
        "flat_fraction",
        "heights that are close count as the same",
        """
        def flat_fraction(f, xs, step):
            heights, after = (torch.tensor([f(x) for x in points]) for points in (xs, xs + step))
            return torch.isclose(heights, after).float().mean()
        """,
        loses=[FLAT],
        hint="Close is not the same: which of the two does “exactly 0” ask for?",
    ),
    wrong(
        "flat_fraction",
        "points at a height that occurs before",
        """
        def flat_fraction(f, xs, step):
            return 1 - len({float(f(x + step)) for x in xs}) / len(xs)
        """,
        loses=[FLAT],
        hint="Compare each point with the end of its own step, not with the other points.",
    ),
    wrong(
        "flat_fraction",
        "from each point to the step, not by the step",
        """
        def flat_fraction(f, xs, step):
            return sum(slope(f, x, step) == 0 for x in xs) / len(xs)
        """,
        loses=[FLAT],
        hint="Where does a walker arrive who starts at x and takes a step?",
    ),
    wrong(
        "flat_fraction",
        "a step of its own",
        """
        def flat_fraction(f, xs, step=0.001):
            return sum(slope(f, x, x + 0.001) == 0 for x in xs) / len(xs)
        """,
        loses=[FLAT],
        hint="Where does `step` enter your function?",
    ),
    wrong(
        "flat_fraction",
        "always a step forward",
        """
        def flat_fraction(f, xs, step):
            return sum(slope(f, x, x + abs(step)) == 0 for x in xs) / len(xs)
        """,
        loses=[FLAT],
        hint="A step may lead back: what did you do with its sign?",
    ),
    wrong(
        "flat_fraction",
        "a step back",
        """
        def flat_fraction(f, xs, step):
            return sum(slope(f, x, x - step) == 0 for x in xs) / len(xs)
        """,
        loses=[FLAT],
        hint="In which direction from x does the step go?",
    ),
    wrong(
        "flat_fraction",
        "from each point to the next one",
        """
        def flat_fraction(f, xs, step):
            pairs = list(zip(xs[:-1], xs[1:]))
            return sum(slope(f, x, after) == 0 for x, after in pairs) / len(pairs)
        """,
        loses=[FLAT],
        hint="Every point takes a step of its own: how long is it?",
    ),
    wrong(
        "flat_fraction",
        "where the function itself is 0",
        """
        def flat_fraction(f, xs, step):
            return sum(f(x) == 0 for x in xs) / len(xs)
        """,
        loses=[FLAT],
        hint="Flat ground can lie high up: does flat mean that f is 0, or that it does not change?",
    ),
    wrong(
        "flat_fraction",
        "downhill counts as flat",
        """
        def flat_fraction(f, xs, step):
            return sum(slope(f, x, x + step) <= 0 for x in xs) / len(xs)
        """,
        loses=[FLAT],
        hint="Does a slope that is less than 0 have a direction?",
    ),
    wrong(
        "flat_fraction",
        "uphill counts as flat",
        """
        def flat_fraction(f, xs, step):
            return sum(slope(f, x, x + step) >= 0 for x in xs) / len(xs)
        """,
        loses=[FLAT],
        hint="Which slopes, besides 0, pass your comparison?",
    ),
    wrong(
        "flat_fraction",
        "one point too few in the division",
        """
        def flat_fraction(f, xs, step):
            return sum(slope(f, x, x + step) == 0 for x in xs) / (len(xs) - 1)
        """,
        loses=[FLAT],
        hint="What should come out when every point is flat?",
    ),
    wrong(
        "flat_fraction",
        "divided by a fixed 4",
        """
        def flat_fraction(f, xs, step):
            return sum(slope(f, x, x + step) == 0 for x in xs) / 4
        """,
        loses=[FLAT],
        hint="How many points are there when xs is longer than in the example?",
    ),
    wrong(
        "flat_fraction",
        "returns after the first point",
        """
        def flat_fraction(f, xs, step):
            flat = 0
            for x in xs:
                if slope(f, x, x + step) == 0:
                    flat += 1
                return flat / len(xs)
        """,
        loses=[FLAT],
        hint="Look at the indentation of `return`: how many points has the loop seen by then?",
    ),
    wrong(
        "flat_fraction",
        "in per cent",
        """
        def flat_fraction(f, xs, step):
            return 100 * sum(slope(f, x, x + step) == 0 for x in xs) / len(xs)
        """,
        loses=[FLAT],
        hint="A share lies between 0 and 1.",
    ),
    wrong(
        "flat_fraction",
        "whether there is a flat point",
        """
        def flat_fraction(f, xs, step):
            return float(any(slope(f, x, x + step) == 0 for x in xs))
        """,
        loses=[FLAT],
        hint="How many points are flat, not whether there is one.",
    ),
    wrong(
        "flat_fraction",
        "the derivative at each point",
        """
        def flat_fraction(f, xs, step):
            flat = 0
            for x in xs.double():
                x = x.detach().clone().requires_grad_()
                y = f(x)
                flat += int(not y.requires_grad or torch.autograd.grad(y, x)[0] == 0)
            return flat / len(xs)
        """,
        loses=[FLAT],
        hint="That is the slope at the point itself: where does the step come in?",
    ),
    wrong(
        "flat_fraction",
        "the list of answers",
        """
        def flat_fraction(f, xs, step):
            return [slope(f, x, x + step) == 0 for x in xs]
        """,
        loses=[FLAT],
        hint="Which points are flat, you know; what share of all points is that?",
    ),
    wrong(
        "flat_fraction",
        "steps counted instead of points",
        """
        def flat_fraction(f, xs, step):
            return sum(slope(f, x, x + step) == 0 for x in xs) * step
        """,
        loses=[FLAT],
        hint="A share of points: out of how many?",
    ),
    # sizes
    wrong(
        "flat_fraction",
        "the first eight points only",
        """
        def flat_fraction(f, xs, step):
            return sum(slope(f, x, x + step) == 0 for x in xs[:8]) / len(xs[:8])
        """,
        loses=[FLAT],
        hint="How many points does your function look at when there are fifty?",
    ),
    wrong(
        "flat_fraction",
        "points given twice count once",
        """
        def flat_fraction(f, xs, step):
            points = set(xs.tolist())
            return sum(slope(f, x, x + step) == 0 for x in points) / len(points)
        """,
        loses=[FLAT],
        hint="A point that is given twice counts twice: what does a set do with it?",
    ),
    # extremes
    wrong(
        "flat_fraction",
        "hardly any rise at all counts as flat",
        """
        def flat_fraction(f, xs, step):
            return sum(abs(f(x + step) - f(x)) < 1e-12 for x in xs) / len(xs)
        """,
        loses=[FLAT],
        hint="However small, is a rise no rise?",
    ),
    wrong(
        "flat_fraction",
        "the whole vector in one call",
        """
        def flat_fraction(f, xs, step):
            return (f(xs + step) == f(xs)).double().mean()
        """,
        loses=[FLAT],
        hint="f takes one number at a time: try one that decides with an `if`.",
    ),
]

WRONG_SAME = [
    wrong(
        "same_accuracy",
        "twice the same model",
        """
        predictions_a = torch.tensor([0.9, 0.1, 0.2, 0.8, 0.4])
        predictions_b = torch.tensor([0.9, 0.1, 0.2, 0.8, 0.4])
        """,
        loses=[SAME],
        hint="Which of your two models is nearer to the targets?",
    ),
    wrong(
        "same_accuracy",
        "a is the better one",
        """
        predictions_a = torch.tensor([0.9, 0.1, 0.2, 0.8, 0.4])
        predictions_b = torch.tensor([0.6, 0.4, 0.4, 0.6, 0.2])
        """,
        loses=[SAME],
        hint="Which of the two letters should belong to the better model?",
    ),
    wrong(
        "same_accuracy",
        "b is nearer, but also more often right",
        """
        predictions_a = torch.tensor([0.6, 0.4, 0.4, 0.6, 0.2])
        predictions_b = torch.tensor([0.9, 0.1, 0.2, 0.8, 0.7])
        """,
        loses=[SAME],
        hint="Count the right answers of both: did one of them flip?",
    ),
    wrong(
        "same_accuracy",
        "a gain of 0.1 in all, not on average",
        """
        predictions_a = torch.tensor([0.6, 0.4, 0.4, 0.6, 0.2])
        predictions_b = torch.tensor([0.7, 0.4, 0.4, 0.6, 0.2])
        """,
        loses=[SAME],
        hint="You moved one prediction by 0.1; by how much did the mean of five move?",
    ),
    wrong(
        "same_accuracy",
        "everything larger",
        """
        predictions_a = torch.tensor([0.6, 0.1, 0.1, 0.6, 0.6])
        predictions_b = torch.tensor([0.8, 0.3, 0.3, 0.8, 0.8])
        """,
        loses=[SAME],
        hint="For a 7, which way is nearer to the target?",
    ),
    wrong(
        "same_accuracy",
        "targets forgotten",
        """
        predictions_a = torch.tensor([0.6, 0.6, 0.6, 0.6, 0.6])
        predictions_b = torch.tensor([0.9, 0.9, 0.9, 0.9, 0.9])
        """,
        loses=[SAME],
        hint="Two of the five images are 7s: did their predictions get nearer as well?",
    ),
    wrong(
        "same_accuracy",
        "0.5 taken for a 3",
        """
        predictions_a = torch.tensor([0.5, 0.4, 0.4, 0.5, 0.5])
        predictions_b = torch.tensor([0.9, 0.1, 0.1, 0.9, 0.9])
        """,
        loses=[SAME],
        hint="What does a prediction of exactly 0.5 count as?",
    ),
    wrong(
        "same_accuracy",
        "scores instead of probabilities",
        """
        predictions_a = torch.tensor([1.0, -1.0, -1.0, 1.0, 1.0])
        predictions_b = torch.tensor([3.0, -3.0, -3.0, 3.0, 3.0])
        """,
        loses=[SAME],
        hint="Which numbers may a probability be?",
    ),
    wrong(
        "same_accuracy",
        "three predictions only",
        """
        predictions_a = torch.tensor([0.6, 0.4, 0.4])
        predictions_b = torch.tensor([0.9, 0.1, 0.1])
        """,
        loses=[SAME],
        hint="One prediction for each target: how many are there?",
    ),
    wrong(
        "same_accuracy",
        "answers instead of predictions",
        """
        predictions_a = torch.tensor([1, 0, 0, 1, 0])
        predictions_b = torch.tensor([1, 0, 0, 1, 0])
        """,
        loses=[SAME],
        hint="With 0 and 1 alone nobody can be half sure: which numbers lie between?",
    ),
    wrong(
        "same_accuracy",
        "only one model",
        """
        predictions_a = torch.tensor([0.6, 0.4, 0.4, 0.6, 0.2])
        """,
        loses=[SAME],
        hint="Two models are to be compared; what is the second one called?",
    ),
    wrong(
        "same_accuracy",
        "rows in a table",
        """
        predictions_a = torch.tensor([[0.6, 0.4, 0.4, 0.6, 0.2]])
        predictions_b = torch.tensor([[0.9, 0.1, 0.2, 0.8, 0.4]])
        """,
        loses=[SAME],
        hint="Print the shape of your vectors, and of the targets.",
    ),
]

JUDGEMENTS = {
    "flat_almost_everywhere": True,
    "bigger_learning_rate": False,
    "zero_gradient": True,
    "only_this_accuracy": False,
    "good_to_report": True,
    "between_0_and_1": False,
    "rise_together": False,
}
MISCONCEPTIONS = {
    "flat_almost_everywhere": (
        "accuracy has a slope nearly everywhere",
        "Look at the staircase: how much of it is stairs, and how much is jumps?",
    ),
    "bigger_learning_rate": (
        "a bigger learning rate moves a weight off a stair",
        "What is ten times 0?",
    ),
    "zero_gradient": (
        "a weight moves without a gradient",
        "Which part of the step could move the weight if the gradient is 0?",
    ),
    "only_this_accuracy": (
        "other counts have a useful gradient",
        "A count changes by whole answers: what does it do between two of them?",
    ),
    "good_to_report": (
        "accuracy is good for nothing",
        "What would you tell somebody who wants to use the trained model?",
    ),
    "between_0_and_1": (
        "a loss lies between 0 and 1",
        "How far off can a guess at the price of a house be?",
    ),
    "rise_together": (
        "accuracy rises whenever the loss falls",
        "What did accuracy do between your two models a and b?",
    ),
}

WRONG_CLAIMS = [
    *(
        wrong(
            "claims",
            name,
            f"claims = {JUDGEMENTS | {claim: not JUDGEMENTS[claim]}}",
            loses=[CLAIMS],
            hint=hint,
        )
        for claim, (name, hint) in MISCONCEPTIONS.items()
    ),
    wrong(
        "claims",
        "everything true",
        """
        claims = {name: True for name in statements}
        """,
        loses=[CLAIMS],
        hint="Some of these statements are beliefs that this notebook has shaken.",
    ),
    wrong(
        "claims",
        "everything false",
        """
        claims = dict.fromkeys(statements, False)
        """,
        loses=[CLAIMS],
        hint="Some of these statements are the point of this notebook.",
    ),
    wrong(
        "claims",
        "everything the other way round",
        f"claims = { ({name: not judgement for name, judgement in JUDGEMENTS.items()}) }",
        loses=[CLAIMS],
        hint="Read the task again: True stands for a statement that is true.",
    ),
    wrong(
        "claims",
        "words instead of truth values",
        f"claims = { ({name: str(judgement) for name, judgement in JUDGEMENTS.items()}) }",
        loses=[CLAIMS],
        hint="`'False'` in quotes is a string, not a judgement.",
    ),
    wrong(
        "claims",
        "one statement left out",
        f"claims = { ({name: j for name, j in JUDGEMENTS.items() if name != 'good_to_report'}) }",
        loses=[CLAIMS],
        hint="Seven statements, seven judgements: which one is missing?",
    ),
    wrong(
        "claims",
        "a list",
        f"claims = {list(JUDGEMENTS.values())}",
        loses=[CLAIMS],
        hint="Which judgement belongs to which statement? A dict says so by name.",
    ),
    wrong(
        "claims",
        "numbered instead of named",
        f"claims = {dict(enumerate(JUDGEMENTS.values(), start=1))}",
        loses=[CLAIMS],
        hint="Use the short names of the statements as they are printed.",
    ),
]

ANSWERS = [
    *RIGHT,
    *WRONG_ACCURACY,
    *WRONG_SLOPE,
    *WRONG_FLAT,
    *WRONG_SAME,
    *WRONG_CLAIMS,
]


# What tells the wrong answers apart: see proctor/grading/diagnosis.py.

PREDICTIONS = torch.tensor([0.83, 0.27, 0.64, 0.11, 0.42, 0.5, 0.71])
TARGETS = torch.tensor([1, 0, 0, 1, 0, 0, 1])
COLUMN = PREDICTIONS[:5, None].double()
BATCHES = [(torch.full([size], 0.3), torch.ones(size).long()) for size in (4, 60, 300)]
MANY = torch.linspace(0.01, 0.99, 1000), (torch.arange(1000) % 3 == 0).long()
CROWD = torch.full([70_000], 0.9), torch.ones(70_000).long()
NEAR = torch.tensor([0.5 + 1e-9, 0.5 - 1e-9, 0.5 + 5e-8, 1e-9, 0.9], dtype=torch.float64)
CURVE = Source("lambda x: x * x + 3 * x")
FALL = Source("lambda x: -2.0 * x")
STAIRS = Source("lambda x: float(int(x * 2))")
NEARLY_FLAT = Source("lambda x: 1e-7 * x if x < 2 else 5.0")
POINTS = torch.tensor([0.1, 0.45, 0.6, 1.2, 1.9, 2.3, 2.45])

PROBES = {
    "accuracy": [
        call("accuracy", PREDICTIONS, TARGETS),
        call("accuracy", PREDICTIONS[:4], torch.zeros(4).long()),
        call("accuracy", COLUMN, TARGETS[:5, None].double()),
        call("accuracy", PREDICTIONS, TARGETS.float()),
        call("accuracy", PREDICTIONS[:1], TARGETS[:1]),
        call("accuracy", torch.tensor([0.5, 0.5, 0.9]), torch.tensor([1, 1, 0])),
        call("accuracy", *MANY),
        call("accuracy", *CROWD),
        call("accuracy", NEAR, torch.ones(5).long()),
        call("accuracy", torch.tensor([1e-9, 0.9]), torch.tensor([0, 0])),
        call("accuracy", PREDICTIONS, TARGETS, gradients=False),
        call("accuracy", PREDICTIONS, TARGETS, on_accelerator=True),
        loop("accuracy", *BATCHES[:2]),
        loop("accuracy", *BATCHES[::2]),
    ],
    "slope": [
        call("slope", CURVE, 1.0, 1.5),
        call("slope", FALL, 2.0, -1.0),
        call("slope", CURVE, 1.5, 1.0),
        call("slope", CURVE, torch.tensor(0.5), torch.tensor(0.75), gradients=False),
        call("slope", Source("lambda x: 1.2345678 * x"), 1.0, 3.0, less=1.2345678, magnified=1e6),
        call("slope", CURVE, 1.0, 1.000001, less=5.000001, magnified=1e3),
        call("slope", Source("lambda x: 3e-9 * x"), 0.25, 0.75, less=0.0, magnified=1e9),
        call("slope", Source("lambda x: 0 * x - 3.7"), 0.1, 0.7, less=0.0, magnified=1e18),
    ],
    "flat_fraction": [
        call("flat_fraction", STAIRS, POINTS, 0.1),
        call("flat_fraction", STAIRS, POINTS.tolist(), 0.3),
        call("flat_fraction", NEARLY_FLAT, POINTS, 0.1),
        call("flat_fraction", CURVE, POINTS, -0.2),
        call("flat_fraction", FALL, POINTS, 0.2),
        call("flat_fraction", STAIRS, POINTS, -0.15),
        call("flat_fraction", STAIRS, torch.cat((POINTS, POINTS[2:5], POINTS[:2] + 1)), 0.1),
        call("flat_fraction", Source("lambda x: 1.0 if x > 1 else 0.0"), POINTS, 0.25),
        call("flat_fraction", Source("lambda x: 1e-13 * x"), POINTS, 0.1),
    ],
    "same_accuracy": [value("predictions_a"), value("predictions_b")],
    "claims": [value("claims")],
}
