"""Labelled answers to "Which loss for which job"."""

import torch

from proctor.authoring import call, right, value, wrong

MSE, RMSE, MAE, BCE = "mse_values", "rmse_values", "mae_values", "bce_values"
MSE_GRADIENT, RMSE_GRADIENT, BCE_GRADIENT = "mse_gradient", "rmse_gradient", "bce_gradient"
CLAIMS = "zoo_claims_check"
ALL_OF_MSE = (MSE, MSE_GRADIENT)
ALL_OF_RMSE = (RMSE, RMSE_GRADIENT)
ALL_OF_BCE = (BCE, BCE_GRADIENT)


def returns(name, expression):
    """A loss that is a single expression."""
    first = "logits" if name == "bce_with_logits" else "predictions"
    return f"def {name}({first}, targets):\n    return {expression}\n"


PENALTIES = "torch.logaddexp(torch.zeros_like(logits), logits) - targets * logits"  # of bce

RIGHT = [
    # mse
    right(
        "mse",
        "the ready-made one",
        returns("mse", "torch.nn.functional.mse_loss(predictions, targets)"),
    ),
    right(
        "mse",
        "a lambda with names of its own",
        "mse = lambda guess, truth: torch.square(guess - truth).mean()",
    ),
    right(
        "mse",
        "a module",
        """
        class MeanSquare(torch.nn.Module):
            def forward(self, predictions, targets):
                return (predictions - targets).pow(2).mean()


        mse = MeanSquare()
        """,
    ),
    right(
        "mse",
        "the sum over the number",
        returns("mse", "((targets - predictions) ** 2).sum() / targets.numel()"),
    ),
    right(
        "mse",
        "the errors times themselves, as vectors",
        """
        def mse(predictions, targets):
            errors = (predictions - targets).flatten()
            return errors @ errors / len(errors)
        """,
    ),
    right(
        "mse",
        "the spread of the errors and the square of their mean",
        """
        def mse(predictions, targets):
            errors = predictions - targets
            return errors.var(correction=0) + errors.mean() ** 2
        """,
    ),
    right(
        "mse",
        "a helper, and in place on a copy",
        """
        def squared(tensor):
            return tensor.mul(tensor)


        def mse(predictions, targets):
            errors = predictions.clone()
            errors -= targets
            return torch.mean(squared(errors))
        """,
    ),
    right(
        "mse",
        "a loop, which is slow but right",
        """
        def mse(predictions, targets):
            total = 0
            for prediction, target in zip(predictions.flatten(), targets.flatten()):
                total = total + (prediction - target) ** 2
            return total / predictions.numel()
        """,
    ),
    # rmse
    right(
        "rmse",
        "the largest epsilon allowed",
        returns("rmse", "torch.sqrt(mse(predictions, targets) + 1e-8)"),
    ),
    right(
        "rmse",
        "an epsilon in each square",
        returns("rmse", "((predictions - targets).square() + 1e-9).mean() ** 0.5"),
    ),
    right(
        "rmse",
        "a floor under the root",
        returns("rmse", "mse(predictions, targets).clamp(min=1e-8).sqrt()"),
    ),
    right(
        "rmse",
        "the smallest epsilon that there is",
        """
        def rmse(predictions, targets):
            square = mse(predictions, targets)
            return (square + torch.finfo(square.dtype).tiny).sqrt()
        """,
    ),
    right(
        "rmse",
        "torch.where on both sides of the root",
        """
        def rmse(predictions, targets):
            square = mse(predictions, targets)
            is_zero = square == 0
            return torch.where(is_zero, square, torch.where(is_zero, 1.0, square).sqrt())
        """,
    ),
    right(
        "rmse",
        "a case of its own for the perfect model",
        """
        def rmse(predictions, targets):
            square = mse(predictions, targets)
            if square == 0:
                return square
            return square.sqrt()
        """,
    ),
    right(
        "rmse",
        "the length of the vector of errors",
        returns(
            "rmse", "torch.linalg.vector_norm(predictions - targets) / predictions.numel() ** 0.5"
        ),
    ),
    right(
        "rmse",
        "a gradient that is mended on its way",
        """
        def rmse(predictions, targets):
            errors = predictions - targets
            if errors.requires_grad:
                errors.register_hook(lambda gradient: gradient.nan_to_num())
            return errors.square().mean().sqrt()
        """,
    ),
    right(
        "rmse",
        "an autograd function",
        """
        class SafeRoot(torch.autograd.Function):
            @staticmethod
            def forward(ctx, square):
                root = square.sqrt()
                ctx.save_for_backward(root)
                return root

            @staticmethod
            def backward(ctx, upstream):
                (root,) = ctx.saved_tensors
                return torch.where(root > 0, upstream / (2 * root), 0.0)


        def rmse(predictions, targets):
            return SafeRoot.apply(mse(predictions, targets))
        """,
    ),
    right(
        "rmse",
        "by way of the logarithm",
        returns("rmse", "torch.exp(torch.log(mse(predictions, targets) + 1e-12) / 2)"),
    ),
    # mae
    right(
        "mae",
        "the ready-made one",
        returns("mae", "torch.nn.functional.l1_loss(predictions, targets)"),
    ),
    right(
        "mae",
        "torch.where",
        """
        def mae(predictions, targets):
            errors = predictions - targets
            return torch.where(errors < 0, -errors, errors).mean()
        """,
    ),
    right(
        "mae",
        "the larger of two differences",
        returns("mae", "torch.maximum(predictions - targets, targets - predictions).mean()"),
    ),
    right(
        "mae",
        "two ramps",
        returns("mae", "((predictions - targets).relu() + (targets - predictions).relu()).mean()"),
    ),
    right(
        "mae",
        "the sum of the distances over their number",
        """
        def mae(guesses, truth):
            distances = abs(guesses - truth)
            return distances.sum() / distances.numel()
        """,
    ),
    right(
        "mae",
        "the other kind of length",
        returns(
            "mae",
            "torch.linalg.vector_norm((predictions - targets).flatten(), ord=1) / targets.numel()",
        ),
    ),
    right(
        "mae",
        "a module",
        """
        class MeanDistance(torch.nn.Module):
            def forward(self, predictions, targets):
                return (targets - predictions).abs().mean()


        mae = MeanDistance()
        """,
    ),
    # bce_with_logits
    right(
        "bce_with_logits",
        "the ready-made one",
        """
        import torch.nn.functional as F


        def bce_with_logits(logits, targets):
            return F.binary_cross_entropy_with_logits(logits, targets.to(logits.dtype))
        """,
    ),
    right(
        "bce_with_logits",
        "softplus of the score that speaks against the label",
        returns(
            "bce_with_logits",
            "torch.nn.functional.softplus(torch.where(targets == 1, -logits, logits)).mean()",
        ),
    ),
    right(
        "bce_with_logits",
        "logsigmoid for both classes",
        """
        def bce_with_logits(logits, targets):
            log_three = torch.nn.functional.logsigmoid(logits)
            log_seven = torch.nn.functional.logsigmoid(-logits)
            return -(targets * log_three + (1 - targets) * log_seven).mean()
        """,
    ),
    right(
        "bce_with_logits",
        "cross-entropy of the logits 0 and z",
        """
        def bce_with_logits(logits, targets):
            scores = logits.flatten()
            pairs = torch.stack([torch.zeros_like(scores), scores], dim=1)
            return torch.nn.functional.cross_entropy(pairs, targets.flatten().long())
        """,
    ),
    right(
        "bce_with_logits",
        "logsumexp of two classes",
        """
        def bce_with_logits(logits, targets):
            pairs = torch.stack([torch.zeros_like(logits), logits], dim=-1)
            return (pairs.logsumexp(dim=-1) - logits * targets).mean()
        """,
    ),
    right(
        "bce_with_logits",
        "the maximum and a small exponential",
        """
        def bce_with_logits(z, t):
            largest = torch.maximum(z, torch.zeros_like(z))
            return (largest - z * t + torch.log1p(torch.exp(-z.abs()))).mean()
        """,
    ),
    right(
        "bce_with_logits",
        "the largest exponent taken out",
        """
        def bce_with_logits(logits, targets):
            shift = (-logits).clamp(min=0).detach()
            penalties = (1 - targets) * logits + shift
            return (penalties + (torch.exp(-shift) + torch.exp(-logits - shift)).log()).mean()
        """,
    ),
    right(
        "bce_with_logits",
        "two masks and softplus",
        """
        from torch.nn.functional import softplus


        def bce_with_logits(logits, targets):
            of_threes = softplus(-logits[targets == 1]).sum()
            of_sevens = softplus(logits[targets == 0]).sum()
            return (of_threes + of_sevens) / logits.numel()
        """,
    ),
    right(
        "bce_with_logits",
        "a sign for each label",
        """
        def bce_with_logits(logits, targets):
            against = (1 - 2 * targets) * logits
            return torch.logaddexp(against, 0 * against).mean()
        """,
    ),
    right(
        "bce_with_logits",
        "torch.where before the exponential, and the sigmoid's own slope",
        """
        def bce_with_logits(logits, targets):
            scores = torch.stack([-logits / 2, logits / 2])
            return (scores.logsumexp(dim=0) + logits / 2 - targets * logits).mean()
        """,
    ),
    right(
        "bce_with_logits",
        "a module of torch",
        """
        ready_made = torch.nn.BCEWithLogitsLoss()


        def bce_with_logits(logits, targets):
            return ready_made(logits, targets.type_as(logits))
        """,
    ),
    # zoo_claims
    right(
        "zoo_claims",
        "a dict with keywords",
        """
        zoo_claims = dict(
            sigmoid_is_a_loss=False,
            loss_or_metric=False,
            smaller_number_wins=False,
            root_tames_outliers=False,
            outlier_bends_mse=True,
            wrong_label=True,
            bce_speaks_up=True,
            steepest_when_most_wrong=False,
            small_is_good=True,
        )
        """,
    ),
    right(
        "zoo_claims",
        "names of what is true",
        """
        true_ones = {"small_is_good", "bce_speaks_up", "wrong_label", "outlier_bends_mse"}
        zoo_claims = {name: name in true_ones for name in statements}
        """,
    ),
    right(
        "zoo_claims",
        "two lists, one beside the other",
        """
        judgements = [True, False, True, True, True, False, False, False, False]
        zoo_claims = dict(zip(statements, judgements))
        """,
    ),
    right(
        "zoo_claims",
        "1 and 0 by NumPy, and a note beside them",
        """
        import numpy as np

        zoo_claims = dict(zip(statements, np.array([1, 0, 1, 1, 1, 0, 0, 0, 0]) == 1))
        zoo_claims["root_tames_outliers"] = 0
        zoo_claims["small_is_good"] = 1
        zoo_claims["note"] = "a root moves no foot"
        """,
    ),
    right(
        "zoo_claims",
        "one by one, some by experiment",
        """
        zoo_claims = dict.fromkeys(statements, False)
        zoo_claims["small_is_good"] = not False
        zoo_claims["bce_speaks_up"] = 0.9975 > 100 * 0.0025
        zoo_claims["wrong_label"] = True
        ends = torch.tensor([3.0, 5.0])
        zoo_claims["outlier_bends_mse"] = bool(ends[1] > ends[0])
        """,
    ),
]

