"""What the report is made of: scores and what waits from the gradebook, checks from the records."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nbgrader.api import Gradebook, MissingEntry
from nbgrader.coursedir import CourseDirectory
from sqlalchemy.exc import DatabaseError
from traitlets.config import Config

from proctor.course import Course, CourseError, meant, read_notebook
from proctor.grading.class_grades import ClassSubmission, class_submissions, listed_students
from proctor.grading.records import read_aside
from proctor.pages.exercises import Exercise, exercises_of
from proctor.text import plain


@dataclass(frozen=True)
class Graded:
    """One graded submission: its record, and what the gradebook has of it."""

    student: str
    record: dict[str, Any]
    stored: ClassSubmission

    @property
    def is_rejected(self) -> bool:
        return self.record["status"] == "rejected"

    @property
    def cells(self) -> list[dict[str, Any]]:
        return self.record["cells"]

    def share(self, exercise: Exercise) -> float | None:
        """The share of an exercise's points that it got; None while a person has yet to say."""
        given = self.stored.by_cell
        grades = [given[name] for name in exercise.cells if name in given]
        settled = [grade for grade in grades if not grade.needs_manual_grade]
        most = sum(grade.max_score for grade in settled)
        return sum(grade.score for grade in settled) / most if most else None

    def score(self, names: Sequence[str]) -> float:
        """The points of these graded cells."""
        grades = self.stored.by_cell
        return sum(grades[name].score for name in names if name in grades)


@dataclass(frozen=True)
class ClassResults:
    """A class's results of one assignment, or those of a `group` of it. `not_graded` handed in what
    no record tells of; `set_aside` were tried, and have why that gave no mark; `not_handed_in` are
    on the class list and have no folder."""

    course: Course
    assignment: str
    exercises: list[Exercise]
    submissions: list[Graded]
    not_graded: list[str]
    not_handed_in: list[str]
    set_aside: dict[str, dict[str, str]] = field(default_factory=dict)
    group: str | None = None

    @property
    def marked(self) -> list[Graded]:
        """The submissions that could be read."""
        return [one for one in self.submissions if not one.is_rejected]

    @property
    def waiting(self) -> int:
        """The answers that a person has yet to read."""
        return sum(one.stored.waiting for one in self.submissions)

    @property
    def counted(self) -> list[str]:
        """The graded cells whose points make up the scores: those with automatic points until all
        written answers have been read, then all."""
        return [
            name
            for exercise in self.exercises
            for name in exercise.cells
            if not self.waiting or name not in exercise.by_hand
        ]

    @property
    def points(self) -> float:
        return sum(exercise.points for exercise in self.exercises)

    @property
    def counted_points(self) -> float:
        counted = self.counted
        return sum(
            points
            for exercise in self.exercises
            for name, points in exercise.cells.items()
            if name in counted
        )


def gather(
    config: Config, course: Course, assignment: str, exercises: list[Exercise] | None = None
) -> ClassResults:
    """Every graded submission of an assignment, by student; `exercises` are those of the release,
    unless given. Raises CourseError if there is none."""
    coursedir = CourseDirectory(config=config)
    try:
        with Gradebook(coursedir.db_url, coursedir.course_id) as gradebook:
            gradebook.find_assignment(assignment)
            stored = class_submissions(gradebook, assignment)
            known = [student.id for student in listed_students(gradebook)]
    except MissingEntry:
        raise CourseError(
            f"the gradebook has no assignment {assignment}: `nbgrader generate_assignment "
            f"{assignment}` brings it in"
        ) from None
    except DatabaseError as error:
        raise CourseError(f"the gradebook cannot be read ({error.orig})") from None
    records = records_in(course.root / "records", assignment)
    submissions = [
        Graded(student, record, stored[student])
        for student, record in records.items()
        if student in stored
    ]
    if not submissions:
        raise CourseError(f"nothing is graded yet: run `proctor grade {assignment}`")
    handed_in = set(handed_in_by(coursedir, assignment))
    notes = {student: read_aside(course, student, assignment) for student in sorted(handed_in)}
    aside = {student: note for student, note in notes.items() if note}
    return ClassResults(
        course=course,
        assignment=assignment,
        exercises=exercises or exercises_of(read_notebook(course.release(assignment))),
        submissions=submissions,
        not_graded=sorted(handed_in - {one.student for one in submissions} - aside.keys()),
        not_handed_in=[name for name in known if name not in handed_in and name not in stored],
        set_aside=aside,
    )


def of_group(results: ClassResults, file: Path) -> ClassResults:
    """The results of the students whose ids begin the lines of a file. Raises CourseError where it
    cannot be read, or names somebody whom nobody knows."""
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is not text in UTF-8"
        raise CourseError(f"{file} cannot be read as a list of students ({why})") from None
    wanted = [line.split(",")[0].strip() for line in lines if line.strip()]
    graded = {one.student: one for one in results.submissions}
    known = [*graded, *results.not_graded, *results.set_aside, *results.not_handed_in]
    unknown = [name for name in wanted if name not in set(known)]
    if unknown:
        raise CourseError(
            f"{file}: there is no student {plain(unknown[0])}{meant(unknown[0], known)}. It has an "
            "id at the beginning of each line, and no line above them"
        )
    if not graded.keys() & set(wanted):
        raise CourseError(f"{file}: none of these students was graded in {results.assignment}")
    return dataclasses.replace(
        results,
        submissions=[one for name, one in graded.items() if name in wanted],
        not_graded=[name for name in results.not_graded if name in wanted],
        not_handed_in=[name for name in results.not_handed_in if name in wanted],
        set_aside={name: why for name, why in results.set_aside.items() if name in wanted},
        group=file.stem,
    )


def records_in(folder: Path, assignment: str) -> dict[str, dict[str, Any]]:
    """The records of an assignment, by student. One that cannot be read is left out."""
    found = {}
    for path in sorted(folder.glob(f"*/{assignment}.json")):
        try:
            found[path.parent.name] = json.loads(path.read_bytes())
        except ValueError:
            continue
    return found


def handed_in_by(coursedir: CourseDirectory, assignment: str) -> list[str]:
    """Whoever has a folder of this assignment among the submissions."""
    folder = Path(coursedir.root, coursedir.submitted_directory)
    if not folder.is_dir():
        return []
    found = (one for one in folder.iterdir() if not one.name.startswith("."))
    return [one.name for one in found if (one / assignment).is_dir()]
