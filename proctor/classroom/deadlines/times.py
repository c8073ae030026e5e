"""Times as people write them: until a moment, or so long after the due date."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from proctor.classroom.deadlines.late_days import after_days, moment
from proctor.text import plain

MOST_DAYS = 3650
YEARS = range(2000, 2200)
AFTER = re.compile(r"(?:due\b)?\s*\+?\s*(\d{1,5})\s*(day|hour|week)s?", re.IGNORECASE)
DATES = (
    re.compile(r"(?P<year>\d{4})-(?P<month>\d\d?)-(?P<day>\d\d?)"),
    re.compile(r"(?P<day>\d\d?)\.(?P<month>\d\d?)\.(?P<year>\d{4})"),
    re.compile(r"(?P<first>\d\d?)/(?P<second>\d\d?)/(?P<year>\d{4})"),
)
CLOCK = re.compile(r"[T ]?\s*(\d\d?):(\d\d)(?::(\d\d)(?:\.\d+)?)?\s*([ap]m\b)?", re.IGNORECASE)
OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)")
END_OF_DAY = timedelta(days=1) - timedelta(seconds=1)


class NotUnderstood(Exception):
    """A row, or a time, that cannot be read; says why and how it is written."""


@dataclass(frozen=True)
class MoreTime:
    """So many days of the calendar, or hours, after the due date; or until a moment, which has a
    zone if it was written with one and is else meant in the course's."""

    days: int = 0
    hours: int = 0
    moment: datetime | None = None

    def ends(self, due: datetime | None, zone: ZoneInfo) -> datetime | None:
        """When it ends; None as long as it counts from a due date that there is not."""
        if self.moment is not None:
            return self.moment if self.moment.tzinfo else moment(self.moment, zone)
        if due is None:
            return None
        return after_days(due, self.days, zone) + timedelta(hours=self.hours)

    def __str__(self) -> str:
        if self.moment is None:
            number, unit = (self.days, "day") if self.days else (self.hours, "hour")
            return f"due + {number} {unit}{'' if number == 1 else 's'}"
        zone = " UTC" if self.moment.tzinfo else ""
        return f"{self.moment:%Y-%m-%d %H:%M}{zone}"


def more_time(text: str) -> MoreTime:
    """What `2 days`, `due + 12 hours`, `2026-12-03 18:00` or `2026-12-03` means: a day alone is
    meant to its end. Raises NotUnderstood."""
    text = " ".join(text.split())
    if found := AFTER.fullmatch(text):
        number, unit = int(found[1]), found[2].casefold()
        if unit == "hour":
            return MoreTime(hours=_within(number, 24 * MOST_DAYS, text))
        return MoreTime(days=_within(number * (7 if unit == "week" else 1), MOST_DAYS, text))
    for pattern in DATES:
        if found := pattern.match(text):
            try:
                return MoreTime(moment=_moment(found, text[found.end() :].strip(), text))
            except ValueError:
                break
    raise _not_understood(text)


def _not_understood(text: str) -> NotUnderstood:
    return NotUnderstood(
        f"{plain(text, 60)!r} is not a time that can be read: write it as 2026-12-03 18:00, or as "
        "due + 2 days"
    )


def _within(number: int, most: int, text: str) -> int:
    if not 0 < number <= most:
        raise NotUnderstood(f"{text!r} is not between 1 and {MOST_DAYS} days")
    return number


def _moment(date: re.Match[str], rest: str, text: str) -> datetime:
    """Raises ValueError or NotUnderstood."""
    parts = date.groupdict()
    if "first" in parts:
        first, second = int(parts["first"]), int(parts["second"])
        if first <= 12 and second <= 12 and first != second:
            raise NotUnderstood(
                f"{plain(text, 60)!r} is one day in America and another in Europe: write "
                f"{parts['year']}-{first:02}-{second:02} or {parts['year']}-{second:02}-{first:02}"
            )
        month, day = (second, first) if first > 12 else (first, second)
    else:
        month, day = int(parts["month"]), int(parts["day"])
    year = int(parts["year"])
    if year not in YEARS:
        raise _not_understood(text)
    start = datetime(year, month, day)
    if not rest:
        return start + END_OF_DAY
    clock = CLOCK.match(rest)
    if clock is None:
        raise _not_understood(text)
    hour, minute, second = int(clock[1]), int(clock[2]), int(clock[3] or 0)
    if clock[4]:
        if not 1 <= hour <= 12:
            raise _not_understood(text)
        hour = hour % 12 + (12 if clock[4].casefold() == "pm" else 0)
    at = start.replace(hour=hour, minute=minute, second=second)
    return _in_zone(at, rest[clock.end() :].strip(), text)


def _in_zone(at: datetime, name: str, text: str) -> datetime:
    """The moment in the zone that is named, in UTC; as it is where none is named."""
    if not name:
        return at
    if name.upper() in ("UTC", "Z"):
        return at.replace(tzinfo=UTC)
    if found := OFFSET.fullmatch(name):
        offset = timedelta(hours=int(found[2]), minutes=int(found[3]))
        return (at - offset if found[1] == "+" else at + offset).replace(tzinfo=UTC)
    try:
        return moment(at, ZoneInfo(name))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise _not_understood(text) from None
