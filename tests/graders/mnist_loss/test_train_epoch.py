"""train_epoch(weights, bias, x, y, lr): one gradient step on the student's own sigmoid and loss.

Where the student's `mnist_loss` or `sigmoid` is wrong, a step is right that follows these, as long
as they still lead to one: the loss is one number, not the same for all models, and its gradient
moves the weights and the bias. A pair of functions that leaves the model where it stands would make
a step of no code at all right, and a loss that is always 1 a `return 1.0`. Where they do not lead
to one, or raise an error, a step is right that follows two others in their place.
"""

from dataclasses import dataclass

import torch

from proctor.authoring import (
    Fault,
    Kept,
    StandIn,
    Student,
    assert_inputs_unchanged,
    assert_shape,
    grades,
    tolerance,
    whole_number,
)

# Training, in numbers that were tried out with hundreds of seeds: a loss of squares leaves at most
# 2.5 times the loss that right steps leave, and still learns; a second sigmoid leaves 3.2 times.
EPOCHS, LR, SLOW = 40, 1.5, 2.8

SURE_STEP = 5  # tolerances: what own functions have to move the model by, to be worth a check
TRIES = 20  # to find data that does: a step may be short by chance
OTHERS = 5  # models whose own loss is compared: most have to have another one
STARTS = 2  # to find a model that own steps lead on; where there is none, others stand in

