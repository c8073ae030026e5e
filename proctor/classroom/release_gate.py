"""The release gate: an assignment is released only when its graders are proven right.

`proctor release` makes the release in a scratch copy of the course, marks the reference, the blank
notebook and every labelled answer, and refuses with all that is wrong, by name.
"""

from __future__ import annotations

import contextlib
import copy
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
from proctor.course import ONE_EACH, Course, CourseError, read_notebook
from proctor.grading import rubric
from proctor.grading.labelled import (
    LabelledAnswer,
    as_submission,
    load_answers,
    with_answers,
)
from proctor.grading.marks import Marks, has_graded_cells
from proctor.grading.missing import demand_packages
from proctor.grading.modules import Submission
from proctor.sandbox.sessions import shared_sandbox
from proctor.settings import Grading

STUDENT = "student-01"  # whose own numbers the answers hold
# Words that have no place in what students get: delimiters of authors, and of the engine.
HIDDEN_WORDS = ("BEGIN SOLUTION", "END SOLUTION", "HIDDEN TESTS", "MARK SCHEME", "tests/graders")
MAX_HARMLESS_CHARACTERS = 24
MAX_REASON_CHARACTERS = 300
SEEDS = 3  # with which the reference is tried


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
    demand_packages(Grading(config=config).of(assignment).packages)
    found = faults_of_source(course, assignment)
    if found:
        return found
    with released_in_scratch(course, assignment) as scratch:
        found = faults_of_text(scratch, assignment) + faults_of_rubrics(scratch, assignment)
        found += faults_of_marks(scratch, config, assignment, workers, progress)
    if not found:
        generate(course, assignment)
    return found


@contextlib.contextmanager
def released_in_scratch(course: Course, assignment: str) -> Iterator[Course]:
    """A copy of what the release of one assignment depends on, and its release."""
    with tempfile.TemporaryDirectory() as folder:
        scratch = Course(Path(folder) / "course")
        copy_to(course, scratch, f"source/{assignment}")
        copy_to(course, scratch, "nbgrader_config.py")
        # An assignment of written answers alone has neither.
        needed = has_graded_cells(read_notebook(course.reference(assignment)))
        copy_to(course, scratch, f"tests/graders/{assignment}", needed=needed)
        copy_to(course, scratch, f"tests/answers/{assignment}.py", needed=needed)
        generate(scratch, assignment, "--no-db")
        yield scratch


def copy_to(course: Course, scratch: Course, name: str, *, needed: bool = True) -> None:
    """Copy a file or a folder. Raises CourseError when it is needed and missing."""
    source, target = course.root / name, scratch.root / name
    if not source.exists():
        if needed:
            raise CourseError(f"{name} is missing in the course folder")
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copy(source, target)


def faults_of_source(course: Course, assignment: str) -> list[str]:
    """What the engine cannot do, in words."""
    path = course.reference(assignment)
    notebooks = sorted(other.name for other in path.parent.glob("*.ipynb"))
    if len(notebooks) > 1:
        return [
            f"source/{assignment} holds {len(notebooks)} notebooks ({', '.join(notebooks)}): only "
            f"{path.name} is graded{ONE_EACH}"
        ]
    kernel = read_notebook(path).metadata.get("kernelspec", {})
    language = kernel.get("language", "python")
    if language.lower() != "python":
        return [
            f"{path.name} has the kernel {kernel.get('display_name', language)!r}: only Python is "
            "run"
        ]
    return []


