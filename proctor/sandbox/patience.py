"""How long the trusted side waits for an answer of a session.

What counts is what the warm process saw the session use: processor time, and time in which it was
idle. That others had the machine meanwhile is no fault of a submission, however long it takes.
"""

from __future__ import annotations

import time
from typing import Protocol

from proctor.wire.errors import Late
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


class PatienceWith:
    """Patience with one answer of a session (see `wire.frames.Patience`).

    It may use `seconds` of processor time and be idle for as long. Then `process`, by its number in
    there, is told to stop, if one is named, and after `GRACE` seconds more the answer is late.
    Raises Starved at `until`, a `time.monotonic()` time.
    """

    def __init__(self, session: Measured, seconds: float, until: float, process: int | None = None):
        self.session = session
        self.seconds = seconds
        self.until = until
        self.process = process
        self._began = self._looked = time.monotonic()
        self._told: float | None = None
        self._first: Look | None = None
        self._newest: Look | None = None
        self._pieces = 0

    @property
    def idle(self) -> float:
        """How long the session has been idle meanwhile, so far as was looked."""
        if self._first is None or self._newest is None:
            return 0.0
        return self._newest.idle - self._first.idle

    def next_wait(self) -> float:
        now = time.monotonic()
        if now < self._looked + LOOK_SECONDS and not self._pieces:
            return LOOK_SECONDS
        self._looked = now
        used = self._used()
        if used < self.seconds:
            if now > self.until:
                raise Starved("the machine was too busy to run it")
            return LOOK_SECONDS
        if self.process is not None and used < self.seconds + GRACE:
            self._tell(now, self.process)
            return LOOK_SECONDS
        self._pieces += 1
        if self._pieces > LAST_PIECES:
            raise Late("its answer did not end in time")
        return 0.0

    def _used(self) -> float:
        look = self.session.look()
        # One that was begun before counts what was done before.
        if look is not None and look.at > self._began:
            self._first, self._newest = self._first or look, look
        if self._first is None or self._newest is None:
            return 0.0
        return max(self._newest.processor - self._first.processor, self.idle)

    def _tell(self, now: float, process: int) -> None:
        if self._told is None or now > self._told + AGAIN_SECONDS:
            self._told = now
            self.session.interrupt(process)
