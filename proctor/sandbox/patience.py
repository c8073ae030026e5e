"""What a session uses of its submission's time, and how long the trusted side waits for an answer.

There is one rule: a submission's own time is the processor time of all its processes plus the time
in which it was asked something and was idle, as the warm process saw them. A limit of so many
seconds is a limit of that sum, be it for a call, a cell or the whole submission. That others had
the machine meanwhile is no fault of a submission, however long it takes.
"""

from __future__ import annotations

import time
from typing import Protocol

from proctor.wire.errors import Late
from proctor.wire.linux import read_bytes
from proctor.wire.usage import Look

# Who is told that the time is over has this many seconds more to say so.
GRACE = 1.0
# How often a session that takes long is looked at, and how often it is told again.
LOOK_SECONDS = 0.05
AGAIN_SECONDS = 0.5
# Pieces of an answer that are still taken, though it comes late.
LAST_PIECES = 1000


class Starved(Exception):
    """The machine was too busy to run a submission. Nobody is at fault, and nothing is marked."""


class Measured(Protocol):
    """A session, as far as patience with it goes."""

    def look(self) -> Look | None: ...

    def interrupt(self, process: int) -> None: ...


class OwnTime:
    """What one session uses of its submission's time, in seconds. Whoever asks it something says so
    by `begin`, and by `end` when the answer has come, in the same thread: outside of that nobody
    can blame it for idling. Nor for the time in which the asking side was itself at work or waited
    for a processor, as an answer may lie there unread."""

    def __init__(self, session: Measured):
        self.session = session
        # Making a session takes time that is not the submission's.
        self._made = session.look() or Look(time.monotonic(), 0.0, 0.0)
        self._began: float | None = None  # while it is asked something
        self._ended = self._made.at
        self._seen = False  # whether it was looked since it was asked
        self._busy_before = 0.0
        self._unasked = 0.0  # seconds on the clock, up to what was asked last
        self._idle = 0.0

    def begin(self) -> None:
        self._began = time.monotonic()
        self._unasked += self._began - self._ended
        self._seen, self._busy_before = False, seconds_busy()

    def end(self) -> None:
        self._ended = time.monotonic()
        self._unasked += self._busy_since(self._ended)
        self._began = None

    @property
    def used(self) -> float:
        """So far as was looked."""
        look = self.session.look() or self._made
        if self._began is None:
            self._see_idle(look, self._unasked + max(0.0, look.at - self._ended))
        elif look.at >= self._began:  # else it may have been idle before
            self._see_idle(look, self._unasked)
        return look.processor - self._made.processor + max(0.0, self._idle)

    def see_no_answer(self) -> None:
        """There is no answer yet, so that what the session idled up to now is its own doing; but at
        first it may not have been asked yet."""
        if not self._seen:
            self._unasked += self._busy_since(time.monotonic())
        self._seen, self._busy_before = True, seconds_busy()

    def _busy_since(self, now: float) -> float:
        """What of the time since `begin` the asking side has used for itself."""
        assert self._began is not None
        return min(seconds_busy() - self._busy_before, max(0.0, now - self._began))

    def _see_idle(self, look: Look, unasked: float) -> None:
        self._idle = look.idle - self._made.idle - unasked


def seconds_busy() -> float:
    """For how long this thread has run, or waited for a processor."""
    try:
        ran, waited, _ = read_bytes("/proc/thread-self/schedstat").split()
    except OSError:  # a kernel without it
        return time.thread_time()
    return (int(ran) + int(waited)) / 1e9


class PatienceWith:
    """Patience with one answer of a session (see `wire.frames.Patience`).

    It may use `seconds` of its own time. Then `process`, by its number in there, is told to stop,
    if one is named, and after `GRACE` seconds more the answer is late. Raises Starved at `until`, a
    `time.monotonic()` time.
    """

    def __init__(self, own_time: OwnTime, seconds: float, until: float, process: int | None = None):
        self.own_time = own_time
        self.seconds = seconds
        self.until = until
        self.process = process
        self._used_before = own_time.used
        self._looked = time.monotonic()
        self._told: float | None = None
        self._pieces = 0

    def next_wait(self) -> float:
        now = time.monotonic()
        if now < self._looked + LOOK_SECONDS and not self._pieces:
            return LOOK_SECONDS
        self._looked = now
        self.own_time.see_no_answer()
        used = self.own_time.used - self._used_before
        if used < self.seconds:
            if now > self.until:
                raise Starved("the machine was too busy to run it")
            return LOOK_SECONDS
        if self.process is not None and used < self.seconds + GRACE:
            self._tell(now, self.process)
            return LOOK_SECONDS
        self._pieces += 1
        if self._pieces > LAST_PIECES:
            raise Late("it did not answer in time")
        return 0.0

    def _tell(self, now: float, process: int) -> None:
        if self._told is None or now > self._told + AGAIN_SECONDS:
            self._told = now
            self.own_time.session.interrupt(process)
