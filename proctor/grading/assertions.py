"""Assertions for graders: each says who, which rule, and what was got.

Their texts are for the instructor. A student sees the title and the hint of a check alone, so that
expected values and hidden inputs may stand here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from proctor.grading.connection import CallFacts, StudentError
from proctor.grading.student import Student

# By the dtype of the inputs: an absolute difference, and one per size of the largest input.
TOLERANCES = {torch.float32: (1e-5, 1e-6), torch.float64: (1e-9, 1e-12)}

FEW, MANY = 4, 64  # examples; a loop over them costs at least one operation for each


def tolerance(*inputs: torch.Tensor) -> float:
    """By how much a result may differ that was computed from these inputs."""
    floating = [tensor.detach() for tensor in inputs if tensor.is_floating_point()]
    dtype = torch.float32 if any(t.dtype == torch.float32 for t in floating) else torch.float64
    absolute, relative = TOLERANCES[dtype]
    largest = max((tensor.abs().max().item() for tensor in floating if tensor.numel()), default=0)
    return absolute + relative * largest


def assert_close(
    name: str, result: Any, expected: torch.Tensor, *inputs: torch.Tensor, within: float = 0.0
) -> None:
    """The result is a tensor with the shape and the values of `expected`, whatever its dtype.

    `inputs` set the tolerance, unless `within` gives a larger one.
    """
    assert isinstance(result, torch.Tensor), f"{name} should be a tensor, got {result!r}"
    assert result.shape == expected.shape, (
        f"{name} should have the shape {list(expected.shape)}, got {list(result.shape)}"
    )
    result, expected = result.detach().double(), expected.detach().double()
    assert result.isfinite().all(), f"{name} should be finite, got {result}"
    allowed = max(tolerance(*inputs), within)
    assert ((result - expected).abs() <= allowed).all(), (
        f"{name} should be {expected} within {allowed:.1e}, got {result}"
    )


def assert_dtype(name: str, result: Any, dtype: torch.dtype) -> None:
    assert isinstance(result, torch.Tensor), f"{name} should be a tensor, got {result!r}"
    assert result.dtype == dtype, f"{name} should keep {dtype}, got {result.dtype}"


def gradient_of(name: str, result: Any, tensor: torch.Tensor) -> torch.Tensor:
    """The gradient that reaches `tensor` from a result, summed where it holds several numbers."""
    assert isinstance(result, torch.Tensor), f"{name} should be a tensor, got {result!r}"
    assert result.requires_grad, f"{name} should be part of a graph, but it was cut off"
    # Not 1 comes from above, for a backward of the student's own that takes it for granted.
    (gradient,) = torch.autograd.grad(-2 * result.sum(), tensor, allow_unused=True)
    assert gradient is not None, f"{name} should depend on its input, but no gradient arrived"
    return gradient / -2


def as_vector(name: str, value: Any, length: int) -> torch.Tensor:
    """A constructed answer as a float64 vector: a tensor, a list or a tuple of numbers."""
    try:
        vector = torch.as_tensor(value, dtype=torch.float64).detach()
    except (TypeError, ValueError, OverflowError, RuntimeError):
        vector = None
    assert vector is not None, f"{name} should be a vector of numbers, got {value!r}"
    assert vector.shape == (length,), f"{name} should hold {length} numbers, got {value!r}"
    assert vector.isfinite().all(), f"{name} should be finite, got {value!r}"
    return vector


def as_number(name: str, value: Any) -> float:
    """An answer that is one number, or a tensor of shape [], as a Python float."""
    if isinstance(value, torch.Tensor):
        assert value.shape == (), f"{name} should be one number, got the shape {list(value.shape)}"
        value = value.item()
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    assert is_number and math.isfinite(value), f"{name} should be a finite number, got {value!r}"
    return float(value)


def assert_inputs_unchanged(name: str, facts: CallFacts) -> None:
    assert not facts.changed_inputs, (
        f"{name} should leave its inputs as they were, changed: {facts.changed_inputs}"
    )


def assert_no_host_copies(name: str, facts: CallFacts) -> None:
    """The last call, on the accelerator, brought no values to the host."""
    assert not facts.host_copies, (
        f"{name} should copy nothing to the host, but used {', '.join(facts.host_copies)}"
    )


# How a function works: these checks try it on one set of arguments. What fails on the CPU already
# is a matter of other checks, and lost once.


def assert_same_on_device(student: Student, name: str, *arguments: Any) -> None:
    """Called on the accelerator, a function returns there what it returns on the CPU."""
    here = result_if_any(student, name, *arguments)
    if here is None:
        return
    there = getattr(student.on_accelerator, name)(*arguments)
    devices = student.last_call.result_devices
    assert devices and "cpu" not in devices, (
        f"{name} should stay on its inputs' device, came back from {devices or 'none'}"
    )
    tensors = [argument for argument in arguments if isinstance(argument, torch.Tensor)]
    assert_close(f"{name} on the accelerator", there, here, *tensors)


def assert_same_gradient_on_device(
    student: Student, name: str, tensor: torch.Tensor, *others: Any
) -> None:
    """The gradient that reaches `tensor` on the accelerator is the one on the CPU, if any."""
    here = gradient_if_any(student, name, tensor, *others)
    there = gradient_if_any(student.on_accelerator, name, tensor, *others)
    assert (here is None) == (there is None), (
        f"the gradient of {name} should be the same on both devices: {there}, on the CPU {here}"
    )
    if here is not None:
        assert_close(f"the gradient of {name} on the accelerator", there, here, tensor)


def assert_no_loop(
    student: Student, name: str, few: Sequence[torch.Tensor], many: Sequence[torch.Tensor]
) -> None:
    """The number of torch operations hardly grows with the number of examples.

    `few` and `many` are the arguments for `FEW` and `MANY` examples. A mask that is empty in one of
    the batches may cost an operation more or less.
    """
    operations = []
    for arguments in (few, many):
        if result_if_any(student.counting_operations, name, *arguments) is None:
            return
        operations.append(student.last_call.operations)
    assert operations[1] - operations[0] < MANY - FEW, (
        f"{name} should not loop over the examples: {operations[0]} operations for {FEW} examples,"
        f" {operations[1]} for {MANY}"
    )


def result_if_any(student: Student, name: str, *arguments: Any) -> torch.Tensor | None:
    """What a call returns, None if it raises or returns no tensor."""
    try:
        result = getattr(student, name)(*arguments)
    except StudentError:
        return None
    return result if isinstance(result, torch.Tensor) else None


def gradient_if_any(
    student: Student, name: str, tensor: torch.Tensor, *others: Any
) -> torch.Tensor | None:
    """The gradient that reaches `tensor` from a call, None where there is none."""
    tracked = tensor.detach().clone().requires_grad_()
    result = result_if_any(student, name, tracked, *others)
    if result is None or not result.requires_grad:
        return None
    try:
        return torch.autograd.grad(result.sum(), tracked, allow_unused=True)[0]
    except StudentError:
        return None
