"""Labelled answers: for each exercise, right answers that must get full marks and wrong ones that
must lose in the cells they name. They prove the graders, and tell a student which mistake a wrong
answer looks like. A course keeps them in `tests/answers/<assignment>.py`, in a list `ANSWERS`.
"""

from __future__ import annotations

import copy
import importlib.util
import textwrap
import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import nbformat
from nbformat import NotebookNode

from proctor.course import Course, CourseError


@dataclass(frozen=True)
class LabelledAnswer:
    """One answer to one exercise, with the reference's answers to all others.

    `cell` is the grade id of the solution cell, `name` says in a few words how it is written or
    what is wrong. `loses` are the graded cells in which it must lose marks, none for a right
    answer. `hint` is a tutor's one sentence for a student whose answer behaves like this one.
    """

    cell: str
    name: str
    source: str
    loses: frozenset[str] = frozenset()
    hint: str | None = None

    @property
    def is_right(self) -> bool:
        return not self.loses


def right(cell: str, name: str, source: str) -> LabelledAnswer:
    """An answer that must get full marks in every cell."""
    return LabelledAnswer(cell, name, textwrap.dedent(source).strip())


def wrong(cell: str, name: str, source: str, *, loses: Iterable[str], hint: str) -> LabelledAnswer:
    """An answer that must lose marks in exactly the cells of `loses`."""
    if not loses:
        raise ValueError(f"the wrong answer {name!r} to {cell} names no cell that it loses in")
    return LabelledAnswer(cell, name, textwrap.dedent(source).strip(), frozenset(loses), hint)


def load_answers(course: Course, assignment: str) -> list[LabelledAnswer]:
    """The labelled answers of an assignment. Raises CourseError when they cannot be loaded."""
    return load_module(course, assignment).ANSWERS


def load_probes(course: Course, assignment: str) -> dict[str, list]:
    """What tells its wrong answers apart: solution cell to probes (see `diagnosis`)."""
    if not answers_file(course, assignment).exists():
        return {}
    return getattr(load_module(course, assignment), "PROBES", {})


def answers_file(course: Course, assignment: str) -> Path:
    return course.root / "tests" / "answers" / f"{assignment}.py"


def load_module(course: Course, assignment: str) -> ModuleType:
    path = answers_file(course, assignment)
    if not path.exists():
        raise CourseError(f"tests/answers/{assignment}.py is missing in the course folder")
    spec = importlib.util.spec_from_file_location(f"answers_{assignment}", path)
    if spec is None or spec.loader is None:
        raise CourseError(f"tests/answers/{assignment}.py is no Python module")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise not_loaded(path, course, error) from error
    return module


def not_loaded(path: Path, course: Course, error: Exception) -> CourseError:
    """That a module of the course cannot be loaded, and by which of its lines."""
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == str(path)
    ]
    told = str(error)
    if isinstance(error, SyntaxError):
        lines, told = [error.lineno], error.msg
    where = f", line {lines[-1]}" if lines else ""
    return CourseError(
        f"{path.relative_to(course.root)}{where} cannot be loaded: {type(error).__name__}: {told}"
    )


def with_answers(notebook: NotebookNode, sources: dict[str, str]) -> NotebookNode:
    """A copy of a notebook with other answers: grade id of a solution cell to its source."""
    answered = copy.deepcopy(notebook)
    left = dict(sources)
    for cell in answered.cells:
        grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
        if grade_id in left:
            cell.source = left.pop(grade_id)
    if left:
        raise CourseError(
            f"the notebook has no cell {', '.join(sorted(left))} to answer. Its answers are "
            f"{', '.join(solution_cells(answered))}: labelled answers go by these ids"
        )
    return answered


def solution_cells(notebook: NotebookNode) -> list[str]:
    nbgrader = [cell.metadata.get("nbgrader", {}) for cell in notebook.cells]
    return [found["grade_id"] for found in nbgrader if found.get("solution", False)]


def reference_answers(reference: NotebookNode) -> dict[str, str]:
    """The reference's own answers: grade id of a code solution cell to its source."""
    return {
        cell.metadata.nbgrader.grade_id: without_delimiters(cell.source)
        for cell in reference.cells
        if cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("solution", False)
    }


def without_delimiters(source: str) -> str:
    lines = source.splitlines()
    return "\n".join(line for line in lines if "### BEGIN" not in line and "### END" not in line)


def as_submission(notebook: NotebookNode) -> bytes:
    """The notebook as the file a student would hand in."""
    return nbformat.writes(notebook).encode()
