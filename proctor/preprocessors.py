"""nbgrader with proctor inside: the parts that nbgrader_config.py puts into nbgrader's converters.

`nbgrader autograde` works in two rounds. In the first ("sanitizing") nbgrader reads the submitted
notebook: `SubmissionExporter` hands it the rebuilt one instead. In the second it would run the
notebook: `MarkInSandbox` marks it instead and puts a report into every graded cell, from which
nbgrader's own SaveAutoGrades takes the score.

Preprocessors come too late for what nbgrader does with a submission before any of them runs, so
`guard_submissions` takes the place of the methods that touch its other files, and of the one that
goes from submission to submission: those that come next are marked while one is stored.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import textwrap
from pathlib import Path
from typing import Any, ClassVar

import nbgrader.api
from nbconvert.exporters import NotebookExporter
from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.converters import Autograde
from nbgrader.converters.base import BaseConverter, NbGraderException
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import ClearSolutions, GetGrades, NbGraderPreprocessor
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError
from traitlets.config import Config

from proctor import intake
from proctor.ahead import MarkedAhead, marking_ahead
from proctor.course import Course, CourseError, read_notebook
from proctor.feedback import cell_report, limit_markup, notes_cell, refusal_report, safe_outputs
from proctor.marks import Marks, rejected_unread
from proctor.records import write_record
from proctor.sandbox import SandboxUnavailable, shared_sandbox
from proctor.settings import Grading
from proctor.submitted import (
    read_submitted,
    refused_side_files,
    side_files,
    submitted_notebook,
)

MAX_TIMESTAMP_BYTES = 200

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
    for every student.
    """

    def __init__(self, **settings: Any):
        super().__init__(**settings)
        if isinstance(self.parent, Autograde):
            demand_that_grading_can_run(self.parent)

    def from_filename(
        self, filename: str, resources: ResourcesDict | None = None, **settings: Any
    ) -> tuple[str, ResourcesDict]:
        converter = self.parent
        if not isinstance(converter, Autograde) or not converter._sanitizing:
            return super().from_filename(filename, resources=resources, **settings)
        path = Path(filename)
        resources = resources or ResourcesDict()
        resources["metadata"] = ResourcesDict(name=path.stem, path=str(path.parent))
        release = read_notebook(course_of(converter).release(resources["nbgrader"]["assignment"]))
        notebook, notes = read_or_replace(path, release)
        for note in notes:
            self.log.warning("%s: %s", path.parent, note)
        return self.from_notebook_node(notebook, resources=resources, **settings)


def read_or_replace(path: Path, release: NotebookNode) -> tuple[NotebookNode, list[str]]:
    """The rebuilt submission; if it cannot be read, the release with the reason on top."""
    notes = refused_side_files(path.parent)
    try:
        found = submitted_notebook(path)
        taken = intake.rebuild(intake.read_submission(found), release)
    except intake.Rejected as error:
        notebook = intake.rebuild(b'{"nbformat": 4, "cells": []}', release).notebook
        notebook.cells.insert(0, notes_cell("This submission could not be graded", [str(error)]))
        return notebook, [*notes, str(error)]
    if found != path:
        notes.append(f"the notebook was named {found.name!a}, not {path.name}.")
    notes.extend(taken.repairs)
    if notes:
        taken.notebook.cells.insert(0, notes_cell("What was put right before grading", notes))
    return taken.notebook, notes


def course_of(converter: BaseConverter) -> Course:
    return Course(Path(converter.coursedir.root))


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
        course = course_of(converter)
        folder = Path(
            converter.coursedir.format_path(
                converter.coursedir.submitted_directory, student, assignment
            )
        )
        marks = self.ready.pop((student, assignment), None)
        if marks is None:
            marks = self.ahead.marks(student)
            if marks is None or not is_of(marks, folder):
                marks = mark_submission(folder, assignment, student, course, self.config)
            marks.incidents.extend(refused_side_files(folder))
        for incident in marks.incidents:
            self.log.warning("%s, %s: %s", student, assignment, ascii(incident))
        notes = [cell for cell in nb.cells if cell.metadata.get("proctor", {}).get("notes")]
        if marks.notebook is not None:
            nb = marks.notebook
            nb.cells = notes + nb.cells
        report(nb, marks)
        self.stored[student, assignment] = (course, marks)
        return nb, resources


def is_of(marks: Marks, folder: Path) -> bool:
    """Whether the marks are of what lies there now: it may have been handed in again since."""
    try:
        return hashlib.sha256(read_submitted(folder, marks.assignment)).hexdigest() == marks.sha256
    except intake.Rejected as error:
        return str(error) == marks.error


