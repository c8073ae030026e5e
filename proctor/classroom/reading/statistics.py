"""What the class report says about written answers: items, and how far two readers agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nbgrader.coursedir import CourseDirectory
from sqlalchemy import select
from sqlalchemy.orm import Session
from traitlets.config import Config

from proctor.classroom.reading.answers import Exercise, exercises, rows
from proctor.classroom.reading.gradings import items_in_force
from proctor.classroom.reading.tables import Grading, Item, opened
from proctor.course import CourseError


@dataclass(frozen=True)
class ItemReport:
    """An item, and the share of the read answers that have it. Of the answers that two people have
    read: the share on which both decided the same, and Cohen's kappa (1: always the same; 0: as if
    by chance; None where it cannot be told)."""

    points: float
    text: str
    share: float | None
    agreement: float | None
    kappa: float | None


@dataclass(frozen=True)
class WrittenReport:
    """An exercise whose answers people read. `differ` counts the answers to which two readers gave
    different points."""

    exercise: str
    points: float
    answers: int
    read: int
    mean: float | None
    items: list[ItemReport]
    twice: int
    differ: int


def written_reports(config: Config, assignment: str) -> list[WrittenReport]:
    """A report on each written exercise of an assignment; none where it has none."""
    url = CourseDirectory(config=config).db_url
    file = url.removeprefix("sqlite:///")
    if file != url and not Path(file).exists():
        return []
    with opened(url) as session:
        try:
            known = exercises(session, assignment)
        except CourseError:
            return []
        return [written_report(session, exercise) for exercise in known]


def written_report(session: Session, exercise: Exercise) -> WrittenReport:
    found = rows(session, exercise)
    read = [row.manual for row in found if not row.waits and row.manual is not None]
    known = {row.student for row in found}
    first = readings(session, exercise, "current", known)
    second = readings(session, exercise, "second", known)
    pairs = [(first[student], second[student]) for student in first.keys() & second.keys()]
    return WrittenReport(
        exercise=exercise.name,
        points=exercise.points,
        answers=len(found),
        read=len(read),
        mean=sum(read) / len(read) if read else None,
        items=[
            item_report(item, list(first.values()), pairs)
            for item in items_in_force(session, exercise)
        ],
        twice=len(pairs),
        differ=sum(one.points != other.points for one, other in pairs),
    )


def readings(
    session: Session, exercise: Exercise, state: str, known: set[str]
) -> dict[str, Grading]:
    found = session.scalars(select(Grading).filter_by(**exercise.key, state=state))
    return {grading.student: grading for grading in found if grading.student in known}


def item_report(
    item: Item, read: Sequence[Grading], pairs: Sequence[tuple[Grading, Grading]]
) -> ItemReport:
    both = [(gives(one, item), gives(other, item)) for one, other in pairs]
    return ItemReport(
        points=item.points,
        text=item.text,
        share=sum(gives(one, item) for one in read) / len(read) if read else None,
        agreement=sum(one == other for one, other in both) / len(both) if both else None,
        kappa=kappa(both),
    )


def gives(grading: Grading, item: Item) -> bool:
    return any(one.item_id == item.id for one in grading.given)


def kappa(both: Sequence[tuple[bool, bool]]) -> float | None:
    """How far two agree beyond what chance would give; None where both never differ in what they
    give, so that chance would give the same."""
    if not both:
        return None
    same = sum(one == other for one, other in both) / len(both)
    first = sum(one for one, _ in both) / len(both)
    second = sum(other for _, other in both) / len(both)
    chance = first * second + (1 - first) * (1 - second)
    return (same - chance) / (1 - chance) if chance < 1 else None
