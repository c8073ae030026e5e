"""mse, rmse and mae of (predictions, targets): losses for targets that are quantities."""

import torch

from proctor.authoring import (
    assert_close,
    assert_dtype,
    assert_inputs_unchanged,
    grades,
    gradient_of,
    tolerance,
)

FLOATS = (torch.float32, torch.float64)
HALFWAY = 1 + 2**-24  # between two numbers of float32: who comes by there is off as far as can be
LARGEST_EPSILON = 1e-8  # may stand under the root of rmse
NEXT_TO_NOTHING = 2e-4
LEAST_SHARE = {torch.float32: 1e-6, torch.float64: 1e-12}  # of a large loss, for rounding


def batch(generator, count, dtype=torch.float32, whole=False):
    """Predictions and targets, with errors of both signs and of sizes from 0.1 to 3."""
    targets = 1.5 * torch.randn(count, generator=generator, dtype=dtype)
    errors = 0.1 + 2.9 * torch.rand(count, generator=generator, dtype=dtype)
    below = torch.rand(count, generator=generator) < 0.4
    targets = targets.round() if whole else targets
    return targets + torch.where(below, -errors, errors), targets


def forms(generator, count, dtype=torch.float32):
    """Batches as the notebook allows them: vectors and columns, two kinds of targets."""
    for whole in (False, True):
        predictions, targets = batch(generator, count, dtype, whole)
        targets = targets.long() if whole else targets
        yield predictions, targets
        yield predictions[:, None], targets[:, None]


def far_batches(dtype):
    """Errors of many thousands, on both sides."""
    for targets in ([0, -10000, 4, 300], [2500, 2500, 2500, 2500]):
        yield torch.tensor([10000, 0, -9996, 300.5], dtype=dtype), torch.tensor(targets)


def errors_of(predictions, targets):
    return predictions.detach().double() - targets.double()


def mean_square(predictions, targets):
    return (errors_of(predictions, targets) ** 2).mean()


def mean_distance(predictions, targets):
    return errors_of(predictions, targets).abs().mean()


def root_mean_square(predictions, targets, epsilon=0.0):
    return (mean_square(predictions, targets) + epsilon).sqrt()


def slopes_of_mse(predictions, targets):
    return 2 * errors_of(predictions, targets) / predictions.numel()


def slopes_of_rmse(predictions, targets, epsilon=0.0):
    root = root_mean_square(predictions, targets, epsilon)
    return errors_of(predictions, targets) / (predictions.numel() * root)


def slopes_of_mae(predictions, targets):
    return errors_of(predictions, targets).sign() / predictions.numel()


def allowed_by_epsilon(function, predictions, targets):
    """By how much a result may differ because of an epsilon, under the root or beside it."""
    effect = function(predictions, targets) - function(predictions, targets, LARGEST_EPSILON)
    return effect.abs().max().item() + LARGEST_EPSILON + tolerance(predictions)


def assert_far_values(name, function, expected):
    for dtype in FLOATS:
        for predictions, targets in far_batches(dtype):
            loss, truth = function(predictions, targets), expected(predictions, targets)
            within = LEAST_SHARE[dtype] * truth.item()
            assert_close(name, loss, truth, predictions, within=within)


def gradient(name, function, predictions, targets):
    tracked = predictions.clone().requires_grad_()
    return gradient_of(name, function(tracked, targets), tracked)


def assert_rmse(student, predictions, targets):
    loss, truth = student.rmse(predictions, targets), root_mean_square(predictions, targets)
    within = allowed_by_epsilon(root_mean_square, predictions, targets)
    assert_close("rmse", loss, truth, predictions, within=within)


def assert_slopes_of_rmse(student, predictions, targets):
    found = gradient("rmse", student.rmse, predictions, targets)
    within = allowed_by_epsilon(slopes_of_rmse, predictions, targets)
    truth = slopes_of_rmse(predictions, targets)
    assert_close("the gradient", found, truth, predictions, within=within)


# mse


