"""Where the best attempt counts: newer ones lie apart until they are marked, and stay there if they
got less. Their pages are made of their marks alone, as the gradebook has those of the one that
counts.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from proctor.classroom.feedback_pages import InGradebook
from proctor.classroom.preprocessors import read_or_replace, report
from proctor.classroom.stored import Stored, StoredGrade
from proctor.classroom.watch.ledger import attempts_folder
from proctor.course import Course, read_release
from proctor.grading.marks import Marks
from proctor.grading.submitted import submitted_at


def folder_apart(course: Course, assignment: str, student: str) -> Path:
    """Where an attempt lies that does not count, or not yet."""
    return attempts_folder(course) / "apart" / student / assignment


def lying_apart(course: Course, assignment: str) -> list[tuple[str, Path]]:
    """Students and their attempts that lie apart."""
    found = sorted((attempts_folder(course) / "apart").glob(f"*/{assignment}"))
    return [(folder.parent.name, folder) for folder in found]


def is_worth_more(marks: Marks, counting: dict[str, Any]) -> bool:
    """Whether these marks count from now on: automatic points decide, of equal ones the newer."""
    new = marks.status != "rejected", marks.score
    return new >= (counting["status"] != "rejected", counting["score"])


def as_in_gradebook(marks: Marks, folder: Path) -> InGradebook:
    """Marks that are not in the gradebook, as if they were."""
    stored = Stored(timestamp=submitted_at(folder), comments=defaultdict(str))
    for cell in marks.cells:
        waits = cell.needs_manual_grade and not cell.unanswered
        stored.grades[cell.grade_id] = StoredGrade(cell.score, None, None, waits)
    points = {cell.grade_id: cell.max_score for cell in marks.cells}
    return InGradebook({marks.student or "": stored}, points)


def graded_notebook(marks: Marks, folder: Path, course: Course, most: int) -> NotebookNode:
    """The notebook with its reports, as nbgrader would have it in autograded/."""
    release = read_release(course.release(marks.assignment))
    notebook, _ = read_or_replace(folder / f"{marks.assignment}.ipynb", release, most)
    if marks.notebook is not None:
        notes = [cell for cell in notebook.cells if cell.metadata.get("proctor", {}).get("notes")]
        notebook = marks.notebook
        notebook.cells = notes + notebook.cells
    report(notebook, marks)
    return notebook
