"""What the gradebook holds of a whole class, read at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from nbgrader.api import (
    Assignment,
    BaseCell,
    Comment,
    Grade,
    Gradebook,
    SubmittedAssignment,
    SubmittedNotebook,
)
from nbgrader.coursedir import CourseDirectory
from sqlalchemy import select
from sqlalchemy.exc import DatabaseError

from proctor.classroom.gradebook import unusable


class StoredGrade(NamedTuple):
    """What a cell got: automatic points, those of a person, extra credit."""

    automatic: float | None
    manual: float | None
    extra: float | None
    needs_person: bool

    @property
    def score(self) -> float:
        """As nbgrader has it."""
        points = self.automatic if self.manual is None else self.manual
        return 0.0 if points is None else points + (self.extra or 0.0)


@dataclass
class Stored:
    """One student's submission of an assignment. Grades and comments are by cell; `items` are those
    of the rubric that an answer got, if they were asked for. `timestamp`, when it was handed in, is
    UTC without saying so."""

    penalty: float | None = None
    timestamp: datetime | None = None
    grades: dict[str, StoredGrade] = field(default_factory=dict)
    comments: dict[str, str] = field(default_factory=dict)
    items: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    @property
    def score(self) -> float:
        """Before the penalty."""
        return sum(grade.score for grade in self.grades.values())


def stored_submissions(
    coursedir: CourseDirectory,
    assignment: str,
    student: str | None = None,
    *,
    comments: bool = True,
) -> dict[str, Stored]:
    """Every submission of the assignment that the gradebook holds, by student; or that of one.

    Raises CourseError where the gradebook cannot be read.
    """
    of_assignment = (
        select(SubmittedAssignment.student_id, SubmittedNotebook.id)
        .join(SubmittedNotebook, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
        .join(Assignment, Assignment.id == SubmittedAssignment.assignment_id)
        .where(Assignment.name == assignment)
    )
    if student is not None:
        of_assignment = of_assignment.where(SubmittedAssignment.student_id == student)
    found: dict[str, Stored] = {}
    try:
        with Gradebook(coursedir.db_url, coursedir.course_id) as gradebook:
            rows = gradebook.db.execute(
                of_assignment.add_columns(
                    SubmittedNotebook.late_submission_penalty, SubmittedAssignment.timestamp
                )
            )
            students = {}
            for student, notebook, penalty, timestamp in rows:
                students[notebook] = found.setdefault(student, Stored(penalty, timestamp))
            of_grades = (Grade.auto_score, Grade.manual_score, Grade.extra_credit)
            for notebook, cell, *points in gradebook.db.execute(
                select(Grade.notebook_id, BaseCell.name, *of_grades, Grade.needs_manual_grade)
                .join(BaseCell, BaseCell.id == Grade.cell_id)
                .where(Grade.notebook_id.in_(of_assignment.with_only_columns(SubmittedNotebook.id)))
            ):
                if notebook in students:  # else it was stored since the first question
                    students[notebook].grades[cell] = StoredGrade(*points)
            for notebook, cell, text in (
                ()
                if not comments
                else gradebook.db.execute(
                    select(Comment.notebook_id, BaseCell.name, Comment.comment)
                    .join(BaseCell, BaseCell.id == Comment.cell_id)
                    .where(
                        Comment.notebook_id.in_(
                            of_assignment.with_only_columns(SubmittedNotebook.id)
                        )
                    )
                )
            ):
                if notebook in students:
                    students[notebook].comments[cell] = text or ""
    except DatabaseError as error:
        raise unusable(error) from error
    return found
