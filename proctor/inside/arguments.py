"""What a grader passes to a student's function, as it arrives in a question."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import torch

from proctor.inside import accelerator
from proctor.inside.operations import OPERATIONS
from proctor.inside.results import Objects
from proctor.wire.values import Encoded, decode


class NotAnArgument(Exception):
    """What the grader passes cannot be had here: not the student's fault."""


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

    def of_call(self, one: list[Encoded]) -> tuple[Callable, list, dict[str, Any]]:
        """The function of a call and its arguments. Raises NotAnArgument."""
        function, positional, keywords = one
        try:
            return self.decode(function), self.decode(positional), self.decode(keywords)
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


def is_pretended(device: str) -> bool:
    return device.partition(":")[0] == accelerator.DEVICE_TYPE
