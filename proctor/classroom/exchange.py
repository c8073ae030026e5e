"""nbgrader's exchange, the folder between instructors and students, where all may write.

`guard_exchange` changes two of nbgrader's methods, for which it has no setting: what it says to an
instructor whose exchange cannot be used, and what it takes from there.
"""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbgrader.exchange.default.collect import ExchangeCollect
from nbgrader.exchange.default.exchange import Exchange

from proctor.course import CourseError

DO_COPY = ExchangeCollect.do_copy
PIECE = 1 << 20


def demand_exchange(folder: Path) -> Path:
    """An exchange that is there and can be written to. Raises CourseError."""
    folder = folder.resolve()
    remedy = f"`mkdir -p {folder} && chmod 777 {folder}` makes it what nbgrader needs"
    if not folder.is_dir():
        raise CourseError(f"the exchange {folder} is not there: {remedy}")
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise CourseError(f"the exchange {folder} cannot be written to: {remedy}") from error
    return folder


def guard_exchange() -> None:
    """Let nbgrader say what to do about an exchange, and collect nothing but files."""
    Exchange.ensure_root = ensure_root
    ExchangeCollect.do_copy = do_copy


def ensure_root(self: Exchange) -> None:
    """In place of nbgrader's, which tells instructors to contact their instructor."""
    try:
        demand_exchange(Path(self.root))
    except CourseError as error:
        self.fail(f"{error}, or let c.Exchange.root in nbgrader_config.py name another folder.")


@dataclass(frozen=True)
class Room:
    """What of one submission is collected at most."""

    entries: int = 1000  # files and folders
    total_bytes: int = 100 << 20
    depth: int = 10  # folders within folders


def do_copy(self: ExchangeCollect, source: str, target: str, log: Any = None) -> None:
    """In place of nbgrader's, which follows links out of a submission, and waits at pipes."""
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder) / "files"
        files.mkdir()
        for reason in copy_carefully(Path(source), files, Room()):
            self.log.warning("not collected, %s", reason)
        DO_COPY(self, str(files), target, log=log)


def copy_carefully(source: Path, target: Path, room: Room) -> Iterator[str]:
    """Copy files and folders that may change meanwhile; says what was left out, and why.

    Whoever handed them in may still write there. So nothing is looked at by name and opened later:
    folders and files are opened once, without following links, and what is open is copied.
    """
    entries, size = 0, 0
    for folder, folders, names, opened in os.fwalk(source, follow_symlinks=False):
        within = Path(folder).relative_to(source)
        (target / within).mkdir(exist_ok=True)
        if len(within.parts) == room.depth and folders:
            yield f"because it is more than {room.depth} folders deep: what is in {str(within)!a}"
            folders.clear()
        folders.sort()
        yield from (
            f"because it is not a regular file: {str(within / name)!a}"
            for name in folders
            if is_link(name, opened)
        )
        entries += len(names) + len(folders)
        if entries > room.entries:
            yield f"because there are more than {room.entries:,} files: what is in {str(within)!a}"
            return
        for name in sorted(names):
            try:
                size += copy_file(name, opened, target / within / name, room.total_bytes - size)
            except NotCollected as reason:
                yield f"{reason}: {str(within / name)!a}"


class NotCollected(Exception):
    """A file that is not taken along, and why."""


def is_link(name: str, folder: int) -> bool:
    with suppress(OSError):
        return stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    return False


def copy_file(name: str, folder: int, target: Path, most: int) -> int:
    """Copy a file of an open folder; returns its size. Raises NotCollected."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        demand_file(os.stat(name, dir_fd=folder, follow_symlinks=False))
        with os.fdopen(os.open(name, flags, dir_fd=folder), "rb") as file:
            status = os.fstat(file.fileno())
            demand_file(status)
            if status.st_size > most:
                size = f"{status.st_size:,} bytes, and there is room for {most:,} more"
                raise NotCollected(f"because it has {size}")
            left = status.st_size  # not what it may have grown to since
            with target.open("wb") as copy:
                while left and (data := file.read(min(left, PIECE))):
                    left -= copy.write(data)
            os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
            return status.st_size - left
    except OSError as error:
        kind = (
            "is not a regular file"
            if error.errno == errno.ELOOP
            else f"cannot be read ({error.strerror})"
        )
        raise NotCollected(f"because it {kind}") from None


def demand_file(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise NotCollected("because it is not a regular file")
    if status.st_nlink > 1:
        raise NotCollected("because it is a link to a file that also has another name")
