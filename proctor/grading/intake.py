"""One untrusted notebook file in, a notebook that is safe to work with out.

Nothing of a submission is used but the text of its cells. The notebook is built anew from the
release: its cells in its order, with the student's text in the answer cells. Cells of the student's
own stay where they stood, ungraded. What had to be put right is told in plain words, one line each;
what cannot be read at all is `Rejected` with a reason that says what to do.
"""

from __future__ import annotations

import copy
import errno
import hashlib
import json
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import nbformat
from nbformat import NotebookNode

from proctor.course import Course, CourseError, read_notebook

MAX_FILE_BYTES = 5 << 20
MAX_CELLS = 500
MAX_SOURCE_CHARACTERS = 200_000

SAVE_AGAIN = "Open it in JupyterLab, save it (File > Save Notebook) and submit it again."
MISSING_CODE = "# This answer was missing from the submission."
MISSING_TEXT = "*This answer was missing from the submission. It may stand in a cell nearby.*"


class Rejected(Exception):
    """The submission cannot be graded; the message says why and what to do."""


class TooLarge(Rejected):
    """The file has more bytes than are read."""


@dataclass(frozen=True)
class GradedCell:
    """What the release says about one cell that carries a grade id.

    A "solution" holds an answer, a "graded" cell is scored by the graders, a "manual" one by a
    person. `answer` is the solution cell that stands above a graded one.
    """

    grade_id: str
    kind: Literal["solution", "graded", "manual"]
    points: float
    answer: str | None = None


@dataclass(frozen=True)
class Intake:
    """A submission that was read: the rebuilt notebook and what is known about it."""

    notebook: NotebookNode
    repairs: list[str]
    sha256: str
    unanswered: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True)
class SubmittedCell:
    """What is read from one cell of a submission; `claims` is its nbgrader metadata."""

    number: int
    cell_type: str
    source: str
    cell_id: str | None
    claims: dict[str, Any]

    @property
    def grade_id(self) -> str | None:
        grade_id = self.claims.get("grade_id")
        return grade_id if isinstance(grade_id, str) else None


# Reading the file


def read_submission(path: Path) -> bytes:
    """The bytes of a submitted notebook, if it is a regular file of a sensible size."""
    try:
        data = read_regular_file(path, MAX_FILE_BYTES)
    except TooLarge as error:
        raise Rejected(
            f"{error} Clear its outputs (Edit > Clear Outputs of All Cells), save it and submit it "
            "again."
        ) from None
    if not data:
        raise Rejected(f"{_name(path)} is empty (0 bytes). {SAVE_AGAIN}")
    return data


def read_regular_file(path: Path, limit: int) -> bytes:
    """All bytes of a file that a student handed in: no link, no pipe, no device, at most `limit`.

    Raises Rejected otherwise.
    """
    try:
        _demand_regular_file(path, os.lstat(path).st_mode)
        # The file may have been exchanged since, so links are refused and its kind is asked again.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with open(os.open(path, flags), "rb") as file:  # noqa: PTH123 (Path.open knows no flags)
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


def parse(data: bytes) -> tuple[list[SubmittedCell], list[str]]:
    """The cells of a submitted notebook, and what had to be left out of them."""
    try:
        document = json.loads(data)
    except RecursionError:
        raise Rejected(f"the notebook's JSON is nested too deeply. {SAVE_AGAIN}") from None
    except ValueError as error:
        what = error.msg if isinstance(error, json.JSONDecodeError) else "a value is not readable"
        where = f" at line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise Rejected(f"the file is not valid JSON ({what}{where}). {SAVE_AGAIN}") from None
    if not isinstance(document, dict):
        raise Rejected(f"the file holds {_describe(document)}, not a notebook. {SAVE_AGAIN}")
    if document.get("nbformat") != 4:
        got = _describe(document.get("nbformat"))
        raise Rejected(f"the notebook's format (nbformat) is {got}, 4 is needed. {SAVE_AGAIN}")
    cells = document.get("cells")
    if not isinstance(cells, list):
        raise Rejected(f"the notebook's cells are {_describe(cells)}, not a list. {SAVE_AGAIN}")
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
        repairs.append(f"cell {number} was left out: it is {_describe(cell)}, not a cell.")
        return None
    source = cell.get("source")
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if not isinstance(source, str):
        repairs.append(f"cell {number} was left out: its source is {_describe(source)}, not text.")
        return None
    if len(source) > MAX_SOURCE_CHARACTERS:
        repairs.append(
            f"cell {number} was left out: it has {len(source):,} characters, at most "
            f"{MAX_SOURCE_CHARACTERS:,} are read."
        )
        return None
    if cell.get("attachments"):
        repairs.append(f"cell {number}: the pictures attached to its text were left out.")
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
    )


