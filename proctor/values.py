"""What values become on the wire: tensors a safetensors blob, all others JSON that names its kind.

Whatever else comes back raises Malformed. Nothing is ever unpickled.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import safetensors
import safetensors.torch
import torch

from proctor.wire import Malformed

# What describes the tensors of a frame, some 4000 of them; each costs more memory than its bytes.
MAX_TENSOR_HEADER_BYTES = 256 << 10
MAX_DEPTH = 20
MAX_INT_BITS = 4096  # Python refuses to write and to read ints of very many digits

# What may cross as a tensor; anything else is named, not sent.
DTYPES = frozenset(
    {
        torch.float64,
        torch.float32,
        torch.float16,
        torch.bfloat16,
        torch.int64,
        torch.int32,
        torch.int16,
        torch.int8,
        torch.uint8,
        torch.bool,
    }
)


def pack_tensors(tensors: Sequence[torch.Tensor]) -> bytes:
    """CPU tensors of an allowed dtype as one safetensors blob. Raises Malformed."""
    try:
        dense = [tensor.detach().clone(memory_format=torch.contiguous_format) for tensor in tensors]
        blob = safetensors.serialize(
            {str(index): specification(tensor) for index, tensor in enumerate(dense)}
        )
    except Exception as error:
        raise Malformed(f"the frame's tensors cannot be sent ({error})") from error
    check_tensor_header(blob)
    return bytes(blob)


def specification(tensor: torch.Tensor) -> safetensors.TensorSpec:
    """Where safetensors finds the values, in less time than `safetensors.torch.save` looks for
    what cannot be here."""
    if tensor.dtype not in DTYPES or (tensor.nbytes and not tensor.data_ptr()):
        raise Malformed(f"a tensor of {tensor.dtype} on {tensor.device} has no values to send")
    return safetensors.TensorSpec(
        dtype=str(tensor.dtype).removeprefix("torch."),
        shape=tensor.shape,
        data_ptr=tensor.data_ptr(),
        data_len=tensor.nbytes,
    )


def check_tensor_header(blob: bytes | memoryview) -> None:
    # safetensors begins with the length of its own header
    if int.from_bytes(blob[:8], "little") > MAX_TENSOR_HEADER_BYTES:
        raise Malformed("the frame holds too many tensors")


def unpack_tensors(blob: bytes | memoryview) -> list[torch.Tensor]:
    """The tensors of a blob made by `pack_tensors`. Raises Malformed."""
    check_tensor_header(blob)
    try:
        named = safetensors.torch.load(bytes(blob))
        tensors = [named[str(index)] for index in range(len(named))]
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a panic in Rust, for want of memory, is no Exception
        raise Malformed("the frame's tensors are not safetensors") from error
    if any(tensor.dtype not in DTYPES for tensor in tensors):
        raise Malformed("the frame holds a tensor of a dtype that may not cross")
    if any(tensor.dtype is torch.bool and is_no_truth(tensor) for tensor in tensors):
        raise Malformed("the frame holds a truth value that is neither true nor false")
    return tensors


def is_no_truth(tensor: torch.Tensor) -> bool:
    """Whether a byte is neither 0 nor 1: such a bool adds up and compares as no bool does."""
    return bool((tensor.view(torch.uint8) > 1).any())


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
