"""An untrusted notebook file, read with care: the text of its cells and what they claim to be.

What cannot be read at all is `Rejected` with a reason that says what to do. Which assignment a
file belongs to, and which cells of a release carry points, is told here as well.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import stat
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from nbformat import NotebookNode

from proctor.course import Course, CourseError, read_notebook
from proctor.grading.pictures import MAX_PICTURES, kept_pictures

MAX_FILE_BYTES = 16 << 20  # unless c.Grading.submission_mebibytes says otherwise; without outputs
MAX_RAW_BYTES = 32 << 20  # with them
# Small parts of JSON take up to 25 times their bytes in memory. What makes an honest notebook large
# is few and large ones, its pictures.
MAX_CONTAINERS = 500_000
MAX_QUOTES = 2_000_000
MAX_COMMAS = 2_000_000  # in a file that is large
MAX_CELLS = 500
MAX_SOURCE_CHARACTERS = 200_000
CUT = "\n\n(... the rest was cut ...)"

CLEAR_OUTPUTS = (
    "Clear its outputs (Edit > Clear Outputs of All Cells), save it and submit it again."
)
SAVE_AGAIN = "Open it in JupyterLab, save it (File > Save Notebook) and submit it again."


class Rejected(Exception):
    """The submission cannot be graded; the message says why and what to do."""


class TooLarge(Rejected):
    """The file has more bytes than are read."""


Kind = Literal["solution", "graded", "manual"]


@dataclass(frozen=True)
class GradedCell:
    """What the release says about one cell that carries a grade id.

    A "solution" holds an answer, a "graded" cell is scored by the graders, a "manual" one by a
    person. `answer` is the solution cell that stands above a graded one.
    """

    grade_id: str
    kind: Kind
    points: float
    answer: str | None = None


@dataclass(frozen=True)
class SubmittedCell:
    """What is read from one cell of a submission; `claims` is its nbgrader metadata, `attachments`
    are the pictures pasted into its text."""

    number: int
    cell_type: str
    source: str
    cell_id: str | None
    claims: dict[str, Any]
    attachments: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def grade_id(self) -> str | None:
        grade_id = self.claims.get("grade_id")
        return grade_id if isinstance(grade_id, str) else None


# Reading the file


def read_submission(path: Path, most: int = MAX_FILE_BYTES) -> bytes:
    """The bytes of a submitted notebook, if it is a regular file of a sensible size: at most so
    many without its outputs, which a larger one is read without."""
    try:
        data = read_regular_file(path, MAX_RAW_BYTES)
        if len(data) > most:
            data = without_outputs(data, most, _name(path))
    except TooLarge as error:
        raise Rejected(f"{error} {CLEAR_OUTPUTS}") from None
    if not data:
        raise Rejected(f"{_name(path)} is empty (0 bytes). {SAVE_AGAIN}")
    return data


def characters(value: Any) -> int:
    """How many there are in all texts of a JSON value."""
    if isinstance(value, dict):
        return sum(len(key) + characters(part) for key, part in value.items())
    if isinstance(value, list):
        return sum(map(characters, value))
    return len(value) if isinstance(value, str) else 0


ONE_LARGE = threading.Lock()  # at a time in a process, as parsing one takes ten times its size
NO_CELLS = AttributeError, TypeError  # where other JSON stands in their place


def without_outputs(data: bytes, most: int, name: str) -> bytes:
    """A large notebook without what its cells gave, which is never used. Raises TooLarge where it
    is too large all the same, or no notebook."""
    size = len(data)
    with (
        ONE_LARGE,
        contextlib.suppress(Rejected, ValueError, LookupError, RecursionError, *NO_CELLS),
    ):
        demand_few_parts(data)
        if data.count(b",") <= MAX_COMMAS:
            document = json.loads(data)
            for cell in document["cells"]:
                cell.pop("outputs", None)
            if characters(document) <= most:  # else it would be in memory once more, for nothing
                data = json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass")
            if len(data) <= most:
                return data
    raise TooLarge(f"{name} has {size:,} bytes, at most {most:,} are read, not counting outputs.")


def read_regular_file(path: Path, limit: int, folder: int | None = None) -> bytes:
    """All bytes of a file that a student handed in: no link, no pipe, no device, at most `limit`.
    `folder` is an open one that holds it.

    Raises Rejected otherwise.
    """
    try:
        _demand_regular_file(path, _look(path, folder).st_mode)
        # The file may have been exchanged since, so links are refused and its kind is asked again.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        opened = os.open(path, flags, dir_fd=folder)
        with open(opened, "rb") as file:  # noqa: PTH123 (Path.open knows no flags)
            status = os.fstat(file.fileno())
            _demand_regular_file(path, status.st_mode)
            # One byte more than allowed tells a file that has grown since.
            data = b"" if status.st_size > limit else file.read(limit + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise Rejected(f"there is no file {_name(path)}.") from None
    except (OSError, ValueError) as error:
        reason = errno.errorcode.get(getattr(error, "errno", None) or 0, type(error).__name__)
        raise Rejected(f"{_name(path)} cannot be read ({reason}).") from None
    size = max(status.st_size, len(data))
    if size > limit:
        raise TooLarge(f"{_name(path)} has {size:,} bytes, at most {limit:,} are read.")
    return data


def _look(path: Path, folder: int | None) -> os.stat_result:
    return os.stat(path, dir_fd=folder, follow_symlinks=False)


def _demand_regular_file(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise Rejected(f"{_name(path)} is {_kind_of_file(mode)}, not a regular file.")


def _name(path: Path) -> str:
    return ascii(path.name)[1:-1]


def _kind_of_file(mode: int) -> str:
    if stat.S_ISLNK(mode):
        return "a symbolic link"
    if stat.S_ISDIR(mode):
        return "a folder"
    if stat.S_ISFIFO(mode):
        return "a named pipe"
    return "a device or socket"


def demand_few_parts(data: bytes) -> None:
    containers = data.count(b"[") + data.count(b"{")
    if containers > MAX_CONTAINERS or data.count(b'"') > MAX_QUOTES:
        raise Rejected(f"the notebook's JSON has too many small parts. {CLEAR_OUTPUTS}")


def parse(data: bytes) -> tuple[list[SubmittedCell], list[str]]:
    """The cells of a submitted notebook, and what had to be left out of them."""
    demand_few_parts(data)
    try:
        document = json.loads(data)
    except RecursionError:
        raise Rejected(f"the notebook's JSON is nested too deeply. {SAVE_AGAIN}") from None
    except ValueError as error:
        what = error.msg if isinstance(error, json.JSONDecodeError) else "a value is not readable"
        where = f" at line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise Rejected(f"the file is not valid JSON ({what}{where}). {SAVE_AGAIN}") from None
    if not isinstance(document, dict):
        raise Rejected(f"the file holds {describe(document)}, not a notebook. {SAVE_AGAIN}")
    if document.get("nbformat") != 4:
        got = describe(document.get("nbformat"))
        raise Rejected(f"the notebook's format (nbformat) is {got}, 4 is needed. {SAVE_AGAIN}")
    cells = document.get("cells")
    if not isinstance(cells, list):
        raise Rejected(f"the notebook's cells are {describe(cells)}, not a list. {SAVE_AGAIN}")
    if len(cells) > MAX_CELLS:
        raise Rejected(
            f"the notebook has {len(cells):,} cells, at most {MAX_CELLS} are read. Delete those "
            "that you do not need, save it and submit it again."
        )
    repairs: list[str] = []
    submitted = [_read_cell(number, cell, repairs) for number, cell in enumerate(cells, start=1)]
    return [cell for cell in submitted if cell is not None], repairs


def _read_cell(number: int, cell: Any, repairs: list[str]) -> SubmittedCell | None:
    if not isinstance(cell, dict):
        repairs.append(f"cell {number} was left out: it is {describe(cell)}, not a cell.")
        return None
    source = cell.get("source")
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if not isinstance(source, str):
        repairs.append(f"cell {number} was left out: its source is {describe(source)}, not text.")
        return None
    too_long = len(source) > MAX_SOURCE_CHARACTERS
    if too_long and cell.get("cell_type") == "markdown":
        # A person can read the beginning; without it an answer would look like none.
        repairs.append(
            f"cell {number} has {len(source):,} characters: the first {MAX_SOURCE_CHARACTERS:,} "
            "are read, the rest is in the submitted file alone."
        )
        source = source[:MAX_SOURCE_CHARACTERS] + CUT
    elif too_long:
        repairs.append(
            f"cell {number} was left out: it has {len(source):,} characters, at most "
            f"{MAX_SOURCE_CHARACTERS:,} are read."
        )
        return None
    attachments, left_out = kept_pictures(cell.get("attachments"))
    if left_out:
        named = "; ".join(left_out[:MAX_PICTURES])
        repairs.append(f"cell {number}: pictures attached to its text were left out: {named}.")
    readable = source.encode("utf-8", errors="replace").decode("utf-8")
    if readable != source:
        repairs.append(f"cell {number}: characters that are not valid Unicode became '?'.")
    metadata = cell.get("metadata")
    claims = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    return SubmittedCell(
        number=number,
        cell_type=cell_type if isinstance(cell_type := cell.get("cell_type"), str) else "raw",
        source=readable.replace("\r\n", "\n").replace("\r", "\n"),
        cell_id=cell_id if isinstance(cell_id := cell.get("id"), str) else None,
        claims=claims if isinstance(claims, dict) else {},
        attachments=attachments,
    )


def describe(value: Any) -> str:
    """An untrusted JSON value, in a few harmless words."""
    if value is None:
        return "missing"
    if isinstance(value, bool | int | float | str):
        text = ascii(value[:40] if isinstance(value, str) else value)
        return text if len(text) <= 40 else text[:36] + " ..."
    return "a list" if isinstance(value, list) else "an object"


# The release


def graded_cells(release: NotebookNode) -> dict[str, GradedCell]:
    """The cells of the release that hold an answer or carry points, by grade id, in order."""
    cells: dict[str, GradedCell] = {}
    answer = None
    kind: Kind
    for cell in release.cells:
        labels = labels_of(cell)
        grade, solution = labels.get("grade", False), labels.get("solution", False)
        if labels.get("task", False) or (grade and solution):
            kind = "manual"
        elif grade:
            kind = "graded"
        elif solution:
            kind = "solution"
            answer = labels["grade_id"]
        else:
            continue
        cells[labels["grade_id"]] = GradedCell(
            grade_id=labels["grade_id"],
            kind=kind,
            points=float(labels.get("points", 0)),
            answer=answer if kind == "graded" else None,
        )
    return cells


def identify_assignment(path: Path, data: bytes, root: Path) -> str:
    """The assignment of the course at `root` that a notebook belongs to: by name, else grade ids.

    Browsers and JupyterLab rename copies ("mnist_loss (1).ipynb", "mnist_loss-Copy1.ipynb").
    """
    course = Course(root)
    known = course.assignments()
    if path.stem in known:
        return path.stem
    try:
        claimed = {cell.grade_id for cell in parse(data)[0]}
    except Rejected:
        claimed = set()
    shared = {name: len(claimed & _grade_ids(course.reference(name))) for name in known}
    best = max(shared.values(), default=0)
    if best and list(shared.values()).count(best) == 1:
        return max(shared, key=shared.__getitem__)
    return assignment_named(path, root)


def assignment_named(path: Path, root: Path) -> str:
    """The assignment that the notebook's name, or the folder that it lies in, stands for."""
    known = Course(root).assignments()
    beginnings = [
        name for name in known if re.match(rf"{re.escape(name)}(?![0-9A-Za-z])", path.stem)
    ]
    for name in (path.stem, max(beginnings, key=len, default=""), path.absolute().parent.name):
        if name in known:
            return name
    raise CourseError(
        f"it is not clear which assignment {_name(path)} belongs to: neither its name nor its "
        f"grade ids fit one of {', '.join(known)}. Say which with --assignment."
    )


def _grade_ids(notebook: Path) -> set[str]:
    cells = read_notebook(notebook).cells
    return {labels_of(cell)["grade_id"] for cell in cells if "grade_id" in labels_of(cell)}


def labels_of(cell: NotebookNode) -> dict[str, Any]:
    """nbgrader's metadata of a cell."""
    return cell.metadata.get("nbgrader", {})
