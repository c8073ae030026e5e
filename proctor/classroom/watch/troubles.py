"""What does not work just now while a class is watched, and a clock that was set back."""

from __future__ import annotations

import logging
import time

LOG = logging.getLogger(__name__)
CLOCK_SECONDS = 30.0


class Troubles:
    """What does not work just now: each is told when it begins, and when it is over."""

    def __init__(self) -> None:
        self.now: dict[str, str] = {}

    def tell(self, kind: str, message: str) -> None:
        if self.now.get(kind) != message:
            LOG.warning("%s", message)
        self.now[kind] = message

    def over(self, kind: str) -> None:
        if message := self.now.pop(kind, None):
            LOG.warning("over, it goes on: %s", message)


class Clock:
    """Tells when the clock of this machine was set back."""

    def __init__(self) -> None:
        self._ahead = time.time() - time.monotonic()

    def set_back(self) -> float:
        """By how many seconds, since it was asked last; 0 if it was not."""
        ahead = time.time() - time.monotonic()
        back, self._ahead = self._ahead - ahead, ahead
        return back if back > CLOCK_SECONDS else 0.0
