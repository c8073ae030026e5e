"""The tables of reading, beside nbgrader's in the same database, and how they are opened.

They are keyed by the names of assignment, exercise and student, not by nbgrader's ids, so that what
was read outlives `nbgrader db assignment remove`. nbgrader takes no notice of them.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from datetime import UTC, datetime

from sqlalchemy import (
    Boolean,
    Connection,
    Engine,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    create_engine,
    event,
    inspect,
)
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship
from sqlalchemy.pool import NullPool

from proctor.course import CourseError

# How long another program may hold the gradebook before a person is told.
LOCKED_SECONDS = 3.0
FORMGRADER = "Formgrader"  # as the grader of what was not given here


class Table(DeclarativeBase):
    """Of the tables here; nbgrader's have a base of their own."""


class OfExercise:
    assignment: Mapped[str] = mapped_column(String(128), primary_key=True)
    exercise: Mapped[str] = mapped_column(String(128), primary_key=True)


class OfAnswer(OfExercise):
    student: Mapped[str] = mapped_column(String(128), primary_key=True)


class Words(Table):
    """A text that somebody handed in, once however often it came. `pictures` is JSON: the pictures
    pasted into it, by name, as data: addresses."""

    __tablename__ = "reading_text"
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    text: Mapped[str] = mapped_column(Text())
    pictures: Mapped[str] = mapped_column(Text(), default="{}")


class Answer(OfAnswer, Table):
    """An answer as it was graded last. `alike` is the same for answers that are equal but for
    spaces and case."""

    __tablename__ = "reading_answer"
    sha256: Mapped[str] = mapped_column(ForeignKey("reading_text.sha256"))
    alike: Mapped[str] = mapped_column(String(64))


class Item(Table):
    """An item of a rubric that is, or was, in force. The rubric of source/ is compared with it."""

    __tablename__ = "reading_item"
    id: Mapped[int] = mapped_column(primary_key=True)
    assignment: Mapped[str] = mapped_column(String(128))
    exercise: Mapped[str] = mapped_column(String(128))
    place: Mapped[int] = mapped_column(Integer)
    points: Mapped[float] = mapped_column(Float())
    text: Mapped[str] = mapped_column(Text())
    explanation: Mapped[str] = mapped_column(Text(), default="")
    in_force: Mapped[bool] = mapped_column(Boolean, default=True)
    __table_args__ = (Index("reading_item_exercise", "assignment", "exercise"),)


class Grading(Table):
    """One reading of one answer; none is ever changed or deleted, only its `state`.

    "current" is what the gradebook has, "replaced" what it had, "beside" what was saved by somebody
    who had not seen the current one, "second" the reading of a second person, "withdrawn" what was
    taken back.
    """

    __tablename__ = "reading_grading"
    id: Mapped[int] = mapped_column(primary_key=True)
    assignment: Mapped[str] = mapped_column(String(128))
    exercise: Mapped[str] = mapped_column(String(128))
    student: Mapped[str] = mapped_column(String(128))
    sha256: Mapped[str] = mapped_column(String(64))  # of the text that was read
    grader: Mapped[str] = mapped_column(String(128))
    saved: Mapped[str] = mapped_column(String(32))
    state: Mapped[str] = mapped_column(String(16))
    points: Mapped[float] = mapped_column(Float())
    remark: Mapped[str] = mapped_column(Text(), default="")
    seconds: Mapped[float | None] = mapped_column(Float())  # None: nobody looked at it by itself
    given: Mapped[list[Given]] = relationship(lazy="selectin", cascade="all, delete-orphan")
    __table_args__ = (
        Index("reading_grading_answer", "assignment", "exercise", "student"),
        Index("reading_grading_state", "assignment", "exercise", "state"),
    )


class Given(Table):
    """An item that a grading gives, with the points and words that it had then."""

    __tablename__ = "reading_given"
    grading_id: Mapped[int] = mapped_column(ForeignKey("reading_grading.id"), primary_key=True)
    item_id: Mapped[int] = mapped_column(ForeignKey("reading_item.id"), primary_key=True)
    points: Mapped[float] = mapped_column(Float())
    text: Mapped[str] = mapped_column(Text())


class Share(OfAnswer, Table):
    """Who is to read an answer, and who reads it a second time."""

    __tablename__ = "reading_share"
    grader: Mapped[str] = mapped_column(String(128))
    second: Mapped[str | None] = mapped_column(String(128))


class Lease(OfAnswer, Table):
    """Who has an answer open, until when (seconds since 1970)."""

    __tablename__ = "reading_lease"
    grader: Mapped[str] = mapped_column(String(128))
    until: Mapped[float] = mapped_column(Float())


class Place(OfExercise, Table):
    """Where a grader stopped."""

    __tablename__ = "reading_place"
    grader: Mapped[str] = mapped_column(String(128), primary_key=True)
    student: Mapped[str] = mapped_column(String(128))


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


class Locked(CourseError):
    """The gradebook cannot be written or read just now; nothing was changed."""


@functools.cache
def engine_of(url: str) -> Engine:
    """The database at this URL.

    Transactions begin when they are told to, and on SQLite as writers: pysqlite would begin one at
    the first change, after what the change rests on was read.
    """
    if not url.startswith("sqlite"):
        engine = create_engine(url, pool_pre_ping=True)
    else:
        # No connection is kept: somebody may put another file in the gradebook's place.
        timeout = {"timeout": LOCKED_SECONDS}
        engine = create_engine(url, connect_args=timeout, poolclass=NullPool)

        @event.listens_for(engine, "connect")
        def connect(connection, _record):
            connection.isolation_level = None

        @event.listens_for(engine, "begin")
        def begin(connection):
            writes = connection.get_execution_options().get("writes", False)
            connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


@contextlib.contextmanager
def opened(url: str, *, write: bool = False) -> Iterator[Session]:
    """A session that is committed at the end as one transaction, or not at all.

    Raises Locked, with what to do about it.
    """
    try:
        engine = engine_of(url)
        ensure_tables(engine)
        with (
            engine.connect().execution_options(writes=write) as connection,
            Session(connection, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session
    except DatabaseError as error:
        raise Locked(
            f"the gradebook cannot be used just now ({error.orig}), so nothing was saved. Another "
            "program may hold it: wait a moment, or close that program, and try again."
        ) from error


def ensure_tables(engine: Engine | Connection) -> None:
    """Make our tables in a database where they are not: it may be a new one at any time."""
    if not inspect(engine).has_table(Share.__tablename__):
        Table.metadata.create_all(engine)
