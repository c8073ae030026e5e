"""Several graders: who reads what, who has which answer open, and how far they are."""

from __future__ import annotations

import random
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from proctor.classroom.reading.answers import Exercise, Row
from proctor.classroom.reading.tables import FORMGRADER, Grading, Lease, Place, Share
from proctor.course import CourseError

LEASE_SECONDS = 300.0
MAX_NAME = 100
RECENT = 50  # readings that tell how long one takes


@dataclass(frozen=True)
class Table:
    """How the answers are dealt at this moment, as one grader sees it, by student."""

    grader: str
    shares: dict[str, Share]
    leases: dict[str, Lease]
    read_second: frozenset[str]  # that this grader has read as the second person

    def is_open_elsewhere(self, row: Row) -> bool:
        lease = self.leases.get(row.student)
        return lease is not None and lease.grader != self.grader and lease.until > time.time()

    def is_second(self, row: Row) -> bool:
        share = self.shares.get(row.student)
        return share is not None and share.second == self.grader

    def is_mine(self, row: Row) -> bool:
        """Whether an answer is for this grader: dealt to them, or to nobody."""
        share = self.shares.get(row.student)
        return share is None or self.grader in (share.grader, share.second)

    def waits(self, row: Row) -> bool:
        """Whether this grader has yet to read an answer of theirs."""
        if self.is_second(row):
            return row.student not in self.read_second
        return row.waits


def table_of(session: Session, exercise: Exercise, grader: str) -> Table:
    shares = session.scalars(select(Share).filter_by(**exercise.key))
    leases = session.scalars(select(Lease).filter_by(**exercise.key))
    second = session.scalars(
        select(Grading.student).filter_by(**exercise.key, grader=grader, state="second")
    )
    return Table(
        grader,
        {share.student: share for share in shares},
        {lease.student: lease for lease in leases},
        frozenset(second),
    )


def next_waiting(found: Sequence[Row], table: Table, after: str | None) -> Row | None:
    """The next answer that waits for a grader behind this one (by key), or the first; round and
    round, so that one that was skipped comes up again. One that another has open does not."""
    start = 1 + next((n for n, row in enumerate(found) if row.key == after), -1)
    for row in [*found[start:], *found[:start]]:
        if (
            row.key != after
            and table.is_mine(row)
            and table.waits(row)
            and not table.is_open_elsewhere(row)
        ):
            return row
    return None


def neighbour(found: Sequence[Row], table: Table, key: str, step: int) -> Row | None:
    """The answer before or after this one, read or not."""
    mine = [row for row in found if table.is_mine(row) or row.key == key]
    place = next((n for n, row in enumerate(mine) if row.key == key), None)
    if place is None:  # it was removed: from where it would stand
        place = sum(row.key < key for row in mine) - (step > 0)
    return mine[place + step] if 0 <= place + step < len(mine) else None


def where_stopped(session: Session, found: Sequence[Row], table: Table) -> Row | None:
    """The answer to open with: the next that waits behind the last one that was saved."""
    if not found:
        return None
    asked = select(Place).filter_by(**found[0].exercise.key, grader=table.grader)
    place = session.scalars(asked).first()
    last = next((row.key for row in found if place and row.student == place.student), None)
    waiting = next_waiting(found, table, last)
    if waiting is not None:
        return waiting
    return next((row for row in found if row.key == last), found[0])


def progress(session: Session, found: Sequence[Row], table: Table) -> dict[str, float | int | None]:
    """How many answers of a grader's are read, and how many seconds the others will take, from
    what reading one took lately; None as long as nobody has read any."""
    mine = [row for row in found if table.is_mine(row)]
    left = sum(table.waits(row) for row in mine)
    others = sum(row.waits for row in found if not table.is_mine(row))
    return {
        "total": len(mine),
        "read": len(mine) - left,
        "seconds": left * mean if (mean := seconds_each(session, found, table)) else None,
        "others": others,
    }


