"""mse, rmse and mae of (predictions, targets): losses for targets that are quantities.

Where the student's own `mse` is wrong, an rmse is right that is the root of it, as long as that
takes care: their mse is one number, exactly 0 for a perfect model and above 0 for any other, and
every error moves it. A root of something that is never 0 would need no care. Where theirs is not
like that, or raises an error, another one stands in for it.
"""

import torch

from proctor.authoring import (
    StandIn,
    Student,
    StudentError,
    assert_agrees,
    assert_close,
    assert_dtype,
    assert_inputs_unchanged,
    assert_shape,
    each,
    grades,
    gradient_of,
    gradients_of,
    sizes,
    tolerance,
    two_sizes,
    whole_number,
)

FLOATS = (torch.float32, torch.float64)
HALFWAY = 1 + 2**-24  # between two numbers of float32: who comes by there is off as far as can be
SMALL_ERROR = 0.05  # there may be rounding in it
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


def forms(generator, count, dtype=torch.float32, columns=True):
    """Batches as the notebook allows them: vectors and columns, two kinds of targets."""
    for whole in (False, True):
        predictions, targets = batch(generator, count, dtype, whole)
        targets = targets.long() if whole else targets
        yield predictions, targets
        if columns:
            yield predictions[:, None], targets[:, None]


def far_batches(generator, dtype):
    """Errors of many thousands, on both sides; and errors of everyday size of large numbers."""
    for targets in ([0, -10000, 4, 300], [2500, 2500, 2500, 2500]):
        far = torch.tensor([10000, 0, -9996, 300.5], dtype=dtype)
        yield far + whole_number(generator, 1, 500), torch.tensor(targets)
    large = 10000.0 + torch.randint(2000, (5,), generator=generator)
    errors = torch.tensor([0.5, -1.25, 2, -0.75, 1.5])[torch.randperm(5, generator=generator)]
    yield (large + errors).to(dtype), large.to(dtype)


def perfect_batches(generator, dtype):
    """Predictions that equal their targets, of either kind, in vectors and columns."""
    for count in (1, *two_sizes(generator)[1:]):
        for _, targets in forms(generator, count, dtype):
            yield targets.to(dtype).clone(), targets


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


def assert_far_value(name, loss, truth, predictions):
    """A loss of numbers so large that a share of it is rounding."""
    within = LEAST_SHARE[predictions.dtype] * truth.item()
    assert_close(name, loss, truth, predictions, within=within)


def gradient(name, function, predictions, targets):
    tracked = predictions.clone().requires_grad_()
    return gradient_of(name, function(tracked, targets), tracked)


class Loss:
    """A loss by formula, for what the checks of mse and mae have in common."""

    def __init__(self, name, value, slopes):
        self.name, self.value, self.slopes = name, value, slopes

    def results(self, student, batches):
        """Each of the batches, and its loss."""
        return zip(batches, each(getattr(student, self.name), batches), strict=True)

    def assert_values(self, student, batches):
        for inputs, loss in self.results(student, batches):
            assert_close(self.name, loss, self.value(*inputs), inputs[0])

    def assert_slopes(self, student, batches):
        tracked = [(predictions.clone().requires_grad_(), to) for predictions, to in batches]
        losses = [loss for _, loss in self.results(student, tracked)]
        found = gradients_of(self.name, losses, [predictions for predictions, _ in tracked])
        for inputs, slopes in zip(batches, found, strict=True):
            assert_close("the gradient", slopes, self.slopes(*inputs), inputs[0])

    def assert_main(self, student, generator):
        counts = enumerate((4, *sizes(generator)))
        batches = [batch(generator, count, whole=place % 2 == 0) for place, count in counts]
        self.assert_values(student, batches)

    def assert_from_perfect_to_far_off(self, student, generator, dtypes):
        for dtype in dtypes:
            for inputs, loss in self.results(student, list(far_batches(generator, dtype))):
                assert_far_value(self.name, loss, self.value(*inputs), inputs[0])
            predictions, targets = batch(generator, whole_number(generator, 1, 9), dtype)
            errors = predictions - targets
            near = [(targets + small * errors, targets) for small in (0.01, 1e-4)]
            self.assert_values(student, [(predictions, predictions.clone()), *near])

    def assert_columns(self, student, generator):
        batches = [batch(generator, count) for count in sizes(generator)]
        columns = [tuple(one[:, None] for one in inputs) for inputs in batches]
        self.assert_values(student, columns)

    def assert_dtypes(self, student, generator, columns):
        batches = []
        for dtype in FLOATS:
            for count in two_sizes(generator):
                batches += forms(generator, count, dtype, columns)
        for inputs, loss in self.results(student, batches):
            assert_close(self.name, loss, self.value(*inputs), inputs[0])
            assert_dtype(self.name, loss, inputs[0].dtype)

    def assert_inputs_stay(self, student, generator, columns):
        batches = []
        for count in (1, *two_sizes(generator)):
            batches += forms(generator, count, columns=columns)
        for inputs, loss in self.results(student, batches):
            assert_inputs_unchanged(self.name, student.last_call)
            assert_close(self.name, loss, self.value(*inputs), inputs[0])


