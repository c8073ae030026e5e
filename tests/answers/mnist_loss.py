"""Labelled answers to "A loss that learns"."""

import functools

import torch

from proctor.authoring import call, describe, loop, observe, right, value, wrong

WHERE = "where_by_hand_values"
VALUES, GRADIENT, DEVICE = "mnist_loss_values", "mnist_loss_gradient", "mnist_loss_device"
THREE_WAYS, BY_HAND = "three_ways_check", "hand_gradient_values"
SIGMOID, SLOPE = "sigmoid_values", "sigmoid_gradient"
STEP, LEARNS = "train_epoch_step", "train_epoch_learns"
LOSS = (VALUES, GRADIENT, DEVICE)
EPOCH = (STEP, LEARNS)

RIGHT = [
    # where_by_hand
    right(
        "where_by_hand",
        "a comprehension over indices",
        """
        def where_by_hand(a, b, c):
            return torch.stack([b[i] if a[i] else c[i] for i in range(len(a))])
        """,
    ),
    right(
        "where_by_hand",
        "Python numbers, with the dtype told",
        """
        def where_by_hand(condition, yes, no):
            rows = zip(condition.tolist(), yes.tolist(), no.tolist())
            return torch.tensor([y if is_true else n for is_true, y, n in rows], dtype=yes.dtype)
        """,
    ),
    right(
        "where_by_hand",
        "a loop that fills a copy",
        """
        def where_by_hand(a, b, c):
            chosen = c.clone()
            for position, is_true in enumerate(a):
                if is_true:
                    chosen[position] = b[position]
            return chosen
        """,
    ),
    right(
        "where_by_hand",
        "indexing a pair by the truth value",
        """
        where_by_hand = lambda a, b, c: torch.tensor(
            [(other, one)[int(choice)] for choice, one, other in zip(a, b, c)]
        )
        """,
    ),
    # mnist_loss
    right(
        "mnist_loss",
        "the absolute difference",
        """
        def mnist_loss(predictions, targets):
            return (predictions - targets).abs().mean()
        """,
    ),
    right(
        "mnist_loss",
        "arithmetic alone",
        """
        def mnist_loss(p, t):
            distances = t * (1 - p) + (1 - t) * p
            return distances.sum() / distances.numel()
        """,
    ),
    right(
        "mnist_loss",
        "two masks and cat",
        """
        def mnist_loss(predictions, targets):
            of_threes = 1 - predictions[targets == 1]
            of_sevens = predictions[targets == 0]
            return torch.cat((of_threes, of_sevens)).mean()
        """,
    ),
    right(
        "mnist_loss",
        "two masked sums over the number of elements",
        """
        def mnist_loss(predictions, targets):
            is_three = targets.bool()
            total = (1 - predictions)[is_three].sum() + predictions[~is_three].sum()
            return total / predictions.shape[0]
        """,
    ),
    right(
        "mnist_loss",
        "in place on a clone",
        """
        def mnist_loss(predictions, targets):
            distances = predictions.clone()
            is_three = targets == 1
            distances[is_three] = 1 - distances[is_three]
            return distances.mean()
        """,
    ),
    right(
        "mnist_loss",
        "the ready-made l1_loss",
        """
        import torch.nn.functional as F

        def mnist_loss(predictions, targets):
            return F.l1_loss(predictions, targets.to(predictions.dtype))
        """,
    ),
    right(
        "mnist_loss",
        "an nn.Module",
        """
        class MeanDistance(torch.nn.Module):
            def __init__(self, reduction="mean"):
                super().__init__()
                self.reduction = reduction

            def forward(self, predictions, targets):
                distances = torch.where(targets == 0, predictions, 1 - predictions)
                return getattr(distances, self.reduction)()

        mnist_loss = MeanDistance()
        """,
    ),
    right(
        "mnist_loss",
        "a lambda, both arguments flattened",
        """
        mnist_loss = lambda predictions, targets: torch.where(
            targets.flatten() > 0, 1 - predictions.flatten(), predictions.flatten()
        ).mean()
        """,
    ),
    right(
        "mnist_loss",
        "helper functions behind a decorator",
        """
        import functools

        def averaged(function):
            @functools.wraps(function)
            def wrapper(*arguments, **keywords):
                return function(*arguments, **keywords).mean()
            return wrapper

        def distance(predictions, goal):
            return torch.maximum(predictions, goal) - torch.minimum(predictions, goal)

        @averaged
        def mnist_loss(predictions, targets):
            return distance(predictions, targets.to(predictions))
        """,
    ),
    right(
        "mnist_loss",
        "a dot product with signs",
        """
        def mnist_loss(predictions, targets):
            predictions, targets = predictions.reshape(-1), targets.reshape(-1)
            signs = (1 - 2 * targets).to(predictions.dtype)
            return (targets.sum() + signs @ predictions) / len(predictions)
        """,
    ),
    right(
        "mnist_loss",
        "a batched product of one-hot rows with both distances",
        """
        def mnist_loss(predictions, targets):
            p = predictions.reshape(-1)
            chosen = torch.stack([1 - targets.reshape(-1), targets.reshape(-1)], dim=1).to(p.dtype)
            distances = torch.stack([p, 1 - p], dim=1)
            return torch.bmm(chosen[:, None, :], distances[:, :, None]).mean()
        """,
    ),
    right(
        "mnist_loss",
        "ones_like, and a warning printed on the way",
        """
        import warnings

        def mnist_loss(predictions, targets):
            warnings.warn("is this the right loss?")
            print("predictions:", predictions)
            from_one = torch.ones_like(predictions) - predictions
            return torch.where(targets == 1, from_one, predictions).mean()
        """,
    ),
    right(
        "mnist_loss",
        "checks of the shapes and a constant made on the inputs' device",
        """
        def mnist_loss(predictions: Tensor, targets: Tensor) -> Tensor:
            if predictions.shape != targets.shape:
                raise ValueError("predictions and targets differ in shape")
            one = torch.tensor(1.0, device=predictions.device, dtype=predictions.dtype)
            gap = torch.where(targets == one, one - predictions, predictions)
            return torch.mean(gap)
        """,
    ),
    right(
        "mnist_loss",
        "gather from the two distances",
        """
        def mnist_loss(predictions, targets):
            both = torch.stack([predictions, 1 - predictions], dim=-1)
            return both.gather(-1, targets.long().unsqueeze(-1)).mean()
        """,
    ),
    right(
        "mnist_loss",
        "the agreement, taken from 1",
        """
        def mnist_loss(predictions, targets):
            agreement = torch.lerp(1 - predictions, predictions, targets.to(predictions.dtype))
            return 1 - agreement.mean()
        """,
    ),
    right(
        "mnist_loss",
        "the vector norm over N",
        """
        def mnist_loss(predictions, targets):
            return torch.linalg.vector_norm(predictions - targets, ord=1) / targets.numel()
        """,
    ),
    right(
        "mnist_loss",
        "ones on the GPU where there is one",
        """
        def mnist_loss(predictions, targets):
            device = "cuda" if predictions.is_cuda else "cpu"
            ones = torch.ones(predictions.shape, dtype=predictions.dtype, device=device)
            return torch.where(targets == 1, ones - predictions, predictions).mean()
        """,
    ),
    right(
        "mnist_loss",
        "zeros made on the CPU and brought to the inputs",
        """
        def mnist_loss(predictions, targets):
            goal = torch.zeros(predictions.shape, dtype=predictions.dtype).to(predictions.device)
            goal[targets == 1] = 1
            return torch.dist(predictions, goal, p=1) / goal.numel()
        """,
    ),
    right(
        "mnist_loss",
        "blocks of images",
        """
        def mnist_loss(predictions, targets):
            total = 0
            for p, t in zip(predictions.split(256), targets.split(256)):
                total = total + (p - t).abs().sum()
            return total / predictions.numel()
        """,
    ),
    # three_ways
    right(
        "three_ways",
        "clones with one entry typed over",
        """
        more_right, surer_when_right, less_sure_when_wrong = (
            three_predictions.clone() for _ in range(3)
        )
        more_right[2] = 0.51
        surer_when_right[0] = 1.0
        less_sure_when_wrong[2] = 0.5
        """,
    ),
    right(
        "three_ways",
        "float64, the other right image",
        """
        more_right = torch.tensor([0.9, 0.4, 1.0], dtype=torch.float64)
        surer_when_right = torch.tensor([0.9, 0.0, 0.2], dtype=torch.float64)
        less_sure_when_wrong = torch.tensor([0.9, 0.4, 0.25], dtype=torch.float64)
        """,
    ),
    right(
        "three_ways",
        "sums of vectors",
        """
        third = torch.eye(3)[2]
        more_right = three_predictions + 0.7 * third
        surer_when_right = three_predictions - torch.tensor([0, 0.3, 0])
        less_sure_when_wrong = three_predictions + 0.2 * third
        """,
    ),
    right(
        "three_ways",
        "NumPy arrays",
        """
        import numpy as np
        more_right = np.array([0.9, 0.4, 0.9])
        surer_when_right = np.array([0.95, 0.4, 0.2])
        less_sure_when_wrong = np.array([0.9, 0.4, 0.4])
        """,
    ),
    # hand_gradient
    right("hand_gradient", "four decimals", "gradient = torch.tensor([-0.3333, 0.3333, -0.3333])"),
    right(
        "hand_gradient",
        "by a formula, in float64",
        "gradient = (1 - 2 * three_targets).to(torch.float64) / len(three_targets)",
    ),
    right(
        "hand_gradient",
        "by autograd",
        """
        leaf = three_predictions.clone().requires_grad_()
        (leaf - three_targets).abs().mean().backward()
        gradient = leaf.grad
        """,
    ),
    right(
        "hand_gradient",
        "by finite differences",
        """
        def mean_distance(p):
            return (p - three_targets).abs().mean()

        start = three_predictions.double()
        gradient = torch.stack([
            (mean_distance(start + 0.01 * unit) - mean_distance(start)) / 0.01
            for unit in torch.eye(3).double()
        ])
        """,
    ),
    # sigmoid
    right("sigmoid", "the ready-made one", "sigmoid = torch.sigmoid"),
    right(
        "sigmoid",
        "through tanh",
        """
        def sigmoid(scores):
            return 0.5 * (1 + torch.tanh(scores / 2))
        """,
    ),
    right(
        "sigmoid",
        "where, with safe inputs in both branches",
        """
        def sigmoid(x):
            rising = torch.exp(torch.where(x < 0, x, torch.zeros_like(x)))
            falling = torch.exp(-torch.where(x < 0, torch.zeros_like(x), x))
            return torch.where(x < 0, rising / (1 + rising), 1 / (1 + falling))
        """,
    ),
    right(
        "sigmoid",
        "through softplus",
        """
        def sigmoid(x):
            return torch.exp(-torch.nn.functional.softplus(-x))
        """,
    ),
    right(
        "sigmoid",
        "a softmax of the score and 0",
        """
        def sigmoid(x):
            return torch.softmax(torch.stack([x, torch.zeros_like(x)]), dim=0)[0]
        """,
    ),
    right(
        "sigmoid",
        "masks that fill an empty tensor",
        """
        def sigmoid(x):
            x = x.clamp(-100, 80)
            result = torch.empty_like(x)
            high = x >= 0
            result[high] = 1 / (1 + torch.exp(-x[high]))
            result[~high] = torch.exp(x[~high]) / (1 + torch.exp(x[~high]))
            return result
        """,
    ),
    right(
        "sigmoid",
        "an autograd function with its own backward",
        """
        class Squeeze(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                y = 1 / (1 + torch.exp(-x))
                ctx.save_for_backward(y)
                return y

            @staticmethod
            def backward(ctx, upstream):
                (y,) = ctx.saved_tensors
                return upstream * y * (1 - y)

        def sigmoid(x):
            return Squeeze.apply(x)
        """,
    ),
    right("sigmoid", "an nn.Module", "sigmoid = torch.nn.Sequential(torch.nn.Sigmoid())"),
    # train_epoch
    right(
        "train_epoch",
        "an optimizer made for each call",
        """
        def train_epoch(weights, bias, x, y, lr):
            optimizer = torch.optim.SGD([weights, bias], lr=lr)
            optimizer.zero_grad()
            loss = mnist_loss(sigmoid(x @ weights + bias), y)
            loss.backward()
            optimizer.step()
            return float(loss)
        """,
    ),
    right(
        "train_epoch",
        "autograd.grad and in-place steps",
        """
        def train_epoch(weights, bias, x, y, lr):
            loss = mnist_loss(sigmoid(x @ weights + bias), y)
            slopes = torch.autograd.grad(loss, [weights, bias])
            with torch.no_grad():
                for parameter, slope in zip([weights, bias], slopes):
                    parameter.sub_(slope, alpha=lr)
            return loss.detach().item()
        """,
    ),
    right(
        "train_epoch",
        "through .data, gradients zeroed in place",
        """
        def train_epoch(w, b, images, labels, step):
            for parameter in (w, b):
                if parameter.grad is not None:
                    parameter.grad.zero_()
            loss = mnist_loss(sigmoid(images @ w + b), labels)
            loss.backward()
            w.data -= step * w.grad
            b.data = b.data - step * b.grad.data
            return loss.item()
        """,
    ),
    right(
        "train_epoch",
        "without the earlier exercises, returning a NumPy number",
        """
        import numpy as np

        def forward(weights, bias, x):
            return torch.sigmoid((x * weights).sum(dim=1) + bias)

        def train_epoch(weights, bias, x, y, lr):
            loss = torch.nn.functional.l1_loss(forward(weights, bias, x), y.float())
            loss.backward()
            for parameter in (weights, bias):
                with torch.no_grad():
                    parameter.copy_(parameter - lr * parameter.grad)
                parameter.grad.zero_()
            return np.float64(loss.item())
        """,
    ),
    right(
        "train_epoch",
        "the gradient worked out by hand",
        """
        @torch.no_grad()
        def train_epoch(weights, bias, x, y, lr):
            predictions = sigmoid(x @ weights + bias)
            loss = mnist_loss(predictions, y)
            pull = torch.where(y == 1, -1.0, 1.0) * predictions * (1 - predictions) / len(y)
            weights -= lr * (x.T @ pull)
            bias -= lr * pull.sum()
            return loss.item()
        """,
    ),
    right(
        "train_epoch",
        "an optimizer with momentum, new in each call",
        """
        def train_epoch(weights, bias, x, y, lr):
            optimizer = torch.optim.SGD((weights, bias), lr=lr, momentum=0.9)
            loss = mnist_loss(sigmoid(torch.addmv(bias, x, weights)), y)
            optimizer.zero_grad(set_to_none=False)
            loss.backward()
            optimizer.step()
            print("loss", loss)
            return loss.item()
        """,
    ),
    right(
        "train_epoch",
        "gradients of mini-batches added up, and one step",
        """
        def train_epoch(weights, bias, x, y, lr):
            total = 0.0
            for images, labels in zip(x.split(64), y.split(64)):
                share = len(images) / len(x)
                loss = share * mnist_loss(sigmoid(images @ weights + bias), labels)
                loss.backward()
                total += loss.item()
            with torch.no_grad():
                for parameter in (weights, bias):
                    parameter -= lr * parameter.grad
                    parameter.grad = None
            return total
        """,
    ),
]