def seconds_each(session: Session, found: Sequence[Row], table: Table) -> float | None:
    """What an answer takes, those that got the same as another with it counted in."""
    if not found:
        return None
    taken = session.scalars(
        select(Grading.seconds)
        .filter_by(**found[0].exercise.key, grader=table.grader)
        .order_by(Grading.id.desc())
        .limit(RECENT)
    ).all()
    if not any(taken):
        return None
    return sum(seconds or 0.0 for seconds in taken) / len(taken)


# Leases


def lease(session: Session, row: Row, grader: str) -> str | None:
    """Take an answer for some minutes, or longer than before; returns who else has it, if so."""
    key = {**row.exercise.key, "student": row.student}
    found = session.get(Lease, key)
    if found is not None and found.grader != grader and found.until > time.time():
        return found.grader
    session.execute(delete(Lease).filter_by(**row.exercise.key, grader=grader))
    session.execute(delete(Lease).filter_by(**key))
    session.expunge_all()
    session.add(Lease(**key, grader=grader, until=time.time() + LEASE_SECONDS))
    return None


# Dealing out


def split(
    session: Session, found: Sequence[Row], graders: Sequence[str], twice: float = 0.0
) -> dict[str, int]:
    """Deal the answers that wait out to graders, equal ones to the same person; returns how many
    each has. A share of them (0 to 1) is for a second person, too. Raises CourseError."""
    names = [checked_name(name) for name in graders]
    if len(set(names)) != len(names):
        raise CourseError(f"somebody is named twice: {', '.join(names)}")
    if twice and len(names) < 2:
        raise CourseError("reading twice takes two people: name both with --split")
    if not 0 <= twice <= 1:
        raise CourseError(f"--twice is a share from 0 to 1, not {twice:g}")
    waiting = [row for row in found if row.waits]
    equal: dict[str, list[Row]] = defaultdict(list)
    for row in waiting:
        equal[row.alike or row.key].append(row)
    dealt: dict[str, int] = dict.fromkeys(names, 0)
    for group in equal.values():
        grader = min(names, key=dealt.__getitem__)
        dealt[grader] += len(group)
        for row in group:
            session.merge(
                Share(**row.exercise.key, student=row.student, grader=grader, second=None)
            )
    session.flush()
    for row in random.Random(0).sample(waiting, round(twice * len(waiting))):
        share = session.get_one(Share, {**row.exercise.key, "student": row.student})
        share.second = names[(names.index(share.grader) + 1) % len(names)]
    return dealt


def pass_on(session: Session, row: Row, to: str) -> None:
    """Give an answer to a colleague. Raises CourseError for what is no name."""
    share = session.get(Share, {**row.exercise.key, "student": row.student})
    second = share.second if share is not None else None
    name = checked_name(to)
    session.merge(
        Share(
            **row.exercise.key,
            student=row.student,
            grader=name,
            second=second if second != name else None,
        )
    )
    session.execute(delete(Lease).filter_by(**row.exercise.key, student=row.student))


def checked_name(name: str) -> str:
    name = name.strip()
    if not name or len(name) > MAX_NAME or not name.isprintable() or name == FORMGRADER:
        raise CourseError(f"{name[:40]!a} is not a name")
    return name


def graders(session: Session, exercise: Exercise) -> list[str]:
    """Everybody who has read, or is to read, answers to an exercise."""
    dealt = session.scalars(select(Share.grader).filter_by(**exercise.key).distinct())
    second = session.scalars(select(Share.second).filter_by(**exercise.key).distinct())
    read = session.scalars(select(Grading.grader).filter_by(**exercise.key).distinct())
    return sorted({name for name in (*dealt, *second, *read) if name} - {FORMGRADER})


def remarks(session: Session, exercise: Exercise, most: int = 9) -> list[str]:
    """The remarks of an exercise, most used first."""
    return list(
        session.scalars(
            select(Grading.remark)
            .filter_by(**exercise.key)
            .where(Grading.remark != "", Grading.state != "withdrawn")
            .group_by(Grading.remark)
            .order_by(func.count().desc(), func.max(Grading.id).desc())
            .limit(most)
        )
    )
