"""The written answers of a class: which there are, what they say, in which order they are read.

Their texts are stored when a submission is graded: no page has to open a thousand notebooks.
Whether an answer waits is nbgrader's own `needs_manual_grade`, and nowhere else.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from nbgrader.api import (
    Assignment,
    BaseCell,
    Grade,
    GradeCell,
    Notebook,
    SolutionCell,
    SubmittedAssignment,
    SubmittedNotebook,
)
from sqlalchemy import and_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, aliased

from proctor.classroom.reading.tables import Answer, Words
from proctor.course import Course, CourseError, meant, read_notebook
from proctor.grading.pictures import attached_pictures


@dataclass(frozen=True)
class Exercise:
    """A cell of an assignment whose answers a person reads."""

    assignment: str
    name: str
    points: float
    is_code: bool = False

    @property
    def key(self) -> dict[str, str]:
        """What its rows have in common in our tables."""
        return {"assignment": self.assignment, "exercise": self.name}


@dataclass(frozen=True)
class Row:
    """One answer as the gradebook has it. `manual` are the points that a person gave; `sha256` is
    None where its text was never stored."""

    exercise: Exercise
    student: str
    grade: str
    notebook: str
    manual: float | None
    automatic: float | None
    waits: bool
    sha256: str | None
    alike: str | None

    @property
    def key(self) -> str:
        """What pages call it by: it tells nothing about the student."""
        return key_of(self.exercise, self.student)

    @property
    def pseudonym(self) -> str:
        return self.key[:5].upper()


def key_of(exercise: Exercise, student: str) -> str:
    named = f"{exercise.assignment}/{exercise.name}/{student}"
    return base64.b32encode(hashlib.sha256(named.encode()).digest())[:12].decode().lower()


def exercises(session: Session, assignment: str) -> list[Exercise]:
    """The exercises of an assignment that a person reads. Raises CourseError if there are none."""
    graded, solution = GradeCell.__table__, SolutionCell.__table__
    cell, answer = aliased(BaseCell.__table__), aliased(BaseCell.__table__)
    found = session.execute(
        select(cell.c.name, graded.c.max_score, graded.c.cell_type)
        .join(graded, graded.c.id == cell.c.id)
        .join(Notebook.__table__, Notebook.id == cell.c.notebook_id)
        .join(Assignment.__table__, Assignment.id == Notebook.assignment_id)
        .join(
            answer, and_(answer.c.notebook_id == cell.c.notebook_id, answer.c.name == cell.c.name)
        )
        .join(solution, solution.c.id == answer.c.id)
        .where(Assignment.name == assignment)
    ).all()
    if not found:
        known = [name for (name,) in session.execute(select(Assignment.name))]
        close = "" if assignment in known else meant(assignment, known)
        raise CourseError(
            f"the gradebook knows no written answers of {assignment}{close}"
            if close
            else f"the gradebook knows no written answers of {assignment}: it needs an assignment "
            "that was released, with a cell that nbgrader calls “manually graded answer”."
        )
    return [Exercise(assignment, name, points, kind == "code") for name, points, kind in found]


def rows(session: Session, exercise: Exercise) -> list[Row]:
    """The answers to an exercise in the order in which they are read: the same for everybody, and
    by no name. Empty ones have their 0 already and are not among them."""
    found = [row for row in all_rows(session, exercise) if not is_empty(row)]
    return sorted(found, key=lambda row: row.key)


def is_empty(row: Row) -> bool:
    return row.manual is None and row.automatic is not None and not row.waits


def all_rows(session: Session, exercise: Exercise, student: str | None = None) -> list[Row]:
    """The answers of everybody, or of one student, empty ones too."""
    grade, cell = Grade.__table__, BaseCell.__table__
    book, work = SubmittedNotebook.__table__, SubmittedAssignment.__table__
    one_only = [work.c.student_id == student] if student is not None else []
    found = session.execute(
        select(
            work.c.student_id,
            grade.c.id,
            grade.c.notebook_id,
            grade.c.manual_score,
            grade.c.auto_score,
            grade.c.needs_manual_grade,
            Answer.sha256,
            Answer.alike,
        )
        .select_from(cell)
        .join(Notebook.__table__, Notebook.id == cell.c.notebook_id)
        .join(Assignment.__table__, Assignment.id == Notebook.assignment_id)
        .join(grade, grade.c.cell_id == cell.c.id)
        .join(book, book.c.id == grade.c.notebook_id)
        .join(work, work.c.id == book.c.assignment_id)
        .outerjoin(
            Answer,
            and_(
                Answer.student == work.c.student_id,
                Answer.assignment == exercise.assignment,
                Answer.exercise == exercise.name,
            ),
        )
        .where(Assignment.name == exercise.assignment, cell.c.name == exercise.name, *one_only)
    )
    return [Row(exercise, *values) for values in found]


# Texts


def alike_of(text: str) -> str:
    """A hash that answers share which are equal but for spaces and case."""
    return hashlib.sha256(" ".join(text.casefold().split()).encode()).hexdigest()


def store_answer(
    session: Session, exercise: Exercise, student: str, cell: Mapping[str, Any]
) -> str:
    """Store what stands in a student's cell; returns the hash of it."""
    text, pictures = cell["source"], attached_pictures(cell)
    drawn = json.dumps(pictures, sort_keys=True)
    sha256 = hashlib.sha256(f"{text}\0{drawn}".encode()).hexdigest()
    alike = alike_of(text) if not pictures else sha256
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    session.execute(
        insert(Words)
        .values(sha256=sha256, text=text.replace("\0", ""), pictures=drawn)
        .on_conflict_do_nothing()
    )
    found = {"sha256": sha256, "alike": alike}
    session.execute(
        insert(Answer)
        .values(**exercise.key, student=student, **found)
        .on_conflict_do_update(index_elements=["assignment", "exercise", "student"], set_=found)
    )
    return sha256


def store_old_answers(
    session: Session, course: Course, exercise: Exercise, found: Sequence[Row]
) -> int:
    """Store the texts of answers that were graded before there was a place for them."""
    missing = [row for row in found if row.sha256 is None]
    for row in missing:
        cell = cell_of(autograded(course, exercise, row.student), exercise)
        store_answer(session, exercise, row.student, cell)
    return len(missing)


def autograded(course: Course, exercise: Exercise, student: str) -> Path:
    name = exercise.assignment
    return course.root / "autograded" / student / name / f"{name}.ipynb"


def cell_of(notebook: Path, exercise: Exercise) -> NotebookNode | dict[str, Any]:
    """The cell of an answer in a graded notebook."""
    if notebook.exists():
        for cell in read_notebook(notebook).cells:
            if cell.metadata.get("nbgrader", {}).get("grade_id") == exercise.name:
                return cell
    return {"source": f"(There is no answer to {exercise.name} in {notebook.parent.name}.)"}