MSE = Loss("mse", mean_square, slopes_of_mse)
MAE = Loss("mae", mean_distance, slopes_of_mae)

# mse


@grades(
    "mse_values",
    weight=3,
    hint="Take four houses of your own, write down their errors and the squares of these, and"
    " compare with what your function does to each of them and then to all of them.",
)
def test_mse_is_the_mean_of_the_squares(student, generator):
    """mse is one number, the mean of the squared errors, for any batch."""
    MSE.assert_main(student, generator)


@grades(
    "mse_values",
    requires="test_mse_is_the_mean_of_the_squares",
    after="test_mse_keeps_the_dtype",
    hint="Try a perfect model, tiny errors, errors of many thousands, and small errors of large"
    " numbers: does one of your steps treat some of them differently?",
)
def test_mse_from_perfect_to_far_off(student, generator, passed):
    """mse is right for perfect predictions, for small errors, and for large numbers."""
    dtypes = FLOATS if passed("test_mse_keeps_the_dtype") else FLOATS[:1]  # lost once
    MSE.assert_from_perfect_to_far_off(student, generator, dtypes)


@grades(
    "mse_values",
    requires="test_mse_is_the_mean_of_the_squares",
    hint="Print the shapes of everything inside your function when both inputs are columns.",
)
def test_mse_of_columns(student, generator):
    """mse of columns, shape [N, 1], is the same single number."""
    MSE.assert_columns(student, generator)


@grades(
    "mse_values",
    requires="test_mse_is_the_mean_of_the_squares",
    after="test_mse_of_columns",
    hint="Targets may be whole numbers, int64: call your function with some, and with float64"
    " predictions, and print the dtype of every step.",
)
def test_mse_keeps_the_dtype(student, generator, passed):
    """mse keeps float32 and float64, with all their digits, for both kinds of targets."""
    MSE.assert_dtypes(student, generator, columns=passed("test_mse_of_columns"))


@grades(
    "mse_values",
    requires="test_mse_is_the_mean_of_the_squares",
    after="test_mse_of_columns",
    hint="Print predictions and targets before and after a call: which line writes into them?",
)
def test_mse_leaves_its_inputs_alone(student, generator, passed):
    """mse leaves its inputs as they were."""
    MSE.assert_inputs_stay(student, generator, columns=passed("test_mse_of_columns"))


@grades(
    "mse_gradient",
    weight=3,
    hint="Raise one prediction by a little: by how much does the mean of N squares move? Then look"
    " for a step where such a nudge leaves no trace.",
)
def test_mse_slopes(student, generator):
    """Each prediction pulls at mse in proportion to its error."""
    MSE.assert_slopes(student, [batch(generator, count) for count in sizes(generator)])


@grades(
    "mse_gradient",
    requires="test_mse_slopes",
    hint="Try backward with columns, with whole numbers as targets, and with perfect predictions:"
    " does each prediction still get one slope, and the right one?",
)
def test_mse_gradient_in_every_form(student, generator):
    """The gradient of mse is right for columns, for whole targets and for a perfect model."""
    batches = [inputs for count in two_sizes(generator) for inputs in forms(generator, count)]
    predictions, _ = batch(generator, 5)
    MSE.assert_slopes(student, [*batches, (predictions, predictions.clone())])


