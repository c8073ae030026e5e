"""What a page of feedback says of a graded notebook: the score, what cost points, its exercises.

Checks come with the notebook: `kept_marks` are what `MarkInSandbox` puts into the metadata of its
graded cells. Points and comments are those of the gradebook, which nbgrader puts into the labels of
the cells when it makes a page. A notebook that an older version graded has no checks with it: then
the reports in its outputs are shown.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from nbformat import NotebookNode

from proctor.grading.marks import CellMarks
from proctor.grading.wording import in_plain_words
from proctor.pages.exercises import headings_of, title_of, titles_of
from proctor.text import plain, points

LEAST = 1e-3  # points; what differs by less is the same
NO_RESPONSE = "No response."  # what nbgrader comments an answer with that is as it was released
VAGUE = ("there is no attribute of that name",)
HINT = re.compile(r"<details>\s*<summary>(.*?)</summary>(.*?)</details>", re.DOTALL)
QUOTED = re.compile(r'"([^"]+)"')
EMPTY_HEAD = re.compile(r"<th(?: [^>]*)?>\s*</th>")
HEADING_TAG = re.compile(r"(</?h)([1-6])(?=[\s>])")


def kept_marks(marks: CellMarks) -> dict[str, Any]:
    """What the metadata of a graded cell says of it: nothing that a student may not read."""
    checks = [
        {
            "name": check.name,
            "title": check.title,
            "state": check.state,
            "points": marks.worth(check),
            "hint": check.hint,
            "cause": check.cause,
            "meaning": check.meaning,
        }
        for check in marks.checks
    ]
    return {
        "checks": checks,
        "unanswered": marks.unanswered,
        "diagnosis": marks.diagnosis,
        "note": marks.note,
    }


@dataclass
class CheckShown:
    """A check on the page. `hint_of_notebook` is the title and the text (Markdown) of the
    notebook's own hint on the same message."""

    id: str
    title: str
    state: str
    points: float
    hint: str
    exercise: Part
    cause: str | None = None
    hint_of_notebook: tuple[str, str] | None = None


@dataclass
class Part:
    """A stretch of the notebook: an exercise, or text of the notebook's own between two of them.

    `cells` are an exercise's answer, its graded cells, then, from `folded_from` on, the text that
    stands between these in the notebook.
    """

    name: str | None
    title: str
    cells: list[NotebookNode] = field(default_factory=list)
    between: list[NotebookNode] = field(default_factory=list)
    checks: dict[str, list[CheckShown]] = field(default_factory=dict)  # by grade id
    score: float = 0.0
    points: float = 0.0
    waiting: float = 0.0  # points that nobody has given or refused yet
    unanswered: bool = False
    comment: str | None = None

    @property
    def all_cells(self) -> list[NotebookNode]:
        return self.cells + self.between

    @property
    def folded_from(self) -> int:
        return len(self.cells)

    @property
    def own(self) -> int:
        """How many cells of the student's own stand in the folded text."""
        return sum(is_own(cell) for cell in self.between)


@dataclass
class Lost:
    """Something that cost points, and the checks that could not pass because of it."""

    title: str
    points: float
    exercise: Part
    link: str
    check: CheckShown | None = None
    diagnosis: str | None = None
    not_tried: list[CheckShown] = field(default_factory=list)
    failed_too: list[CheckShown] = field(default_factory=list)

    @property
    def total(self) -> float:
        return self.points + sum(one.points for one in (*self.not_tried, *self.failed_too))


@dataclass
class Returned:
    """All that the template needs."""

    parts: list[Part]
    notes: list[NotebookNode]  # cells that say what was put right, or why nothing was graded
    rejected: bool
    lost: list[Lost]
    score: float
    points: float
    waiting: float

    @property
    def exercises(self) -> list[Part]:
        return [part for part in self.parts if part.name and part.points]

    @property
    def shows_exercises(self) -> bool:
        """There is nothing in them of what could not be read, unless a person looked into it."""
        return not self.rejected or self.has_comments or self.score > 0

    @property
    def has_comments(self) -> bool:
        return any(part.comment for part in self.exercises)


