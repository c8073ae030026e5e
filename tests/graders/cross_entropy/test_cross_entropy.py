"""cross_entropy(logits, targets): the mean of minus the right classes' log-probabilities.

Where the student's own `log_softmax` is wrong, a cross_entropy is right that picks from it what the
labels point at, as long as there is something to pick: the table has the logits' shape, the numbers
of each row differ, and every logit moves its own number in another way than its neighbours. A table
of zeros would make any answer right. Where there is nothing, or an error, another table stands in
for it.
"""

import functools
import re

import torch

from proctor.authoring import (
    StandIn,
    Student,
    assert_agrees,
    assert_close,
    assert_dtype,
    assert_inputs_unchanged,
    assert_no_host_copies,
    assert_no_loop,
    assert_right_gradient_on_device,
    assert_right_on_device,
    grades,
    gradient_of,
    sizes,
    tolerance,
    two_sizes,
    whole_number,
)

FLOATS = (torch.float32, torch.float64)

# What tells whether there is something to pick from a log_softmax, and by how much it has to.
TELLING_LOGITS = torch.tensor(
    [[0.3, -0.9, 1.4, 0.7], [1.1, 0.2, -0.5, -1.3], [-0.4, 0.9, 0.1, 1.6], [-1.2, 0.5, 1.9, -0.1]]
)
TELLING = 1e-3
MODERATE = 10  # logits
FEWEST_NUMBERS = 40  # of a table, that chance decides nothing
TELLING_SHARE = 0.2

MAIN = "test_cross_entropy_is_the_mean_penalty"
SLOPES = "test_cross_entropy_answers_to_each_logit"
OF_LOG_SOFTMAX = (
    "test_log_softmax_of_a_batch",
    "test_log_softmax_at_the_extremes",
    "test_log_softmax_keeps_the_dtype",
    "test_log_softmax_leaves_its_input_alone",
)

# The functions of torch that are the whole answer, but not the student's own of the same name.
READY_MADE = re.compile(
    r"\.\s*(cross_entropy|log_softmax)\b"
    r"|\b(CrossEntropyLoss|LogSoftmax)\b"
    r"|\bimport\b.*\b(cross_entropy|log_softmax)\b"
)
COMMENT = re.compile(r"#.*")


def shapes(generator):
    """Examples and classes: one or many of each, in every combination that tells something."""
    one, few, dozens, hundreds = sizes(generator)
    classes = [3, 2, whole_number(generator, 4, 12), whole_number(generator, 2, 12)]
    square = whole_number(generator, 3, 6)
    return [*zip((one, few, dozens, hundreds), classes, strict=True), (square, square)]


def two_shapes(generator):
    few, many = two_sizes(generator)
    return [(few, whole_number(generator, 2, 9)), (many, whole_number(generator, 3, 12))]


def batch(generator, examples, classes, dtype=torch.float32):
    """Logits between -4 and 4, the last row like the first, and targets without the last class."""
    logits = 8 * torch.rand(examples, classes, generator=generator, dtype=dtype) - 4
    logits[-1] = logits[0]
    return logits, torch.randint(max(1, classes - 1), (examples,), generator=generator)


def extreme_batches(generator, dtype):
    """As sure as can be, right and wrong, rows that lie far apart as a whole, and many classes."""
    ends = torch.tensor([[0, 1], [1, -1], [-1, 1], [0, 0], [-1, 0]], dtype=dtype)
    yield ends * whole_number(generator, 150, 200), torch.tensor([0, 0, 0, 1, 0])
    far = torch.tensor([[1000, 1001, 999], [-1000, -1002, -1000], [0, 3, 1], [500, 300, 498]])
    apart = torch.rand(4, 3, generator=generator, dtype=dtype)
    yield far.to(dtype) + apart, torch.tensor([1, 1, 0, 2])
    yield batch(generator, whole_number(generator, 2, 9), whole_number(generator, 101, 1000), dtype)


class RightPenalty:
    """From the logits alone."""

    def value(self, logits, targets):
        logits = logits.double()
        rights = logits.gather(1, targets[:, None]).squeeze(1)
        return (logits.logsumexp(dim=1) - rights).mean()

    def slopes(self, logits, targets):
        """What the model believes minus what is true, shared among the examples."""
        truth = torch.nn.functional.one_hot(targets, logits.shape[1])
        return (logits.detach().double().softmax(dim=1) - truth) / len(targets)

    def dtype(self, logits):
        return logits.dtype

    def changes(self, logits):
        return []

    def assert_value(self, loss, logits, targets):
        assert_close("cross_entropy", loss, self.value(logits, targets), logits)

    def assert_slopes(self, gradient, logits, targets):
        assert_close("the gradient", gradient, self.slopes(logits, targets), logits)


