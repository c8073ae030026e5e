"""What nbgrader's gradebook holds of a class, read in a few queries however large the class is.

nbgrader's own objects ask the database once for each submission, notebook, grade and total.
"""

from __future__ import annotations

import functools
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

from nbgrader.api import (
    Assignment,
    BaseCell,
    Comment,
    Grade,
    Gradebook,
    GradeCell,
    Notebook,
    Student,
    SubmittedAssignment,
    SubmittedNotebook,
    TaskCell,
)
from sqlalchemy import Select, func, select


@dataclass(frozen=True)
class CellGrade:
    """The points of one graded cell. `score` is what counts: a person's points, else the automatic
    ones, with extra credit."""

    name: str
    score: float
    max_score: float
    auto_score: float | None
    manual_score: float | None
    needs_manual_grade: bool


@dataclass
class ClassSubmission:
    """One student's submission. `grades` are in the order of the names of their cells, `comments`
    by cell, and empty unless asked for; `notebooks` are the gradebook's ids of its notebooks, by
    which Formgrader knows them."""

    student_id: str
    first_name: str | None
    last_name: str | None
    timestamp: datetime | None
    late_submission_penalty: float = 0.0
    notebooks: list[str] = field(default_factory=list)
    grades: list[CellGrade] = field(default_factory=list)
    comments: dict[str, str] = field(default_factory=dict)

    @property
    def score(self) -> float:
        """The points without the late penalty."""
        return sum(grade.score for grade in self.grades)

    @property
    def needs_manual_grade(self) -> bool:
        return self.waiting > 0

    @property
    def waiting(self) -> int:
        """How many answers a person has yet to read."""
        return sum(grade.needs_manual_grade for grade in self.grades)

    @functools.cached_property
    def by_cell(self) -> dict[str, CellGrade]:
        """The grades by cell: of assignments of one notebook."""
        return {grade.name: grade for grade in self.grades}


def class_submissions(
    gradebook: Gradebook,
    assignment: str,
    students: Collection[str] = (),
    *,
    comments: bool = False,
) -> dict[str, ClassSubmission]:
    """Every submission of an assignment by student, or those of `students`, by name."""
    found: dict[str, ClassSubmission] = {}
    by_notebook: dict[str, ClassSubmission] = {}
    rows = gradebook.db.execute(
        select(
            SubmittedAssignment.student_id,
            *(Student.first_name, Student.last_name, SubmittedAssignment.timestamp),
            *(SubmittedNotebook.id, SubmittedNotebook.late_submission_penalty),
        )
        .join(Assignment, Assignment.id == SubmittedAssignment.assignment_id)
        .join(Student, Student.id == SubmittedAssignment.student_id)
        .outerjoin(SubmittedNotebook, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
        .where(Assignment.name == assignment)
        .order_by(SubmittedAssignment.student_id)
    )
    for student, first, last, timestamp, notebook, penalty in rows:
        if students and student not in students:
            continue
        one = found.setdefault(student, ClassSubmission(student, first, last, timestamp))
        if notebook is not None:
            one.notebooks.append(notebook)
            one.late_submission_penalty += penalty or 0.0
            by_notebook[notebook] = one
    points = points_of_cells(gradebook, assignment)
    columns = (Grade.auto_score, Grade.manual_score, Grade.extra_credit, Grade.needs_manual_grade)
    of_cell = (Grade.notebook_id, BaseCell.id, BaseCell.name)
    grades = of_assignment(select(*of_cell, *columns), Grade, assignment)
    for notebook, cell, name, automatic, manual, extra, waits in gradebook.db.execute(grades):
        if notebook in by_notebook:
            score = score_of(automatic, manual, extra)
            given = (score, points.get(cell, 0.0), automatic, manual, bool(waits))
            by_notebook[notebook].grades.append(CellGrade(name, *given))
    if comments:
        texts = of_assignment(select(Comment.notebook_id, BaseCell.name, Comment.comment), Comment,
                              assignment)  # fmt: skip
        for notebook, name, text in gradebook.db.execute(texts):
            if notebook in by_notebook and text:
                by_notebook[notebook].comments[name] = text
    return found


def of_assignment(wanted: Select, table: type[Grade] | type[Comment], assignment: str) -> Select:
    """Rows of grades or comments that belong to an assignment, by cell."""
    return (
        wanted.join(BaseCell, BaseCell.id == table.cell_id)
        .join(Notebook, Notebook.id == BaseCell.notebook_id)
        .join(Assignment, Assignment.id == Notebook.assignment_id)
        .where(Assignment.name == assignment)
        .order_by(BaseCell.name)
    )


def score_of(automatic: float | None, manual: float | None, extra: float | None) -> float:
    """What counts, by nbgrader's rule: extra credit is for those who have a score."""
    given = manual if manual is not None else automatic
    return 0.0 if given is None else given + (extra or 0.0)


def points_of_cells(gradebook: Gradebook, assignment: str) -> dict[str, float]:
    """The points of every graded cell and task of an assignment, by the gradebook's id of it."""
    graded, task, cell = GradeCell.__table__, TaskCell.__table__, BaseCell.__table__
    rows = gradebook.db.execute(
        select(cell.c.id, func.coalesce(graded.c.max_score, task.c.max_score))
        .select_from(cell)
        .outerjoin(graded, graded.c.id == cell.c.id)
        .outerjoin(task, task.c.id == cell.c.id)
        .join(Notebook.__table__, Notebook.id == cell.c.notebook_id)
        .join(Assignment.__table__, Assignment.id == Notebook.assignment_id)
        .where(Assignment.name == assignment)
    )
    return {cell_id: points for cell_id, points in rows if points is not None}


@dataclass(frozen=True)
class ListedStudent:
    """A student whom the gradebook knows."""

    id: str
    first_name: str | None
    last_name: str | None
    email: str | None
    lms_user_id: str | None


def listed_students(gradebook: Gradebook) -> list[ListedStudent]:
    """All students whom the gradebook knows, by id."""
    columns = (Student.first_name, Student.last_name, Student.email, Student.lms_user_id)
    rows = gradebook.db.execute(select(Student.id, *columns).order_by(Student.id))
    return [ListedStudent(*row) for row in rows]