def returned(notebook: NotebookNode, resources: Mapping[str, Any]) -> Returned:
    """What the page of this notebook says."""
    given = resources["nbgrader"]
    parts = list(parts_of(notebook))
    for part in parts:
        find_hints(part)
    return Returned(
        parts=parts,
        notes=[cell for cell in notebook.cells if of_ours(cell).get("notes")],
        rejected=bool(notebook.metadata.get("proctor", {}).get("rejected")),
        lost=lost_in(parts),
        score=sum(part.score for part in parts) - given["late_penalty"],
        points=given["max_score"],
        waiting=sum(part.waiting for part in parts),
    )


# The notebook in parts


def parts_of(notebook: NotebookNode) -> Iterator[Part]:
    """The exercises, and the text between them, in the notebook's order.

    An exercise begins with its answer; the graded cells up to the next answer belong to it.
    """
    titles = titles_in(notebook)
    exercise: Part | None = None
    text = Part(None, "")
    for cell in notebook.cells:
        labels = cell.metadata.get("nbgrader", {})
        if of_ours(cell).get("notes"):
            continue
        if is_answer(cell) or (labels.get("grade") and exercise is None):
            if exercise is not None:
                yield exercise
            if text.between:
                yield named_after_its_heading(text)
            name = labels["grade_id"]
            exercise, text = Part(name, titles.get(name, name)), Part(None, "")
            exercise.comment = comment_of(labels)
        if exercise is not None and (is_answer(cell) or labels.get("grade")):
            exercise.between += text.between
            text = Part(None, "")
            add(exercise, cell)
        else:
            text.between.append(cell)
    if exercise is not None:
        yield exercise
    if text.between:
        yield named_after_its_heading(text)


def add(exercise: Part, cell: NotebookNode) -> None:
    """A cell of an exercise: its answer, or one with points."""
    exercise.cells.append(cell)
    labels, kept = cell.metadata.nbgrader, of_ours(cell)
    if labels.get("grade") or labels.get("task"):
        waits = labels.get("needs_manual_grade")
        exercise.points += labels["points"]
        exercise.score += 0.0 if waits else labels["score"]
        exercise.waiting += labels["points"] if waits else 0.0
    exercise.unanswered |= bool(kept.get("unanswered"))
    exercise.checks[labels["grade_id"]] = [
        CheckShown(
            id=f"{labels['grade_id']}-{number}",
            title=check["title"],
            state=check["state"],
            points=check["points"],
            hint=check["hint"] or "",
            exercise=exercise,
            cause=check["cause"],
        )
        for number, check in enumerate(kept.get("checks", ()), start=1)
    ]


def named_after_its_heading(text: Part) -> Part:
    texts = [cell.source for cell in text.between if is_released_text(cell)]
    found = [title for text in texts for level, title in headings_of(text) if level > 1]
    text.title = found[0] if found else ""
    return text


def comment_of(labels: Mapping[str, Any]) -> str | None:
    """What a person wrote: nbgrader's own comment on an answer that was left is none."""
    comment = labels.get("comment")
    return None if comment == NO_RESPONSE else comment


def of_ours(cell: NotebookNode) -> dict[str, Any]:
    return cell.metadata.get("proctor", {})


def is_own(cell: NotebookNode) -> bool:
    return bool(of_ours(cell).get("own"))


def is_released_text(cell: NotebookNode) -> bool:
    return cell.cell_type == "markdown" and not is_own(cell)


def titles_in(notebook: NotebookNode) -> dict[str, str]:
    """What students know each exercise by, by the grade id of its answer."""
    released = [released_part(cell) for cell in notebook.cells if not is_own(cell)]
    headings = titles_of(NotebookNode(cells=released))
    names = [cell.metadata.nbgrader.grade_id for cell in released if is_answer(cell)]
    shared = Counter(headings.get(name) for name in names)
    return {name: title_of(name, headings.get(name), shared) for name in names}


def released_part(cell: NotebookNode) -> NotebookNode:
    """A cell without what a student wrote: there may be headings in it."""
    return NotebookNode(cell, source="") if is_answer(cell) else cell


def is_answer(cell: NotebookNode) -> bool:
    labels = cell.metadata.get("nbgrader", {})
    return bool(labels.get("solution") or labels.get("task"))


# What cost points