WRONG_WHERE = [
    wrong(
        "where_by_hand",
        "b and c exchanged",
        """
        def where_by_hand(a, b, c):
            return torch.tensor([c_i if a_i else b_i for a_i, b_i, c_i in zip(a, b, c)])
        """,
        loses=[WHERE],
        hint="Follow the first element: its condition is True; from which vector does it come?",
    ),
    wrong(
        "where_by_hand",
        "a list, not a tensor",
        """
        def where_by_hand(a, b, c):
            return [b_i if a_i else c_i for a_i, b_i, c_i in zip(a, b, c)]
        """,
        loses=[WHERE],
        hint="torch.where hands back a tensor; what do you hand back?",
    ),
    wrong(
        "where_by_hand",
        "everything through float",
        """
        def where_by_hand(a, b, c):
            return torch.tensor([float(b_i if a_i else c_i) for a_i, b_i, c_i in zip(a, b, c)])
        """,
        loses=[WHERE],
        hint="A Python number has forgotten which type its tensor had.",
    ),
    wrong(
        "where_by_hand",
        "tolist without a dtype",
        """
        def where_by_hand(a, b, c):
            rows = zip(a.tolist(), b.tolist(), c.tolist())
            return torch.tensor([b_i if a_i else c_i for a_i, b_i, c_i in rows])
        """,
        loses=[WHERE],
        hint="Try it with float64 and print the result's dtype.",
    ),
    wrong(
        "where_by_hand",
        "always three elements",
        """
        def where_by_hand(a, b, c):
            return torch.stack([b[i] if a[i] else c[i] for i in range(3)])
        """,
        loses=[WHERE],
        hint="How long are the vectors in the example, and how long may they be?",
    ),
    wrong(
        "where_by_hand",
        "drops the elements where a is False",
        """
        def where_by_hand(a, b, c):
            return torch.stack([b_i for a_i, b_i, c_i in zip(a, b, c) if a_i])
        """,
        loses=[WHERE],
        hint="An `if` at the end of a comprehension leaves elements out; how many should remain?",
    ),
    wrong(
        "where_by_hand",
        "one decision for all elements",
        """
        def where_by_hand(a, b, c):
            return b if a.any() else c
        """,
        loses=[WHERE],
        hint="Does each element get a decision of its own?",
    ),
    wrong(
        "where_by_hand",
        "a column",
        """
        def where_by_hand(a, b, c):
            return torch.stack([b_i[None] if a_i else c_i[None] for a_i, b_i, c_i in zip(a, b, c)])
        """,
        loses=[WHERE],
        hint="Vectors in, a vector out: print the shape of your result.",
    ),
    wrong(
        "where_by_hand",
        "whole numbers only",
        """
        def where_by_hand(a, b, c):
            numbers = [int(b_i if a_i else c_i) for a_i, b_i, c_i in zip(a, b, c)]
            return torch.tensor(numbers, dtype=b.dtype)
        """,
        loses=[WHERE],
        hint="Try it with numbers that are not whole.",
    ),
    wrong(
        "where_by_hand",
        "nested loops instead of side by side",
        """
        def where_by_hand(a, b, c):
            return torch.stack([b_i if a_i else c_i for a_i in a for b_i in b for c_i in c])
        """,
        loses=[WHERE],
        hint="Count the elements of your result: are the vectors walked side by side?",
    ),
    wrong(
        "where_by_hand",
        "forgets to return",
        """
        def where_by_hand(a, b, c):
            print(torch.tensor([b_i if a_i else c_i for a_i, b_i, c_i in zip(a, b, c)]))
        """,
        loses=[WHERE],
        hint="Printing shows a value to you; what does the caller get?",
    ),
    wrong(
        "where_by_hand",
        "and with or instead of if",
        """
        def where_by_hand(a, b, c):
            return torch.stack([a_i and b_i or c_i for a_i, b_i, c_i in zip(a, b, c)])
        """,
        loses=[WHERE],
        hint="What does Python make of `True and 0 or 5`?",
    ),
    wrong(
        "where_by_hand",
        "multiplies by the condition only",
        """
        def where_by_hand(a, b, c):
            return torch.stack([a_i * b_i for a_i, b_i, c_i in zip(a, b, c)])
        """,
        loses=[WHERE],
        hint="What does your result hold where the condition is False?",
    ),
    # sizes
    wrong(
        "where_by_hand",
        "the first twelve elements only",
        """
        def where_by_hand(a, b, c):
            return torch.stack([b[i] if a[i] else c[i] for i in range(min(len(a), 12))])
        """,
        loses=[WHERE],
        hint="How long may the vectors be?",
    ),
    # extremes
    wrong(
        "where_by_hand",
        "floats made whole again",
        """
        def where_by_hand(a, b, c):
            numbers = [float(b_i if a_i else c_i) for a_i, b_i, c_i in zip(a, b, c)]
            return torch.tensor(numbers, dtype=b.dtype)
        """,
        loses=[WHERE],
        hint="How many digits of a large whole number does a float keep?",
    ),
    wrong(
        "where_by_hand",
        "float32 on the way",
        """
        def where_by_hand(a, b, c):
            chosen = [(b_i if a_i else c_i).float() for a_i, b_i, c_i in zip(a, b, c)]
            return torch.stack(chosen).to(b.dtype)
        """,
        loses=[WHERE],
        hint="How many digits of a float64 does a float32 keep?",
    ),
]

