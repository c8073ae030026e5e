"""mnist_loss(predictions, targets): the mean distance of the predictions from their targets."""

import torch

from proctor.authoring import (
    assert_close,
    assert_dtype,
    assert_inputs_unchanged,
    assert_no_host_copies,
    assert_no_loop,
    assert_on_device,
    each,
    grades,
    gradients_of,
    sizes,
    two_sizes,
    whole_number,
)

FLOATS = (torch.float32, torch.float64)

MAIN = "test_mnist_loss_is_the_mean_distance"
COLUMNS, FLOATING = "test_mnist_loss_of_columns", "test_mnist_loss_with_floating_targets"
SLOPES, SLOPES_OF_FORMS = (
    "test_mnist_loss_answers_to_each_prediction",
    "test_mnist_loss_gradient_in_every_form",
)


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


def assert_loss(loss, predictions, targets):
    assert_close("mnist_loss", loss, mean_distance(predictions, targets), predictions)


def assert_right(function, batches):
    for inputs, loss in zip(batches, each(function, batches), strict=True):
        assert_loss(loss, *inputs)


def assert_gradient(gradient, predictions, targets):
    assert_close("the gradient", gradient, slopes(predictions, targets), predictions)


def assert_slopes(function, batches):
    tracked = [predictions.clone().requires_grad_() for predictions, _ in batches]
    losses = each(
        function, [(one, targets) for one, (_, targets) in zip(tracked, batches, strict=True)]
    )
    for inputs, gradient in zip(batches, gradients_of("mnist_loss", losses, tracked), strict=True):
        assert_gradient(gradient, *inputs)


def extreme_batch(generator, dtype):
    """As right and as wrong as can be, on the threshold, and next to all of these."""
    next_to = 10.0 ** -(3 + 4 * torch.rand(4, generator=generator, dtype=torch.float64))
    near = torch.stack((next_to, 1 - next_to)).flatten().tolist()
    predictions = torch.tensor([0, 1, 1, 0, 0.5, 1, 0.5, *near], dtype=dtype)
    some = (torch.rand(8, generator=generator) < 0.5).long().tolist()
    return predictions, torch.tensor([1, 1, 0, 0, 1, 1, 0, *some])


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


def in_forms(generator, counts, passed):
    batches = [batch(generator, count) for count in counts]
    return [inputs for one in batches for inputs in forms(*one, passed)]


@grades(
    "mnist_loss_values",
    weight=3,
    hint="Take a batch of five, work out its distances by hand, one image at a time, and compare"
    " with what your function does to each of them and then to all of them.",
)
def test_mnist_loss_is_the_mean_distance(student, generator):
    """mnist_loss is one number, the mean distance, for any batch."""
    batches = []
    for count in (3, *sizes(generator)):
        predictions, targets = batch(generator, count)
        for labels in (targets, torch.ones_like(targets), torch.zeros_like(targets)):
            batches.append((predictions, labels))
    assert_right(student.mnist_loss, batches)


@grades(
    "mnist_loss_values",
    requires=MAIN,
    after="test_mnist_loss_keeps_the_dtype",
    hint="Try predictions of exactly 0 and 1: is the distance still a plain difference there, in"
    " float32 and in float64?",
)
def test_mnist_loss_at_the_extremes(student, generator, passed):
    """mnist_loss is right for predictions of exactly 0, 0.5 and 1, and next to them."""
    for dtype in FLOATS if passed("test_mnist_loss_keeps_the_dtype") else FLOATS[:1]:  # lost once
        predictions, targets = extreme_batch(generator, dtype)
        parts = (slice(None), targets == 1, targets == 0, predictions == targets)
        assert_right(student.mnist_loss, [(predictions[part], targets[part]) for part in parts])


@grades(
    "mnist_loss_values",
    requires=MAIN,
    hint="Print the shapes of everything inside your function when both inputs are columns.",
)
def test_mnist_loss_of_columns(student, generator):
    """mnist_loss of columns, shape [N, 1], is the same single number."""
    batches = [batch(generator, count) for count in sizes(generator)]
    assert_right(student.mnist_loss, [tuple(one[:, None] for one in inputs) for inputs in batches])


@grades(
    "mnist_loss_values",
    requires=MAIN,
    hint="Targets may come as 0.0 and 1.0: does one of your steps need them to be whole numbers?",
)
def test_mnist_loss_with_floating_targets(student, generator):
    """mnist_loss takes targets of the predictions' own floating type, too."""
    batches = []
    for count in two_sizes(generator):
        predictions, targets = batch(generator, count)
        for labels in (targets, 1 - targets, torch.ones_like(targets)):
            batches.append((predictions, labels.float()))
    assert_right(student.mnist_loss, batches)


@grades(
    "mnist_loss_values",
    requires=MAIN,
    after=(COLUMNS, FLOATING),
    hint="Call your function with float64 predictions and print the dtype of every step.",
)
def test_mnist_loss_keeps_the_dtype(student, generator, passed):
    """mnist_loss keeps float32 and float64, and all their digits."""
    batches = [
        inputs
        for dtype in FLOATS
        for count in two_sizes(generator)
        for inputs in forms(*batch(generator, count, dtype), passed)
    ]
    for inputs, loss in zip(batches, each(student.mnist_loss, batches), strict=True):
        assert_dtype("mnist_loss", loss, inputs[0].dtype)
        assert_loss(loss, *inputs)