@grades(
    "mse_values",
    weight=3,
    hint="Take four houses of your own, write down their errors and the squares of these, and"
    " compare with what your function does to each of them and then to all of them.",
)
def test_mse_is_the_mean_of_the_squares(student, generator):
    """mse is one number, the mean of the squared errors, for any batch."""
    for count in (4, 1, 7, 100):
        for predictions, targets in (batch(generator, count), batch(generator, count, whole=True)):
            loss = student.mse(predictions, targets)
            assert_close("mse", loss, mean_square(predictions, targets), predictions)


@grades(
    "mse_values",
    requires="test_mse_is_the_mean_of_the_squares",
    hint="Try a perfect model, and errors of many thousands: does a step of yours treat small or"
    " large errors in a way of their own?",
)
def test_mse_from_perfect_to_far_off(student, generator):
    """mse is right for perfect predictions and for large errors."""
    assert_far_values("mse", student.mse, mean_square)
    predictions, _ = batch(generator, 5)
    perfect = student.mse(predictions, predictions.clone())
    assert_close("mse", perfect, torch.tensor(0.0), predictions)


@grades(
    "mse_values",
    requires="test_mse_is_the_mean_of_the_squares",
    hint="Print the shapes of everything inside your function when both inputs are columns.",
)
def test_mse_of_columns(student, generator):
    """mse of columns, shape [N, 1], is the same single number."""
    for count in (6, 1):
        predictions, targets = batch(generator, count)
        loss = student.mse(predictions[:, None], targets[:, None])
        assert_close("mse", loss, mean_square(predictions, targets), predictions)


@grades(
    "mse_values",
    requires="test_mse_is_the_mean_of_the_squares",
    hint="Targets may be whole numbers, int64: call your function with some, and with float64"
    " predictions, and print the dtype of every step.",
)
def test_mse_keeps_the_dtype(student, generator):
    """mse keeps float32 and float64, with all their digits, for both kinds of targets."""
    for dtype in FLOATS:
        for predictions, targets in forms(generator, 9, dtype):
            loss = student.mse(predictions, targets)
            assert_dtype("mse", loss, dtype)
            if predictions.dim() == 1:
                assert_close("mse", loss, mean_square(predictions, targets), predictions)


@grades(
    "mse_values",
    requires="test_mse_is_the_mean_of_the_squares",
    hint="Print predictions and targets before and after a call: which line writes into them?",
)
def test_mse_leaves_its_inputs_alone(student, generator):
    """mse leaves its inputs as they were."""
    for dtype in FLOATS:
        for predictions, targets in forms(generator, 6, dtype):
            student.mse(predictions, targets)
            assert_inputs_unchanged("mse", student.last_call)


@grades(
    "mse_gradient",
    weight=3,
    hint="Raise one prediction by a little: by how much does the mean of N squares move? Then look"
    " for a step where such a nudge leaves no trace.",
)
def test_mse_slopes(student, generator):
    """Each prediction pulls at mse in proportion to its error."""
    for dtype in FLOATS:
        for count in (5, 1, 8):
            predictions, targets = batch(generator, count, dtype)
            found = gradient("mse", student.mse, predictions, targets)
            assert_close("the gradient", found, slopes_of_mse(predictions, targets), predictions)


@grades(
    "mse_gradient",
    requires="test_mse_slopes",
    hint="Try backward with columns, with whole numbers as targets, and with perfect predictions:"
    " does each prediction still get one slope, and the right one?",
)
def test_mse_gradient_in_every_form(student, generator):
    """The gradient of mse is right for columns, for whole targets and for a perfect model."""
    for dtype in FLOATS:
        for predictions, targets in forms(generator, 7, dtype):
            found = gradient("mse", student.mse, predictions, targets)
            assert_close("the gradient", found, slopes_of_mse(predictions, targets), predictions)
        predictions, _ = batch(generator, 5, dtype)
        found = gradient("mse", student.mse, predictions, predictions.clone())
        assert_close("the gradient", found, torch.zeros(5), predictions)


# rmse

VALUE_OF_MSE = "test_mse_is_the_mean_of_the_squares"
SLOPES_OF_MSE = "test_mse_slopes"


@grades(
    "rmse_values",
    weight=3,
    builds_on=VALUE_OF_MSE,
    hint="Square your result for a few batches: what should come out, and what does?",
)
def test_rmse_is_the_root_of_the_mean_square(student, generator):
    """rmse is one number, the root of the mean squared error, for any batch."""
    for count in (4, 1, 7, 100):
        for predictions, targets in (batch(generator, count), batch(generator, count, whole=True)):
            assert_rmse(student, predictions, targets)


