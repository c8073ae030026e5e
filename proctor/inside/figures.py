"""A matplotlib figure as facts: what a person would read off it."""

from __future__ import annotations

import sys
from typing import Any

import numpy

MAX_POINTS = 10_000  # of one line, image or cloud; more are thinned by nobody, and left out


def figure_facts(shown: Any = None) -> dict[str, Any]:
    """The facts of a figure, of the figure of some axes, or of the current one."""
    figure = figure_of(shown)
    title = figure.get_suptitle() if hasattr(figure, "get_suptitle") else ""
    return {"title": title, "axes": [axes_facts(axes) for axes in figure.axes]}


def figure_of(shown: Any) -> Any:
    from matplotlib import pyplot
    from matplotlib.figure import Figure

    if shown is None:
        return pyplot.gcf()
    while isinstance(shown, tuple | list | numpy.ndarray) and len(shown):
        shown = shown[0]  # what `plt.subplots()` gives, and an array of axes
    figure = shown if isinstance(shown, Figure) else getattr(shown, "figure", None)
    if not isinstance(figure, Figure):
        raise TypeError(f"{type(shown).__name__} is no figure")
    return figure


def axes_facts(axes: Any) -> dict[str, Any]:
    legend = axes.get_legend()
    return {
        "title": axes.get_title(),
        "xlabel": axes.get_xlabel(),
        "ylabel": axes.get_ylabel(),
        "xscale": axes.get_xscale(),
        "yscale": axes.get_yscale(),
        "xlim": [float(value) for value in axes.get_xlim()],
        "ylim": [float(value) for value in axes.get_ylim()],
        "legend": [text.get_text() for text in legend.get_texts()] if legend else [],
        "texts": [text.get_text() for text in axes.texts],
        "ticks": [label.get_text() for label in axes.get_xticklabels()][:200],
        "lines": [line_facts(line) for line in axes.lines],
        "points": [cloud_facts(cloud) for cloud in axes.collections if is_cloud(cloud)],
        "bars": [bar_facts(bar) for bar in axes.patches if is_bar(bar)],
        "images": [image_facts(image) for image in axes.images],
    }


def line_facts(line: Any) -> dict[str, Any]:
    return {
        "x": numbers(line.get_xdata()),
        "y": numbers(line.get_ydata()),
        "label": shown_label(line),
        "style": str(line.get_linestyle()),
        "marker": str(line.get_marker()),
    }


def is_cloud(collection: Any) -> bool:
    return isinstance(collection, sys.modules["matplotlib.collections"].PathCollection)


def cloud_facts(cloud: Any) -> dict[str, Any]:
    offsets = numpy.asarray(cloud.get_offsets(), dtype=float)
    return {"x": numbers(offsets[:, 0]), "y": numbers(offsets[:, 1]), "label": shown_label(cloud)}


def is_bar(patch: Any) -> bool:
    return isinstance(patch, sys.modules["matplotlib.patches"].Rectangle)


def bar_facts(bar: Any) -> dict[str, Any]:
    """Of a bar or a bin of a histogram; `x` is its middle."""
    return {
        "x": float(bar.get_x() + bar.get_width() / 2),
        "y": float(bar.get_y()),
        "width": float(bar.get_width()),
        "height": float(bar.get_height()),
    }


def image_facts(image: Any) -> dict[str, Any]:
    values = image.get_array()
    small = values is not None and values.size <= MAX_POINTS
    return {
        "shape": [int(side) for side in values.shape] if values is not None else [],
        "values": numpy.ma.filled(values.astype(float), numpy.nan) if small else None,
    }


def shown_label(artist: Any) -> str:
    """The label, none where matplotlib made one up."""
    label = str(artist.get_label())
    return "" if label.startswith("_") else label


def numbers(values: Any) -> Any:
    try:
        array = numpy.asarray(values, dtype=float)
    except (TypeError, ValueError):
        return [str(value) for value in values][:MAX_POINTS]  # categories
    return array if array.size <= MAX_POINTS else None
