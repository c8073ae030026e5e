"""accuracy(predictions, targets): the share of predictions on the right side of 0.5."""

import torch

from proctor.authoring import (
    FEW,
    MANY,
    assert_close,
    assert_inputs_unchanged,
    assert_no_host_copies,
    assert_no_loop,
    assert_same_on_device,
    grades,
)

FLOATS = (torch.float32, torch.float64)


def batch(generator, count, dtype=torch.float32):
    """Predictions inside (0, 1), none near 0.5, and targets of which one in three is 1."""
    predictions = 0.02 + 0.46 * torch.rand(count, generator=generator, dtype=dtype)
    predictions[torch.rand(count, generator=generator) < 0.5] += 0.5
    return predictions, (torch.rand(count, generator=generator) < 1 / 3).long()


def right_share(predictions, targets):
    return ((predictions > 0.5) == (targets == 1)).double().mean()


def assert_right_share(student, predictions, targets):
    """The result is a tensor of shape [] and of any floating type, as exact as that type is."""
    share = student.accuracy(predictions, targets)
    assert isinstance(share, torch.Tensor), f"accuracy should be a tensor, got {share!r}"
    assert share.is_floating_point(), f"accuracy should be floating, got {share.dtype}"
    within = max(1e-5, torch.finfo(share.dtype).eps)
    assert_close("accuracy", share, right_share(predictions, targets), within=within)


def forms(predictions, targets):
    """The same batch as the notebook allows it: vectors and columns, two kinds of targets."""
    for kind in (torch.int64, predictions.dtype):
        yield predictions, targets.to(kind)
        yield predictions[:, None], targets.to(kind)[:, None]


@grades(
    "accuracy_values",
    weight=3,
    hint="Write five predictions and targets on paper, 3s and 7s of both kinds, right and wrong:"
    " which answer does your function count for each of them, and what does it divide by?",
)
def test_accuracy_is_the_share_of_right_answers(student, generator):
    """accuracy is one number, the share of right answers, for any batch."""
    for count in (3, 1, 8, 90):
        predictions, targets = batch(generator, count)
        answers = (predictions > 0.5).long()
        for labels in (targets, torch.ones_like(targets), torch.zeros_like(targets), answers):
            assert_right_share(student, predictions, labels)
        assert_right_share(student, predictions, 1 - answers)


@grades(
    "accuracy_values",
    weight=2,
    requires="test_accuracy_is_the_share_of_right_answers",
    hint="Try predictions of exactly 0, 0.5 and 1, for a 3 and for a 7. What does “above 0.5” say"
    " about each?",
)
def test_accuracy_at_the_extremes(student):
    """accuracy is right for predictions of exactly 0, 0.5 and 1, and next to 0.5."""
    for dtype in FLOATS:
        predictions = torch.tensor([0, 0.5, 1, 0.4999, 0.5001], dtype=dtype)
        for labels in (torch.ones(5), torch.zeros(5), torch.tensor([0, 1, 1, 0, 1])):
            assert_right_share(student, predictions, labels.long())
        for prediction in predictions:
            assert_right_share(student, prediction[None], torch.tensor([1]))


@grades(
    "accuracy_values",
    requires="test_accuracy_is_the_share_of_right_answers",
    hint="Print the shapes of everything inside your function when both inputs are columns.",
)
def test_accuracy_of_columns(student, generator):
    """accuracy of columns, shape [N, 1], is the same single number."""
    for count in (6, 1):
        predictions, targets = batch(generator, count)
        for labels in (targets, (predictions > 0.5).long()):
            assert_right_share(student, predictions[:, None], labels[:, None])


@grades(
    "accuracy_values",
    requires="test_accuracy_is_the_share_of_right_answers",
    hint="Call your function with float64 predictions, and with targets 0.0 and 1.0: does a step of"
    " yours count on another type?",
)
def test_accuracy_takes_all_types(student, generator):
    """accuracy takes float32 and float64 predictions, and targets of either kind."""
    for dtype in FLOATS:
        for predictions, targets in forms(*batch(generator, 9, dtype)):
            assert_right_share(student, predictions, targets)


@grades(
    "accuracy_values",
    requires="test_accuracy_is_the_share_of_right_answers",
    hint="Print predictions and targets before and after a call: which line writes into them?",
)
def test_accuracy_leaves_its_inputs_alone(student, generator):
    """accuracy leaves its inputs as they were."""
    for dtype in FLOATS:
        for predictions, targets in forms(*batch(generator, 6, dtype)):
            student.accuracy(predictions, targets)
            assert_inputs_unchanged("accuracy", student.last_call)


@grades(
    "accuracy_device",
    requires="test_accuracy_is_the_share_of_right_answers",
    hint="Does a step of yours make a new tensor, and if so, on which device?",
)
def test_accuracy_works_on_the_accelerator(student, generator):
    """accuracy works where its inputs live, and its result stays there."""
    for predictions, targets in forms(*batch(generator, 6)):
        assert_same_on_device(student, "accuracy", predictions, targets)


@grades(
    "accuracy_device",
    requires="test_accuracy_is_the_share_of_right_answers",
    hint="Which line asks a tensor for its number, so that Python can look at it? Let torch decide"
    " for all examples at once instead.",
)
def test_accuracy_copies_nothing_to_the_host(student, generator):
    """accuracy copies nothing from the device to the host."""
    for predictions, targets in forms(*batch(generator, 6)):
        student.on_accelerator.accuracy(predictions, targets)
        assert_no_host_copies("accuracy", student.last_call)


@grades(
    "accuracy_device",
    requires="test_accuracy_is_the_share_of_right_answers",
    hint="Which one torch call does for the whole batch what your loop does for one example?",
)
def test_accuracy_does_not_loop(student, generator):
    """accuracy works on the whole batch at once, without a loop over the examples."""
    for many in forms(*batch(generator, MANY)):
        few = [tensor[:FEW] for tensor in many]
        assert_no_loop(student, "accuracy", few, many)
