"""The `student` that graders call: a student's functions and variables, as if they were here.

Values and gradients come from the sandbox as data, and a result takes part in autograd: `backward`
asks the sandbox for the gradients of the very call that made it. What is told about *how* a result
came about (devices, host copies, number of operations, changed inputs) is the sandbox's claim.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.autograd.function import once_differentiable

from proctor.grading.connection import (
    CallFacts,
    Connection,
    Died,
    NotDefined,
    Raised,
    StudentError,
    TookTooLong,
    Untrustworthy,
    call_facts,
    expect,
)
from proctor.wire.errors import Malformed
from proctor.wire.tensors import DTYPES
from proctor.wire.values import Encoded, Foreign, Kept, Source, decode, encode


@dataclass(frozen=True)
class KeptTensor:
    """A kept tensor, read back: its value, its gradient, and what autograd says of it."""

    value: torch.Tensor
    gradient: torch.Tensor | None
    requires_grad: bool
    is_leaf: bool


@dataclass(frozen=True)
class Manner:
    """How calls are made: on which device, whether their torch operations are counted, and how
    many times in a row."""

    device: str = "cpu"
    counting_operations: bool = False
    times: int = 1


class Student:
    """The names of one submitted notebook: `student.mnist_loss(predictions, targets)`.

    A name gives a function to call, or the value of a variable (NumPy arrays arrive as tensors).
    Raises NotDefined for a name the notebook does not define.
    """

    def __init__(self, connection: Connection, manner: Manner | None = None):
        self._connection = connection
        self._manner = manner or Manner()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        function = StudentFunction(name, self._connection, self._manner)
        if name in self._connection.functions:
            return function
        reply, tensors = self._connection.ask(name, {"ask": "get", "name": name})
        if reply.get("found") is not True:
            raise NotDefined(f"`{name}` is not defined after the notebook has run.")
        if reply.get("callable") is True:
            self._connection.functions.add(name)
            return function
        value, _ = decode_result(reply.get("value"), tensors)
        return value

    def has(self, name: str) -> bool:
        """Whether the notebook defines `name`."""
        reply, _ = self._connection.ask(name, {"ask": "get", "name": name})
        return reply.get("found") is True

    @property
    def on_accelerator(self) -> Student:
        """The same student, called with its tensors on the (pretend) accelerator."""
        return self._with(device=self._connection.accelerator_device)

    @property
    def counting_operations(self) -> Student:
        """The same student, with the torch operations of each call counted."""
        return self._with(counting_operations=True)

    def repeating(self, times: int) -> Student:
        """The same student, each call made so many times in a row, on the same arguments: a loop
        of training crosses to the sandbox once. What comes back is the last call's result; all
        together they have the time of one call."""
        if times < 1:
            raise ValueError(f"a call cannot be made {times} times")
        return self._with(times=times)

    def _with(self, **changes: Any) -> Student:
        return Student(self._connection, dataclasses.replace(self._manner, **changes))

    @property
    def last_call(self) -> CallFacts:
        return self._connection.last_call

    def keep(self, tensor: torch.Tensor, requires_grad: bool = False) -> Kept:
        """Put a tensor into the sandbox, as a leaf that stays there between calls."""
        message = {"ask": "keep", "requires_grad": requires_grad, "device": self._manner.device}
        reply, _ = self._connection.ask("keep", message, [tensor])
        return Kept(expect(reply.get("kept"), int))

    def read(self, kept: Kept) -> KeptTensor:
        """Read back a kept tensor."""
        reply, tensors = self._connection.ask("read", {"ask": "read", "kept": kept.number})
        has_gradient = expect(reply.get("has_gradient"), bool)
        if len(tensors) != 1 + has_gradient:
            raise Untrustworthy("The answer was not as agreed.")
        return KeptTensor(
            tensors[0],
            tensors[1] if has_gradient else None,
            expect(reply.get("requires_grad"), bool),
            expect(reply.get("is_leaf"), bool),
        )

    @staticmethod
    def source(text: str) -> Source:
        """A function as an argument: a Python expression; `torch` is its only name."""
        return Source(text)


@dataclass
class StudentFunction:
    """A function of the student's notebook."""

    name: str
    connection: Connection
    manner: Manner

    def __call__(self, *positional: Any, **keywords: Any) -> Any:
        """Call it in the sandbox. Tensors in the result take part in autograd.

        Raises Raised, TookTooLong, Died, Untrustworthy. A result that is no tensor arrives as the
        number, text or container it is; what cannot cross arrives as `Foreign`, with its type.
        """
        check_arguments((positional, keywords))
        tensors: list[torch.Tensor] = []

        def encode_tensor(tensor: torch.Tensor) -> Encoded:
            tensors.append(tensor)
            return ["tensor", len(tensors) - 1, tensor.requires_grad and torch.is_grad_enabled()]

        message = {
            "ask": "call",
            "number": next(self.connection.numbers),
            "name": self.name,
            "positional": encode(list(positional), encode_tensor),
            "keywords": encode(keywords, encode_tensor),
            "device": self.manner.device,
            "count_operations": self.manner.counting_operations,
            "times": self.manner.times,
        }
        call = RemoteCall(self, message)
        results = Bridge.apply(call, *tensors)
        return call.assemble(results)