@grades(
    "mse_gradient",
    requires="test_mse_slopes",
    hint="Call backward with float64 predictions and print the dtype of every step: does one of"
    " them turn to float32?",
)
def test_mse_slopes_in_float64(student, generator):
    """The gradient of mse has all digits of float64, too."""
    counts = (whole_number(generator, 5, 7), *two_sizes(generator))  # 1/5 has no end in bits
    MSE.assert_slopes(student, [batch(generator, count, torch.float64) for count in counts])


# rmse

OF_MSE = (
    "test_mse_is_the_mean_of_the_squares",
    "test_mse_from_perfect_to_far_off",
    "test_mse_of_columns",
    "test_mse_keeps_the_dtype",
    "test_mse_leaves_its_inputs_alone",
    "test_mse_slopes",
    "test_mse_gradient_in_every_form",
    "test_mse_slopes_in_float64",
)
VALUE_OF_RMSE, SLOPES_OF_RMSE = "test_rmse_is_the_root_of_the_mean_square", "test_rmse_slopes"


class RightRoot:
    """By formula, give or take what a small epsilon does."""

    def assert_value(self, loss, predictions, targets):
        truth = root_mean_square(predictions, targets)
        within = allowed_by_epsilon(root_mean_square, predictions, targets)
        assert_close("rmse", loss, truth, predictions, within=within)

    def assert_far_value(self, loss, predictions, targets):
        assert_far_value("rmse", loss, root_mean_square(predictions, targets), predictions)

    def assert_next_to_nothing(self, loss, predictions, targets):
        nothing = torch.tensor(0.0)
        assert_close("rmse", loss, nothing, predictions, within=NEXT_TO_NOTHING)

    def assert_slopes(self, found, predictions, targets):
        within = allowed_by_epsilon(slopes_of_rmse, predictions, targets)
        truth = slopes_of_rmse(predictions, targets)
        assert_close("the gradient", found, truth, predictions, within=within)

    def needs_care(self):
        return True

    def dtype(self, predictions, targets):
        return predictions.dtype

    def changes(self, predictions, targets):
        return []


def allowed_by_epsilon(function, predictions, targets):
    """By how much a result may differ because of an epsilon, under the root or beside it."""
    without, with_it = (function(predictions, targets, e) for e in (0, LARGEST_EPSILON))
    return give_or_take(without, with_it, predictions)


def give_or_take(without, with_epsilon, predictions):
    effect = (without - with_epsilon).abs().nan_to_num()  # of a wrong mse there may be no root
    return effect.max().item() + LARGEST_EPSILON + tolerance(predictions)


