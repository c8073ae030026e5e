"""nbgrader's gradebook as the one writer keeps it: what a submission brings is one transaction.

nbgrader opens the gradebook anew for each step of storing a submission, asks for the grades of one
cell at a time, and commits after each: thirty times, of which each waits for the disk. In the
block of `one_transaction` it gets the same open gradebook every time, and nothing is committed
before the end: a kill leaves all of the submission in the gradebook, or nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from nbgrader.api import (
    Assignment,
    BaseCell,
    Comment,
    Grade,
    Gradebook,
    InvalidEntry,
    MissingEntry,
    Notebook,
    SubmittedAssignment,
    SubmittedNotebook,
    new_uuid,
)
from nbgrader.coursedir import CourseDirectory
from nbgrader.utils import parse_utc
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError, StatementError

Names = tuple[str, str, str]  # of a notebook, its assignment and the student


NBGRADER_INIT = Gradebook.__init__


class KeptGradebook(Gradebook):
    """A gradebook that is open as long as `one_transaction` lasts, whoever closes it before."""

    def __init__(self, coursedir: CourseDirectory):
        NBGRADER_INIT(self, coursedir.db_url, coursedir.course_id)
        self.db_url = coursedir.db_url
        self.found: dict[tuple[type, Names], dict[str, Any]] = {}

    def join(self, other: Gradebook) -> None:
        """Let another one be this one. It sees what is stored by now."""
        self.db.flush()
        self.db.expire_all()
        self.found.clear()
        other.__class__ = KeptGradebook
        vars(other).update(vars(self))

    def close(self) -> None:
        """In place of nbgrader's, which would undo what is not committed."""

    def end(self) -> None:
        """Let go of the file, too: somebody may put another one in its place."""
        super().close()

    def add_submission(self, assignment: str, student: str, **columns: Any) -> SubmittedAssignment:
        """As nbgrader: rows for the submission, its notebooks and what each cell may get; but as
        rows, where nbgrader makes an object of each, and looks up all that belong to it."""
        if "timestamp" in columns:
            columns["timestamp"] = parse_utc(columns["timestamp"])
        work = {"id": new_uuid(), "assignment_id": self.find_assignment(assignment).id, **columns}
        books: dict[str, str] = {}
        grades, comments = [], []
        for notebook, cell, kind in self.db.execute(
            select(Notebook.id, BaseCell.id, BaseCell.type)
            .outerjoin(BaseCell, BaseCell.notebook_id == Notebook.id)
            .where(Notebook.assignment_id == work["assignment_id"])
        ):
            book = books.setdefault(notebook, new_uuid())
            row = {"id": new_uuid(), "notebook_id": book, "cell_id": cell}
            if kind in ("GradeCell", "TaskCell"):
                grades.append(row)
            if kind in ("SolutionCell", "TaskCell"):
                comments.append({**row, "id": new_uuid()})
        self._insert(SubmittedAssignment, [{**work, "student_id": self.find_student(student).id}])
        of_work = [
            {"id": book, "assignment_id": work["id"], "notebook_id": notebook}
            for notebook, book in books.items()
        ]
        for table, rows in (SubmittedNotebook, of_work), (Grade, grades), (Comment, comments):
            self._insert(table, rows)
        return self.find_submission(assignment, student)

    def _insert(self, table: type[Any], rows: list[dict[str, Any]]) -> None:
        try:
            if rows:
                self.db.execute(insert(table.__table__), rows)
        except (IntegrityError, StatementError) as error:
            self.db.rollback()
            raise InvalidEntry(*error.args) from error

    def find_grade(self, grade_cell: str, notebook: str, assignment: str, student: str) -> Grade:
        return self._find(Grade, grade_cell, (notebook, assignment, student))

    def find_comment(
        self, solution_cell: str, notebook: str, assignment: str, student: str
    ) -> Comment:
        return self._find(Comment, solution_cell, (notebook, assignment, student))

    def _find(self, kind: type[Any], cell: str, names: Names) -> Any:
        """As nbgrader, which asks for each cell; all those of a notebook are found at once."""
        if (kind, names) not in self.found:
            notebook, assignment, student = names
            rows = self.db.execute(
                select(BaseCell.name, kind)
                .join(BaseCell, BaseCell.id == kind.cell_id)
                .join(SubmittedNotebook, SubmittedNotebook.id == kind.notebook_id)
                .join(Notebook, Notebook.id == SubmittedNotebook.notebook_id)
                .join(
                    SubmittedAssignment, SubmittedAssignment.id == SubmittedNotebook.assignment_id
                )
                .join(Assignment, Assignment.id == SubmittedAssignment.assignment_id)
                .where(
                    Notebook.name == notebook,
                    Assignment.name == assignment,
                    SubmittedAssignment.student_id == student,
                )
            )
            self.found[kind, names] = {row[0]: row[1] for row in rows}
        try:
            return self.found[kind, names][cell]
        except KeyError:
            told = "/".join((names[1], names[0], cell))
            raise MissingEntry(f"No such {kind.__name__.lower()}: {told} for {names[2]}") from None


@contextlib.contextmanager
def one_transaction(kept: KeptGradebook) -> Iterator[None]:
    """Whatever opens nbgrader's gradebook in this block gets `kept`, and what it commits is
    committed at the end, or not at all if the block raises."""

    def init(opened: Gradebook, db_url: str, *others: Any, **named: Any) -> None:
        if db_url == kept.db_url:
            kept.join(opened)
        else:
            NBGRADER_INIT(opened, db_url, *others, **named)

    def commit() -> None:
        if session.new or session.deleted:  # the rest can wait until somebody asks for it
            session.flush()

    session: Any = kept.db()
    nbgrader: Any = Gradebook
    nbgrader.__init__ = init
    session.commit = commit
    try:
        if kept.engine.dialect.name == "sqlite":
            # Else it would begin at the first change, after what that rests on was read.
            session.connection().exec_driver_sql("BEGIN IMMEDIATE")
        yield
        del session.commit
        session.commit()
    except BaseException:
        session.rollback()
        raise
    finally:
        vars(session).pop("commit", None)
        nbgrader.__init__ = NBGRADER_INIT
        kept.end()
