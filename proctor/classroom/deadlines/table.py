"""extensions.csv: who has more time, and why. People read, edit and review it; this reads it with
care and changes nothing in it but the rows that it is told to."""

from __future__ import annotations

import csv
import fcntl
import io
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from proctor.classroom.class_lists import decoded, delimiter_of
from proctor.classroom.deadlines.times import MoreTime, NotUnderstood, more_time
from proctor.course import Course, CourseError, write_whole
from proctor.text import row_of

NAME = "extensions.csv"
COLUMNS = ("assignment", "student", "until", "reason", "by", "on")
EVERY_ASSIGNMENT = "*"
WHOLE_NUMBER = re.compile(r"(\d+)(?:[.,]0+)?")
# What these columns are called elsewhere.
ALSO_CALLED = {
    "assignment": ("assignment_id", "assignment id", "assignment name", "exercise"),
    "student": ("student_id", "student id", "id", "username", "user", "login"),
    "until": ("deadline", "new deadline", "new due date", "extension", "extended until"),
    "days": ("extra days", "extension days", "number of days"),
    "hours": ("extra hours", "extension hours"),
    "reason": ("comment", "note", "notes", "why"),
}


@dataclass(frozen=True)
class Extension:
    assignment: str
    student: str
    more: MoreTime
    reason: str = ""
    by: str = ""
    on: str = ""


@dataclass
class Record:
    """A row as it stands in the file, from this line on. It is an extension, or it says why not;
    the header and empty rows are neither."""

    line: int
    text: str
    cells: list[str]
    extension: Extension | None = None
    problem: str | None = None


@dataclass
class Table:
    """The table of a course. It is changed record by record: what is left alone stays as written,
    whether it can be read or not."""

    name: str = NAME
    delimiter: str = ","
    columns: dict[str, int] = field(default_factory=dict)
    records: list[Record] = field(default_factory=list)

    @property
    def extensions(self) -> list[Extension]:
        return [record.extension for record in self.records if record.extension]

    @property
    def problems(self) -> list[str]:
        """One line for each row that cannot be read."""
        return [
            f"line {record.line}: {record.problem}" for record in self.records if record.problem
        ]

    def has_unread_row(self, student: str) -> bool:
        """Whether a row that cannot be read names this student."""
        return any(record.problem and student in record.cells for record in self.records)

    def of(self, assignment: str, student: str) -> list[Extension]:
        """What a student has for an assignment. The one that ends last counts."""
        return [
            each
            for each in self.extensions
            if each.student == student and each.assignment in (assignment, EVERY_ASSIGNMENT)
        ]

    def until(
        self, assignment: str, student: str, due: datetime | None, zone: ZoneInfo
    ) -> datetime | None:
        """When the last of a student's extensions ends."""
        ends = (each.more.ends(due, zone) for each in self.of(assignment, student))
        return max((end for end in ends if end is not None), default=None)

    def remove(self, assignment: str, student: str) -> list[Extension]:
        """Take away what the table has for exactly this; returns it."""
        gone = [
            record
            for record in self.records
            if record.extension
            and (record.extension.assignment, record.extension.student) == (assignment, student)
        ]
        self.records = [record for record in self.records if record not in gone]
        return [record.extension for record in gone if record.extension]

    def add(self, extension: Extension) -> None:
        """Add a row at the end, and to the header the columns that it needs."""
        values = {name: getattr(extension, name) for name in COLUMNS if name != "until"}
        values["until"] = str(extension.more)
        names = [name for name in COLUMNS if not self.columns or values[name]]
        self._name_columns([name for name in names if name not in self.columns])
        cells = [""] * max(len(record.cells) for record in self.records)
        for name, place in self.columns.items():
            cells[place] = values.get(name, "")
        if not self.records[-1].text.endswith(("\n", "\r")):
            self.records[-1].text += "\n"
        self.records.append(Record(0, self._line(cells), cells, extension))

    def _name_columns(self, names: list[str]) -> None:
        if not names:
            return
        header = next((record for record in self.records if any(record.cells)), None)
        if header is None:
            header = Record(1, "", [])
            self.records.insert(0, header)
        for name in names:
            self.columns[name] = len(header.cells)
            header.cells.append(name)
        header.text = self._line(header.cells)

    def _line(self, cells: list[str]) -> str:
        line = io.StringIO()
        csv.writer(line, delimiter=self.delimiter, lineterminator="\n").writerow(row_of(cells))
        return line.getvalue()

    def text(self) -> str:
        return "".join(record.text for record in self.records)


# Reading


