"""What a student's function returned, or raised, as it leaves the sandbox."""

from __future__ import annotations

from typing import Any

import numpy
import torch

from proctor.inside import accelerator
from proctor.inside.shell import TimeUp
from proctor.wire.frames import MAX_TENSOR_BYTES
from proctor.wire.tensors import DTYPES
from proctor.wire.values import Encoded, encode

MAX_TEXT = 2000


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


def to_host(tensor: torch.Tensor) -> torch.Tensor:
    """A copy on the CPU, seen by no recorder, from whatever device."""
    return accelerator.to_host(tensor).cpu()


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
