"""A figure's picture, the same as matplotlib's own, in less time.

matplotlib goes through a figure three times for one picture: to lay it out, to see how much room it
takes, and to draw it. Each time it looks for the fonts, measures all texts and finds the ticks of
each axis several times. Here it does so once for each picture, in which no setting changes. And
what is simple enough needs no layout before its room can be told: `get_tightbbox` lays it out as
well. Lines that get their properties from others, as those of ticks do, share markers where
matplotlib would copy them.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Hashable, Iterator
from contextlib import nullcontext
from typing import Any

from IPython.core import pylabtools
from matplotlib import font_manager, text, ticker
from matplotlib.axes import Axes
from matplotlib.axis import Axis, XAxis, YAxis
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.layout_engine import PlaceHolderLayoutEngine
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.markers import MarkerStyle
from matplotlib.patches import Rectangle
from matplotlib.spines import Spine

# What is remembered while a picture is made. These are matplotlib's own names, which it may change.
OWNERS: tuple[Any, ...] = (text, text.Text, font_manager.fontManager, Axis)
PARTS = ("_get_text_metrics_with_cache", "_get_layout", "_find_fonts_by_props", "_update_ticks")


def draw_quickly() -> None:
    """Have IPython draw the figures of cells so. Called once, before the forks: a class that is
    changed later has Python look up its methods anew."""
    if all(map(hasattr, OWNERS, PARTS)):
        pylabtools.print_figure = remembering(pylabtools.print_figure)
    if hasattr(MarkerStyle, "_set_marker"):
        MarkerStyle._set_marker = taking_over(MarkerStyle._set_marker)


def remembering(draw: Callable[..., Any]) -> Callable[..., Any]:
    """`draw`, which makes the picture of a figure, so that it looks for each thing once."""
    memory = Memory()
    memory.put_before_matplotlib()

    @functools.wraps(draw)
    def wrapper(figure: Any, *arguments: Any, **keywords: Any) -> Any:
        memory.known = {}
        try:
            with without_layout(figure) if is_simple(figure) else nullcontext():
                return draw(figure, *arguments, **keywords)
        finally:
            memory.known = None

    return wrapper


class Memory:
    """Fonts and measures of texts, known while a picture is made."""

    def __init__(self) -> None:
        self.known: dict[Hashable, Any] | None = None

    def put_before_matplotlib(self) -> None:
        for owner, name, key_of in zip(OWNERS, PARTS, KEYS, strict=True):
            setattr(owner, name, self.before(getattr(owner, name), key_of))

    def before(self, find: Callable[..., Any], key_of: Callable[..., Hashable]) -> Any:
        @functools.wraps(find)
        def found(*arguments: Any, **named: Any) -> Any:
            known = self.known
            key = None if known is None else key_of(*arguments, **named)
            if known is None or key is None:
                return find(*arguments, **named)
            if key not in known:
                known[key] = find(*arguments, **named)
            return known[key]

        return found


# All that each goes by, or None for what is not remembered. matplotlib itself takes properties of
# fonts for equal if their hashes are.


def key_of_fonts(fonts: Any, *others: Any, **named: Any) -> Hashable:
    return None if others or named else hash(fonts)


def key_of_measure(renderer: Any, line: str, fonts: Any, ismath: Any, dpi: float) -> Hashable:
    if type(renderer) is not RendererAgg:
        return None
    return (line, hash(fonts), ismath, dpi, renderer.dpi)


def key_of_layout(shown: Any, renderer: Any) -> Hashable:
    if type(renderer) is not RendererAgg or shown.get_wrap():
        return None
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


# Where a tick stands and what it says goes by the limits and the room alone; a function of the
# student's may give something else each time.
OF_TICKER = frozenset(
    kind
    for kind in vars(ticker).values()
    if isinstance(kind, type) and issubclass(kind, ticker.TickHelper)
) - {ticker.FuncFormatter}


def key_of_ticks(axis: Any) -> Hashable:
    kinds = (axis.major.locator, axis.major.formatter, axis.minor.locator, axis.minor.formatter)
    if type(axis) not in (XAxis, YAxis) or not all(type(kind) in OF_TICKER for kind in kinds):
        return None
    room = axis.axes.bbox
    return (axis, *kinds, *axis.get_view_interval(), round(room.width, 6), round(room.height, 6))


# In the order of PARTS.
KEYS: tuple[Callable[..., Hashable], ...] = (
    key_of_measure,
    key_of_layout,
    key_of_fonts,
    key_of_ticks,
)


def taking_over(set_marker: Callable[..., None]) -> Callable[..., None]:
    """`set_marker`, which shares the parts of the marker that it is given, where that has a name
    and was not turned or moved: such parts are never changed, only exchanged."""

    @functools.wraps(set_marker)
    def wrapper(self: MarkerStyle, marker: Any) -> None:
        if type(marker) is MarkerStyle and is_named(marker):
            self.__dict__ = dict(vars(marker))
        else:
            set_marker(self, marker)

    return wrapper


def is_named(marker: MarkerStyle) -> bool:
    parts = vars(marker)  # a later matplotlib may have others: then it is copied
    name, moved = parts.get("_marker", ()), parts.get("_user_transform", ())
    return isinstance(name, str | int | None) and moved is None


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

    own = "draw" in vars(figure)
    figure.draw = drawn
    try:
        yield
    finally:
        if own:
            figure.draw = draw
        else:
            del figure.draw