WRONG_MSE = [
    wrong(
        "mse",
        "no mean",
        returns("mse", "(predictions - targets) ** 2"),
        loses=ALL_OF_MSE,
        hint="How many numbers should a loss hand back for a whole batch?",
    ),
    wrong(
        "mse",
        "the sum of the squares",
        returns("mse", "((predictions - targets) ** 2).sum()"),
        loses=ALL_OF_MSE,
        hint="If every house is listed twice, should the loss double?",
    ),
    wrong(
        "mse",
        "the sum over a fixed 3",
        returns("mse", "((predictions - targets) ** 2).sum() / 3"),
        loses=ALL_OF_MSE,
        hint="Try a batch of another size.",
    ),
    wrong(
        "mse",
        "the sum over one less than the number",
        returns("mse", "((predictions - targets) ** 2).sum() / (predictions.numel() - 1)"),
        loses=ALL_OF_MSE,
        hint="What does your loss say for a single house?",
    ),
    wrong(
        "mse",
        "the mean over the first axis only",
        returns("mse", "((predictions - targets) ** 2).mean(0)"),
        loses=[MSE],
        hint="Give it columns: is your result a number, or a box that holds one number?",
    ),
    wrong(
        "mse",
        "the mean, kept in a box",
        returns("mse", "((predictions - targets) ** 2).mean().reshape(1)"),
        loses=[MSE],
        hint="Is your result a number, or a box that holds one number?",
    ),
    wrong(
        "mse",
        "the root of the mean, as in the notes",
        returns("mse", "((predictions - targets) ** 2).mean().sqrt()"),
        loses=ALL_OF_MSE,
        hint="If all errors are 2, what is the mean of their squares, and what do you return?",
    ),
    wrong(
        "mse",
        "half of it",
        returns("mse", "((predictions - targets) ** 2).mean() / 2"),
        loses=ALL_OF_MSE,
        hint="A factor that some books add for convenience is not part of the mean.",
    ),
    wrong(
        "mse",
        "the mean distance",
        returns("mse", "(predictions - targets).abs().mean()"),
        loses=ALL_OF_MSE,
        hint="What comes between the errors and their mean?",
    ),
    wrong(
        "mse",
        "the mean of the errors, with their signs",
        returns("mse", "(predictions - targets).mean()"),
        loses=ALL_OF_MSE,
        hint="An error above and one below cancel each other in your mean. Should they?",
    ),
    wrong(
        "mse",
        "the square of the mean error",
        returns("mse", "(predictions - targets).mean() ** 2"),
        loses=ALL_OF_MSE,
        hint="Which comes first, the square or the mean?",
    ),
    wrong(
        "mse",
        "the square of the mean distance",
        returns("mse", "(predictions - targets).abs().mean() ** 2"),
        loses=ALL_OF_MSE,
        hint="Which comes first, the square or the mean?",
    ),
    wrong(
        "mse",
        "the difference of the squares",
        returns("mse", "(predictions**2 - targets**2).mean()"),
        loses=ALL_OF_MSE,
        hint="Which is squared, the error or the two numbers it is made of?",
    ),
    wrong(
        "mse",
        "the target alone squared",
        returns("mse", "(predictions - targets**2).mean()"),
        loses=ALL_OF_MSE,
        hint="Python squares first and subtracts afterwards: where do brackets belong?",
    ),
    wrong(
        "mse",
        "the spread of the errors",
        returns("mse", "(predictions - targets).var(correction=0)"),
        loses=ALL_OF_MSE,
        hint="What does your loss say of a model that is too high by 1 for every house?",
    ),
    wrong(
        "mse",
        "the sum of predictions and targets",
        returns("mse", "((predictions + targets) ** 2).mean()"),
        loses=ALL_OF_MSE,
        hint="What is the loss of a perfect model?",
    ),
    wrong(
        "mse",
        "minus the mean of the squares",
        returns("mse", "-((predictions - targets) ** 2).mean()"),
        loses=ALL_OF_MSE,
        hint="Should a larger error make the loss larger or smaller?",
    ),
    wrong(
        "mse",
        "the largest square",
        returns("mse", "((predictions - targets) ** 2).max()"),
        loses=ALL_OF_MSE,
        hint="Should the other houses have a say, too?",
    ),
    wrong(
        "mse",
        "the median of the squares",
        returns("mse", "((predictions - targets) ** 2).median()"),
        loses=ALL_OF_MSE,
        hint="Change the worst prediction: does your loss notice?",
    ),
    wrong(
        "mse",
        "the first example only",
        returns("mse", "((predictions - targets) ** 2)[0].mean()"),
        loses=ALL_OF_MSE,
        hint="Change the last example: does your loss notice?",
    ),
    wrong(
        "mse",
        "errors relative to the target",
        returns("mse", "(((predictions - targets) / targets) ** 2).mean()"),
        loses=ALL_OF_MSE,
        hint="What if a target is 0?",
    ),
    wrong(
        "mse",
        "predictions taken for probabilities",
        returns("mse", "((predictions.clamp(0, 1) - targets) ** 2).mean()"),
        loses=ALL_OF_MSE,
        hint="These predictions are quantities: which numbers may they be?",
    ),
    wrong(
        "mse",
        "targets taken for 0 and 1",
        returns("mse", "torch.where(targets == 1, (1 - predictions) ** 2, predictions**2).mean()"),
        loses=ALL_OF_MSE,
        hint="These targets are quantities: how many different ones are there?",
    ),
    wrong(
        "mse",
        "large errors counted as plain distances",
        returns(
            "mse", "torch.nn.functional.huber_loss(predictions, targets.to(predictions.dtype)) * 2"
        ),
        loses=ALL_OF_MSE,
        hint="Is an error of 3 squared in your function, too?",
    ),
    wrong(
        "mse",
        "rounded predictions",
        returns("mse", "((predictions.round() - targets) ** 2).mean()"),
        loses=ALL_OF_MSE,
        hint="Nudge one prediction by 0.001: does your loss move?",
    ),
    wrong(
        "mse",
        "whole numbers as targets only",
        returns("mse", "((predictions - targets.long()) ** 2).mean()"),
        loses=ALL_OF_MSE,
        hint="Try a target of 2.5.",
    ),
    wrong(
        "mse",
        "a small number added for safety",
        returns("mse", "((predictions - targets) ** 2).mean() + 1e-3"),
        loses=[MSE],
        hint="What is the loss of a perfect model?",
    ),
    wrong(
        "mse",
        "a constant that looks right",
        returns("mse", "predictions.sum() * 0 + 1.75"),
        loses=ALL_OF_MSE,
        hint="The hidden tests use other numbers.",
    ),
    wrong(
        "mse",
        "a Python number",
        returns("mse", "((predictions - targets) ** 2).mean().item()"),
        loses=ALL_OF_MSE,
        hint="Can a plain Python number remember how it was computed?",
    ),
    wrong(
        "mse",
        "detached",
        returns("mse", "((predictions - targets) ** 2).mean().detach()"),
        loses=[MSE_GRADIENT],
        hint="The value is right; ask now which predictions it depends on.",
    ),
    wrong(
        "mse",
        "detached, and made a leaf again",
        returns("mse", "((predictions - targets) ** 2).mean().detach().requires_grad_()"),
        loses=[MSE_GRADIENT],
        hint="backward runs, but where does the gradient stop?",
    ),
    wrong(
        "mse",
        "one of the two factors detached",
        returns("mse", "((predictions - targets) * (predictions - targets).detach()).mean()"),
        loses=[MSE_GRADIENT],
        hint="The square moves for two reasons when an error moves: do both of them count?",
    ),
    wrong(
        "mse",
        "by way of NumPy",
        """
        import numpy as np


        def mse(predictions, targets):
            errors = predictions.detach().numpy() - targets.numpy()
            return torch.tensor(np.mean(errors**2))
        """,
        loses=ALL_OF_MSE,
        hint="Stay inside torch: who else could keep track of the gradient?",
    ),
    wrong(
        "mse",
        "a loop over Python numbers",
        """
        def mse(predictions, targets):
            pairs = list(zip(predictions.flatten().tolist(), targets.flatten().tolist()))
            return torch.tensor(sum((p - t) ** 2 for p, t in pairs) / len(pairs))
        """,
        loses=ALL_OF_MSE,
        hint="Can a list of plain numbers remember its type, and where it came from?",
    ),
    wrong(
        "mse",
        "float32 on the way",
        returns("mse", "((predictions.float() - targets.float()) ** 2).mean()"),
        loses=ALL_OF_MSE,
        hint="What becomes of float64 predictions?",
    ),
    wrong(
        "mse",
        "the result made float32",
        returns("mse", "((predictions - targets) ** 2).mean().float()"),
        loses=[MSE],
        hint="What becomes of float64 predictions?",
    ),
    wrong(
        "mse",
        "float64 whatever comes in",
        returns("mse", "((predictions.double() - targets) ** 2).mean()"),
        loses=[MSE],
        hint="What becomes of float32 predictions?",
    ),
    wrong(
        "mse",
        "written into the predictions",
        """
        def mse(predictions, targets):
            predictions -= targets
            return (predictions**2).mean()
        """,
        loses=ALL_OF_MSE,
        hint="Does the caller's tensor look the same after the call?",
    ),
    wrong(
        "mse",
        "one column made a vector, the other not",
        returns("mse", "((predictions.squeeze() - targets) ** 2).mean()"),
        loses=ALL_OF_MSE,
        hint="Print the shapes on both sides of the minus when both inputs are columns.",
    ),
    wrong(
        "mse",
        "the sum over the last axis's length",
        returns("mse", "((predictions - targets) ** 2).sum() / predictions.shape[-1]"),
        loses=ALL_OF_MSE,
        hint="How many examples are there in a column, and which of its sizes says so?",
    ),
    wrong(
        "mse",
        "predictions made the targets' type",
        returns("mse", "((predictions.to(targets.dtype) - targets) ** 2).float().mean()"),
        loses=ALL_OF_MSE,
        hint="What is left of a prediction of 2.5 beside whole numbers?",
    ),
    wrong(
        "mse",
        "prints instead of returning",
        """
        def mse(predictions, targets):
            print(((predictions - targets) ** 2).mean())
        """,
        loses=ALL_OF_MSE,
        hint="Printing shows a value to you; what does the caller get?",
    ),
    wrong(
        "mse",
        "the notebook's houses, whatever comes in",
        returns("mse", "((house_predictions - house_prices) ** 2).mean()"),
        loses=ALL_OF_MSE,
        hint="Which names in your function are its own arguments?",
    ),
    # sizes
    wrong(
        "mse",
        "the first hundred houses only",
        returns("mse", "((predictions[:100] - targets[:100]) ** 2).mean()"),
        loses=ALL_OF_MSE,
        hint="Change the last of a thousand houses: does your loss notice?",
    ),
    wrong(
        "mse",
        "only the first eight send a gradient",
        """
        def mse(predictions, targets):
            squares = (predictions - targets) ** 2
            return torch.cat((squares[:8], squares[8:].detach())).mean()
        """,
        loses=[MSE_GRADIENT],
        hint="Ask the ninth prediction for its slope.",
    ),
    # extremes
    wrong(
        "mse",
        "a floor under the mean",
        returns("mse", "((predictions - targets) ** 2).mean().clamp(min=1e-6)"),
        loses=[MSE],
        hint="What is the loss of a perfect model in float64?",
    ),
    wrong(
        "mse",
        "multiplied out",
        returns("mse", "(predictions**2 - 2 * predictions * targets + targets**2).mean()"),
        loses=[MSE],
        hint="Take prices of ten thousand with errors of 1: what is left of the squares' digits?",
    ),
]