def check_arguments(value: Any) -> None:
    """Raise TypeError, a grader's error, for what would not arrive as it is."""
    if type(value) in (list, tuple):
        for item in value:
            check_arguments(item)
    elif type(value) is dict:
        check_arguments(list(value.items()))
    elif isinstance(value, torch.Tensor):
        if value.dtype not in DTYPES:
            raise TypeError(f"a tensor of {value.dtype} cannot be an argument")
    elif type(value) not in (bool, int, float, str, type(None), Source, Kept):
        raise TypeError(
            f"{type(value).__name__} cannot be an argument: only tensors, numbers, text, lists, "
            "tuples, dicts, and `student.source(...)` for functions can"
        )


@dataclass
class ResultTensor:
    """Stands for a tensor of a result until the tensors are in place."""

    index: int


def decode_result(encoded: Any, tensors: list[torch.Tensor]) -> tuple[Any, list[dict[str, Any]]]:
    """A result's value, and what is told of each of its tensors. Raises Untrustworthy."""
    structure, facts = decode_structure(encoded, tensors)
    return fill(structure, tensors), facts


def decode_structure(encoded: Any, tensors: list[torch.Tensor]) -> tuple[Any, list[dict[str, Any]]]:
    facts: list[dict[str, Any]] = []

    def decode_tensor(entry: list) -> ResultTensor:
        if len(entry) != 3 or entry[1] != len(facts) or entry[1] >= len(tensors):
            raise Malformed("a result's tensors are not numbered in order")
        if not isinstance(entry[2], dict):
            raise Malformed("a result's tensor is not described")
        facts.append(entry[2])
        return ResultTensor(len(facts) - 1)

    try:
        structure = decode(encoded, decode_tensor)
    except Malformed as error:
        raise Untrustworthy("The answer was not as agreed.", f"({error})") from error
    if len(facts) != len(tensors):
        raise Untrustworthy("The answer was not as agreed.")
    return structure, facts


def fill(structure: Any, tensors: Sequence[torch.Tensor]) -> Any:
    if isinstance(structure, ResultTensor):
        return tensors[structure.index]
    if isinstance(structure, list | tuple):
        return type(structure)(fill(item, tensors) for item in structure)
    if isinstance(structure, dict):
        return {key: fill(item, tensors) for key, item in structure.items()}
    return structure


class RemoteCall:
    """One call of a student's function: sent once, its gradients asked for as often as needed."""

    def __init__(self, function: StudentFunction, message: dict[str, Any]):
        self.function = function
        self.message = message
        self.structure: Any = None
        self.differentiable: list[bool] = []

    def send(self, arguments: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        connection = self.function.connection
        reply, tensors = connection.ask(self.function.name, self.message, arguments)
        self.structure, described = decode_structure(reply.get("result"), tensors)
        self.differentiable = [
            facts.get("requires_grad") is True and tensor.is_floating_point()
            for facts, tensor in zip(described, tensors, strict=True)
        ]
        devices = [str(facts.get("device"))[:20] for facts in described]
        connection.last_call = call_facts(reply.get("facts"), devices)
        return tensors

    def gradients(
        self, upstream: Sequence[torch.Tensor], arguments: Sequence[tuple[torch.Size, torch.dtype]]
    ) -> list[torch.Tensor | None]:
        """The gradients of the arguments that asked for one. None: it does not depend on it."""
        message = {"ask": "backward", "number": self.message["number"]}
        connection = self.function.connection
        reply, tensors = connection.ask(self.function.name, message, upstream)
        present = expect(reply.get("present"), list)
        if len(present) != len(arguments) or sum(map(bool, present)) != len(tensors):
            raise Untrustworthy("The answer was not as agreed.")
        found = iter(tensors)
        gradients = [next(found) if there else None for there in present]
        for gradient, (shape, dtype) in zip(gradients, arguments, strict=True):
            if gradient is not None and (gradient.shape != shape or gradient.dtype != dtype):
                raise Untrustworthy("A gradient has another shape or dtype than its input.")
        return gradients

    def assemble(self, results: Sequence[torch.Tensor]) -> Any:
        return fill(self.structure, results)


class Bridge(torch.autograd.Function):
    """Makes a call in the sandbox one differentiable operation here."""

    @staticmethod
    def forward(ctx, call: RemoteCall, *arguments: torch.Tensor) -> tuple[torch.Tensor, ...]:
        results = call.send(arguments)
        ctx.call = call
        ctx.arguments = [(tensor.shape, tensor.dtype) for tensor in arguments]
        detached = [
            result
            for result, differentiable in zip(results, call.differentiable, strict=True)
            if not differentiable
        ]
        ctx.mark_non_differentiable(*detached)
        return tuple(results)

    @staticmethod
    @once_differentiable  # the sandbox sends gradients, not their graph
    def backward(ctx, *upstream: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        wanted = [index for index, needed in enumerate(ctx.needs_input_grad[1:]) if needed]
        sent = [
            gradient
            for gradient, differentiable in zip(upstream, ctx.call.differentiable, strict=True)
            if differentiable
        ]
        found = ctx.call.gradients(sent, [ctx.arguments[index] for index in wanted])
        gradients: list[torch.Tensor | None] = [None] * len(ctx.arguments)
        for index, gradient in zip(wanted, found, strict=True):
            gradients[index] = gradient
        return None, *gradients


__all__ = [
    "CallFacts",
    "Connection",
    "Died",
    "Foreign",
    "Kept",
    "KeptTensor",
    "NotDefined",
    "Raised",
    "Student",
    "StudentError",
    "StudentFunction",
    "TookTooLong",
    "Untrustworthy",
]
