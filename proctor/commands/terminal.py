"""What commands print for people: within the width of a terminal, and as it is into a pipe."""

from __future__ import annotations

import os
import re
import sys
import textwrap
from typing import TextIO

NARROWEST = 40
USUAL = 80
# What a line begins with: a word of doctor's, a sign such as ✗, and the blanks around it.
BEGINNING = re.compile(r"(?:(?:ok|weak|BAD|note) +)?[✗|\s]*")
FURTHER = "  "  # how much deeper a line goes on


def say(text: str = "", *, to: TextIO | None = None) -> None:
    """Print text, at once. Lines too long for a terminal go on below, a little deeper."""
    file = sys.stdout if to is None else to
    width = width_of(file)
    print(text if width is None else within(text, width), file=file, flush=True)


def width_of(file: TextIO) -> int | None:
    """The columns of the terminal that a stream is; None where it is none."""
    if not file.isatty():
        return None
    told = os.environ.get("COLUMNS", "")
    try:
        columns = int(told) if told.isdecimal() else os.get_terminal_size(file.fileno()).columns
    except (ValueError, OSError):
        columns = 0
    return max(NARROWEST, columns or USUAL)


def within(text: str, width: int) -> str:
    """The text in lines of at most this width, unless a word is longer. Blanks stay."""
    return "\n".join(
        line if len(line) <= width else broken(line, width) for line in text.split("\n")
    )


def broken(line: str, width: int) -> str:
    beginning = BEGINNING.match(line)
    assert beginning is not None  # it matches nothing, too
    deeper = " " * min(len(beginning[0]), width // 2) + FURTHER
    return textwrap.fill(
        line,
        width,
        subsequent_indent=deeper,
        break_long_words=False,
        break_on_hyphens=False,
        replace_whitespace=False,
    )
