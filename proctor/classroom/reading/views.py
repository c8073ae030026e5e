"""What the page for reading is told: an exercise and an answer as JSON, never a student's name."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from proctor.classroom.reading import groups, sharing
from proctor.classroom.reading.answers import Exercise, Row
from proctor.classroom.reading.change import Change
from proctor.classroom.reading.gradings import (
    comment_of,
    current_of,
    history,
    is_from_formgrader,
    items_in_force,
    version_of,
    versions,
)
from proctor.classroom.reading.tables import Grading, Words
from proctor.course import CourseError
from proctor.grading.rubric import Rubric
from proctor.pages.feedback import markdown_to_html
from proctor.pages.reading import answer_html, excerpt, is_cut

# Members of a group that are listed and can get the same at once.
MOST_MEMBERS = 200


def exercise_view(
    session: Session,
    exercise: Exercise,
    found: Sequence[Row],
    table: sharing.Table,
    wanted: Rubric,
    change: Change | None,
) -> dict[str, Any]:
    """The rubric, the remarks, and how far this grader is."""
    notes = {item.text: item.notes for item in wanted.items}
    return {
        "exercise": exercise.name,
        "points": exercise.points,
        "items": [
            {
                "id": item.id,
                "points": item.points,
                "html": markdown_to_html(item.text),
                "text": excerpt(item.text),
                "explanation": markdown_to_html(item.explanation) if item.explanation else "",
                "notes": markdown_to_html(notes.get(item.text, "")),
            }
            for item in items_in_force(session, exercise)
        ],
        "notes": markdown_to_html(wanted.notes) if wanted.notes else "",
        "model": markdown_to_html(wanted.model_answer) if wanted.model_answer else "",
        "grader": table.grader,
        "graders": sharing.graders(session, exercise),
        "change": None if change is None else asdict(change),
        **standing(session, exercise, found, table),
    }


def standing(
    session: Session, exercise: Exercise, found: Sequence[Row], table: sharing.Table
) -> dict[str, Any]:
    """What changes with every save."""
    return {
        "progress": sharing.progress(session, found, table),
        "remarks": sharing.remarks(session, exercise),
    }


def answer_view(
    session: Session,
    row: Row,
    found: Sequence[Row],
    table: sharing.Table,
    *,
    whole: bool = False,
    open_elsewhere: str | None = None,
) -> dict[str, Any]:
    """An answer, what was given for it, and what is the same."""
    gradings, comment = history(session, row), comment_of(session, row)
    current = current_of(gradings)
    words = session.get(Words, row.sha256) if row.sha256 else None
    text = words.text if words is not None else ""
    pictures = json.loads(words.pictures) if words is not None else {}
    view = {
        "key": row.key,
        "pseudonym": row.pseudonym,
        "number": 1 + next((n for n, one in enumerate(found) if one.key == row.key), 0),
        "of": len(found),
        "version": version_of(row, current, comment),
        "html": answer_html(text, pictures, is_code=row.exercise.is_code, whole=whole),
        "characters": len(text),
        "cut": is_cut(text) and not whole,
        "waits": table.waits(row),
        "open_elsewhere": open_elsewhere,
        "equal": members(session, equal_to(row, found, table)),
    }
    if table.is_second(row):
        mine = next((one for one in gradings if one.state == "second"), None)
        given = [one.item_id for one in mine.given] if mine else []
        return {
            **view,
            "second": True,
            "items": given,
            "remark": mine.remark if mine else "",
            "points": mine.points if mine else None,
            "given": None,
            "formgrader": None,
            "before": None,
            "beside": [],
            "equal": [],
        }
    return {**view, "second": False, **given_view(session, row, gradings, comment)}


def given_view(
    session: Session, row: Row, gradings: Sequence[Grading], comment: str
) -> dict[str, Any]:
    """What was given for an answer: here, in Formgrader, and for an earlier text of it."""
    current = current_of(gradings)
    elsewhere = is_from_formgrader(row, current, comment)
    changed = current is not None and current.sha256 != row.sha256
    before = None
    if current is not None and changed and row.waits:
        words = session.get(Words, current.sha256)
        text = words.text if words is not None else ""
        pictures = json.loads(words.pictures) if words is not None else {}
        shown = answer_html(text, pictures, is_code=row.exercise.is_code, whole=False)
        before = {"html": shown, **told(current)}
    newest = current.id if current is not None else 0
    beside = [one for one in gradings if one.state == "beside" and one.id > newest]
    return {
        "items": [one.item_id for one in current.given] if current and not elsewhere else [],
        "remark": comment,
        "points": row.manual,
        "given": told(current) if current is not None else None,
        "formgrader": {"points": row.manual, "remark": comment} if elsewhere else None,
        "before": before,
        "beside": [told(one) for one in beside],
    }


def told(grading: Grading) -> dict[str, Any]:
    """A reading in words."""
    return {
        "grader": grading.grader,
        "saved": grading.saved,
        "points": grading.points,
        "remark": grading.remark,
        "items": [one.item_id for one in grading.given],
        "texts": [one.text for one in grading.given],
    }


# Groups


def equal_to(row: Row, found: Sequence[Row], table: sharing.Table) -> list[Row]:
    return [other for other in companions(row, found, table) if other.alike == row.alike]


def companions(row: Row, found: Sequence[Row], table: sharing.Table) -> list[Row]:
    """The answers that wait and that this grader may read with this one."""
    return [
        other
        for other in found
        if other.key != row.key
        and other.waits
        and other.alike is not None
        and table.is_mine(other)
        and not table.is_second(other)
        and not table.is_open_elsewhere(other)
    ]


def alike_view(
    session: Session, row: Row, found: Sequence[Row], table: sharing.Table, alike: float
) -> dict[str, Any]:
    """The answers that are like this one, the equal ones among them. `message` tells why there may
    be more."""
    others = companions(row, found, table)
    words = texts(session, [one for one in (row, *others) if not has_pictures(one)])
    message = None
    try:
        numbers = groups.groups(words, alike)
    except CourseError as error:
        numbers, message = {}, str(error)
    mine = numbers.get(row.sha256 or "", -1)
    group = [
        other
        for other in others
        if other.alike == row.alike or numbers.get(other.sha256 or "", -2) == mine
    ]
    return {"members": members(session, group), "message": message}


def has_pictures(row: Row) -> bool:
    """Whether an answer is more than its text, so that its text alone makes it like no other."""
    return row.alike == row.sha256


def texts(session: Session, found: Sequence[Row]) -> dict[str, str]:
    """The texts of these answers, by their hashes."""
    hashes = sorted({row.sha256 for row in found if row.sha256 is not None})
    words: dict[str, str] = {}
    for start in range(0, len(hashes), 500):
        some = select(Words.sha256, Words.text).where(Words.sha256.in_(hashes[start : start + 500]))
        words.update((sha256, text) for sha256, text in session.execute(some))
    return words


def members(session: Session, group: Sequence[Row]) -> list[dict[str, Any]]:
    group = group[:MOST_MEMBERS]
    if not group:
        return []
    known = versions(session, group[0].exercise, group)
    words = texts(session, group)
    return [
        {
            "key": row.key,
            "pseudonym": row.pseudonym,
            "version": known[row.key],
            "excerpt": excerpt(words.get(row.sha256 or "", "")),
        }
        for row in group
    ]


def list_view(
    session: Session, exercise: Exercise, found: Sequence[Row], table: sharing.Table
) -> list[dict[str, Any]]:
    """Every answer in a line, for the list of all."""
    words = texts(session, found)
    readers = select(Grading.student, Grading.grader).filter_by(**exercise.key, state="current")
    read = dict(session.execute(readers).all())
    return [
        {
            "key": row.key,
            "pseudonym": row.pseudonym,
            "waits": table.waits(row),
            "points": None if row.waits or table.is_second(row) else row.manual,
            "read_by": read.get(row.student),
            "dealt_to": share.grader if (share := table.shares.get(row.student)) else None,
            "excerpt": excerpt(words.get(row.sha256 or "", "")),
        }
        for row in found
    ]
