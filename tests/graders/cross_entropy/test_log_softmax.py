"""log_softmax(logits): the logarithms of the probabilities, row by row, at any size of logits."""

import torch

from proctor.authoring import (
    assert_close,
    assert_dtype,
    assert_inputs_unchanged,
    grades,
    sizes,
    two_sizes,
    whole_number,
)

FLOATS = (torch.float32, torch.float64)


def some_logits(generator, *shape, dtype=torch.float32):
    """Raw scores between -4 and 4."""
    return 8 * torch.rand(shape, generator=generator, dtype=dtype) - 4


def log_probabilities(logits):
    return logits.double().log_softmax(dim=-1)


def extreme_batches(generator, dtype):
    """Differences that no exponential survives, rows that lie far apart as a whole, and many
    classes."""
    ends = torch.tensor([[-1, 0, 1], [1, -1, 1], [0, 1, 0], [-1, -1, -1], [0, 0.01, 0.02]])
    far = torch.tensor([[1000, 1001], [-1000, -1002], [0, 3], [500, 300]])
    apart = torch.rand(4, 2, generator=generator, dtype=dtype)
    examples, classes = whole_number(generator, 2, 9), whole_number(generator, 101, 1000)
    return (
        ends.to(dtype) * whole_number(generator, 150, 200),
        far.to(dtype) + apart,
        some_logits(generator, examples, classes, dtype=dtype),
        some_logits(generator, classes, dtype=dtype),
    )


@grades(
    "log_softmax_values",
    weight=3,
    hint="Take a table with more rows than columns and work one row out by hand: do its"
    " exponentials add up to 1, whatever the other rows are?",
)
def test_log_softmax_of_a_batch(student, generator):
    """log_softmax of a batch holds, in each row, the logarithms of the shares of that row."""
    one, few, dozens, hundreds = sizes(generator)
    classes = [whole_number(generator, 2, 12) for _ in range(4)]
    for shape in (*zip((one, few, dozens, hundreds), classes, strict=True), (3, 3)):
        logits = some_logits(generator, *shape)
        result = student.log_softmax(logits)
        assert_close("log_softmax", result, log_probabilities(logits), logits)


@grades(
    "log_softmax_values",
    requires="test_log_softmax_of_a_batch",
    hint="A single row has one dimension only: which of your steps assumes two?",
)
def test_log_softmax_of_a_row(student, generator):
    """log_softmax takes a single row, too."""
    for classes in (3, *(whole_number(generator, 2, 12) for _ in range(3))):
        logits = some_logits(generator, classes)
        result = student.log_softmax(logits)
        assert_close("log_softmax", result, log_probabilities(logits), logits)


@grades(
    "log_softmax_values",
    weight=3,
    requires="test_log_softmax_of_a_batch",
    after="test_log_softmax_keeps_the_dtype",
    hint="Follow a row with 0 and 200 in it, and one that lies near 1000, through every step: which"
    " one gets too large for its type, and which one too small?",
)
def test_log_softmax_at_the_extremes(student, generator, passed):
    """log_softmax is right where exponentials overflow or vanish, and for many classes."""
    for dtype in FLOATS if passed("test_log_softmax_keeps_the_dtype") else FLOATS[:1]:  # lost once
        for logits in extreme_batches(generator, dtype):
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
        for count in two_sizes(generator):
            logits = some_logits(generator, count, whole_number(generator, 2, 12), dtype=dtype)
            result = student.log_softmax(logits)
            assert_dtype("log_softmax", result, dtype)
            assert_close("log_softmax", result, log_probabilities(logits), logits)


@grades(
    "log_softmax_values",
    requires="test_log_softmax_of_a_batch",
    after="test_log_softmax_at_the_extremes",
    hint="Print the logits before and after a call: which line writes into them?",
)
def test_log_softmax_leaves_its_input_alone(student, generator, passed):
    """log_softmax leaves the logits it was given as they were."""
    few, many = two_sizes(generator)
    tables = [some_logits(generator, *shape) for shape in ((1, 3), (few, 4), (many, 3))]
    tables.append(some_logits(generator, few, 5, dtype=torch.float64))
    if passed("test_log_softmax_at_the_extremes"):  # lost once
        tables += extreme_batches(generator, torch.float32)
    for logits in tables:
        result = student.log_softmax(logits)
        assert_inputs_unchanged("log_softmax", student.last_call)
        assert_close("log_softmax", result, log_probabilities(logits), logits, within=1e-4)