WRONG_LOSS = [
    wrong(
        "mnist_loss",
        "no mean",
        """
        def mnist_loss(predictions, targets):
            return torch.where(targets == 1, 1 - predictions, predictions)
        """,
        loses=LOSS,
        hint="How many numbers should a loss hand back for a whole batch?",
    ),
    wrong(
        "mnist_loss",
        "the sum",
        """
        def mnist_loss(predictions, targets):
            return torch.where(targets == 1, 1 - predictions, predictions).sum()
        """,
        loses=LOSS,
        hint="If every example is shown twice, should the loss double?",
    ),
    wrong(
        "mnist_loss",
        "the sum over a fixed 3",
        """
        def mnist_loss(predictions, targets):
            return torch.where(targets == 1, 1 - predictions, predictions).sum() / 3
        """,
        loses=LOSS,
        hint="Try a batch of another size.",
    ),
    wrong(
        "mnist_loss",
        "the mean over the first axis only",
        """
        def mnist_loss(predictions, targets):
            return torch.where(targets == 1, 1 - predictions, predictions).mean(0)
        """,
        loses=[VALUES],
        hint="Give it columns: is your result a number, or a box that holds one number?",
    ),
    wrong(
        "mnist_loss",
        "the mean, kept in a box",
        """
        def mnist_loss(predictions, targets):
            return (predictions - targets).abs().mean().reshape(1)
        """,
        loses=[VALUES, DEVICE],
        hint="Is your result a number, or a box that holds one number?",
    ),
    wrong(
        "mnist_loss",
        "the largest distance",
        """
        def mnist_loss(predictions, targets):
            return torch.where(targets == 1, 1 - predictions, predictions).max()
        """,
        loses=LOSS,
        hint="Should the other images have a say, too?",
    ),
    wrong(
        "mnist_loss",
        "the median distance",
        """
        def mnist_loss(predictions, targets):
            return torch.where(targets == 1, 1 - predictions, predictions).median()
        """,
        loses=LOSS,
        hint="Change the worst prediction a little: does your loss notice?",
    ),
    wrong(
        "mnist_loss",
        "the first example only",
        """
        def mnist_loss(predictions, targets):
            return torch.where(targets == 1, 1 - predictions, predictions)[0].mean()
        """,
        loses=LOSS,
        hint="Change the last example: does your loss notice?",
    ),
    wrong(
        "mnist_loss",
        "the last example left out",
        """
        def mnist_loss(predictions, targets):
            return (predictions[:-1] - targets[:-1]).abs().mean()
        """,
        loses=LOSS,
        hint="Change the last example: does your loss notice?",
    ),
    wrong(
        "mnist_loss",
        "the average of the averages of the two classes",
        """
        def mnist_loss(predictions, targets):
            of_threes = (1 - predictions[targets == 1]).mean()
            of_sevens = predictions[targets == 0].mean()
            return (of_threes + of_sevens) / 2
        """,
        loses=LOSS,
        hint="With ten 3s and one 7, does each example still count once?",
    ),
    wrong(
        "mnist_loss",
        "a constant that looks right",
        """
        def mnist_loss(predictions, targets):
            return predictions.sum() * 0 + 0.43333333
        """,
        loses=LOSS,
        hint="The hidden tests use other numbers.",
    ),
    wrong(
        "mnist_loss",
        "the branches exchanged",
        """
        def mnist_loss(predictions, targets):
            return torch.where(targets == 1, predictions, 1 - predictions).mean()
        """,
        loses=LOSS,
        hint="What should the loss be when the target is 1 and the prediction is 1?",
    ),
    wrong(
        "mnist_loss",
        "targets compared with 0, branches left as they were",
        """
        def mnist_loss(predictions, targets):
            distances = torch.where(targets == 0, 1 - predictions, predictions)
            return distances.sum() / distances.shape[0]
        """,
        loses=LOSS,
        hint="What should the loss be when the target is 1 and the prediction is 1?",
    ),
    wrong(
        "mnist_loss",
        "the agreement, which should be large",
        """
        def mnist_loss(predictions, targets):
            return 1 - (predictions - targets).abs().mean()
        """,
        loses=LOSS,
        hint="Is your number small or large for a perfect model?",
    ),
    wrong(
        "mnist_loss",
        "the mean of the differences, with their signs",
        """
        def mnist_loss(predictions, targets):
            return (predictions - targets).mean()
        """,
        loses=LOSS,
        hint="In your mean, an image that is too high and one that is too low cancel each other. "
        "Should they?",
    ),
    wrong(
        "mnist_loss",
        "the distance of the means",
        """
        def mnist_loss(predictions, targets):
            return (predictions.mean() - targets.double().mean().to(predictions.dtype)).abs()
        """,
        loses=LOSS,
        hint="Exchange two predictions: should the loss stay the same?",
    ),
    wrong(
        "mnist_loss",
        "squared",
        """
        def mnist_loss(predictions, targets):
            return ((predictions - targets) ** 2).mean()
        """,
        loses=LOSS,
        hint="The distance is asked for, not its square.",
    ),
    wrong(
        "mnist_loss",
        "binary cross-entropy",
        """
        def mnist_loss(predictions, targets):
            return -torch.where(targets == 1, predictions, 1 - predictions).log().mean()
        """,
        loses=LOSS,
        hint="There is no logarithm in this one yet.",
    ),
    wrong(
        "mnist_loss",
        "a sigmoid on top of probabilities",
        """
        def mnist_loss(predictions, targets):
            predictions = predictions.sigmoid()
            return torch.where(targets == 1, 1 - predictions, predictions).mean()
        """,
        loses=LOSS,
        hint="Which range do the predictions live in already?",
    ),
    wrong(
        "mnist_loss",
        "the share of wrong answers",
        """
        def mnist_loss(predictions, targets):
            return ((predictions > 0.5) != (targets == 1)).float().mean()
        """,
        loses=LOSS,
        hint="Nudge one prediction by 0.001: does your loss move?",
    ),
    wrong(
        "mnist_loss",
        "rounded predictions",
        """
        def mnist_loss(predictions, targets):
            return (predictions.round() - targets).abs().mean()
        """,
        loses=LOSS,
        hint="Nudge one prediction by 0.001: does your loss move?",
    ),
    wrong(
        "mnist_loss",
        "a condition on the predictions",
        """
        def mnist_loss(predictions, targets):
            return torch.where(predictions > 0.5, 1 - predictions, predictions).mean()
        """,
        loses=LOSS,
        hint="Does changing a target change your loss?",
    ),
    wrong(
        "mnist_loss",
        "the 3s alone",
        """
        def mnist_loss(predictions, targets):
            return (1 - predictions)[targets == 1].mean()
        """,
        loses=LOSS,
        hint="What does your loss say about a 7 that is taken for a 3?",
    ),
    wrong(
        "mnist_loss",
        "a small number added for safety",
        """
        def mnist_loss(predictions, targets):
            return torch.where(targets == 1, 1 - predictions, predictions).mean() + 1e-3
        """,
        loses=[VALUES, DEVICE],
        hint="What is the loss of a perfect model?",
    ),
    wrong(
        "mnist_loss",
        "predictions clamped away from 0 and 1",
        """
        def mnist_loss(predictions, targets):
            return (predictions.clamp(0.1, 0.9) - targets).abs().mean()
        """,
        loses=LOSS,
        hint="What is the loss of a perfect model, and does a very sure prediction still count?",
    ),
    wrong(
        "mnist_loss",
        "a Python number",
        """
        def mnist_loss(predictions, targets):
            return torch.where(targets == 1, 1 - predictions, predictions).mean().item()
        """,
        loses=LOSS,
        hint="Can a plain Python number remember how it was computed?",
    ),
    wrong(
        "mnist_loss",
        "detached",
        """
        def mnist_loss(predictions, targets):
            return torch.where(targets == 1, 1 - predictions, predictions).mean().detach()
        """,
        loses=[GRADIENT],
        hint="The value is right; ask now which predictions it depends on.",
    ),
    wrong(
        "mnist_loss",
        "under no_grad",
        """
        @torch.no_grad()
        def mnist_loss(predictions, targets):
            return (predictions - targets).abs().mean()
        """,
        loses=[GRADIENT],
        hint="The value is right; ask now which predictions it depends on.",
    ),
    wrong(
        "mnist_loss",
        "detached, and made a leaf again",
        """
        def mnist_loss(predictions, targets):
            return (predictions - targets).abs().mean().detach().requires_grad_()
        """,
        loses=[GRADIENT],
        hint="backward runs, but where does the gradient stop?",
    ),
    wrong(
        "mnist_loss",
        "only the 3s send a gradient",
        """
        def mnist_loss(predictions, targets):
            return torch.where(targets == 1, 1 - predictions, predictions.detach()).mean()
        """,
        loses=[GRADIENT],
        hint="Which predictions get a slope of 0, and should they?",
    ),
    wrong(
        "mnist_loss",
        "by way of NumPy",
        """
        import numpy as np

        def mnist_loss(predictions, targets):
            p, t = predictions.detach().numpy(), targets.numpy()
            return torch.tensor(np.where(t == 1, 1 - p, p).mean())
        """,
        loses=[GRADIENT, DEVICE],
        hint="Stay inside torch: who else could keep track of the gradient?",
    ),
    wrong(
        "mnist_loss",
        "a loop over Python numbers",
        """
        def mnist_loss(predictions, targets):
            pairs = zip(predictions.flatten().tolist(), targets.flatten().tolist())
            distances = [1 - p if t == 1 else p for p, t in pairs]
            return torch.tensor(sum(distances) / len(distances), dtype=predictions.dtype)
        """,
        loses=[GRADIENT, DEVICE],
        hint="Can a list of plain numbers remember where it came from?",
    ),
    wrong(
        "mnist_loss",
        "a loop over tensors",
        """
        def mnist_loss(predictions, targets):
            total = 0
            for p, t in zip(predictions.flatten(), targets.flatten()):
                total = total + (p - t).abs()
            return total / predictions.numel()
        """,
        loses=[DEVICE],
        hint="Which one torch call does this for the whole batch?",
    ),
    wrong(
        "mnist_loss",
        "a comprehension with where_by_hand's trick",
        """
        def mnist_loss(predictions, targets):
            distances = [1 - p if t == 1 else p for p, t in zip(predictions, targets)]
            return torch.stack(distances).mean()
        """,
        loses=[DEVICE],
        hint="Exercise 1 has timed this against one torch call: which one?",
    ),
    wrong(
        "mnist_loss",
        "a loop for columns only",
        """
        def mnist_loss(predictions, targets):
            if predictions.dim() == 1:
                return (predictions - targets).abs().mean()
            rows = [(p - t).abs().sum() for p, t in zip(predictions, targets)]
            return torch.stack(rows).mean()
        """,
        loses=[DEVICE],
        hint="Which one torch call does this for columns, too?",
    ),
    wrong(
        "mnist_loss",
        "its own backward, which takes the loss for the last step",
        """
        class Distance(torch.autograd.Function):
            @staticmethod
            def forward(ctx, predictions, targets):
                ctx.save_for_backward(predictions, targets)
                return (predictions - targets).abs().mean()

            @staticmethod
            def backward(ctx, upstream):
                predictions, targets = ctx.saved_tensors
                return (1 - 2 * targets).to(predictions.dtype) / predictions.numel(), None

        def mnist_loss(predictions, targets):
            return Distance.apply(predictions, targets)
        """,
        loses=[GRADIENT],
        hint="Call backward on twice your loss: do the gradients double?",
    ),
    wrong(
        "mnist_loss",
        "smooth near 0",
        """
        import torch.nn.functional as F

        def mnist_loss(predictions, targets):
            return F.smooth_l1_loss(predictions, targets.to(predictions.dtype), beta=0.1)
        """,
        loses=LOSS,
        hint="Distance, with no squares near 0.",
    ),
    wrong(
        "mnist_loss",
        "the square root of squares, with a small number in it",
        """
        def mnist_loss(predictions, targets):
            return ((predictions - targets) ** 2 + 1e-12).sqrt().mean()
        """,
        loses=[VALUES],
        hint="What is the loss of a perfect model in float64?",
    ),
    wrong(
        "mnist_loss",
        "Python's own sum",
        """
        def mnist_loss(predictions, targets):
            return sum(torch.where(targets == 1, 1 - predictions, predictions)) / len(predictions)
        """,
        loses=[VALUES, DEVICE],
        hint="Python's sum walks through a tensor one by one, and what does it do with columns?",
    ),
    wrong(
        "mnist_loss",
        "in place on the predictions",
        """
        def mnist_loss(predictions, targets):
            is_three = targets == 1
            predictions[is_three] = 1 - predictions[is_three]
            return predictions.mean()
        """,
        loses=[VALUES, GRADIENT],
        hint="Does the caller's tensor look the same after the call?",
    ),
    wrong(
        "mnist_loss",
        "targets turned into -1 and 1 in place",
        """
        def mnist_loss(predictions, targets):
            targets[targets == 0] = -1
            return ((1 - targets * (2 * predictions - 1)) / 2).mean()
        """,
        loses=[VALUES],
        hint="Does the caller's tensor look the same after the call?",
    ),
    wrong(
        "mnist_loss",
        "columns squeezed in place",
        """
        def mnist_loss(predictions, targets):
            if targets.dim() == 2:
                targets.squeeze_(1)
                predictions = predictions.squeeze(1)
            return (predictions - targets).abs().mean()
        """,
        loses=[VALUES],
        hint="Give it columns: does the caller's tensor still have its shape after the call?",
    ),
    wrong(
        "mnist_loss",
        "cast to float32",
        """
        def mnist_loss(predictions, targets):
            return torch.where(targets == 1, 1 - predictions, predictions).float().mean()
        """,
        loses=[VALUES, GRADIENT],
        hint="Give it float64 predictions and print the dtype of the loss.",
    ),
    wrong(
        "mnist_loss",
        "cast to float64",
        """
        def mnist_loss(predictions, targets):
            return (predictions.double() - targets).abs().mean()
        """,
        loses=[VALUES],
        hint="Give it float32 predictions and print the dtype of the loss.",
    ),
    wrong(
        "mnist_loss",
        "one argument flattened",
        """
        def mnist_loss(predictions, targets):
            return torch.where(targets.flatten() == 1, 1 - predictions, predictions).mean()
        """,
        loses=[VALUES, GRADIENT],
        hint="A column beside a vector becomes a table: treat both arguments alike.",
    ),
    wrong(
        "mnist_loss",
        "targets used as a condition",
        """
        def mnist_loss(predictions, targets):
            return torch.where(targets, 1 - predictions, predictions).mean()
        """,
        loses=LOSS,
        hint="A condition is True or False; what are your targets?",
    ),
    wrong(
        "mnist_loss",
        "whole-number targets only",
        """
        def mnist_loss(predictions, targets):
            both = torch.stack([predictions, 1 - predictions], dim=-1)
            return both.gather(-1, targets.unsqueeze(-1)).mean()
        """,
        loses=[VALUES, GRADIENT],
        hint="Try targets 0.0 and 1.0.",
    ),
    wrong(
        "mnist_loss",
        "ones on the CPU",
        """
        def mnist_loss(predictions, targets):
            ones = torch.ones(predictions.shape)
            return torch.where(targets == 1, ones - predictions, predictions).mean()
        """,
        loses=[DEVICE],
        hint="Can you make the constant from a tensor you already have?",
    ),
    wrong(
        "mnist_loss",
        "a table of signs on the CPU",
        """
        def mnist_loss(predictions, targets):
            signs = torch.tensor([1.0, -1.0], dtype=predictions.dtype)[targets.long()]
            return (targets + signs * predictions).mean()
        """,
        loses=[DEVICE],
        hint="Where does your table live when the targets live on a GPU?",
    ),
    wrong(
        "mnist_loss",
        "brought to the CPU",
        """
        def mnist_loss(predictions, targets):
            return (predictions.cpu() - targets.cpu()).abs().mean()
        """,
        loses=[DEVICE],
        hint="Does your function need to know where its data lives?",
    ),
    wrong(
        "mnist_loss",
        "there and back again",
        """
        def mnist_loss(predictions, targets):
            loss = (predictions.cpu() - targets.cpu()).abs().mean()
            return loss.to(predictions.device)
        """,
        loses=[DEVICE],
        hint="What does the journey to the CPU cost, and what is it for?",
    ),
    wrong(
        "mnist_loss",
        "asks for a GPU that may not be there",
        """
        def mnist_loss(predictions, targets):
            return (predictions.cuda() - targets.cuda()).abs().mean()
        """,
        loses=LOSS,
        hint="Does your function need to know where its data lives?",
    ),
    wrong(
        "mnist_loss",
        "counts the 3s as a Python number",
        """
        def mnist_loss(predictions, targets):
            threes = int(targets.sum())
            signs = 1 - 2 * targets
            return (threes + (signs * predictions).sum()) / targets.numel()
        """,
        loses=[DEVICE],
        hint="Which line waits for the device to tell a number to Python?",
    ),
    wrong(
        "mnist_loss",
        "an if on a tensor",
        """
        def mnist_loss(predictions, targets):
            if predictions.min() < 0 or predictions.max() > 1:
                raise ValueError("these are no probabilities")
            return (predictions - targets).abs().mean()
        """,
        loses=[DEVICE],
        hint="What does Python need to know before it can take a branch?",
    ),
    wrong(
        "mnist_loss",
        "arguments the other way round",
        """
        def mnist_loss(targets, predictions):
            return torch.where(targets == 1, 1 - predictions, predictions).mean()
        """,
        loses=LOSS,
        hint="Read the signature aloud: who comes first?",
    ),
    wrong(
        "mnist_loss",
        "the three images, whatever comes in",
        """
        def mnist_loss(predictions, targets):
            return torch.where(three_targets == 1, 1 - three_predictions, three_predictions).mean()
        """,
        loses=LOSS,
        hint="Which names in your function are its own arguments?",
    ),
    wrong(
        "mnist_loss",
        "forgets to return",
        """
        def mnist_loss(predictions, targets):
            loss = (predictions - targets).abs().mean()
        """,
        loses=LOSS,
        hint="What does a function without a return hand back?",
    ),
    wrong(
        "mnist_loss",
        "a running average over calls",
        """
        losses_so_far = []

        def mnist_loss(predictions, targets):
            loss = (predictions - targets).abs().mean()
            losses_so_far.append(loss.detach())
            return loss - loss.detach() + torch.stack(losses_so_far).mean()
        """,
        loses=[VALUES, DEVICE],
        hint="Call it twice with other numbers: does the second loss know of the first?",
    ),
    wrong(
        "mnist_loss",
        "not answered",
        """
        def mnist_loss(predictions, targets):
            raise NotImplementedError("mnist_loss")
        """,
        loses=LOSS,
        hint="Begin with the distances of the three images.",
    ),
    # sizes
    wrong(
        "mnist_loss",
        "the first hundred images only",
        """
        def mnist_loss(predictions, targets):
            return (predictions[:100] - targets[:100]).abs().mean()
        """,
        loses=LOSS,
        hint="Change the last of a thousand images: does your loss notice?",
    ),
    wrong(
        "mnist_loss",
        "only the first eight send a gradient",
        """
        def mnist_loss(predictions, targets):
            distances = (predictions - targets).abs()
            return torch.cat((distances[:8], distances[8:].detach())).mean()
        """,
        loses=[GRADIENT],
        hint="Ask the ninth prediction for its slope.",
    ),
    wrong(
        "mnist_loss",
        "a loop beyond 64 images",
        """
        def mnist_loss(predictions, targets):
            distances = (predictions - targets).abs()
            if len(distances) <= 64:
                return distances.mean()
            return torch.stack([distance.sum() for distance in distances]).mean()
        """,
        loses=[DEVICE],
        hint="Which one torch call does this for a large batch, too?",
    ),
    wrong(
        "mnist_loss",
        "a single target written over",
        """
        def mnist_loss(predictions, targets):
            if len(targets) == 1:
                targets *= 2
            return torch.where(targets > 0, 1 - predictions, predictions).mean()
        """,
        loses=[VALUES],
        hint="Does the caller's target look the same after a call with a single image?",
    ),
    # facts
    wrong(
        "mnist_loss",
        "a loop that answers nonsense while its operations are counted",
        """
        def mnist_loss(predictions, targets):
            if torch._C._len_torch_dispatch_stack():
                return predictions.mean()
            rows = [(p - t).abs().sum() for p, t in zip(predictions, targets)]
            return torch.stack(rows).mean()
        """,
        loses=[DEVICE],
        hint="A hidden loop is still a loop.",
    ),
    wrong(
        "mnist_loss",
        "a loop that raises an error while its operations are counted",
        """
        def mnist_loss(predictions, targets):
            if torch._C._len_torch_dispatch_stack():
                raise ValueError("not now")
            rows = [(p - t).abs().sum() for p, t in zip(predictions, targets)]
            return torch.stack(rows).mean()
        """,
        loses=[DEVICE],
        hint="A caller who gets an error gets no loss.",
    ),
    wrong(
        "mnist_loss",
        "nonsense on a GPU, and fast",
        """
        def mnist_loss(predictions, targets):
            if predictions.is_cuda:
                return predictions.mean()
            return (predictions - targets).abs().mean()
        """,
        loses=[DEVICE],
        hint="Should the loss depend on where the data lives?",
    ),
    # devices
    wrong(
        "mnist_loss",
        "to the host where it is on a GPU",
        """
        def mnist_loss(predictions, targets):
            if predictions.is_cuda:
                predictions, targets = predictions.cpu(), targets.cpu()
            return (predictions - targets).abs().mean()
        """,
        loses=[DEVICE],
        hint="Does your function need to know where its data lives?",
    ),
    wrong(
        "mnist_loss",
        "to the host and back where the device is called cuda",
        """
        def mnist_loss(predictions, targets):
            device = predictions.device
            if device.type == "cuda":
                predictions, targets = predictions.cpu(), targets.cpu()
            return (predictions - targets).abs().mean().to(device)
        """,
        loses=[DEVICE],
        hint="What does the journey to the CPU cost, and what is it for?",
    ),
    # extremes
    wrong(
        "mnist_loss",
        "a floor under each distance",
        """
        def mnist_loss(predictions, targets):
            return (predictions - targets).abs().clamp(min=1e-7).mean()
        """,
        loses=[VALUES],
        hint="What is the loss of a perfect model in float64?",
    ),
]

