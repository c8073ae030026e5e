"""The ledger of one assignment: what came, what it got, which page was shown or held, and why.

One line of JSON for each event, in attempts/<assignment>.jsonl, for instructors alone. It is only
added to, and it is all that `proctor watch` has to know when it starts again.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from proctor.course import Course, CourseError

CAME, NOT_TAKEN, MARKED, SHOWN, HELD = "came", "not taken", "marked", "shown", "held"


@dataclass
class Student:
    """What the ledger says of one student. Attempts of the exchange are named as their folders
    there; `key` tells one attempt from all others, wherever it came from."""

    came: list[str] = field(default_factory=list)  # in the order in which they were seen
    stamp: str | None = None  # the time of the last of them, as its name says
    there_since: dict[str, datetime] = field(default_factory=dict)  # by the name of an attempt
    refused: set[str] = field(default_factory=set)
    taken: str | None = None  # the last one that was marked
    marked: dict[str, Any] | None = None  # the last line of its kind
    counting: dict[str, Any] | None = None  # the one that the gradebook has
    page: dict[str, Any] | None = None  # the last line that shows or holds one
    counted: list[datetime] = field(default_factory=list)  # when pages were shown that count

    @property
    def key(self) -> str | None:
        """The attempt that was marked last."""
        return self.marked["key"] if self.marked else None

    @property
    def waits_for_page(self) -> bool:
        """Whether the attempt that was marked last has no page yet, nor a word about one."""
        return self.marked is not None and (self.page is None or self.page["key"] != self.key)


class Ledger:
    """The ledger in its file, and what follows from it. May be written from several threads."""

    def __init__(self, path: Path, *, mend: bool = False):
        """With `mend` a line that a kill or a full disk has cut is taken away: for who writes."""
        self.path = path
        self.students: dict[str, Student] = {}
        self.seconds: list[float] = []  # that marking took
        self._lock = threading.Lock()
        for line in read_lines(path, mend):
            self._learn(line)

    def of(self, student: str) -> Student:
        return self.students.setdefault(student, Student())

    def write(self, what: str, student: str, **facts: Any) -> None:
        """Add a line. Raises CourseError where there is no room for it."""
        now = datetime.now().astimezone().isoformat(timespec="milliseconds")
        line = {"time": now, "student": student, "what": what, **facts}
        with self._lock:
            add_line(self.path, json.dumps(line))
            self._learn(line)

    def _learn(self, line: dict[str, Any]) -> None:
        student, what = self.of(line["student"]), line["what"]
        if what == CAME:
            student.came.append(line["attempt"])
            student.stamp = line["handed_in"]
            if there := line.get("there_since"):
                student.there_since[line["attempt"]] = datetime.fromisoformat(there)
        elif what == NOT_TAKEN:
            student.refused.add(line["attempt"])
        elif what == MARKED:
            student.marked = line
            if line["counts"]:
                student.counting = line
            student.taken = line["attempt"] or student.taken
            self.seconds = [*self.seconds[-49:], line["seconds"]]
        else:
            student.page = line
            if what == SHOWN and line["counted"]:
                student.counted.append(datetime.fromisoformat(line["time"]))


def ledger_file(course: Course, assignment: str) -> Path:
    return attempts_folder(course) / f"{assignment}.jsonl"


def attempts_folder(course: Course) -> Path:
    return course.root / "attempts"


def make_attempts_folder(course: Course, *, shared: bool) -> Path:
    """The folder of ledgers and pages, closed to all but the instructors."""
    folder = attempts_folder(course)
    folder.mkdir(exist_ok=True)
    if folder.stat().st_uid == os.geteuid():
        folder.chmod(0o2770 if shared else 0o700)
    return folder


def read_lines(path: Path, mend: bool) -> Iterator[dict[str, Any]]:
    """The whole lines of a ledger. Raises CourseError for one that is no ledger's."""
    if not path.exists():
        return
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    if mend and whole < len(data):
        os.truncate(path, whole)
    for number, text in enumerate(data[:whole].splitlines(), start=1):
        try:
            line = json.loads(text)
            line["student"], line["what"], datetime.fromisoformat(line["time"])
        except (ValueError, LookupError, TypeError):
            raise CourseError(
                f"line {number} of {path} cannot be read. Limits on pages rest on it: mend the "
                "line, or take it out"
            ) from None
        yield line


def add_line(path: Path, text: str) -> None:
    """Add a line whole, or not at all. Raises CourseError."""
    data = text.encode() + b"\n"
    try:
        with path.open("ab", buffering=0) as file:
            size = file.tell()
            try:
                written = file.write(data)
                if written != len(data):
                    raise OSError("there is no room")
            except OSError:
                file.truncate(size)
                raise
    except OSError as error:
        raise CourseError(f"{path} cannot be written ({error.strerror or error})") from error
