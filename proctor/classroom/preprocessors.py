"""nbgrader with proctor inside: the parts that nbgrader_config.py puts into nbgrader's converters.

`nbgrader autograde` works in two rounds. In the first ("sanitizing") nbgrader reads the submitted
notebook: `SubmissionExporter` hands it the rebuilt one instead. In the second it would run the
notebook: `MarkInSandbox` marks it instead and puts a report into every graded cell, from which
nbgrader's own SaveAutoGrades takes the score.

Preprocessors come too late for what nbgrader does with a submission before any of them runs:
`nbgrader_seams` takes care of that.
"""

from __future__ import annotations

import functools
import textwrap
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from nbconvert.exporters import NotebookExporter
from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode
from nbformat.v4 import new_notebook
from nbgrader.converters import Autograde
from nbgrader.converters.base import NbGraderException
from nbgrader.preprocessors import ClearSolutions, GetGrades, NbGraderPreprocessor
from traitlets.config import Config

from proctor.classroom.ahead import MarkedAhead
from proctor.classroom.feedback_pages import class_in_gradebook, head_of, time_told
from proctor.classroom.gradebook import course_in, demand_same_cells
from proctor.classroom.set_aside import SetAside, marks_in, note_set_aside
from proctor.classroom.workers import Job, MarkingSettings, Workers
from proctor.course import Course, CourseError, read_notebook
from proctor.grading import intake, rebuilding
from proctor.grading.asserts import demand_asserts
from proctor.grading.marks import Marks, has_graded_cells
from proctor.grading.missing import demand_packages
from proctor.grading.records import write_record
from proctor.grading.submitted import notes_on, read_submitted
from proctor.pages.feedback import (
    cell_report,
    limit_markup,
    notes_cell,
    refusal_report,
    safe_outputs,
)
from proctor.pages.returned import kept_marks
from proctor.sandbox.sessions import shared_sandbox
from proctor.sandbox.unavailable import SandboxUnavailable
from proctor.settings import Grading, LateDays

Result = tuple[NotebookNode, ResourcesDict]


class ClearSolutionsByName(ClearSolutions):
    """nbgrader's ClearSolutions, with a stub that can name the exercise by {grade_id}."""

    def preprocess_cell(
        self, cell: NotebookNode, resources: ResourcesDict, cell_index: int
    ) -> Result:
        cell, resources = super().preprocess_cell(cell, resources, cell_index)
        grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
        if grade_id is not None and cell.metadata.nbgrader.get("solution", False):
            cell.source = cell.source.replace("{grade_id}", grade_id)
        return cell, resources


# Round one: reading the submission


class SubmissionExporter(NotebookExporter):
    """Reads a submitted notebook as what it is, untrusted; those of later steps as usual.

    nbgrader makes it once, before it touches any submission: the moment to refuse what would fail
    for every student. Whether a notebook is sound is checked once all preprocessors are done.
    """

    def __init__(self, **settings: Any):
        super().__init__(**settings)
        if isinstance(self.parent, Autograde):
            demand_that_grading_can_run(self.parent)

    def _preprocess(self, nb: NotebookNode, resources: ResourcesDict) -> Result:
        self.optimistic_validation = bool(self._preprocessors)  # nbconvert takes for granted some
        return super()._preprocess(nb, resources)

    def from_filename(
        self, filename: str, resources: dict[str, Any] | None = None, **settings: Any
    ) -> tuple[NotebookNode, dict[str, Any]]:
        converter = self.parent
        if not isinstance(converter, Autograde) or not converter._sanitizing:
            return super().from_filename(filename, resources=resources, **settings)
        path = Path(filename)
        resources = resources or ResourcesDict()
        resources["metadata"] = ResourcesDict(name=path.stem, path=str(path.parent))
        release = read_notebook(
            course_in(converter.coursedir).release(resources["nbgrader"]["assignment"])
        )
        most = Grading(config=converter.config).of(path.stem).submission_bytes
        notebook, notes = read_or_replace(path, release, most)
        for note in notes:
            self.log.warning("%s: %s", path.parent, note)
        return self.from_notebook_node(notebook, resources=resources, **settings)


