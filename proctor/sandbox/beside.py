"""Files that lie beside a notebook: put into each session before a cell runs, read-only."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from proctor.course import CourseError
from proctor.sandbox.sessions import AnySandbox, AnySession
from proctor.sandbox.unavailable import SandboxUnavailable
from proctor.wire.errors import WireError

PIECE_BYTES = 16 << 20
SECONDS = 120.0  # on the clock, for one piece
MAX_FILES = 1000


class FurnishedSandbox:
    """A sandbox whose sessions hold these files, by their names in the notebook's folder.

    Raises CourseError for more than a session's folder has room for.
    """

    def __init__(self, sandbox: AnySandbox, files: Mapping[str, Path]):
        self.sandbox = sandbox
        self.files = files
        size = sum(path.stat().st_size for path in files.values())
        room = min(sandbox.limits.temporary_bytes, sandbox.limits.file_bytes)
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
                put(session, name, path)
        except WireError as error:
            session.kill()
            raise SandboxUnavailable(
                f"The files beside the notebook could not be put into the sandbox ({error})",
                "Is the machine short of memory? `proctor doctor` shows what this machine gives.",
            ) from error
        return session


def furnished(sandbox: AnySandbox, files: Mapping[str, Path]) -> AnySandbox:
    """The sandbox, with these files in each of its sessions."""
    return FurnishedSandbox(sandbox, files) if files else sandbox


def put(session: AnySession, name: str, path: Path) -> None:
    import torch

    with path.open("rb") as file:
        more = True
        while more:
            data = file.read(PIECE_BYTES)
            more = len(data) == PIECE_BYTES
            piece = [torch.frombuffer(bytearray(data), dtype=torch.uint8)] if data else []
            deadline = time.monotonic() + SECONDS
            session.channel.send(
                {"ask": "put", "path": name, "more": more}, piece, deadline=deadline
            )
            session.channel.receive(deadline)
