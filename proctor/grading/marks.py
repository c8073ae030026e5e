"""Marks: what grading says of one submission, as data. Importing this imports no torch."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import nbformat
from nbformat import NotebookNode

from proctor.course import Course, read_notebook
from proctor.grading import intake


@dataclass(frozen=True)
class Check:
    """One hidden check. `hint` is None where it passed and needs no word; `detail` is for the
    instructor alone.

    Where it did not pass, `tried` says whether it was run at all, `cause` names the check that has
    to be put right first, and `meaning` is what an exception meant, in words of ours.
    """

    name: str
    title: str
    passed: bool
    hint: str | None
    weight: float
    detail: str
    seconds: float
    tried: bool = True
    cause: str | None = None
    meaning: str | None = None

    @property
    def state(self) -> str:
        """ "passed", "failed" or "not tried"."""
        return state_of(vars(self))


@dataclass(frozen=True)
class CellMarks:
    """Marks of one graded cell. A cell that a person grades has score None and no checks;
    `unanswered` means that its answer is as it was released."""

    grade_id: str
    score: float | None
    max_score: float
    needs_manual_grade: bool
    unanswered: bool = False
    diagnosis: str | None = None
    checks: list[Check] = field(default_factory=list)
    note: str | None = None  # for the student, where a later cell changed what the answer needs

    def worth(self, check: Check) -> float:
        """The points that a check of this cell is worth."""
        return self.max_score * check.weight / sum(each.weight for each in self.checks)


@dataclass(frozen=True)
class Marks:
    """The outcome for one submission: "graded", or "rejected" with the reason in `error`."""

    assignment: str
    student: str | None
    status: str
    error: str | None
    score: float
    max_score: float
    seconds: float
    incidents: list[str]
    cells: list[CellMarks]
    seed: int | None = None
    sha256: str | None = None
    modules: list[str] = field(default_factory=list)  # the student's own, beside the notebook
    protection: str | None = None
    limits: dict[str, float] | None = None
    notebook: NotebookNode | None = None
    repairs: list[str] = field(default_factory=list)  # what was put right in the notebook


def state_of(check: Mapping[str, Any]) -> str:
    """The state of a check of a record: "passed", "failed" or "not tried"."""
    if check["passed"]:
        return "passed"
    return "failed" if check.get("tried", True) else "not tried"


def marks_as_json(marks: Marks) -> dict[str, Any]:
    """The marks, notebook included, as JSON can hold them."""
    return dataclasses.asdict(marks)


def marks_from_json(data: dict[str, Any]) -> Marks:
    """What `marks_as_json` made of marks."""
    cells = [
        CellMarks(**{**cell, "checks": [Check(**check) for check in cell["checks"]]})
        for cell in data["cells"]
    ]
    notebook = data["notebook"] and nbformat.from_dict(data["notebook"])
    return Marks(**{**data, "cells": cells, "notebook": notebook})


def rejected_unread(assignment: str, course: Course, student: str | None, error: str) -> Marks:
    """The marks of a submission of which no file could be read: 0, and the reason."""
    release = read_notebook(course.release(assignment))
    return rejected(assignment, release, student, error, started=time.monotonic())


def rejected(
    assignment: str,
    release: NotebookNode,
    student: str | None,
    error: str,
    *,
    started: float,
    sha256: str | None = None,
) -> Marks:
    """The marks of a submission that could not be read: 0, and the reason."""
    return Marks(
        assignment=assignment,
        student=student,
        status="rejected",
        error=error,
        score=0.0,
        max_score=automatic_points(release),
        seconds=time.monotonic() - started,
        incidents=[],
        cells=[],
        sha256=sha256,
    )


def automatic_points(release: NotebookNode) -> float:
    graded = intake.graded_cells(release).values()
    return float(sum(cell.points for cell in graded if cell.kind == "graded"))


def has_graded_cells(notebook: NotebookNode) -> bool:
    """Whether graders have anything to do: an assignment may be of written answers alone."""
    return any(cell.kind == "graded" for cell in intake.graded_cells(notebook).values())
