"""When a student's time is over, and what being late uses and costs: times in, days out.

All times have a zone. Days are those of a calendar in the course's zone: a day over the change of
clocks has 23 or 25 hours, and a due date at six in the evening stays at six.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil
from zoneinfo import ZoneInfo

from proctor.settings import SECONDS_A_DAY, LateDays

# How late is what was handed in at a time that cannot be read: later than any rule forgives.
UNKNOWN_SECONDS = 3650.0 * SECONDS_A_DAY


@dataclass(frozen=True)
class Work:
    """What one student has of one assignment. `until` is the end of an extension; `handed_in` is
    None where nothing was, or nothing says when."""

    assignment: str
    due: datetime | None
    until: datetime | None = None
    handed_in: datetime | None = None
    time_is_unreadable: bool = False

    @property
    def deadline(self) -> datetime | None:
        """An extension takes no time away."""
        if self.due is None or self.until is None:
            return self.due
        return max(self.due, self.until)


@dataclass(frozen=True)
class Lateness:
    """How late a piece of work is: `late`, in seconds, against its deadline; `charged`, after the
    grace and what was `used` of the bank, for which a rule may take points. A day of `charged` is
    one of the calendar. `left` is what the bank holds after it."""

    deadline: datetime | None
    late: float = 0.0
    charged: float = 0.0
    used: int = 0
    left: int = 0
    is_unknown: bool = False


def moment(wall_clock: datetime, zone: ZoneInfo) -> datetime:
    """When a clock in that zone shows this: the later moment in an hour that comes twice."""
    return max(wall_clock.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))


def after_days(start: datetime, days: int, zone: ZoneInfo) -> datetime:
    """The same time of day, so many days later."""
    if not days:
        return start
    return moment(start.astimezone(zone).replace(tzinfo=None) + timedelta(days=days), zone)


def days_late(deadline: datetime, handed_in: datetime, zone: ZoneInfo) -> int:
    """Days of the calendar that have begun since the deadline."""
    if handed_in <= deadline:
        return 0
    days = max(1, (handed_in - deadline).days - 1)
    while after_days(deadline, days, zone) < handed_in:
        days += 1
    return days


def settle(works: Iterable[Work], rule: LateDays) -> dict[str, Lateness]:
    """How late each piece of one student's work is, by assignment.

    The bank is used in the order of due dates, whatever was handed in or graded first.
    """
    settled = {}
    left = rule.bank
    for work in sorted(works, key=in_order):
        settled[work.assignment] = lateness = _lateness(work, rule, left)
        left = lateness.left
    return settled


def in_order(work: Work) -> tuple[datetime, str]:
    return work.due or datetime.max.replace(tzinfo=UTC), work.assignment


def _lateness(work: Work, rule: LateDays, left: int) -> Lateness:
    deadline = work.deadline
    if deadline is not None and work.time_is_unreadable:
        return Lateness(deadline, UNKNOWN_SECONDS, UNKNOWN_SECONDS, 0, left, is_unknown=True)
    if deadline is None or work.handed_in is None or work.handed_in <= deadline:
        return Lateness(deadline, left=left)
    late = (work.handed_in - deadline).total_seconds()
    counted = work.handed_in - timedelta(minutes=rule.grace_minutes)
    zone = rule.zone()
    days = days_late(deadline, counted, zone)
    if rule.zero_after_days is not None and days > rule.zero_after_days:
        return Lateness(deadline, late, _charged(deadline, counted, days), 0, left)
    begun = max(0, ceil((counted - deadline).total_seconds() / 3600))
    needed = days if rule.unit == "day" else begun
    most = left if rule.per_assignment is None else min(left, rule.per_assignment)
    used = min(needed, most)
    if rule.unit == "day":
        paid_until, days = after_days(deadline, used, zone), days - used
    else:
        paid_until = deadline + timedelta(hours=used)
        days = days_late(paid_until, counted, zone)
    return Lateness(deadline, late, _charged(paid_until, counted, days), used, left - used)


def _charged(paid_until: datetime, counted: datetime, days: int) -> float:
    """Seconds in between; but a rule that counts days of 24 hours shall get those of the
    calendar."""
    if days <= 0:
        return 0.0
    seconds = (counted - paid_until).total_seconds()
    return min(max(seconds, (days - 1) * SECONDS_A_DAY + 1.0), float(days * SECONDS_A_DAY))


def last_moment(deadline: datetime, rule: LateDays) -> datetime:
    """Until when work with this deadline may earn points; the deadline, where no rule ends it."""
    if not rule.has_penalty:
        days = 0
    elif rule.penalty_per_day > 0:
        days = ceil(1 / rule.penalty_per_day) - 1
    else:
        days = rule.zero_after_days or 0
    most = rule.bank if rule.per_assignment is None else min(rule.bank, rule.per_assignment)
    zone = rule.zone()
    if rule.unit == "day":
        last = after_days(deadline, most + days, zone)
    else:
        last = after_days(deadline + timedelta(hours=most), days, zone)
    if rule.zero_after_days is not None:
        last = min(last, after_days(deadline, rule.zero_after_days, zone))
    return last + timedelta(minutes=rule.grace_minutes)