class OwnRoot:
    """The root of the student's own mse, which has to be 0 for a perfect model and nowhere else."""

    names = "`mse`"

    def __init__(self, student: Student):
        self.student = student
        self.telling = None

    def is_telling(self):
        predictions = torch.tensor([0.5, -2, 3.25, 1], requires_grad=True)
        targets = torch.tensor([1.5, -3, 3, -1])
        loss, perfect = (
            self.student.mse(predictions, to) for to in (targets, predictions.detach())
        )
        for one in (loss, perfect):
            assert isinstance(one, torch.Tensor), f"mse should be a tensor, got {one!r}"
        if not (loss.numel() == 1 and loss.requires_grad and perfect.eq(0).all()):
            return False
        (slopes,) = torch.autograd.grad(loss.sum(), predictions)
        return bool(loss > 0.01 and slopes.abs().min() > 0.01)

    def needs_care(self):
        """Whether its root does: it works, and is 0 for a perfect model."""
        try:
            return self.is_telling()
        except (AssertionError, StudentError, RuntimeError):  # torch's: no gradient
            return False

    def square(self, predictions, targets):
        if self.telling is None:
            self.telling = self.is_telling()
        assert self.telling, "mse is not 0 for a perfect model alone, or not moved by every error"
        square = self.student.mse(predictions, targets)
        assert isinstance(square, torch.Tensor), f"mse should be a tensor, got {square!r}"
        # Here, too: a function could know the numbers above, or who asks.
        assert self.tells(square, predictions, targets), f"any root is as good of mse: {square}"
        return square

    def tells(self, square, predictions, targets):
        """Whether it is another number for errors that are twice as large, where it is finite and
        there are several, not small beside the numbers."""
        errors, largest = predictions.detach() - targets, targets.abs().max().clamp(min=1)
        if errors.numel() < 2 or errors.abs().max() < SMALL_ERROR * largest:
            return True
        if not square.isfinite().all():
            return True
        twice = self.student.mse((targets + 2 * errors).to(predictions.dtype), targets)
        if not isinstance(twice, torch.Tensor) or twice.shape != square.shape:
            return False
        return bool(((twice - square).abs() > 0.01 * square.detach().abs()).any())

    def assert_value(self, loss, predictions, targets):
        square = self.square(predictions, targets).detach().double()
        root = square.sqrt()
        within = give_or_take(root, (square + LARGEST_EPSILON).sqrt(), predictions)
        assert_agrees("rmse", loss, root, predictions, within=within)

    assert_far_value = assert_value

    def assert_next_to_nothing(self, loss, predictions, targets):
        square = self.square(predictions, targets)
        assert_shape("rmse", loss, square.shape)
        assert abs(loss.item()) <= NEXT_TO_NOTHING, f"rmse should be next to nothing, got {loss}"

    def assert_slopes(self, found, predictions, targets):
        tracked = predictions.clone().requires_grad_()
        square = self.square(tracked, targets)
        if square.eq(0).any():
            return  # a root has no slope there: for a perfect model, there is a check of its own
        expected, with_epsilon = (
            torch.autograd.grad((square.double() + e).sqrt().sum(), tracked, retain_graph=True)[0]
            for e in (0, LARGEST_EPSILON)
        )
        within = give_or_take(expected, with_epsilon, predictions)
        assert_agrees("the gradient", found, expected, predictions, within=within)

    def dtype(self, predictions, targets):
        return self.square(predictions, targets).dtype

    def changes(self, predictions, targets):
        self.square(predictions, targets)
        self.student.mse(predictions, targets)
        return self.student.last_call.changed_inputs


STAND_IN = StandIn(
    {"mse": "lambda predictions, targets: 3 * ((predictions - targets) ** 2).mean()"}, OwnRoot
)


def assert_slopes_of_rmse(student, basis, predictions, targets):
    basis.assert_slopes(gradient("rmse", student.rmse, predictions, targets), predictions, targets)


@grades(
    "rmse_values",
    weight=3,
    builds_on=OF_MSE,
    hint="Square your result for a few batches: what should come out, and what does?",
)
def test_rmse_is_the_root_of_the_mean_square(student, generator, paid_once):
    """rmse is one number, the root of the mean squared error, for any batch."""

    def check(basis):
        for place, count in enumerate((4, *sizes(generator))):
            inputs = batch(generator, count, whole=place % 2 == 0)
            basis.assert_value(student.rmse(*inputs), *inputs)

    paid_once(check, RightRoot(), OwnRoot(student), STAND_IN)


@grades(
    "rmse_values",
    weight=2,
    requires=VALUE_OF_RMSE,
    builds_on=OF_MSE,
    hint="Try a perfect model, errors of a hundredth, and errors of many thousands. If you add a"
    " number under the root, how large is its root alone?",
)
def test_rmse_from_perfect_to_far_off(student, generator, paid_once):
    """rmse is right for perfect predictions, for small errors and for large ones."""

    def check(basis):
        for dtype in FLOATS:
            for inputs in far_batches(generator, dtype):
                basis.assert_far_value(student.rmse(*inputs), *inputs)
            for count in (1, whole_number(generator, 2, 9)):
                predictions, targets = batch(generator, count, dtype)
                same = predictions, predictions.clone()
                basis.assert_next_to_nothing(student.rmse(*same), *same)
                for small in (0.01, 0.0003):
                    nearly = targets + small * (predictions - targets)
                    basis.assert_value(student.rmse(nearly, targets), nearly, targets)

    paid_once(check, RightRoot(), OwnRoot(student), STAND_IN)


