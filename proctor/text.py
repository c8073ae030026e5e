"""Text that came from others, made fit for a person's eyes and for a person's spreadsheet."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

MAX_CHARACTERS = 2000
# A spreadsheet would run a cell that starts with one of these, full-width ones too, unless it is a
# number. A cell starts after a separator as well: which signs separate is a matter of country.
FORMULA_STARTS = tuple("=+-@\uff1d\uff0b\uff0d\uff20\t\r")
FORMULA_WITHIN = re.compile('([,;|\t]"*)(?=[=+\\-@\uff1d\uff0b\uff0d\uff20])')
NUMBER = re.compile(r"[+-]?[0-9.,]*%?")


def plain(text: str | None, most: int = MAX_CHARACTERS) -> str:
    """One line of printable characters, cut to length: nothing that a terminal would obey."""
    shown = "".join(
        character if unicodedata.category(character)[0] not in "CZ" else " "
        for character in (text or "")[: 4 * most]
    )
    shown = " ".join(shown.split())
    return shown if len(shown) <= most else shown[: most - 4] + " ..."


def points(number: float) -> str:
    """A number of points in words: "1 point", "2.5 points"."""
    shown = f"{round(number, 2):g}"
    return f"{shown} point" if shown == "1" else f"{shown} points"


def row_of(values: Sequence[Any]) -> list[Any]:
    """A row of a CSV file: texts that no spreadsheet takes for a formula; numbers as they are."""
    return [defused(plain(value)) if isinstance(value, str) else value for value in values]


def defused(text: str) -> str:
    """Text that no spreadsheet takes for a formula. A number stays one, and so does a lone "-"."""
    if NUMBER.fullmatch(text):
        return text
    text = FORMULA_WITHIN.sub(r"\1'", text)
    return f"'{text}" if text.lstrip('"').startswith(FORMULA_STARTS) else text
