"""nbgrader's gradebook: what it knows of an assignment, and how it is kept fast."""

from __future__ import annotations

import contextlib
import functools
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import nbgrader.api
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.coursedir import CourseDirectory
from sqlalchemy import make_url, text
from sqlalchemy.exc import DatabaseError

from proctor.course import Course, CourseError, read_notebook
from proctor.grading import intake


def course_in(coursedir: CourseDirectory) -> Course:
    """The course whose folders nbgrader uses."""
    return Course(Path(coursedir.root))


def keep_engines() -> None:
    """Let nbgrader use one database engine for the whole run.

    It opens the gradebook about ten times per submission, each time with a new engine, which has to
    compile every query anew; that takes longer than the queries.
    """
    if not hasattr(nbgrader.api.create_engine, "cache_info"):
        nbgrader.api.create_engine = functools.cache(nbgrader.api.create_engine)


def look_for_tables_once() -> None:
    """Let nbgrader see once, not each time it opens the gradebook, whether it has all tables.

    For a command that does nothing else: in a server somebody may begin with a new gradebook.
    """
    tables = nbgrader.api.Base.metadata
    if not hasattr(tables.create_all, "cache_info"):
        tables.create_all = functools.cache(tables.create_all)


def count_rows(coursedir: CourseDirectory) -> None:
    """Let SQLite take stock of the gradebook. Where it does not know that a class has many grades
    of a cell and few of a notebook, it finds a grade by going through the whole class."""
    with (
        contextlib.suppress(DatabaseError),  # it is but slower; what is wrong shows elsewhere
        Gradebook(coursedir.db_url, coursedir.course_id) as gradebook,
    ):
        if gradebook.engine.dialect.name == "sqlite":
            gradebook.db.execute(text("ANALYZE"))
            gradebook.db.commit()


def demand_same_cells(coursedir: CourseDirectory, path: Path) -> None:
    """Refuse to grade with a gradebook that knows other cells or points than the release.

    Raises CourseError.
    """
    assignment = coursedir.assignment_id
    release = read_notebook(path)
    released = {
        cell.grade_id: cell.points
        for cell in intake.graded_cells(release).values()
        if cell.kind != "solution"
    }
    known = cells_in_gradebook(coursedir)
    if known != released:
        different = sorted({name for name, _ in known.items() ^ released.items()})
        raise CourseError(
            f"the gradebook and release/{assignment} disagree about {', '.join(different)}: run "
            f"`nbgrader generate_assignment {assignment}`, which brings both up to date."
        )


def cells_in_gradebook(coursedir: CourseDirectory) -> dict[str, float]:
    """The graded cells that the gradebook knows, and their points. Raises CourseError."""
    assignment = coursedir.assignment_id
    try:
        with Gradebook(coursedir.db_url, coursedir.course_id) as gradebook:
            notebooks = gradebook.find_assignment(assignment).notebooks
            cells = [cell for book in notebooks for cell in (*book.grade_cells, *book.task_cells)]
            return {cell.name: cell.max_score for cell in cells}
    except MissingEntry:
        raise CourseError(
            f"the gradebook does not know {assignment}: run "
            f"`nbgrader generate_assignment {assignment}` first."
        ) from None
    except DatabaseError as error:
        raise unusable(error) from error


LOCKED = "database is locked"
# What SQLite says of a gradebook, and what helps there; the first that fits.
REMEDIES = (
    (LOCKED, "Close the program that has gradebook.db open"),
    ("readonly", "Make sure that you may write to gradebook.db and to its folder"),
    ("unable to open", "Make sure that you may read and write gradebook.db and its folder"),
    (
        "no such column",
        "It comes from an older nbgrader: run `nbgrader db upgrade`, which keeps a copy",
    ),
    (
        "no such table",
        "It comes from an older nbgrader: run `nbgrader db upgrade`, which keeps a copy",
    ),
    ("disk is full", "Make room on its disk"),
)


def unusable(error: DatabaseError) -> CourseError:
    """What to do about a gradebook that is locked, older, broken or out of room."""
    fitting = [remedy for text, remedy in REMEDIES if text in str(error.orig)]
    remedy = fitting[0] if fitting else "Put a sound copy of gradebook.db in its place"
    return CourseError(
        f"the gradebook cannot be used ({error.orig}). {remedy}; then run the same "
        "command again to go on."
    )


def sqlite_file(coursedir: CourseDirectory) -> Path | None:
    """Where the gradebook lies, if it is one of SQLite and there."""
    url = make_url(coursedir.db_url)
    path = Path(url.database or "")
    return path if url.get_backend_name() == "sqlite" and path.is_file() else None


def share_gradebook(coursedir: CourseDirectory) -> None:
    """Let a group that shares the course write to it: SQLite makes its files for one user."""
    path = sqlite_file(coursedir) if coursedir.groupshared else None
    if path is not None and path.stat().st_uid == os.geteuid():
        path.chmod(path.stat().st_mode & 0o770 | 0o660)


PATIENCE_SECONDS = 60.0


def wait_while_locked(
    coursedir: CourseDirectory,
    say: Callable[[str], None],
    patience: float | None = None,
) -> None:
    """Wait until a gradebook of SQLite can be written, and say so when it has to.

    Any other program may write to it meanwhile: Formgrader, or a second grader. Raises CourseError
    when it is still locked after `patience` seconds, or cannot be written at all.
    """
    path = sqlite_file(coursedir)
    if path is None:
        return
    if not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
        # SQLite would begin, and say so only when there is something to write.
        raise unusable(DatabaseError(None, None, sqlite3.Error("it is readonly for you")))
    patience = PATIENCE_SECONDS if patience is None else patience
    deadline = time.monotonic() + patience
    told = False
    while True:
        try:
            with contextlib.closing(sqlite3.connect(path, timeout=1.0)) as connection:
                connection.execute("BEGIN IMMEDIATE")
                return
        except sqlite3.Error as error:
            if LOCKED not in str(error) or time.monotonic() > deadline:
                raise unusable(DatabaseError(None, None, error)) from error
        if not told:
            say(f"another program writes to the gradebook: waiting, at most {patience:.0f} s")
            told = True
