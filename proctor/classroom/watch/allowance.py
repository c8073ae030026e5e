"""How many pages a student may see, and when the next one comes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from proctor.course import CourseError
from proctor.grading.submitted import read_time
from proctor.settings import Watch

DAY = timedelta(days=1)
# What was handed in on time may be copied into the exchange for so much longer.
COPYING = timedelta(minutes=1)


@dataclass(frozen=True)
class Allowance:
    """What is left before the next page is shown: within the day that the first page began, which
    ends at `day_ends` (None: it has not begun), and in all."""

    today: int
    in_all: int
    day_ends: datetime | None

    @property
    def opens(self) -> datetime | None:
        """When the next page comes where none is left now; None if none comes."""
        return self.day_ends if self.in_all > 0 else None

    @property
    def is_spent(self) -> bool:
        return min(self.today, self.in_all) <= 0


def allowance(settings: Watch, counted: Sequence[datetime], now: datetime) -> Allowance:
    """What is left after the pages that were shown at these times and count.

    Where a clock was wrong, a page may lie in the future. Within a day it counts as one of today,
    so that setting the clock back gives nobody another page; beyond that, for the whole alone.
    """
    now = now.astimezone(UTC)  # where a day has 24 hours, whatever clocks do
    times = sorted(time.astimezone(UTC) for time in counted)
    begun: datetime | None = None
    shown = 0
    for time in (time for time in times if time < now + DAY):
        if begun is None or time >= begun + DAY:
            begun, shown = time, 0
        shown += 1
    if begun is not None and now >= begun + DAY:
        begun, shown = None, 0
    return Allowance(
        settings.pages_per_day - shown,
        settings.pages - len(counted),
        begun + DAY if begun is not None else None,
    )


def left(
    settings: Watch, counted: Sequence[datetime], now: datetime, end: datetime | None = None
) -> str:
    """What a page says of those to come, `counted` having its own time among them. What is handed
    in after the `end` gets none."""
    if end is not None and end <= now:
        return "What you hand in now is graded, and your instructor will return it."
    after = allowance(settings, counted, now)
    if after.in_all <= 0:
        return (
            f"This is the last of your {settings.pages} pages for this assignment. What you hand "
            "in from now on is graded and counts, and your instructor will return it."
        )
    ends = after.day_ends or now.astimezone(UTC) + DAY
    ends = min(ends, end) if end is not None else ends
    today = min(after.today, after.in_all)
    in_all = f", the last of {settings.pages} in all" if after.in_all <= after.today else ""
    return (
        f"{today} of {settings.pages_per_day} pages left until {at(ends, now)}{in_all}. Anything "
        "beyond that is still graded and counts; only its page has to wait."
    )


def at(time: datetime, now: datetime) -> str:
    """A time as people say it, in the zone of `now`."""
    time = time.astimezone(now.tzinfo)
    day = "" if time.date() == now.date() else f" on {time:%A}, {time.day} {time:%B}"
    return f"{time:%H:%M}{day} ({time:%Z})"


def came_after(end: datetime | None, handed_in: str | None, there_since: datetime | None) -> bool:
    """Whether an attempt came after pages have ended: by its own word, which its student may
    choose, or by the exchange's."""
    if end is None:
        return False
    if there_since is not None and there_since > end + COPYING:
        return True
    try:
        return bool(handed_in) and read_time(handed_in or "").replace(tzinfo=UTC) > end
    except ValueError:
        return True


def time_of(text: str, zone: ZoneInfo) -> datetime:
    """The time that c.Watch.until names, in this zone if it says none. Raises CourseError."""
    try:
        time = datetime.fromisoformat(text.replace(" UTC", "+00:00"))
    except ValueError:
        raise CourseError(
            f"c.Watch.until is {text!r}, which is not a time: write 2026-12-01 18:00, or duedate"
        ) from None
    return time if time.tzinfo else time.replace(tzinfo=zone)
