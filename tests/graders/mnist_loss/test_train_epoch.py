"""train_epoch(weights, bias, x, y, lr): one gradient step on the student's own sigmoid and loss."""

from dataclasses import dataclass

import torch

from proctor.authoring import Kept, assert_inputs_unchanged, grades, tolerance

# Training, in numbers that were tried out with hundreds of seeds: a loss of squares leaves at most
# 2.5 times the loss that right steps leave, and still learns; a second sigmoid leaves 3.2 times.
EPOCHS, LR, SLOW = 40, 1.5, 2.8

EARLIER = (
    "test_mnist_loss_is_the_mean_distance",
    "test_mnist_loss_answers_to_each_prediction",
    "test_sigmoid_squeezes",
    "test_sigmoid_slopes",
)


@dataclass
class Model:
    """Weights and bias that stay with the student, and what they should be."""

    kept: tuple[Kept, Kept]
    weights: torch.Tensor
    bias: torch.Tensor


def new_model(student, weights, bias):
    kept = (student.keep(weights, requires_grad=True), student.keep(bias, requires_grad=True))
    return Model(kept, weights, bias)


def random_model(student, generator, size, scale=1):
    """Its scores are moderate for data of this scale."""
    weights, bias = torch.randn(size + 1, generator=generator).split([size, 1])
    return new_model(student, 0.5 / scale * weights, bias[0])


def random_data(generator, count, size, scale=1):
    x = scale * torch.randn(count, size, generator=generator)
    return x, (torch.rand(count, generator=generator) < 0.6).long()


def predictions_of(weights, bias, x):
    return 1 / (1 + (-(x.double() @ weights.double() + bias.double())).exp())


def loss_of(weights, bias, x, y):
    return (predictions_of(weights, bias, x) - y).abs().mean()


def after_one_step(model, x, y, lr):
    """Weights and bias after a gradient step: a distance has the slope 1 or -1 by its prediction,
    which has the slope p (1 - p) by its score."""
    predictions = predictions_of(model.weights, model.bias, x)
    slopes = (1 - 2 * y) * predictions * (1 - predictions) / len(y)
    return model.weights.double() - lr * (slopes @ x.double()), model.bias - lr * slopes.sum()


def assert_one_step(student, model, x, y, lr):
    """A call takes one step from where the model stands; the model then stands there."""
    expected = after_one_step(model, x, y, lr)
    student.train_epoch(*model.kept, x, y, lr)
    after = [student.read(kept) for kept in model.kept]
    for name, found, value in zip(("weights", "bias"), after, expected, strict=True):
        assert found.value.shape == value.shape, f"{name} got the shape {found.value.shape}"
        assert found.requires_grad and found.is_leaf, f"{name} should stay a leaf with a gradient"
        assert ((found.value.double() - value).abs() <= tolerance(x)).all(), (
            f"{name} should be {value} after a step with lr {lr}, got {found.value}"
        )
    model.weights, model.bias = (found.value for found in after)


@grades(
    "train_epoch_step",
    weight=2,
    builds_on=EARLIER,
    hint="Work out the loss of the model before your step, and compare with what you return: the"
    " value, and whether it is a plain Python float.",
)
def test_train_epoch_returns_the_loss_before_the_step(student, generator):
    """train_epoch returns the loss before the step, as a float."""
    for count, size, lr in ((9, 4, 0.7), (1, 2, 0.3), (30, 1, 1.6)):
        x, y = random_data(generator, count, size)
        model = random_model(student, generator, size)
        expected = loss_of(model.weights, model.bias, x, y).item()
        returned = student.train_epoch(*model.kept, x, y, lr)
        assert isinstance(returned, float), f"train_epoch should return a float, got {returned!r}"
        assert abs(returned - expected) <= tolerance(x), (
            f"the loss before the step should be {expected}, got {returned}"
        )


@grades(
    "train_epoch_step",
    weight=4,
    builds_on=EARLIER,
    hint="Print weights and bias before and after a call, and the two gradients: did the tensors"
    " that were passed in move, which way, and by how much?",
)
def test_train_epoch_takes_one_step(student, generator):
    """train_epoch moves weights and bias, in place, by one gradient step."""
    sizes = ((9, 4, 0.7, 1), (1, 2, 0.3, 1), (30, 1, 1.6, 1), (4, 5, 0.05, 50))
    for count, size, lr, scale in sizes:
        x, y = random_data(generator, count, size, scale)
        assert_one_step(student, random_model(student, generator, size, scale), x, y, lr)


@grades(
    "train_epoch_step",
    weight=2,
    requires="test_train_epoch_takes_one_step",
    hint="What is in weights.grad when your function is called for the second time, and what does"
    " backward do with it? Does anything else remember the call before?",
)
def test_train_epoch_starts_each_step_afresh(student, generator):
    """Each of several steps in a row uses its own gradient only."""
    x, y = random_data(generator, 14, 3)
    models = [random_model(student, generator, 3) for _ in range(2)]
    for model in models:
        for lr in (0.9, 0.4, 1.3):
            assert_one_step(student, model, x, y, lr)


@grades(
    "train_epoch_step",
    requires="test_train_epoch_takes_one_step",
    hint="Print x and y before and after a call: which line writes into them?",
)
def test_train_epoch_leaves_the_data_alone(student, generator):
    """train_epoch leaves x and y as they were."""
    x, y = random_data(generator, 7, 3)
    student.train_epoch(*random_model(student, generator, 3).kept, x, y, 0.5)
    assert_inputs_unchanged("train_epoch", student.last_call)


def two_clouds(generator, count, size):
    """Points around two centres, of different numbers, that a line tells apart; the line does not
    pass through 0, so that a bias is needed."""
    direction = torch.randn(size, generator=generator)
    direction /= direction.norm()
    y = (torch.randperm(count, generator=generator) < 0.4 * count).long()
    centres = (2 + 1.5 * (2 * y - 1))[:, None] * direction
    return centres + 0.3 * torch.randn(count, size, generator=generator), y


def trained(student, generator):
    """A small random model, what 40 epochs on two clouds make of it, the data, and how large the
    loss is after as many right steps."""
    x, y = two_clouds(generator, 40, 4)
    weights, bias = 0.1 * torch.randn(4, generator=generator), torch.zeros(())
    model = new_model(student, weights, bias)
    student.repeating(EPOCHS).train_epoch(*model.kept, x, y, LR)
    for _ in range(EPOCHS):
        model.weights, model.bias = after_one_step(model, x, y, LR)
    found = [student.read(kept).value for kept in model.kept]
    return found, x, y, loss_of(model.weights, model.bias, x, y)


@grades(
    "train_epoch_learns",
    builds_on=EARLIER,
    hint="Watch the loss over many epochs. Where it does not fall: does each step go downhill, and"
    " does every epoch take one?",
)
def test_train_epoch_makes_the_loss_fall(student, generator):
    """Over many epochs the loss of the model falls far below where it began."""
    (weights, bias), x, y, expected = trained(student, generator)
    after = loss_of(weights, bias, x, y)
    assert after < SLOW * expected, f"the loss should fall to about {expected}, got {after}"


@grades(
    "train_epoch_learns",
    builds_on=EARLIER,
    hint="Train on two clouds of points that do not lie around 0, and look at weights and bias:"
    " do both of them learn?",
)
def test_train_epoch_tells_two_clouds_apart(student, generator):
    """After many epochs the model gets nearly every example right."""
    (weights, bias), x, y, _ = trained(student, generator)
    right = ((x @ weights + bias > 0) == (y == 1)).double().mean()
    assert right > 0.95, f"the model should get nearly every example right, got {right}"
