"""What was read: a save is one transaction with nbgrader's score and comment, and loses nothing.

A save names the `version` of what its reader saw. If that is no more what is there, because another
reader, Formgrader or a new submission came between, it is kept beside what is there and changes
nothing: the reader is shown both.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from nbgrader.api import BaseCell, Comment, Grade, SolutionCell
from sqlalchemy import CursorResult, insert, select, update
from sqlalchemy.orm import Session

from proctor.classroom.reading.answers import Exercise, Row, all_rows, is_empty
from proctor.classroom.reading.tables import (
    FORMGRADER,
    Given,
    Grading,
    Item,
    Lease,
    Place,
    Share,
    now,
)
from proctor.course import CourseError
from proctor.grading import rubric

MAX_REMARK = 20_000
MAX_SECONDS = 300.0  # who takes longer was away


class Gone(CourseError):
    """The answer is not in the gradebook any more."""


@dataclass(frozen=True)
class Saving:
    """What a reader decided about an answer. `points` count only where the rubric has no items;
    `also` are the answers that get the same, by key, with the version of each that was seen."""

    key: str
    version: str
    items: Sequence[int] = ()
    remark: str = ""
    points: float | None = None
    seconds: float | None = None
    also: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Saved:
    """What became of a save: stored, or kept "beside" a newer one. `left` are the keys of answers
    that should have got the same and were changed meanwhile."""

    state: str
    points: float
    stored: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


def items_in_force(session: Session, exercise: Exercise) -> list[Item]:
    found = select(Item).filter_by(**exercise.key, in_force=True).order_by(Item.place)
    return list(session.scalars(found))


def history(session: Session, row: Row) -> list[Grading]:
    """Every reading of an answer, the newest first."""
    found = select(Grading).filter_by(**row.exercise.key, student=row.student)
    return list(session.scalars(found.order_by(Grading.id.desc())))


def comment_of(session: Session, row: Row) -> str:
    """The comment that the gradebook has for an answer, by a person."""
    return comments(session, row.exercise, [row]).get(row.student, "")


def comments(session: Session, exercise: Exercise, found: Sequence[Row]) -> dict[str, str]:
    """The comments that the gradebook has for these answers, by student."""
    comment, cell = Comment.__table__, BaseCell.__table__
    students = {row.notebook: row.student for row in found}
    texts = session.execute(
        select(comment.c.notebook_id, comment.c.manual_comment)
        .join(cell, cell.c.id == comment.c.cell_id)
        .where(cell.c.name == exercise.name, comment.c.manual_comment.is_not(None))
        .where(comment.c.notebook_id.in_(students))
    )
    return {students[notebook]: text for notebook, text in texts}


def currents(session: Session, exercise: Exercise, found: Sequence[Row]) -> dict[str, Grading]:
    """The readings that count of these answers, by student."""
    students = [row.student for row in found]
    gradings = session.scalars(
        select(Grading)
        .filter_by(**exercise.key, state="current")
        .where(Grading.student.in_(students))
    )
    return {grading.student: grading for grading in gradings}


def versions(session: Session, exercise: Exercise, found: Sequence[Row]) -> dict[str, str]:
    """The version of each of these answers, by key."""
    current, comment = currents(session, exercise, found), comments(session, exercise, found)
    return {
        row.key: version_of(row, current.get(row.student), comment.get(row.student, ""))
        for row in found
    }


def current_of(gradings: Iterable[Grading]) -> Grading | None:
    return next((one for one in gradings if one.state == "current"), None)


def version_of(row: Row, current: Grading | None, comment: str) -> str:
    """Changes whenever anything changes that a reader should have seen before saving."""
    seen = (current.id if current else 0, row.manual, row.waits, comment, row.sha256)
    return hashlib.sha256(repr(seen).encode()).hexdigest()[:16]


def is_from_formgrader(row: Row, current: Grading | None, comment: str) -> bool:
    """Whether the gradebook has points or a comment that were not given here."""
    if row.manual is None:
        return False
    return current is None or (current.points, current.remark) != (row.manual, comment)


def save(session: Session, exercise: Exercise, grader: str, saving: Saving) -> Saved:
    """Store a reading, and the same for the answers that are to get it. Raises Gone if the student
    was removed meanwhile, CourseError for what no page of ours sends."""
    known = items_in_force(session, exercise)
    given = [item for item in known if item.id in set(saving.items)]
    if len(given) != len(set(saving.items)):
        raise CourseError("the rubric has changed since this page was opened: reload it")
    points = points_of(exercise, known, given, saving.points)
    remark = saving.remark.replace("\0", "")[:MAX_REMARK].strip()
    found = {row.key: row for row in all_rows(session, exercise)}
    if saving.key not in found:
        raise Gone(
            "this answer is no longer in the gradebook: its student or submission was removed "
            "meanwhile. Nothing was saved for it; go on with the next one (j)."
        )
    row = found[saving.key]
    seconds = None if saving.seconds is None else min(max(saving.seconds, 0.0), MAX_SECONDS)
    if reads_second(session, row, grader):
        retire(session, row, ("second",))
        add(session, row, grader, "second", points, remark, seconds, given)
        return Saved("second", points, [row.key])
    others = [found[key] for key in saving.also if key in found and not is_empty(found[key])]
    hold(session, [row, *others])
    there = versions(session, exercise, fresh(session, exercise, [row, *others]))
    if there.get(row.key) != saving.version:
        add(session, row, grader, "beside", points, remark, seconds, given)
        return Saved("beside", points, left=[row.key])
    replace(session, row, grader, points, remark, seconds, given)
    same = [other for other in others if there.get(other.key) == saving.also[other.key]]
    for other in same:
        replace(session, other, grader, points, remark, None, given)
    stored = [row.key, *(other.key for other in same)]
    left = [key for key in saving.also if key not in stored]
    session.merge(Place(**exercise.key, grader=grader, student=row.student))
    return Saved("current", points, stored, left)


def points_of(
    exercise: Exercise, known: Sequence[Item], given: Sequence[Item], points: float | None
) -> float:
    if known:
        worth = [item.points for item in known]
        return rubric.score(worth, [item.points for item in given], exercise.points)
    if points is None or not 0 <= points <= exercise.points:
        raise CourseError(f"give points from 0 to {exercise.points:g}: there are no rubric items")
    return round(points, rubric.DIGITS)


def hold(session: Session, found: Sequence[Row]) -> None:
    """Keep others from these grades until the transaction ends; on SQLite it does so by itself."""
    grade = Grade.__table__
    ids = sorted(row.grade for row in found)
    session.execute(select(grade.c.id).where(grade.c.id.in_(ids)).with_for_update())


def fresh(session: Session, exercise: Exercise, found: Sequence[Row]) -> list[Row]:
    """These answers as they are now that they are held."""
    students = {row.student for row in found}
    if session.get_bind().dialect.name == "sqlite":
        return list(found)
    return [row for row in all_rows(session, exercise) if row.student in students]


def replace(
    session: Session,
    row: Row,
    grader: str,
    points: float,
    remark: str,
    seconds: float | None,
    given: Sequence[Item],
) -> None:
    """Make this the reading that counts, here and in nbgrader's tables."""
    before, comment = current_of(history(session, row)), comment_of(session, row)
    if is_from_formgrader(row, before, comment):
        add(session, row, FORMGRADER, "replaced", row.manual or 0.0, comment, None, ())
    retire(session, row, ("current",))
    add(session, row, grader, "current", points, remark, seconds, given)
    write_to_gradebook(session, row, points, remark or None, waits=False)
    lease = session.get(Lease, {**row.exercise.key, "student": row.student})
    if lease is not None:
        session.delete(lease)


