"""where_by_hand(a, b, c): 1-D tensors, graded on values, shape and dtype."""

import pytest
import torch

from proctor.authoring import Fault, assert_dtype, assert_shape, each, grades, sizes, two_sizes

LARGEST = 2**62  # float64 cannot hold whole numbers as large


def vectors(generator, count, dtype=torch.float32):
    """A condition and two vectors. Each holds a 0, which Python takes for False."""
    condition = torch.rand(count, generator=generator) < 0.5
    if dtype.is_floating_point:
        both = torch.randn(2, count, generator=generator, dtype=dtype) * 10
    else:
        largest = min(LARGEST, torch.iinfo(dtype).max)
        both = torch.randint(-largest, largest, (2, count), generator=generator).to(dtype)
    first, second = both
    first[0] = 0
    if count > 1:
        second[1] = 0
    return condition, first, second


def assert_chosen(result, condition, first, second):
    """Every element is the very number that was there: choosing rounds nothing."""
    expected = torch.where(condition, first, second)
    assert_shape("where_by_hand", result, expected.shape)
    if torch.equal(result.to(expected.dtype), expected):
        return
    text = f"where_by_hand should be {expected}, got {result}"
    if torch.allclose(result.double(), expected.double(), 1e-4, 1e-4):
        raise Fault(
            text,
            "`where_by_hand` chooses the right elements, but rounds them: which type do they pass"
            " through on the way, and how many digits does it hold?",
        )
    raise AssertionError(text)


@grades(
    "where_by_hand_values",
    weight=2,
    hint="Walk through the three vectors side by side, on paper: which element do you take where"
    " the condition is True, and which where it is not?",
)
def test_where_by_hand_chooses(student, generator):
    """where_by_hand takes each element from the right vector."""
    choices = []
    for count in sizes(generator):
        condition, first, second = vectors(generator, count)
        choices += [(decisions, first, second) for decisions in (condition, ~condition)]
    for inputs, result in zip(choices, each(student.where_by_hand, choices), strict=True):
        assert_chosen(result, *inputs)


@grades(
    "where_by_hand_values",
    requires="test_where_by_hand_chooses",
    hint="Print the dtype of b and of your result: where on the way do the elements forget it?",
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int64])
def test_where_by_hand_keeps_the_dtype(student, generator, dtype):
    """where_by_hand keeps the type of the numbers, and all their digits."""
    choices = [vectors(generator, count, dtype) for count in two_sizes(generator)]
    for inputs, result in zip(choices, each(student.where_by_hand, choices), strict=True):
        assert_chosen(result, *inputs)
        assert_dtype("where_by_hand", result, dtype)
