"""How far the work on a class has come: a bar in a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Generic, Protocol, TypeVar

from tqdm import tqdm

from proctor.commands.terminal import width_of

SECONDS_BETWEEN_LINES = 10.0
BAR = "{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}]{postfix}"
ROOM_OF_BAR = 37  # with thousands of submissions, and a bar that can still be seen


class SomeTally(Protocol):
    """What is counted; as text, what became of it."""

    total: int
    unchanged: int

    @property
    def done(self) -> int: ...


T = TypeVar("T", bound=SomeTally)


class Progress(Generic[T]):
    """Call it with the tally as it grows."""

    def __init__(self, total: int | None = None, unit: str = "submission"):
        self.tally: T | None = None
        self.started = time.monotonic()
        self._last_line = self.started
        self._bar = tqdm(
            total=total,
            unit=unit,
            disable=not sys.stderr.isatty(),
            dynamic_ncols=True,
            bar_format=BAR,
        )

    def __enter__(self) -> Progress[T]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._bar.close()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    def __call__(self, tally: T) -> None:
        self.tally = tally
        if self._bar.disable:
            self._print_line(tally)
            return
        self._bar.total = tally.total
        room = (width_of(sys.stderr) or 0) - ROOM_OF_BAR
        self._bar.set_postfix_str(brief(str(tally), room), refresh=False)
        self._bar.update(tally.done - self._bar.n)

    def _print_line(self, tally: T) -> None:
        now = time.monotonic()
        if now - self._last_line < SECONDS_BETWEEN_LINES or tally.done == tally.unchanged:
            return
        self._last_line = now
        each = (now - self.started) / (tally.done - tally.unchanged)
        left = (tally.total - tally.done) * each
        pace = f"{1 / each:.1f} a second" if each < 1 else f"{each:.1f} s each"
        print(
            f"{tally.done} of {tally.total}, {pace}, about {left:.0f} s to go ({tally})",
            file=sys.stderr,
            flush=True,
        )


def brief(counts: str, room: int) -> str:
    """Of "3 graded, 0 rejected, ...", what is not 0 and has room; what comes last matters most."""
    kept: list[str] = []
    for part in reversed(counts.split(", ")):
        if part.startswith("0 "):
            continue
        if len(", ".join([part, *kept])) > room:
            break
        kept.insert(0, part)
    return ", ".join(kept)
