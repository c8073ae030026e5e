"""A question: a fork of a session that calls the student's functions on the grader's arguments."""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch

from proctor.inside import accelerator, like_cuda
from proctor.inside.operations import OPERATIONS
from proctor.inside.outputs import Outputs
from proctor.inside.results import Objects, Results, as_tensors, describe_error, to_host
from proctor.inside.shell import Shell, time_limit
from proctor.wire.errors import Malformed, WireError
from proctor.wire.frames import Channel
from proctor.wire.values import Encoded, TooLarge, decode


def end_forks_of(process: int) -> None:
    """A cell or a function that forks goes on twice from there: only one may answer."""
    if os.getpid() != process:
        os._exit(0)


class NotAnArgument(Exception):
    """What the grader passes cannot be had here: not the student's fault."""


@dataclass
class Call:
    """A finished call whose graph is kept for `backward`.

    `wanted` are the arguments whose gradients the grader may ask for.
    """

    wanted: list[torch.Tensor]
    results: list[torch.Tensor]


@dataclass
class Reply:
    message: dict[str, Any]
    tensors: list[torch.Tensor] = field(default_factory=list)


class Question:
    """One fork of a session: calls the student's functions on the grader's arguments."""

    def __init__(self, shell: Shell, channel: Channel):
        self.shell = shell
        self.channel = channel
        self.calls: dict[int, Call] = {}
        self.objects = Objects()
        self.kept: dict[int, torch.Tensor] = {}

    def serve(self) -> None:
        answers: dict[str, Callable[[dict, list[torch.Tensor]], Reply]] = {
            "run": self.run,
            "bind": self.bind,
            "get": self.get,
            "call": self.call,
            "backward": self.backward,
            "keep": self.keep,
            "read": self.read,
        }
        process = os.getpid()
        while True:
            try:
                message, tensors = self.channel.receive()
            except WireError:
                os._exit(0)
            self.shell.outputs = Outputs()  # what is printed now could show a hidden input
            try:
                with time_limit(message["seconds"], "the call"):
                    own = self.take_kept(message, tensors)
                    reply = answers[message["ask"]](message, own)
            except NotAnArgument as error:
                reply = Reply({"not_an_argument": str(error)[:500]})
            except TooLarge as error:
                reply = Reply({"too_large": str(error)[:500]})
            except BaseException as error:  # noqa: BLE001 - whatever the student's code raises
                reply = Reply({"raised": describe_error(error)})
            end_forks_of(process)
            try:
                self.send(reply)
            except WireError:
                os._exit(0)

    def send(self, reply: Reply) -> None:
        try:
            self.channel.send(reply.message, reply.tensors)
        except Malformed as error:  # too large, or a tensor that is none
            self.channel.send({"too_large": str(error)[:500]})

    def run(self, message: dict, _tensors: list[torch.Tensor]) -> Reply:
        """Run one more cell, in this question alone."""
        self.shell.run(message["source"], message["seconds"])
        return Reply({})

    def bind(self, message: dict, tensors: list[torch.Tensor]) -> Reply:
        """Give a name of the notebook to what the grader passes, in this question alone."""
        arguments = self.arguments(tensors, "cpu")
        self.shell.user_ns[message["name"]] = arguments.decode(message["value"])
        return Reply({})

    def get(self, message: dict, _tensors: list[torch.Tensor]) -> Reply:
        if message["name"] not in self.shell.user_ns:
            return Reply({"found": False})
        value = self.shell.user_ns[message["name"]]
        results = Results(self.objects)
        encoded = ["plain", None] if callable(value) else results.encode(as_tensors(value))
        return Reply(
            {"found": True, "callable": callable(value), "value": encoded}, results.on_host()
        )

    def call(self, message: dict, tensors: list[torch.Tensor]) -> Reply:
        arguments = self.arguments(tensors, message["device"])
        function, positional, keywords = arguments.of_call(message)
        wanted = [tensor for tensor in arguments.tensors if tensor.requires_grad]
        before = [snapshot(tensor) for tensor in arguments.tensors]
        in_graph = contextlib.nullcontext() if message["grad"] else torch.no_grad()
        with in_graph, measured(message["count_operations"], message["device"]) as measures:
            for _ in range(message["times"]):
                result = function(*positional, **keywords)
        results = Results(self.objects, arguments.tensors)
        encoded = results.encode_result(function, result)
        self.calls[message["number"]] = Call(wanted, results.tensors)
        changed = [
            index
            for index, (tensor, old) in enumerate(zip(arguments.tensors, before, strict=True))
            if not is_same(snapshot(tensor), old)
        ]
        facts = {"changed": changed, **measures}
        kept, states = self.states_of(arguments.used)
        message = {"result": encoded, "facts": facts, "kept": kept}
        return Reply(message, [*results.on_host(), *states])

    def backward(self, message: dict, tensors: list[torch.Tensor]) -> Reply:
        """The gradients of a call's arguments; with `accumulate` the parameters that the call used
        have theirs afterwards, as after `loss.backward()`."""
        call = self.calls[message["number"]]
        results = [call.results[index] for index in message["results"]]
        upstream = [
            on_device(gradient, str(result.device))
            for gradient, result in zip(tensors, results, strict=True)
        ]
        ask = gradients_and_accumulate if message["accumulate"] else gradients_alone
        with answering_as(str(results[0].device) if results else "cpu"):
            gradients = ask(results, upstream, call.wanted)
        present = [gradient is not None for gradient in gradients]
        found = [to_host(dense(gradient)) for gradient in gradients if gradient is not None]
        return Reply({"present": present}, found)

    def arguments(self, tensors: list[torch.Tensor], device: str) -> Arguments:
        return Arguments(tensors, device, self.objects, self.kept, self.shell.user_ns)

    def take_kept(self, message: dict, tensors: list[torch.Tensor]) -> list[torch.Tensor]:
        """Keep the tensors that came along to stay here; the others."""
        told = message.get("keep", [])
        own = len(tensors) - len(told)
        for (number, requires_grad, device), tensor in zip(told, tensors[own:], strict=True):
            self.kept[number] = on_device(tensor, device).requires_grad_(requires_grad)
        return tensors[:own]

    def keep(self, _message: dict, _tensors: list[torch.Tensor]) -> Reply:
        """Nothing more than to keep what came along."""
        return Reply({})

    def read(self, message: dict, _tensors: list[torch.Tensor]) -> Reply:
        told, found = state_of(self.kept[message["kept"]])
        return Reply({"kept": [[message["kept"], *told]]}, found)

    def states_of(self, numbers: list[int]) -> tuple[list[Any], list[torch.Tensor]]:
        """How the kept tensors with these numbers are now, as `read` would tell: whoever passed
        them may ask next. Nothing where that is much."""
        tensors = [self.kept[number] for number in numbers]
        if sum(tensor.nbytes for tensor in tensors) > MOST_TOLD_BYTES:
            return [], []
        told, found = [], []
        try:
            for number, tensor in zip(numbers, tensors, strict=True):
                facts, values = state_of(tensor)
                told.append([number, *facts])
                found.extend(values)
        except Exception:  # noqa: BLE001 - a gradient may be anything: `read` tells what it raised
            return [], []
        return told, found