# Five ways into the same trap: to a student they all look like the first one.
SLOPE_AT_ZERO = (
    "What is the slope of a root at exactly 0? The gradient meets it even where the result of the"
    " root is mended, replaced or added to afterwards."
)

WRONG_RMSE = [
    wrong(
        "rmse",
        "the function from the notes",
        returns("rmse", "((predictions - targets) ** 2).mean().sqrt()"),
        loses=[RMSE_GRADIENT],
        hint=SLOPE_AT_ZERO,
    ),
    wrong(
        "rmse",
        "the tiny number outside of the root",
        returns("rmse", "mse(predictions, targets).sqrt() + 1e-8"),
        loses=[RMSE_GRADIENT],
        hint=SLOPE_AT_ZERO,
    ),
    wrong(
        "rmse",
        "an epsilon that is too large",
        returns("rmse", "(mse(predictions, targets) + 1e-4).sqrt()"),
        loses=ALL_OF_RMSE,
        hint="What is the root of your epsilon alone?",
    ),
    wrong(
        "rmse",
        "an epsilon of a millionth",
        returns("rmse", "(mse(predictions, targets) + 1e-6).sqrt()"),
        loses=ALL_OF_RMSE,
        hint="What is the root of your epsilon alone?",
    ),
    wrong(
        "rmse",
        "an epsilon that float32 cannot hold",
        returns("rmse", "(mse(predictions, targets) + 1e-60).sqrt()"),
        loses=[RMSE_GRADIENT],
        hint=SLOPE_AT_ZERO,
    ),
    wrong(
        "rmse",
        "the result mended with nan_to_num",
        returns("rmse", "mse(predictions, targets).sqrt().nan_to_num()"),
        loses=[RMSE_GRADIENT],
        hint=SLOPE_AT_ZERO,
    ),
    wrong(
        "rmse",
        "torch.where after the root",
        """
        def rmse(predictions, targets):
            square = mse(predictions, targets)
            return torch.where(square > 0, square.sqrt(), 0 * square)
        """,
        loses=[RMSE_GRADIENT],
        hint=SLOPE_AT_ZERO,
    ),
    wrong(
        "rmse",
        "a new tensor for the perfect model",
        """
        def rmse(predictions, targets):
            square = mse(predictions, targets)
            if square == 0:
                return torch.zeros((), dtype=square.dtype)
            return square.sqrt()
        """,
        loses=[RMSE_GRADIENT],
        hint="A gradient of 0 is still a gradient: is your 0 connected with the predictions?",
    ),
    wrong(
        "rmse",
        "small losses cut off",
        """
        def rmse(predictions, targets):
            square = mse(predictions, targets)
            if square < 1e-3:
                return 0 * square
            return square.sqrt()
        """,
        loses=ALL_OF_RMSE,
        hint="A model with small errors is not yet perfect: what does it learn from you?",
    ),
    wrong(
        "rmse",
        "errors below a thousandth cut off",
        """
        def rmse(predictions, targets):
            square = mse(predictions, targets)
            return square.sqrt() if square > 1e-6 else 0 * square
        """,
        loses=[RMSE],
        hint="A model with tiny errors is not yet perfect: what does it learn from you?",
    ),
    wrong(
        "rmse",
        "the epsilon's root taken away again",
        returns("rmse", "(mse(predictions, targets) + 1e-6).sqrt() - 1e-3"),
        loses=ALL_OF_RMSE,
        hint="Right for a perfect model; what about one with small errors, or with large ones?",
    ),
    wrong(
        "rmse",
        "a floor of a thousandth",
        returns("rmse", "mse(predictions, targets).clamp(min=1e-3).sqrt()"),
        loses=ALL_OF_RMSE,
        hint="A model with small errors is not yet perfect: what does it learn from you?",
    ),
    wrong(
        "rmse",
        "a tiny number added to each error",
        returns("rmse", "((predictions - targets + 1e-8) ** 2).mean().sqrt()"),
        loses=[RMSE_GRADIENT],
        hint="For perfect predictions your errors are tiny, but of one sign: where do they push?",
    ),
    wrong(
        "rmse",
        "divided by its own value, detached",
        """
        def rmse(predictions, targets):
            square = mse(predictions, targets)
            return square / square.detach().sqrt().clamp(min=1e-6)
        """,
        loses=[RMSE_GRADIENT],
        hint="The value is right; compare your slopes with what a nudge does.",
    ),
    wrong(
        "rmse",
        "no root",
        returns("rmse", "mse(predictions, targets)"),
        loses=ALL_OF_RMSE,
        hint="What does the R in the name stand for?",
    ),
    wrong(
        "rmse",
        "the mean of the roots",
        returns("rmse", "((predictions - targets) ** 2 + 1e-12).sqrt().mean()"),
        loses=ALL_OF_RMSE,
        hint="What is the root of a single square? Which comes last, the root or the mean?",
    ),
    wrong(
        "rmse",
        "the root of the mean distance",
        returns("rmse", "((predictions - targets).abs().mean() + 1e-12).sqrt()"),
        loses=ALL_OF_RMSE,
        hint="Where are the squares?",
    ),
    wrong(
        "rmse",
        "the root of the sum",
        returns("rmse", "(((predictions - targets) ** 2).sum() + 1e-12).sqrt()"),
        loses=ALL_OF_RMSE,
        hint="If every house is listed twice, should the loss grow?",
    ),
    wrong(
        "rmse",
        "the root of the sum, over the number",
        returns(
            "rmse", "(((predictions - targets) ** 2).sum() + 1e-12).sqrt() / predictions.numel()"
        ),
        loses=ALL_OF_RMSE,
        hint="If every house is listed twice, should the loss shrink? What comes last?",
    ),
    wrong(
        "rmse",
        "two roots",
        returns("rmse", "((mse(predictions, targets) + 1e-12).sqrt() + 1e-12).sqrt()"),
        loses=ALL_OF_RMSE,
        hint="Square your result: is it the mean squared error?",
    ),
    wrong(
        "rmse",
        "the spread of the errors",
        returns("rmse", "(predictions - targets).std(correction=0)"),
        loses=ALL_OF_RMSE,
        hint="What does your loss say of a model that is too high by 1 for every house?",
    ),
    wrong(
        "rmse",
        "a Python number",
        returns("rmse", "(mse(predictions, targets) + 1e-12).sqrt().item()"),
        loses=ALL_OF_RMSE,
        hint="Can a plain Python number remember how it was computed?",
    ),
    wrong(
        "rmse",
        "detached, so that no nan can come",
        returns("rmse", "mse(predictions, targets).sqrt().detach()"),
        loses=[RMSE_GRADIENT],
        hint="No nan any more, but no gradient for anybody else either.",
    ),
    wrong(
        "rmse",
        "math.sqrt",
        """
        import math


        def rmse(predictions, targets):
            return torch.tensor(math.sqrt(mse(predictions, targets)))
        """,
        loses=ALL_OF_RMSE,
        hint="`math.sqrt` takes a plain number: does its result remember the type and the way?",
    ),
    wrong(
        "rmse",
        "the mean over the first axis only",
        returns("rmse", "(((predictions - targets) ** 2).mean(0) + 1e-12).sqrt()"),
        loses=[RMSE],
        hint="Give it columns: is your result a number, or a box that holds one number?",
    ),
    wrong(
        "rmse",
        "float32 on the way",
        returns("rmse", "(mse(predictions.float(), targets.float()) + 1e-12).sqrt()"),
        loses=ALL_OF_RMSE,
        hint="What becomes of float64 predictions?",
    ),
    wrong(
        "rmse",
        "an error written into the predictions",
        """
        def rmse(predictions, targets):
            errors = predictions.detach()
            errors -= targets
            return (mse(predictions, 0 * targets) + 1e-12).sqrt()
        """,
        loses=[RMSE],
        hint="Does the caller's tensor look the same after the call?",
    ),
]