def write_records(**_: Any) -> None:
    """nbgrader calls this when it has stored a submission's scores and its notebook.

    The record comes last, as it is the sign that nothing is left to do for the submission.
    """
    for key, (course, marks) in list(MarkInSandbox.stored.items()):
        write_record(course, marks)
        del MarkInSandbox.stored[key]


def mark_submission(
    folder: Path, assignment: str, student: str, course: Course, config: Config
) -> Marks:
    """Mark the notebook in a folder that a student handed in, whatever it holds."""
    # Here, because most commands of nbgrader mark nothing and torch takes seconds to import.
    from proctor.marking import mark

    grading = Grading(config=config)
    try:
        submission = read_submitted(folder, assignment)
    except intake.Rejected as error:
        return rejected_unread(assignment, course, student, str(error))
    return mark(
        submission,
        assignment,
        course,
        student=student,
        figures=grading.figures,
        limits=grading.time_limits(),
    )


def report(notebook: NotebookNode, marks: Marks) -> None:
    """Show the marks in the graded cells, and what the student's cells gave in theirs.

    nbgrader would take any error or warning in a graded cell for a failure and its first result
    for the score, so nothing but the report may be there.
    """
    by_grade_id = {cell.grade_id: cell for cell in marks.cells}
    of_student = []
    for cell in notebook.cells:
        labels = cell.metadata.get("nbgrader", {})
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
    """nbgrader's GetGrades, that also tells what a person has yet to grade."""

    def _get_score(self, cell: NotebookNode, resources: ResourcesDict) -> None:
        super()._get_score(cell, resources)
        labels = cell.metadata.nbgrader
        grade = self.gradebook.find_grade(
            labels.grade_id, self.notebook_id, self.assignment_id, self.student_id
        )
        labels["needs_manual_grade"] = grade.needs_manual_grade


# The seam: what nbgrader does with a submission before any exporter or preprocessor sees it


def guard_submissions() -> None:
    """Let nbgrader's autograde take nothing from a submission's folder but small regular files, and
    mark the submissions that come next while it stores one.

    nbgrader offers no hook for this: it follows links when it copies the files beside a notebook
    and when it reads the timestamp, it ignores what a `pre_convert_hook` raises, and it looks at
    one submission at a time.
    """
    BaseConverter.init_assignment = init_assignment
    CourseDirectory.get_existing_timestamp = get_existing_timestamp
    BaseConverter.convert_notebooks = convert_notebooks


NBGRADER_INIT_ASSIGNMENT = BaseConverter.init_assignment
NBGRADER_GET_EXISTING_TIMESTAMP = CourseDirectory.get_existing_timestamp
NBGRADER_CONVERT_NOTEBOOKS = BaseConverter.convert_notebooks


def convert_notebooks(self: BaseConverter) -> None:
    """In place of nbgrader's, around it: all submissions of a run."""
    if not isinstance(self, Autograde):
        NBGRADER_CONVERT_NOTEBOOKS(self)
        return
    keep_engines()
    if MarkInSandbox.ready:
        NBGRADER_CONVERT_NOTEBOOKS(self)
        return
    count_rows(self.coursedir)
    with marking_ahead(self, course_of(self)) as MarkInSandbox.ahead:
        NBGRADER_CONVERT_NOTEBOOKS(self)


def keep_engines() -> None:
    """Let nbgrader use one database engine for the whole run.

    It opens the gradebook about ten times per submission, each time with a new engine, which has to
    compile every query anew; that takes longer than the queries.
    """
    if not hasattr(nbgrader.api.create_engine, "cache_info"):
        nbgrader.api.create_engine = functools.cache(nbgrader.api.create_engine)


def look_for_tables_once() -> None:
    """Let nbgrader see once, not each time it opens the gradebook, whether it has all tables.

    For a command that does nothing else: in a server somebody may begin with a new gradebook.
    """
    tables = nbgrader.api.Base.metadata
    if not hasattr(tables.create_all, "cache_info"):
        tables.create_all = functools.cache(tables.create_all)


def count_rows(coursedir: CourseDirectory) -> None:
    """Let SQLite take stock of the gradebook. Where it does not know that a class has many grades
    of a cell and few of a notebook, it finds a grade by going through the whole class."""
    with (
        contextlib.suppress(DatabaseError),  # it is but slower; what is wrong shows elsewhere
        Gradebook(coursedir.db_url, coursedir.course_id) as gradebook,
    ):
        if gradebook.engine.dialect.name == "sqlite":
            gradebook.db.execute(text("ANALYZE"))
            gradebook.db.commit()