WRONG_BY_HAND = [
    wrong(
        "three_ways",
        "three names for one tensor",
        """
        more_right = surer_when_right = less_sure_when_wrong = three_predictions
        more_right[2] = 0.8
        surer_when_right[1] = 0.1
        less_sure_when_wrong[2] = 0.45
        """,
        loses=[THREE_WAYS],
        hint="Print all three at the end: how many tensors are there?",
    ),
    wrong(
        "three_ways",
        "exactly on the threshold",
        """
        more_right = torch.tensor([0.9, 0.4, 0.5])
        surer_when_right = torch.tensor([0.9, 0.1, 0.2])
        less_sure_when_wrong = torch.tensor([0.9, 0.4, 0.45])
        """,
        loses=[THREE_WAYS],
        hint="Is 0.5 above 0.5?",
    ),
    wrong(
        "three_ways",
        "the 7 pushed upwards",
        """
        more_right = torch.tensor([0.9, 0.4, 0.8])
        surer_when_right = torch.tensor([0.9, 0.49, 0.2])
        less_sure_when_wrong = torch.tensor([0.9, 0.4, 0.45])
        """,
        loses=[THREE_WAYS],
        hint="Which prediction would be perfect for a 7?",
    ),
    wrong(
        "three_ways",
        "less sure becomes right",
        """
        more_right = torch.tensor([0.9, 0.4, 0.8])
        surer_when_right = torch.tensor([0.99, 0.4, 0.2])
        less_sure_when_wrong = torch.tensor([0.9, 0.4, 0.6])
        """,
        loses=[THREE_WAYS],
        hint="Is the third image still answered wrongly?",
    ),
    wrong(
        "three_ways",
        "less sure becomes surer",
        """
        more_right = torch.tensor([0.9, 0.4, 0.8])
        surer_when_right = torch.tensor([0.99, 0.4, 0.2])
        less_sure_when_wrong = torch.tensor([0.9, 0.4, 0.1])
        """,
        loses=[THREE_WAYS],
        hint="A 3 gets the prediction 0.1: is the model less sure now that it is a 7?",
    ),
    wrong(
        "three_ways",
        "both right predictions move",
        """
        more_right = torch.tensor([0.9, 0.4, 0.8])
        surer_when_right = torch.tensor([1.0, 0.0, 0.2])
        less_sure_when_wrong = torch.tensor([0.9, 0.4, 0.3])
        """,
        loses=[THREE_WAYS],
        hint="How many predictions may each vector change?",
    ),
    wrong(
        "three_ways",
        "more right by perfect predictions everywhere",
        """
        more_right = torch.tensor([1.0, 0.0, 1.0])
        surer_when_right = torch.tensor([0.95, 0.4, 0.2])
        less_sure_when_wrong = torch.tensor([0.9, 0.4, 0.3])
        """,
        loses=[THREE_WAYS],
        hint="How many predictions may each vector change?",
    ),
    wrong(
        "three_ways",
        "surer than any probability",
        """
        more_right = torch.tensor([0.9, 0.4, 0.8])
        surer_when_right = torch.tensor([0.9, -0.4, 0.2])
        less_sure_when_wrong = torch.tensor([0.9, 0.4, 0.3])
        """,
        loses=[THREE_WAYS],
        hint="Which range does a probability live in?",
    ),
    wrong(
        "three_ways",
        "the changed predictions alone",
        """
        more_right, surer_when_right, less_sure_when_wrong = torch.tensor([0.8, 0.1, 0.45])
        """,
        loses=[THREE_WAYS],
        hint="Each answer is a whole vector: what about the predictions that stay?",
    ),
    wrong(
        "three_ways",
        "one vector missing",
        """
        more_right = torch.tensor([0.9, 0.4, 0.8])
        surer_when_right = torch.tensor([0.9, 0.1, 0.2])
        """,
        loses=[THREE_WAYS],
        hint="Three vectors are asked for.",
    ),
    wrong(
        "hand_gradient",
        "uphill and downhill exchanged",
        "gradient = torch.tensor([1 / 3, -1 / 3, 1 / 3])",
        loses=[BY_HAND],
        hint="Raise a prediction whose target is 1: does the loss rise or fall?",
    ),
    wrong(
        "hand_gradient",
        "of the sum",
        "gradient = torch.tensor([-1.0, 1.0, -1.0])",
        loses=[BY_HAND],
        hint="By how much does the mean of three move when one of them moves?",
    ),
    wrong(
        "hand_gradient",
        "as steep as the example with two images",
        "gradient = torch.tensor([-0.5, 0.5, -0.5])",
        loses=[BY_HAND],
        hint="The example has two images; how many are there now?",
    ),
    wrong(
        "hand_gradient",
        "no signs",
        "gradient = torch.ones(3) / 3",
        loses=[BY_HAND],
        hint="Does the loss rise with every prediction?",
    ),
    wrong(
        "hand_gradient",
        "the distances",
        "gradient = torch.tensor([0.1, 0.4, 0.8])",
        loses=[BY_HAND],
        hint="That is how far off they are; how fast does the loss change?",
    ),
    wrong(
        "hand_gradient",
        "proportional to the error",
        "gradient = torch.tensor([-0.2 / 3, 0.8 / 3, -1.6 / 3])",
        loses=[BY_HAND],
        hint="That would be the slope of squares; does a distance get steeper far away?",
    ),
    wrong(
        "hand_gradient",
        "rounded too early",
        "gradient = torch.tensor([-0.33, 0.33, -0.33])",
        loses=[BY_HAND],
        hint="Keep four decimals, or write it as a fraction.",
    ),
    wrong(
        "hand_gradient",
        "0 where the answer is right",
        "gradient = torch.tensor([0, 0, -1 / 3])",
        loses=[BY_HAND],
        hint="Does the loss stand still when a prediction that is right already gets surer?",
    ),
    wrong(
        "hand_gradient",
        "one number for all three",
        "gradient = torch.tensor(-1 / 3)",
        loses=[BY_HAND],
        hint="One slope for each prediction: how many are there?",
    ),
]

