"""What of nbgrader's own methods is replaced, and why: it offers no hook for any of this.

* `BaseConverter.init_notebooks` passes over a folder in which no file is called a notebook.
* `BaseConverter.init_assignment` copies the files beside a notebook, following links.
* `CourseDirectory.get_existing_timestamp` follows links, too, fails on what is no time, and takes
  +0100 for a hundred seconds.
* `CourseDirectory.groupshared` leaves out the gradebook, new folders of students, and our records.
* `Autograde.convert_single_notebook` reads and writes a notebook twice, also where the marks are
  ready.
* `BaseConverter.convert_notebooks` looks at one submission at a time; ours marks those that come
  next meanwhile.
  What it refuses to release it takes away; ours puts back what was released before.
* `BaseConverter.init_destination` leaves a page of feedback alone that is there, whatever changed
  since; `write_single_notebook` may be ended in the middle of one.
* `ExportApp` writes penalties as they were worked out when something was graded, whatever changed
  since; `init_plugin` is what it calls first.
* `glob.glob` in its modules is given the course's own path as part of a pattern, and finds nothing
  where that has brackets in it.

nbgrader ignores what a `pre_convert_hook` raises, and runs preprocessors after all that.
"""

from __future__ import annotations

import glob
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from nbconvert.exporters.exporter import ResourcesDict
from nbgrader import converters, utils
from nbgrader.apps import api
from nbgrader.apps.exportapp import ExportApp
from nbgrader.converters import Autograde, GenerateAssignment, GenerateFeedback
from nbgrader.converters.base import BaseConverter, NbGraderException
from nbgrader.coursedir import CourseDirectory
from nbgrader.exchange import default

from proctor.classroom.ahead import marking_ahead
from proctor.classroom.deadlines.penalties import ClassDeadlines, renew_penalties
from proctor.classroom.deadlines.table import NAME as EXTENSIONS
from proctor.classroom.feedback_pages import (
    class_in_gradebook,
    made_of,
    mark_of,
    page_of,
    with_mark,
)
from proctor.classroom.folders import handed_in
from proctor.classroom.gradebook import count_rows, course_in, keep_engines, share_gradebook
from proctor.classroom.preprocessors import MarkInSandbox, before_marking
from proctor.course import CourseError
from proctor.grading import intake
from proctor.grading.submitted import side_files, submitted_at
from proctor.settings import Grading


def guard_submissions() -> None:
    """Let nbgrader's autograde take nothing from a submission's folder but small regular files, and
    mark the submissions that come next while it stores one.

    nbgrader offers no hook for this: it follows links when it copies the files beside a notebook
    and when it reads the timestamp, it ignores what a `pre_convert_hook` raises, and it looks at
    one submission at a time.
    """
    BaseConverter.init_assignment = init_assignment
    CourseDirectory.get_existing_timestamp = get_existing_timestamp
    CourseDirectory._load_config = load_and_share
    BaseConverter.convert_notebooks = convert_notebooks
    BaseConverter.init_notebooks = init_notebooks
    BaseConverter.init_destination = init_destination
    BaseConverter.write_single_notebook = write_single_notebook
    ExportApp.init_plugin = init_plugin
    Autograde.convert_single_notebook = convert_single_notebook


def take_path_as_it_is(course: str) -> None:
    """Let nbgrader find its files in a course whose own path reads as a pattern: `Kurs [2026]`."""
    if glob.has_magic(course):
        exchange = default.fetch_feedback, default.release_feedback
        for module in (api, converters.base, utils, *exchange):
            module.glob = GlobBelow(course)


class GlobBelow:
    """The module `glob`, where a pattern begins only below this folder."""

    def __init__(self, folder: str):
        self.folder = folder

    def glob(self, pattern: str) -> list[str]:
        below = pattern.removeprefix(self.folder)
        if below != pattern:
            pattern = glob.escape(self.folder) + below
        return glob.glob(pattern)  # noqa: PTH207 - as nbgrader expects it


