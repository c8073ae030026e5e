"""A question: a fork of a session that calls the student's functions on the grader's arguments."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch

from proctor.inside import accelerator, like_cuda
from proctor.inside.arguments import Arguments, NotAnArgument, is_pretended, on_device
from proctor.inside.outputs import Outputs
from proctor.inside.results import Objects, Results, as_tensors, describe_error, to_host
from proctor.inside.shell import Shell, time_limit
from proctor.wire import at_once
from proctor.wire.errors import Malformed, WireError
from proctor.wire.frames import Channel
from proctor.wire.values import Encoded, TooLarge


def end_forks_of(process: int) -> None:
    """A cell or a function that forks goes on twice from there: only one may answer."""
    if os.getpid() != process:
        os._exit(0)


SMALL = ("tensor", "float")  # kinds of results beside which others may be told


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
        self.calls: dict[int, list[Call]] = {}  # by the number of their message
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
            except BaseException as error:  # noqa: BLE001 - whatever the student's code raises
                reply = Reply(told_of(error))
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
        """Make the calls of a message, one after the other. What takes long or gives more than a
        number or a small tensor is the last: the rest is for another message. What ended a later
        call is told beside what came before."""
        arguments = self.arguments(tensors, message["device"])
        made: list[Call] = []
        found: list[torch.Tensor] = []
        answer: dict[str, Any] = {"results": [], "facts": []}
        until = time.monotonic() + at_once.SECONDS
        for one in message["calls"]:
            try:
                encoded, facts = self.call_once(message, one, arguments, made, found)
            except BaseException as error:
                if not made:
                    raise
                answer["ended"] = told_of(error)
                break
            answer["results"].append(encoded)
            answer["facts"].append(facts)
            nbytes = sum(tensor.nbytes for tensor in found)
            if encoded[0] not in SMALL or nbytes > at_once.MOST_BYTES or time.monotonic() > until:
                break
        self.calls[message["number"]] = made
        answer["kept"], states = self.states_of(arguments.used)
        return Reply(answer, [*found, *states])

    def call_once(
        self,
        message: dict,
        one: list,
        arguments: Arguments,
        made: list[Call],
        found: list[torch.Tensor],
    ) -> tuple[Encoded, dict[str, Any]]:
        """Make one call: what it gave, and facts about it. It is added to those `made`, and copies
        of its tensors, as they are now, to those `found`."""
        first = len(arguments.tensors)
        function, positional, keywords = arguments.of_call(one)
        own = arguments.tensors[first:]
        wanted = [tensor for tensor in own if tensor.requires_grad]
        before = [snapshot(tensor) for tensor in own]
        in_graph = contextlib.nullcontext() if message["grad"] else torch.no_grad()
        with in_graph, measured(message["count_operations"], message["device"]) as measures:
            for _ in range(message["times"]):
                result = function(*positional, **keywords)
        results = Results(self.objects, own, first=len(found))
        encoded = results.encode_result(function, result)
        changed = [
            index
            for index, (tensor, old) in enumerate(zip(own, before, strict=True))
            if not is_same(snapshot(tensor), old)
        ]
        found.extend(results.on_host())
        made.append(Call(wanted, results.tensors))
        return encoded, {"changed": changed, **measures}

    def backward(self, message: dict, tensors: list[torch.Tensor]) -> Reply:
        """The gradients of the arguments of a message's calls, each call's by itself; with
        `accumulate` the parameters that a call used have theirs afterwards, as after
        `loss.backward()`."""
        asked = dict(zip(message["results"], tensors, strict=True))  # from above, by place
        ask = gradients_and_accumulate if message["accumulate"] else gradients_alone
        gradients: list[torch.Tensor | None] = []
        place = 0
        for call in self.calls[message["number"]]:
            last = place + len(call.results)
            places = [index for index in range(place, last) if index in asked]
            results = [call.results[index - place] for index in places]
            upstream = [
                on_device(asked[index], str(result.device))
                for index, result in zip(places, results, strict=True)
            ]
            if results:
                with answering_as(str(results[0].device)):
                    gradients += ask(results, upstream, call.wanted)
            else:
                gradients += [None] * len(call.wanted)
            place = last
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


def told_of(error: BaseException) -> dict[str, Any]:
    """What is told in place of a value."""
    if isinstance(error, NotAnArgument):
        return {"not_an_argument": str(error)[:500]}
    if isinstance(error, TooLarge):
        return {"too_large": str(error)[:500]}
    return {"raised": describe_error(error)}


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


def dense(gradient: torch.Tensor) -> torch.Tensor:
    """A gradient in full: of what was computed with sparse tensors, it may be sparse."""
    return gradient if gradient.layout is torch.strided else gradient.to_dense()


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