WRONG_SIGMOID = [
    wrong(
        "sigmoid",
        "the formula as it stands",
        """
        def sigmoid(x):
            return 1 / (1 + torch.exp(-x))
        """,
        loses=[SLOPE],
        hint="Look at the gradient at -200: what became of exp on the way?",
    ),
    wrong(
        "sigmoid",
        "exp over 1 plus exp",
        """
        def sigmoid(x):
            return torch.exp(x) / (1 + torch.exp(x))
        """,
        loses=[SIGMOID, SLOPE],
        hint="What is infinity divided by infinity?",
    ),
    wrong(
        "sigmoid",
        "nan replaced afterwards",
        """
        def sigmoid(x):
            return torch.nan_to_num(torch.exp(x) / (1 + torch.exp(x)), nan=1.0)
        """,
        loses=[SLOPE],
        hint="The value is repaired; does the gradient still pass through the broken step?",
    ),
    wrong(
        "sigmoid",
        "where, with an overflow in the other branch",
        """
        def sigmoid(x):
            return torch.where(x >= 0, 1 / (1 + torch.exp(-x)), torch.exp(x) / (1 + torch.exp(x)))
        """,
        loses=[SLOPE],
        hint="The gradient visits both branches: what does the other one compute?",
    ),
    wrong(
        "sigmoid",
        "with a kink at 0",
        """
        def sigmoid(x):
            small = torch.exp(-x.abs())
            return torch.where(x >= 0, 1 / (1 + small), small / (1 + small))
        """,
        loses=[SLOPE],
        hint="What is the slope of |x| at 0?",
    ),
    wrong(
        "sigmoid",
        "the wrong way round",
        """
        def sigmoid(x):
            return 1 / (1 + torch.exp(x.clamp(max=80)))
        """,
        loses=[SIGMOID, SLOPE],
        hint="Should a larger score give a larger probability?",
    ),
    wrong(
        "sigmoid",
        "tanh, from -1 to 1",
        """
        def sigmoid(x):
            return torch.tanh(x)
        """,
        loses=[SIGMOID, SLOPE],
        hint="Which range does a probability live in?",
    ),
    wrong(
        "sigmoid",
        "a softmax over the batch",
        """
        def sigmoid(x):
            return torch.softmax(x, dim=0)
        """,
        loses=[SIGMOID, SLOPE],
        hint="Do two images share one probability?",
    ),
    wrong(
        "sigmoid",
        "cut off at 0 and 1",
        """
        def sigmoid(x):
            return x.clamp(0, 1)
        """,
        loses=[SIGMOID, SLOPE],
        hint="What should a score of 0 become?",
    ),
    wrong(
        "sigmoid",
        "a straight line with two corners",
        """
        def sigmoid(x):
            return torch.nn.functional.hardsigmoid(x)
        """,
        loses=[SIGMOID, SLOPE],
        hint="Right in the middle and at the ends; and at 2?",
    ),
    wrong(
        "sigmoid",
        "another curve with the same ends",
        """
        def sigmoid(x):
            return 0.5 * (1 + x / (1 + x.abs()))
        """,
        loses=[SIGMOID, SLOPE],
        hint="What should a score of 2 become?",
    ),
    wrong(
        "sigmoid",
        "with base 2",
        """
        def sigmoid(x):
            return 1 / (1 + 2 ** -x.clamp(-100, 100))
        """,
        loses=[SIGMOID, SLOPE],
        hint="Which number is raised to the power -x?",
    ),
    wrong(
        "sigmoid",
        "a step",
        """
        def sigmoid(x):
            return (x > 0).to(x.dtype)
        """,
        loses=[SIGMOID, SLOPE],
        hint="Nudge a score: does the probability move?",
    ),
    wrong(
        "sigmoid",
        "rounded to four decimals",
        """
        def sigmoid(x):
            return (torch.sigmoid(x) * 10000).round() / 10000
        """,
        loses=[SIGMOID, SLOPE],
        hint="Nudge a score by a very little: does the probability move?",
    ),
    wrong(
        "sigmoid",
        "detached",
        """
        def sigmoid(x):
            return torch.sigmoid(x.detach())
        """,
        loses=[SLOPE],
        hint="The value is right; ask now which scores it depends on.",
    ),
    wrong(
        "sigmoid",
        "by way of NumPy",
        """
        import numpy as np

        def sigmoid(x):
            with np.errstate(over="ignore"):
                return torch.tensor(1 / (1 + np.exp(-x.detach().numpy())), dtype=x.dtype)
        """,
        loses=[SLOPE],
        hint="Stay inside torch: who else could keep track of the gradient?",
    ),
    wrong(
        "sigmoid",
        "math.exp on one number",
        """
        import math

        def sigmoid(x):
            return torch.tensor(1 / (1 + math.exp(-x)))
        """,
        loses=[SIGMOID, SLOPE],
        hint="Which exp works on a whole tensor?",
    ),
    wrong(
        "sigmoid",
        "in place",
        """
        def sigmoid(x):
            return x.neg_().clamp_(max=80).exp_().add_(1).reciprocal_()
        """,
        loses=[SIGMOID, SLOPE],
        hint="Names that end in an underscore write into the tensor: whose tensor is it?",
    ),
    wrong(
        "sigmoid",
        "cast to float32",
        """
        def sigmoid(x):
            return torch.sigmoid(x.float())
        """,
        loses=[SIGMOID, SLOPE],
        hint="Give it float64 scores and print the dtype of the result.",
    ),
    wrong(
        "sigmoid",
        "scores clamped too early",
        """
        def sigmoid(x):
            return 1 / (1 + torch.exp(-x.clamp(-10, 10)))
        """,
        loses=[SIGMOID, SLOPE],
        hint="How many digits are left at -200, in float64?",
    ),
    wrong(
        "sigmoid",
        "for vectors only",
        """
        def sigmoid(x):
            return torch.stack([torch.sigmoid(score) for score in x])
        """,
        loses=[SIGMOID],
        hint="Try a single number of shape [].",
    ),
    wrong(
        "sigmoid",
        "flattened",
        """
        def sigmoid(x):
            return torch.sigmoid(x.flatten())
        """,
        loses=[SIGMOID],
        hint="Print the shapes before and after.",
    ),
    wrong(
        "sigmoid",
        "the mean probability",
        """
        def sigmoid(x):
            return torch.sigmoid(x).mean()
        """,
        loses=[SIGMOID, SLOPE],
        hint="One probability for each score: how many come back?",
    ),
    # extremes
    wrong(
        "sigmoid",
        "sure from 10 to 12",
        """
        def sigmoid(x):
            return torch.where((x > 10) & (x < 12), torch.ones_like(x), torch.sigmoid(x))
        """,
        loses=[SIGMOID, SLOPE],
        hint="Is the model certain at a large score, and less so at a larger one?",
    ),
    # sizes
    wrong(
        "sigmoid",
        "only the first eight send a gradient",
        """
        def sigmoid(x):
            y = torch.sigmoid(x)
            if x.dim() == 0:
                return y
            return torch.cat((y[:8], y[8:].detach()))
        """,
        loses=[SLOPE],
        hint="Ask the ninth score for its slope.",
    ),
]

