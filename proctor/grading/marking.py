"""One notebook in, marks out. A pure function: it knows no gradebook and no other submission."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import time
from collections.abc import Callable, Container, Mapping, Sequence
from pathlib import Path

from nbformat import NotebookNode

from proctor.course import Course, CourseError, read_notebook, read_release
from proctor.grading import intake, rebuilding
from proctor.grading.desk import Candidate, CheckResult
from proctor.grading.diagnosis import diagnose
from proctor.grading.graders import bounded_memory, load_graders, run_graders
from proctor.grading.marks import (
    CellMarks,
    Check,
    Marks,
    automatic_points,
    has_graded_cells,
    rejected,
)
from proctor.grading.missing import demand_packages, missing_packages, with_missing
from proctor.grading.modules import Submission, with_modules
from proctor.grading.refusals import refused_cells
from proctor.grading.seeds import seed_of
from proctor.grading.standing import is_run, standings_of
from proctor.grading.submitted import read_with_modules
from proctor.sandbox.beside import furnished
from proctor.sandbox.examination import CellRun, Examination
from proctor.sandbox.patience import Starved
from proctor.sandbox.sessions import AnySandbox, shared_sandbox
from proctor.sandbox.unavailable import SandboxUnavailable
from proctor.settings import TimeLimits

# Who loses a session to the machine is marked again,  from the start and with other inputs. More
# often would serve those who find a way to end their own.
ATTEMPTS = 2


def mark(
    submission: bytes,
    assignment: str,
    course: Course,
    *,
    student: str | None = None,
    sandbox: AnySandbox | None = None,
    figures: bool = True,
    limits: TimeLimits | None = None,
    seed: int | None = None,
    modules: Mapping[str, bytes] | None = None,
) -> Marks:
    """Mark one submitted notebook.

    `submission` is the file's content as it came, `modules` are the student's own beside it. The
    seed of the random inputs is taken from it
    and a secret of the course unless given, so that the same file gets the same marks again.
    Whatever the submission does ends in its Marks. Raises what it cannot cause: CourseError when
    the course is at fault, SandboxUnavailable when nothing can be run, and Starved when the machine
    did not let it run.
    """
    started = time.monotonic()
    release = read_release(course.release(assignment))
    sha256 = Submission(submission, modules or {}).sha256
    reject = functools.partial(
        rejected, assignment, release, student, sha256=sha256, started=started
    )
    try:
        taken = rebuilding.rebuild(submission, release)
    except intake.Rejected as error:
        return reject(str(error))
    seed = seed_of(course, sha256) if seed is None else seed
    beside = course.files_beside(course.release(assignment))
    sandbox = furnished(sandbox or shared_sandbox(), beside)
    with_own, own, left_out = with_modules(sandbox, modules or {}, beside)
    if has_graded_cells(release):
        load_graders(course.graders(assignment))  # while the sandbox starts
    incidents = [*taken.repairs, *left_out]
    for attempt in range(ATTEMPTS):
        with examine(
            taken.notebook, release, with_own, limits=limits, figures=figures
        ) as examination:
            candidate = Candidate(examination, assignment, student, other_seed(seed, attempt))
            try:
                with contextlib.closing(candidate):
                    cells = mark_candidate(taken, release, course, candidate, sandbox)
            except (CourseError, SandboxUnavailable, Starved):
                raise
            except Exception as error:  # noqa: BLE001 - what its values did here is its own result
                return reject(f"it could not be marked, because its values led to {name_of(error)}")
            finally:
                incidents += examination.incidents
        if not any(each.ended_from_outside for each in candidate.examinations()):
            break
    else:
        raise Starved(f"its session was ended from outside, {ATTEMPTS} times")
    return Marks(
        assignment=assignment,
        student=student,
        status="graded",
        error=None,
        score=float(sum(cell.score for cell in cells if cell.score is not None)),
        max_score=automatic_points(release),
        seconds=time.monotonic() - started,
        incidents=list(dict.fromkeys(incidents)),
        cells=cells,
        seed=candidate.seed,
        sha256=sha256,
        modules=own,
        protection=sandbox.protection,
        limits=dataclasses.asdict(examination.limits) | dataclasses.asdict(sandbox.limits),
        notebook=taken.notebook,
        repairs=list(taken.repairs),
    )


def mark_candidate(
    taken: rebuilding.Intake,
    release: NotebookNode,
    course: Course,
    candidate: Candidate,
    sandbox: AnySandbox,
) -> list[CellMarks]:
    """Run the notebook, ask what its answers do, and mark every graded cell. In `sandbox`, where no
    module of the student's is, the course's own answers are run."""
    examination, assignment = candidate.examination, candidate.assignment
    show_runs(taken.notebook, examination.run_cells())
    known = intake.graded_cells(release)
    candidate.standings = standings_of(examination, taken.notebook, known, taken.unanswered)
    with bounded_memory():
        graded = has_graded_cells(release)
        results = run_graders(course.graders(assignment), candidate) if graded else []
        cells = mark_cells(assignment, release, results, taken.unanswered, candidate.note_on)
        missing = missing_packages(examination)
        examination.incidents.extend([*missing, *refused_cells(examination)])
        cells = [with_missing(cell, missing) for cell in cells]
        failed = failed_answers(release, cells)
        sources = sources_of(taken.notebook)
        where = candidate.examination_of_answer
        try:
            diagnoses = diagnose(failed, sources, course, assignment, where, sandbox)
        except (CourseError, SandboxUnavailable, Starved):
            raise
        except Exception as error:  # noqa: BLE001 - no value may cost the marks that were given
            diagnoses = {}
            examination.incidents.append(f"looking for known mistakes led to {name_of(error)}")
    return with_diagnoses(release, cells, diagnoses)


def name_of(error: Exception) -> str:
    """What may be said of an error here: its text may hold what a submission sent."""
    return f"{type(error).__name__}"


def other_seed(seed: int, attempt: int) -> int:
    """The seed of a further attempt: what was seen in the one before is of no use in it."""
    if not attempt:
        return seed
    return int.from_bytes(hashlib.sha256(f"{seed} {attempt}".encode()).digest()[:6], "big")


def examine(
    notebook: NotebookNode,
    release: NotebookNode,
    sandbox: AnySandbox,
    *,
    limits: TimeLimits | None = None,
    figures: bool = True,
) -> Examination:
    cells = [cell for cell in notebook.cells if is_run(cell)]
    released = {cell.get("id"): cell.source for cell in release.cells}
    unchanged = [cell.source == released.get(cell.get("id")) for cell in cells]
    names = [
        cell.metadata.get("nbgrader", {}).get("grade_id") or f"code cell {number}"
        for number, cell in enumerate(cells, start=1)
    ]
    return Examination(
        sandbox,
        [cell.source for cell in cells],
        names=names,
        limits=limits,
        figures=figures,
        figure_cells=[
            index for index, cell in enumerate(cells) if unchanged[index] and only_draws(cell)
        ],
        student_cells=[index for index in range(len(cells)) if not unchanged[index]],
        own_cells=[
            index for index, cell in enumerate(cells) if cell.metadata.get("proctor", {}).get("own")
        ],
    )


def only_draws(cell: NotebookNode) -> bool:
    """Whether the author says so: what such a cell of the release prints is not needed, either."""
    return "figure" in cell.metadata.get("tags", [])


def show_runs(notebook: NotebookNode, runs: Sequence[CellRun]) -> None:
    """Put what the cells printed and drew into the notebook."""
    cells = [cell for cell in notebook.cells if is_run(cell)]
    for number, (cell, run) in enumerate(zip(cells, runs, strict=True), start=1):
        cell.outputs = [NotebookNode(output) for output in run.outputs]
        cell.execution_count = None if run.status == "skipped" else number


def mark_cells(
    assignment: str,
    release: NotebookNode,
    results: Sequence[CheckResult],
    unanswered: Container[str],
    note_on: Callable[[str], str | None] = lambda exercise: None,
) -> list[CellMarks]:
    """The marks of every graded cell, in the notebook's order.

    `unanswered` are the grade ids of answers that are as they were released, `note_on` gives what a
    student is told of an exercise beside its checks.
    """
    known = intake.graded_cells(release)
    automatic = {name for name, cell in known.items() if cell.kind == "graded"}
    checked = {result.grades.cell for result in results}
    if checked != automatic:
        raise CourseError(
            f"the hidden tests of {assignment} do not fit its released notebook: "
            "graded cells without a hidden test: "
            f"{', '.join(sorted(automatic - checked)) or 'none'}; "
            f"tests for other cells: {', '.join(sorted(checked - automatic)) or 'none'}"
        )
    cells = []
    for graded in known.values():
        if graded.kind == "solution":
            continue
        blank = (graded.answer or graded.grade_id) in unanswered
        if graded.kind == "manual":
            cells.append(CellMarks(graded.grade_id, None, graded.points, True, blank))
            continue
        found = [result for result in results if result.grades.cell == graded.grade_id]
        checks = checks_of(found)
        score = score_of(graded.points, checks)
        note = note_on(graded.answer or graded.grade_id)
        cells.append(
            CellMarks(graded.grade_id, score, graded.points, False, blank, None, checks, note)
        )
    return cells


def failed_answers(release: NotebookNode, cells: Sequence[CellMarks]) -> list[str]:
    """The solution cells whose checks did not all pass, in the notebook's order."""
    known = intake.graded_cells(release)
    lost = [cell for cell in cells if any(not check.passed for check in cell.checks)]
    answers = [known[cell.grade_id].answer for cell in lost]
    return list(dict.fromkeys(answer for answer in answers if answer is not None))


