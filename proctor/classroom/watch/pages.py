"""The page that a student sees of an attempt, and giving it out by nbgrader's exchange.

Pages lie in attempts/pages/, apart from feedback/, which holds what you return. One that shows the
points alone tells nothing else of what graders found: equal points make equal pages, and no hash of
the graded notebook stands in it, from which hidden findings could be guessed and tried.
"""

from __future__ import annotations

import functools
import glob
import hashlib
import logging
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import nbformat
from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.converters import GenerateFeedback
from nbgrader.coursedir import CourseDirectory
from nbgrader.exchange import ExchangeError, ExchangeFactory
from nbgrader.utils import notebook_hash
from traitlets.config import Config

from proctor.classroom.deadlines.penalties import ClassDeadlines
from proctor.classroom.feedback_pages import (
    NOTICES,
    InGradebook,
    as_text,
    code_of_pages,
    read_gradebook,
    show_as_it_is,
)
from proctor.classroom.feedback_pages import (
    time_told as told_time,
)
from proctor.classroom.preprocessors import GetGradesGiven
from proctor.classroom.stored import Stored
from proctor.classroom.watch.arrivals import disk_fault
from proctor.classroom.watch.attempt import SECRET, TIMESTAMP, of_attempt
from proctor.course import Course, CourseError, write_whole
from proctor.grading import intake
from proctor.grading.submitted import submitted_at
from proctor.pages.attempt import attempt_page
from proctor.pages.formgrader import FeedbackExporter, OfOnePage
from proctor.pages.returned import returned

LOG = logging.getLogger("nbgrader.quiet")
LOG.addHandler(logging.NullHandler())
LOG.propagate = False
PAGES = "attempts/pages"


def notices_of(converter: GenerateFeedback, _assignment: str, _student: str) -> str | None:
    """What stands on top of a whole page that is shown of an attempt."""
    return " ".join(vars(converter).get("_proctor_notices", ())) or None


NOTICES.append(notices_of)