def read_extensions(course: Course) -> Table | None:
    """The table of the course, or None where there is none."""
    try:
        data = (course.root / NAME).read_bytes()
    except FileNotFoundError:
        return None
    return table_of(data, NAME)


def table_of(data: bytes, name: str, assignment: str | None = None) -> Table:
    """A table as people or spreadsheets write it. Without a column for assignments all rows are of
    `assignment`."""
    text = decoded(data)
    table = Table(name, delimiter_of(text))
    header_is_read = False
    for line, raw in whole_lines(text):
        record = Record(line, raw, [])
        table.records.append(record)
        try:
            record.cells = cells_in(raw, table.delimiter)
            if not any(record.cells):
                continue
            if not header_is_read:
                header_is_read = True
                table.columns = columns_in(record.cells, assignment)
            elif table.columns:
                record.extension = extension_in(record.cells, table.columns, assignment)
            else:
                raise NotUnderstood("it is not read, as the first row does not name the columns")
        except NotUnderstood as error:
            record.problem = str(error)
    return table


def cells_in(raw: str, delimiter: str) -> list[str]:
    """Raises NotUnderstood."""
    try:
        [cells] = list(csv.reader([raw], delimiter=delimiter)) or [[]]
    except (csv.Error, ValueError) as error:
        raise NotUnderstood(f"it is not written as a table ({error})") from None
    return [" ".join(cell.split()) for cell in cells]


def whole_lines(text: str) -> Iterator[tuple[int, str]]:
    """The rows of a table, each with the number of its first line. A cell in quotation marks may
    go over several lines; a mark that is never closed costs its own line only."""
    lines = list(io.StringIO(text, newline=""))
    at = 0
    while at < len(lines):
        end, marks = at + 1, lines[at].count('"')
        while marks % 2 and end < len(lines):
            marks += lines[end].count('"')
            end += 1
        if marks % 2:
            end = at + 1
        yield at + 1, "".join(lines[at:end])
        at = end


def columns_in(cells: Sequence[str], assignment: str | None) -> dict[str, int]:
    """Where each column stands. Raises NotUnderstood."""
    names = [cell.casefold() for cell in cells]
    found = {}
    for name in dict.fromkeys((*COLUMNS, *ALSO_CALLED)):
        for called in (name, *ALSO_CALLED.get(name, ())):
            if called in names and name not in found:
                found[name] = names.index(called)
    needed = ["student"] if assignment else ["assignment", "student"]
    missing = [name for name in needed if name not in found]
    if not {"until", "days", "hours"} & found.keys():
        missing.append("until")
    if missing:
        raise NotUnderstood(
            f"there is no column {' and no column '.join(missing)}: the first row names the "
            f"columns, {', '.join(COLUMNS)}"
        )
    return found


def extension_in(
    cells: Sequence[str], columns: dict[str, int], assignment: str | None
) -> Extension:
    """What a row says. Raises NotUnderstood."""
    if any(cell.count('"') % 2 for cell in cells):
        raise NotUnderstood("a quotation mark is never closed")
    row = {
        name: cells[place].removeprefix("'") if place < len(cells) else ""
        for name, place in columns.items()
    }
    for name in ("assignment", "student"):
        if not row.setdefault(name, assignment or ""):
            raise NotUnderstood(f"it names no {name}")
    written = row.get("until", "")
    for unit in ("days", "hours"):
        if not written and row.get(unit):
            whole = WHOLE_NUMBER.fullmatch(row[unit])
            written = f"{whole[1]} {unit}" if whole else row[unit]
    more = more_time(written)
    told = {name: row.get(name, "") for name in ("reason", "by", "on")}
    return Extension(row["assignment"], row["student"], more, **told)


# Changing


@contextmanager
def changing(course: Course, *, keep: bool = True) -> Iterator[Table]:
    """The table, to be changed; it is written when all went well, if it is to be kept. One process
    at a time does so."""
    folder = os.open(course.root, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        table = read_extensions(course) or Table()
        if table.problems and not table.columns:
            raise CourseError(f"{NAME}, {table.problems[0]}. Fix that first; nothing was changed")
        before = table.text()
        yield table
        if keep and table.text() != before:
            path = course.root / NAME
            write_whole(path, with_mark(path, table.text()))
    finally:
        os.close(folder)


def with_mark(path: Path, text: str) -> str:
    """With the mark by which Excel knows UTF-8, where the file had one, or was in another
    encoding."""
    try:
        data = path.read_bytes()
        has_mark = data.startswith(b"\xef\xbb\xbf")
        data.decode("utf-8")
    except FileNotFoundError:
        return text
    except UnicodeDecodeError:
        has_mark = True
    return f"\ufeff{text}" if has_mark else text