def generate(course: Course, assignment: str, *options: str) -> None:
    """Run nbgrader's own command. Raises CourseError with its last words."""
    command = [sys.executable, "-m", "nbgrader", "generate_assignment", assignment, "--force"]
    done = subprocess.run(
        [*command, *options], cwd=course.root, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise CourseError(
            f"nbgrader generate_assignment {assignment} failed:\n{reasons_in(done.stderr)}"
        )


def reasons_in(log: str) -> str:
    """The errors in nbgrader's log without their tracebacks; its last words if there is none."""
    errors = re.findall(r"^ *[\w.]*(?:Error|Exception): (\S.*)$", log, re.MULTILINE)
    return "\n".join(dict.fromkeys(errors)) or "\n".join(log.strip().splitlines()[-5:])


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
        Job(STUDENT, assignment, functools.partial(handed_in, trial)): trial
        for trial in all_trials(course, assignment)
    }
    grading = Grading(config=config).of(assignment)
    settings = MarkingSettings.of(course.root, grading, figures=False)
    sandbox = shared_sandbox(settings.session_limits)
    found, untitled = [], set()
    with Workers(workers, sandbox, settings) as pool:
        try:
            for done, outcome in enumerate(pool.mark(trials), start=1):
                trial = trials[outcome.job]
                faults = [outcome.error] if outcome.marks is None else trial.faults(outcome.marks)
                found += [f"{trial.name}: {fault}" for fault in faults]
                untitled |= untitled_checks(outcome.marks) if outcome.marks else set()
                progress(done, len(trials))
        except CourseError as error:  # the graders do not fit the notebook
            return [str(error)]
    # The same fault under another seed says nothing new.
    once = {fault.partition(": “")[0]: fault for fault in reversed(found)}
    return sorted(untitled) + sorted(once.values())


def untitled_checks(marks: Marks) -> set[str]:
    return {
        f"the hidden test {check.name} has no docstring, which tells students what it checks"
        for cell in marks.cells
        for check in cell.checks
        if check.title == check.name
    }


def all_trials(course: Course, assignment: str) -> Iterator[Trial]:
    reference = read_notebook(course.reference(assignment))
    released = read_notebook(course.release(assignment))
    for number in range(SEEDS):
        # Another file, so other random inputs: that it passes once could be luck.
        again = copy.deepcopy(reference)
        again.metadata["proctor_trial"] = number
        yield Trial("the reference", again, lost_marks)
    yield Trial("the blank notebook", released, marks_for_nothing)
    if not has_graded_cells(released):
        return
    for answer in load_answers(course, assignment):
        notebook = with_answers(reference, {answer.cell: answer.source})
        yield Trial(f"the {name_of(answer)}", notebook, functools.partial(faults_of_answer, answer))


def handed_in(trial: Trial) -> Submission:
    return Submission(as_submission(trial.notebook))


def name_of(answer: LabelledAnswer) -> str:
    return f"{'right' if answer.is_right else 'wrong'} answer “{answer.name}” to {answer.cell}"


def lost_marks(marks: Marks) -> list[str]:
    """Graded cells without full marks, and why."""
    if marks.status != "graded":
        return [f"rejected: {marks.error}"]
    lost = sorted(cells_lost(marks))
    return [f"{cell} does not get full marks: {reason_of(marks, cell)}" for cell in lost]


def reason_of(marks: Marks, grade_id: str) -> str:
    """The first check of a cell that failed, what it said, and the seed that shows it again."""
    checks = next(cell.checks for cell in marks.cells if cell.grade_id == grade_id)
    failed = next(check for check in checks if not check.passed)
    lines = [line for line in failed.detail.splitlines() if line.startswith("E ")]
    said = lines[0][1:].strip()[:MAX_REASON_CHARACTERS] if lines else (failed.hint or "")
    return f"“{failed.title}”: {said} (seed {marks.seed})"


def marks_for_nothing(marks: Marks) -> list[str]:
    return [f"{cell.grade_id} gets {cell.score:g} points" for cell in marks.cells if cell.score]


def faults_of_answer(answer: LabelledAnswer, marks: Marks) -> list[str]:
    if answer.is_right:
        return lost_marks(marks)
    lost = cells_lost(marks)
    passes = [f"{cell} gets full marks, and must not" for cell in sorted(answer.loses - lost)]
    loses = [
        f"{cell} loses marks, and must not: {reason_of(marks, cell)}"
        for cell in sorted(lost - answer.loses)
    ]
    return passes + loses


def cells_lost(marks: Marks) -> set[str]:
    return {
        cell.grade_id
        for cell in marks.cells
        if cell.score is not None and cell.score < cell.max_score
    }
