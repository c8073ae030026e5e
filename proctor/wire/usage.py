"""What a session has used so far: the warm process writes it, the trusted side reads it.

It lies in a file without a name that both hold open and no session does, so that reading it costs
nobody a message.
"""

from __future__ import annotations

import os
import struct
import tempfile
import zlib
from typing import NamedTuple

FIELDS = struct.Struct("<ddd")
CHECKSUM = struct.Struct("<I")


class Look(NamedTuple):
    """What the warm process saw when it looked at a session at `at` (`time.monotonic()`).

    In seconds since the session was forked: `processor` is the processor time of all its processes,
    `idle` the time in which it neither ran nor waited for the machine.
    """

    at: float
    processor: float
    idle: float


class UsageFile:
    """The file of one session, held open by its descriptor until `close`."""

    def __init__(self, descriptor: int):
        self.descriptor = descriptor
        self._data = b""  # that the newest look was read from
        self._newest: Look | None = None
        self._open = True

    @classmethod
    def create(cls) -> UsageFile:
        if hasattr(os, "memfd_create"):
            return cls(os.memfd_create("usage", os.MFD_CLOEXEC))
        with tempfile.TemporaryFile() as file:
            return cls(os.dup(file.fileno()))

    def write(self, look: Look) -> None:
        packed = FIELDS.pack(*look)
        os.pwrite(self.descriptor, packed + CHECKSUM.pack(zlib.crc32(packed)), 0)

    def read(self) -> Look | None:
        """The newest look, or None before the first."""
        if self._open:
            data = os.pread(self.descriptor, FIELDS.size + CHECKSUM.size, 0)
            if data == self._data:
                return self._newest
            packed, checksum = data[: FIELDS.size], data[FIELDS.size :]
            # Else one is just being written.
            if checksum and CHECKSUM.unpack(checksum)[0] == zlib.crc32(packed):
                self._data, self._newest = data, Look(*FIELDS.unpack(packed))
        return self._newest

    def close(self) -> None:
        """What was read last can still be had. May be called again."""
        if self._open:
            self.read()
            self._open = False
            os.close(self.descriptor)
