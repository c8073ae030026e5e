"""`nbgrader generate_feedback`: a page is made anew when what it shows has changed, and only then.

nbgrader leaves a page alone that is there, whatever was graded since. Each page of ours ends with a
mark that says what it was made of.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nbgrader.api import Gradebook
from nbgrader.converters import GenerateFeedback
from nbgrader.coursedir import CourseDirectory
from nbgrader.exchange.default import Exchange
from nbgrader.utils import temp_attrs

from proctor.classroom.deadlines.telling import deadline_notice, in_words
from proctor.classroom.gradebook import cells_in_gradebook
from proctor.classroom.reading.storing import given_items
from proctor.classroom.stored import Stored, stored_submissions
from proctor.course import CourseError
from proctor.grading.submitted import read_time
from proctor.settings import LateDays

MADE_OF = re.compile(rb"<!-- made of ([0-9a-f]{64}) -->\s*\Z")
MARK_BYTES = 200
PAGES = Path(__file__).parents[1] / "pages"
# Settings that change what a page looks like.
SECTIONS = ("GenerateFeedback", "FeedbackExporter", "HTMLExporter", "GetGrades")
# What makes a line on top of a student's page, or None: of the converter, the assignment and the
# student. A page is made anew when such a line has changed.
NOTICES: list[Callable[[GenerateFeedback, str, str], str | None]] = [deadline_notice]


@dataclass
class InGradebook:
    """What the gradebook holds of a class: the students' submissions, and the points of cells."""

    students: dict[str, Stored] = field(default_factory=dict)
    points: dict[str, float] = field(default_factory=dict)


def with_mark(page: str, made_of: str) -> str:
    return f"{page}\n<!-- made of {made_of} -->\n"


def page_of(converter: GenerateFeedback, assignment: str, student: str) -> Path:
    return Path(converter._format_dest(assignment, student)) / f"{assignment}.html"


def mark_of(page: Path) -> str | None:
    """What a page says that it was made of, if it is there and says so."""
    if not page.exists():
        return None
    with page.open("rb") as file:
        file.seek(max(0, page.stat().st_size - MARK_BYTES))
        found = MADE_OF.search(file.read())
    return found[1].decode() if found else None


def made_of(converter: GenerateFeedback, assignment: str, student: str) -> str:
    """A hash of all that a page is made of: the graded notebook, points and comments, this code."""
    notebook = Path(converter._format_source(assignment, student)) / f"{assignment}.ipynb"
    in_class = class_in_gradebook(converter, assignment)
    of_student = in_class.students.get(student, Stored())
    settings = {
        name: {
            key: value for key, value in converter.config.get(name, {}).items() if key != "force"
        }
        for name in SECTIONS
    }
    parts = [
        notebook.read_bytes() if notebook.exists() else b"",
        as_text([vars(of_student), in_class.points, settings]).encode(),
        as_text(head_of(converter, assignment, student)).encode(),
        code_of_pages(),
    ]
    found = hashlib.sha256()
    for part in parts:
        found.update(f"{len(part)}\n".encode() + part)
    return found.hexdigest()


def as_text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=named)


def named(other: Any) -> str:
    return other.isoformat() if isinstance(other, datetime) else type(other).__qualname__


# The top of a page


def head_of(converter: GenerateFeedback, assignment: str, student: str) -> dict[str, Any]:
    """What stands on top of a student's page beside the score: when it was handed in, which attempt
    it is (None where nobody can tell), and notices, one line each."""
    at = class_in_gradebook(converter, assignment).students.get(student, Stored()).timestamp
    found = (notice(converter, assignment, student) for notice in NOTICES)
    return {
        "submitted_at": at and time_told(converter, at),
        "attempt": (at and attempt_of(converter, assignment, student, at)) or None,
        "notices": [line for line in found if line],
    }


def time_told(converter: GenerateFeedback, at: datetime) -> str:
    """A time as people read it, where the course is; without a zone it is UTC."""
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return in_words(at, LateDays.of(converter.config).zone())


def attempt_of(converter: GenerateFeedback, assignment: str, student: str, at: datetime) -> int:
    """How many times a student had handed in by then, by what lies in nbgrader's exchange; 0 where
    it came another way."""
    known = vars(converter).setdefault("_proctor_handed_in", {})
    if not known:
        inbound = Path(exchange_of(converter).root, converter.coursedir.course_id, "inbound")
        with suppress(OSError):
            for path in inbound.iterdir():
                who, _, rest = path.name.partition("+")
                what, _, when = rest.partition("+")
                known.setdefault((who, what), []).append(when.partition("+")[0])
    return sum(is_before(when, at) for when in known.get((student, assignment), []))


def is_before(when: str, at: datetime) -> bool:
    """Whether the time in the name of a folder is not later than `at`."""
    try:
        return read_time(when) <= at
    except ValueError:
        return False


def exchange_of(converter: GenerateFeedback) -> Exchange:
    known = vars(converter)
    if "_proctor_exchange" not in known:
        known["_proctor_exchange"] = Exchange(
            coursedir=converter.coursedir, config=converter.config
        )
    return known["_proctor_exchange"]


# The gradebook


def class_in_gradebook(converter: GenerateFeedback, assignment: str) -> InGradebook:
    """What the gradebook holds of the class; it is read once in a run."""
    known = vars(converter).setdefault("_proctor_in_gradebook", {})
    if assignment not in known:
        try:
            known[assignment] = read_gradebook(converter.coursedir, assignment)
        except CourseError as error:
            converter.log.warning("%s", error)
            known[assignment] = InGradebook()
    return known[assignment]


def show_as_it_is(converter: GenerateFeedback, assignment: str, in_class: InGradebook) -> None:
    """Let the next pages show this, not what was read before."""
    vars(converter)["_proctor_in_gradebook"] = {assignment: in_class}
    vars(converter).pop("_proctor_handed_in", None)


def read_gradebook(
    coursedir: CourseDirectory, assignment: str, student: str | None = None
) -> InGradebook:
    """What it holds of the class, or of one student. Raises CourseError where it cannot be read."""
    students = stored_submissions(coursedir, assignment, student)
    with temp_attrs(coursedir, assignment_id=assignment):
        points = cells_in_gradebook(coursedir)
    with Gradebook(coursedir.db_url, coursedir.course_id) as gradebook:
        readings = given_items(gradebook.db, assignment)
    for (student, exercise), (read, items) in readings.items():
        grade = students[student].grades.get(exercise) if student in students else None
        if grade is not None and grade.manual == read:  # else given elsewhere since
            students[student].items[exercise] = items
    return InGradebook(students, points)


@functools.cache
def code_of_pages() -> bytes:
    """A hash of what makes pages look as they do."""
    found = hashlib.sha256()
    for path in sorted(PAGES.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            found.update(path.name.encode() + path.read_bytes())
    return found.digest()