@grades(
    "mnist_loss_values",
    requires=MAIN,
    after=(COLUMNS, FLOATING),
    hint="Print predictions and targets before and after a call: which line writes into them?",
)
def test_mnist_loss_leaves_its_inputs_alone(student, generator, passed):
    """mnist_loss leaves its inputs as they were."""
    batches = in_forms(generator, (1, *two_sizes(generator)), passed)
    for inputs, loss in zip(batches, each(student.mnist_loss, batches), strict=True):
        assert_inputs_unchanged("mnist_loss", student.last_call)
        assert_loss(loss, *inputs)


@grades(
    "mnist_loss_gradient",
    weight=3,
    hint="Raise one prediction by a little: by how much does the mean of N distances move, and"
    " which way? Then look for a step where such a nudge leaves no trace.",
)
def test_mnist_loss_answers_to_each_prediction(student, generator):
    """Each prediction pulls the loss by its share, and the right way."""
    batches = []
    for count in sizes(generator):
        predictions, targets = batch(generator, count)
        batches += [(predictions, labels) for labels in (targets, 1 - targets)]
    assert_slopes(student.mnist_loss, batches)


@grades(
    "mnist_loss_gradient",
    requires=SLOPES,
    hint="Try backward with columns, and with targets 0.0 and 1.0: does each prediction still get"
    " one slope, and the same as before?",
)
def test_mnist_loss_gradient_in_every_form(student, generator):
    """The gradient is the same for columns and for floating targets."""
    batches = in_forms(generator, two_sizes(generator), lambda name: True)
    assert_slopes(student.mnist_loss, batches)


@grades(
    "mnist_loss_gradient",
    requires=SLOPES,
    hint="Call backward with float64 predictions and print the dtype of every step: does one of"
    " them turn to float32?",
)
def test_mnist_loss_gradient_in_float64(student, generator):
    """The gradient has all digits of float64, too."""
    counts = (whole_number(generator, 5, 7), *two_sizes(generator))  # 1/5 has no end in bits
    assert_slopes(student.mnist_loss, [batch(generator, n, torch.float64) for n in counts])


@grades(
    "mnist_loss_device",
    weight=2,
    requires=MAIN,
    after=(COLUMNS, FLOATING),
    hint="Which tensors does your function make by itself, and on which device do they live? Can"
    " they be made from an input, or be plain numbers?",
)
def test_mnist_loss_works_on_the_accelerator(student, generator, passed):
    """mnist_loss works where its inputs live, and its result stays there."""
    batches = in_forms(generator, two_sizes(generator), passed)
    losses = each(student.on_accelerator.mnist_loss, batches)
    for inputs, loss in zip(batches, losses, strict=True):
        facts = student.last_call
        assert_loss(loss, *inputs)
        assert_on_device("mnist_loss", facts)


@grades(
    "mnist_loss_device",
    requires="test_mnist_loss_works_on_the_accelerator",
    after=(COLUMNS, FLOATING, SLOPES, SLOPES_OF_FORMS),
    hint="The value is right there: which tensor that only the gradient needs lives on the CPU?",
)
def test_mnist_loss_gradient_on_the_accelerator(student, generator, passed):
    """The gradient of mnist_loss does not depend on where its inputs live."""
    if not passed(SLOPES):
        return  # lost there: no gradient is right anywhere
    batches = [batch(generator, count) for count in two_sizes(generator)]
    if passed(SLOPES_OF_FORMS):
        batches = [inputs for one in batches for inputs in forms(*one, passed)]
    assert_slopes(student.on_accelerator.mnist_loss, batches)


@grades(
    "mnist_loss_device",
    weight=2,
    requires=MAIN,
    after=(COLUMNS, FLOATING),
    hint="Which line asks a tensor for its number, so that Python can look at it? Let torch decide"
    " for all examples at once instead.",
)
def test_mnist_loss_copies_nothing_to_the_host(student, generator, passed):
    """mnist_loss copies nothing from the device to the host."""
    batches = in_forms(generator, two_sizes(generator), passed)
    losses = each(student.on_accelerator.mnist_loss, batches)
    for inputs, loss in zip(batches, losses, strict=True):
        facts = student.last_call
        assert_loss(loss, *inputs)
        assert_no_host_copies("mnist_loss", facts)


@grades(
    "mnist_loss_device",
    weight=2,
    requires=MAIN,
    after=(COLUMNS, FLOATING),
    hint="Which one torch call does for the whole batch what your loop does for one example?",
)
def test_mnist_loss_does_not_loop(student, generator, passed):
    """mnist_loss works on the whole batch at once, without a loop over the examples."""
    _, *counts = sizes(generator)
    batches = [forms(*batch(generator, count), passed) for count in counts]
    for same_form in zip(*batches, strict=True):
        assert_no_loop(student, "mnist_loss", assert_loss, *same_form)