class Pages:
    """The pages of one assignment."""

    def __init__(self, config: Config, course: Course, assignment: str):
        self.course = course
        self.assignment = assignment
        self.config = Config(config)
        self.config.CourseDirectory.feedback_directory = PAGES
        self.coursedir = CourseDirectory(config=self.config)
        self.coursedir.assignment_id = assignment

    def clear_away(self) -> None:
        """Remove what a kill has left half written."""
        for left in (self.course.root / PAGES).glob("*/*/.*.new"):
            left.unlink()

    def in_gradebook(self, student: str | None = None) -> InGradebook:
        """What the gradebook holds of the class, or of one student. Raises CourseError."""
        return read_gradebook(self.coursedir, self.assignment, student)

    def graded_file(self, student: str) -> Path:
        folder = self.coursedir.format_path(
            self.coursedir.autograded_directory, student, self.assignment
        )
        return Path(folder) / f"{self.assignment}.ipynb"

    def due(self, student: str) -> datetime | None:
        """When the student's work is due, an extension included; None if never. Raises
        CourseError where a setting of deadlines is wrong."""
        deadlines = ClassDeadlines(self.coursedir, self.config)
        with Gradebook(self.coursedir.db_url, self.coursedir.course_id) as gradebook:
            due = deadlines.due_dates(gradebook).get(self.assignment)
            try:
                stored = gradebook.find_submission(self.assignment, student).extension
            except MissingEntry:
                stored = None
        until = deadlines.until(self.assignment, student, due, stored)
        return max((end for end in (due, until) if end is not None), default=None)

    def make(
        self,
        student: str,
        attempt: Path,
        shows: str,
        notices: Sequence[str],
        in_gradebook: InGradebook | None = None,
        notebook: NotebookNode | None = None,
    ) -> None:
        """Write a page of what the gradebook holds of the student, for the attempt whose folder is
        named: the time and the secret in there say to whom it goes back. With `shows` "nothing" it
        has the notices alone. `notebook` stands for the graded one of nbgrader. Raises CourseError
        where there is no room."""
        page = self._page(student, attempt, shows, notices, in_gradebook, notebook)
        try:
            for name in (TIMESTAMP, SECRET):
                text = of_attempt(attempt, name)
                if text is not None:
                    write_whole(self.page(student).with_name(name), text)
            write_whole(self.page(student), page)
            self.page(student).chmod(0o644)  # nbgrader copies that along
        except OSError as error:
            raise CourseError(f"{PAGES} cannot be written ({error.strerror})") from error

    def _page(
        self,
        student: str,
        attempt: Path,
        shows: str,
        notices: Sequence[str],
        in_gradebook: InGradebook | None,
        notebook: NotebookNode | None,
    ) -> str:
        if shows == "nothing" or in_gradebook is None:
            return attempt_page(self.assignment, student, self.time_told(attempt), notices)
        show_as_it_is(self.converter, self.assignment, in_gradebook)
        vars(self.converter)["_proctor_notices"] = notices
        names = {"student": student, "assignment": self.assignment, "notebook": self.assignment}
        resources = ResourcesDict(unique_key=self.assignment, nbgrader=names)
        if notebook is None:
            notebook = nbformat.read(self.graded_file(student), as_version=4)
        notebook = OfOnePage(notebook)
        if shows == "checks":
            return self.exporter.from_notebook_node(notebook, resources)[0]
        GetGradesGiven(parent=self.exporter).preprocess(notebook, resources)
        names_of_page: dict[str, Any] = resources["nbgrader"]
        return attempt_page(
            self.assignment,
            student,
            self.time_told(attempt),
            names_of_page["head"]["notices"],
            returned(notebook, resources),
            names_of_page["late_penalty"],
        )

    def time_told(self, attempt: Path) -> str | None:
        """When it was handed in, as people read it."""
        try:
            at = submitted_at(attempt)
        except intake.Rejected:
            return None
        return told_time(self.converter, at) if at is not None else None

    @functools.cached_property
    def converter(self) -> GenerateFeedback:
        return GenerateFeedback(coursedir=self.coursedir, config=self.config)

    @functools.cached_property
    def exporter(self) -> FeedbackExporter:
        exporter = FeedbackExporter(parent=self.converter, config=self.converter.config)
        for preprocessor in self.converter.preprocessors:
            exporter.register_preprocessor(preprocessor)
        return exporter

    def page(self, student: str) -> Path:
        folder = self.coursedir.format_path(PAGES, student, self.assignment)
        return Path(folder) / f"{self.assignment}.html"

    def give_out(self, student: str) -> bool:
        """Release the page by nbgrader; whether the attempt came by the exchange, so that there is
        a place for it. Raises CourseError where the exchange cannot be used."""
        if not self.page(student).with_name(SECRET).exists():
            return False
        self.coursedir.student_id = glob.escape(student)  # nbgrader takes it for a pattern
        release = ExchangeFactory(config=self.config).ReleaseFeedback(
            coursedir=self.coursedir, config=self.config
        )
        release.log = LOG
        try:
            release.start()
        except (ExchangeError, OSError) as error:
            fault = disk_fault(error) or str(error)
            raise CourseError(f"pages cannot be sent through the exchange ({fault})") from error
        return True

    def is_out(self, student: str) -> bool:
        """Whether the page that was given out last still is what the student finds: you may have
        released another one since."""
        page = self.page(student)
        secret = of_attempt(page.parent, SECRET)
        if secret is None or not page.exists():
            return False
        factory = ExchangeFactory(config=self.config)
        root = Path(factory.ReleaseFeedback(coursedir=self.coursedir, config=self.config).root)
        name = notebook_hash(secret=secret, notebook_id=self.assignment)
        out = root / self.coursedir.course_id / "feedback" / f"{name}.html"
        try:
            return out.read_bytes() == page.read_bytes()
        except OSError:
            return False

    def made_of(self, student: str, in_gradebook: InGradebook, shows: str) -> str:
        """A hash of all that the page is made of. It stays in the ledger."""
        of_student = vars(in_gradebook.students.get(student, Stored()))
        found = hashlib.sha256(self.graded_file(student).read_bytes())
        found.update(as_text([of_student, in_gradebook.points, shows]).encode() + code_of_pages())
        return found.hexdigest()