def init_assignment(self: BaseConverter, assignment_id: str, student_id: str) -> None:
    """In place of nbgrader's: copy the files beside a notebook, but those of students with care.

    What is graded is always the notebook that the assignment has. If it is missing or has another
    name, the student gets marks and a reason for them, instead of the instructor an error.
    """
    if not isinstance(self, Autograde):
        NBGRADER_INIT_ASSIGNMENT(self, assignment_id, student_id)
        return
    # What is graded again has no record until it is done: a kill in between must not go unseen.
    course_of(self).record(student_id, assignment_id).unlink(missing_ok=True)
    source = Path(self._format_source(assignment_id, student_id))
    target = Path(self._format_dest(assignment_id, student_id))
    for path, data in side_files(source, self.coursedir.ignore):
        copy = target / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.unlink(missing_ok=True)
        copy.write_bytes(data)
    self.notebooks = [str(source / f"{assignment_id}.ipynb")]


def get_existing_timestamp(self: CourseDirectory, dest_path: str) -> Any:
    """The time of submission, or None where there is none that can be read."""
    path = Path(dest_path) / "timestamp.txt"
    if not os.path.lexists(path):
        return None
    try:
        intake.read_regular_file(path, MAX_TIMESTAMP_BYTES)
        return NBGRADER_GET_EXISTING_TIMESTAMP(self, dest_path)
    except (intake.Rejected, ValueError, OverflowError, AttributeError) as error:
        # nbgrader means to call `fail` on a wrong timestamp, which does not exist.
        self.log.warning("%s was not used: %s", path, ascii(str(error)))
        return None


def demand_that_grading_can_run(converter: Autograde) -> None:
    """Stop before the first submission where none could be graded, and say what to do about it.

    nbgrader would go through the class, log each failure and remove what was graded before.
    """
    if MarkInSandbox.ready:
        return
    assignment = converter.coursedir.assignment_id
    course = course_of(converter)
    try:
        course.graders(assignment)
        shared_sandbox().start()  # while the gradebook is opened, which takes seconds as well
        demand_same_cells(converter.coursedir, course.release(assignment))
        shared_sandbox().session().kill()
    except (CourseError, SandboxUnavailable) as error:
        kind = "There is no sandbox" if isinstance(error, SandboxUnavailable) else "It cannot start"
        message = f"Nothing was graded. {kind}: {error}"
        # Formgrader's dialog is narrow, and cuts what is longer.
        for line in textwrap.wrap(message, 60):
            converter.log.error(line)
        raise NbGraderException(message) from None


def demand_same_cells(coursedir: CourseDirectory, path: Path) -> None:
    """Refuse to grade with a gradebook that knows other cells or points than the release.

    Raises CourseError.
    """
    assignment = coursedir.assignment_id
    release = read_notebook(path)
    released = {
        cell.grade_id: cell.points
        for cell in intake.graded_cells(release).values()
        if cell.kind != "solution"
    }
    known = cells_in_gradebook(coursedir)
    if known != released:
        different = sorted({name for name, _ in known.items() ^ released.items()})
        raise CourseError(
            f"the gradebook and release/{assignment} disagree about {', '.join(different)}: run "
            f"`nbgrader generate_assignment {assignment}`, which brings both up to date."
        )


def cells_in_gradebook(coursedir: CourseDirectory) -> dict[str, float]:
    """The graded cells that the gradebook knows, and their points. Raises CourseError."""
    assignment = coursedir.assignment_id
    try:
        with Gradebook(coursedir.db_url, coursedir.course_id) as gradebook:
            notebooks = gradebook.find_assignment(assignment).notebooks
            cells = [cell for book in notebooks for cell in (*book.grade_cells, *book.task_cells)]
            return {cell.name: cell.max_score for cell in cells}
    except MissingEntry:
        raise CourseError(
            f"the gradebook does not know {assignment}: run "
            f"`nbgrader generate_assignment {assignment}` first."
        ) from None
    except DatabaseError as error:
        raise unusable(error) from error


def unusable(error: DatabaseError) -> CourseError:
    """What to do about a gradebook that is locked, broken or out of room."""
    return CourseError(
        f"the gradebook cannot be used ({error.orig}). Close what has gradebook.db open, or put a "
        "sound copy in its place; then the same command goes on with what is not graded yet."
    )
