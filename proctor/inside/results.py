"""What a student's function returned, or raised, as it leaves the sandbox.

Data leaves as data. Anything else stays here as an object, and its number leaves.
"""

from __future__ import annotations

import enum
import sys
import traceback
from pathlib import Path
from typing import Any

import numpy
import torch

from proctor.inside import accelerator
from proctor.inside.shell import TimeUp
from proctor.wire.frames import MAX_TENSOR_BYTES
from proctor.wire.tensors import DTYPES, MAX_DIMENSIONS
from proctor.wire.values import Encoded, Member, NamedTuple, TooLarge, encode, is_key

MAX_TEXT = 2000
MAX_OBJECTS = 20_000
MAX_TENSORS = 3000  # what describes more of them is over a frame's cap
PLAIN: tuple[Any, ...] = (int, float, complex, str, bytes)
CONTAINERS: tuple[Any, ...] = (tuple, list, set, frozenset, dict)


class Objects:
    """What stays in a question: objects by number, each under one."""

    def __init__(self) -> None:
        self._held: list[Any] = []
        self._numbers: dict[int, int] = {}

    def number(self, value: Any) -> int:
        """Hold an object; the same one has the same number again."""
        if id(value) not in self._numbers:
            if len(self._held) >= MAX_OBJECTS:
                raise TooLarge(f"more than {MAX_OBJECTS:,} objects, one after the other")
            self._numbers[id(value)] = len(self._held)
            self._held.append(value)
        return self._numbers[id(value)]

    def holds(self, value: Any) -> bool:
        return id(value) in self._numbers

    def __getitem__(self, number: int) -> Any:
        return self._held[number]


class Results:
    """Encodes what a student's function returned, and gathers its tensors.

    `arguments` are the tensors that the grader passed: what comes back of them stays theirs. The
    tensors are counted from `first`.
    """

    def __init__(
        self, objects: Objects, arguments: list[torch.Tensor] | None = None, first: int = 0
    ) -> None:
        self.objects = objects
        self.first = first
        self.arguments = {id(tensor) for tensor in arguments or ()}
        self.tensors: list[torch.Tensor] = []

    def encode(self, value: Any) -> Encoded:
        return encode(value, self._other)

    def encode_result(self, function: Any, value: Any) -> Encoded:
        """What a call gave. An instance of the student's own class that was called stays an object
        even if the class derives from `list` or `dict`: the grader wants its methods."""
        if type(value) is function and is_own_container(value):
            self.objects.number(value)
        return self.encode(value)

    def on_host(self) -> list[torch.Tensor]:
        return [to_host(tensor) for tensor in self.tensors]

    def _other(self, value: Any, depth: int) -> Encoded:
        if isinstance(value, torch.Tensor):
            return self._tensor(value)
        if isinstance(value, numpy.ndarray):
            return self._array(value)
        if isinstance(value, torch.dtype):
            return ["dtype", str(value).removeprefix("torch.")]
        plain = value if self.objects.holds(value) else plainer(value)
        if plain is value:
            return ["object", self.objects.number(value), str(type(value).__name__)[:80]]
        return encode(plain, self._other, depth)

    def _tensor(self, tensor: torch.Tensor) -> Encoded:
        obstacle = why_not_sent(tensor)
        if obstacle:
            return ["foreign", obstacle]
        index = self._add(tensor)
        facts = {"requires_grad": tensor.requires_grad, "device": tensor.device.type}
        if tensor.requires_grad and tensor.is_leaf and id(tensor) not in self.arguments:
            facts["leaf"] = True
            facts["has_gradient"] = tensor.grad is not None
            if tensor.grad is not None:
                self._add(tensor.grad.detach())
        return ["tensor", index, facts]

    def _array(self, array: numpy.ndarray) -> Encoded:
        if array.dtype.kind not in "biuf":
            return ["object", self.objects.number(array), "ndarray"]
        tensor = torch.from_numpy(numpy.array(array, dtype=array.dtype.newbyteorder("=")))
        obstacle = why_not_sent(tensor)
        if obstacle:
            return ["foreign", obstacle.replace("tensor", "array")]
        return ["array", self._add(tensor), {"requires_grad": False, "device": "cpu"}]

    def _add(self, tensor: torch.Tensor) -> int:
        if len(self.tensors) >= MAX_TENSORS:
            raise TooLarge(f"more than {MAX_TENSORS:,} tensors")
        self.tensors.append(tensor)
        return self.first + len(self.tensors) - 1