class OwnPenalty:
    """From the student's own log_softmax, which has to be a table of different numbers."""

    names = "`log_softmax`"

    def __init__(self, student: Student):
        self.student = student

    @functools.cached_property
    def is_telling(self):
        """Whether the numbers of each row differ, and each logit moves its own in another way than
        its neighbours: for nearly all of them, as this is no place to be strict."""
        logits = TELLING_LOGITS.clone().requires_grad_()
        table = self.table(logits)
        if not (table.requires_grad and table.isfinite().all()):
            return False
        moves = torch.stack(  # [number, row, logit]
            [
                torch.autograd.grad(table[:, number].sum(), logits, retain_graph=True)[0]
                for number in range(table.shape[1])
            ]
        )
        own = moves.diagonal(dim1=0, dim2=2)
        others = ~torch.eye(table.shape[1], dtype=torch.bool)
        differ = (table[:, :, None] - table[:, None, :]).abs() > TELLING
        moved = (own[None] - moves).abs() > TELLING
        return bool(
            differ[:, others].all() and moved.transpose(0, 1)[:, others].double().mean() > 0.9
        )

    def table(self, logits):
        table = self.student.log_softmax(logits)
        assert isinstance(table, torch.Tensor), f"log_softmax should be a tensor, got {table!r}"
        assert table.shape == logits.shape, f"log_softmax should keep the shape, got {table.shape}"
        return table

    def value(self, logits, targets):
        assert self.is_telling, "log_softmax gives a table from which any pick is as good"
        tracked = logits if logits.requires_grad else logits.clone().requires_grad_()
        table = self.table(tracked)
        # Of these logits, too: a function could know the ones above, or who asks.
        assert self.tells(table, tracked), f"any pick is as good from this log_softmax: {table}"
        return -table.gather(1, targets[:, None]).mean()

    def tells(self, table, logits):
        """Whether numbers differ within rows and from row to row, and move with the logits: a share
        of them, by more than rounding, in a table of some size with moderate logits. As sure as can
        be, where all rows are the same, or by chance in a small one, a table that is wrong in an
        honest way may well stand still."""
        same = torch.equal(logits, logits[:1].expand_as(logits))
        if same or logits.abs().max() > MODERATE or table.numel() < FEWEST_NUMBERS:
            return True
        if not table.isfinite().all():
            return True
        if not table.requires_grad:
            return False
        weights = torch.randn(table.shape, generator=torch.Generator().manual_seed(0))
        (moves,) = torch.autograd.grad((weights * table).sum(), logits, retain_graph=True)
        found = (table.diff(dim=1), moves, table.diff(dim=0))
        least = 5 * tolerance(logits.float())
        return all((one.abs() > least).double().mean() >= TELLING_SHARE for one in found)

    def slopes(self, logits, targets):
        tracked = logits.detach().clone().requires_grad_()
        (slopes,) = torch.autograd.grad(self.value(tracked, targets), tracked)
        return slopes

    def dtype(self, logits):
        return self.table(logits).dtype

    def changes(self, logits):
        self.table(logits)
        return self.student.last_call.changed_inputs

    def assert_value(self, loss, logits, targets):
        assert_agrees("cross_entropy", loss, self.value(logits, targets), logits)

    def assert_slopes(self, gradient, logits, targets):
        assert_agrees("the gradient", gradient, self.slopes(logits, targets), logits)


# No logarithms of shares, but below 0 as those are; and as with those, only differences of logits
# count, and a second time changes nothing.
STAND_IN = StandIn(
    {"log_softmax": "lambda logits: logits - logits.amax(dim=-1, keepdim=True) - 1"}, OwnPenalty
)


def assert_right(student, basis, logits, targets):
    basis.assert_value(student.cross_entropy(logits, targets), logits, targets)


def assert_slopes(student, basis, logits, targets):
    tracked = logits.clone().requires_grad_()
    gradient = gradient_of("cross_entropy", student.cross_entropy(tracked, targets), tracked)
    basis.assert_slopes(gradient, logits, targets)