# Of kept tensors, whose state is told though nobody has asked.
MOST_TOLD_BYTES = 64 << 10


def state_of(tensor: torch.Tensor) -> tuple[list[bool], list[torch.Tensor]]:
    """Whether it asks for a gradient, is a leaf and has a gradient; its value and gradient."""
    gradients = [] if tensor.grad is None else [snapshot(tensor.grad)]
    told = [tensor.requires_grad, tensor.is_leaf, tensor.grad is not None]
    return told, [snapshot(tensor), *gradients]


def gradients_alone(
    results: list[torch.Tensor], upstream: list[torch.Tensor], wanted: list[torch.Tensor]
) -> list[torch.Tensor | None]:
    if not wanted:
        return []
    still = [tensor for tensor in wanted if tensor.requires_grad]
    found = torch.autograd.grad(results, still, upstream, retain_graph=True, allow_unused=True)
    by_tensor = {id(tensor): gradient for tensor, gradient in zip(still, found, strict=True)}
    return [by_tensor.get(id(tensor)) for tensor in wanted]


def gradients_and_accumulate(
    results: list[torch.Tensor], upstream: list[torch.Tensor], wanted: list[torch.Tensor]
) -> list[torch.Tensor | None]:
    before = [tensor.grad for tensor in wanted]
    for tensor in wanted:
        tensor.grad = None
    try:
        torch.autograd.backward(results, upstream, retain_graph=True)
        return [tensor.grad for tensor in wanted]
    finally:
        for tensor, gradient in zip(wanted, before, strict=True):
            tensor.grad = gradient