NBGRADER_INIT_ASSIGNMENT = BaseConverter.init_assignment
NBGRADER_LOAD_CONFIG = CourseDirectory._load_config
NBGRADER_CONVERT_NOTEBOOKS = BaseConverter.convert_notebooks
NBGRADER_INIT_NOTEBOOKS = BaseConverter.init_notebooks
NBGRADER_INIT_DESTINATION = BaseConverter.init_destination
NBGRADER_CONVERT_SINGLE_NOTEBOOK = Autograde.convert_single_notebook
NBGRADER_WRITE_SINGLE_NOTEBOOK = BaseConverter.write_single_notebook
NBGRADER_INIT_PLUGIN = ExportApp.init_plugin


def convert_notebooks(self: BaseConverter) -> None:
    """In place of nbgrader's, around it: all submissions of a run."""
    # Who is graded alone has their own penalties worked out on the way.
    alone = MarkInSandbox.ready or self.coursedir.student_id != "*"
    if isinstance(self, GenerateFeedback) or (isinstance(self, Autograde) and not alone):
        keep_engines()
        try:
            renew_penalties(
                self.coursedir, self.config, partial(self.log.warning, "%s, %s", EXTENSIONS)
            )
        except CourseError as error:
            self.log.error("%s", error)
            raise NbGraderException(str(error)) from None
    if not isinstance(self, Autograde):
        kept = kept_release(self) if isinstance(self, GenerateAssignment) else nullcontext()
        with kept:
            NBGRADER_CONVERT_NOTEBOOKS(self)
        share_gradebook(self.coursedir)  # it may just have been made
        return
    keep_engines()
    if MarkInSandbox.ready:
        NBGRADER_CONVERT_NOTEBOOKS(self)
        return
    count_rows(self.coursedir)
    with marking_ahead(self, course_in(self.coursedir)) as MarkInSandbox.ahead:
        NBGRADER_CONVERT_NOTEBOOKS(self)


def init_plugin(self: ExportApp) -> None:
    """Around nbgrader's: what is exported is up to date."""
    try:
        renew_penalties(
            self.coursedir, self.config, partial(self.log.warning, "%s, %s", EXTENSIONS)
        )
    except CourseError as error:
        self.fail("%s", error)
    NBGRADER_INIT_PLUGIN(self)


@contextmanager
def kept_release(self: GenerateAssignment) -> Iterator[None]:
    """Put the release back as it was where a new one is refused: nbgrader takes it away first, and
    without it nothing can be graded."""
    release = Path(self._format_dest(self.coursedir.assignment_id, "."))
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "release"
        if release.is_dir():
            shutil.copytree(release, copy)
        try:
            yield
        except BaseException:
            if copy.is_dir() and not release.exists():
                shutil.copytree(copy, release)
                self.log.error("%s is as it was: no new one was made.", release)
            raise


def init_destination(self: BaseConverter, assignment_id: str, student_id: str) -> bool:
    """In place of nbgrader's: whether there is something to do, which it tells by what is there."""
    wanted = NBGRADER_INIT_DESTINATION(self, assignment_id, student_id)
    excluded = student_id in self.coursedir.student_id_exclude.split(",")
    if not isinstance(self, GenerateFeedback) or excluded:
        return wanted
    if student_id not in class_in_gradebook(self, assignment_id).students:
        self.log.error(
            "%s has no feedback on %s: the gradebook has no marks of it. `proctor grade %s` stores "
            "them again",
            *(student_id, assignment_id, assignment_id),
        )
        return False
    self.made_of = made_of(self, assignment_id, student_id)
    return wanted or mark_of(page_of(self, assignment_id, student_id)) != self.made_of


