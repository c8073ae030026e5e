"""The process a student's code runs in: executes cells, answers calls to the student's functions.

The warm process calls `prepare` once; every session, forked from it, calls `serve`. The checks of
a submission run in "questions": forks of the session after its cells, so that a crash or a changed
global costs one question. Nothing that leaves this process is trusted by the other side.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy
import torch

from proctor.inside import accelerator
from proctor.inside.names import not_missed
from proctor.inside.shell import Outputs, Shell, TimeUp, make_shell, time_limit
from proctor.wire.errors import Malformed, WireError
from proctor.wire.frames import MAX_TENSOR_BYTES, Channel
from proctor.wire.tensors import DTYPES
from proctor.wire.values import Encoded, Kept, Source, decode, encode

MAX_TEXT = 2000
SEED = 0


def prepare() -> None:
    """What is the same for every session, done once before the forks."""
    make_shell()


def serve(channel: Channel) -> None:
    """Answer the trusted side until it hangs up; never returns."""
    shell = Shell.instance()
    shell.redirect()
    seed_everything()
    process = os.getpid()
    while True:
        try:
            message, _, descriptors = channel.receive_with_descriptors()
            answer = answer_session(shell, channel, message, descriptors)
            end_forks_of(process)
            channel.send(answer)
        except WireError:
            os._exit(0)


def end_forks_of(process: int) -> None:
    """A cell or a function that forks goes on twice from there: only one may answer."""
    if os.getpid() != process:
        os._exit(0)


def end_other_processes() -> None:
    """What cells and calls have left running is of no use to a question, and fills the session."""
    if os.getpid() != 1:
        return  # without a namespace of its own: others are not the session's
    with contextlib.suppress(ProcessLookupError):
        os.kill(-1, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)


def seed_everything() -> None:
    random.seed(SEED)
    numpy.random.seed(SEED)
    torch.manual_seed(SEED)


def answer_session(
    shell: Shell, channel: Channel, message: dict[str, Any], descriptors: list[int]
) -> dict[str, Any]:
    ask = message["ask"]
    if ask == "execute":
        if not message["figures"]:
            shell.leave_out_figures()
        shell.execution_count = message["number"]  # cells may have been left out
        outputs, status = shell.run(message["source"], message["seconds"])
        return {"outputs": outputs, "status": status}
    if ask == "not missed":
        cells = message["sources"], message["candidates"], message["students"]
        return {"cells": not_missed(*cells, shell.transform_cell)}
    if ask == "question":
        end_other_processes()
        process = os.fork()
        if process == 0:
            channel.close()
            connection = socket.socket(fileno=descriptors[0])
            Question(shell, Channel(connection)).serve()
        os.close(descriptors[0])
        return {"process": process}
    if ask == "end":
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(message["process"], signal.SIGKILL)
            os.waitpid(message["process"], 0)
        end_other_processes()
        return {}
    raise ValueError(f"a session cannot be asked to {ask!r}")


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


class Results:
    """Encodes what a student's function returned, and gathers its tensors."""

    def __init__(self) -> None:
        self.tensors: list[torch.Tensor] = []

    def encode(self, value: Any) -> Encoded:
        return encode(value, self._tensor)

    def on_host(self) -> list[torch.Tensor]:
        return [to_host(tensor) for tensor in self.tensors]

    def _tensor(self, tensor: torch.Tensor) -> Encoded:
        obstacle = why_not_sent(tensor)
        if obstacle:
            return ["foreign", obstacle]
        self.tensors.append(tensor)
        facts = {"requires_grad": tensor.requires_grad, "device": tensor.device.type}
        return ["tensor", len(self.tensors) - 1, facts]


def why_not_sent(tensor: torch.Tensor) -> str | None:
    """Why this tensor cannot cross, in the words a grader sees; None when it can."""
    if tensor.layout is not torch.strided:
        return "a sparse tensor"
    if tensor.device.type == "meta":
        return "a tensor without values (device meta)"
    if tensor.dtype not in DTYPES:
        return f"a tensor of dtype {str(tensor.dtype).removeprefix('torch.')}"
    if tensor.numel() * tensor.element_size() > MAX_TENSOR_BYTES // 2:
        return "a tensor too large to look at"
    return None


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


def to_host(tensor: torch.Tensor) -> torch.Tensor:
    """A copy on the CPU, seen by no recorder, from whatever device."""
    return accelerator.to_host(tensor).cpu()


def snapshot(tensor: torch.Tensor) -> torch.Tensor:
    return to_host(tensor)


def is_same(tensor: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether both are equal in shape, dtype and value, nan being equal to nan."""
    if tensor.shape != other.shape or tensor.dtype != other.dtype:
        return False
    if torch.equal(tensor, other):
        return True
    return bool(torch.all((tensor == other) | ((tensor != tensor) & (other != other))))


def plain_numbers(value: Any) -> Any:
    """NumPy's numbers as Python's; subclasses of containers as the containers they are."""
    if isinstance(value, numpy.generic):
        return value.item()
    if isinstance(value, bool) or value is None:
        return value
    for kind in (int, float, str):
        if isinstance(value, kind):
            return kind(value)
    if isinstance(value, tuple):
        return tuple(plain_numbers(item) for item in value)
    if isinstance(value, list):
        return [plain_numbers(item) for item in value]
    if isinstance(value, dict):
        return {plain_numbers(key): plain_numbers(item) for key, item in value.items()}
    return value


def as_tensors(value: Any) -> Any:
    """A variable's value, with NumPy arrays as tensors: for values, either is an answer."""
    if isinstance(value, numpy.ndarray) and value.dtype.kind in "biuf":
        return torch.from_numpy(value.copy())
    return plain_numbers(value)


def describe_error(error: BaseException) -> dict[str, Any]:
    try:
        text = str(error)[:MAX_TEXT]
    except BaseException:  # noqa: BLE001 - the student's own __str__
        text = ""
    name = str(type(error).__name__)[:80]
    return {"type": name, "text": text, "late": isinstance(error, TimeUp)}
