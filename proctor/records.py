"""The record of one grading: the marks, with everything an instructor needs to look into them.

Records lie in `records/<student>/<assignment>.json`, not beside the notebooks, because nbgrader
copies whatever lies there into the students' feedback.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import platform
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proctor.course import Course

if TYPE_CHECKING:
    from proctor.marking import Marks

PACKAGES = ("proctor", "torch", "numpy", "nbgrader", "ipython", "pytest")


def record_of(marks: Marks) -> dict[str, Any]:
    """The marks as JSON can hold them, with when and by what they were given."""
    fields = dataclasses.asdict(dataclasses.replace(marks, notebook=None))
    del fields["notebook"]
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {
        **fields,
        "graded_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {"python": platform.python_version(), **versions},
    }


def write_record(course: Course, marks: Marks) -> Path:
    """Write the record of a student's marks, in one step: a reader never sees half of it."""
    path = course.record(marks.student or "unknown", marks.assignment)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(record_of(marks), indent=1)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
        file.write(text)
    Path(file.name).chmod(0o640)
    Path(file.name).replace(path)
    return path


def read_record(course: Course, student: str, assignment: str) -> dict[str, Any] | None:
    """The record of the last grading, or None."""
    try:
        return json.loads(course.record(student, assignment).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
