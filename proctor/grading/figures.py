"""A student's figure as facts, and assertions about what a person would read off it.

The drawing stays in the sandbox. Its facts are data, so they are checked as any other answer.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy

from proctor.grading.connection import INVALID, Untrustworthy
from proctor.grading.handles import Handle, Operation, operate, path_of
from proctor.grading.student import Student


@dataclass(frozen=True)
class Line:
    """A line of a plot. `x` and `y` are arrays, texts for categories, None beyond 10,000 points."""

    x: Any
    y: Any
    label: str
    style: str
    marker: str


@dataclass(frozen=True)
class Points:
    """A scatter plot's points."""

    x: Any
    y: Any
    label: str


@dataclass(frozen=True)
class Bar:
    """A bar, or a bin of a histogram; `x` is its middle, `y` where it begins."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Image:
    """An image of this shape; `values` is None beyond 10,000 of them."""

    shape: list
    values: Any


@dataclass(frozen=True)
class Axes:
    title: str
    xlabel: str
    ylabel: str
    xscale: str
    yscale: str
    xlim: list
    ylim: list
    legend: list
    texts: list
    ticks: list
    lines: list
    points: list
    bars: list
    images: list


@dataclass(frozen=True)
class Figure:
    title: str
    axes: list


PARTS = {"lines": Line, "points": Points, "bars": Bar, "images": Image, "axes": Axes}
TYPES = {"str": str, "float": float, "list": list}


def figure_of(shown: Any) -> Figure:
    """The facts of a figure that a function of the student's returned: the figure, its axes, or
    both. `figure_of(student)` is the figure drawn last, for functions that return none."""
    if isinstance(shown, Student):
        return built(Figure, shown.remote(Operation("figure", shown._connection)))
    while isinstance(shown, tuple | list) and shown:
        shown = shown[0]
    assert isinstance(shown, Handle), f"a figure should have been returned, got {shown!r}"
    return built(Figure, operate(shown, "figure", path=path_of(shown)))


def built(kind: type, told: Any) -> Any:
    """A fact from what the sandbox tells. Raises Untrustworthy."""
    fields = dataclasses.fields(kind)
    if type(told) is not dict or told.keys() != {field.name for field in fields}:
        raise Untrustworthy(INVALID)
    made = {}
    for field in fields:
        value = told[field.name]
        wanted = TYPES.get(str(field.type))
        if wanted is not None and type(value) is not wanted:
            raise Untrustworthy(INVALID)
        part = PARTS.get(field.name)
        made[field.name] = [built(part, entry) for entry in value] if part else value
    return kind(**made)


# Assertions


def the_axes(figure: Figure) -> Axes:
    """The only axes of a figure."""
    assert len(figure.axes) == 1, f"the figure should have one plot, has {len(figure.axes)}"
    return figure.axes[0]


def assert_labelled(axes: Axes) -> None:
    """Both axes say what they show."""
    assert axes.xlabel.strip(), "the x axis should say what it shows"
    assert axes.ylabel.strip(), "the y axis should say what it shows"


def assert_line(axes: Axes, x: Any, y: Any, *, within: float = 1e-5) -> Line:
    """One of the lines goes through just these points; returns it."""
    lines = [line for line in axes.lines if same(line.x, x, within) and same(line.y, y, within)]
    assert lines, f"a line should go through x = {x}, y = {y}; the lines: {axes.lines}"
    return lines[0]


def assert_points(axes: Axes, x: Any, y: Any, *, within: float = 1e-5) -> Points:
    """One of the scatter plots has just these points, in this order; returns it."""
    found = [
        cloud for cloud in axes.points if same(cloud.x, x, within) and same(cloud.y, y, within)
    ]
    assert found, f"the points should be x = {x}, y = {y}; they are: {axes.points}"
    return found[0]


def assert_bars(axes: Axes, heights: Sequence[float], *, within: float = 1e-5) -> None:
    """The bars, from left to right, have these heights."""
    bars = sorted(axes.bars, key=lambda bar: bar.x)
    got = [bar.height for bar in bars]
    assert same(numpy.array(got), heights, within), f"the bars should be {heights}, are {got}"


def same(got: Any, expected: Any, within: float) -> bool:
    expected = numpy.asarray(expected, dtype=float)
    if not isinstance(got, numpy.ndarray) or got.shape != expected.shape:
        return False
    return bool((numpy.abs(got - expected) <= within * (1 + numpy.abs(expected))).all())


def table_of(frame: Handle) -> dict[str, Any]:
    """A pandas frame, or series, as {"columns": {name: values}, "index": [...]}: numbers arrive as
    arrays, the rest as lists, what is missing as None."""
    assert isinstance(frame, Handle), f"a table should have been returned, got {frame!r}"
    told = operate(frame, "table", path=path_of(frame), kind=dict)
    if [type(told.get(name)) for name in ("columns", "index")] != [dict, list]:
        raise Untrustworthy(INVALID)
    return told