def sources_of(notebook: NotebookNode) -> dict[str, str]:
    """What stands in the solution cells, by grade id."""
    return {
        cell.metadata.nbgrader.grade_id: cell.source
        for cell in notebook.cells
        if cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("solution", False)
    }


def with_diagnoses(
    release: NotebookNode, cells: Sequence[CellMarks], diagnoses: Mapping[str, str]
) -> list[CellMarks]:
    """The marks, with each diagnosis in the first cell that the answer lost marks in."""
    known, left, diagnosed = intake.graded_cells(release), dict(diagnoses), []
    for cell in cells:
        failed = any(not check.passed for check in cell.checks)
        text = left.pop(known[cell.grade_id].answer or "", None) if failed else None
        diagnosed.append(dataclasses.replace(cell, diagnosis=text))
    return diagnosed


def checks_of(results: Sequence[CheckResult]) -> list[Check]:
    """One check for each grader; the variants of a parametrised one must all pass."""
    variants: dict[str, list[CheckResult]] = {}
    for result in results:
        variants.setdefault(result.name.partition("[")[0], []).append(result)
    return [check_of(name, found) for name, found in variants.items()]


def check_of(name: str, variants: Sequence[CheckResult]) -> Check:
    failed = [result for result in variants if not result.passed]
    tried = [result for result in failed if result.tried]
    first = (tried or failed or variants)[0]
    return Check(
        name=name,
        title=first.title,
        passed=not failed,
        hint=first.hint,
        weight=first.grades.weight,
        detail="\n".join(result.detail for result in failed),
        seconds=sum(result.seconds for result in variants),
        tried=first.tried,
        cause=first.cause,
        meaning=first.meaning,
    )