WRONG_MAE = [
    wrong(
        "mae",
        "no mean",
        returns("mae", "(predictions - targets).abs()"),
        loses=[MAE],
        hint="How many numbers should a loss hand back for a whole batch?",
    ),
    wrong(
        "mae",
        "the sum of the distances",
        returns("mae", "(predictions - targets).abs().sum()"),
        loses=[MAE],
        hint="If every house is listed twice, should the loss double?",
    ),
    wrong(
        "mae",
        "the mean over the first axis only",
        returns("mae", "(predictions - targets).abs().mean(0)"),
        loses=[MAE],
        hint="Give it columns: is your result a number, or a box that holds one number?",
    ),
    wrong(
        "mae",
        "the mean of the errors, with their signs",
        returns("mae", "(predictions - targets).mean()"),
        loses=[MAE],
        hint="An error above and one below cancel each other in your mean. Should they?",
    ),
    wrong(
        "mae",
        "the sign dropped after the mean",
        returns("mae", "(predictions - targets).mean().abs()"),
        loses=[MAE],
        hint="Which comes first, the distance or the mean?",
    ),
    wrong(
        "mae",
        "squared",
        returns("mae", "mse(predictions, targets)"),
        loses=[MAE],
        hint="The A stands for absolute: nothing is squared here.",
    ),
    wrong(
        "mae",
        "the root of the mean square",
        returns("mae", "rmse(predictions, targets)"),
        loses=[MAE],
        hint="With a root after the mean, large errors still weigh more than small ones.",
    ),
    wrong(
        "mae",
        "the loss for 3s and 7s",
        returns("mae", "torch.where(targets == 1, 1 - predictions, predictions).mean()"),
        loses=[MAE],
        hint="These targets are quantities: how many different ones are there?",
    ),
    wrong(
        "mae",
        "the distance of the lengths",
        returns("mae", "(predictions.abs() - targets.abs()).abs().mean()"),
        loses=[MAE],
        hint="How far is it from -2 to 2?",
    ),
    wrong(
        "mae",
        "too low counts, too high does not",
        returns("mae", "(targets - predictions).relu().mean()"),
        loses=[MAE],
        hint="What does your loss say of a model that is always too high?",
    ),
    wrong(
        "mae",
        "the median distance",
        returns("mae", "(predictions - targets).abs().median()"),
        loses=[MAE],
        hint="Change the worst prediction: does your loss notice?",
    ),
    wrong(
        "mae",
        "the largest distance",
        returns("mae", "(predictions - targets).abs().max()"),
        loses=[MAE],
        hint="Should the other houses have a say, too?",
    ),
    wrong(
        "mae",
        "small errors squared",
        returns(
            "mae", "torch.nn.functional.smooth_l1_loss(predictions, targets.to(predictions.dtype))"
        ),
        loses=[MAE],
        hint="Is an error of 0.5 counted as 0.5?",
    ),
    wrong(
        "mae",
        "errors relative to the target",
        returns("mae", "((predictions - targets) / targets).abs().mean()"),
        loses=[MAE],
        hint="What if a target is 0?",
    ),
    wrong(
        "mae",
        "rounded predictions",
        returns("mae", "(predictions.round() - targets).abs().mean()"),
        loses=[MAE],
        hint="Nudge one prediction by 0.001: does your loss move?",
    ),
    wrong(
        "mae",
        "a Python number",
        returns("mae", "(predictions - targets).abs().mean().item()"),
        loses=[MAE],
        hint="Can a plain Python number remember how it was computed?",
    ),
    wrong(
        "mae",
        "detached",
        returns("mae", "(predictions - targets).detach().abs().mean()"),
        loses=[MAE],
        hint="The value is right; ask now which predictions it depends on.",
    ),
    wrong(
        "mae",
        "a second distance that only the gradient sees",
        """
        def mae(predictions, targets):
            distances = (predictions - targets).abs()
            return (2 * distances - distances.detach()).mean()
        """,
        loses=[MAE],
        hint="The value is right; compare your slopes with what a nudge does.",
    ),
    wrong(
        "mae",
        "float32 on the way",
        returns("mae", "(predictions.float() - targets).abs().mean()"),
        loses=[MAE],
        hint="What becomes of float64 predictions?",
    ),
    wrong(
        "mae",
        "written into the predictions",
        returns("mae", "predictions.sub_(targets).abs_().mean()"),
        loses=[MAE],
        hint="Does the caller's tensor look the same after the call?",
    ),
    wrong(
        "mae",
        "one column made a vector, the other not",
        returns("mae", "(predictions - targets.flatten()).abs().mean()"),
        loses=[MAE],
        hint="Print the shapes on both sides of the minus when both inputs are columns.",
    ),
    # sizes
    wrong(
        "mae",
        "the first hundred houses only",
        returns("mae", "(predictions[:100] - targets[:100]).abs().mean()"),
        loses=[MAE],
        hint="Change the last of a thousand houses: does your loss notice?",
    ),
    # extremes
    wrong(
        "mae",
        "a floor under each distance",
        returns("mae", "(predictions - targets).abs().clamp(min=1e-7).mean()"),
        loses=[MAE],
        hint="What is the loss of a perfect model in float64?",
    ),
    wrong(
        "mae",
        "no gradient for columns",
        """
        def mae(predictions, targets):
            loss = (predictions - targets).abs().mean()
            return loss.detach() + 0 * predictions.sum() if predictions.dim() == 2 else loss
        """,
        loses=[MAE],
        hint="Call backward with columns: does each prediction get its slope?",
    ),
    wrong(
        "mae",
        "no gradient for whole targets",
        """
        def mae(predictions, targets):
            if targets.is_floating_point():
                return (predictions - targets).abs().mean()
            return (predictions.detach() - targets).abs().mean() + 0 * predictions.sum()
        """,
        loses=[MAE],
        hint="Call backward with whole numbers as targets: does each prediction get its slope?",
    ),
]

