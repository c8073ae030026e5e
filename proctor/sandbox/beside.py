"""Files that lie beside a notebook: put into each session before a cell runs, read-only."""

from __future__ import annotations

import io
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from proctor.course import CourseError
from proctor.sandbox.sessions import AnySandbox, AnySession
from proctor.sandbox.unavailable import SandboxUnavailable
from proctor.wire.errors import WireError

PIECE_BYTES = 16 << 20
SECONDS = 120.0  # on the clock, for one piece
MAX_FILES = 1000


class FurnishedSandbox:
    """A sandbox whose sessions hold these files, by their names in the notebook's folder, and may
    not write to them; and these `modules` of the student's, which they may.

    Raises CourseError for more files than a session's folder has room for.
    """

    def __init__(
        self,
        sandbox: AnySandbox,
        files: Mapping[str, Path],
        modules: Mapping[str, bytes] | None = None,
    ):
        self.sandbox = sandbox
        self.files = files
        self.modules = modules or {}
        size = sum(path.stat().st_size for path in files.values())
        room = room_in(sandbox)
        if size > room or len(files) > MAX_FILES:
            raise CourseError(
                f"{len(files)} files beside the notebook take {size >> 20} MiB: a session has room "
                f"for {MAX_FILES} files and {room >> 20} MiB (c.Grading.file_mebibytes)"
            )

    def __getattr__(self, name: str) -> Any:
        return getattr(self.sandbox, name)

    def session(self) -> AnySession:
        session = self.sandbox.session()
        try:
            for name, path in self.files.items():
                with path.open("rb") as file:
                    put(session, name, file)
            for name, data in self.modules.items():
                put(session, name, io.BytesIO(data), may_be_written=True)
        except WireError as error:
            session.kill()
            raise SandboxUnavailable(
                f"The files beside the notebook could not be put into the sandbox ({error})",
                "Is the machine short of memory? `proctor doctor` shows how much there is.",
            ) from error
        return session


def furnished(
    sandbox: AnySandbox, files: Mapping[str, Path], modules: Mapping[str, bytes] | None = None
) -> AnySandbox:
    """The sandbox, with these files, and modules of the student's, in each of its sessions."""
    return FurnishedSandbox(sandbox, files, modules) if files or modules else sandbox


def room_in(sandbox: AnySandbox) -> int:
    """Bytes that a session's folder holds."""
    return min(sandbox.limits.temporary_bytes, sandbox.limits.file_bytes)


def room_beside(sandbox: AnySandbox, files: Mapping[str, Path]) -> int:
    """Bytes for modules beside these files; something is left to write."""
    size = sum(path.stat().st_size for path in files.values())
    return room_in(sandbox) - size - (1 << 20)


def put(session: AnySession, name: str, file: BinaryIO, *, may_be_written: bool = False) -> None:
    import torch

    ask = {"ask": "put", "path": name, "may_be_written": may_be_written}
    more = True
    while more:
        data = file.read(PIECE_BYTES)
        more = len(data) == PIECE_BYTES
        piece = [torch.frombuffer(bytearray(data), dtype=torch.uint8)] if data else []
        deadline = time.monotonic() + SECONDS
        session.channel.send({**ask, "more": more}, piece, deadline=deadline)
        session.channel.receive(deadline)
