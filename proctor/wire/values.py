"""What values become on the wire: JSON that names its kind; tensors are handed on.

Whatever else comes back raises Malformed. Nothing is ever unpickled.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from proctor.wire.errors import Malformed

MAX_DEPTH = 20
MAX_INT_BITS = 4096  # Python refuses to write and to read ints of very many digits


@dataclass(frozen=True)
class Foreign:
    """A value that does not cross: only the name of its type does."""

    type_name: str


@dataclass(frozen=True)
class Source:
    """A Python expression, chosen by the grader, that the sandbox evaluates to an argument."""

    text: str


@dataclass(frozen=True)
class Kept:
    """A tensor that stays in the sandbox between calls."""

    number: int


Encoded = list
Number = bool | int | float


def encode(value: Any, encode_tensor: Callable[[torch.Tensor], Encoded], depth: int = 0) -> Encoded:
    """A value as JSON: `[kind, ...]`. Tensors are handed to `encode_tensor`."""
    if depth > MAX_DEPTH:
        return ["foreign", "a structure nested too deeply"]
    if isinstance(value, torch.Tensor):
        return encode_tensor(value)
    if type(value) is float:
        return ["float", repr(value)]
    if type(value) is int and value.bit_length() > MAX_INT_BITS:
        return ["foreign", "a number with too many digits"]
    if value is None or type(value) in (bool, int, str):
        return ["plain", value]
    if type(value) in (list, tuple):
        items = [encode(item, encode_tensor, depth + 1) for item in value]
        return [type(value).__name__, items]
    if type(value) is dict:
        items = [
            [encode(key, encode_tensor, depth + 1), encode(item, encode_tensor, depth + 1)]
            for key, item in value.items()
        ]
        return ["dict", items]
    if isinstance(value, Source):
        return ["source", value.text]
    if isinstance(value, Kept):
        return ["kept", value.number]
    if isinstance(value, Foreign):
        return ["foreign", value.type_name]
    return ["foreign", str(type(value).__name__)[:80]]


def decode(encoded: Any, decode_tensor: Callable[[list], Any], depth: int = 0) -> Any:
    """The value that `encode` wrote; what stands for a tensor is handed to `decode_tensor`.

    Raises Malformed for anything that `encode` would not write.
    """
    if depth > MAX_DEPTH or type(encoded) is not list or len(encoded) < 2:
        raise Malformed("a value on the wire has no kind")
    kind, content = encoded[0], encoded[1]
    if kind == "tensor":
        return decode_tensor(encoded)
    if kind == "plain" and (content is None or type(content) in (bool, int, str)):
        return content
    if kind == "float" and type(content) is str:
        return decode_float(content)
    if kind in ("list", "tuple") and type(content) is list:
        items = [decode(item, decode_tensor, depth + 1) for item in content]
        return items if kind == "list" else tuple(items)
    if kind == "dict" and type(content) is list:
        return decode_dict(content, decode_tensor, depth)
    if kind == "source" and type(content) is str:
        return Source(content)
    if kind == "kept" and type(content) is int:
        return Kept(content)
    if kind == "foreign" and type(content) is str:
        return Foreign(content[:80])
    raise Malformed("a value on the wire is of no known kind")


def decode_float(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise Malformed("a float on the wire is not one") from error


def decode_dict(content: list, decode_tensor: Callable[[list], Any], depth: int) -> dict:
    result = {}
    for pair in content:
        if type(pair) is not list or len(pair) != 2:
            raise Malformed("a dict on the wire holds something other than pairs")
        key = decode(pair[0], decode_tensor, depth + 1)
        # nan as a key equals nothing, so it could never be looked up again
        if not isinstance(key, str | Number) or (isinstance(key, float) and math.isnan(key)):
            raise Malformed("a dict on the wire has a key that is no string or number")
        result[key] = decode(pair[1], decode_tensor, depth + 1)
    return result