WRONG_BCE = [
    wrong(
        "bce_with_logits",
        "no mean",
        returns(
            "bce_with_logits",
            PENALTIES,
        ),
        loses=ALL_OF_BCE,
        hint="How many numbers should a loss hand back for a whole batch?",
    ),
    wrong(
        "bce_with_logits",
        "the sum of the penalties",
        returns(
            "bce_with_logits",
            f"({PENALTIES}).sum()",
        ),
        loses=ALL_OF_BCE,
        hint="If every image is shown twice, should the loss double?",
    ),
    wrong(
        "bce_with_logits",
        "the mean over the first axis only",
        returns(
            "bce_with_logits",
            f"({PENALTIES}).mean(0)",
        ),
        loses=[BCE],
        hint="Give it columns: is your result a number, or a box that holds one number?",
    ),
    wrong(
        "bce_with_logits",
        "the labels exchanged",
        returns(
            "bce_with_logits",
            "torch.nn.functional.softplus(torch.where(targets == 1, logits, -logits)).mean()",
        ),
        loses=ALL_OF_BCE,
        hint="Should a high score be cheap or expensive for a true 3?",
    ),
    wrong(
        "bce_with_logits",
        "the minus forgotten",
        """
        def bce_with_logits(logits, targets):
            log_sigmoid = torch.nn.functional.logsigmoid
            return (targets * log_sigmoid(logits) + (1 - targets) * log_sigmoid(-logits)).mean()
        """,
        loses=ALL_OF_BCE,
        hint="Can a penalty be negative?",
    ),
    wrong(
        "bce_with_logits",
        "the logarithm of the sigmoid",
        """
        def bce_with_logits(logits, targets):
            predictions = logits.sigmoid()
            chosen = torch.where(targets == 1, predictions, 1 - predictions)
            return -chosen.log().mean()
        """,
        loses=ALL_OF_BCE,
        hint="For a score of -200 the probability has become 0 before its logarithm is taken.",
    ),
    wrong(
        "bce_with_logits",
        "the formula from the book, with both logarithms",
        """
        def bce_with_logits(logits, targets):
            p = torch.sigmoid(logits)
            return -(targets * p.log() + (1 - targets) * (1 - p).log()).mean()
        """,
        loses=ALL_OF_BCE,
        hint="0 times infinity is nan: which logarithm is infinite for a score of 200?",
    ),
    wrong(
        "bce_with_logits",
        "a tiny number added to the probabilities",
        """
        def bce_with_logits(logits, targets):
            p = torch.sigmoid(logits)
            chosen = targets * p + (1 - targets) * (1 - p)
            return -(chosen + 1e-8).log().mean()
        """,
        loses=ALL_OF_BCE,
        hint="Finite, but is it 200, and does it still tell the model which way to go?",
    ),
    wrong(
        "bce_with_logits",
        "a floor under the probabilities",
        """
        def bce_with_logits(logits, targets):
            p = torch.sigmoid(logits).clamp(1e-7, 1 - 1e-7)
            return -torch.where(targets == 1, p, 1 - p).log().mean()
        """,
        loses=ALL_OF_BCE,
        hint="Finite, but is it 200, and does it still tell the model which way to go?",
    ),
    wrong(
        "bce_with_logits",
        "the sigmoid and torch's loss for probabilities",
        returns(
            "bce_with_logits",
            "torch.nn.functional.binary_cross_entropy(logits.sigmoid(), targets.to(logits.dtype))",
        ),
        loses=ALL_OF_BCE,
        hint="This function of torch holds the logarithm up at -100 because it sees no logits.",
    ),
    wrong(
        "bce_with_logits",
        "logits clamped",
        """
        def bce_with_logits(logits, targets):
            z = logits.clamp(-30, 30)
            return (torch.log1p(torch.exp(z)) - targets * z).mean()
        """,
        loses=ALL_OF_BCE,
        hint="What does a model that is sure and wrong learn beyond your clamp?",
    ),
    wrong(
        "bce_with_logits",
        "logits clamped far out",
        """
        def bce_with_logits(logits, targets):
            z = logits.clamp(-100, 100)
            return (torch.logaddexp(torch.zeros_like(z), z) - targets * z).mean()
        """,
        loses=ALL_OF_BCE,
        hint="What does a model that is sure and wrong learn beyond your clamp?",
    ),
    wrong(
        "bce_with_logits",
        "the exponential of the whole score",
        """
        def bce_with_logits(logits, targets):
            against = torch.where(targets == 1, -logits, logits)
            return torch.log(1 + torch.exp(against)).mean()
        """,
        loses=ALL_OF_BCE,
        hint="What is exp(200) in float32?",
    ),
    wrong(
        "bce_with_logits",
        "torch.where after the exponential",
        """
        def bce_with_logits(logits, targets):
            s = torch.where(targets == 1, -logits, logits)
            small, large = torch.log1p(s.exp()), s + torch.log1p((-s).exp())
            return torch.where(s < 0, small, large).mean()
        """,
        loses=[BCE_GRADIENT],
        hint="The gradient visits the branch that was not taken, too: what does it meet there?",
    ),
    wrong(
        "bce_with_logits",
        "relu and abs, with a kink at 0",
        returns(
            "bce_with_logits",
            "(logits.relu() - targets * logits + torch.log1p(torch.exp(-logits.abs()))).mean()",
        ),
        loses=[BCE_GRADIENT],
        hint="Right except at a single score: which one, and which slope does torch pick there?",
    ),
    wrong(
        "bce_with_logits",
        "clamp and abs, with a kink at 0",
        returns(
            "bce_with_logits",
            "(logits.clamp(min=0) - targets * logits + (-logits.abs()).exp().log1p()).mean()",
        ),
        loses=[BCE_GRADIENT],
        hint="Right except at a single score: which one, and which slope does torch pick there?",
    ),
    wrong(
        "bce_with_logits",
        "straight lines alone",
        returns("bce_with_logits", "(logits.relu() - targets * logits).mean()"),
        loses=ALL_OF_BCE,
        hint="Right far away from 0; what is missing in the middle?",
    ),
    wrong(
        "bce_with_logits",
        "a sigmoid before a loss that has one",
        """
        loss_function = torch.nn.BCEWithLogitsLoss()


        def bce_with_logits(logits, targets):
            return loss_function(torch.sigmoid(logits), targets.to(logits.dtype))
        """,
        loses=ALL_OF_BCE,
        hint="Who applies the sigmoid here, you or the loss?",
    ),
    wrong(
        "bce_with_logits",
        "logits taken for probabilities",
        returns("bce_with_logits", "-torch.where(targets == 1, logits, 1 - logits).log().mean()"),
        loses=ALL_OF_BCE,
        hint="Which range do raw scores live in, and what is the logarithm of -2?",
    ),
    wrong(
        "bce_with_logits",
        "the logarithm to base 10",
        returns(
            "bce_with_logits",
            f"({PENALTIES}).mean() / 2.302585093",
        ),
        loses=ALL_OF_BCE,
        hint="Which logarithm is the inverse of exp?",
    ),
    wrong(
        "bce_with_logits",
        "the logarithm to base 2",
        returns(
            "bce_with_logits",
            f"({PENALTIES}).mean() / 0.693147181",
        ),
        loses=ALL_OF_BCE,
        hint="Which logarithm is the inverse of exp?",
    ),
    wrong(
        "bce_with_logits",
        "the 3s alone",
        returns("bce_with_logits", "-(targets * torch.nn.functional.logsigmoid(logits)).mean()"),
        loses=ALL_OF_BCE,
        hint="What does your loss say about a 7 that gets a high score?",
    ),
    wrong(
        "bce_with_logits",
        "every image taken for a 3",
        returns("bce_with_logits", "torch.nn.functional.softplus(-logits).mean()"),
        loses=ALL_OF_BCE,
        hint="Does changing a target change your loss?",
    ),
    wrong(
        "bce_with_logits",
        "the distance of the sigmoid",
        returns("bce_with_logits", "mae(logits.sigmoid(), targets)"),
        loses=ALL_OF_BCE,
        hint="That is mnist_loss; where is the logarithm?",
    ),
    wrong(
        "bce_with_logits",
        "the square of the sigmoid's distance",
        returns("bce_with_logits", "mse(logits.sigmoid(), targets)"),
        loses=ALL_OF_BCE,
        hint="Where is the logarithm?",
    ),
    wrong(
        "bce_with_logits",
        "the logarithm of the mean",
        """
        def bce_with_logits(logits, targets):
            p = logits.sigmoid()
            return -torch.where(targets == 1, p, 1 - p).mean().log()
        """,
        loses=ALL_OF_BCE,
        hint="Average of the penalties, or penalty of the average?",
    ),
    wrong(
        "bce_with_logits",
        "the average of the averages of the two classes",
        """
        def bce_with_logits(logits, targets):
            of_threes = torch.nn.functional.softplus(-logits[targets == 1]).mean()
            of_sevens = torch.nn.functional.softplus(logits[targets == 0]).mean()
            return (of_threes + of_sevens) / 2
        """,
        loses=ALL_OF_BCE,
        hint="With ten 7s and one 3, does each image still count once?",
    ),
    wrong(
        "bce_with_logits",
        "labels taken for -1 and 1",
        returns("bce_with_logits", "torch.nn.functional.softplus(-targets * logits).mean()"),
        loses=ALL_OF_BCE,
        hint="What does your formula make of a target of 0?",
    ),
    wrong(
        "bce_with_logits",
        "a hinge",
        returns("bce_with_logits", "(1 - (2 * targets - 1) * logits).relu().mean()"),
        loses=ALL_OF_BCE,
        hint="A loss with a corner and no logarithm is a different one.",
    ),
    wrong(
        "bce_with_logits",
        "softmax over the batch",
        returns(
            "bce_with_logits",
            "-(targets * torch.log_softmax(logits, dim=0)).sum() / targets.sum().clamp(min=1)",
        ),
        loses=ALL_OF_BCE,
        hint="Do the images of a batch share one probability?",
    ),
    wrong(
        "bce_with_logits",
        "whole targets refused",
        returns(
            "bce_with_logits",
            "torch.nn.functional.binary_cross_entropy_with_logits(logits, targets)",
        ),
        loses=ALL_OF_BCE,
        hint="torch wants targets of the type that the scores have; which type do these have?",
    ),
    wrong(
        "bce_with_logits",
        "a Python number",
        returns(
            "bce_with_logits",
            f"({PENALTIES}).mean().item()",
        ),
        loses=ALL_OF_BCE,
        hint="Can a plain Python number remember how it was computed?",
    ),
    wrong(
        "bce_with_logits",
        "detached",
        returns(
            "bce_with_logits",
            f"({PENALTIES}).detach().mean()",
        ),
        loses=[BCE_GRADIENT],
        hint="The value is right; ask now which scores it depends on.",
    ),
    wrong(
        "bce_with_logits",
        "one term detached",
        returns(
            "bce_with_logits",
            f"({PENALTIES.replace(', logits)', ', logits).detach()')}).mean()",
        ),
        loses=[BCE_GRADIENT],
        hint="Which part of your formula knows what the model believes, and can it say so?",
    ),
    wrong(
        "bce_with_logits",
        "under no_grad",
        """
        @torch.no_grad()
        def bce_with_logits(logits, targets):
            return torch.nn.functional.softplus((1 - 2 * targets) * logits).mean()
        """,
        loses=[BCE_GRADIENT],
        hint="The value is right; ask now which scores it depends on.",
    ),
    wrong(
        "bce_with_logits",
        "float32 on the way",
        returns(
            "bce_with_logits",
            "torch.nn.functional.binary_cross_entropy_with_logits(logits.float(), targets.float())",
        ),
        loses=ALL_OF_BCE,
        hint="What becomes of float64 scores?",
    ),
    wrong(
        "bce_with_logits",
        "written into the scores",
        """
        def bce_with_logits(logits, targets):
            with torch.no_grad():
                logits[targets == 1] *= -1
            return torch.nn.functional.softplus(logits).mean()
        """,
        loses=ALL_OF_BCE,
        hint="Does the caller's tensor look the same after the call?",
    ),
    wrong(
        "bce_with_logits",
        "one column made a vector, the other not",
        returns(
            "bce_with_logits",
            f"({PENALTIES.replace('targets', 'targets.squeeze()')}).mean()",
        ),
        loses=ALL_OF_BCE,
        hint="Print the shapes of everything when both inputs are columns.",
    ),
    wrong(
        "bce_with_logits",
        "three numbers from the table",
        returns("bce_with_logits", "logits.sum() * 0 + 0.7462"),
        loses=ALL_OF_BCE,
        hint="The hidden tests use other numbers.",
    ),
    # sizes
    wrong(
        "bce_with_logits",
        "the first hundred images only",
        """
        def bce_with_logits(logits, targets):
            logits, targets = logits[:100], targets[:100]
            return (torch.logaddexp(torch.zeros_like(logits), logits) - targets * logits).mean()
        """,
        loses=ALL_OF_BCE,
        hint="Change the last of a thousand images: does your loss notice?",
    ),
    wrong(
        "bce_with_logits",
        "only the first eight send a gradient",
        """
        def bce_with_logits(logits, targets):
            penalties = torch.logaddexp(torch.zeros_like(logits), logits) - targets * logits
            return torch.cat((penalties[:8], penalties[8:].detach())).mean()
        """,
        loses=[BCE_GRADIENT],
        hint="Ask the ninth score for its slope.",
    ),
    # extremes
    wrong(
        "bce_with_logits",
        "straight from 10 on",
        """
        def bce_with_logits(logits, targets):
            against = torch.where(targets == 1, -logits, logits)
            penalties = torch.logaddexp(torch.zeros_like(against), against)
            return torch.where(against > 10, against, penalties).mean()
        """,
        loses=ALL_OF_BCE,
        hint="How far is your straight line from the curve at a score of 10, in float64?",
    ),
]

