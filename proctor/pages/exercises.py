"""The exercises of an assignment as students know them: by the headings in the notebook."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from nbformat import NotebookNode

from proctor.grading.intake import GradedCell, graded_cells
from proctor.text import plain

HEADING = re.compile(r" {0,3}(#{1,6})[ \t]+(.+?)[ \t]*#*\s*")
FENCE = re.compile(r" {0,3}(```|~~~)")
LINK = re.compile(r"!?\[([^\[\]]*)\]\([^()]*\)")
MARKS = re.compile(r"[`*]|(?<!\w)_|_(?!\w)")
MOST_CHARACTERS = 80


@dataclass(frozen=True)
class Exercise:
    """An answer, and the graded cells that it earns points in. `name` is the answer's grade id,
    `cells` are the ids of the graded cells with their points, `by_hand` those that a person reads.
    """

    name: str
    title: str
    cells: dict[str, float]
    by_hand: frozenset[str]

    @property
    def points(self) -> float:
        return sum(self.cells.values())

    @property
    def label(self) -> str:
        """The title without the word that all of them begin with."""
        return self.title.removeprefix("Exercise ").lstrip(":").strip() or self.title


def exercises_of(release: NotebookNode) -> list[Exercise]:
    """The exercises of a released notebook, in its order."""
    cells: dict[str, list[GradedCell]] = {}
    for cell in graded_cells(release).values():
        if cell.kind != "solution":
            cells.setdefault(cell.answer or cell.grade_id, []).append(cell)
    titles = titles_of(release)
    shared = Counter(titles.get(name) for name in cells)
    return [
        Exercise(
            name=name,
            title=title_of(name, titles.get(name), shared),
            cells={cell.grade_id: cell.points for cell in found},
            by_hand=frozenset(cell.grade_id for cell in found if cell.kind == "manual"),
        )
        for name, found in cells.items()
    ]


def title_of(name: str, heading: str | None, shared: Counter[str | None]) -> str:
    """The heading, unless several answers stand under it: then the name tells them apart."""
    if heading is None:
        return name
    return heading if shared[heading] == 1 else f"{heading}: {name}"


def titles_of(notebook: NotebookNode) -> dict[str, str]:
    """The heading that each labelled cell stands under, as plain text. The title of the notebook is
    none."""
    found: dict[str, str] = {}
    heading = None
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for level, text in headings_of(cell.source):
                heading = None if level == 1 else text
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        if name and heading:
            found[name] = heading
    return found


def headings_of(source: str) -> list[tuple[int, str]]:
    """The headings in Markdown, with their levels; none that stands in a block of code."""
    found, in_code = [], False
    for line in source.splitlines():
        if FENCE.match(line):
            in_code = not in_code
        heading = None if in_code else HEADING.fullmatch(line)
        if heading:
            text = plain(MARKS.sub("", LINK.sub(r"\1", heading[2])), MOST_CHARACTERS)
            if text:
                found.append((len(heading[1]), text))
    return found
