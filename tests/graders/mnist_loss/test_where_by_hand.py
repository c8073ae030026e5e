"""where_by_hand(a, b, c): 1-D tensors, graded on values, shape and dtype."""

import pytest
import torch

from proctor.authoring import assert_close, assert_dtype, grades


def vectors(generator, count, dtype=torch.float32):
    """A condition and two vectors. Each holds a 0, which Python takes for False."""
    condition = torch.rand(count, generator=generator) < 0.5
    first, second = torch.randn(2, count, generator=generator, dtype=torch.float64) * 10
    first[0] = 0
    if count > 1:
        second[1] = 0
    return condition, first.to(dtype), second.to(dtype)


def chosen(condition, first, second):
    return torch.where(condition, first, second)


@grades(
    "where_by_hand_values",
    weight=2,
    hint="Walk through the three vectors side by side, on paper: which element do you take where"
    " the condition is True, and which where it is not?",
)
@pytest.mark.parametrize("count", [1, 5, 12])
def test_where_by_hand_chooses(student, generator, count):
    """where_by_hand takes each element from the right vector."""
    condition, first, second = vectors(generator, count)
    for decisions in (condition, ~condition):
        result = student.where_by_hand(decisions, first, second)
        assert_close("where_by_hand", result, chosen(decisions, first, second), first, second)


@grades(
    "where_by_hand_values",
    requires="test_where_by_hand_chooses",
    hint="Print the dtype of b and of your result: where on the way do the elements forget it?",
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int64])
def test_where_by_hand_keeps_the_dtype(student, generator, dtype):
    """where_by_hand keeps the type of the numbers."""
    arguments = vectors(generator, 7, dtype)
    result = student.where_by_hand(*arguments)
    assert_close("where_by_hand", result, chosen(*arguments), *arguments)
    assert_dtype("where_by_hand", result, dtype)
