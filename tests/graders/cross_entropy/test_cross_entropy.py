"""cross_entropy(logits, targets): the mean of minus the right classes' log-probabilities."""

import re

import torch

from proctor.authoring import (
    FEW,
    MANY,
    assert_close,
    assert_dtype,
    assert_inputs_unchanged,
    assert_no_host_copies,
    assert_no_loop,
    assert_same_gradient_on_device,
    assert_same_on_device,
    grades,
    gradient_of,
)

FLOATS = (torch.float32, torch.float64)
SHAPES = ((5, 3), (1, 3), (8, 2), (3, 7), (4, 4), (60, 10))

# The functions of torch that are the whole answer, but not the student's own of the same name.
READY_MADE = re.compile(
    r"\.\s*(cross_entropy|log_softmax)\b"
    r"|\b(CrossEntropyLoss|LogSoftmax)\b"
    r"|\bimport\b.*\b(cross_entropy|log_softmax)\b"
)
COMMENT = re.compile(r"#.*")


def batch(generator, examples, classes, dtype=torch.float32):
    """Logits between -4 and 4, the last row like the first, and targets without the last class."""
    logits = 8 * torch.rand(examples, classes, generator=generator, dtype=dtype) - 4
    logits[-1] = logits[0]
    known = max(1, classes - 1)
    return logits, torch.randint(known, (examples,), generator=generator)


def mean_penalty(logits, targets):
    logits = logits.double()
    rights = logits.gather(1, targets[:, None]).squeeze(1)
    return (logits.logsumexp(dim=1) - rights).mean()


def slopes(logits, targets):
    """What the model believes minus what is true, shared among the examples."""
    truth = torch.nn.functional.one_hot(targets, logits.shape[1])
    return (logits.detach().double().softmax(dim=1) - truth) / len(targets)


def extreme_batches(dtype):
    """As sure as can be, right and wrong, and rows that lie far apart as a whole."""
    ends = [[0, 200], [200, -200], [-200, 200], [0, 0], [-200, 0]]
    far = [[1000, 1001, 999], [-1000, -1002, -1000], [0, 3, 1], [500, 300, 498]]
    yield torch.tensor(ends, dtype=dtype), torch.tensor([0, 0, 0, 1, 0])
    yield torch.tensor(far, dtype=dtype), torch.tensor([1, 1, 0, 2])


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
    builds_on="test_log_softmax_of_a_batch",
    hint="Take two rows that differ, with labels that are not the largest logit, and work the mean"
    " of their penalties out by hand: which entry of each row does your function use?",
)
def test_cross_entropy_is_the_mean_penalty(student, generator, answer_text, flag):
    """cross_entropy is one number, the mean penalty of the right classes, for any batch."""
    for examples, classes in SHAPES:
        logits, targets = batch(generator, examples, classes)
        for labels in (targets, classes - 1 - targets, logits.argmin(dim=1)):
            loss = student.cross_entropy(logits, labels)
            assert_close("cross_entropy", loss, mean_penalty(logits, labels), logits)
    flag_ready_made_functions(answer_text, flag)


@grades(
    "cross_entropy_values",
    weight=3,
    requires="test_cross_entropy_is_the_mean_penalty",
    builds_on="test_log_softmax_at_the_extremes",
    hint="A model that is sure and wrong by a difference of 200 should pay 200: look at every step"
    " for a probability that has become 0 or was kept from it.",
)
def test_cross_entropy_at_the_extremes(student):
    """cross_entropy is right for the surest models and for logits of any size."""
    for dtype in FLOATS:
        for logits, targets in extreme_batches(dtype):
            for labels in (targets, logits.argmin(dim=1), logits.argmax(dim=1)):
                loss = student.cross_entropy(logits, labels)
                assert_close("cross_entropy", loss, mean_penalty(logits, labels), logits)


@grades(
    "cross_entropy_values",
    requires="test_cross_entropy_is_the_mean_penalty",
    builds_on="test_log_softmax_keeps_the_dtype",
    hint="Call your function with float64 logits and print the dtype of every step.",
)
def test_cross_entropy_keeps_the_dtype(student, generator):
    """cross_entropy keeps float32 and float64, and all their digits."""
    for dtype in FLOATS:
        logits, targets = batch(generator, 9, 4, dtype)
        loss = student.cross_entropy(logits, targets)
        assert_dtype("cross_entropy", loss, dtype)
        assert_close("cross_entropy", loss, mean_penalty(logits, targets), logits)


