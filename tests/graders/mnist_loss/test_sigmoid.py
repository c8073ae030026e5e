"""sigmoid(x): any shape, right and with finite gradients from -200 to 200."""

import torch

from proctor.authoring import (
    assert_close,
    assert_dtype,
    assert_inputs_unchanged,
    grades,
    gradient_of,
)

FLOATS = (torch.float32, torch.float64)
ENDS = (-200, -120, -89, -50, -25, -12, 12, 25, 50, 89, 120, 200)


def scores(generator, *shape, dtype=torch.float32):
    """Raw scores between -9 and 9."""
    return 18 * torch.rand(shape, generator=generator, dtype=dtype) - 9


def probabilities(x):
    """1 / (1 + exp(-x)) in float64, which holds exp(200)."""
    return 1 / (1 + (-x.detach().double()).exp())


def slopes(x):
    return probabilities(x) * probabilities(-x)


@grades(
    "sigmoid_values",
    weight=3,
    hint="What should become of a score of 0, of 2 and of -2? Put these numbers into your formula"
    " by hand.",
)
def test_sigmoid_squeezes(student, generator):
    """sigmoid turns raw scores into the right probabilities."""
    for x in (scores(generator, 20), torch.tensor([0.0, 1, -1]), scores(generator, 1)):
        assert_close("sigmoid", student.sigmoid(x), probabilities(x), x)


@grades(
    "sigmoid_values",
    requires="test_sigmoid_squeezes",
    hint="Does a step of yours count on a vector? Try one number, a table, and a stack of tables.",
)
def test_sigmoid_of_any_shape(student, generator):
    """sigmoid keeps the shape of its input, whatever it is."""
    for shape in ((), (1, 1), (6, 1), (3, 4), (2, 3, 2)):
        x = scores(generator, *shape)
        assert_close("sigmoid", student.sigmoid(x), probabilities(x), x)


@grades(
    "sigmoid_values",
    weight=2,
    requires="test_sigmoid_squeezes",
    hint="Look at every step of your formula for a score of -200 and of 200: which one leaves the"
    " range of its type?",
)
def test_sigmoid_at_both_ends(student):
    """sigmoid is right for very large and very small scores."""
    for dtype in FLOATS:
        x = torch.tensor(ENDS, dtype=dtype)
        assert_close("sigmoid", student.sigmoid(x), probabilities(x), x)
        for end in x:
            assert_close("sigmoid", student.sigmoid(end), probabilities(end), end)


@grades(
    "sigmoid_values",
    requires="test_sigmoid_squeezes",
    hint="Give your function float64 scores and print the dtype of every step.",
)
def test_sigmoid_keeps_the_dtype(student, generator):
    """sigmoid keeps float32 and float64, and all their digits."""
    for dtype in FLOATS:
        x = scores(generator, 10, dtype=dtype)
        result = student.sigmoid(x)
        assert_dtype("sigmoid", result, dtype)
        assert_close("sigmoid", result, probabilities(x), x)


@grades(
    "sigmoid_values",
    requires="test_sigmoid_squeezes",
    hint="Print the scores before and after a call: which line writes into them?",
)
def test_sigmoid_leaves_its_input_alone(student, generator):
    """sigmoid leaves the scores it was given as they were."""
    ends = torch.tensor(ENDS, dtype=torch.float32)
    for x in (scores(generator, 8), scores(generator, 4, 1, dtype=torch.float64), ends):
        student.sigmoid(x)
        assert_inputs_unchanged("sigmoid", student.last_call)


@grades(
    "sigmoid_gradient",
    weight=2,
    hint="Nudge a score by a little: how far does your probability move? Compare with what backward"
    " says, at 0 as well, and look for a step that cuts the graph or has a kink.",
)
def test_sigmoid_slopes(student, generator):
    """The gradient of sigmoid says what a nudge does to the probability."""
    for dtype in FLOATS:
        middle = torch.zeros(1, dtype=dtype)
        for x in (scores(generator, 12, dtype=dtype), scores(generator, 3, 2, dtype=dtype), middle):
            tracked = x.clone().requires_grad_()
            gradient = gradient_of("sigmoid", student.sigmoid(tracked), tracked)
            assert_close("the gradient", gradient, slopes(x), x)


@grades(
    "sigmoid_gradient",
    requires="test_sigmoid_slopes",
    hint="Where does a step on the way become inf, even if the result is fine? The gradient passes"
    " through every step, those of a branch not taken included.",
)
def test_sigmoid_slopes_at_both_ends(student):
    """The gradient of sigmoid is a finite number at both ends."""
    for dtype in FLOATS:
        tracked = torch.tensor(ENDS, dtype=dtype, requires_grad=True)
        gradient = gradient_of("sigmoid", student.sigmoid(tracked), tracked)
        assert_close("the gradient", gradient, slopes(tracked), tracked)
