"""One call of something in the sandbox: its arguments go out as data, its result comes back as data
and takes part in autograd here.

`backward` asks the sandbox for the gradients of the very call that made a result. Nothing of the
student's is ever in this process: what is no data stays there, and comes as a number.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy
import torch
from torch.autograd.function import once_differentiable

from proctor.grading.connection import INVALID, Connection, Untrustworthy, call_facts, expect
from proctor.wire.errors import Malformed
from proctor.wire.tensors import DTYPES
from proctor.wire.values import Encoded, NamedTuple, Object, Source, decode, encode


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


def call(
    connection: Connection,
    manner: Manner,
    name: str,
    function: Any,
    positional: Sequence[Any] = (),
    keywords: dict[str, Any] | None = None,
    *,
    wrap: Callable[[Object], Any],
) -> Any:
    """Call `function` in the sandbox; errors speak of `name`. `wrap` makes something of objects
    that stay there.

    Raises a StudentError, or TypeError for what cannot be an argument.
    """
    arguments = Arguments()
    message = {
        "ask": "call",
        "number": next(connection.numbers),
        "function": arguments.encode(function),
        "positional": arguments.encode(list(positional)),
        "keywords": arguments.encode(dict(keywords or {})),
        "device": manner.device,
        "count_operations": manner.counting_operations,
        "times": manner.times,
        "grad": torch.is_grad_enabled(),
    }
    made = Call(connection, name, message, arguments.questions)
    # Stands for the parameters in the sandbox that a result may depend on.
    anchor = torch.zeros((), requires_grad=True).clone()
    results = Bridge.apply(made, anchor, *arguments.tensors)
    return made.assemble(results, wrap)


class Arguments:
    """Encodes what a grader passes, and gathers its tensors. Raises TypeError for what would not
    arrive as it is: a grader's error."""

    def __init__(self) -> None:
        self.tensors: list[torch.Tensor] = []
        self.questions: list[object] = []  # that the objects passed live in

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


@dataclass
class ResultTensor:
    """Stands for a tensor of a result until the tensors are in place; `is_array` for one that was a
    NumPy array, `gradient` is the place of a parameter's own."""

    index: int
    is_array: bool = False
    is_leaf: bool = False
    gradient: int | None = None


class Structure:
    """A result as it came, and what is told of each of its tensors. Raises Untrustworthy."""

    def __init__(self, encoded: Any, tensors: Sequence[torch.Tensor]):
        self.facts: list[dict[str, Any]] = []
        self.in_graph: list[bool] = []
        self.has_objects = False
        self._tensors = tensors
        kinds = {
            "tensor": self._tensor,
            "array": self._array,
            "object": self._object,
            "dtype": decode_dtype,
        }
        try:
            self.value = decode(encoded, kinds)
        except Malformed as error:
            raise Untrustworthy(INVALID, f"({error})") from error
        if len(self.in_graph) != len(tensors):
            raise Untrustworthy(INVALID)
        # Their graph leads back here, by a way that a collection of garbage does not see.
        self._tensors = ()

    def fill(self, tensors: Sequence[torch.Tensor], wrap: Callable[[Object], Any]) -> Any:
        return fill(self.value, tensors, wrap)

    def _next(self, encoded: list) -> tuple[int, dict[str, Any]]:
        index = len(self.in_graph)
        if len(encoded) != 3 or encoded[1] != index or index >= len(self._tensors):
            raise Malformed("a result's tensors are not numbered in order")
        if not isinstance(encoded[2], dict):
            raise Malformed("a result's tensor is not described")
        return index, encoded[2]

    def _tensor(self, encoded: list) -> ResultTensor:
        index, facts = self._next(encoded)
        tensor = self._tensors[index]
        leaf = facts.get("leaf") is True and tensor.is_floating_point()
        required = facts.get("requires_grad") is True and tensor.is_floating_point()
        self.facts.append(facts)
        self.in_graph.append(required and not leaf)
        if facts.get("has_gradient") is not True:
            return ResultTensor(index, is_leaf=leaf)
        if index + 1 >= len(self._tensors) or not leaf:
            raise Malformed("a gradient is missing")
        gradient = self._tensors[index + 1]
        if gradient.shape != tensor.shape or gradient.dtype != tensor.dtype:
            raise Malformed("a gradient has another shape or dtype than its tensor")
        self.in_graph.append(False)
        return ResultTensor(index, is_leaf=True, gradient=index + 1)

    def _object(self, encoded: list) -> Object:
        self.has_objects = True
        return decode_object(encoded)

    def _array(self, encoded: list) -> ResultTensor:
        index, _ = self._next(encoded)
        if self._tensors[index].dtype is torch.bfloat16:
            raise Malformed("an array was sent with an impossible dtype")
        self.in_graph.append(False)
        return ResultTensor(index, is_array=True)


def decode_object(encoded: list) -> Object:
    if len(encoded) != 3 or type(encoded[1]) is not int or type(encoded[2]) is not str:
        raise Malformed("an object was sent without its number")
    return Object(encoded[1], encoded[2][:80])


def decode_dtype(encoded: list) -> torch.dtype:
    found = getattr(torch, encoded[1], None) if type(encoded[1]) is str else None
    if not isinstance(found, torch.dtype):
        raise Malformed("what was sent as a dtype is not one")
    return found


def fill(value: Any, tensors: Sequence[torch.Tensor], wrap: Callable[[Object], Any]) -> Any:
    """A result with its tensors in place, and objects wrapped."""
    if isinstance(value, ResultTensor):
        return filled_tensor(value, tensors)
    if isinstance(value, Object):
        return wrap(value)
    if isinstance(value, NamedTuple):
        return NamedTuple(list(value.names), [fill(item, tensors, wrap) for item in value])
    if type(value) in (list, tuple):
        return type(value)(fill(item, tensors, wrap) for item in value)
    if isinstance(value, dict):
        return {key: fill(item, tensors, wrap) for key, item in value.items()}
    return value


def filled_tensor(place: ResultTensor, tensors: Sequence[torch.Tensor]) -> Any:
    tensor = tensors[place.index]
    if place.is_array:
        return tensor.numpy()
    if place.is_leaf:
        tensor = tensor.detach().requires_grad_()
        if place.gradient is not None:
            tensor.grad = tensors[place.gradient].detach()
    return tensor


class Call:
    """One call: sent once, its gradients asked for as often as needed."""

    def __init__(
        self, connection: Connection, name: str, message: dict[str, Any], questions: list[object]
    ):
        self.connection = connection
        self.name = name
        self.message = message
        self.questions = questions
        self.structure = Structure(["plain", None], [])  # until it was sent

    def send(self, arguments: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        reply, tensors = self.connection.ask(
            self.name, self.message, arguments, needs=self.questions
        )
        self.questions = [self.connection.question]
        self.structure = Structure(reply.get("result"), tensors)
        devices = [str(facts.get("device"))[:20] for facts in self.structure.facts]
        self.connection.last_call = call_facts(reply.get("facts"), devices)
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

    def assemble(self, results: Sequence[torch.Tensor], wrap: Callable[[Object], Any]) -> Any:
        return self.structure.fill(results, wrap)


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
        needed = ctx.needs_input_grad[2:]
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
