"""How far the grading of a class has come: a bar in a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from tqdm import tqdm

if TYPE_CHECKING:
    from proctor.classroom.whole_class import Tally

SECONDS_BETWEEN_LINES = 10.0


class Progress:
    """Call it with the tally as it grows."""

    def __init__(self, total: int):
        self.tally: Tally | None = None
        self.started = time.monotonic()
        self._last_line = self.started
        self._bar = tqdm(total=total, unit="submission", disable=not sys.stderr.isatty())

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._bar.close()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    def __call__(self, tally: Tally) -> None:
        self.tally = tally
        if self._bar.disable:
            self._print_line(tally)
            return
        self._bar.set_postfix_str(counts(tally), refresh=False)
        self._bar.update(tally.done - self._bar.n)

    def _print_line(self, tally: Tally) -> None:
        now = time.monotonic()
        if now - self._last_line < SECONDS_BETWEEN_LINES or tally.done == tally.unchanged:
            return
        self._last_line = now
        rate = (tally.done - tally.unchanged) / (now - self.started)
        left = (tally.total - tally.done) / rate
        print(
            f"{tally.done} of {tally.total}, {rate:.1f} a second, about {left:.0f} s to go "
            f"({counts(tally)})",
            file=sys.stderr,
            flush=True,
        )


def counts(tally: Tally) -> str:
    return (
        f"{tally.graded} graded, {tally.rejected} rejected, {tally.need_person} need a person, "
        f"{tally.set_aside} set aside"
    )