JUDGEMENTS = {
    "small_is_good": True,
    "steepest_when_most_wrong": False,
    "bce_speaks_up": True,
    "wrong_label": True,
    "outlier_bends_mse": True,
    "root_tames_outliers": False,
    "smaller_number_wins": False,
    "loss_or_metric": False,
    "sigmoid_is_a_loss": False,
}

MISCONCEPTIONS = {
    "small_is_good": (
        "small is good by a law of nature",
        "What would an optimizer do that climbs, given minus the loss?",
    ),
    "steepest_when_most_wrong": (
        "mnist_loss is loudest where the model is most wrong",
        "How steep is the sigmoid at -6, and how steep at 0?",
    ),
    "bce_speaks_up": (
        "BCE is as quiet as mnist_loss",
        "Compare the two marks in the right half of the figure with the slopes.",
    ),
    "wrong_label": (
        "mnist_loss suffers more from a wrong label",
        "A wrong label makes a right model look sure and wrong: which loss is loud there?",
    ),
    "outlier_bends_mse": (
        "mse takes an outlier easily",
        "How hard does a house pull in mse that is eleven times as far away?",
    ),
    "root_tames_outliers": (
        "the root tames outliers",
        "Where does the lowest point of a curve go when you take the root of every height?",
    ),
    "smaller_number_wins": (
        "numbers of two losses compared",
        "Is a race of 3 miles shorter than one of 4 kilometers, because 3 is less than 4?",
    ),
    "loss_or_metric": (
        "a loss can be no metric",
        "Would somebody who buys a house understand what an `mae` in money means?",
    ),
    "sigmoid_is_a_loss": (
        "the sigmoid taken for a loss",
        "Does the sigmoid know the target?",
    ),
}