@grades(
    "rmse_values",
    weight=2,
    requires="test_rmse_is_the_root_of_the_mean_square",
    builds_on="test_mse_from_perfect_to_far_off",
    hint="Try a perfect model, errors of a hundredth, and errors of many thousands. If you add a"
    " number under the root, how large is its root alone?",
)
def test_rmse_from_perfect_to_far_off(student, generator):
    """rmse is right for perfect predictions, for small errors and for large ones."""
    assert_far_values("rmse", student.rmse, root_mean_square)
    for dtype in FLOATS:
        for count in (5, 1):
            predictions, targets = batch(generator, count, dtype)
            perfect = student.rmse(predictions, predictions.clone())
            nothing = torch.tensor(0.0)
            assert_close("rmse", perfect, nothing, predictions, within=NEXT_TO_NOTHING)
            for small in (0.01, 0.0003):
                nearly = targets + small * (predictions - targets)
                assert_rmse(student, nearly, targets)


@grades(
    "rmse_values",
    requires="test_rmse_is_the_root_of_the_mean_square",
    builds_on="test_mse_of_columns",
    hint="Print the shapes of everything inside your function when both inputs are columns.",
)
def test_rmse_of_columns(student, generator):
    """rmse of columns, shape [N, 1], is the same single number."""
    for count in (6, 1):
        predictions, targets = batch(generator, count)
        assert_rmse(student, predictions[:, None], targets[:, None])


@grades(
    "rmse_values",
    requires="test_rmse_is_the_root_of_the_mean_square",
    builds_on="test_mse_keeps_the_dtype",
    hint="Targets may be whole numbers, int64: call your function with some, and with float64"
    " predictions, and print the dtype of every step.",
)
def test_rmse_keeps_the_dtype(student, generator):
    """rmse keeps float32 and float64, with all their digits, for both kinds of targets."""
    for dtype in FLOATS:
        for predictions, targets in forms(generator, 9, dtype):
            assert_dtype("rmse", student.rmse(predictions, targets), dtype)
            if predictions.dim() == 1:
                assert_rmse(student, predictions, targets)


@grades(
    "rmse_values",
    requires="test_rmse_is_the_root_of_the_mean_square",
    builds_on="test_mse_leaves_its_inputs_alone",
    hint="Print predictions and targets before and after a call: which line writes into them?",
)
def test_rmse_leaves_its_inputs_alone(student, generator):
    """rmse leaves its inputs as they were."""
    for dtype in FLOATS:
        for predictions, targets in forms(generator, 6, dtype):
            student.rmse(predictions, targets)
            assert_inputs_unchanged("rmse", student.last_call)


@grades(
    "rmse_gradient",
    weight=3,
    builds_on=(VALUE_OF_MSE, SLOPES_OF_MSE),
    hint="Raise one prediction by a little, and compare how far your loss moves with what backward"
    " says: for large errors, for small ones, and for a single example.",
)
def test_rmse_slopes(student, generator):
    """The gradient of rmse says what a nudge of each prediction does, where there are errors."""
    for dtype in FLOATS:
        for count in (5, 1, 8):
            predictions, targets = batch(generator, count, dtype)
            assert_slopes_of_rmse(student, predictions, targets)
            assert_slopes_of_rmse(student, targets + 0.01 * (predictions - targets), targets)
    target = torch.zeros(1, dtype=torch.float64)
    assert_slopes_of_rmse(student, target + HALFWAY**0.5, target)


@grades(
    "rmse_gradient",
    requires="test_rmse_slopes",
    builds_on="test_mse_gradient_in_every_form",
    hint="Try backward with columns, and with whole numbers as targets: does each prediction still"
    " get one slope, and the right one?",
)
def test_rmse_gradient_in_every_form(student, generator):
    """The gradient of rmse is right for columns and for whole targets."""
    for dtype in FLOATS:
        for predictions, targets in forms(generator, 7, dtype):
            assert_slopes_of_rmse(student, predictions, targets)