@grades(
    "cross_entropy_values",
    requires="test_cross_entropy_is_the_mean_penalty",
    builds_on="test_log_softmax_leaves_its_input_alone",
    hint="Print logits and targets before and after a call: which line writes into them?",
)
def test_cross_entropy_leaves_its_inputs_alone(student, generator):
    """cross_entropy leaves its inputs as they were."""
    for dtype in FLOATS:
        for logits, targets in (batch(generator, 6, 3, dtype), *extreme_batches(dtype)):
            student.cross_entropy(logits, targets)
            assert_inputs_unchanged("cross_entropy", student.last_call)


@grades(
    "cross_entropy_gradient",
    weight=3,
    builds_on="test_log_softmax_of_a_batch",
    hint="Nudge one logit, of the right class and of another one: by how much should the mean"
    " penalty move, and which way? Then look for a step where such a nudge leaves no trace.",
)
def test_cross_entropy_answers_to_each_logit(student, generator):
    """Each logit pulls the loss by its probability, less 1 where the label points, and shared."""
    for dtype in FLOATS:
        for examples, classes in SHAPES[:5]:
            logits, targets = batch(generator, examples, classes, dtype)
            tracked = logits.clone().requires_grad_()
            loss = student.cross_entropy(tracked, targets)
            gradient = gradient_of("cross_entropy", loss, tracked)
            assert_close("the gradient", gradient, slopes(logits, targets), logits)


@grades(
    "cross_entropy_gradient",
    weight=2,
    requires="test_cross_entropy_answers_to_each_logit",
    builds_on="test_log_softmax_at_the_extremes",
    hint="A model that is sure and wrong should be told so: does a step of yours become inf there,"
    " or does it stop a number from getting too small?",
)
def test_cross_entropy_slopes_at_the_extremes(student):
    """The gradient is right for the surest models and for logits of any size."""
    for dtype in FLOATS:
        for logits, targets in extreme_batches(dtype):
            for labels in (targets, logits.argmin(dim=1)):
                tracked = logits.clone().requires_grad_()
                loss = student.cross_entropy(tracked, labels)
                gradient = gradient_of("cross_entropy", loss, tracked)
                assert_close("the gradient", gradient, slopes(logits, labels), logits)


@grades(
    "cross_entropy_device",
    weight=2,
    requires="test_cross_entropy_is_the_mean_penalty",
    hint="Which tensors do your two functions make by themselves, and on which device do they live?"
    " Can they be made from an input, or be plain numbers?",
)
def test_cross_entropy_works_on_the_accelerator(student, generator):
    """cross_entropy works where its inputs live, and its result stays there."""
    for examples, classes in SHAPES[:4]:
        logits, targets = batch(generator, examples, classes)
        assert_same_on_device(student, "cross_entropy", logits, targets)


@grades(
    "cross_entropy_device",
    requires="test_cross_entropy_works_on_the_accelerator",
    hint="The value is right there: which tensor that only the gradient needs lives on the CPU?",
)
def test_cross_entropy_gradient_on_the_accelerator(student, generator):
    """The gradient of cross_entropy does not depend on where its inputs live."""
    for examples, classes in SHAPES[:4]:
        logits, targets = batch(generator, examples, classes)
        assert_same_gradient_on_device(student, "cross_entropy", logits, targets)


@grades(
    "cross_entropy_device",
    weight=2,
    requires="test_cross_entropy_is_the_mean_penalty",
    hint="Which line asks a tensor for its number, so that Python can look at it? Let torch pick"
    " the entries of all rows at once instead.",
)
def test_cross_entropy_copies_nothing_to_the_host(student, generator):
    """cross_entropy copies nothing from the device to the host."""
    logits, targets = batch(generator, 6, 4)
    student.on_accelerator.cross_entropy(logits, targets)
    assert_no_host_copies("cross_entropy", student.last_call)


@grades(
    "cross_entropy_device",
    weight=2,
    requires="test_cross_entropy_is_the_mean_penalty",
    hint="Which one torch call does for the whole batch what your loop does for one example?",
)
def test_cross_entropy_does_not_loop(student, generator):
    """cross_entropy works on the whole batch at once, without a loop over the examples."""
    many = batch(generator, MANY, 3)
    assert_no_loop(student, "cross_entropy", [tensor[:FEW] for tensor in many], many)
