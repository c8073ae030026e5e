"""What crosses between the trusted side and the sandbox, both ways: frames of JSON and tensors.

A frame is two big-endian 32-bit lengths, a JSON object and a safetensors blob (empty without
tensors). Both parts are capped. Whatever is wrong with a frame raises a `WireError`: on the trusted
side that is a fault of the submission, never a crash. Nothing is ever unpickled.
"""

from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from proctor.wire.errors import Closed, Late, Malformed

if TYPE_CHECKING:
    import torch

# JSON of empty lists takes 25 times as much memory when read: this many bytes cost 100 MB at most.
MAX_MESSAGE_BYTES = 4 << 20
MAX_TENSOR_BYTES = 64 << 20
LENGTHS = struct.Struct(">II")


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
        blob = packed(tensors)
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
        content = self._read(header_length + blob_length, deadline)
        try:
            message = json.loads(content[:header_length])
        except (ValueError, RecursionError) as error:
            raise Malformed("the frame's header is not JSON") from error
        if not isinstance(message, dict):
            raise Malformed("the frame's header is not a JSON object")
        return message, unpacked(memoryview(content)[header_length:]), descriptors

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