def lost_in(parts: list[Part]) -> list[Lost]:
    """What cost points, worst first. What only followed from something stands with that."""
    failed = {}
    for part in parts:
        for cell in part.cells:
            for check, kept in checks_that_count(part, cell):
                failed[kept["name"]] = check
    found: dict[str, Lost] = {}
    for part in parts:
        for lost in own_losses(part):
            found[lost.link] = lost
    for check in failed.values():
        if check.cause is None or check.exercise.unanswered:
            continue
        root = root_of(check, failed)
        place = root.exercise.name if root.exercise.unanswered else root.id
        cause = found.get(f"#{place}")
        if cause is None or root is check:
            found[f"#{check.id}"] = Lost(
                check.title, check.points, check.exercise, f"#{check.id}", check
            )
        elif check.state == "failed":
            cause.failed_too.append(check)
        else:
            cause.not_tried.append(check)
    return sorted(found.values(), key=lambda lost: -lost.total)


def own_losses(part: Part) -> Iterator[Lost]:
    """What an exercise lost points by, but for checks that wait for another one."""
    if part.unanswered:
        lost = part.points - part.score
        if lost > LEAST and not part.waiting:
            yield Lost("Not answered", lost, part, f"#{part.name}")
        return
    for cell in part.cells:
        labels = cell.metadata.nbgrader
        counted = checks_that_count(part, cell)
        diagnosis = of_ours(cell).get("diagnosis")
        for check, _ in counted:
            if check.cause is None:
                yield Lost(check.title, check.points, part, f"#{check.id}", check, diagnosis)
                diagnosis = None
        lost = labels.get("points", 0.0) - labels.get("score", 0.0)
        if lost > LEAST and not counted and not labels.get("needs_manual_grade"):
            given = f"{labels['score']:.3g} of {points(labels['points'])}"
            title = f"{given} for {'your answer' if is_answer(cell) else 'these checks'}"
            yield Lost(title, lost, part, f"#{labels['grade_id']}")


def checks_that_count(part: Part, cell: NotebookNode) -> list[tuple[CheckShown, dict[str, Any]]]:
    """The checks of a cell that cost points: none where a person gave other points than they do."""
    labels, kept = cell.metadata.nbgrader, of_ours(cell).get("checks", [])
    shown = part.checks.get(labels["grade_id"], [])
    passed = sum(check["points"] for check in kept if check["state"] == "passed")
    if not labels.get("grade") or abs(passed - labels["score"]) > LEAST:
        return []
    return [(one, check) for one, check in zip(shown, kept, strict=True) if one.state != "passed"]


def root_of(check: CheckShown, failed: Mapping[str, CheckShown]) -> CheckShown:
    """The check that has to be put right first of all."""
    found, seen = check, [check]
    while (above := failed.get(found.cause or "")) is not None and above not in seen:
        found = above
        seen.append(found)
    return found


# Hints of the notebook


def find_hints(part: Part) -> None:
    """Give each message in an exercise the notebook's own hint on it, once in an exercise.

    What was raised is known by its meaning alone, which is one of a few sentences of ours: nothing
    of the exception's text is needed to find the hint.
    """
    texts = [cell.source for cell in part.between if is_released_text(cell)]
    hints = [hint for text in texts for hint in HINT.findall(text)]
    told = set()
    for cell in part.cells:
        kept = of_ours(cell).get("checks", [])
        shown = part.checks.get(cell.metadata.nbgrader.grade_id, [])
        for check, one in zip(kept, shown, strict=True):
            meaning = check.get("meaning")
            hint = next((hint for hint in hints if meaning and meaning in meanings(hint[0])), None)
            if hint is not None and hint not in told:
                told.add(hint)
                title = plain(re.sub(r"<[^>]*>", "", hint[0])).removeprefix("Hint: ")
                one.hint_of_notebook = title, hint[1].strip()


def meanings(title: str) -> list[str | None]:
    """What the messages mean that a hint's title quotes, where few messages mean the same."""
    found = (in_plain_words(message) for message in QUOTED.findall(title))
    return [meaning for meaning in found if meaning not in VAGUE]


# For the template


def placed(page: str, below: int) -> str:
    """Clean HTML as a part of the page: its headings stand below those of that level, and a head of
    a column that names nothing is none."""
    page = EMPTY_HEAD.sub("<td></td>", page)
    return HEADING_TAG.sub(lambda tag: f"{tag[1]}{min(6, int(tag[2]) + below)}", page)
