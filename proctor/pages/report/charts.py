"""Where things stand in the charts: numbers for the templates, which draw them as inline SVG."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from proctor.pages.report.items import ExerciseResult

MOST_BARS = 20
# Of the plot of difficulty against discrimination, in its own units.
WIDTH, HEIGHT = 640, 300
RADIUS = 12


@dataclass(frozen=True)
class Distribution:
    """The scores of a class, of so many points. Quartiles are those of the middle of the class, as
    spreadsheets have them (inclusive); `spread` is the standard deviation."""

    points: float
    scores: list[float]

    @property
    def count(self) -> int:
        return len(self.scores)

    @property
    def mean(self) -> float:
        return statistics.fmean(self.scores)

    @property
    def spread(self) -> float:
        return statistics.stdev(self.scores) if self.count > 1 else 0.0

    @property
    def quartiles(self) -> tuple[float, float, float]:
        if self.count < 2:
            return (self.scores[0],) * 3
        first, median, third = statistics.quantiles(self.scores, n=4, method="inclusive")
        return first, median, third

    @property
    def full(self) -> int:
        return sum(score >= self.points - 1e-9 for score in self.scores)

    @property
    def nothing(self) -> int:
        return sum(score <= 0 for score in self.scores)

    @property
    def width(self) -> float:
        """Of a bar, in points: a round number that gives at most so many bars."""
        return next(
            step
            for power in range(-2, 6)
            for step in (10.0**power, 2 * 10.0**power, 5 * 10.0**power)
            if step >= 0.5 and self.points / step <= MOST_BARS
        )

    @property
    def bars(self) -> list[tuple[float, float, int]]:
        """From, to, how many; full marks belong to the last bar."""
        width = self.width
        number = max(1, math.ceil(self.points / width - 1e-9))
        counts = [0] * number
        for score in self.scores:
            counts[min(number - 1, max(0, int((score + 1e-9) / width)))] += 1
        ends = [min(self.points, (place + 1) * width) for place in range(number)]
        return [(place * width, ends[place], count) for place, count in enumerate(counts)]


@dataclass(frozen=True)
class Dot:
    """An exercise in the plot of difficulty against discrimination."""

    result: ExerciseResult
    x: float
    y: float


def dots(results: Sequence[ExerciseResult]) -> list[Dot]:
    """Where exercises stand; one that would lie on another is moved beside it."""
    placed: list[Dot] = []
    for one in results:
        if one.mean is None or one.discrimination is None:
            continue
        x, y = one.mean * WIDTH, HEIGHT * (1 - max(0.0, one.discrimination))
        free = (at for at in around(x, y) if all(is_clear(at, dot) for dot in placed))
        x, y = next(free, (x, y))
        placed.append(Dot(one, round(x, 1), round(y, 1)))
    return placed


def around(x: float, y: float) -> Iterator[tuple[float, float]]:
    """This place, then places around it, nearest first."""
    yield x, y
    for ring in range(1, 6):
        for turn in range(8):
            angle = turn * math.pi / 4
            away = ring * 2 * RADIUS
            near = x + away * math.cos(angle), y + away * math.sin(angle)
            if 0 <= near[0] <= WIDTH and 0 <= near[1] <= HEIGHT:
                yield near


def is_clear(at: tuple[float, float], dot: Dot) -> bool:
    return math.hypot(at[0] - dot.x, at[1] - dot.y) > 1.9 * RADIUS