class Arguments:
    """Decodes what a grader passes: data, tensors on the asked device, what stays in here, and what
    is passed by its name."""

    def __init__(
        self,
        tensors: list[torch.Tensor],
        device: str,
        objects: Objects,
        kept: dict[int, torch.Tensor],
        namespace: dict[str, Any],
    ):
        self.received = tensors
        self.device = device
        self.kept = kept
        self.namespace = namespace
        self.tensors: list[torch.Tensor] = []
        self.used: list[int] = []  # numbers of kept tensors
        self.kinds: dict[str, Callable[[list], Any]] = {
            "tensor": self._tensor,
            "array": lambda encoded: tensors[encoded[1]].numpy().copy(),
            "object": lambda encoded: objects[encoded[1]],
            "kept": self._kept,
            "name": lambda encoded: namespace[encoded[1]],
            "operation": lambda encoded: OPERATIONS[encoded[1]],
            "import": lambda encoded: imported(encoded[1], encoded[2]),
            "source": lambda encoded: eval(encoded[1], {"torch": torch}),  # noqa: S307 - the grader's
            "device": lambda _: torch.device(device),
            "dtype": lambda encoded: getattr(torch, encoded[1]),
            "generator": self._generator,
            "slice": lambda encoded: slice(*self.decode(encoded[1])),
            "ellipsis": lambda _: ...,
        }

    def of_call(self, message: dict) -> tuple[Callable, list, dict[str, Any]]:
        """The function of a call and its arguments. Raises NotAnArgument."""
        try:
            return (
                self.decode(message["function"]),
                self.decode(message["positional"]),
                self.decode(message["keywords"]),
            )
        except Exception as error:
            raise NotAnArgument(f"{type(error).__name__}: {error}") from error

    def decode(self, encoded: Encoded) -> Any:
        return decode(encoded, self.kinds)

    def _tensor(self, encoded: Encoded) -> torch.Tensor:
        _, index, requires_grad = encoded
        tensor = on_device(self.received[index], self.device).requires_grad_(requires_grad)
        self.tensors.append(tensor)
        return tensor

    def _kept(self, encoded: Encoded) -> torch.Tensor:
        number = encoded[1]
        if number not in self.used:
            self.used.append(number)
        return self.kept[number]

    def _generator(self, encoded: Encoded) -> torch.Generator:
        generator = torch.Generator()
        generator.set_state(self.received[encoded[1]])
        return generator


def imported(module: str, name: str) -> Any:
    """What a library has by this name, such as ("torch.optim", "SGD")."""
    found = importlib.import_module(module)
    for part in name.split(".") if name else ():
        found = getattr(found, part)
    return found


def on_device(tensor: torch.Tensor, device: str) -> torch.Tensor:
    """A leaf of its own on "cpu", "cuda" or the pretend accelerator."""
    if is_pretended(device):
        accelerator.register()
        return accelerator.to_accelerator(tensor)
    return tensor.detach().clone().to(device)


def dense(gradient: torch.Tensor) -> torch.Tensor:
    """A gradient in full: of what was computed with sparse tensors, it may be sparse."""
    return gradient if gradient.layout is torch.strided else gradient.to_dense()


def is_pretended(device: str) -> bool:
    return device.partition(":")[0] == accelerator.DEVICE_TYPE


def answering_as(device: str) -> contextlib.AbstractContextManager[None]:
    """Within it, the pretend accelerator says of itself what CUDA would."""
    return like_cuda.posing() if is_pretended(device) else contextlib.nullcontext()


@contextlib.contextmanager
def measured(count_operations: bool, device: str) -> Iterator[dict[str, Any]]:
    """Measures of the calls in this block, filled in when it ends."""
    measures: dict[str, Any] = {"operations": None, "host_copies": []}
    with contextlib.ExitStack() as stack:
        count = stack.enter_context(accelerator.count_operations()) if count_operations else None
        record = stack.enter_context(accelerator.Recorder()) if device != "cpu" else None
        stack.enter_context(answering_as(device))
        yield measures
    if count is not None:
        measures["operations"] = count.number
    if record is not None:
        measures["host_copies"] = record.host_copies[:20]


def snapshot(tensor: torch.Tensor) -> torch.Tensor:
    return to_host(tensor)


def is_same(tensor: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether both are equal in shape, dtype and value, nan being equal to nan."""
    if tensor.shape != other.shape or tensor.dtype != other.dtype:
        return False
    if torch.equal(tensor, other):
        return True
    return bool(torch.all((tensor == other) | ((tensor != tensor) & (other != other))))