@grades(
    "rmse_values",
    requires=VALUE_OF_RMSE,
    builds_on=OF_MSE,
    hint="Print the shapes of everything inside your function when both inputs are columns.",
)
def test_rmse_of_columns(student, generator, paid_once):
    """rmse of columns, shape [N, 1], is the same single number."""

    def check(basis):
        for count in sizes(generator):
            predictions, targets = (one[:, None] for one in batch(generator, count))
            basis.assert_value(student.rmse(predictions, targets), predictions, targets)

    paid_once(check, RightRoot(), OwnRoot(student), STAND_IN)


@grades(
    "rmse_values",
    requires=VALUE_OF_RMSE,
    builds_on=OF_MSE,
    after=("test_rmse_of_columns", "test_rmse_from_perfect_to_far_off"),
    hint="Targets may be whole numbers, int64: call your function with some, and with float64"
    " predictions, and print the dtype of every step.",
)
def test_rmse_keeps_the_dtype(student, generator, passed, paid_once):
    """rmse keeps float32 and float64, with all their digits, for both kinds of targets."""

    def check(basis):
        columns = passed("test_rmse_of_columns")
        all_digits = passed("test_rmse_from_perfect_to_far_off")  # or lost there
        for dtype in FLOATS:
            for count in two_sizes(generator):
                for inputs in forms(generator, count, dtype, columns):
                    loss = student.rmse(*inputs)
                    assert_dtype("rmse", loss, basis.dtype(*inputs))
                    if all_digits:
                        basis.assert_value(loss, *inputs)

    paid_once(check, RightRoot(), OwnRoot(student), STAND_IN)


@grades(
    "rmse_values",
    requires=VALUE_OF_RMSE,
    builds_on=OF_MSE,
    after="test_rmse_of_columns",
    hint="Print predictions and targets before and after a call: which line writes into them?",
)
def test_rmse_leaves_its_inputs_alone(student, generator, passed, paid_once):
    """rmse leaves its inputs as they were."""

    def check(basis):
        for count in (1, *two_sizes(generator)):
            for inputs in forms(generator, count, columns=passed("test_rmse_of_columns")):
                loss = student.rmse(*inputs)
                facts = student.last_call
                allowed = basis.changes(*inputs)
                facts.changed_inputs = [n for n in facts.changed_inputs if n not in allowed]
                assert_inputs_unchanged("rmse", facts)
                basis.assert_value(loss, *inputs)

    paid_once(check, RightRoot(), OwnRoot(student), STAND_IN)


@grades(
    "rmse_gradient",
    weight=3,
    builds_on=OF_MSE,
    hint="Raise one prediction by a little, and compare how far your loss moves with what backward"
    " says: for a batch, and for a single example.",
)
def test_rmse_slopes(student, generator, paid_once):
    """The gradient of rmse says what a nudge of each prediction does, where there are errors."""

    def check(basis):
        for count in sizes(generator):
            assert_slopes_of_rmse(student, basis, *batch(generator, count))

    paid_once(check, RightRoot(), OwnRoot(student), STAND_IN)


@grades(
    "rmse_gradient",
    requires=SLOPES_OF_RMSE,
    builds_on=OF_MSE,
    hint="Take errors of a hundredth, and float64 predictions: does what you add under the root, or"
    " a step in float32, show in the slopes?",
)
def test_rmse_slopes_of_small_errors(student, generator, paid_once):
    """The gradient of rmse is right for small errors, and has all digits of float64."""

    def check(basis):
        for dtype in FLOATS:
            for count in (*two_sizes(generator), whole_number(generator, 5, 7)):
                predictions, targets = batch(generator, count, dtype)
                nearly = targets + 0.01 * (predictions - targets)
                assert_slopes_of_rmse(student, basis, nearly, targets)
        for _ in range(6):  # the fewer, the larger are their slopes
            assert_slopes_of_rmse(student, basis, *batch(generator, 2, torch.float64))
        target = torch.zeros(1, dtype=torch.float64)
        assert_slopes_of_rmse(student, basis, target + HALFWAY**0.5, target)

    paid_once(check, RightRoot(), OwnRoot(student), STAND_IN)