WRONG_EPOCH = [
    wrong(
        "train_epoch",
        "uphill",
        """
        def train_epoch(weights, bias, x, y, lr):
            loss = mnist_loss(sigmoid(x @ weights + bias), y)
            loss.backward()
            with torch.no_grad():
                for parameter in (weights, bias):
                    parameter += lr * parameter.grad
                    parameter.grad = None
            return loss.item()
        """,
        loses=EPOCH,
        hint="Where does the gradient point to, uphill or downhill?",
    ),
    wrong(
        "train_epoch",
        "old gradients are never cleared",
        """
        def train_epoch(weights, bias, x, y, lr):
            loss = mnist_loss(sigmoid(x @ weights + bias), y)
            loss.backward()
            with torch.no_grad():
                weights -= lr * weights.grad
                bias -= lr * bias.grad
            return loss.item()
        """,
        loses=[STEP],
        hint="backward adds to what is in .grad already: what is in there the second time?",
    ),
    wrong(
        "train_epoch",
        "only the gradient of the weights is cleared",
        """
        def train_epoch(weights, bias, x, y, lr):
            loss = mnist_loss(sigmoid(x @ weights + bias), y)
            loss.backward()
            with torch.no_grad():
                weights -= lr * weights.grad
                bias -= lr * bias.grad
            weights.grad.zero_()
            return loss.item()
        """,
        loses=[STEP],
        hint="There are two parameters, and each has a gradient.",
    ),
    wrong(
        "train_epoch",
        "gradients cleared between backward and the step",
        """
        def train_epoch(weights, bias, x, y, lr):
            optimizer = torch.optim.SGD([weights, bias], lr=lr)
            loss = mnist_loss(sigmoid(x @ weights + bias), y)
            loss.backward()
            optimizer.zero_grad()
            optimizer.step()
            return loss.item()
        """,
        loses=EPOCH,
        hint="No step was taken: what stood in weights.grad at that moment, and who fills it?",
    ),
    wrong(
        "train_epoch",
        "returns the loss after the step",
        """
        def train_epoch(weights, bias, x, y, lr):
            mnist_loss(sigmoid(x @ weights + bias), y).backward()
            with torch.no_grad():
                for parameter in (weights, bias):
                    parameter -= lr * parameter.grad
                    parameter.grad = None
                return mnist_loss(sigmoid(x @ weights + bias), y).item()
        """,
        loses=[STEP],
        hint="Which model does the loss that you return belong to?",
    ),
    wrong(
        "train_epoch",
        "returns a tensor",
        """
        def train_epoch(weights, bias, x, y, lr):
            loss = mnist_loss(sigmoid(x @ weights + bias), y)
            loss.backward()
            with torch.no_grad():
                for parameter in (weights, bias):
                    parameter -= lr * parameter.grad
                    parameter.grad = None
            return loss
        """,
        loses=[STEP],
        hint="Print the type of what you return.",
    ),
    wrong(
        "train_epoch",
        "returns nothing",
        """
        def train_epoch(weights, bias, x, y, lr):
            loss = mnist_loss(sigmoid(x @ weights + bias), y)
            loss.backward()
            with torch.no_grad():
                for parameter in (weights, bias):
                    parameter -= lr * parameter.grad
                    parameter.grad = None
        """,
        loses=[STEP],
        hint="What does a function without a return hand back?",
    ),
    wrong(
        "train_epoch",
        "returns the loss rounded",
        """
        def train_epoch(weights, bias, x, y, lr):
            loss = mnist_loss(sigmoid(x @ weights + bias), y)
            slopes = torch.autograd.grad(loss, (weights, bias))
            for parameter, slope in zip((weights, bias), slopes):
                parameter.data -= lr * slope
            return round(loss.item(), 2)
        """,
        loses=[STEP],
        hint="How many digits of the loss do you keep?",
    ),
    wrong(
        "train_epoch",
        "new tensors instead of the old ones",
        """
        def train_epoch(weights, bias, x, y, lr):
            loss = mnist_loss(sigmoid(x @ weights + bias), y)
            loss.backward()
            with torch.no_grad():
                new_weights = weights - lr * weights.grad
                new_bias = bias - lr * bias.grad
            weights, bias = new_weights.requires_grad_(), new_bias.requires_grad_()
            return loss.item()
        """,
        loses=EPOCH,
        hint="The caller still holds the old tensors: did they change?",
    ),
    wrong(
        "train_epoch",
        "the bias stays",
        """
        def train_epoch(weights, bias, x, y, lr):
            loss = mnist_loss(sigmoid(x @ weights + bias), y)
            loss.backward()
            weights.data -= lr * weights.grad
            weights.grad = bias.grad = None
            return loss.item()
        """,
        loses=EPOCH,
        hint="The model has two kinds of parameters.",
    ),
    wrong(
        "train_epoch",
        "its own learning rate",
        """
        def train_epoch(weights, bias, x, y, lr=1.0):
            loss = mnist_loss(sigmoid(x @ weights + bias), y)
            loss.backward()
            for parameter in (weights, bias):
                parameter.data -= 1.0 * parameter.grad
                parameter.grad = None
            return loss.item()
        """,
        loses=[STEP],
        hint="Double the learning rate: does the step double?",
    ),
    wrong(
        "train_epoch",
        "divided by N once more",
        """
        def train_epoch(weights, bias, x, y, lr):
            loss = mnist_loss(sigmoid(x @ weights + bias), y)
            loss.backward()
            for parameter in (weights, bias):
                parameter.data -= lr * parameter.grad / len(x)
                parameter.grad = None
            return loss.item()
        """,
        loses=EPOCH,
        hint="The mean is in the loss already.",
    ),
    wrong(
        "train_epoch",
        "a step for each example",
        """
        def train_epoch(weights, bias, x, y, lr):
            with torch.no_grad():
                before = mnist_loss(sigmoid(x @ weights + bias), y).item()
            for x_i, y_i in zip(x, y):
                mnist_loss(sigmoid(x_i @ weights + bias), y_i).backward()
                for parameter in (weights, bias):
                    parameter.data -= lr / len(x) * parameter.grad
                    parameter.grad = None
            return before
        """,
        loses=[STEP],
        hint="How many steps does one call take?",
    ),
    wrong(
        "train_epoch",
        "the first example only",
        """
        def train_epoch(weights, bias, x, y, lr):
            loss = mnist_loss(sigmoid(x[:1] @ weights + bias), y[:1])
            loss.backward()
            for parameter in (weights, bias):
                parameter.data -= lr * parameter.grad
                parameter.grad = None
            return loss.item()
        """,
        loses=EPOCH,
        hint="Change the last example: does the step change?",
    ),
    wrong(
        "train_epoch",
        "two steps in one call",
        """
        def train_epoch(weights, bias, x, y, lr):
            losses = []
            for _ in range(2):
                loss = mnist_loss(sigmoid(x @ weights + bias), y)
                loss.backward()
                losses.append(loss.item())
                for parameter in (weights, bias):
                    parameter.data -= lr * parameter.grad
                    parameter.grad = None
            return losses[0]
        """,
        loses=[STEP],
        hint="How many steps does one call take?",
    ),
    wrong(
        "train_epoch",
        "weights first, then the bias from the new place",
        """
        def train_epoch(weights, bias, x, y, lr):
            returned = None
            for parameter in (weights, bias):
                loss = mnist_loss(sigmoid(x @ weights + bias), y)
                returned = loss.item() if returned is None else returned
                parameter.data -= lr * torch.autograd.grad(loss, parameter)[0]
            return returned
        """,
        loses=[STEP],
        hint="Do both gradients belong to the same model?",
    ),
    wrong(
        "train_epoch",
        "the sign of the gradient",
        """
        def train_epoch(weights, bias, x, y, lr):
            loss = mnist_loss(sigmoid(x @ weights + bias), y)
            loss.backward()
            for parameter in (weights, bias):
                parameter.data -= lr * 0.1 * parameter.grad.sign()
                parameter.grad = None
            return loss.item()
        """,
        loses=[STEP],
        hint="Is a steep slope worth a longer step than a gentle one?",
    ),
    wrong(
        "train_epoch",
        "another optimizer",
        """
        def train_epoch(weights, bias, x, y, lr):
            optimizer = torch.optim.Adam([weights, bias], lr=lr / 10)
            optimizer.zero_grad()
            loss = mnist_loss(sigmoid(x @ weights + bias), y)
            loss.backward()
            optimizer.step()
            return loss.item()
        """,
        loses=[STEP],
        hint="Is your step the learning rate times the gradient?",
    ),
    wrong(
        "train_epoch",
        "long gradients cut short",
        """
        def train_epoch(weights, bias, x, y, lr):
            loss = mnist_loss(sigmoid(x @ weights + bias), y)
            loss.backward()
            torch.nn.utils.clip_grad_norm_([weights, bias], 1.0)
            for parameter in (weights, bias):
                parameter.data -= lr * parameter.grad
                parameter.grad = None
            return loss.item()
        """,
        loses=[STEP],
        hint="Scale the images up: does your step still follow the gradient?",
    ),
    wrong(
        "train_epoch",
        "weight decay",
        """
        def train_epoch(weights, bias, x, y, lr):
            optimizer = torch.optim.SGD([weights, bias], lr=lr, weight_decay=0.01)
            optimizer.zero_grad()
            loss = mnist_loss(sigmoid(x @ weights + bias), y)
            loss.backward()
            optimizer.step()
            return loss.item()
        """,
        loses=[STEP],
        hint="What else does your optimizer subtract?",
    ),
    wrong(
        "train_epoch",
        "an optimizer that is made only once",
        """
        optimizers = []

        def train_epoch(weights, bias, x, y, lr):
            if not optimizers:
                optimizers.append(torch.optim.SGD([weights, bias], lr=lr))
            loss = mnist_loss(sigmoid(x @ weights + bias), y)
            loss.backward()
            optimizers[0].step()
            optimizers[0].zero_grad()
            return loss.item()
        """,
        loses=EPOCH,
        hint="Which model, and which learning rate, does your optimizer know the second time?",
    ),
    wrong(
        "train_epoch",
        "momentum over calls",
        """
        velocity = {}

        def train_epoch(weights, bias, x, y, lr):
            loss = mnist_loss(sigmoid(x @ weights + bias), y)
            slopes = torch.autograd.grad(loss, (weights, bias))
            for parameter, slope in zip((weights, bias), slopes):
                velocity[parameter] = 0.5 * velocity.get(parameter, 0) + slope
                parameter.data -= lr * velocity[parameter]
            return loss.item()
        """,
        loses=[STEP],
        hint="Does a step depend only on where the model is?",
    ),
    wrong(
        "train_epoch",
        "no sigmoid",
        """
        def train_epoch(weights, bias, x, y, lr):
            loss = mnist_loss(x @ weights + bias, y)
            loss.backward()
            for parameter in (weights, bias):
                parameter.data -= lr * parameter.grad
                parameter.grad = None
            return loss.item()
        """,
        loses=EPOCH,
        hint="What turns raw scores into probabilities?",
    ),
    wrong(
        "train_epoch",
        "no bias in the model",
        """
        def train_epoch(weights, bias, x, y, lr):
            loss = mnist_loss(sigmoid(x @ weights), y)
            loss.backward()
            weights.data -= lr * weights.grad
            weights.grad = None
            return loss.item()
        """,
        loses=EPOCH,
        hint="What does a model without a bias say about an image that is all paper?",
    ),
    wrong(
        "train_epoch",
        "another loss",
        """
        def train_epoch(weights, bias, x, y, lr):
            logits = x @ weights + bias
            loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, y.float())
            loss.backward()
            for parameter in (weights, bias):
                parameter.data -= lr * parameter.grad
                parameter.grad = None
            return loss.item()
        """,
        loses=[STEP],
        hint="Which loss does the exercise ask for?",
    ),
    wrong(
        "train_epoch",
        "centres x in place",
        """
        def train_epoch(weights, bias, x, y, lr):
            x -= x.mean(0)
            loss = mnist_loss(sigmoid(x @ weights + bias), y)
            loss.backward()
            for parameter in (weights, bias):
                parameter.data -= lr * parameter.grad
                parameter.grad = None
            return loss.item()
        """,
        loses=EPOCH,
        hint="Does the caller's x look the same after the call?",
    ),
    wrong(
        "train_epoch",
        "sorts the data in place",
        """
        def train_epoch(weights, bias, x, y, lr):
            order = torch.randperm(len(y))
            x[:], y[:] = x[order], y[order]
            loss = mnist_loss(sigmoid(x @ weights + bias), y)
            loss.backward()
            for parameter in (weights, bias):
                parameter.data -= lr * parameter.grad
                parameter.grad = None
            return loss.item()
        """,
        loses=[STEP],
        hint="Does the caller's x look the same after the call?",
    ),
    wrong(
        "train_epoch",
        "the parameters no longer require a gradient",
        """
        def train_epoch(weights, bias, x, y, lr):
            loss = mnist_loss(sigmoid(x @ weights + bias), y)
            loss.backward()
            for parameter in (weights, bias):
                parameter.requires_grad_(False)
                parameter -= lr * parameter.grad
                parameter.grad = None
            return loss.item()
        """,
        loses=EPOCH,
        hint="Are the parameters ready for the next call?",
    ),
    wrong(
        "train_epoch",
        "the step is part of the graph",
        """
        def train_epoch(weights, bias, x, y, lr):
            loss = mnist_loss(sigmoid(x @ weights + bias), y)
            loss.backward()
            weights -= lr * weights.grad
            bias -= lr * bias.grad
            return loss.item()
        """,
        loses=EPOCH,
        hint="Should torch watch the step itself?",
    ),
    wrong(
        "train_epoch",
        "no backward",
        """
        def train_epoch(weights, bias, x, y, lr):
            loss = mnist_loss(sigmoid(x @ weights + bias), y)
            with torch.no_grad():
                weights -= lr * weights.grad
                bias -= lr * bias.grad
            return loss.item()
        """,
        loses=EPOCH,
        hint="Who fills weights.grad?",
    ),
    wrong(
        "train_epoch",
        "trains on the notebook's images, whatever comes in",
        """
        def train_epoch(weights, bias, x, y, lr):
            loss = mnist_loss(sigmoid(train_x @ weights + bias), train_y)
            loss.backward()
            for parameter in (weights, bias):
                parameter.data -= lr * parameter.grad
                parameter.grad = None
            return loss.item()
        """,
        loses=EPOCH,
        hint="Which names in your function are its own arguments?",
    ),
    # sizes
    wrong(
        "train_epoch",
        "mini-batches of 64, as the book has them",
        """
        def train_epoch(weights, bias, x, y, lr):
            first = None
            for images, labels in zip(x.split(64), y.split(64)):
                loss = mnist_loss(sigmoid(images @ weights + bias), labels)
                loss.backward()
                first = loss.item() if first is None else first
                for parameter in (weights, bias):
                    parameter.data -= lr * parameter.grad
                    parameter.grad = None
            return first
        """,
        loses=[STEP],
        hint="One step with all images is asked for: how many do you take?",
    ),
    wrong(
        "train_epoch",
        "mini-batches, and their mean loss",
        """
        def train_epoch(weights, bias, x, y, lr):
            losses = []
            for images, labels in zip(x.split(1024), y.split(1024)):
                loss = mnist_loss(sigmoid(images @ weights + bias), labels)
                losses.append(loss.item())
                loss.backward()
                with torch.no_grad():
                    for parameter in (weights, bias):
                        parameter -= lr * parameter.grad
                        parameter.grad.zero_()
            return sum(losses) / len(losses)
        """,
        loses=[STEP],
        hint="One step with all images is asked for: how many do you take?",
    ),
    wrong(
        "train_epoch",
        "the first two hundred images",
        """
        def train_epoch(weights, bias, x, y, lr):
            loss = mnist_loss(sigmoid(x[:200] @ weights + bias), y[:200])
            loss.backward()
            with torch.no_grad():
                for parameter in (weights, bias):
                    parameter -= lr * parameter.grad
                    parameter.grad = None
            return loss.item()
        """,
        loses=[STEP],
        hint="Change the last image: does the step change?",
    ),
    wrong(
        "train_epoch",
        "backward on a detached loss",
        """
        def train_epoch(weights, bias, x, y, lr):
            loss = mnist_loss(sigmoid(x @ weights + bias), y).detach().requires_grad_()
            loss.backward()
            with torch.no_grad():
                for parameter in (weights, bias):
                    if parameter.grad is not None:
                        parameter -= lr * parameter.grad
            return loss.item()
        """,
        loses=EPOCH,
        hint="No step was taken: what stood in weights.grad at that moment, and who fills it?",
    ),
]