@grades(
    "rmse_gradient",
    weight=4,
    requires="test_rmse_slopes",
    builds_on="test_mse_gradient_in_every_form",
    hint="Let the predictions equal their targets and look at every step that the gradient passes:"
    " which of them has no finite slope there, also in a branch that is not taken?",
)
def test_rmse_gradient_of_a_perfect_model(student, generator):
    """The gradient of rmse is 0 where every prediction equals its target."""
    for dtype in FLOATS:
        for count in (4, 1):
            for whole in (False, True):
                predictions, targets = batch(generator, count, dtype, whole)
                labels = targets.long() if whole else targets.clone()
                for perfect, same in ((targets, labels), (targets[:, None], labels[:, None])):
                    found = gradient("rmse", student.rmse, perfect, same)
                    assert_close("the gradient", found, torch.zeros(perfect.shape), predictions)


# mae


@grades(
    "mae_values",
    weight=3,
    hint="Take four houses of your own, write down how far off each prediction is, without a sign,"
    " and compare with what your function does to each of them and then to all of them.",
)
def test_mae_is_the_mean_distance(student, generator):
    """mae is one number, the mean distance, for any batch."""
    for count in (4, 1, 7, 100):
        for predictions, targets in (batch(generator, count), batch(generator, count, whole=True)):
            loss = student.mae(predictions, targets)
            assert_close("mae", loss, mean_distance(predictions, targets), predictions)


@grades(
    "mae_values",
    requires="test_mae_is_the_mean_distance",
    hint="Try a perfect model, errors of a hundredth, and errors of many thousands: does a step of"
    " yours treat small or large errors in a way of their own?",
)
def test_mae_from_perfect_to_far_off(student, generator):
    """mae is right for perfect predictions, for small errors and for large ones."""
    assert_far_values("mae", student.mae, mean_distance)
    predictions, targets = batch(generator, 5)
    perfect = student.mae(predictions, predictions.clone())
    assert_close("mae", perfect, torch.tensor(0.0), predictions)
    nearly = targets + 0.01 * (predictions - targets)
    assert_close("mae", student.mae(nearly, targets), mean_distance(nearly, targets), nearly)


@grades(
    "mae_values",
    requires="test_mae_is_the_mean_distance",
    hint="Print the shapes of everything inside your function when both inputs are columns.",
)
def test_mae_of_columns(student, generator):
    """mae of columns, shape [N, 1], is the same single number."""
    for count in (6, 1):
        predictions, targets = batch(generator, count)
        loss = student.mae(predictions[:, None], targets[:, None])
        assert_close("mae", loss, mean_distance(predictions, targets), predictions)


@grades(
    "mae_values",
    requires="test_mae_is_the_mean_distance",
    hint="Targets may be whole numbers, int64: call your function with some, and with float64"
    " predictions, and print the dtype of every step.",
)
def test_mae_keeps_the_dtype(student, generator):
    """mae keeps float32 and float64, with all their digits, for both kinds of targets."""
    for dtype in FLOATS:
        for predictions, targets in forms(generator, 9, dtype):
            loss = student.mae(predictions, targets)
            assert_dtype("mae", loss, dtype)
            if predictions.dim() == 1:
                assert_close("mae", loss, mean_distance(predictions, targets), predictions)


@grades(
    "mae_values",
    requires="test_mae_is_the_mean_distance",
    hint="Print predictions and targets before and after a call: which line writes into them?",
)
def test_mae_leaves_its_inputs_alone(student, generator):
    """mae leaves its inputs as they were."""
    for dtype in FLOATS:
        for predictions, targets in forms(generator, 6, dtype):
            student.mae(predictions, targets)
            assert_inputs_unchanged("mae", student.last_call)


@grades(
    "mae_values",
    weight=2,
    requires="test_mae_is_the_mean_distance",
    hint="Raise one prediction by a little: how far does the mean of N distances move, and which"
    " way? Then look for a step where such a nudge leaves no trace.",
)
def test_mae_slopes(student, generator):
    """Each prediction pulls at mae by the same share, towards its target."""
    for dtype in FLOATS:
        predictions, targets = batch(generator, 6, dtype)
        found = gradient("mae", student.mae, predictions, targets)
        assert_close("the gradient", found, slopes_of_mae(predictions, targets), predictions)
