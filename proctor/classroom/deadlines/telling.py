"""Deadlines in words: for a student's page, and for the instructor's tables."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from nbgrader.converters import GenerateFeedback

from proctor.classroom.deadlines.late_days import Lateness, Work
from proctor.classroom.deadlines.penalties import Class, ClassDeadlines, opened
from proctor.settings import LateDays

UNITS = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))


def number_of(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def length(seconds: float) -> str:
    """`1 day and 3 hours`: the two largest parts, what is left over cut off."""
    rest = max(1, int(seconds))
    parts = []
    for name, size in UNITS:
        count, rest = divmod(rest, size)
        if count:
            parts.append(number_of(count, name))
        if len(parts) == 2 or (parts and not count):
            break
    return " and ".join(parts)


def in_words(moment: datetime, zone: ZoneInfo) -> str:
    """`3 December 2026, 18:00 CET`."""
    return f"{moment.astimezone(zone):%-d %B %Y, %H:%M %Z}"


def notices(work: Work, lateness: Lateness, rule: LateDays) -> list[str]:
    """What a student is told about time; never the reason of an extension."""
    told = []
    if work.due is not None and work.deadline is not None and work.deadline > work.due:
        told.append(f"Your deadline was extended until {in_words(work.deadline, rule.zone())}.")
    if lateness.is_unknown:
        told.append(
            "The time when you handed this in cannot be read, so it counts as late. Ask your "
            "instructor."
        )
    elif lateness.charged or lateness.used:
        told.append(f"It was handed in {length(lateness.late)} after the deadline.")
    if lateness.used:
        unit = f"late {rule.unit}"
        left = f"{lateness.left} of {number_of(rule.bank, unit)} left after it"
        told.append(f"{number_of(lateness.used, unit)} used for it, {left}.")
    return told


def deadline_notice(converter: GenerateFeedback, assignment: str, student: str) -> str | None:
    """What a student is told of the deadline on the page of an assignment, in one line. It is
    worked out once in a run, for the class."""
    known = vars(converter).setdefault("_proctor_deadlines", {})
    if not known:
        deadlines = ClassDeadlines(converter.coursedir, converter.config)
        with opened(converter.coursedir) as gradebook:
            found = deadlines.read(gradebook) if gradebook is not None else Class()
        settled = deadlines.settled(found)
        known["rule"], known["works"], known["settled"] = deadlines.rule, found.works, settled
    work = known["works"].get(student, {}).get(assignment)
    if work is None:
        return None
    lateness = known["settled"][student][assignment]
    return " ".join(notices(work, lateness, known["rule"])) or None
