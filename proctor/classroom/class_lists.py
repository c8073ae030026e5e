"""Class lists as spreadsheets write them: `nbgrader db student import` reads only its own form."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import IO, Any

from nbgrader.apps import dbapp

DELIMITERS = ",;\t"


def read_what_spreadsheets_write() -> None:
    """Let nbgrader's imports read any of these forms: it offers no hook, and opens a file by name
    in this one module alone."""
    dbapp.open = open_table


def open_table(path: str, mode: str = "r") -> IO[Any]:
    """In place of `open` there: a table as nbgrader expects it."""
    if mode != "r":
        return open(path, mode)  # noqa: PTH123
    return io.StringIO(as_plain_table(Path(path).read_bytes()))


def as_plain_table(data: bytes) -> str:
    """A table in UTF-8, UTF-16 or a Western Windows encoding, with commas, semicolons or tabs, as
    CSV with commas; without blanks around what stands in it, and without empty rows."""
    text = decoded(data)
    stream = io.StringIO(text, newline="")
    rows = csv.reader(stream, delimiter=delimiter_of(text), skipinitialspace=True)
    plain = io.StringIO()
    writer = csv.writer(plain, lineterminator="\n")
    for number, row in enumerate(row for row in rows if any(cell.strip() for cell in row)):
        cells = [" ".join(cell.split()) for cell in row]
        writer.writerow([cell.casefold() for cell in cells] if number == 0 else cells)
    return plain.getvalue()


def delimiter_of(text: str) -> str:
    """What separates the cells, told by the first line."""
    first = text.lstrip().partition("\n")[0]
    return max(DELIMITERS, key=first.count)


def decoded(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")
