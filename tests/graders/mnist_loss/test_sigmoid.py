"""sigmoid(x): any shape, right and with finite gradients from -200 to 200."""

import itertools

import torch

from proctor.authoring import (
    assert_close,
    assert_dtype,
    assert_inputs_unchanged,
    each,
    grades,
    gradients_of,
    sizes,
    two_sizes,
)

FLOATS = (torch.float32, torch.float64)
# How far from 0 scores may lie: some between any two of these.
RANGES = (0, 9, 16, 40, 90, 200)


def scores(generator, *shape, dtype=torch.float32):
    """Raw scores between -9 and 9."""
    return 18 * torch.rand(shape, generator=generator, dtype=dtype) - 9


def ends(generator, dtype=torch.float32):
    """Scores from the middle to both ends, no range left out, and the ends themselves."""
    chosen = [-200.0, 200.0]
    for least, most in itertools.pairwise(RANGES):
        for sign in (-1, 1):
            share = torch.rand(24, generator=generator, dtype=torch.float64)
            chosen += (sign * (least + share * (most - least))).tolist()
    chosen = torch.tensor(chosen, dtype=dtype)
    return chosen[torch.randperm(len(chosen), generator=generator)]


def probabilities(x):
    """1 / (1 + exp(-x)) in float64, which holds exp(200)."""
    return 1 / (1 + (-x.detach().double()).exp())


def slopes(x):
    return probabilities(x) * probabilities(-x)


def results_for(student, many):
    """Each of the scores, and what `sigmoid` makes of it."""
    return zip(many, each(student.sigmoid, [(x,) for x in many]), strict=True)


def assert_right(student, many):
    for x, result in results_for(student, many):
        assert_close("sigmoid", result, probabilities(x), x)


def assert_slopes(student, many):
    tracked = [x.clone().requires_grad_() for x in many]
    results = [result for _, result in results_for(student, tracked)]
    for x, gradient in zip(many, gradients_of("sigmoid", results, tracked), strict=True):
        assert_close("the gradient", gradient, slopes(x), x)


@grades(
    "sigmoid_values",
    weight=3,
    hint="What should become of a score of 0, of 2 and of -2? Put these numbers into your formula"
    " by hand.",
)
def test_sigmoid_squeezes(student, generator):
    """sigmoid turns raw scores into the right probabilities."""
    some = [scores(generator, count) for count in sizes(generator)]
    assert_right(student, [torch.tensor([0.0, 1, -1]), *some])


@grades(
    "sigmoid_values",
    requires="test_sigmoid_squeezes",
    hint="Does one of your steps assume a vector? Try one number, a table, and a stack of tables.",
)
def test_sigmoid_of_any_shape(student, generator):
    """sigmoid keeps the shape of its input, whatever it is."""
    shapes = ((), (1, 1), (6, 1), (3, 4), (2, 3, 2))
    assert_right(student, [scores(generator, *shape) for shape in shapes])


@grades(
    "sigmoid_values",
    weight=2,
    requires="test_sigmoid_squeezes",
    after="test_sigmoid_keeps_the_dtype",
    hint="Look at every step of your formula for a score of -200 and of 200: which one leaves the"
    " range of its type?",
)
def test_sigmoid_at_both_ends(student, generator, passed):
    """sigmoid is right for very large and very small scores."""
    for dtype in FLOATS if passed("test_sigmoid_keeps_the_dtype") else FLOATS[:1]:  # lost once
        x = ends(generator, dtype)
        assert_right(student, [x, x.min(), x.max(), x[0], x[1]])


@grades(
    "sigmoid_values",
    requires="test_sigmoid_squeezes",
    hint="Give your function float64 scores and print the dtype of every step.",
)
def test_sigmoid_keeps_the_dtype(student, generator):
    """sigmoid keeps float32 and float64, and all their digits."""
    many = [
        scores(generator, count, dtype=dtype) for dtype in FLOATS for count in two_sizes(generator)
    ]
    for x, result in results_for(student, many):
        assert_dtype("sigmoid", result, x.dtype)
        assert_close("sigmoid", result, probabilities(x), x)


@grades(
    "sigmoid_values",
    requires="test_sigmoid_squeezes",
    hint="Print the scores before and after a call: which line writes into them?",
)
def test_sigmoid_leaves_its_input_alone(student, generator):
    """sigmoid leaves the scores it was given as they were."""
    shapes = ((1,), (), (two_sizes(generator)[1],), (4, 1))
    many = [*(scores(generator, *shape) for shape in shapes), ends(generator)]
    for x, result in results_for(student, many):
        assert_inputs_unchanged("sigmoid", student.last_call)
        if result.shape == x.shape:  # lost once
            assert_close("sigmoid", result, probabilities(x), x, within=1e-4)


@grades(
    "sigmoid_gradient",
    weight=2,
    hint="Nudge a score by a little: how far does your probability move? Compare with what backward"
    " says, and look for a step that cuts the graph.",
)
def test_sigmoid_slopes(student, generator):
    """The gradient of sigmoid says what a nudge does to the probability."""
    shapes = (*((count,) for count in sizes(generator)), (3, 2))
    assert_slopes(student, [scores(generator, *shape) for shape in shapes])


@grades(
    "sigmoid_gradient",
    requires="test_sigmoid_slopes",
    hint="A score of exactly 0 is where many models start: does one of your steps have a kink"
    " there, where torch has to pick a slope?",
)
def test_sigmoid_slope_at_zero(student):
    """The gradient of sigmoid is right at a score of exactly 0."""
    assert_slopes(student, [torch.zeros(1), torch.tensor([0.0, 1, 0, -1])])


@grades(
    "sigmoid_gradient",
    requires="test_sigmoid_slopes",
    hint="Where does a step on the way become inf, even if the result is fine? The gradient passes"
    " through every step, those of a branch not taken included.",
)
def test_sigmoid_slopes_at_both_ends(student, generator):
    """The gradient of sigmoid is a finite number at both ends."""
    assert_slopes(student, [ends(generator)])


@grades(
    "sigmoid_gradient",
    requires="test_sigmoid_slopes",
    hint="Call backward with float64 scores, at both ends, too: does a step turn to float32, or"
    " become infinite?",
)
def test_sigmoid_slopes_in_float64(student, generator):
    """The gradient of sigmoid has all digits of float64, too."""
    some = scores(generator, two_sizes(generator)[1], dtype=torch.float64)
    assert_slopes(student, [some, ends(generator, torch.float64)])
