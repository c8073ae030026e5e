"""The record of one grading: the marks, with everything an instructor needs to look into them.

Records lie in `records/<student>/<assignment>.json`, not beside the notebooks, because nbgrader
copies whatever lies there into the students' feedback.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import importlib.metadata
import json
import os
import platform
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proctor.course import Course, write_whole

if TYPE_CHECKING:
    from proctor.grading.marks import Marks

PACKAGES = ("proctor", "torch", "numpy", "nbgrader", "ipython", "pytest")


def record_of(course: Course, marks: Marks) -> dict[str, Any]:
    """The marks as JSON can hold them, with when and by what they were given."""
    fields = dataclasses.asdict(dataclasses.replace(marks, notebook=None))
    del fields["notebook"], fields["repairs"]  # incidents tell of these
    return {
        **fields,
        "graders_sha256": hash_of(sorted(course.graders(marks.assignment).rglob("*.py"))),
        "release_sha256": hash_of([course.release(marks.assignment)]),
        "graded_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(),
    }


@functools.cache
def versions() -> dict[str, str]:
    found = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {"python": platform.python_version(), **found}


def hash_of(paths: Iterable[Path]) -> str:
    """A hash of these files: their names and what is in them."""
    found = hashlib.sha256()
    for path in paths:
        data = path.read_bytes()
        found.update(f"{path.name} {len(data)}\n".encode() + data)
    return found.hexdigest()


def write_record(course: Course, marks: Marks) -> Path:
    """Write the record of a student's marks, in one step: a reader never sees half of it."""
    student = marks.student or "unknown"
    path = course.record(student, marks.assignment)
    write_whole(path, json.dumps(record_of(course, marks), indent=1), others_may_read=False)
    aside_file(course, student, marks.assignment).unlink(missing_ok=True)
    return path


def read_record(course: Course, student: str, assignment: str) -> dict[str, Any] | None:
    """The record of the last grading, or None where there is none that can be read."""
    try:
        return json.loads(course.record(student, assignment).read_bytes())
    except (FileNotFoundError, ValueError):
        return None


def aside_file(course: Course, student: str, assignment: str) -> Path:
    """Where it is kept why a submission was set aside, until it is graded."""
    return Path(course.root, "records", student, f"{assignment}.aside.json")


def write_aside(course: Course, student: str, assignment: str, error: str, remedy: str) -> None:
    at = datetime.now(UTC).isoformat(timespec="seconds")
    kept = {"set_aside_at": at, "error": error, "remedy": remedy}
    path = aside_file(course, student, assignment)
    write_whole(path, json.dumps(kept, indent=1), others_may_read=False)


def read_aside(course: Course, student: str, assignment: str) -> dict[str, str] | None:
    """When and why a submission was set aside, and what helps; None if it was not."""
    path = aside_file(course, student, assignment)
    if not os.path.exists(path):  # noqa: PTH110 - of nearly everybody
        return None
    try:
        return json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None


def asked_file(course: Course, student: str, assignment: str) -> Path:
    """Where the questions to a student about their own code are kept, seed and key included."""
    return course.root / "records" / student / f"{assignment}.asked.json"


def answered_questions(course: Course, student: str, assignment: str) -> str:
    """How many of those questions were answered right, as text; "" for who was not asked."""
    path = asked_file(course, student, assignment)
    if not path.exists():
        return ""
    sheet = json.loads(path.read_text(encoding="utf-8"))
    right, count = sheet["answered_right"], len(sheet["questions"])
    return f"asked {count}" if right is None else f"{right} of {count}"