def flag_ready_made_functions(answer_text, flag):
    """No points are lost for torch functions that are the answer, but the instructor is told."""
    for cell in ("log_softmax", "cross_entropy"):
        found = READY_MADE.search(COMMENT.sub("", answer_text(cell)))
        if found:
            name = next(filter(None, found.groups()))
            flag(f"{cell} uses torch's own {name}, which the exercise asks not to (no points lost)")


@grades(
    "cross_entropy_values",
    weight=3,
    builds_on=OF_LOG_SOFTMAX,
    hint="Take two rows that differ, with labels that do not point at the largest logit, and work"
    " out the mean of their penalties by hand: which entry of each row does your function use?",
)
def test_cross_entropy_is_the_mean_penalty(student, generator, answer_text, flag, paid_once):
    """cross_entropy is one number, the mean penalty of the right classes, for any batch."""
    flag_ready_made_functions(answer_text, flag)

    def check(basis):
        for examples, classes in shapes(generator):
            logits, targets = batch(generator, examples, classes)
            for labels in (targets, logits.argmin(dim=1)):
                assert_right(student, basis, logits, labels)

    paid_once(check, RightPenalty(), OwnPenalty(student), STAND_IN)


@grades(
    "cross_entropy_values",
    weight=2,
    requires=MAIN,
    builds_on=OF_LOG_SOFTMAX,
    after="test_cross_entropy_keeps_the_dtype",
    hint="A model that is sure and wrong by a difference of 200 should pay 200: look at every step"
    " for a probability that has become 0 or was kept from it.",
)
def test_cross_entropy_at_the_extremes(student, generator, passed, paid_once):
    """cross_entropy is right for the surest models, for logits of any size and many classes."""
    dtypes = FLOATS if passed("test_cross_entropy_keeps_the_dtype") else FLOATS[:1]  # lost once

    def check(basis):
        for dtype in dtypes:
            for logits, targets in extreme_batches(generator, dtype):
                for labels in (targets, logits.argmin(dim=1), logits.argmax(dim=1)):
                    assert_right(student, basis, logits, labels)

    paid_once(check, RightPenalty(), OwnPenalty(student), STAND_IN)


@grades(
    "cross_entropy_values",
    requires=MAIN,
    builds_on=OF_LOG_SOFTMAX,
    hint="Call your function with float64 logits and print the dtype of every step.",
)
def test_cross_entropy_keeps_the_dtype(student, generator, paid_once):
    """cross_entropy keeps float32 and float64, and all their digits."""

    def check(basis):
        for dtype in FLOATS:
            for examples, classes in two_shapes(generator):
                logits, targets = batch(generator, examples, classes, dtype)
                loss = student.cross_entropy(logits, targets)
                assert_dtype("cross_entropy", loss, basis.dtype(logits))
                basis.assert_value(loss, logits, targets)

    paid_once(check, RightPenalty(), OwnPenalty(student), STAND_IN)


@grades(
    "cross_entropy_values",
    requires=MAIN,
    builds_on=OF_LOG_SOFTMAX,
    after="test_cross_entropy_at_the_extremes",
    hint="Print logits and targets before and after a call: which line writes into them?",
)
def test_cross_entropy_leaves_its_inputs_alone(student, generator, passed, paid_once):
    """cross_entropy leaves its inputs as they were."""

    def check(basis):
        batches = [batch(generator, *shape) for shape in ((1, 3), *two_shapes(generator))]
        if passed("test_cross_entropy_at_the_extremes"):  # lost once
            batches += extreme_batches(generator, torch.float64)
        for logits, targets in batches:
            loss = student.cross_entropy(logits, targets)
            facts = student.last_call
            allowed = basis.changes(logits)
            facts.changed_inputs = [n for n in facts.changed_inputs if n not in allowed]
            assert_inputs_unchanged("cross_entropy", facts)
            basis.assert_value(loss, logits, targets)

    paid_once(check, RightPenalty(), OwnPenalty(student), STAND_IN)


@grades(
    "cross_entropy_gradient",
    weight=3,
    builds_on=OF_LOG_SOFTMAX,
    hint="Nudge one logit, of the right class and of another one: by how much should the mean"
    " penalty move, and which way? Then look for a step where such a nudge leaves no trace.",
)
def test_cross_entropy_answers_to_each_logit(student, generator, paid_once):
    """Each logit pulls by its probability, minus 1 where the label points, shared among rows."""

    def check(basis):
        for examples, classes in shapes(generator):
            assert_slopes(student, basis, *batch(generator, examples, classes))

    paid_once(check, RightPenalty(), OwnPenalty(student), STAND_IN)


