"""The release gate: an assignment is released only when its graders are proven right.

`proctor release` makes the release in a scratch copy of the course, marks the reference, the blank
notebook and every labelled answer, and refuses with all that is wrong, by name.
"""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from nbformat import NotebookNode
from traitlets.config import Config

from proctor.classroom.workers import Job, MarkingSettings, Workers
from proctor.course import Course, CourseError, read_notebook
from proctor.grading import rubric
from proctor.grading.labelled import (
    Answer,
    as_submission,
    load_answers,
    with_answers,
)
from proctor.grading.marks import Marks
from proctor.sandbox.sessions import shared_sandbox
from proctor.settings import Grading

STUDENT = "student-01"  # whose own numbers the answers hold
# Words that have no place in what students get: delimiters of authors, and of the engine.
HIDDEN_WORDS = ("BEGIN SOLUTION", "END SOLUTION", "HIDDEN TESTS", "MARK SCHEME", "tests/graders")
MAX_HARMLESS_CHARACTERS = 24


@dataclass(frozen=True)
class Trial:
    """One notebook that goes through the graders, and what is wrong with its marks."""

    name: str
    notebook: NotebookNode
    faults: Callable[[Marks], list[str]]


def release(
    course: Course,
    config: Config,
    assignment: str,
    *,
    workers: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[str]:
    """Release an assignment if nothing is wrong with it; returns what is, one line each."""
    with tempfile.TemporaryDirectory() as folder:
        scratch = scratch_course(course, assignment, Path(folder))
        generate(scratch, assignment, "--no-db")
        found = faults_of_text(scratch, assignment) + faults_of_rubrics(scratch, assignment)
        found += faults_of_marks(scratch, config, assignment, workers, progress)
    if not found:
        generate(course, assignment)
    return found


def scratch_course(course: Course, assignment: str, folder: Path) -> Course:
    """A copy of what the release of one assignment depends on."""
    scratch = Course(folder / "course")
    for name in ("source", "tests/graders"):
        shutil.copytree(course.root / name / assignment, scratch.root / name / assignment)
    for name in (f"tests/answers/{assignment}.py", "nbgrader_config.py"):
        if not (course.root / name).exists():
            raise CourseError(f"{name} is missing in the course folder")
        (scratch.root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(course.root / name, scratch.root / name)
    return scratch


def generate(course: Course, assignment: str, *options: str) -> None:
    """Run nbgrader's own command. Raises CourseError with its last words."""
    command = [sys.executable, "-m", "nbgrader", "generate_assignment", assignment, "--force"]
    done = subprocess.run(
        [*command, *options], cwd=course.root, capture_output=True, text=True, check=False
    )
    if done.returncode:
        last = "\n".join(done.stderr.strip().splitlines()[-5:])
        raise CourseError(f"nbgrader generate_assignment {assignment} failed:\n{last}")


def faults_of_text(course: Course, assignment: str) -> list[str]:
    """Solutions and hidden words that the release still holds."""
    released = read_notebook(course.release(assignment)).cells
    found = [
        f"release: {place_of(cell)} holds {word!r}"
        for cell in released
        for word in HIDDEN_WORDS
        if word in cell.source
    ]
    for solved in read_notebook(course.reference(assignment)).cells:
        for line in telling_lines(solved):
            found += [
                f"release: {place_of(cell)} shows the solution of {place_of(solved)}: {line}"
                for cell in released
                if line in cell.source
            ]
    return found


def faults_of_rubrics(course: Course, assignment: str) -> list[str]:
    """Rubrics of written answers whose items cannot add up to the points of their cells."""
    return [
        f"the rubric of {labels.grade_id}: {fault}"
        for cell in read_notebook(course.reference(assignment)).cells
        if (labels := cell.metadata.get("nbgrader", {})).get("grade") and labels.get("solution")
        for fault in rubric.faults(cell.source, float(labels.points))
    ]


def place_of(cell: NotebookNode) -> str:
    """What an author knows the cell by."""
    return cell.metadata.get("nbgrader", {}).get("grade_id") or cell.get("id", "a cell")


def telling_lines(cell: NotebookNode) -> list[str]:
    """The lines of a solution that would give it away; short ones stand in many places."""
    if not cell.metadata.get("nbgrader", {}).get("solution", False):
        return []
    marked = re.search(r"### BEGIN SOLUTION\n(.*?)### END SOLUTION", cell.source, re.DOTALL)
    lines = (marked[1] if marked else cell.source).splitlines()
    return [line for line in map(str.strip, lines) if len(line) > MAX_HARMLESS_CHARACTERS]


def faults_of_marks(
    course: Course,
    config: Config,
    assignment: str,
    workers: int,
    progress: Callable[[int, int], None],
) -> list[str]:
    """What is wrong with the marks of the reference, the blank notebook and labelled answers."""
    trials = {
        Job(STUDENT, assignment, functools.partial(as_submission, trial.notebook)): trial
        for trial in all_trials(course, assignment)
    }
    grading = Grading(config=config)
    settings = MarkingSettings.of(course.root, grading, figures=False)
    sandbox = shared_sandbox(settings.session_limits)
    found = []
    with Workers(workers, sandbox, settings) as pool:
        try:
            for done, outcome in enumerate(pool.mark(trials), start=1):
                trial = trials[outcome.job]
                faults = [outcome.error] if outcome.marks is None else trial.faults(outcome.marks)
                found += [f"{trial.name}: {fault}" for fault in faults]
                progress(done, len(trials))
        except CourseError as error:  # the graders do not fit the notebook
            return [str(error)]
    return sorted(found)


def all_trials(course: Course, assignment: str) -> Iterator[Trial]:
    reference = read_notebook(course.reference(assignment))
    released = read_notebook(course.release(assignment))
    yield Trial("the reference", reference, lost_marks)
    yield Trial("the blank notebook", released, marks_for_nothing)
    for answer in load_answers(course, assignment):
        kind = "right" if answer.is_right else "wrong"
        name = f"the {kind} answer “{answer.name}” to {answer.cell}"
        notebook = with_answers(reference, {answer.cell: answer.source})
        yield Trial(name, notebook, functools.partial(faults_of_answer, answer))


def lost_marks(marks: Marks) -> list[str]:
    """Graded cells without full marks."""
    if marks.status != "graded":
        return [f"rejected: {marks.error}"]
    return [f"{cell} has not full marks" for cell in sorted(cells_lost(marks))]


def marks_for_nothing(marks: Marks) -> list[str]:
    return [f"{cell.grade_id} gets {cell.score:g} points" for cell in marks.cells if cell.score]


def faults_of_answer(answer: Answer, marks: Marks) -> list[str]:
    if answer.is_right:
        return lost_marks(marks)
    lost = cells_lost(marks)
    passes = [f"{cell} has full marks, and must not" for cell in sorted(answer.loses - lost)]
    loses = [f"{cell} loses marks, and must not" for cell in sorted(lost - answer.loses)]
    return passes + loses


def cells_lost(marks: Marks) -> set[str]:
    return {
        cell.grade_id
        for cell in marks.cells
        if cell.score is not None and cell.score < cell.max_score
    }
