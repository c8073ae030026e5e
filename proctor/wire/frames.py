"""What crosses between the trusted side and the sandbox, both ways: frames of JSON and tensors.

A frame is two big-endian 32-bit lengths, a JSON object and a safetensors blob (empty without
tensors). Both parts are capped. Whatever is wrong with a frame raises a `WireError`: on the trusted
side that is a fault of the submission, never a crash. Nothing is ever unpickled.
"""

from __future__ import annotations

import functools
import json
import socket
import struct
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from proctor.wire.errors import Closed, Late, Malformed

if TYPE_CHECKING:
    import torch

# JSON of empty lists takes 25 times as much memory when read: this many bytes cost 100 MB at most.
MAX_MESSAGE_BYTES = 4 << 20
MAX_TENSOR_BYTES = 64 << 20
LENGTHS = struct.Struct(">II")
# Most frames are shorter: their lengths and all the rest are then read in one go.
AHEAD = 32 << 10

Result = TypeVar("Result")


class Patience(Protocol):
    """How long one side waits for the other."""

    def next_wait(self) -> float:
        """Seconds to wait now, before this is asked again. After 0 no more is waited: what is
        there is still taken. Raises Late for what goes on after that."""


class Until:
    """Patience until a `time.monotonic()` time."""

    def __init__(self, deadline: float):
        self.deadline = deadline

    def next_wait(self) -> float:
        remaining = self.deadline - time.monotonic()
        if remaining <= 0:
            raise Late("the deadline passed")
        return remaining


Deadline = float | Patience | None


class Channel:
    """One end of a socket pair that carries frames.

    `deadline` is a `time.monotonic()` time in seconds, or a `Patience`; None waits for ever.
    """

    def __init__(self, connection: socket.socket, max_message_bytes: int = MAX_MESSAGE_BYTES):
        self.connection = connection
        self.max_message_bytes = max_message_bytes
        self._ahead = bytearray()  # read, and not taken yet

    def send(
        self,
        message: dict[str, Any],
        tensors: Sequence[torch.Tensor] = (),
        *,
        descriptors: Sequence[int] = (),
        deadline: Deadline = None,
    ) -> None:
        """Send one frame, with open file descriptors beside it where given.

        Raises Closed, Late, or, before anything is sent, Malformed for what may not cross.
        """
        header = pack_message(message)
        blob = packed(tensors)
        if len(header) > self.max_message_bytes or len(blob) > MAX_TENSOR_BYTES:
            raise Malformed(f"a frame of {len(header)} + {len(blob)} bytes is too large")
        lengths = LENGTHS.pack(len(header), len(blob))
        patience = patience_of(deadline)
        data = memoryview(lengths + header + blob)
        if descriptors:
            send = functools.partial(socket.send_fds, self.connection, [data], list(descriptors))
            sent = self._try(send, patience)
            data = data[sent:]
        # In one piece, if it fits: every piece wakes the other side.
        while data:
            sent = self._try(functools.partial(self.connection.send, data), patience)
            data = data[sent:]

    def receive(self, deadline: Deadline = None) -> tuple[dict[str, Any], list[torch.Tensor]]:
        """Receive one frame. Raises Closed, Late or Malformed."""
        message, tensors, _ = self.receive_with_descriptors(deadline, most=0)
        return message, tensors

    def receive_with_descriptors(
        self, deadline: Deadline = None, *, most: int = 1
    ) -> tuple[dict[str, Any], list[torch.Tensor], list[int]]:
        """Receive one frame and up to `most` file descriptors sent beside it.

        With `most=0` (the trusted side, always) the kernel drops any that were sent.
        """
        lengths, descriptors = self._read_lengths(deadline, most)
        header_length, blob_length = LENGTHS.unpack(lengths)
        if header_length > self.max_message_bytes or blob_length > MAX_TENSOR_BYTES:
            raise Malformed(f"a frame of {header_length} + {blob_length} bytes is too large")
        content = self._read(header_length + blob_length, deadline)
        try:
            message = json.loads(content[:header_length].decode())
        except (ValueError, RecursionError, MemoryError) as error:
            raise Malformed("the frame's header is not JSON, or is nested too deeply") from error
        if not isinstance(message, dict):
            raise Malformed("the frame's header is not a JSON object")
        return message, unpacked(memoryview(content)[header_length:]), descriptors

    def close(self) -> None:
        self.connection.close()

    def _try(self, step: Callable[[], Result], patience: Patience | None) -> Result:
        """Do a step that may have to wait for the other side. Raises Closed or Late."""
        while True:
            wait = patience.next_wait() if patience else None
            if self.connection.gettimeout() != wait:
                self.connection.settimeout(wait)
            try:
                return step()
            except (TimeoutError, BlockingIOError) as error:
                if wait == 0:
                    raise Late("the other side took too long") from error
            except OSError as error:
                raise Closed(f"the other side is gone ({error.strerror})") from error

    def _read_lengths(self, deadline: Deadline, most: int) -> tuple[bytes, list[int]]:
        if not most:
            return bytes(self._read(LENGTHS.size, deadline, AHEAD)), []
        receive = functools.partial(socket.recv_fds, self.connection, LENGTHS.size, most)
        received, descriptors, _, _ = self._try(receive, patience_of(deadline))
        if not received:
            raise Closed("the other side is gone")
        rest = self._read(LENGTHS.size - len(received), deadline)
        return received + bytes(rest), list(descriptors)

    def _read(self, size: int, deadline: Deadline, ahead: int = 0) -> bytearray:
        """So many bytes; up to `ahead` more are kept for the next call. Not where descriptors come
        beside frames: a read takes those of all that it reads."""
        # Grows with what really arrives: a frame that only claims to be large costs nothing.
        data, self._ahead = self._ahead, bytearray()
        patience = patience_of(deadline)
        while len(data) < size:
            most = min(size - len(data) + ahead, 1 << 20)
            piece = self._try(functools.partial(self.connection.recv, most), patience)
            if not piece:
                raise Closed("the other side is gone")
            data += piece
        self._ahead = data[size:]
        del data[size:]
        return data


def patience_of(deadline: Deadline) -> Patience | None:
    return Until(deadline) if isinstance(deadline, float | int) else deadline


def pack_message(message: dict[str, Any]) -> bytes:
    """A frame's header. Raises Malformed for what JSON does not hold."""
    try:
        return json.dumps(message).encode("ascii")
    except (TypeError, ValueError, RecursionError) as error:
        raise Malformed(f"the frame's header cannot be JSON ({error})") from error


# Tensors need torch, which takes seconds to import: not every process that has a channel needs it.


def packed(tensors: Sequence[torch.Tensor]) -> bytes:
    if not tensors:
        return b""
    from proctor.wire.tensors import pack_tensors

    return pack_tensors(tensors)


def unpacked(blob: memoryview) -> list[torch.Tensor]:
    if not blob:
        return []
    from proctor.wire.tensors import unpack_tensors

    return unpack_tensors(blob)