def read_or_replace(path: Path, release: NotebookNode, most: int) -> tuple[NotebookNode, list[str]]:
    """The rebuilt submission; if it cannot be read, the release with the reason on top."""
    notes = notes_on(path.parent, path.stem, most)
    try:
        submission = read_submitted(path.parent, path.stem, most)
        taken = rebuilding.rebuild(submission.notebook, release)
    except intake.Rejected as error:
        notebook = rebuilding.rebuild(rebuilding.EMPTY, release).notebook
        notebook.cells.insert(0, notes_cell("This submission could not be graded", [str(error)]))
        return notebook, [*notes, str(error)]
    notes.extend(taken.repairs)
    taken.notebook.cells[:0] = put_right(notes)
    return taken.notebook, notes


def put_right(notes: list[str]) -> list[NotebookNode]:
    """The cell that tells of them, if there are any."""
    return [notes_cell("What was repaired before grading", notes)] if notes else []


def before_marking(marks: Marks, folder: Path, most: int) -> NotebookNode:
    """What the first round gives for a submission whose marks are ready, as far as the second
    takes anything of it."""
    notes = [*notes_on(folder, marks.assignment, most), *marks.repairs]
    return new_notebook(cells=put_right(notes))


# Round two: marking it


class MarkInSandbox(NbGraderPreprocessor):
    """Marks a submission, and reports in its graded cells; stands where nbgrader executes cells.

    Its marks may be there already: `ready` holds those of a student and assignment, `ahead` gives
    those that workers are at. `stored` holds the marks whose record is to be written once nbgrader
    has stored them.
    """

    ready: ClassVar[dict[tuple[str, str], Marks]] = {}
    ahead: ClassVar[MarkedAhead] = MarkedAhead()
    stored: ClassVar[dict[tuple[str, str], tuple[Course, Marks]]] = {}

    def preprocess(self, nb: NotebookNode, resources: ResourcesDict) -> Result:
        student = resources["nbgrader"]["student"]
        assignment = resources["nbgrader"]["assignment"]
        converter = self.parent.parent
        course = course_in(converter.coursedir)
        folder = Path(
            converter.coursedir.format_path(
                converter.coursedir.submitted_directory, student, assignment
            )
        )
        most = Grading(config=self.config).of(assignment).submission_bytes
        marks = self.ready.get((student, assignment))
        if marks is None:
            try:
                marks = self.ahead.marks(student)
                if marks is None or not is_of(marks, folder, most):
                    marks = mark_submission(folder, assignment, student, course, self.config)
            except SetAside as error:
                note_set_aside(course, error.outcome, None)
                raise
            marks.incidents.extend(notes_on(folder, assignment, most))
        for incident in marks.incidents:
            self.log.warning("%s, %s: %s", student, assignment, ascii(incident))
        notes = [cell for cell in nb.cells if is_notes(cell)]
        if marks.notebook is not None:
            nb = marks.notebook
            nb.cells = notes + [cell for cell in nb.cells if not is_notes(cell)]
        report(nb, marks)
        self.stored[student, assignment] = (course, marks)
        return nb, resources


def is_notes(cell: NotebookNode) -> bool:
    return bool(cell.metadata.get("proctor", {}).get("notes"))


def is_of(marks: Marks, folder: Path, most: int) -> bool:
    """Whether the marks are of what lies there now: it may have been handed in again since."""
    try:
        return read_submitted(folder, marks.assignment, most).sha256 == marks.sha256
    except intake.Rejected as error:
        return str(error) == marks.error


def write_records(**_: Any) -> None:
    """nbgrader calls this when it has stored a submission's scores and its notebook.

    The record comes last, as it is the sign that nothing is left to do for the submission; what was
    ready before is committed later, and its record written then.
    """
    for key, (course, marks) in list(MarkInSandbox.stored.items()):
        if key not in MarkInSandbox.ready:
            write_record(course, marks)
            del MarkInSandbox.stored[key]


def mark_submission(
    folder: Path, assignment: str, student: str, course: Course, config: Config
) -> Marks:
    """Mark the notebook in a folder that a student handed in, whatever it holds.

    A process of its own looks at it, as values of a stranger may end who looks at them: this one
    may be a server. Raises SetAside.
    """
    grading = Grading(config=config).of(assignment)
    settings = MarkingSettings.of(course.root, grading)
    read = functools.partial(read_submitted, folder, assignment, grading.submission_bytes)
    job = Job(student, assignment, read)
    with Workers(1, shared_sandbox(grading.session_limits()), settings) as workers:
        [outcome] = workers.mark([job])
    return marks_in(outcome)


