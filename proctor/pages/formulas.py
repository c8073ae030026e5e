"""Formulas in notebooks, as MathML: browsers show it without scripts and without the internet.

Students write formulas too. What the converter makes of them is taken element by element, by an
allow-list, into HTML that was cleaned before.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from types import MappingProxyType
from typing import Any
from xml.etree.ElementTree import Element

from bleach.html5lib_shim import Filter
from latex2mathml.converter import Converter
from nbconvert.filters.markdown_mistune import IPythonRenderer

MAX_CHARACTERS = 2000
MAX_FORMULAS = 500
ELEMENTS = (
    "math menclose mfrac mi mmultiscripts mn mo mover mpadded mphantom mprescripts mroot mrow "
    "ms mspace msqrt mstyle msub msubsup msup mtable mtd mtext mtr munder munderover none"
)
ATTRIBUTES = (
    "accent columnalign columnlines columnspacing display displaystyle fence form largeop "
    "linethickness lspace mathvariant maxsize minsize movablelimits notation rowlines "
    "rowspacing rspace scriptlevel separator stretchy symmetric width"
)
KNOWN_ELEMENTS, KNOWN_ATTRIBUTES = frozenset(ELEMENTS.split()), frozenset(ATTRIBUTES.split())
# Words and small lengths: nothing that leaves its line or covers the page.
VALUE = re.compile(r"(([a-z-]{1,30}|-?\d{0,2}(\.\d{1,6})?(em|ex|pt|mu)?)( |$)){1,20}")
# Stands for a formula while the text around it is cleaned; private characters mean nothing else.
PLACE = re.compile("\ue000([0-9]{1,4})\ue001")
PRIVATE = re.compile("[\ue000\ue001]")

Token = dict[str, Any]


class Formulas(IPythonRenderer):
    """Renders Markdown with a placeholder for each formula; `inserted` puts the formulas in."""

    def __init__(self) -> None:
        super().__init__(escape=False, exclude_anchor_links=True)
        self.found: list[list[Token]] = []

    def inline_math(self, body: str) -> str:
        return self._place(body, f"${body}$", "inline")

    def block_math(self, body: str) -> str:
        return self._place(body, f"$${body}$$", "block")

    def latex_environment(self, name: str, body: str) -> str:
        written = f"\\begin{{{name}}}{body}\\end{{{name}}}"
        return self._place(written, written, "block")

    def _place(self, formula: str, written: str, display: str) -> str:
        if len(self.found) == MAX_FORMULAS:
            return html.escape(written)
        self.found.append(mathml(formula, written, display))
        return f"\ue000{len(self.found) - 1}\ue001"

    def inserted(self, source: Any) -> Iterator[Token]:
        """A filter of bleach: the stream of cleaned tokens with formulas in place of placeholders.

        Only text is looked at: a placeholder that got into an attribute stays a word.
        """
        for token in Filter(source):
            if token["type"] != "Characters" or not PLACE.search(token["data"]):
                yield token
                continue
            for number, part in enumerate(PLACE.split(token["data"])):
                if number % 2 == 0:
                    yield characters(part)
                elif int(part) < len(self.found):
                    yield from self.found[int(part)]


def mathml(formula: str, written: str, display: str) -> list[Token]:
    """A formula as tokens of bleach; one that cannot be converted is shown as it was written."""
    if len(formula) > MAX_CHARACTERS:
        return [characters(written)]
    converter = Converter(display=display)
    # Macros could double themselves without end, so that none can be defined.
    macros: Any = MappingProxyType({})
    converter.macros = macros
    try:
        return list(tokens(converter.convert_to_element(formula.strip())))
    except Exception:  # noqa: BLE001 - one student's odd formula must not keep others from theirs
        return [characters(written)]


def tokens(element: Element) -> Iterator[Token]:
    """An element of the converter, by the allow-list; the text of others is kept."""
    known = element.tag in KNOWN_ELEMENTS
    if known:
        attributes = {
            (None, name): value
            for name, value in element.attrib.items()
            if name in KNOWN_ATTRIBUTES and VALUE.fullmatch(value)
        }
        yield {"type": "StartTag", "name": element.tag, "namespace": None, "data": attributes}
    # The converter writes signs as entities.
    yield characters(html.unescape(element.text or ""))
    for child in element:
        yield from tokens(child)
        yield characters(html.unescape(child.tail or ""))
    if known:
        yield {"type": "EndTag", "name": element.tag, "namespace": None, "data": {}}


def characters(text: str) -> Token:
    return {"type": "Characters", "data": text}
