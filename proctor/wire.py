"""What crosses between the trusted side and the sandbox, both ways: frames of JSON and tensors.

A frame is two big-endian 32-bit lengths, a JSON object and a safetensors blob (empty without
tensors). Both parts are capped. Whatever is wrong with a frame raises a `WireError`: on the trusted
side that is a fault of the submission, never a crash. Nothing is ever unpickled.
"""

from __future__ import annotations

import json
import math
import socket
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import safetensors.torch
import torch

# JSON of empty lists takes 25 times as much memory when read: this many bytes cost 100 MB at most.
MAX_MESSAGE_BYTES = 4 << 20
MAX_TENSOR_BYTES = 64 << 20
# What describes the tensors of a frame, some 4000 of them; each costs more memory than its bytes.
MAX_TENSOR_HEADER_BYTES = 256 << 10
MAX_DEPTH = 20
MAX_INT_BITS = 4096  # Python refuses to write and to read ints of very many digits
LENGTHS = struct.Struct(">II")

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


class WireError(Exception):
    """A frame could not be sent or received."""


class Closed(WireError):
    """The other side is gone."""


class Late(WireError):
    """The deadline passed before the whole frame had crossed."""


class Malformed(WireError):
    """The frame, or a value in it, breaks the rules of the wire."""


class Channel:
    """One end of a socket pair that carries frames.

    `deadline` is a `time.monotonic()` time in seconds; None waits for ever.
    """

    def __init__(self, connection: socket.socket, max_message_bytes: int = MAX_MESSAGE_BYTES):
        self.connection = connection
        self.max_message_bytes = max_message_bytes

    def send(
        self,
        message: dict[str, Any],
        tensors: Sequence[torch.Tensor] = (),
        *,
        descriptors: Sequence[int] = (),
        deadline: float | None = None,
    ) -> None:
        """Send one frame, with open file descriptors beside it where given.

        Raises Closed, Late, or, before anything is sent, Malformed for what may not cross.
        """
        header = pack_message(message)
        blob = pack_tensors(tensors)
        if len(header) > self.max_message_bytes or len(blob) > MAX_TENSOR_BYTES:
            raise Malformed(f"a frame of {len(header)} + {len(blob)} bytes is over the caps")
        lengths = LENGTHS.pack(len(header), len(blob))
        try:
            self._set_timeout(deadline)
            if descriptors:
                socket.send_fds(self.connection, [lengths], list(descriptors))
                self.connection.sendall(header + blob)
            else:
                # In one piece: every piece wakes the other side.
                self.connection.sendall(lengths + header + blob)
        except TimeoutError as error:
            raise Late("the other side did not take the frame in time") from error
        except OSError as error:
            raise Closed(f"the other side is gone ({error.strerror})") from error

    def receive(self, deadline: float | None = None) -> tuple[dict[str, Any], list[torch.Tensor]]:
        """Receive one frame. Raises Closed, Late or Malformed."""
        message, tensors, _ = self.receive_with_descriptors(deadline, most=0)
        return message, tensors

    def receive_with_descriptors(
        self, deadline: float | None = None, *, most: int = 1
    ) -> tuple[dict[str, Any], list[torch.Tensor], list[int]]:
        """Receive one frame and up to `most` file descriptors sent beside it.

        With `most=0` (the trusted side, always) the kernel drops any that were sent.
        """
        lengths, descriptors = self._read_lengths(deadline, most)
        header_length, blob_length = LENGTHS.unpack(lengths)
        if header_length > self.max_message_bytes or blob_length > MAX_TENSOR_BYTES:
            raise Malformed(f"a frame of {header_length} + {blob_length} bytes is over the caps")
        header = self._read(header_length, deadline)
        blob = self._read(blob_length, deadline)
        try:
            message = json.loads(header)
        except (ValueError, RecursionError) as error:
            raise Malformed("the frame's header is not JSON") from error
        if not isinstance(message, dict):
            raise Malformed("the frame's header is not a JSON object")
        return message, unpack_tensors(blob), descriptors

    def close(self) -> None:
        self.connection.close()

    def _set_timeout(self, deadline: float | None) -> None:
        if deadline is None:
            self.connection.settimeout(None)
            return
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise Late("the deadline passed")
        self.connection.settimeout(remaining)

    def _read_lengths(self, deadline: float | None, most: int) -> tuple[bytes, list[int]]:
        if not most:
            return bytes(self._read(LENGTHS.size, deadline)), []
        self._set_timeout(deadline)
        try:
            received, descriptors, _, _ = socket.recv_fds(self.connection, LENGTHS.size, most)
        except TimeoutError as error:
            raise Late("no frame came in time") from error
        except OSError as error:
            raise Closed(f"the other side is gone ({error.strerror})") from error
        if not received:
            raise Closed("the other side is gone")
        rest = self._read(LENGTHS.size - len(received), deadline)
        return received + bytes(rest), list(descriptors)

    def _read(self, size: int, deadline: float | None) -> bytearray:
        # Grows with what really arrives: a frame that only claims to be large costs nothing.
        data = bytearray()
        while len(data) < size:
            self._set_timeout(deadline)
            try:
                piece = self.connection.recv(min(size - len(data), 1 << 20))
            except TimeoutError as error:
                raise Late("the frame did not come in time") from error
            except OSError as error:
                raise Closed(f"the other side is gone ({error.strerror})") from error
            if not piece:
                raise Closed("the other side is gone")
            data += piece
        return data


def pack_message(message: dict[str, Any]) -> bytes:
    """A frame's header. Raises Malformed for what JSON does not hold."""
    try:
        return json.dumps(message).encode("ascii")
    except (TypeError, ValueError, RecursionError) as error:
        raise Malformed(f"the frame's header cannot be JSON ({error})") from error


def pack_tensors(tensors: Sequence[torch.Tensor]) -> bytes:
    """CPU tensors of an allowed dtype as one safetensors blob. Raises Malformed."""
    if not tensors:
        return b""
    try:
        # A copy each: safetensors refuses tensors that share memory.
        blob = safetensors.torch.save(
            {
                str(index): tensor.detach().clone(memory_format=torch.contiguous_format)
                for index, tensor in enumerate(tensors)
            }
        )
    except Exception as error:
        raise Malformed(f"the frame's tensors cannot be sent ({error})") from error
    check_tensor_header(blob)
    return blob


def check_tensor_header(blob: bytes | bytearray) -> None:
    # safetensors begins with the length of its own header
    if int.from_bytes(blob[:8], "little") > MAX_TENSOR_HEADER_BYTES:
        raise Malformed("the frame holds too many tensors")


def unpack_tensors(blob: bytes | bytearray) -> list[torch.Tensor]:
    """The tensors of a blob made by `pack_tensors`. Raises Malformed."""
    if not blob:
        return []
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