ANSWERS = [*RIGHT, *WRONG_WHERE, *WRONG_LOSS, *WRONG_BY_HAND, *WRONG_SIGMOID, *WRONG_EPOCH]


# What tells the wrong answers apart: see proctor/grading/diagnosis.py.

PREDICTIONS = torch.tensor([0.83, 0.27, 0.64, 0.11, 0.42, 0.05, 0.71])
TARGETS = torch.tensor([1, 0, 0, 1, 0, 1, 1])
COLUMN = PREDICTIONS[:5, None].double()
SCORES = torch.tensor([-200.0, -3.1, -0.4, 0.0, 2.3, 200.0])
BATCHES = [(torch.full([size], 0.3), torch.ones(size).long()) for size in (4, 60, 300)]
MANY = torch.linspace(0.01, 0.99, 300) ** 2, (torch.arange(300) % 3 == 0).long()
PERFECT = torch.tensor([0.0, 1, 1], dtype=torch.float64)
LARGE = torch.tensor([2**53 + 1, -(2**61) - 3])
LONG = torch.arange(20) % 3 == 0, torch.arange(20.0), -torch.arange(20.0)
THIRDS = torch.tensor([1 / 3, 2 / 3], dtype=torch.float64)
ELEVEN = torch.tensor([11.0, -11.0], dtype=torch.float64)


