"""Assertions for graders: each says who, which rule, and what was got.

Their texts are for the instructor. A student sees the title and the hint of a check alone, so that
expected values and hidden inputs may stand here. A `Fault` says besides what a student may read in
place of the hint, where the fault is of a kind that the hint does not speak of.

They raise by themselves, without `assert`: Python leaves that out when it is told to optimize.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch

from proctor.grading.connection import CallFacts
from proctor.grading.handles import each
from proctor.grading.student import Student
from proctor.wire.values import Foreign

# By the dtype of the inputs: an absolute difference, and one per size of the largest input.
TOLERANCES = {torch.float32: (1e-5, 1e-6), torch.float64: (1e-9, 1e-12)}

DIGITS_OF_FLOAT32 = 1e-5  # a float64 that is off by less, in relation to its size, was one once


MOST_SHOWN = 20  # numbers of a tensor; of more, only those are told that matter


class Fault(AssertionError):
    """A fault of a known kind. `told` is what the student reads of it, followed by the check's own
    hint where `with_hint` says so; it holds no value and no input."""

    def __init__(self, text: str, told: str, with_hint: bool = False):
        super().__init__(text)
        self.told = told
        self.with_hint = with_hint


def whole_number(generator: torch.Generator, least: int, most: int) -> int:
    """A random whole number from `least` to `most`, both included."""
    return int(torch.randint(least, most + 1, (), generator=generator))


def sizes(generator: torch.Generator) -> list[int]:
    """Numbers of examples for one check: one, a few, some dozens and some hundreds.

    All checks take theirs from the same range, so that none of them tells a function which check
    is calling it: those of values, of gradients, and of how a function works.
    """
    return [
        1,
        whole_number(generator, 2, 9),
        whole_number(generator, 10, 100),
        whole_number(generator, 500, 1000),
    ]


def two_sizes(generator: torch.Generator) -> list[int]:
    """One or a few examples, and some hundreds: for what is tried in several forms."""
    return [whole_number(generator, 1, 4), whole_number(generator, 500, 1000)]


def tolerance(*inputs: torch.Tensor) -> float:
    """By how much a result may differ that was computed from these inputs."""
    floating = [tensor.detach() for tensor in inputs if tensor.is_floating_point()]
    dtype = torch.float32 if any(t.dtype == torch.float32 for t in floating) else torch.float64
    absolute, relative = TOLERANCES[dtype]
    largest = max((tensor.abs().max().item() for tensor in floating if tensor.numel()), default=0)
    return absolute + relative * largest


def assert_tensor(name: str, result: Any) -> None:
    if isinstance(result, torch.Tensor):
        return
    told = f"{called(name)} gave {kind_of(result)}, but a tensor is needed."
    if isinstance(result, int | float):
        told += " `.item()` and `float()` take a number out of torch and off its device."
    if result is None:
        told += " Does every path through your function end in a `return`?"
    raise Fault(f"{name} should be a tensor, got {result!r}", told)


def assert_shape(name: str, result: Any, shape: Sequence[int]) -> None:
    """The result is a tensor of this shape."""
    assert_tensor(name, result)
    shape = torch.Size(shape)
    if result.shape == shape:
        return
    told = f"{called(name)} gave a tensor of the wrong size."
    if result.dim() != len(shape):
        told = f"{called(name)} gave a tensor with {result.dim()} dimensions, not {len(shape)}."
    raise Fault(
        f"{name} should have the shape {list(shape)}, got {list(result.shape)}",
        told,
        with_hint=True,
    )


def assert_close(
    name: str, result: Any, expected: torch.Tensor, *inputs: torch.Tensor, within: float = 0.0
) -> None:
    """The result is a tensor with the shape and the values of `expected`, whatever its dtype.

    `inputs` set the tolerance, unless `within` gives a larger one.
    """
    assert_shape(name, result, expected.shape)
    result, expected = result.detach().double(), expected.detach().double()
    if not result.isfinite().all():
        told = f"{called(name)} is nan or infinite for some inputs."
        raise Fault(f"{name} should be finite, got {in_short(result)}", told, with_hint=True)
    allowed = max(tolerance(*inputs), within)
    differences = (result - expected).abs()
    if (differences <= allowed).all():
        return
    text = difference(name, result, expected, allowed)
    floating = [tensor.dtype for tensor in inputs if tensor.is_floating_point()]
    if floating and torch.float32 not in floating and is_rounding(differences, expected):
        told = f"{called(name)} is right, but not to all digits of float64: what rounds on the way?"
        raise Fault(text, told)
    raise AssertionError(text)


def in_short(result: torch.Tensor) -> str:
    if result.numel() <= MOST_SHOWN:
        return str(result)
    count = int((~result.isfinite()).sum())
    return f"{count} of {result.numel()} numbers that are nan or infinite"


def difference(name: str, result: torch.Tensor, expected: torch.Tensor, allowed: float) -> str:
    """What was expected and what came; of many numbers, where they are furthest apart."""
    if result.numel() <= MOST_SHOWN:
        return f"{name} should be {expected} within {allowed:.1e}, got {result}"
    apart = (result - expected).abs()
    worst = tuple(int(index) for index in torch.unravel_index(apart.argmax(), apart.shape))
    return (
        f"{name} should be as expected within {allowed:.1e}, but {int((apart > allowed).sum())} of "
        f"{apart.numel()} numbers are not. The worst, at {list(worst)}, should be "
        f"{expected[worst].item():.8g}, got {result[worst].item():.8g}"
    )


def is_rounding(differences: torch.Tensor, expected: torch.Tensor) -> bool:
    largest = expected.abs().max().item() if expected.numel() else 0.0
    return bool((differences <= DIGITS_OF_FLOAT32 * max(largest, 1e-3)).all())


def assert_agrees(
    name: str, result: Any, own: torch.Tensor, *inputs: torch.Tensor, within: float = 0.0
) -> None:
    """The result is what a student's own earlier function leads to: to the digits of float32, and
    nan or infinite where that is."""
    assert_shape(name, result, own.shape)
    within = max(within, tolerance(*(tensor.float() for tensor in inputs)))
    if not torch.allclose(
        result.detach().double(), own.detach().double(), 1e-5, within, equal_nan=True
    ):
        raise AssertionError(f"{name} should be {own} by the student's own function, got {result}")


def assert_dtype(name: str, result: Any, dtype: torch.dtype) -> None:
    assert_tensor(name, result)
    if result.dtype != dtype:
        given, came = (str(one).removeprefix("torch.") for one in (dtype, result.dtype))
        raise Fault(
            f"{name} should keep {dtype}, got {result.dtype}",
            f"{called(name)} made {came} of {given}: print the dtype of every step.",
        )


def gradient_of(name: str, result: Any, tensor: torch.Tensor) -> torch.Tensor:
    """The gradient that reaches `tensor` from a result, summed where it holds several numbers."""
    [gradient] = gradients_of(name, [result], [tensor])
    return gradient


def gradients_of(
    name: str, results: Iterable[Any], tensors: Sequence[torch.Tensor]
) -> list[torch.Tensor]:
    """The gradient that reaches each tensor from its own result. Those of results that came from
    `each` cross to the sandbox together."""
    results = list(results)
    for result in results:
        assert_tensor(name, result)
        if not result.requires_grad:
            raise Fault(
                f"{name} should be part of a graph, but it was cut off",
                f"{called(name)} does not remember how it was computed, so no gradient can flow:"
                " which step takes the numbers out of torch, detaches them, or only compares them?",
            )
    # Not 1 comes from above, for a backward of the student's own that takes it for granted.
    sums = [-2 * result.sum() for result in results]
    gradients = torch.autograd.grad(sums, tensors, allow_unused=True)
    if any(gradient is None for gradient in gradients):
        raise Fault(
            f"{name} should depend on its input, but no gradient arrived",
            f"`backward` runs, but no gradient reaches the input of {called(name)}: where does"
            " the way back end?",
        )
    return [gradient / -2 for gradient in gradients]


def assert_like(
    reference: Callable[..., torch.Tensor],
    function: Callable[..., Any],
    *arguments: Any,
    within: float = 0.0,
) -> None:
    """A student's function gives for these arguments what a library's, or your own, gives."""
    result, expected = function(*arguments), reference(*arguments)
    assert_close("the result", result, expected, *tensors_among(arguments), within=within)


def assert_gradients_like(
    reference: Callable[..., torch.Tensor],
    function: Callable[..., Any],
    *arguments: Any,
    within: float = 0.0,
) -> None:
    """The gradients of the arguments, for a weighted sum of the result, are those of the reference.
    Arguments that it does not depend on, and those that are no floating-point tensors, may have
    any."""
    ours = [tracked(argument) for argument in arguments]
    wanted = [tensor for tensor in tensors_among(ours) if tensor.requires_grad]
    expected, result = reference(*ours), function(*ours)
    assert_shape("the result", result, expected.shape)
    # Not all alike: the sum of what is normalised is always the same, so its gradient is 0.
    weights = torch.linspace(0.5, 1.5, expected.numel(), dtype=expected.dtype)
    weights = weights.reshape(expected.shape)
    total = (expected * weights).sum()
    gradients = torch.autograd.grad(total, wanted, allow_unused=True)
    for number, (tensor, gradient) in enumerate(zip(wanted, gradients, strict=True), start=1):
        if gradient is not None:
            name = "the gradient" if len(wanted) == 1 else f"the gradient of input {number}"
            found = gradient_of(name, result * weights, tensor)
            assert_close(name, found, gradient, *tensors_among(arguments), within=within)


def tracked(argument: Any) -> Any:
    """An argument that gradients can reach, if it is a tensor that can have one."""
    if isinstance(argument, torch.Tensor) and argument.is_floating_point():
        return argument.detach().clone().requires_grad_()
    return argument


def tensors_among(arguments: Sequence[Any]) -> list[torch.Tensor]:
    return [argument for argument in arguments if isinstance(argument, torch.Tensor)]


def as_vector(name: str, value: Any, length: int) -> torch.Tensor:
    """A constructed answer as a float64 vector: a tensor, a list or a tuple of numbers."""
    try:
        vector = torch.as_tensor(value, dtype=torch.float64).detach()
    except (TypeError, ValueError, OverflowError, RuntimeError):
        raise AssertionError(f"{name} should be a vector of numbers, got {value!r}") from None
    if vector.shape != (length,):
        raise AssertionError(f"{name} should hold {length} numbers, got {value!r}")
    if not vector.isfinite().all():
        raise AssertionError(f"{name} should be finite, got {value!r}")
    return vector


def as_number(name: str, value: Any) -> float:
    """An answer that is one number, or a tensor of shape [], as a Python float."""
    found = value
    if isinstance(found, torch.Tensor):
        if found.shape != ():
            text = f"{name} should be one number, got the shape {list(found.shape)}"
            raise Fault(
                text, f"{called(name)} should be one number; it gave several, or a container."
            )
        found = found.item()
    if not isinstance(found, int | float) or isinstance(found, bool):
        told = f"{called(name)} should be one number, but it is {kind_of(found)}."
        raise Fault(f"{name} should be a finite number, got {value!r}", told)
    if isinstance(found, float) and not math.isfinite(found):
        told = f"{called(name)} is nan or infinite for some inputs."
        raise Fault(f"{name} should be a finite number, got {value!r}", told, with_hint=True)
    try:
        return float(found)
    except OverflowError:
        raise AssertionError(f"{name} should be a finite number, got a huge one") from None


def called(name: str) -> str:
    """A name as a student reads it: what was written in code, as code."""
    return f"`{name}`" if name.isidentifier() else f"{name[:1].upper()}{name[1:]}"


KINDS = {
    "NoneType": "nothing (None)",
    "bool": "True or False",
    "int": "a plain number (int)",
    "float": "a plain number (float)",
    "str": "a text",
    "list": "a list",
    "tuple": "a tuple",
    "dict": "a dict",
    "ndarray": "a NumPy array",
    "a sparse tensor": "a sparse tensor",
}


def kind_of(value: Any) -> str:
    """What a value is, in words that no student can choose."""
    name = value.type_name if isinstance(value, Foreign) else type(value).__name__
    return KINDS.get(name, "something else")


# How a function works: claims of the sandbox, which count only beside a value that is right. In
# each of these calls `right(result, *arguments)` asserts that; what was not given is not right.


def assert_inputs_unchanged(name: str, facts: CallFacts) -> None:
    if facts.changed_inputs:
        raise AssertionError(
            f"{name} should leave its inputs as they were, changed: {facts.changed_inputs}"
        )


def assert_no_host_copies(name: str, facts: CallFacts) -> None:
    """The last call, on the accelerator, brought no values to the host."""
    if facts.host_copies:
        raise AssertionError(
            f"{name} should copy nothing to the host, but used {', '.join(facts.host_copies)}"
        )


def assert_right_on_device(
    student: Student, name: str, right: Callable[..., None], *arguments: Any
) -> CallFacts:
    """Called on the accelerator, a function gives the right result, and gives it there. Returns
    what is told of that call, for `assert_no_host_copies`."""
    result = getattr(student.on_accelerator, name)(*arguments)
    facts = student.last_call
    right(result, *arguments)
    assert_on_device(name, facts)
    return facts


def assert_on_device(name: str, facts: CallFacts) -> None:
    """The result of a call on the accelerator, which is right, stayed there."""
    if not facts.result_devices or "cpu" in facts.result_devices:
        raise AssertionError(
            f"{name} should stay on its inputs' device, came back from "
            f"{facts.result_devices or 'none'}"
        )


def assert_same_on_device(student: Student, name: str, *arguments: Any) -> None:
    """Called on the accelerator, a function returns there what it returns on the CPU. Whether that
    is right is for another check to say: this one `requires` it."""
    here = getattr(student, name)(*arguments)
    assert_tensor(name, here)

    def right(there: Any, *_: Any) -> None:
        assert_close(f"{name} on the accelerator", there, here, *tensors_among(arguments))

    assert_right_on_device(student, name, right, *arguments)


def assert_right_gradient_on_device(
    student: Student, name: str, right: Callable[..., None], tensor: torch.Tensor, *others: Any
) -> None:
    """On the accelerator, the right gradient reaches `tensor`."""
    tracked = tensor.detach().clone().requires_grad_()
    result = getattr(student.on_accelerator, name)(tracked, *others)
    right(gradient_of(name, result, tracked), tensor, *others)


def assert_no_loop(
    student: Student,
    name: str,
    right: Callable[..., None],
    *batches: Sequence[torch.Tensor],
) -> None:
    """The number of torch operations hardly grows with the number of examples.

    `batches` are arguments, the smallest batch first. A loop costs an operation or more for each
    example; a mask that is empty in one of the batches may cost one more or less.
    """
    counted = []
    results = each(getattr(student.counting_operations, name), batches)
    for arguments, result in zip(batches, results, strict=True):
        counted.append((len(arguments[0]), student.last_call.operations or 0))
        right(result, *arguments)
    (few, fewest), *larger = counted
    for many, operations in larger:
        if operations - fewest >= many - few:
            raise AssertionError(
                f"{name} should not loop over the examples: {fewest} operations for {few} examples,"
                f" {operations} for {many}"
            )
