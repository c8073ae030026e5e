"""Tensors on the wire: a safetensors blob. What comes back is checked, and never unpickled."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence

import safetensors
import safetensors.torch
import torch

from proctor.wire.errors import Malformed

# Where safetensors panics for want of memory, it would want memory once more to print where, and so
# wait for a lock that it holds itself.
os.environ["RUST_BACKTRACE"] = "0"

# What describes the tensors of a frame, some 4000 of them; each costs more memory than its bytes.
MAX_TENSOR_HEADER_BYTES = 256 << 10
# As many as torch's own operations take. With tens of thousands each operation takes seconds, and
# safetensors ends the process for want of memory.
MAX_DIMENSIONS = 64

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
    check_length(blob)
    check_dimensions(max((tensor.dim() for tensor in dense), default=0))
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
    """Raises Malformed for what safetensors should not even read."""
    length = check_length(blob)
    try:
        header = json.loads(bytes(blob[8 : 8 + length]))
        shapes = [entry["shape"] for entry in header.values()]
        longest = max(map(len, shapes), default=0)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, MemoryError) as error:
        raise Malformed("the frame's tensors have no valid safetensors header") from error
    check_dimensions(longest)


def check_length(blob: bytes | memoryview) -> int:
    """That of safetensors' own header, with which a blob begins."""
    length = int.from_bytes(blob[:8], "little")
    if length > MAX_TENSOR_HEADER_BYTES:
        raise Malformed("the frame holds too many tensors")
    return length


def check_dimensions(most: int) -> None:
    if most > MAX_DIMENSIONS:
        raise Malformed(f"the frame holds a tensor of more than {MAX_DIMENSIONS} dimensions")


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
        raise Malformed("the frame holds a tensor of a dtype that is not allowed")
    if any(tensor.dtype is torch.bool and is_no_truth(tensor) for tensor in tensors):
        raise Malformed("the frame holds a bool that is neither true nor false")
    return tensors


def is_no_truth(tensor: torch.Tensor) -> bool:
    """Whether a byte is neither 0 nor 1: such a bool adds up and compares as no bool does."""
    return bool((tensor.view(torch.uint8) > 1).any())
