"""mnist_loss(predictions, targets): the mean distance of the predictions from their targets."""

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
    result_if_any,
)

FLOATS = (torch.float32, torch.float64)


def batch(generator, count, dtype=torch.float32):
    """Predictions inside (0, 1), and targets of which about one in three is 1, never none."""
    predictions = 0.02 + 0.96 * torch.rand(count, generator=generator, dtype=dtype)
    targets = (torch.rand(count, generator=generator) < 1 / 3).long()
    places = torch.randperm(count, generator=generator)
    targets[places[:1]], targets[places[1:2]] = 1, 0
    return predictions, targets


def mean_distance(predictions, targets):
    return (predictions.double() - targets.double()).abs().mean()


def slopes(predictions, targets):
    """Of the mean of N distances, by one prediction each: 1 / N, downhill where the target is 1."""
    return (1 - 2 * targets.to(predictions.dtype)) / predictions.numel()


def extreme_batch(dtype):
    """As right and as wrong as can be, and on the threshold."""
    return torch.tensor([0, 1, 1, 0, 0.5, 1, 0.5], dtype=dtype), torch.tensor([1, 1, 0, 0, 1, 1, 0])


def forms(predictions, targets):
    """The same batch as the notebook allows it: vectors and columns, two kinds of targets."""
    for kind in (torch.int64, predictions.dtype):
        yield predictions, targets.to(kind)
        yield predictions[:, None], targets.to(kind)[:, None]


@grades(
    "mnist_loss_values",
    weight=3,
    hint="Take a batch of five, work out its distances by hand, one image at a time, and compare"
    " with what your function does to each of them and then to all of them.",
)
def test_mnist_loss_is_the_mean_distance(student, generator):
    """mnist_loss is one number, the mean distance, for any batch."""
    for count in (3, 1, 8, 200):
        predictions, targets = batch(generator, count)
        for labels in (targets, torch.ones_like(targets), torch.zeros_like(targets)):
            loss = student.mnist_loss(predictions, labels)
            assert_close("mnist_loss", loss, mean_distance(predictions, labels), predictions)


@grades(
    "mnist_loss_values",
    requires="test_mnist_loss_is_the_mean_distance",
    hint="Try predictions of exactly 0 and 1: is the distance still a plain difference there, in"
    " float32 and in float64?",
)
def test_mnist_loss_at_the_extremes(student):
    """mnist_loss is right for predictions of exactly 0, 0.5 and 1."""
    for dtype in FLOATS:
        predictions, targets = extreme_batch(dtype)
        for chosen in (slice(None), targets == 1, targets == 0, predictions == targets):
            loss = student.mnist_loss(predictions[chosen], targets[chosen])
            expected = mean_distance(predictions[chosen], targets[chosen])
            assert_close("mnist_loss", loss, expected, predictions)


@grades(
    "mnist_loss_values",
    requires="test_mnist_loss_is_the_mean_distance",
    hint="Print the shapes of everything inside your function when both inputs are columns.",
)
def test_mnist_loss_of_columns(student, generator):
    """mnist_loss of columns, shape [N, 1], is the same single number."""
    for count in (6, 1):
        predictions, targets = batch(generator, count)
        loss = student.mnist_loss(predictions[:, None], targets[:, None])
        assert_close("mnist_loss", loss, mean_distance(predictions, targets), predictions)


@grades(
    "mnist_loss_values",
    requires="test_mnist_loss_is_the_mean_distance",
    hint="Targets may come as 0.0 and 1.0: does a step of yours need them to be whole numbers?",
)
def test_mnist_loss_with_floating_targets(student, generator):
    """mnist_loss takes targets of the predictions' own floating type, too."""
    predictions, targets = batch(generator, 9)
    for labels in (targets, 1 - targets, torch.ones_like(targets)):
        loss = student.mnist_loss(predictions, labels.float())
        assert_close("mnist_loss", loss, mean_distance(predictions, labels), predictions)


@grades(
    "mnist_loss_values",
    requires="test_mnist_loss_is_the_mean_distance",
    hint="Call your function with float64 predictions and print the dtype of every step.",
)
def test_mnist_loss_keeps_the_dtype(student, generator):
    """mnist_loss keeps float32 and float64, and all their digits."""
    for dtype in FLOATS:
        for predictions, targets in forms(*batch(generator, 11, dtype)):
            loss = student.mnist_loss(predictions, targets)
            assert_dtype("mnist_loss", loss, dtype)
            assert_close("mnist_loss", loss, mean_distance(predictions, targets), predictions)