def _describe(value: Any) -> str:
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
    for cell in release.cells:
        labels = _labels(cell)
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
        f"it cannot be told which assignment {_name(path)} belongs to: neither its name nor its "
        f"grade ids fit one of {', '.join(known)}. Say which with --assignment."
    )


def _grade_ids(notebook: Path) -> set[str]:
    cells = read_notebook(notebook).cells
    return {_labels(cell)["grade_id"] for cell in cells if "grade_id" in _labels(cell)}


def _labels(cell: NotebookNode) -> dict[str, Any]:
    return cell.metadata.get("nbgrader", {})


def _is_answer(cell: NotebookNode) -> bool:
    return _labels(cell).get("solution", False)


def _is_fixed(cell: NotebookNode) -> bool:
    """Whether a student is not meant to change this cell of the release."""
    labels = _labels(cell)
    return not _is_answer(cell) and any(labels.get(key) for key in ("grade", "locked", "task"))


# Putting the notebook together


def rebuild(submission: bytes, release: NotebookNode) -> Intake:
    """The release with the student's answers in it and their own cells between."""
    submitted, repairs = parse(submission)
    # Notebooks of older formats have no cell ids; the rebuilt one needs them.
    release = nbformat.v4.upgrade(copy.deepcopy(release))
    rebuilding = _Rebuilding(release, submitted, repairs)
    notebook = rebuilding.notebook()
    return Intake(
        notebook=notebook,
        repairs=repairs,
        sha256=hashlib.sha256(submission).hexdigest(),
        unanswered=frozenset(rebuilding.unanswered),
    )


