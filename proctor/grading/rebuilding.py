"""A notebook that is safe to work with, built anew from the release and a submission's text.

Its cells stand in the release's order, with the student's text in the answer cells. Cells of the
student's own stay where they stood, ungraded. What had to be put right is told in plain words, one
line each.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import quote

import nbformat
from nbformat import NotebookNode

from proctor.grading.intake import (
    MAX_CELLS,
    SAVE_AGAIN,
    Rejected,
    SubmittedCell,
    describe,
    labels_of,
    parse,
)

MISSING_CODE = "# This answer was missing from the submission."
MISSING_TEXT = "*This answer was missing from the submission. It may be in a cell nearby.*"

EMPTY = b'{"nbformat": 4, "cells": []}'


@dataclass(frozen=True)
class Intake:
    """A submission that was read: the rebuilt notebook and what is known about it."""

    notebook: NotebookNode
    repairs: list[str]
    unanswered: frozenset[str] = field(default_factory=frozenset)


def rebuild(submission: bytes, release: NotebookNode) -> Intake:
    """The release with the student's answers in it and their own cells between.

    Raises intake.Rejected, whatever a submission holds: who goes through a class goes on.
    """
    try:
        return _rebuild(submission, release)
    except (Rejected, MemoryError):
        raise
    except Exception as error:
        _rebuild(EMPTY, release)  # it raises where the release is at fault
        what = f"the notebook could not be read ({type(error).__name__})"
        raise Rejected(f"{what}. {SAVE_AGAIN}") from error


def _rebuild(submission: bytes, release: NotebookNode) -> Intake:
    submitted, repairs = parse(submission)
    if release.nbformat_minor < nbformat.v4.nbformat_minor:
        # Notebooks of older formats have no cell ids; the rebuilt one needs them.
        release = nbformat.v4.upgrade(copy.deepcopy(release))
    rebuilding = _Rebuilding(release, submitted, repairs)
    notebook = rebuilding.notebook()
    return Intake(
        notebook=notebook,
        repairs=repairs,
        unanswered=frozenset(rebuilding.unanswered),
    )


class _Rebuilding:
    """One rebuild: first each submitted cell finds its place, then the cells are written out."""

    def __init__(self, release: NotebookNode, submitted: list[SubmittedCell], repairs: list[str]):
        self.release = release
        self.texts = [_normalised(cell.source) for cell in release.cells]
        self.repairs = repairs
        self.unanswered: set[str] = set()
        self.put_back: list[str] = []
        self.without_metadata: list[str] = []
        self.of_another_release: list[str] = []
        # By place in the release: the submitted cell that stands there, and the student's own
        # cells behind it (-1: before the first).
        self.filled: dict[int, SubmittedCell] = {}
        self.own: dict[int, list[SubmittedCell]] = {}
        self._find_places(submitted)

    # Finding places

    def _find_places(self, submitted: list[SubmittedCell]) -> None:
        places = self._match(submitted)
        if submitted and not any(labels_of(self.release.cells[place]) for place in places.values()):
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
            if place is None or self.filled[place] is not cell:
                self._keep_as_own(cell, place, behind=last)
                continue
            if self._was_edited_though_fixed(cell, place):
                self._keep_as_own(cell, place, behind=last)
            moved = moved or place < last
            last = place
        if moved:
            self.repairs.append("cells had been moved: they were put back in the released order.")

    def _match(self, submitted: list[SubmittedCell]) -> dict[int, int]:
        """Cell number to place in the release: by grade id, else cell id, else the same text."""
        cells = self.release.cells
        by_grade_id = {
            labels_of(cell)["grade_id"]: place
            for place, cell in enumerate(cells)
            if "grade_id" in labels_of(cell)
        }
        by_cell_id = {cell.get("id"): place for place, cell in enumerate(cells)}
        if self._ids_were_given_anew(submitted, by_cell_id):
            by_cell_id = {}
        by_text: dict[tuple[str, str], list[int]] = {}
        for place, cell in enumerate(cells):
            by_text.setdefault((cell.cell_type, self.texts[place]), []).append(place)
        places: dict[int, int] = {}
        for cell in submitted:
            if cell.grade_id in by_grade_id:
                places[cell.number] = by_grade_id[cell.grade_id]
            elif cell.cell_id in by_cell_id and cell.cell_id is not None:
                places[cell.number] = by_cell_id[cell.cell_id]
        taken = set(places.values())
        for cell in submitted:
            if cell.number in places or not cell.source.strip():
                continue
            same_text = by_text.get((cell.cell_type, _normalised(cell.source)), [])
            free = next((place for place in same_text if place not in taken), None)
            if free is not None:
                places[cell.number] = free
                taken.add(free)
        return places

    def _ids_were_given_anew(
        self, submitted: list[SubmittedCell], by_cell_id: dict[str | None, int]
    ) -> bool:
        """Whether the ids of cells say nothing: a tool numbered them anew, so that they belong to
        other cells of the release than the text does."""
        right = wrong = 0
        known = set(self.texts)
        for cell in submitted:
            place, text = by_cell_id.get(cell.cell_id), _normalised(cell.source)
            if place is not None and cell.cell_id is not None and text in known:
                right += self.texts[place] == text
                wrong += self.texts[place] != text
        return wrong > right

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
        return _normalised(cell.source) == self.texts[place]

    def _was_edited_though_fixed(self, cell: SubmittedCell, place: int) -> bool:
        return _is_fixed(self.release.cells[place]) and not self._has_released_text(cell, place)

    def _keep_as_own(self, cell: SubmittedCell, place: int | None, behind: int) -> None:
        """Keep a cell among the student's own, unless nothing would be lost without it."""
        if place is None:
            if cell.grade_id is not None:
                self.repairs.append(
                    f"cell {cell.number} claims the grade id {describe(cell.grade_id)}, which "
                    "the assignment does not have: it was kept as an ungraded cell."
                )
        elif self._has_released_text(cell, place) or self._is_from_another_release(cell, place):
            return
        elif self.filled[place] is not cell:
            self.repairs.append(
                f"{self._name(place)} appears more than once: cell {cell.number} was kept as an "
                "ungraded cell."
            )
        if cell.source.strip():
            self.own.setdefault(behind, []).append(cell)

    def _is_from_another_release(self, cell: SubmittedCell, place: int) -> bool:
        """Whether a fixed cell differs because the assignment was changed since."""
        released = labels_of(self.release.cells[place]).get("checksum")
        claimed = cell.claims.get("checksum")
        return (
            _is_fixed(self.release.cells[place])
            and isinstance(claimed, str)
            and released is not None
            and claimed != released
        )

    def _name(self, place: int) -> str:
        return labels_of(self.release.cells[place]).get("grade_id", f"cell {place + 1}")

    # Writing the cells out

    def notebook(self) -> NotebookNode:
        notebook = NotebookNode({**self.release, "cells": list(self._cells())})
        notebook.metadata = copy.deepcopy(self.release.metadata)
        if self.put_back:
            self.repairs.append(f"missing cells were put back: {', '.join(self.put_back)}.")
        if self.of_another_release:
            names = ", ".join(self.of_another_release)
            self.repairs.append(
                f"it comes from another version of the assignment: the released text of {names} "
                "was put in."
            )
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
            if self._is_from_another_release(submitted, place):
                self.of_another_release.append(self._name(place))
            else:
                self.repairs.append(
                    f"{self._name(place)} had been changed: the released text was put back, and "
                    "the changed text runs after it as an ungraded cell."
                )
        if submitted is not None and labels_of(cell):
            self._report_claims(cell, submitted)
        return cell

    def _answer(self, cell: NotebookNode, submitted: SubmittedCell | None) -> None:
        grade_id = labels_of(cell)["grade_id"]
        if submitted is None:
            self.put_back.append(f"{grade_id} (empty)")
            self.unanswered.add(grade_id)
            cell.source = self._missing_answer(cell)
        elif not submitted.source.strip() and cell.cell_type == "code":
            self.unanswered.add(grade_id)
            cell.source = ""
        elif submitted.attachments and cell.cell_type == "markdown":
            cell.source = _with_pictures_shown(submitted)
            cell.attachments = submitted.attachments
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
        labels = labels_of(cell)
        if submitted.cell_type != cell.cell_type:
            self.repairs.append(
                f"{labels['grade_id']} had been turned into another kind of cell: it was "
                f"turned back into {cell.cell_type}."
            )
        if not submitted.claims:
            self.without_metadata.append(labels["grade_id"])
        for key in ("grade_id", "grade", "solution", "locked", "points"):
            expected, got = labels.get(key), submitted.claims.get(key)
            if key in submitted.claims and got != expected:
                self.repairs.append(
                    f"{labels['grade_id']}: {key} had been set to {describe(got)}; the release "
                    f"says {describe(expected)}."
                )