def withdraw(session: Session, exercise: Exercise, key: str, version: str) -> Saved:
    """Take a reading back: the answer waits again, and what was given stays in its history."""
    row = next((one for one in all_rows(session, exercise) if one.key == key), None)
    if row is None:
        return Saved("beside", 0.0, left=[key])
    hold(session, [row])
    if versions(session, exercise, fresh(session, exercise, [row])).get(key) != version:
        return Saved("beside", 0.0, left=[key])
    retire(session, row, ("current",), to="withdrawn")
    write_to_gradebook(session, row, None, None, waits=True)
    return Saved("withdrawn", 0.0, [key])


def add(
    session: Session,
    row: Row,
    grader: str,
    state: str,
    points: float,
    remark: str,
    seconds: float | None,
    given: Sequence[Item],
) -> None:
    grading = Grading(
        **row.exercise.key,
        student=row.student,
        sha256=row.sha256 or "",
        grader=grader,
        saved=now(),
        state=state,
        points=points,
        remark=remark,
        seconds=seconds,
        given=[Given(item_id=item.id, points=item.points, text=item.text) for item in given],
    )
    session.add(grading)
    session.flush()


def retire(session: Session, row: Row, states: Sequence[str], to: str = "replaced") -> None:
    session.execute(
        update(Grading)
        .filter_by(**row.exercise.key, student=row.student)
        .where(Grading.state.in_(states))
        .values(state=to)
    )


def reads_second(session: Session, row: Row, grader: str) -> bool:
    share = session.get(Share, {**row.exercise.key, "student": row.student})
    return share is not None and share.second == grader


# nbgrader's tables


def write_to_gradebook(
    session: Session, row: Row, points: float | None, comment: str | None, *, waits: bool
) -> None:
    grade = Grade.__table__
    session.execute(
        update(grade)
        .where(grade.c.id == row.grade)
        .values(manual_score=points, needs_manual_grade=waits)
    )
    write_comment(session, row, comment)


def write_comment(session: Session, row: Row, comment: str | None) -> None:
    table, cell, solution = Comment.__table__, BaseCell.__table__, SolutionCell.__table__
    graded = Grade.__table__
    place: Any = session.scalar(
        select(cell.c.id)
        .join(solution, solution.c.id == cell.c.id)
        .where(
            cell.c.name == row.exercise.name,
            cell.c.notebook_id
            == select(cell.c.notebook_id)
            .join(graded, graded.c.cell_id == cell.c.id)
            .where(graded.c.id == row.grade)
            .scalar_subquery(),
        )
    )
    at = (table.c.cell_id == place) & (table.c.notebook_id == row.notebook)
    done = session.execute(update(table).where(at).values(manual_comment=comment))
    if not cast("CursorResult[Any]", done).rowcount:
        values = {"id": uuid.uuid4().hex, "cell_id": place, "notebook_id": row.notebook}
        session.execute(insert(table).values(**values, manual_comment=comment))
