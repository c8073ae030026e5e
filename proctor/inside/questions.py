"""A question: a fork of a session that calls the student's functions on the grader's arguments."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch

from proctor.inside import accelerator
from proctor.inside.results import Results, as_tensors, describe_error, plain_numbers, to_host
from proctor.inside.shell import Outputs, Shell, time_limit
from proctor.wire.errors import Malformed, WireError
from proctor.wire.frames import Channel
from proctor.wire.values import Encoded, Kept, Source, decode


def end_forks_of(process: int) -> None:
    """A cell or a function that forks goes on twice from there: only one may answer."""
    if os.getpid() != process:
        os._exit(0)


@dataclass
class Call:
    """A finished call whose graph is kept for `backward`."""

    arguments: list[torch.Tensor]
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
        self.kept: list[torch.Tensor] = []

    def serve(self) -> None:
        answers: dict[str, Callable[[dict, list[torch.Tensor]], Reply]] = {
            "run": self.run,
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
                    reply = answers[message["ask"]](message, tensors)
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
            self.channel.send({"raised": describe_error(error)})

    def run(self, message: dict, _tensors: list[torch.Tensor]) -> Reply:
        """Run one more cell, in this question alone."""
        self.shell.run(message["source"], message["seconds"])
        return Reply({})

    def get(self, message: dict, _tensors: list[torch.Tensor]) -> Reply:
        if message["name"] not in self.shell.user_ns:
            return Reply({"found": False})
        value = self.shell.user_ns[message["name"]]
        results = Results()
        encoded = results.encode(as_tensors(value))
        return Reply(
            {"found": True, "callable": callable(value), "value": encoded}, results.on_host()
        )

    def call(self, message: dict, tensors: list[torch.Tensor]) -> Reply:
        arguments = Arguments(tensors, message["device"], self.kept, self.shell.user_ns)
        positional = arguments.decode(message["positional"])
        keywords = arguments.decode(message["keywords"])
        before = [snapshot(tensor) for tensor in arguments.tensors]
        function = self.shell.user_ns[message["name"]]
        with measured(message["count_operations"], message["device"]) as measures:
            for _ in range(message["times"]):
                result = function(*positional, **keywords)
        results = Results()
        encoded = results.encode(plain_numbers(result))
        self.calls[message["number"]] = Call(arguments.tensors, results.tensors)
        changed = [
            index
            for index, (tensor, old) in enumerate(zip(arguments.tensors, before, strict=True))
            if not is_same(snapshot(tensor), old)
        ]
        facts = {"changed": changed, **measures}
        return Reply({"result": encoded, "facts": facts}, results.on_host())

    def backward(self, message: dict, tensors: list[torch.Tensor]) -> Reply:
        call = self.calls[message["number"]]
        results = [tensor for tensor in call.results if tensor.requires_grad]
        upstream = [
            on_device(gradient, str(result.device))
            for gradient, result in zip(tensors, results, strict=True)
        ]
        wanted = [tensor for tensor in call.arguments if tensor.requires_grad]
        gradients = torch.autograd.grad(
            results, wanted, upstream, retain_graph=True, allow_unused=True
        )
        present = [gradient is not None for gradient in gradients]
        found = [to_host(gradient) for gradient in gradients if gradient is not None]
        return Reply({"present": present}, found)

    def keep(self, message: dict, tensors: list[torch.Tensor]) -> Reply:
        tensor = on_device(tensors[0], message["device"])
        self.kept.append(tensor.requires_grad_(message["requires_grad"]))
        return Reply({"kept": len(self.kept) - 1})

    def read(self, message: dict, _tensors: list[torch.Tensor]) -> Reply:
        tensor = self.kept[message["kept"]]
        facts = {
            "requires_grad": tensor.requires_grad,
            "is_leaf": tensor.is_leaf,
            "has_gradient": tensor.grad is not None,
        }
        gradients = [] if tensor.grad is None else [snapshot(tensor.grad)]
        return Reply(facts, [snapshot(tensor), *gradients])


class Arguments:
    """Decodes what a grader passes: tensors on the asked device, kept tensors, functions."""

    def __init__(
        self,
        tensors: list[torch.Tensor],
        device: str,
        kept: list[torch.Tensor],
        namespace: dict[str, Any],
    ):
        self.received = tensors
        self.device = device
        self.kept = kept
        self.namespace = namespace
        self.tensors: list[torch.Tensor] = []

    def decode(self, encoded: Encoded) -> Any:
        return self._resolve(decode(encoded, self._tensor))

    def _tensor(self, encoded: Encoded) -> torch.Tensor:
        _, index, requires_grad = encoded
        tensor = on_device(self.received[index], self.device).requires_grad_(requires_grad)
        self.tensors.append(tensor)
        return tensor

    def _resolve(self, value: Any) -> Any:
        if isinstance(value, Kept):
            return self.kept[value.number]
        if isinstance(value, Source):
            return eval(value.text, {"torch": torch})  # noqa: S307 - the grader wrote it
        if isinstance(value, list | tuple):
            return type(value)(self._resolve(item) for item in value)
        if isinstance(value, dict):
            return {key: self._resolve(item) for key, item in value.items()}
        return value


def on_device(tensor: torch.Tensor, device: str) -> torch.Tensor:
    """A leaf of its own on "cpu", "cuda" or the pretend accelerator."""
    if device == accelerator.DEVICE_TYPE or device.startswith(f"{accelerator.DEVICE_TYPE}:"):
        accelerator.register()
        return accelerator.to_accelerator(tensor)
    return tensor.detach().clone().to(device)


@contextlib.contextmanager
def measured(count_operations: bool, device: str) -> Iterator[dict[str, Any]]:
    """Measures of the calls in this block, filled in when it ends."""
    measures: dict[str, Any] = {"operations": None, "host_copies": []}
    with contextlib.ExitStack() as stack:
        count = stack.enter_context(accelerator.count_operations()) if count_operations else None
        record = stack.enter_context(accelerator.Recorder()) if device != "cpu" else None
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
