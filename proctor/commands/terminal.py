"""What commands print for people: within the width of a terminal, and as it is into a pipe."""

from __future__ import annotations

import argparse
import os
import re
import sys
import textwrap
from typing import Any, NoReturn, TextIO

NARROWEST = 40
USUAL = 80
# What a line begins with: a word of doctor's, a sign such as ✗, and the blanks around it.
BEGINNING = re.compile(r"(?:(?:ok|weak|BAD|note) +)?[✗|\s]*")
FIRST_COLUMN = re.compile(r" *\S+(?: \S+)* {2,}")
WHOLE_WORDS: Any = {
    "break_long_words": False,
    "break_on_hyphens": False,
    "replace_whitespace": False,
}
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


class Parser(argparse.ArgumentParser):
    """Errors fit the terminal, as help does."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        say(f"{self.prog}: error: {message}", to=sys.stderr)
        raise SystemExit(2)


class Help(argparse.RawDescriptionHelpFormatter):
    """Help whose examples and exit codes fit the terminal as well."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n".join(indent + line for line in in_columns(text, width).split("\n"))


def in_columns(text: str, width: int) -> str:
    """Lines of a word and what it means; what is too long goes on below the meaning."""
    lines = []
    for line in text.split("\n"):
        first = FIRST_COLUMN.match(line)
        begins = len(line) - len(line.lstrip())
        deeper = " " * min(len(first[0]) if first else begins + len(FURTHER), width // 2)
        lines.append(textwrap.fill(line, width, subsequent_indent=deeper, **WHOLE_WORDS))
    return "\n".join(lines)


def broken(line: str, width: int) -> str:
    beginning = BEGINNING.match(line)
    assert beginning is not None  # it matches nothing, too
    deeper = " " * min(len(beginning[0]), width // 2) + FURTHER
    return textwrap.fill(line, width, subsequent_indent=deeper, **WHOLE_WORDS)