WRONG_CLAIMS = [
    *(
        wrong(
            "zoo_claims",
            name,
            f"zoo_claims = {JUDGEMENTS | {claim: not JUDGEMENTS[claim]}}",
            loses=[CLAIMS],
            hint=hint,
        )
        for claim, (name, hint) in MISCONCEPTIONS.items()
    ),
    wrong(
        "zoo_claims",
        "everything true",
        "zoo_claims = dict.fromkeys(statements, True)",
        loses=[CLAIMS],
        hint="Some of these statements are beliefs that this course has shaken.",
    ),
    wrong(
        "zoo_claims",
        "everything false",
        "zoo_claims = {name: False for name in statements}",
        loses=[CLAIMS],
        hint="Some of these statements are the point of this notebook.",
    ),
    wrong(
        "zoo_claims",
        "everything the other way round",
        f"zoo_claims = { ({name: not judgement for name, judgement in JUDGEMENTS.items()}) }",
        loses=[CLAIMS],
        hint="Read the task again: True stands for a statement that is true.",
    ),
    wrong(
        "zoo_claims",
        "words instead of truth values",
        f"zoo_claims = { ({name: str(judgement) for name, judgement in JUDGEMENTS.items()}) }",
        loses=[CLAIMS],
        hint="`'False'` in quotes is a string, not a judgement.",
    ),
    wrong(
        "zoo_claims",
        "one statement left out",
        f"zoo_claims = { ({name: j for name, j in JUDGEMENTS.items() if name != 'wrong_label'}) }",
        loses=[CLAIMS],
        hint="Nine statements, nine judgements: which one is missing?",
    ),
    wrong(
        "zoo_claims",
        "a list",
        f"zoo_claims = {list(JUDGEMENTS.values())}",
        loses=[CLAIMS],
        hint="Which judgement belongs to which statement? A dict says so by name.",
    ),
    wrong(
        "zoo_claims",
        "an empty dict",
        "zoo_claims = {}",
        loses=[CLAIMS],
        hint="No judgement yet: begin with the statement that you are surest of.",
    ),
]

