"""accuracy(predictions, targets): the share of predictions on the right side of 0.5."""

import torch

from proctor.authoring import (
    Fault,
    assert_close,
    assert_inputs_unchanged,
    assert_no_host_copies,
    assert_no_loop,
    assert_right_on_device,
    assert_tensor,
    each,
    grades,
    sizes,
    two_sizes,
    whole_number,
)

FLOATS = (torch.float32, torch.float64)
# How near to 0.5 a prediction may lie: float64 tells more of them apart.
NEXT_TO_HALF = {torch.float32: (1e-4, 1e-6), torch.float64: (1e-4, 1e-9, 1e-12)}
MORE_THAN_FLOAT16_COUNTS = 65_504

MAIN = "test_accuracy_is_the_share_of_right_answers"
COLUMNS, FLOATING = "test_accuracy_of_columns", "test_accuracy_takes_all_types"


def batch(generator, count, dtype=torch.float32):
    """Predictions inside (0, 1), none near 0.5, and targets of which one in three is 1."""
    predictions = 0.02 + 0.46 * torch.rand(count, generator=generator, dtype=dtype)
    predictions[torch.rand(count, generator=generator) < 0.5] += 0.5
    return predictions, (torch.rand(count, generator=generator) < 1 / 3).long()


def answers_to(predictions):
    return (predictions > 0.5).long()


def assert_right_share(share, predictions, targets):
    """The result is a tensor of shape [] and of any floating type, as exact as that type is."""
    assert_tensor("accuracy", share)
    if not share.is_floating_point():
        raise Fault(
            f"accuracy should be floating, got {share.dtype}",
            "`accuracy` gave a tensor of whole numbers or of True and False: a share has decimals.",
        )
    truth = (answers_to(predictions) == targets).double().mean()
    assert_close("accuracy", share, truth, within=max(1e-5, torch.finfo(share.dtype).eps))


def assert_right(student, batches):
    for inputs, share in zip(batches, each(student.accuracy, batches), strict=True):
        assert_right_share(share, *inputs)


def forms(predictions, targets, passed):
    """The same batch as the notebook allows it, vectors and columns, two kinds of targets: those
    forms of which the values are right. What is wrong in a form is lost once."""
    for is_floating in (False, True):
        if is_floating and not passed(FLOATING):
            continue
        labels = targets.to(predictions.dtype) if is_floating else targets
        yield predictions, labels
        if passed(COLUMNS):
            yield predictions[:, None], labels[:, None]


@grades(
    "accuracy_values",
    weight=3,
    hint="Write five predictions and targets on paper, 3s and 7s of both kinds, right and wrong:"
    " which answer does your function count for each of them, and what does it divide by?",
)
def test_accuracy_is_the_share_of_right_answers(student, generator):
    """accuracy is one number, the share of right answers, for any batch."""
    crowd = MORE_THAN_FLOAT16_COUNTS + whole_number(generator, 1000, 9000)
    for count in (3, *sizes(generator), crowd):
        predictions, targets = batch(generator, count)
        answers = answers_to(predictions)
        others = (targets, torch.ones_like(targets), 0 * targets, 1 - answers)
        every = (answers, *others) if count < crowd else (answers,)
        assert_right(student, [(predictions, labels) for labels in every])


@grades(
    "accuracy_values",
    weight=2,
    requires=MAIN,
    hint="Try predictions of exactly 0, 0.5 and 1, and next to 0.5, for a 3 and for a 7. What does"
    " “above 0.5” say about each?",
)
def test_accuracy_at_the_extremes(student, generator):
    """accuracy is right for predictions of exactly 0, 0.5 and 1, and next to 0.5."""
    for dtype in FLOATS:
        far = [0, 0.5, 1]
        for distance in NEXT_TO_HALF[dtype]:
            distance *= 1 + whole_number(generator, 0, 800) / 1000
            far += [0.5 - distance, 0.5 + distance]
        predictions = torch.tensor(far, dtype=dtype)[torch.randperm(len(far), generator=generator)]
        some = (torch.rand(len(far), generator=generator) < 0.5).long()
        every = (torch.ones_like(some), torch.zeros_like(some), some)
        single = [(prediction[None], torch.tensor([1])) for prediction in predictions[:3]]
        assert_right(student, [*((predictions, labels) for labels in every), *single])


@grades(
    "accuracy_values",
    requires=MAIN,
    hint="Print the shapes of everything inside your function when both inputs are columns.",
)
def test_accuracy_of_columns(student, generator):
    """accuracy of columns, shape [N, 1], is the same single number."""
    batches = [batch(generator, count) for count in sizes(generator)]
    assert_right(student, [tuple(one[:, None] for one in inputs) for inputs in batches])


@grades(
    "accuracy_values",
    requires=MAIN,
    hint="Call your function with float64 predictions, and with targets 0.0 and 1.0: does one"
    " of your steps assume another type?",
)
def test_accuracy_takes_all_types(student, generator):
    """accuracy takes float32 and float64 predictions, and targets of either kind."""
    for dtype in FLOATS:
        for count in two_sizes(generator):
            predictions, targets = batch(generator, count, dtype)
            every = (targets, targets.to(dtype))
            assert_right(student, [(predictions, labels) for labels in every])


@grades(
    "accuracy_values",
    requires=MAIN,
    after=(COLUMNS, FLOATING),
    hint="Print predictions and targets before and after a call: which line writes into them?",
)
def test_accuracy_leaves_its_inputs_alone(student, generator, passed):
    """accuracy leaves its inputs as they were."""
    batches = []
    for count, dtype in zip((1, *two_sizes(generator)), (*FLOATS, torch.float32), strict=True):
        batches += forms(*batch(generator, count, dtype), passed)
    for inputs, share in zip(batches, each(student.accuracy, batches), strict=True):
        assert_right_share(share, *inputs)
        assert_inputs_unchanged("accuracy", student.last_call)


@grades(
    "accuracy_device",
    requires=MAIN,
    after=(COLUMNS, FLOATING),
    hint="Does one of your steps make a new tensor, and if so, on which device?",
)
def test_accuracy_works_on_the_accelerator(student, generator, passed):
    """accuracy works where its inputs live, and its result stays there."""
    for count in two_sizes(generator):
        for inputs in forms(*batch(generator, count), passed):
            assert_right_on_device(student, "accuracy", assert_right_share, *inputs)


@grades(
    "accuracy_device",
    requires=MAIN,
    after=(COLUMNS, FLOATING),
    hint="Which line asks a tensor for its number, so that Python can look at it? Let torch decide"
    " for all examples at once instead.",
)
def test_accuracy_copies_nothing_to_the_host(student, generator, passed):
    """accuracy copies nothing from the device to the host."""
    for count in two_sizes(generator):
        for inputs in forms(*batch(generator, count), passed):
            result = student.on_accelerator.accuracy(*inputs)
            facts = student.last_call
            assert_right_share(result, *inputs)
            assert_no_host_copies("accuracy", facts)


@grades(
    "accuracy_device",
    requires=MAIN,
    after=(COLUMNS, FLOATING),
    hint="Which one torch call does for the whole batch what your loop does for one example?",
)
def test_accuracy_does_not_loop(student, generator, passed):
    """accuracy works on the whole batch at once, without a loop over the examples."""
    _, *counts = sizes(generator)
    batches = [forms(*batch(generator, count), passed) for count in counts]
    for same_form in zip(*batches, strict=True):
        assert_no_loop(student, "accuracy", assert_right_share, *same_form)
