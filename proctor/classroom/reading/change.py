"""A rubric that changed in source/ after answers were read by it: who gains or loses, then stored.

An item keeps its readings when its points or its words change: items are matched by their words,
and those that are left over by how alike the words are. A new item changes nobody.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from proctor.classroom.reading.answers import Exercise, all_rows
from proctor.classroom.reading.gradings import (
    comment_of,
    is_from_formgrader,
    items_in_force,
    write_to_gradebook,
)
from proctor.classroom.reading.tables import Given, Grading, Item, now
from proctor.grading import rubric
from proctor.grading.rubric import Rubric

ALIKE = 0.5  # words of which more is the same are the same item, in other words


@dataclass(frozen=True)
class ItemChange:
    """An item before and after, as points and words; None where it is new or is gone."""

    before: tuple[float, str] | None
    after: tuple[float, str] | None


@dataclass(frozen=True)
class Effect:
    """What an answer has, and would have. `held` tells why it is left as it is, if it is."""

    key: str
    pseudonym: str
    before: float
    after: float
    held: str | None = None


@dataclass(frozen=True)
class Change:
    """All that a changed rubric would do."""

    items: list[ItemChange]
    effects: list[Effect]


def bring_in(session: Session, exercise: Exercise, wanted: Rubric) -> Change | None:
    """Put a rubric in force if nobody has read by the one before; else return what would change,
    None if nothing would."""
    items = items_in_force(session, exercise)
    pairs = matched(items, wanted)
    if is_same(pairs):
        return None
    used = select(Given.item_id).join(Grading).filter_by(**exercise.key).limit(1)
    if session.scalar(used) is None or only_new(pairs):
        put_in_force(session, exercise, pairs)
        return None
    return preview(session, exercise, pairs)


Pairs = Sequence[tuple[Item | None, rubric.Item | None]]


def matched(items: Sequence[Item], wanted: Rubric) -> Pairs:
    """Each item in force with what became of it, in the order of the new rubric, the gone last."""
    left, partners = list(items), dict[int, Item]()
    for number, item in enumerate(wanted.items):
        same = next((one for one in left if one.text == item.text), None)
        if same is not None:
            partners[number] = same
            left.remove(same)
    for number, item in enumerate(wanted.items):
        if number not in partners and left:
            best = max(left, key=lambda one: likeness(one.text, item.text))
            if likeness(best.text, item.text) > ALIKE:
                partners[number] = best
                left.remove(best)
    pairs = [(partners.get(number), item) for number, item in enumerate(wanted.items)]
    return [*pairs, *((item, None) for item in left)]


def likeness(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one.casefold(), other.casefold()).ratio()


def is_same(pairs: Pairs) -> bool:
    return all(
        old is not None
        and new is not None
        and (old.place, old.points, old.text, old.explanation)
        == (place, new.points, new.text, new.explanation)
        for place, (old, new) in enumerate(pairs)
    )


def only_new(pairs: Pairs) -> bool:
    """Whether no item that was in force changes its points or words, or goes."""
    return all(
        old is None or (new is not None and (old.points, old.text) == (new.points, new.text))
        for old, new in pairs
    ) and (
        # The first item that adds points changes where an answer starts from.
        any(old and old.points > 0 for old, _ in pairs)
        or not any(new and new.points > 0 for _, new in pairs)
    )


def preview(session: Session, exercise: Exercise, pairs: Pairs) -> Change:
    changed = [
        ItemChange(
            (old.points, old.text) if old is not None else None,
            (new.points, new.text) if new is not None else None,
        )
        for old, new in pairs
        if old is None or new is None or (old.points, old.text) != (new.points, new.text)
    ]
    effects = [effect for effect, _ in effects_of(session, exercise, pairs) if is_telling(effect)]
    return Change(changed, effects)


def is_telling(effect: Effect) -> bool:
    return effect.before != effect.after


def effects_of(session: Session, exercise: Exercise, pairs: Pairs) -> list[tuple[Effect, Grading]]:
    """What becomes of each reading that counts."""
    worth = {old.id: new.points if new else None for old, new in pairs if old is not None}
    known = [new.points for _, new in pairs if new is not None]
    rows = {row.student: row for row in all_rows(session, exercise)}
    current = session.scalars(select(Grading).filter_by(**exercise.key, state="current"))
    found = []
    for grading in current:
        row = rows.get(grading.student)
        if row is None or (not grading.given and not known):
            continue
        given = [points for one in grading.given if (points := worth.get(one.item_id)) is not None]
        after = rubric.score(known, given, exercise.points)
        changed_there = is_from_formgrader(row, grading, comment_of(session, row))
        held = "has other points from Formgrader" if changed_there else None
        found.append((Effect(row.key, row.pseudonym, grading.points, after, held), grading))
    return found


def store(session: Session, exercise: Exercise, wanted: Rubric, grader: str) -> int:
    """Put a changed rubric in force and recompute everybody who has its items, in one transaction;
    returns how many points changed. Points that Formgrader gave stay."""
    pairs = matched(items_in_force(session, exercise), wanted)
    effects = effects_of(session, exercise, pairs)
    before = put_in_force(session, exercise, pairs)
    rows = {row.key: row for row in all_rows(session, exercise)}
    changed = 0
    for effect, grading in effects:
        if effect.held:
            continue
        kept = [before[one.item_id] for one in grading.given if one.item_id in before]
        grading.state = "replaced"
        session.flush()
        session.add(
            Grading(
                **exercise.key,
                student=grading.student,
                sha256=grading.sha256,
                grader=grader if effect.before != effect.after else grading.grader,
                saved=now(),
                state="current",
                points=effect.after,
                remark=grading.remark,
                seconds=grading.seconds,
                given=[Given(item_id=i.id, points=i.points, text=i.text) for i in kept],
            )
        )
        row = rows[effect.key]
        write_to_gradebook(session, row, effect.after, grading.remark or None, waits=row.waits)
        changed += effect.before != effect.after
    return changed


def put_in_force(session: Session, exercise: Exercise, pairs: Pairs) -> dict[int, Item]:
    """Change the items in force to the new ones; returns those that stay, by their ids."""
    stay = {}
    for place, (old, new) in enumerate(pairs):
        if new is None and old is not None:
            old.in_force = False
            continue
        assert new is not None
        item = old if old is not None else Item(**exercise.key)
        item.place, item.points, item.text = place, new.points, new.text
        item.explanation = new.explanation
        item.in_force = True
        session.add(item)
        session.flush()
        stay[item.id] = item
    return stay