def report(notebook: NotebookNode, marks: Marks) -> None:
    """Show the marks in the graded cells, and what the student's cells gave in theirs.

    nbgrader would take any error or warning in a graded cell for a failure and its first result
    for the score, so nothing but the report may be there.
    """
    by_grade_id = {cell.grade_id: cell for cell in marks.cells}
    of_student = []
    notebook.metadata["proctor"] = {
        "graded_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "rejected": marks.status == "rejected",
    }
    for cell in notebook.cells:
        labels = cell.metadata.get("nbgrader", {})
        if labels.get("grade_id") in by_grade_id:
            cell.metadata["proctor"] = kept_marks(by_grade_id[labels["grade_id"]])
        if cell.cell_type != "code":
            continue
        if not labels.get("grade", False) or labels.get("solution", False):
            cell.outputs = safe_outputs(cell.outputs)
            of_student.append(cell)
        elif marks.status == "rejected":
            cell.outputs = refusal_report(marks.error or "")
        else:
            cell.outputs = cell_report(by_grade_id[labels["grade_id"]])
    limit_markup(of_student)  # never the reports


# Feedback


class GetGradesGiven(GetGrades):
    """nbgrader's GetGrades, that also tells what a person has yet to grade, which items of the
    rubric an answer got, and what stands on top of the page. What the gradebook holds of the class
    is read once, not cell by cell."""

    def preprocess(self, nb: NotebookNode, resources: ResourcesDict) -> Result:
        names = resources["nbgrader"]
        converter = self.parent.parent
        in_class = class_in_gradebook(converter, names["assignment"])
        self.student = in_class.students[names["student"]]
        self.points = in_class.points
        for index, cell in enumerate(nb.cells):
            self.preprocess_cell(cell, resources, index)
        penalty = self.student.penalty or 0
        names["score"] = self.student.score - penalty
        names["max_score"] = sum(in_class.points.values())
        names["late_penalty"] = penalty
        head = names["head"] = head_of(converter, names["assignment"], names["student"])
        graded_at = nb.metadata.get("proctor", {}).get("graded_at")
        head["graded_at"] = graded_at and time_told(converter, datetime.fromisoformat(graded_at))
        return nb, resources

    def _get_comment(self, cell: NotebookNode, resources: ResourcesDict) -> None:
        cell.metadata.nbgrader["comment"] = self.student.comments[cell.metadata.nbgrader.grade_id]

    def _get_score(self, cell: NotebookNode, resources: ResourcesDict) -> None:
        labels = cell.metadata.nbgrader
        grade = self.student.grades[labels.grade_id]
        labels["score"] = grade.score
        labels["points"] = self.points[labels.grade_id]
        labels["needs_manual_grade"] = grade.needs_person
        if labels.get("solution"):
            labels["given"] = self.student.items.get(labels.grade_id, [])


# Before either round


def demand_that_grading_can_run(converter: Autograde) -> None:
    """Stop before the first submission where none could be graded, and say what to do about it.

    nbgrader would go through the class, log each failure and remove what was graded before.
    """
    if MarkInSandbox.ready:
        return
    assignment = converter.coursedir.assignment_id
    course = course_in(converter.coursedir)
    try:
        demand_asserts()
        LateDays.of(converter.config)
        if has_graded_cells(read_notebook(course.release(assignment))):
            course.graders(assignment)
        grading = Grading(config=converter.config).of(assignment)
        demand_packages(grading.packages)
        sandbox = shared_sandbox(grading.session_limits())
        sandbox.start()  # while the gradebook is opened, which takes seconds as well
        demand_same_cells(converter.coursedir, course.release(assignment))
        sandbox.session().kill()
    except (CourseError, SandboxUnavailable) as error:
        kind = "There is no sandbox" if isinstance(error, SandboxUnavailable) else "It cannot start"
        message = f"Nothing was graded. {kind}: {error}"
        # Formgrader's dialog is narrow, and cuts what is longer.
        for line in textwrap.wrap(message, 60):
            converter.log.error(line)
        raise NbGraderException(message) from None