def _normalised(source: str) -> str:
    return "\n".join(line.rstrip() for line in source.strip().splitlines())


def _plain_cell(cell: NotebookNode, submitted: SubmittedCell) -> NotebookNode:
    """A cell of the release that is free to change, as the student left it."""
    if submitted.cell_type == cell.cell_type:
        cell.source = submitted.source
        return _with_attachments(cell, submitted)
    return _own_cell(submitted, cell["id"])


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
    cell = nbformat.v4.new_markdown_cell(source, id=cell_id, metadata=metadata)
    return _with_attachments(cell, submitted)


def _with_attachments(cell: NotebookNode, submitted: SubmittedCell) -> NotebookNode:
    if submitted.attachments and cell.cell_type == "markdown":
        cell.attachments = submitted.attachments
    return cell


def _with_pictures_shown(submitted: SubmittedCell) -> str:
    """The text of an answer, with those of its pictures at the end that it does not show."""
    hidden = [
        f"![a picture](attachment:{quote(name)})"
        for name in submitted.attachments
        if f"attachment:{name}" not in submitted.source
        and f"attachment:{quote(name)}" not in submitted.source
    ]
    return "\n\n".join([submitted.source.rstrip(), *hidden]) if hidden else submitted.source


def _is_answer(cell: NotebookNode) -> bool:
    return labels_of(cell).get("solution", False)


def _is_fixed(cell: NotebookNode) -> bool:
    """Whether a student is not meant to change this cell of the release."""
    labels = labels_of(cell)
    return not _is_answer(cell) and any(labels.get(key) for key in ("grade", "locked", "task"))
