"""A class whose marks are made up, as large as one likes: records, gradebook and all that the
report reads, without marking anything.

Exercises, graded cells and checks are those of a real assignment of this course. Who passes what is
drawn by a seed, from how able a student is and how hard a check is.
"""

from __future__ import annotations

import ast
import json
import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from nbgrader.api import (
    BaseCell,
    Comment,
    Grade,
    Gradebook,
    Student,
    SubmittedAssignment,
    SubmittedNotebook,
)
from sqlalchemy import Engine, event, insert

from proctor.course import Course, read_notebook
from proctor.grading.intake import GradedCell, graded_cells

REPOSITORY = Path(__file__).resolve().parents[1]
ASSIGNMENT = "mnist_loss"
MISTAKES = {
    "mnist_loss_values": (
        "Known mistake: “the sum instead of the mean”. Give it twice as many examples. Should the"
        " loss double?"
    ),
    "sigmoid_values": ("Known mistake: “without the minus sign”. Put 2 and -2 into your formula."),
}


@contextmanager
def questions() -> Iterator[list[str]]:
    """What any gradebook is asked in this block."""
    asked: list[str] = []

    def note(*about: Any) -> None:
        if about[2].startswith("SELECT"):
            asked.append(about[2])

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(Engine, "before_cursor_execute", note)


@dataclass(frozen=True)
class Grader:
    """A check as its grader describes it."""

    name: str
    cell: str
    title: str
    hint: str
    requires: tuple[str, ...]