def score_of(points: float, checks: Sequence[Check]) -> float:
    """points x passed weight / total weight; a cell without checks is worth nothing."""
    if checks and all(check.passed for check in checks):
        return points
    total = sum(check.weight for check in checks)
    passed = sum(check.weight for check in checks if check.passed)
    return round(points * passed / total, 4) if total else 0.0


def open_candidate(
    root: Path,
    assignment: str,
    *,
    submission: str | None,
    student: str | None,
    seed: int | None,
    accelerator_device: str,
    unsafe: bool,
) -> Candidate:
    """Run a notebook for graders started by plain pytest: a submission, or the reference."""
    from proctor.settings import Grading, load_config

    course, grading = Course(root), Grading(config=load_config()).of(assignment)
    demand_packages(grading.packages)
    if submission is None:
        place = course.reference(assignment)
        notebook = release = read_notebook(place)
        sha256 = "0" * 64
        unanswered: frozenset[str] = frozenset()
        modules: Mapping[str, bytes] = {}
    else:
        place = course.release(assignment)
        release = read_notebook(place)
        given = read_with_modules(Path(submission), grading.submission_bytes)
        taken = rebuilding.rebuild(given.notebook, release)
        notebook, unanswered = taken.notebook, taken.unanswered
        sha256, modules = given.sha256, given.modules
    bare, beside = (
        shared_sandbox(grading.session_limits(), unsafe=unsafe),
        course.files_beside(place),
    )
    sandbox, _, _ = with_modules(furnished(bare, beside), modules, beside)
    limits = grading.time_limits()
    examination = examine(notebook, release, sandbox, limits=limits, figures=False)
    examination.run_cells()
    seed = seed_of(course, sha256) if seed is None else seed
    known = intake.graded_cells(release)
    standings = standings_of(examination, notebook, known, unanswered)
    return Candidate(examination, assignment, student, seed, accelerator_device, standings)
