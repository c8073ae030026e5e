"""slope(f, x_old, x_new) and flat_fraction(f, xs, step), on functions of one number."""

import pytest
import torch

from proctor.authoring import grades

# Any of them takes a Python number or a tensor, and is exact where a share is counted.
LINE = "lambda x: 5 - 2.5 * x"
PARABOLA = "lambda x: 0.5 * x * x - x"
CUBE = "lambda x: x * x * x"
CONSTANT = "lambda x: 0 * x - 3.5"
STAIRS = "lambda x: 4 - x // 0.5"
ANSWERS = "lambda x: (x > 0.3) * 1.0"  # of one example, as accuracy counts it
BEND = "lambda x: abs(x) - x - 2"
GENTLE = "lambda x: 0.0002 * x"

STAIRS_POINTS = (-1.85, -1.56, -0.7, -0.45, 0.05, 0.43, 0.57, 0.95)


def number(name, result):
    """A result that may be a Python number or a tensor of shape [], as a Python number."""
    if isinstance(result, torch.Tensor):
        assert result.shape == (), f"{name} should be one number, got the shape {result.shape}"
        result = result.item()
    assert isinstance(result, int | float), f"{name} should be a number, got {result!r}"
    return float(result)


def assert_slope(student, text, x_old, x_new, expected):
    result = number("slope", student.slope(student.source(text), x_old, x_new))
    assert abs(result - expected) <= 1e-5, (
        f"slope of {text} from {x_old} to {x_new} should be {expected}, got {result}"
    )


@grades(
    "slope_values",
    weight=3,
    hint="Draw a line through two points of the curve: by how much does it rise, by how much does x"
    " run, and which of the two is divided by the other?",
)
@pytest.mark.parametrize(
    ("text", "x_old", "x_new", "expected"),
    [
        (LINE, -1.0, 3.0, -2.5),
        (PARABOLA, 1.0, 4.0, 1.5),
        (PARABOLA, -2.5, -0.5, -2.5),
        (CUBE, 0.0, 3.0, 9.0),
        (CUBE, -0.5, 0.25, 0.1875),
        (CONSTANT, 2.0, 7.0, 0.0),
        (STAIRS, 0.2, 0.8, -1 / 0.6),
        (LINE, 1, 5, -2.5),
    ],
)
def test_slope_is_rise_over_run(student, text, x_old, x_new, expected):
    """slope is rise over run between two places, near or far."""
    assert_slope(student, text, x_old, x_new, expected)


@grades(
    "slope_values",
    weight=2,
    requires="test_slope_is_rise_over_run",
    hint="Walk the same way backwards: rise and run both change their sign. Does your formula let"
    " them?",
)
def test_slope_backwards(student):
    """slope is right when the new place lies before the old one."""
    assert_slope(student, LINE, 3.0, -1.0, -2.5)
    assert_slope(student, CUBE, 3.0, 0.0, 9.0)
    assert_slope(student, PARABOLA, 4.0, 1.0, 1.5)


@grades(
    "slope_values",
    requires="test_slope_is_rise_over_run",
    hint="Give your function tensors of shape [] for the two places: does a step of yours count on"
    " Python's own numbers?",
)
def test_slope_of_tensors(student):
    """slope takes tensors of shape [] as well as Python numbers."""
    for dtype in (torch.float32, torch.float64):
        for x_old, x_new, expected in ((1.0, 4.0, 1.5), (0.5, -2.0, -1.75)):
            places = (torch.tensor(x, dtype=dtype) for x in (x_old, x_new))
            assert_slope(student, PARABOLA, *places, expected)


def assert_flat_share(student, text, points, step, expected):
    xs = torch.tensor(points, dtype=torch.float64)
    result = number("flat_fraction", student.flat_fraction(student.source(text), xs, step))
    assert abs(result - expected) <= 1e-5, (
        f"the share of flat points of {text} at {points}, step {step}, should be {expected},"
        f" got {result}"
    )


@grades(
    "flat_fraction_values",
    weight=3,
    builds_on="test_slope_is_rise_over_run",
    hint="Take a staircase and five points on paper. From which of them does a step end at another"
    " height? Only the rest are flat, and the share is out of all five.",
)
@pytest.mark.parametrize(
    ("text", "points", "step", "expected"),
    [
        (STAIRS, STAIRS_POINTS, 0.1, 5 / 8),
        (STAIRS, STAIRS_POINTS, 0.01, 1),
        (STAIRS, STAIRS_POINTS, 0.3, 4 / 8),
        (ANSWERS, (0.1, 0.28, 0.31, 0.32, 0.6), -0.05, 3 / 5),
        (ANSWERS, (0.1, 0.27, 0.28, 0.31, 0.6), 0.04, 3 / 5),
        (ANSWERS, (0.25, 0.28), 0.1, 0),
        (CONSTANT, (1.0, 2.0, 4.0), 0.5, 1),
        (CONSTANT, (2.5,), 0.1, 1),
    ],
)
def test_flat_fraction_of_stairs(student, text, points, step, expected):
    """flat_fraction is the share of points from which a step changes nothing."""
    assert_flat_share(student, text, points, step, expected)


@grades(
    "flat_fraction_values",
    weight=2,
    builds_on="test_slope_is_rise_over_run",
    requires="test_flat_fraction_of_stairs",
    hint="Is 0.001 the same as 0 for your function, is downhill, or is a place where the function"
    " itself is 0?",
)
@pytest.mark.parametrize(
    ("text", "points", "step", "expected"),
    [
        (GENTLE, (-1.0, 0.0, 1.0, 2.0), 0.01, 0),
        (GENTLE, (-1.0, 0.0, 1.0, 2.0), 0.001, 0),
        ("lambda x: 1e-12 * x", (-1.0, 0.0, 1.0, 2.0), 0.25, 0),
        ("lambda x: -0.0002 * x", (-1.0, 0.0, 1.0, 2.0), 0.01, 0),
        (BEND, (-4.0, -3.0, -1.0, 0.5, 2.0, 3.5), 0.25, 3 / 6),
        (PARABOLA, (-1.0, 0.0, 0.5, 3.0), 1.0, 1 / 4),
        (CUBE, (-1.0, 0.0, 2.0), 0.125, 0),
    ],
)
def test_flat_fraction_counts_exact_zeros_alone(student, text, points, step, expected):
    """flat_fraction counts slopes of exactly 0 alone: nearly flat is not flat."""
    assert_flat_share(student, text, points, step, expected)
