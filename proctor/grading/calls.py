"""One call of something in the sandbox: its arguments go out as data, its result comes back as data
and takes part in autograd here.

`backward` asks the sandbox for the gradients of the very call that made a result. Nothing of the
student's is ever in this process: what is no data stays there, and comes as a number.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy
import torch
from torch.autograd.function import once_differentiable

from proctor.grading.connection import (
    INVALID,
    CallFacts,
    Connection,
    Untrustworthy,
    call_facts,
    expect,
)
from proctor.grading.structure import Structure
from proctor.wire import at_once
from proctor.wire.errors import Malformed
from proctor.wire.tensors import DTYPES
from proctor.wire.values import Encoded, Object, Source, encode


@dataclass(frozen=True)
class Manner:
    """How calls are made: on which device, whether their torch operations are counted, and how
    many times in a row."""

    device: str = "cpu"
    counting_operations: bool = False
    times: int = 1


class Device:
    """Stands for the device of the call that it is passed to."""

    def __repr__(self) -> str:
        return "student.device"


@dataclass(frozen=True)
class Held:
    """What is known here of something in the sandbox.

    `path` is how the grader came by it, for errors: nothing of the student's is in it. `encoded` is
    how the sandbox knows it, `question` the one that it lives in (None for a name of the notebook,
    which every question has).
    """

    connection: Connection
    manner: Manner
    path: str
    encoded: Encoded
    question: object | None = None
    type_name: str = ""


class Reference:
    """Something in the sandbox that can be passed on."""

    _held_in_sandbox: Held


Wrap = Callable[[Object], Any]  # makes something of an object that stays in the sandbox


def call(
    connection: Connection,
    manner: Manner,
    name: str,
    function: Any,
    positional: Sequence[Any] = (),
    keywords: dict[str, Any] | None = None,
    *,
    wrap: Wrap,
) -> Any:
    """Call `function` in the sandbox; errors speak of `name`.

    Raises a StudentError, or TypeError for what cannot be an argument.
    """
    arguments = Arguments()
    one = arguments.of_call(function, positional, keywords or {})
    return next(made_at_once(connection, manner, name, [one], arguments, wrap))


def call_each(
    connection: Connection,
    manner: Manner,
    name: str,
    function: Any,
    batches: Sequence[Sequence[Any]],
    *,
    wrap: Wrap,
) -> Iterator[Any]:
    """Call `function` with each of the batches, one after the other, in as few messages as hold
    them. What a call raises comes when it is its turn, and what is told of the last call is of the
    one whose result came last."""
    left, own = list(batches), Arguments()
    own.encode(function)
    while left:
        arguments, calls = Arguments(), []
        for batch in left[: connection.most_at_once]:
            calls.append(arguments.of_call(function, batch, {}))
            if sum(tensor.nbytes for tensor in arguments.tensors) > at_once.MOST_BYTES:
                break
        if len(calls) > 1 and len(arguments.questions) > len(calls) * len(own.questions):
            raise TypeError("what stays in the sandbox is passed to one call at a time")
        for result in made_at_once(connection, manner, name, calls, arguments, wrap):
            left.pop(0)
            yield result


def made_at_once(
    connection: Connection,
    manner: Manner,
    name: str,
    calls: list[list[Encoded]],
    arguments: Arguments,
    wrap: Wrap,
) -> Iterator[Any]:
    """The results of those calls of one message that were made, at least of the first."""
    message = {
        "ask": "call",
        "number": next(connection.numbers),
        "calls": calls,
        "device": manner.device,
        "count_operations": manner.counting_operations,
        "times": manner.times,
        "grad": torch.is_grad_enabled(),
    }
    made = Call(connection, name, message, arguments)
    # Stands for the parameters in the sandbox that a result may depend on.
    anchor = torch.zeros((), requires_grad=True).clone()
    tensors = Bridge.apply(made, anchor, *arguments.tensors)
    for facts, result in zip(made.facts, made.structure.fill(tensors, wrap), strict=True):
        connection.last_call = facts
        yield result
    if made.ended is not None:
        raise made.ended


class Arguments:
    """Encodes what a grader passes, and gathers its tensors. Raises TypeError for what would not
    arrive as it is: a grader's error."""

    def __init__(self) -> None:
        self.tensors: list[torch.Tensor] = []
        self.questions: list[object] = []  # that the objects passed live in
        self.ends: list[int] = []  # how many tensors there are with each call

    def of_call(
        self, function: Any, positional: Sequence[Any], keywords: dict[str, Any]
    ) -> list[Encoded]:
        call = [self.encode(function), self.encode(list(positional)), self.encode(dict(keywords))]
        self.ends.append(len(self.tensors))
        return call

    def encode(self, value: Any) -> Encoded:
        try:
            return encode(value, self._other)
        except Malformed as error:
            raise TypeError(f"this cannot be an argument: {error}") from error

    def _other(self, value: Any, depth: int) -> Encoded:
        if isinstance(value, torch.Tensor):
            return self._tensor(value)
        if isinstance(value, Reference):
            held = value._held_in_sandbox
            if held.question is not None:
                self.questions.append(held.question)
            return held.encoded
        if isinstance(value, numpy.generic):
            return encode(value.item(), self._other, depth)
        if isinstance(value, numpy.ndarray) and value.dtype.kind in "biuf":
            return ["array", self._add(torch.from_numpy(value.copy()))]
        if isinstance(value, torch.Size):
            return encode(tuple(value), self._other, depth)
        if isinstance(value, Source):
            return ["source", value.text]
        if isinstance(value, Device):
            return ["device", None]
        if isinstance(value, torch.device) and value.type == "cpu":
            return ["source", "torch.device('cpu')"]
        if isinstance(value, torch.dtype):
            return ["dtype", str(value).removeprefix("torch.")]
        if isinstance(value, torch.Generator):
            return ["generator", self._add(value.get_state())]
        if isinstance(value, slice):
            parts = [value.start, value.stop, value.step]
            return ["slice", encode(parts, self._other, depth + 1)]
        if value is ...:
            return ["ellipsis", None]
        place = importable_name(value)
        if place is not None:
            return ["import", *place]
        raise TypeError(
            f"{type(value).__name__} cannot be an argument. These can: plain data, tensors, NumPy "
            "arrays, what came from the student, functions and classes of libraries, and, for "
            "other functions, `student.source(...)`"
        )

    def _tensor(self, tensor: torch.Tensor) -> Encoded:
        index = self._add(tensor)
        return ["tensor", index, tensor.requires_grad and torch.is_grad_enabled()]

    def _add(self, tensor: torch.Tensor) -> int:
        if tensor.dtype not in DTYPES or tensor.layout is not torch.strided:
            what = f"{tensor.dtype}, {tensor.layout}"
            raise TypeError(f"a tensor of {what} cannot be an argument")
        self.tensors.append(tensor)
        return len(self.tensors) - 1