@grades(
    "mnist_loss_values",
    requires="test_mnist_loss_is_the_mean_distance",
    hint="Print predictions and targets before and after a call: which line writes into them?",
)
def test_mnist_loss_leaves_its_inputs_alone(student, generator):
    """mnist_loss leaves its inputs as they were."""
    for dtype in FLOATS:
        for predictions, targets in forms(*batch(generator, 6, dtype)):
            student.mnist_loss(predictions, targets)
            assert_inputs_unchanged("mnist_loss", student.last_call)


@grades(
    "mnist_loss_gradient",
    weight=3,
    hint="Raise one prediction by a little: by how much does the mean of N distances move, and"
    " which way? Then look for a step where such a nudge leaves no trace.",
)
def test_mnist_loss_answers_to_each_prediction(student, generator):
    """Each prediction pulls the loss by its share, and the right way."""
    for dtype in FLOATS:
        for count in (5, 1, 8):
            predictions, targets = batch(generator, count, dtype)
            for labels in (targets, 1 - targets):
                tracked = predictions.clone().requires_grad_()
                gradient = gradient_of("mnist_loss", student.mnist_loss(tracked, labels), tracked)
                assert_close("the gradient", gradient, slopes(predictions, labels), predictions)


@grades(
    "mnist_loss_gradient",
    requires="test_mnist_loss_answers_to_each_prediction",
    hint="Try backward with columns, and with targets 0.0 and 1.0: does each prediction still get"
    " one slope, and the same as before?",
)
def test_mnist_loss_gradient_in_every_form(student, generator):
    """The gradient is the same for columns and for floating targets."""
    for dtype in FLOATS:
        for predictions, targets in forms(*batch(generator, 7, dtype)):
            tracked = predictions.clone().requires_grad_()
            gradient = gradient_of("mnist_loss", student.mnist_loss(tracked, targets), tracked)
            assert_close("the gradient", gradient, slopes(predictions, targets), predictions)


@grades(
    "mnist_loss_device",
    weight=2,
    requires="test_mnist_loss_is_the_mean_distance",
    hint="Which tensors does your function make by itself, and on which device do they live? Can"
    " they be made from an input, or be plain numbers?",
)
def test_mnist_loss_works_on_the_accelerator(student, generator):
    """mnist_loss works where its inputs live, and its result stays there."""
    for predictions, targets in forms(*batch(generator, 6)):
        assert_same_on_device(student, "mnist_loss", predictions, targets)


@grades(
    "mnist_loss_device",
    requires="test_mnist_loss_works_on_the_accelerator",
    hint="The value is right there: which tensor that only the gradient needs lives on the CPU?",
)
def test_mnist_loss_gradient_on_the_accelerator(student, generator):
    """The gradient of mnist_loss does not depend on where its inputs live."""
    for predictions, targets in forms(*batch(generator, 6)):
        assert_same_gradient_on_device(student, "mnist_loss", predictions, targets)


@grades(
    "mnist_loss_device",
    weight=2,
    requires="test_mnist_loss_is_the_mean_distance",
    hint="Which line asks a tensor for its number, so that Python can look at it? Let torch decide"
    " for all examples at once instead.",
)
def test_mnist_loss_copies_nothing_to_the_host(student, generator):
    """mnist_loss copies nothing from the device to the host."""
    for predictions, targets in forms(*batch(generator, 6)):
        if result_if_any(student, "mnist_loss", predictions, targets) is not None:
            student.on_accelerator.mnist_loss(predictions, targets)
            assert_no_host_copies("mnist_loss", student.last_call)


@grades(
    "mnist_loss_device",
    weight=2,
    requires="test_mnist_loss_is_the_mean_distance",
    hint="Which one torch call does for the whole batch what your loop does for one example?",
)
def test_mnist_loss_does_not_loop(student, generator):
    """mnist_loss works on the whole batch at once, without a loop over the examples."""
    for many in forms(*batch(generator, MANY)):
        few = [tensor[:FEW] for tensor in many]
        assert_no_loop(student, "mnist_loss", few, many)