def convert_single_notebook(self: Autograde, notebook_filename: str) -> None:
    """In place of nbgrader's: where the marks are ready, with the notebook that they are of, the
    first round has nothing to read and nothing to write."""
    path = Path(notebook_filename)
    resources = self.init_single_notebook_resources(notebook_filename)
    of = resources["nbgrader"]
    marks = MarkInSandbox.ready.get((of["student"], of["assignment"]))
    if marks is None or marks.notebook is None or self.sanitize_preprocessors:
        NBGRADER_CONVERT_SINGLE_NOTEBOOK(self, notebook_filename)
        return
    most = Grading(config=self.config).of(of["assignment"]).submission_bytes
    resources["metadata"] = ResourcesDict(name=path.stem, path=str(path.parent))
    self._sanitizing = False
    try:
        self._init_preprocessors()
        with utils.setenv(NBGRADER_EXECUTION="autograde"):
            output, resources = self.exporter.from_notebook_node(
                before_marking(marks, path.parent, most), resources
            )
            self.write_single_notebook(output, resources)
    finally:
        self._sanitizing = True


def write_single_notebook(self: BaseConverter, output: str, resources: Any) -> None:
    """In place of nbgrader's: a page of feedback is put in its place whole, with what it was made
    of, which was found out before."""
    if not isinstance(self, GenerateFeedback):
        NBGRADER_WRITE_SINGLE_NOTEBOOK(self, output, resources)
        return
    of = resources["nbgrader"]
    page = page_of(self, of["assignment"], of["student"])
    self.writer.build_directory = str(page.parent)
    new = self.writer.write(
        with_mark(output, self.made_of),
        resources,
        notebook_name=f".{of['notebook']}.{os.getpid()}.new",
    )
    new.replace(page.with_stem(of["notebook"]))
    self.pages_made = getattr(self, "pages_made", 0) + 1


def init_assignment(self: BaseConverter, assignment_id: str, student_id: str) -> None:
    """In place of nbgrader's: copy the files beside a notebook, but those of students with care.

    What is graded is always the notebook that the assignment has. If it is missing or has another
    name, the student gets marks and a reason for them, instead of the instructor an error.
    """
    if not isinstance(self, Autograde):
        NBGRADER_INIT_ASSIGNMENT(self, assignment_id, student_id)
        return
    ClassDeadlines(self.coursedir, self.config).grant(assignment_id, student_id)
    # What is graded again has no record until it is done: a kill in between must not go unseen.
    course_in(self.coursedir).record(student_id, assignment_id).unlink(missing_ok=True)
    source = Path(self._format_source(assignment_id, student_id))
    target = Path(self._format_dest(assignment_id, student_id))
    for path, data in side_files(source, self.coursedir.ignore):
        copy = target / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.unlink(missing_ok=True)
        copy.write_bytes(data)
    self.notebooks = [str(source / f"{assignment_id}.ipynb")]


def load_and_share(self: CourseDirectory, *arguments: Any, **options: Any) -> None:
    """Around nbgrader's: with `c.CourseDirectory.groupshared` everything that this process makes
    is the group's, too, not only what nbgrader thinks of."""
    NBGRADER_LOAD_CONFIG(self, *arguments, **options)
    if self.groupshared:
        before = os.umask(0o077)
        os.umask(before & ~0o070)


def get_existing_timestamp(self: CourseDirectory, dest_path: str) -> Any:
    """The time of submission, or None where there is none that can be read."""
    try:
        return submitted_at(Path(dest_path))
    except intake.Rejected as error:
        # nbgrader means to call `fail` on a wrong timestamp, which does not exist.
        self.log.warning("%s: %s", dest_path, ascii(str(error)))
        return None


def init_notebooks(self: BaseConverter) -> None:
    """In place of nbgrader's, which passes over a folder without a notebook: whoever handed it in
    gets marks and a reason."""
    if not isinstance(self, Autograde):
        NBGRADER_INIT_NOTEBOOKS(self)
        return
    assignment = self.coursedir.assignment_id
    found = handed_in(self.coursedir, assignment, self.coursedir.student_id)
    if not found:
        NBGRADER_INIT_NOTEBOOKS(self)  # says that there is nothing, and what may be meant
    self.notebooks = []
    self.assignments = {str(folder): [f"{folder}/{assignment}.ipynb"] for _, folder in found}
