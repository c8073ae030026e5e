"""That there is one watcher of a course, and what it says of itself while it works."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proctor.classroom.watch.ledger import attempts_folder
from proctor.course import Course, CourseError, write_whole

if TYPE_CHECKING:
    from proctor.classroom.watch.watcher import Watcher

LOCK, STATUS = "watch.lock", "watch.json"
SECONDS_BETWEEN = 1.0


@dataclass(frozen=True)
class Depth:
    """What waits of one assignment; `oldest` is since when, in seconds since 1970, and `seconds`
    what marking one has taken of late."""

    waiting: int
    oldest: float | None
    seconds: float | None
    pages: int


@contextlib.contextmanager
def only_watcher(course: Course) -> Iterator[None]:
    """Raises CourseError while another process watches the course. A kill gives the lock back."""
    with (attempts_folder(course) / LOCK).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise CourseError(
                f"this course is watched already, by {who_watches(course)}: stop that first. One "
                "watcher takes several assignments: `proctor watch A B`"
            ) from None
        yield


def is_watched(course: Course) -> bool:
    path = attempts_folder(course) / LOCK
    if not path.exists():
        return False
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def who_watches(course: Course) -> str:
    status = read_status(course)
    return f"process {status['process']} on {status['host']}" if status else "another process"


class Status:
    """Keeps the status file; call it with the watcher whenever something was done."""

    def __init__(self, course: Course):
        self.path = attempts_folder(course) / STATUS
        self.began = time.time()
        self._written = float("-inf")

    def __call__(self, watcher: Watcher) -> None:
        if time.monotonic() - self._written < SECONDS_BETWEEN and (
            watcher.waiting or watcher.at_work
        ):
            return
        self._written = time.monotonic()
        told = {
            "process": os.getpid(),
            "host": socket.gethostname(),
            "began": self.began,
            "updated": time.time(),
            "troubles": list(watcher.troubles.now.values()),
            "assignments": {name: asdict(depth) for name, depth in depths(watcher).items()},
        }
        with contextlib.suppress(OSError):  # a full disk is told by what it stops
            write_whole(self.path, json.dumps(told, indent=1), others_may_read=False)


def depths(watcher: Watcher) -> dict[str, Depth]:
    found = {}
    attempts = [*watcher.waiting.values(), *watcher.at_work.values()]
    for name, each in watcher.assignments.items():
        since = [attempt.since for attempt in attempts if attempt.assignment == name]
        seconds = each.ledger.seconds
        found[name] = Depth(
            len(since),
            min(since, default=None),
            sum(seconds) / len(seconds) if seconds else None,
            sum(each.page_waits(student) for student in list(each.ledger.students.values())),
        )
    return found


def read_status(course: Course) -> dict[str, Any] | None:
    """What the last watcher said of itself; None if there was none."""
    path: Path = attempts_folder(course) / STATUS
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