@grades(
    "cross_entropy_gradient",
    weight=2,
    requires=SLOPES,
    builds_on=OF_LOG_SOFTMAX,
    hint="A model that is sure and wrong should be told so: does one of your steps become inf"
    " there, or does it stop a number from getting too small?",
)
def test_cross_entropy_slopes_at_the_extremes(student, generator, paid_once):
    """The gradient is right for the surest models, for logits of any size and many classes."""

    def check(basis):
        for logits, targets in extreme_batches(generator, torch.float32):
            for labels in (targets, logits.argmin(dim=1)):
                assert_slopes(student, basis, logits, labels)

    paid_once(check, RightPenalty(), OwnPenalty(student), STAND_IN)


@grades(
    "cross_entropy_gradient",
    requires=SLOPES,
    builds_on=OF_LOG_SOFTMAX,
    hint="Call backward with float64 logits and print the dtype of every step: does one of them"
    " turn to float32?",
)
def test_cross_entropy_slopes_in_float64(student, generator, paid_once):
    """The gradient has all digits of float64, too."""

    def check(basis):
        for examples, classes in ((whole_number(generator, 5, 7), 5), *two_shapes(generator)):
            assert_slopes(student, basis, *batch(generator, examples, classes, torch.float64))

    paid_once(check, RightPenalty(), OwnPenalty(student), STAND_IN)


@grades(
    "cross_entropy_device",
    weight=2,
    requires=MAIN,
    builds_on=OF_LOG_SOFTMAX,
    hint="Which tensors do your two functions make by themselves, and on which device do they live?"
    " Can they be made from an input, or be plain numbers?",
)
def test_cross_entropy_works_on_the_accelerator(student, generator, paid_once):
    """cross_entropy works where its inputs live, and its result stays there."""

    def check(basis):
        for shape in ((1, 3), *two_shapes(generator)):
            inputs = batch(generator, *shape)
            assert_right_on_device(student, "cross_entropy", basis.assert_value, *inputs)

    paid_once(check, RightPenalty(), OwnPenalty(student), STAND_IN)


@grades(
    "cross_entropy_device",
    requires="test_cross_entropy_works_on_the_accelerator",
    builds_on=OF_LOG_SOFTMAX,
    after=SLOPES,
    hint="The value is right there: which tensor that only the gradient needs lives on the CPU?",
)
def test_cross_entropy_gradient_on_the_accelerator(student, generator, passed, paid_once):
    """The gradient of cross_entropy does not depend on where its inputs live."""
    if not passed(SLOPES):
        return  # lost there: no gradient is right anywhere

    def check(basis):
        for shape in two_shapes(generator):
            inputs = batch(generator, *shape)
            right = basis.assert_slopes
            assert_right_gradient_on_device(student, "cross_entropy", right, *inputs)

    paid_once(check, RightPenalty(), OwnPenalty(student), STAND_IN)


@grades(
    "cross_entropy_device",
    weight=2,
    requires=MAIN,
    builds_on=OF_LOG_SOFTMAX,
    hint="Which line asks a tensor for its number, so that Python can look at it? Let torch pick"
    " the entries of all rows at once instead.",
)
def test_cross_entropy_copies_nothing_to_the_host(student, generator, paid_once):
    """cross_entropy copies nothing from the device to the host."""

    def check(basis):
        for shape in two_shapes(generator):
            inputs = batch(generator, *shape)
            loss = student.on_accelerator.cross_entropy(*inputs)
            facts = student.last_call
            basis.assert_value(loss, *inputs)
            assert_no_host_copies("cross_entropy", facts)

    paid_once(check, RightPenalty(), OwnPenalty(student), STAND_IN)


@grades(
    "cross_entropy_device",
    weight=2,
    requires=MAIN,
    builds_on=OF_LOG_SOFTMAX,
    hint="Which one torch call does for the whole batch what your loop does for one example?",
)
def test_cross_entropy_does_not_loop(student, generator, paid_once):
    """cross_entropy works on the whole batch at once, without a loop over the examples."""

    def check(basis):
        _, *counts = sizes(generator)
        classes = whole_number(generator, 3, 12)
        batches = [batch(generator, count, classes) for count in counts]
        assert_no_loop(student, "cross_entropy", basis.assert_value, *batches)

    paid_once(check, RightPenalty(), OwnPenalty(student), STAND_IN)