class _Rebuilding:
    """One rebuild: first each submitted cell finds its place, then the cells are written out."""

    def __init__(self, release: NotebookNode, submitted: list[SubmittedCell], repairs: list[str]):
        self.release = release
        self.repairs = repairs
        self.unanswered: set[str] = set()
        self.put_back: list[str] = []
        self.without_metadata: list[str] = []
        # By place in the release: the submitted cell that stands there, and the student's own
        # cells behind it (-1: before the first).
        self.filled: dict[int, SubmittedCell] = {}
        self.own: dict[int, list[SubmittedCell]] = {}
        self._find_places(submitted)

    # Finding places

    def _find_places(self, submitted: list[SubmittedCell]) -> None:
        places = self._match(submitted)
        if submitted and not any(_labels(self.release.cells[place]) for place in places.values()):
            self.repairs.append(
                "no cell of this assignment was found in the notebook: is it the right one?"
            )
        for cell in sorted(submitted, key=lambda cell: self._is_second_choice(cell, places)):
            if cell.number in places:
                self.filled.setdefault(places[cell.number], cell)
        last = -1
        moved = False
        for cell in submitted:
            place = places.get(cell.number)
            stands_there = place is not None and self.filled[place] is cell
            if not stands_there or self._was_edited_though_fixed(cell, place):
                self._keep_as_own(cell, place, behind=last)
            if stands_there:
                moved = moved or place < last
                last = place
        if moved:
            self.repairs.append("cells had been moved: they were put back in the released order.")

    def _match(self, submitted: list[SubmittedCell]) -> dict[int, int]:
        """Cell number to place in the release: by grade id, else cell id, else the same text."""
        cells = self.release.cells
        by_grade_id = {
            _labels(cell)["grade_id"]: place
            for place, cell in enumerate(cells)
            if "grade_id" in _labels(cell)
        }
        by_cell_id = {cell.get("id"): place for place, cell in enumerate(cells)}
        by_text: dict[tuple[str, str], list[int]] = {}
        for place, cell in enumerate(cells):
            by_text.setdefault((cell.cell_type, _normalised(cell.source)), []).append(place)
        places: dict[int, int] = {}
        for cell in submitted:
            if cell.grade_id in by_grade_id:
                places[cell.number] = by_grade_id[cell.grade_id]
            elif cell.cell_id in by_cell_id and cell.cell_id is not None:
                places[cell.number] = by_cell_id[cell.cell_id]
        for cell in submitted:
            same_text = by_text.get((cell.cell_type, _normalised(cell.source)), [])
            free = [place for place in same_text if place not in places.values()]
            if cell.number not in places and free and cell.source.strip():
                places[cell.number] = free[0]
        return places

    def _is_second_choice(self, cell: SubmittedCell, places: dict[int, int]) -> bool:
        """Of several cells for one answer the first that was worked on is taken.

        The later ones run behind it, as they did for the student. Of several cells for a fixed
        place the one that was left alone is taken.
        """
        place = places.get(cell.number)
        if place is None:
            return False
        untouched = not cell.source.strip() or self._has_released_text(cell, place)
        return untouched == _is_answer(self.release.cells[place])

    def _has_released_text(self, cell: SubmittedCell, place: int) -> bool:
        return _normalised(cell.source) == _normalised(self.release.cells[place].source)

    def _was_edited_though_fixed(self, cell: SubmittedCell, place: int) -> bool:
        return _is_fixed(self.release.cells[place]) and not self._has_released_text(cell, place)

    def _keep_as_own(self, cell: SubmittedCell, place: int | None, behind: int) -> None:
        """Keep a cell among the student's own, unless nothing would be lost without it."""
        if place is None:
            if cell.grade_id is not None:
                self.repairs.append(
                    f"cell {cell.number} claims the grade id {_describe(cell.grade_id)}, which "
                    "the assignment does not have: it was kept as an ungraded cell."
                )
        elif self._has_released_text(cell, place) or self._is_from_another_release(cell, place):
            return
        elif self.filled[place] is not cell:
            self.repairs.append(
                f"{self._name(place)} is there more than once: cell {cell.number} was kept as an "
                "ungraded cell."
            )
        if cell.source.strip():
            self.own.setdefault(behind, []).append(cell)

    def _is_from_another_release(self, cell: SubmittedCell, place: int) -> bool:
        """Whether a fixed cell differs because the assignment was changed since."""
        released = _labels(self.release.cells[place]).get("checksum")
        claimed = cell.claims.get("checksum")
        return (
            _is_fixed(self.release.cells[place])
            and isinstance(claimed, str)
            and released is not None
            and claimed != released
        )

    def _name(self, place: int) -> str:
        return _labels(self.release.cells[place]).get("grade_id", f"cell {place + 1}")

    # Writing the cells out

    def notebook(self) -> NotebookNode:
        notebook = copy.deepcopy(self.release)
        notebook.cells = list(self._cells())
        if self.put_back:
            self.repairs.append(f"missing cells were put back: {', '.join(self.put_back)}.")
        if self.without_metadata:
            names = ", ".join(self.without_metadata)
            self.repairs.append(f"cells had lost their nbgrader metadata: {names}.")
        return notebook

    def _cells(self) -> Iterator[NotebookNode]:
        taken = {cell.get("id") for cell in self.release.cells}
        names = (f"own-{number}" for number in range(1, MAX_CELLS + len(taken) + 1))
        free_names = (name for name in names if name not in taken)
        yield from (_own_cell(cell, next(free_names)) for cell in self.own.get(-1, []))
        for place in range(len(self.release.cells)):
            yield self._release_cell(place)
            yield from (_own_cell(cell, next(free_names)) for cell in self.own.get(place, []))

    def _release_cell(self, place: int) -> NotebookNode:
        cell = copy.deepcopy(self.release.cells[place])
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        submitted = self.filled.get(place)
        if _is_answer(cell):
            self._answer(cell, submitted)
        elif submitted is None:
            if _is_fixed(cell):
                self.put_back.append(self._name(place))
        elif not _is_fixed(cell):
            return _plain_cell(cell, submitted)
        elif self._was_edited_though_fixed(submitted, place):
            since = self._is_from_another_release(submitted, place)
            why = "comes from another version of the assignment" if since else "had been changed"
            self.repairs.append(f"{self._name(place)} {why}: the released text was put back.")
        if submitted is not None and _labels(cell):
            self._report_claims(cell, submitted)
        return cell

    def _answer(self, cell: NotebookNode, submitted: SubmittedCell | None) -> None:
        grade_id = _labels(cell)["grade_id"]
        if submitted is None:
            self.put_back.append(f"{grade_id} (empty)")
            self.unanswered.add(grade_id)
            cell.source = self._missing_answer(cell)
        elif not submitted.source.strip() and cell.cell_type == "code":
            self.unanswered.add(grade_id)
            cell.source = ""
        elif _normalised(submitted.source) in ("", _normalised(cell.source)):
            # The released text itself, to the letter: nbgrader knows an unanswered cell by it.
            self.unanswered.add(grade_id)
        else:
            cell.source = submitted.source

    def _missing_answer(self, cell: NotebookNode) -> str:
        """Not the released stub for code: it would replace a function defined elsewhere.

        A written answer gets no points by itself only if no text stands anywhere else.
        """
        if cell.cell_type == "code":
            return MISSING_CODE
        own = [own for cells in self.own.values() for own in cells]
        return MISSING_TEXT if any(other.cell_type != "code" for other in own) else cell.source

    def _report_claims(self, cell: NotebookNode, submitted: SubmittedCell) -> None:
        labels = _labels(cell)
        if submitted.cell_type != cell.cell_type:
            self.repairs.append(
                f"{labels['grade_id']} had been turned into another kind of cell: it is read as "
                f"{cell.cell_type} again."
            )
        if not submitted.claims:
            self.without_metadata.append(labels["grade_id"])
        for key in ("grade_id", "grade", "solution", "locked", "points"):
            expected, got = labels.get(key), submitted.claims.get(key)
            if key in submitted.claims and got != expected:
                self.repairs.append(
                    f"{labels['grade_id']}: {key} had been set to {_describe(got)}; the release "
                    f"says {_describe(expected)}."
                )


def _normalised(source: str) -> str:
    return "\n".join(line.rstrip() for line in source.strip().splitlines())


def _plain_cell(cell: NotebookNode, submitted: SubmittedCell) -> NotebookNode:
    """A cell of the release that is free to change, as the student left it."""
    if submitted.cell_type == cell.cell_type:
        cell.source = submitted.source
        return cell
    return _own_cell(submitted, cell.get("id"))


def _own_cell(submitted: SubmittedCell, cell_id: str) -> NotebookNode:
    """A cell of the student's own: `metadata.proctor.own` marks it, nothing else comes along."""
    metadata = {"proctor": {"own": True}}
    if submitted.cell_type == "code":
        return nbformat.v4.new_code_cell(submitted.source, id=cell_id, metadata=metadata)
    source = submitted.source
    if submitted.cell_type != "markdown":
        # Raw cells go into HTML as they are, so their text is shown as text instead.
        longest = max((len(ticks) for ticks in re.findall(r"`+", source)), default=0)
        fence = "`" * max(3, longest + 1)
        source = f"{fence}text\n{source}\n{fence}"
    return nbformat.v4.new_markdown_cell(source, id=cell_id, metadata=metadata)