ANSWERS = [*RIGHT, *WRONG_MSE, *WRONG_RMSE, *WRONG_MAE, *WRONG_BCE, *WRONG_CLAIMS]


# What tells the wrong answers apart: see proctor/grading/diagnosis.py.

TARGETS = torch.tensor([1.0, -2.5, 0.0, 3.25, 7.0])
PREDICTIONS = torch.tensor([2.2, -2.9, 0.6, 0.45, 7.3])
COLUMNS = PREDICTIONS[:3, None].double(), torch.tensor([[2], [-1], [4]])
SCORES = torch.tensor([2.1, -0.7, -1.3, 3.2, 0.0])
LABELS = torch.tensor([1, 0, 1, 0, 1])
ENDS = torch.tensor([-200.0, 200.0])
MANY = torch.linspace(-3, 5, 300), (torch.arange(300) % 7).float()
NEAR = torch.tensor([10000.5, 11000.25]), torch.tensor([10000.0, 11002.25])
ELEVEN = torch.tensor([11.0], dtype=torch.float64), torch.tensor([0])
FAR_OFF = torch.nn.functional.softplus(ELEVEN[0]).sum()
NOTHING = torch.zeros((), dtype=torch.float64)


def probes_of_distance(name):
    """Probes of a loss for quantities: a batch, columns, a single example, a perfect model."""
    return [
        call(name, PREDICTIONS, TARGETS),
        call(name, *COLUMNS),
        call(name, PREDICTIONS[:1], TARGETS[:1]),
        call(name, TARGETS + 0.01, TARGETS),
        call(name, TARGETS, TARGETS),
        call(name, PREDICTIONS, TARGETS, gradients=False),
        call(name, *MANY),
        call(name, *NEAR),
        call(name, PREDICTIONS, torch.tensor([1, -2, 0, 3, 7])),
        call(name, TARGETS.double(), TARGETS.double(), less=NOTHING, magnified=1e7),
        call(name, TARGETS + 0.0005, TARGETS, less=torch.zeros(()), magnified=1e3),
    ]


PROBES = {
    "mse": probes_of_distance("mse"),
    "rmse": probes_of_distance("rmse"),
    "mae": probes_of_distance("mae"),
    "bce_with_logits": [
        call("bce_with_logits", SCORES, LABELS),
        call("bce_with_logits", SCORES, LABELS.float()),
        call("bce_with_logits", SCORES[:4, None].double(), LABELS[:4, None]),
        call("bce_with_logits", SCORES[:1], LABELS[:1]),
        call("bce_with_logits", ENDS, torch.tensor([1, 0])),
        call("bce_with_logits", ENDS, torch.tensor([0, 1])),
        call("bce_with_logits", ENDS.double(), torch.tensor([1, 0])),
        call("bce_with_logits", 0.475 * ENDS, torch.tensor([1, 0])),
        call("bce_with_logits", MANY[0], (MANY[1] > 3).long()),
        call("bce_with_logits", *ELEVEN, less=FAR_OFF, magnified=1e7),
        call("bce_with_logits", SCORES, LABELS, gradients=False),
    ],
    "zoo_claims": [value("zoo_claims")],
}