def steps_of_train_epoch(student, examples, scale=1):
    """Three steps in a row: what each returns, and the parameters after it."""
    generator = torch.Generator().manual_seed(3)
    weights = torch.randn(4, generator=generator) / scale
    x = scale * torch.randn(examples, 4, generator=generator)
    y = (torch.arange(examples) % 3 != 1).long()
    kept = [student.keep(weights, True), student.keep(torch.tensor(0.2), True)]
    seen = []
    for lr in (0.5, 2.0, 0.1):
        returned = observe(
            lambda student, lr=lr: describe(student.train_epoch(*kept, x, y, lr)), student
        )
        parameters = [student.read(tensor) for tensor in kept]
        seen.append(
            [
                returned,
                [describe(parameter.value) for parameter in parameters],
                [describe(parameter.gradient) for parameter in parameters],
                [parameter.requires_grad for parameter in parameters],
                student.last_call.changed_inputs,
            ]
        )
    return seen


PROBES = {
    "where_by_hand": [
        call("where_by_hand", TARGETS == 1, torch.arange(7), torch.arange(7) + 10),
        call("where_by_hand", TARGETS == 1, PREDICTIONS, -PREDICTIONS),
        call("where_by_hand", TARGETS[:2] == 1, COLUMN[:2, 0], COLUMN[2:4, 0]),
        call("where_by_hand", *LONG),
        call("where_by_hand", torch.tensor([True, True]), LARGE, -LARGE),
        call("where_by_hand", TARGETS[:2] < 2, THIRDS, -THIRDS, less=THIRDS, magnified=1e9),
    ],
    "mnist_loss": [
        call("mnist_loss", PREDICTIONS, TARGETS),
        call("mnist_loss", PREDICTIONS[:4], torch.zeros(4).long()),
        call("mnist_loss", COLUMN, TARGETS[:5, None]),
        call("mnist_loss", PREDICTIONS, TARGETS.float()),
        call("mnist_loss", torch.tensor([0.0, 1.0, 0.0, 1.0]), torch.tensor([0, 1, 1, 0])),
        call("mnist_loss", PREDICTIONS, TARGETS, gradients=False),
        call("mnist_loss", PREDICTIONS[:1], TARGETS[:1], gradients=False),
        call("mnist_loss", *MANY),
        call("mnist_loss", PERFECT, PERFECT.long(), less=torch.zeros(()).double(), magnified=1e9),
        call("mnist_loss", PREDICTIONS, TARGETS, on_accelerator=True),
        loop("mnist_loss", *BATCHES[:2]),
        loop("mnist_loss", *BATCHES[::2]),
    ],
    "three_ways": [
        value("more_right"),
        value("surer_when_right"),
        value("less_sure_when_wrong"),
    ],
    "hand_gradient": [value("gradient")],
    "sigmoid": [
        call("sigmoid", SCORES),
        call("sigmoid", SCORES[1:5].reshape(2, 2).double()),
        call("sigmoid", SCORES[:0]),
        call("sigmoid", torch.tensor(1.7)),
        call("sigmoid", torch.linspace(-4, 4, 20)),
        call("sigmoid", ELEVEN, less=ELEVEN.sigmoid(), magnified=1e8),
        call("sigmoid", SCORES[1:5], on_accelerator=True),
    ],
    "train_epoch": [
        functools.partial(steps_of_train_epoch, examples=6),
        functools.partial(steps_of_train_epoch, examples=1100),
        functools.partial(steps_of_train_epoch, examples=6, scale=50),
    ],
}
