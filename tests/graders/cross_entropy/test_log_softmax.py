"""log_softmax(logits): the logarithms of the probabilities, row by row, at any size of logits."""

import torch

from proctor.authoring import assert_close, assert_dtype, assert_inputs_unchanged, grades

FLOATS = (torch.float32, torch.float64)


def some_logits(generator, *shape, dtype=torch.float32):
    """Raw scores between -4 and 4."""
    return 8 * torch.rand(shape, generator=generator, dtype=dtype) - 4


def log_probabilities(logits):
    return logits.double().log_softmax(dim=-1)


def extreme_batches(dtype):
    """Differences that no exponential survives, and rows that lie far apart as a whole."""
    ends = [[-200, 0, 200], [200, -200, 199], [0, 200, 0], [-200, -200, -200], [0, 1, 2]]
    far = [[1000, 1001], [-1000, -1002], [0, 3], [500, 300]]
    return torch.tensor(ends, dtype=dtype), torch.tensor(far, dtype=dtype)


@grades(
    "log_softmax_values",
    weight=3,
    hint="Take a table with more rows than columns and work one row out by hand: do its"
    " exponentials add up to 1, whatever the other rows are?",
)
def test_log_softmax_of_a_batch(student, generator):
    """log_softmax of a batch holds, in each row, the logarithms of the shares of that row."""
    for shape in ((5, 3), (1, 4), (2, 7), (3, 3), (6, 2), (40, 10)):
        logits = some_logits(generator, *shape)
        result = student.log_softmax(logits)
        assert_close("log_softmax", result, log_probabilities(logits), logits)


@grades(
    "log_softmax_values",
    requires="test_log_softmax_of_a_batch",
    hint="A single row has one dimension only: which step of yours counts on two?",
)
def test_log_softmax_of_a_row(student, generator):
    """log_softmax takes a single row, too."""
    for classes in (3, 2, 9):
        logits = some_logits(generator, classes)
        result = student.log_softmax(logits)
        assert_close("log_softmax", result, log_probabilities(logits), logits)


@grades(
    "log_softmax_values",
    weight=3,
    requires="test_log_softmax_of_a_batch",
    hint="Follow a row with 0 and 200 in it, and one that lies near 1000, through every step: which"
    " one gets too large for its type, and which one too small?",
)
def test_log_softmax_at_the_extremes(student):
    """log_softmax is right where exponentials overflow or vanish."""
    for dtype in FLOATS:
        for logits in extreme_batches(dtype):
            result = student.log_softmax(logits)
            assert_close("log_softmax", result, log_probabilities(logits), logits)


@grades(
    "log_softmax_values",
    requires="test_log_softmax_of_a_batch",
    hint="Give your function float64 logits and print the dtype of every step.",
)
def test_log_softmax_keeps_the_dtype(student, generator):
    """log_softmax keeps float32 and float64, and all their digits."""
    for dtype in FLOATS:
        logits = some_logits(generator, 6, 4, dtype=dtype)
        result = student.log_softmax(logits)
        assert_dtype("log_softmax", result, dtype)
        assert_close("log_softmax", result, log_probabilities(logits), logits)


@grades(
    "log_softmax_values",
    requires="test_log_softmax_of_a_batch",
    hint="Print the logits before and after a call: which line writes into them?",
)
def test_log_softmax_leaves_its_input_alone(student, generator):
    """log_softmax leaves the logits it was given as they were."""
    for dtype in FLOATS:
        for logits in (some_logits(generator, 4, 3, dtype=dtype), *extreme_batches(dtype)):
            student.log_softmax(logits)
            assert_inputs_unchanged("log_softmax", student.last_call)