def importable_name(value: Any) -> tuple[str, str] | None:
    """Where a library has this function, class or module; None for the grader's own."""
    if isinstance(value, ModuleType):
        return (value.__name__, "") if found_at(value.__name__, "") is value else None
    name, simple = getattr(value, "__qualname__", None), getattr(value, "__name__", None)
    # torch.relu and its like do not say where they are from.
    for module, found in ((getattr(value, "__module__", None), name), ("torch", simple)):
        if isinstance(module, str) and isinstance(found, str) and found_at(module, found) is value:
            return module, found
    return None


def found_at(module: str, name: str) -> Any:
    if module == "__main__" or module.startswith("test_"):
        return None
    try:
        found = importlib.import_module(module)
        for part in name.split(".") if name else ():
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError):
        return None
    return found


class Call:
    """Calls of one message: sent once, their gradients asked for as often as needed. `ended` is
    what the one after those that gave something came to, if it was made."""

    def __init__(
        self, connection: Connection, name: str, message: dict[str, Any], arguments: Arguments
    ):
        self.connection = connection
        self.name = name
        self.message = message
        self.questions = arguments.questions
        self.ends = arguments.ends
        self.used = 0  # of the tensors passed, by the calls that were made
        self.structure = Structure([], [])  # until it was sent
        self.facts: list[CallFacts] = []
        self.ended: Exception | None = None

    def send(self, arguments: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        reply, tensors = self.connection.ask(
            self.name, self.message, arguments, needs=self.questions
        )
        self.questions = [self.connection.question]
        self.ended = self.connection.ended
        results, facts = expect(reply.get("results"), list), expect(reply.get("facts"), list)
        if not 1 <= len(results) == len(facts) <= len(self.message["calls"]):
            raise Untrustworthy(INVALID)
        self.used = self.ends[len(results) - 1]
        self.structure = Structure(results, tensors)
        for told, described in zip(facts, self.structure.facts, strict=True):
            devices = [str(tensor.get("device"))[:20] for tensor in described]
            self.facts.append(call_facts(told, devices))
        return tensors

    def gradients(
        self,
        upstream: Sequence[torch.Tensor],
        arguments: Sequence[tuple[torch.Size, torch.dtype]],
        *,
        accumulate: bool,
    ) -> list[torch.Tensor | None]:
        """The gradients of the arguments that asked for one. None: it does not depend on it."""
        results = [index for index, inside in enumerate(self.structure.in_graph) if inside]
        message = {
            "ask": "backward",
            "number": self.message["number"],
            "results": results,
            "accumulate": accumulate,
        }
        reply, tensors = self.connection.ask(self.name, message, upstream, needs=self.questions)
        present = expect(reply.get("present"), list)
        if len(present) != len(arguments) or sum(map(bool, present)) != len(tensors):
            raise Untrustworthy(INVALID)
        found = iter(tensors)
        gradients = [next(found) if there else None for there in present]
        for gradient, (shape, dtype) in zip(gradients, arguments, strict=True):
            if gradient is not None and (gradient.shape != shape or gradient.dtype != dtype):
                raise Untrustworthy("A gradient has another shape or dtype than its input.")
        return gradients


class Bridge(torch.autograd.Function):
    """Makes a call in the sandbox one differentiable operation here."""

    @staticmethod
    def forward(
        ctx: Any, call: Call, anchor: torch.Tensor, *arguments: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        results = call.send(arguments)
        ctx.call = call
        ctx.arguments = [(tensor.shape, tensor.dtype) for tensor in arguments]
        in_graph = call.structure.in_graph
        detached = [tensor for tensor, inside in zip(results, in_graph, strict=True) if not inside]
        ctx.mark_non_differentiable(*detached)
        return tuple(results)

    @staticmethod
    @once_differentiable  # the sandbox sends gradients, not their graph
    def backward(ctx: Any, *upstream: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        needed = ctx.needs_input_grad[2 : 2 + ctx.call.used]
        wanted = [index for index, is_needed in enumerate(needed) if is_needed]
        in_graph = ctx.call.structure.in_graph
        sent = [gradient for gradient, inside in zip(upstream, in_graph, strict=True) if inside]
        # `backward` reaches the anchor, as it would reach parameters; `autograd.grad` does not.
        anchor = ctx.next_functions[0][0]
        accumulate = anchor is not None and torch._C._will_engine_execute_node(anchor)
        found = ctx.call.gradients(
            sent, [ctx.arguments[index] for index in wanted], accumulate=accumulate
        )
        gradients: list[torch.Tensor | None] = [None] * len(ctx.arguments)
        for index, gradient in zip(wanted, found, strict=True):
            gradients[index] = gradient
        return None, None, *gradients