@grades(
    "rmse_gradient",
    requires=SLOPES_OF_RMSE,
    builds_on=OF_MSE,
    hint="Try backward with columns, and with whole numbers as targets: does each prediction still"
    " get one slope, and the right one?",
)
def test_rmse_gradient_in_every_form(student, generator, paid_once):
    """The gradient of rmse is right for columns and for whole targets."""

    def check(basis):
        for count in two_sizes(generator):
            for inputs in forms(generator, count):
                assert_slopes_of_rmse(student, basis, *inputs)

    paid_once(check, RightRoot(), OwnRoot(student), STAND_IN)


@grades(
    "rmse_gradient",
    weight=4,
    requires=SLOPES_OF_RMSE,
    builds_on=OF_MSE,
    hint="Let the predictions equal their targets and look at every step that the gradient passes:"
    " which of them has no finite slope there, also in a branch that is not taken?",
)
def test_rmse_gradient_of_a_perfect_model(student, generator, passed, paid_once):
    """The gradient of rmse is 0 where every prediction equals its target."""

    def check(basis):
        assert basis.needs_care(), "own mse is never 0, or does not work"
        for dtype in FLOATS:
            for inputs in perfect_batches(generator, dtype):
                found = gradient("rmse", student.rmse, *inputs)
                assert_close("the gradient", found, torch.zeros(inputs[0].shape), inputs[0])

    own = OwnRoot(student)
    paid_once(check, RightRoot() if all(map(passed, OF_MSE)) else own, own, STAND_IN)


# mae


@grades(
    "mae_values",
    weight=3,
    hint="Take four houses of your own, write down how far off each prediction is, without a sign,"
    " and compare with what your function does to each of them and then to all of them.",
)
def test_mae_is_the_mean_distance(student, generator):
    """mae is one number, the mean distance, for any batch."""
    MAE.assert_main(student, generator)


@grades(
    "mae_values",
    requires="test_mae_is_the_mean_distance",
    after="test_mae_keeps_the_dtype",
    hint="Try a perfect model, errors of a hundredth, errors of many thousands, and small errors of"
    " large numbers: does one of your steps treat some of them differently?",
)
def test_mae_from_perfect_to_far_off(student, generator, passed):
    """mae is right for perfect predictions, for small errors, and for large numbers."""
    dtypes = FLOATS if passed("test_mae_keeps_the_dtype") else FLOATS[:1]  # lost once
    MAE.assert_from_perfect_to_far_off(student, generator, dtypes)


@grades(
    "mae_values",
    requires="test_mae_is_the_mean_distance",
    hint="Print the shapes of everything inside your function when both inputs are columns.",
)
def test_mae_of_columns(student, generator):
    """mae of columns, shape [N, 1], is the same single number."""
    MAE.assert_columns(student, generator)


@grades(
    "mae_values",
    requires="test_mae_is_the_mean_distance",
    after="test_mae_of_columns",
    hint="Targets may be whole numbers, int64: call your function with some, and with float64"
    " predictions, and print the dtype of every step.",
)
def test_mae_keeps_the_dtype(student, generator, passed):
    """mae keeps float32 and float64, with all their digits, for both kinds of targets."""
    MAE.assert_dtypes(student, generator, columns=passed("test_mae_of_columns"))


@grades(
    "mae_values",
    requires="test_mae_is_the_mean_distance",
    after="test_mae_of_columns",
    hint="Print predictions and targets before and after a call: which line writes into them?",
)
def test_mae_leaves_its_inputs_alone(student, generator, passed):
    """mae leaves its inputs as they were."""
    MAE.assert_inputs_stay(student, generator, columns=passed("test_mae_of_columns"))


@grades(
    "mae_values",
    weight=2,
    requires="test_mae_is_the_mean_distance",
    after=("test_mae_of_columns", "test_mae_keeps_the_dtype"),
    hint="Raise one prediction by a little: how far does the mean of N distances move, and which"
    " way? For columns and whole targets, too. Then look for a step where such a nudge leaves no"
    " trace.",
)
def test_mae_slopes(student, generator, passed):
    """Each prediction pulls at mae by the same share, towards its target, in every form."""
    dtypes = FLOATS if passed("test_mae_keeps_the_dtype") else FLOATS[:1]  # lost once
    batches = []
    for dtype in dtypes:
        for count in two_sizes(generator):
            batches += forms(generator, count, dtype, columns=passed("test_mae_of_columns"))
    MAE.assert_slopes(student, batches)