def is_own_container(value: Any) -> bool:
    kind = type(value)
    is_record = hasattr(kind, "_fields")
    return isinstance(value, CONTAINERS) and not is_record and is_own_class(kind)


def is_own_class(kind: type) -> bool:
    """Whether the notebook, or a module handed in beside it, defines this class."""
    name = str(kind.__module__)
    file = getattr(sys.modules.get(name), "__file__", None)
    if name == "__main__" or file is None:
        return name == "__main__"
    return name.partition(".")[0] not in sys.stdlib_module_names and not is_of_a_library(file)


def plainer(value: Any) -> Any:
    """A value as the plain data that it is made of; itself where it is none.

    NumPy's numbers become Python's, subclasses of containers the containers they are.
    """
    if isinstance(value, numpy.generic):
        plain = value.item()
        return value if isinstance(plain, numpy.generic) else plain
    for kind in PLAIN:
        if isinstance(value, kind):
            return kind(value)
    if isinstance(value, enum.Enum):
        return Member(str(type(value).__name__)[:80], str(value.name)[:80])
    names = getattr(type(value), "_fields", getattr(type(value), "__match_args__", ()))
    if isinstance(value, tuple) and names and len(names) == len(value):
        return NamedTuple([str(name) for name in names], list(value))
    for kind in CONTAINERS:
        if isinstance(value, kind):
            return with_plain_keys(value, kind)
    return value


def with_plain_keys(value: Any, kind: type) -> Any:
    """A container of just that kind; the value itself if its keys cannot cross."""
    if kind in (tuple, list):
        return kind(value)
    if kind is dict:
        plain = {plain_key(key): item for key, item in value.items()}
    else:
        plain = kind(plain_key(item) for item in value)
    return plain if len(plain) == len(value) and all(map(is_key, plain)) else value


def plain_key(key: Any) -> Any:
    if type(key) is tuple:
        return tuple(map(plain_key, key))
    plain = plainer(key)
    return plain if is_key(plain) else key


def why_not_sent(tensor: torch.Tensor) -> str | None:
    """Why this tensor cannot cross, in the words a grader sees; None when it can."""
    if tensor.layout is not torch.strided:
        return "a sparse tensor"
    if tensor.device.type == "meta":
        return "a tensor without values (device meta)"
    if tensor.dtype not in DTYPES:
        return f"a tensor of dtype {str(tensor.dtype).removeprefix('torch.')}"
    if tensor.dim() > MAX_DIMENSIONS:
        return f"a tensor of more than {MAX_DIMENSIONS} dimensions"
    if tensor.numel() * tensor.element_size() > MAX_TENSOR_BYTES // 2:
        return "a tensor too large to look at"
    return None


def to_host(tensor: torch.Tensor) -> torch.Tensor:
    """A copy on the CPU, seen by no recorder, from whatever device."""
    return accelerator.to_host(tensor).cpu()


def as_tensors(value: Any) -> Any:
    """A variable's value, with NumPy arrays as tensors: for values, either is an answer."""
    if isinstance(value, numpy.ndarray) and value.dtype.kind in "biuf":
        return torch.from_numpy(value.copy())
    return value


def describe_error(error: BaseException) -> dict[str, Any]:
    """What is told of an exception: its type and those it derives from, its text, and whether the
    notebook's own code raised it."""
    try:
        text = str(error)[:MAX_TEXT]
    except BaseException:  # noqa: BLE001 - the student's own __str__
        text = ""
    kinds = [str(kind.__name__)[:80] for kind in type(error).__mro__[:20]]
    return {
        "type": kinds[0],
        "kinds": kinds,
        "text": text,
        "late": isinstance(error, TimeUp),
        "own": was_raised_in_notebook(error),
    }


def was_raised_in_notebook(error: BaseException) -> bool:
    frames = list(traceback.walk_tb(error.__traceback__))
    return bool(frames) and not is_of_a_library(frames[-1][0].f_code.co_filename)


ENGINE = str(Path(__file__).parents[1])


def is_of_a_library(file: str) -> bool:
    return "/site-packages/" in file or "/dist-packages/" in file or file.startswith(ENGINE)