EARLIER = (
    "test_mnist_loss_is_the_mean_distance",
    "test_mnist_loss_at_the_extremes",
    "test_mnist_loss_keeps_the_dtype",
    "test_mnist_loss_leaves_its_inputs_alone",
    "test_mnist_loss_answers_to_each_prediction",
    "test_mnist_loss_gradient_in_float64",
    "test_sigmoid_squeezes",
    "test_sigmoid_keeps_the_dtype",
    "test_sigmoid_leaves_its_input_alone",
    "test_sigmoid_slopes",
    "test_sigmoid_slope_at_zero",
    "test_sigmoid_slopes_in_float64",
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
    return new_model(student, *random_weights(generator, size, scale))


def random_weights(generator, size, scale=1):
    """Weights and a bias whose scores are moderate for data of this scale."""
    weights, bias = torch.randn(size + 1, generator=generator).split([size, 1])
    return 0.5 / scale * weights, bias[0]


def some_case(student, basis, generator, count, size, lr, scale=1):
    """Data and a model that a step moves."""
    for _ in range(TRIES):
        x, y = random_data(generator, max(count, basis.fewest), size, scale)
        model = random_model(student, generator, size, scale)
        if basis.moves(model.weights, model.bias, x, y, lr):
            return x, y, model
    raise AssertionError("own mnist_loss and sigmoid lead to next to no step")


def random_data(generator, count, size, scale=1):
    x = scale * torch.randn(count, size, generator=generator)
    return x, (torch.rand(count, generator=generator) < 0.6).long()


def many(generator):
    """More images than the notebook trains on, and than any usual mini-batch holds."""
    return whole_number(generator, 1025, 1300)


def predictions_of(weights, bias, x):
    return 1 / (1 + (-(x.double() @ weights.double() + bias.double())).exp())


class RightStep:
    """By formula: a distance has the slope 1 or -1 by its prediction, which has the slope p (1 - p)
    by its score."""

    fewest = 1

    def loss(self, weights, bias, x, y):
        return (predictions_of(weights, bias, x) - y).abs().mean().item()

    def after(self, weights, bias, x, y, lr):
        predictions = predictions_of(weights, bias, x)
        slopes = (1 - 2 * y) * predictions * (1 - predictions) / len(y)
        return weights.double() - lr * (slopes @ x.double()), bias - lr * slopes.sum()

    def moves(self, weights, bias, x, y, lr):
        return True

    def tells_apart(self, loss, others, x, y):
        return True

    def gets_on(self, before, after, x, y):
        return True

    def changes(self, y):
        return []


class NoStep(AssertionError):
    """The student's own functions lead nowhere from here."""


class OwnStep:
    """By the student's own sigmoid and mnist_loss, which have to lead to a step."""

    names = "`mnist_loss` and `sigmoid`"
    fewest = 9  # images: some wrong losses have no value for a single one

    def __init__(self, student: Student):
        self.student = student

    def loss(self, weights, bias, x, y):
        loss = self.student.mnist_loss(self.student.sigmoid(x @ weights + bias), y)
        assert_shape("mnist_loss", loss, ())
        assert loss.isfinite(), f"mnist_loss should be finite, got {loss}"
        return loss.item()

    def after(self, weights, bias, x, y, lr):
        leaves = [tensor.detach().clone().requires_grad_() for tensor in (weights, bias)]
        loss = self.student.mnist_loss(self.student.sigmoid(x @ leaves[0] + leaves[1]), y)
        assert_shape("mnist_loss", loss, ())
        assert loss.requires_grad, "mnist_loss and sigmoid cut the graph"
        steps = [lr * gradient for gradient in torch.autograd.grad(loss, leaves)]
        for step in steps:
            if not step.isfinite().all():
                raise NoStep(f"own mnist_loss and sigmoid lead to the step {step}")
        return [(leaf - step).detach() for leaf, step in zip(leaves, steps, strict=True)]

    def moves(self, weights, bias, x, y, lr):
        try:
            after = self.after(weights, bias, x, y, lr)
        except NoStep:
            return False
        lengths = [(old - new).abs().max() for old, new in zip((weights, bias), after, strict=True)]
        return min(lengths) > SURE_STEP * tolerance(x)

    def tells_apart(self, loss, others, x, y):
        """Whether most of the other models have another loss."""
        near = SURE_STEP * tolerance(x)
        return sum(abs(self.loss(*other, x, y) - loss) > near for other in others) > len(others) / 2

    def gets_on(self, before, after, x, y):
        """Whether own steps lower the own loss: from some places they may not."""
        start = self.loss(*before, x, y)
        return start - self.loss(*after, x, y) > 0.05 * abs(start)

    def changes(self, y):
        """What the student's own mnist_loss writes into, of the x and y of a train_epoch."""
        self.student.mnist_loss(torch.linspace(0.1, 0.9, len(y)), y.clone())
        return [1] if 1 in self.student.last_call.changed_inputs else []


class StandInStep(OwnStep):
    """By functions that lead to a model that is as good as with the true ones."""


# No loss and no sigmoid of this course. The 3s cost their square, so that who mixes up predictions
# and targets is seen.
STAND_IN = StandIn(
    {
        "mnist_loss": "lambda predictions, targets: torch.where("
        "targets == 1, (1 - predictions) ** 2, predictions).mean()",
        "sigmoid": "lambda x: 0.5 + x.atan() / 3.2",
    },
    StandInStep,
)


def assert_one_step(student, basis, model, x, y, lr):
    """A call takes one step from where the model stands; the model then stands there."""
    expected = basis.after(model.weights, model.bias, x, y, lr)
    student.train_epoch(*model.kept, x, y, lr)
    after = [student.read(kept) for kept in model.kept]
    for name, found, value in zip(("weights", "bias"), after, expected, strict=True):
        assert_shape(name, found.value, value.shape)
        if not (found.requires_grad and found.is_leaf):
            raise Fault(
                f"{name} should stay a leaf with a gradient",
                f"After a step `{name}` is no longer ready for the next: it should still be the"
                " leaf that was passed in, and require a gradient.",
            )
        assert ((found.value.double() - value.double()).abs() <= tolerance(x)).all(), (
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
def test_train_epoch_returns_the_loss_before_the_step(student, generator, paid_once):
    """train_epoch returns the loss before the step, as a float."""

    def check(basis):
        # A mean may be right by chance where its terms are not: several single images are not.
        for count, size, lr in ((9, 4, 0.7), *[(1, 2, 0.3)] * 6, (many(generator), 3, 1.6)):
            x, y, model = some_case(student, basis, generator, count, size, lr)
            expected = basis.loss(model.weights, model.bias, x, y)
            others = [random_weights(generator, size) for _ in range(OTHERS)]
            assert basis.tells_apart(expected, others, x, y), "the own loss is the same for all"
            returned = student.train_epoch(*model.kept, x, y, lr)
            assert_float(returned)
            assert abs(returned - expected) <= tolerance(x), (
                f"the loss before the step should be {expected}, got {returned}"
            )

    paid_once(check, RightStep(), OwnStep(student), STAND_IN)


def assert_float(returned):
    if isinstance(returned, float):
        return
    kind = "a tensor" if isinstance(returned, torch.Tensor) else "no float"
    kind = "nothing (None)" if returned is None else kind
    raise Fault(
        f"train_epoch should return a float, got {returned!r}",
        f"`train_epoch` gave {kind}, and a plain Python float was asked for.",
    )


@grades(
    "train_epoch_step",
    weight=4,
    builds_on=EARLIER,
    hint="Print weights and bias before and after a call, and the two gradients: did the tensors"
    " that were passed in move, which way, and by how much? One step, with all images at once?",
)
def test_train_epoch_takes_one_step(student, generator, paid_once):
    """train_epoch moves weights and bias, in place, by one gradient step with all images."""

    def check(basis):
        sizes = ((9, 4, 0.7, 1), (1, 2, 0.3, 1), (many(generator), 3, 1.6, 1), (4, 5, 0.05, 50))
        for count, size, lr, scale in sizes:
            x, y, model = some_case(student, basis, generator, count, size, lr, scale)
            assert_one_step(student, basis, model, x, y, lr)

    paid_once(check, RightStep(), OwnStep(student), STAND_IN)


@grades(
    "train_epoch_step",
    weight=2,
    requires="test_train_epoch_takes_one_step",
    builds_on=EARLIER,
    hint="What is in weights.grad when your function is called for the second time, and what does"
    " backward do with it? Does anything else remember the call before?",
)
def test_train_epoch_starts_each_step_afresh(student, generator, paid_once):
    """Each of several steps in a row uses its own gradient only."""

    def check(basis):
        for count in (whole_number(generator, 10, 40), whole_number(generator, 4, 9)):
            x, y, model = some_case(student, basis, generator, count, 3, 0.9)
            for lr in (0.9, 0.4, 1.3):
                assert_one_step(student, basis, model, x, y, lr)

    paid_once(check, RightStep(), OwnStep(student), STAND_IN)


@grades(
    "train_epoch_step",
    requires="test_train_epoch_takes_one_step",
    builds_on=EARLIER,
    hint="Print x and y before and after a call: which line writes into them?",
)
def test_train_epoch_leaves_the_data_alone(student, generator, paid_once):
    """train_epoch leaves x and y as they were."""

    def check(basis):
        for count in (1, many(generator)):
            x, y = random_data(generator, count, 3)
            student.train_epoch(*random_model(student, generator, 3).kept, x, y, 0.5)
            facts = student.last_call
            allowed = basis.changes(y)
            facts.changed_inputs = [n for n in facts.changed_inputs if n not in allowed]
            assert_inputs_unchanged("train_epoch", facts)

    paid_once(check, RightStep(), OwnStep(student), STAND_IN)


def two_clouds(generator, count, size):
    """Points around two centres, of different numbers, that a line tells apart; the line does not
    pass through 0, so that a bias is needed."""
    direction = torch.randn(size, generator=generator)
    direction /= direction.norm()
    y = (torch.randperm(count, generator=generator) < 0.4 * count).long()
    centres = (2 + 1.5 * (2 * y - 1))[:, None] * direction
    return centres + 0.3 * torch.randn(count, size, generator=generator), y


@dataclass
class Training:
    """A small random model before and after 40 epochs on two clouds, and after as many right
    steps."""

    x: torch.Tensor
    y: torch.Tensor
    before: list[torch.Tensor]
    found: list[torch.Tensor]
    right: list[torch.Tensor]

    def losses(self, basis):
        """Before, after the student's epochs, and after right steps."""
        return [
            basis.loss(*model, self.x, self.y) for model in (self.before, self.found, self.right)
        ]

    def scores(self):
        """Of the same models, what they say of each example."""
        return [self.x @ w.float() + b.float() for w, b in (self.before, self.found, self.right)]


def after_right_steps(basis, model, x, y):
    if basis.moves(*model, x, y, LR):
        for _ in range(EPOCHS):
            model = [part.float() for part in basis.after(*model, x, y, LR)]
    return model


def trained(student, basis, generator):
    x, y = two_clouds(generator, whole_number(generator, 40, 400), 4)
    for _ in range(STARTS):
        before = [0.1 * torch.randn(4, generator=generator), torch.zeros(())]
        right = after_right_steps(basis, before, x, y)
        if basis.gets_on(before, right, x, y):
            break
    model = new_model(student, *before)
    student.repeating(EPOCHS).train_epoch(*model.kept, x, y, LR)
    found = [student.read(kept).value for kept in model.kept]
    return Training(x, y, before, found, right)


@grades(
    "train_epoch_learns",
    builds_on=EARLIER,
    hint="Watch the loss over many epochs. Where it does not fall: does each step go downhill, and"
    " does every epoch take one?",
)
def test_train_epoch_makes_the_loss_fall(student, generator, paid_once):
    """Over many epochs the loss of the model falls far below where it began."""

    def check(basis):
        before, found, right = trained(student, basis, generator).losses(basis)
        if isinstance(basis, RightStep):
            assert found < SLOW * right, f"the loss should fall to about {right}, got {found}"
        else:
            assert before - right > 0.01 * abs(before), "right steps do not lower the own loss"
            assert before - found > 0.5 * (before - right), (
                f"the own loss should fall from {before} to about {right}, got {found}"
            )

    paid_once(check, RightStep(), OwnStep(student), STAND_IN)


@grades(
    "train_epoch_learns",
    builds_on=EARLIER,
    hint="Train on two clouds of points that do not lie around 0, and look at weights and bias:"
    " do both of them learn?",
)
def test_train_epoch_tells_two_clouds_apart(student, generator, paid_once):
    """After many epochs the model gets nearly every example right."""

    def check(basis):
        training = trained(student, basis, generator)
        before, found, right = training.scores()
        if isinstance(basis, RightStep | StandInStep):
            share = ((found > 0) == (training.y == 1)).double().mean()
            assert share > 0.95, f"the model should get nearly every example right, got {share}"
        else:
            way, left = (right - before).abs().mean(), (right - found).abs().mean()
            assert way > 0.1, "right steps by the own functions hardly change what the model says"
            assert left < 0.5 * way, f"own steps lead to the scores {right}, got {found}"

    paid_once(check, RightStep(), OwnStep(student), STAND_IN)
