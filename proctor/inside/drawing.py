"""A figure's picture, the same as matplotlib's own, in less time.

matplotlib goes through a figure three times for one picture: to lay it out, to see how much room it
takes, and to draw it. Each time it looks for the fonts and measures all texts anew. Here it does so
once for each picture, in which no setting changes. And what is simple enough needs no layout before
its room can be told: `get_tightbbox` lays it out as well.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Hashable, Iterator
from contextlib import nullcontext
from typing import Any

from IPython.core import pylabtools
from matplotlib import font_manager, text
from matplotlib.axes import Axes
from matplotlib.axis import XAxis, YAxis
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.layout_engine import PlaceHolderLayoutEngine
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.spines import Spine


def draw_quickly() -> None:
    """Have IPython draw the figures of cells so."""
    if all(map(hasattr, OWNERS, PARTS)):
        pylabtools.print_figure = remembering(pylabtools.print_figure)


# What is replaced while a picture is made. They are matplotlib's own names, which it may change.
OWNERS: tuple[Any, ...] = (text, text.Text, font_manager.fontManager)
PARTS = ("_get_text_metrics_with_cache", "_get_layout", "_find_fonts_by_props")


def remembering(draw: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(draw)
    def wrapper(figure: Any, *arguments: Any, **keywords: Any) -> Any:
        with remembered(), without_layout(figure) if is_simple(figure) else nullcontext():
            return draw(figure, *arguments, **keywords)

    return wrapper


@contextlib.contextmanager
def remembered() -> Iterator[None]:
    """Within it, fonts and measures of texts are kept."""
    measure, lay_out, find = (
        getattr(owner, name) for owner, name in zip(OWNERS, PARTS, strict=True)
    )
    known: dict[Hashable, Any] = {}

    # matplotlib takes font properties for equal if their hashes are.

    def found(properties: Any, *others: Any, **named: Any) -> Any:
        if others or named or type(properties) is not font_manager.FontProperties:
            return find(properties, *others, **named)
        key = hash(properties)
        if key not in known:
            known[key] = find(properties)
        return known[key]

    def measured(renderer: Any, line: str, properties: Any, ismath: Any, dpi: float) -> Any:
        if type(renderer) is not RendererAgg:
            return measure(renderer, line, properties, ismath, dpi)
        key = (line, hash(properties), ismath, dpi, renderer.dpi)
        if key not in known:
            known[key] = measure(renderer, line, properties, ismath, dpi)
        return known[key]

    def laid_out(self: Any, renderer: Any) -> Any:
        if type(renderer) is not RendererAgg or self.get_wrap():
            return lay_out(self, renderer)
        key = layout_key(self, renderer)
        if key not in known:
            known[key] = lay_out(self, renderer)
        return known[key]

    with contextlib.ExitStack() as stack:
        for owner, name, other in zip(OWNERS, PARTS, (measured, laid_out, found), strict=True):
            stack.enter_context(replaced(owner, name, other))
        yield


def layout_key(shown: Any, renderer: RendererAgg) -> Hashable:
    """All that the layout of a text goes by."""
    return (
        type(shown),
        shown._text,
        hash(shown._fontproperties),
        shown.get_rotation(),
        shown._rotation_mode,
        shown._linespacing,
        shown._multialignment,
        shown._horizontalalignment,
        shown._verticalalignment,
        shown._usetex,
        shown._parse_math,
        shown.get_figure(root=True).dpi,
        renderer.dpi,
    )


@contextlib.contextmanager
def replaced(owner: Any, name: str, other: Any) -> Iterator[None]:
    own, before = name in vars(owner), getattr(owner, name)
    setattr(owner, name, other)
    try:
        yield
    finally:
        if own:
            setattr(owner, name, before)
        else:
            delattr(owner, name)


# Artists that change nothing when they are drawn, and lie where they say before they are.
SIMPLE = (Spine, XAxis, YAxis, text.Text, Line2D, Rectangle, AxesImage, PathCollection)
SIMPLE_TYPES = frozenset((*SIMPLE, LineCollection, Legend, Axes))


def is_simple(figure: Any) -> bool:
    """Whether the room that a figure takes can be told before it was drawn."""
    if type(figure) is not Figure or figure.canvas.callbacks.callbacks.get("draw_event"):
        return False
    if not isinstance(figure.get_layout_engine(), PlaceHolderLayoutEngine | None):
        return False
    artists = [
        *figure.get_children(),
        *(one for axes in figure.axes for one in axes.get_children()),
    ]
    return all(type(one) in SIMPLE_TYPES and is_simple_artist(one) for one in artists)


def is_simple_artist(artist: Any) -> bool:
    kind = type(artist)
    if kind is Axes:
        alone = len(artist._twinned_axes.get_siblings(artist)) == 1
        return alone and artist.get_axes_locator() is None
    if kind is Legend:
        return artist._mode != "expand"
    if kind is text.Text:
        return artist.get_bbox_patch() is None and not artist.get_wrap()
    return True


@contextlib.contextmanager
def without_layout(figure: Any) -> Iterator[None]:
    """Within it, where the figure would be gone through without being drawn, it is not."""
    draw = figure.draw

    def drawn(renderer: Any) -> None:
        if "draw_path" not in vars(renderer):  # that is how a renderer is kept from drawing
            return draw(renderer)
        figure._get_draw_artists(renderer)  # it gives all axes their aspect
        return None

    with replaced(figure, "draw", drawn):
        yield