def graders(folder: Path) -> list[Grader]:
    """The checks of an assignment, read from its graders without running them."""
    found = []
    for path in sorted(folder.glob("test_*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        constants = {
            target.id: node.value.value
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        found += [grader for node in tree.body for grader in graders_of(node, constants)]
    return found


def graders_of(node: ast.stmt, constants: dict[str, Any]) -> Iterator[Grader]:
    for call in getattr(node, "decorator_list", []):
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "grades":
            told = {word.arg: word.value for word in call.keywords}
            required = told.get("requires")
            needs = getattr(required, "value", None) or constants.get(getattr(required, "id", ""))
            yield Grader(
                name=node.name,
                cell=ast.literal_eval(call.args[0]),
                title=(ast.get_docstring(node) or node.name).splitlines()[0].rstrip("."),
                hint=getattr(told["hint"], "value", "Look again."),
                requires=(needs,) if needs else (),
            )


class MadeClass:
    """A course folder with `count` graded submissions. Of them, one in 50 each is left blank, is
    rejected, ran out of time or ended its own process; `read` is the share of the written answers
    that a person has read. One more handed in what is not graded, one handed in nothing."""

    def __init__(
        self,
        root: Path,
        empty_gradebook: Path,
        count: int,
        *,
        read: float = 0.5,
        seed: int = 1,
        harder: float = 0.0,
    ):
        self.root = root
        self.choose = random.Random(seed)
        self.harder = harder
        self._copy_course()
        shutil.copy(empty_gradebook, root / "gradebook.db")
        self.course = Course(root)
        self.release = read_notebook(self.course.release(ASSIGNMENT))
        self.cells = graded_cells(self.release)
        self.checks = graders(REPOSITORY / "tests/graders" / ASSIGNMENT)
        width = max(2, len(str(count)))
        self.students = [f"student-{number:0{width}}" for number in range(1, count + 1)]
        records = [self._record(number, who) for number, who in enumerate(self.students, 1)]
        for record in records:
            self._write_record(record)
        self._fill_gradebook(records, read)
        (root / f"submitted/zz-new/{ASSIGNMENT}").mkdir(parents=True)
        (root / f"submitted/zz-new/{ASSIGNMENT}/{ASSIGNMENT}.ipynb").write_text("{}")

    def _copy_course(self) -> None:
        for part in (f"source/{ASSIGNMENT}", f"release/{ASSIGNMENT}"):
            shutil.copytree(REPOSITORY / part, self.root / part)
        shutil.copy(REPOSITORY / "nbgrader_config.py", self.root)

    # Records

    def _record(self, number: int, student: str) -> dict[str, Any]:
        kind = {7: "blank", 17: "rejected", 27: "late", 37: "ended"}.get(number % 50, "")
        cells = [] if kind == "rejected" else self._cells(kind == "blank")
        incidents = {
            "late": ["train_epoch took longer than its 4 s"],
            "ended": [
                "mnist_loss ended its process (killed); the notebook was run again without it"
            ],
        }
        return {
            "assignment": ASSIGNMENT,
            "student": student,
            "status": "rejected" if kind == "rejected" else "graded",
            "error": "the file is not valid JSON." if kind == "rejected" else None,
            "score": sum(cell["score"] or 0.0 for cell in cells),
            "max_score": sum(cell.points for cell in self.cells.values() if cell.kind == "graded"),
            "seconds": 1.0 + self.choose.random(),
            "incidents": incidents.get(kind, []),
            "cells": cells,
            "seed": number,
            "sha256": f"{number:064x}",
            "protection": "made up",
            "limits": {},
            "graders_sha256": "0" * 64,
            "release_sha256": "0" * 64,
            "graded_at": "2026-11-26T12:00:00+00:00",
            "versions": {"python": "3.11", "proctor": "0.1.0"},
        }

    def _cells(self, blank: bool) -> list[dict[str, Any]]:
        ability = -9.0 if blank else self.choose.gauss(0.9, 1.0)
        passed: dict[str, bool] = {}
        return [
            self._cell(cell, ability, blank, passed)
            for cell in self.cells.values()
            if cell.kind != "solution"
        ]

    def _cell(
        self, cell: GradedCell, ability: float, blank: bool, passed: dict[str, bool]
    ) -> dict[str, Any]:
        by_hand = cell.kind == "manual"
        checks = [
            self._check(grader, place, ability, passed)
            for place, grader in enumerate(self.checks)
            if grader.cell == cell.grade_id
        ]
        share = sum(check["passed"] for check in checks) / len(checks) if checks else 0.0
        recognised = cell.grade_id in MISTAKES and not blank and share < 0.5
        return {
            "grade_id": cell.grade_id,
            "score": None if by_hand else round(cell.points * share, 4),
            "max_score": cell.points,
            "needs_manual_grade": by_hand,
            "unanswered": blank,
            "diagnosis": MISTAKES[cell.grade_id] if recognised else None,
            "checks": checks,
            "note": None,
        }

    def _check(
        self, grader: Grader, place: int, ability: float, passed: dict[str, bool]
    ) -> dict[str, Any]:
        cause = next((one for one in grader.requires if not passed.get(one, True)), None)
        hard = self.harder + (place % 5) / 4
        well = cause is None and ability + self.choose.gauss(0.0, 0.7) > hard - 0.8
        passed[grader.name] = well
        titles = {one.name: one.title for one in self.checks}
        told = f"Not tried: it needs “{titles[cause]}” first." if cause else grader.hint
        return {
            "name": grader.name,
            "title": grader.title,
            "passed": well,
            "hint": None if well else told,
            "weight": 1.0,
            "detail": "" if well else "E   assert False\n" * 40,
            "seconds": 0.02,
            "tried": cause is None,
            "cause": cause,
            "meaning": None,
        }

    def _write_record(self, record: dict[str, Any]) -> None:
        place = self.course.record(record["student"], ASSIGNMENT)
        place.parent.mkdir(parents=True)
        place.write_text(json.dumps(record, indent=1))
        handed_in = self.root / f"submitted/{record['student']}/{ASSIGNMENT}"
        handed_in.mkdir(parents=True)
        self._write_page(record["student"])
        if any(cell["diagnosis"] for cell in record["cells"]):
            self._write_notebook(record["student"])

    def _write_page(self, student: str) -> None:
        page = self.root / f"feedback/{student}/{ASSIGNMENT}/{ASSIGNMENT}.html"
        page.parent.mkdir(parents=True)
        page.write_text(f"<!DOCTYPE html><title>Feedback for {student}</title>")

    def _write_notebook(self, student: str) -> None:
        """What a student wrote: enough of it to show an example of a mistake."""
        cells = [
            new_code_cell(
                f"def {cell.metadata.nbgrader.grade_id}(x):\n    return x.sum()  # {student}",
                id=cell.get("id"),
                metadata=cell.metadata,
            )
            if cell.metadata.get("nbgrader", {}).get("solution") and cell.cell_type == "code"
            else cell
            for cell in self.release.cells
            if cell.metadata.get("nbgrader")
        ]
        path = self.root / f"autograded/{student}/{ASSIGNMENT}/{ASSIGNMENT}.ipynb"
        path.parent.mkdir(parents=True)
        nbformat.write(new_notebook(cells=[new_markdown_cell("# Graded", id="top"), *cells]), path)

    # Gradebook

    def gradebook(self) -> Gradebook:
        return Gradebook(f"sqlite:///{self.root / 'gradebook.db'}")

    def _fill_gradebook(self, records: list[dict[str, Any]], read: float) -> None:
        with self.gradebook() as gradebook:
            gradebook.add_assignment(ASSIGNMENT)
            notebook = gradebook.add_notebook(ASSIGNMENT, ASSIGNMENT).id
            for name, cell in self.cells.items():
                kind = {"cell_type": "markdown" if cell.kind == "manual" else "code"}
                if cell.kind != "solution":
                    gradebook.add_grade_cell(
                        name, ASSIGNMENT, ASSIGNMENT, max_score=cell.points, **kind
                    )
                if cell.kind != "graded":
                    gradebook.add_solution_cell(name, ASSIGNMENT, ASSIGNMENT)
            ids = {(cell.name, cell.type): cell.id for cell in gradebook.db.query(BaseCell)}
            assignment = gradebook.find_assignment(ASSIGNMENT).id
            rows = self._rows(records, read, ids, assignment, notebook)
            for table, added in rows.items():
                gradebook.db.execute(insert(table), added)
            gradebook.db.commit()

    def _rows(
        self,
        records: list[dict[str, Any]],
        read: float,
        ids: dict[tuple[str, str], str],
        assignment: str,
        notebook: str,
    ) -> dict[Any, list[dict[str, Any]]]:
        rows: dict[Any, list[dict[str, Any]]] = {
            table: [] for table in (Student, SubmittedAssignment, SubmittedNotebook, Grade, Comment)
        }
        rows[Student].append({"id": "zz-none", "first_name": None, "last_name": None})
        for number, record in enumerate(records):
            key, student = f"{number:032}", record["student"]
            rows[Student].append({"id": student, "first_name": "Stu", "last_name": f"No. {number}"})
            when = datetime(2026, 11, 26, tzinfo=UTC) - timedelta(minutes=number)
            rows[SubmittedAssignment].append(
                {"id": key, "assignment_id": assignment, "student_id": student, "timestamp": when}
            )
            rows[SubmittedNotebook].append(
                {"id": key, "assignment_id": key, "notebook_id": notebook}
            )
            rows[Grade] += self._grades(record, key, read, ids)
            rows[Comment] += [
                {"id": f"{number:024}{place:08}", "notebook_id": key, "cell_id": id_}
                for place, ((_, kind), id_) in enumerate(ids.items())
                if kind == "SolutionCell"
            ]
        return rows

    def _grades(
        self, record: dict[str, Any], key: str, read: float, ids: dict[tuple[str, str], str]
    ) -> Iterator[dict[str, Any]]:
        scores = {cell["grade_id"]: cell for cell in record["cells"]}
        graded = [name for name, cell in self.cells.items() if cell.kind != "solution"]
        for place, name in enumerate(graded):
            cell, points = scores.get(name), self.cells[name].points
            by_hand = self.cells[name].kind == "manual"
            nothing = cell is None or cell["unanswered"]
            is_read = by_hand and not nothing and self.choose.random() < read
            yield {
                "id": f"{int(key):024}{place:08}",
                "notebook_id": key,
                "cell_id": ids[name, "GradeCell"],
                "auto_score": 0.0 if nothing else cell["score"],
                "manual_score": self.choose.randint(0, int(points)) if is_read else None,
                "needs_manual_grade": by_hand and not nothing and not is_read,
            }
