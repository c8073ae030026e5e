"""One assignment of a whole class: marked side by side, stored by one writer as marks come in.

The writer is nbgrader's own Autograde, which finds the marks ready: gradebook, autograded/ and late
penalties come out as with `nbgrader autograde`. A stop loses at most what is being marked.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import glob
import logging
import os
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbgrader.api import InvalidEntry
from nbgrader.converters import Autograde
from nbgrader.converters.base import NbGraderException
from nbgrader.coursedir import CourseDirectory
from sqlalchemy.exc import DatabaseError, IntegrityError, OperationalError
from traitlets.config import Config

from proctor.classroom.deadlines.penalties import renew_penalties
from proctor.classroom.deadlines.table import NAME as EXTENSIONS
from proctor.classroom.faults import Messages, demand_a_sound_place
from proctor.classroom.folders import chosen, handed_in
from proctor.classroom.gradebook import (
    LOCKED,
    count_rows,
    demand_same_cells,
    keep_engines,
    look_for_tables_once,
    wait_while_locked,
)
from proctor.classroom.kept_gradebook import KeptGradebook, one_transaction
from proctor.classroom.preprocessors import MarkInSandbox
from proctor.classroom.set_aside import note_set_aside
from proctor.classroom.stopping import held_interrupts
from proctor.classroom.stored import Stored, stored_submissions
from proctor.classroom.workers import Job, MarkingSettings, Outcome, Workers
from proctor.course import Course, meant
from proctor.grading import intake
from proctor.grading.marks import Marks
from proctor.grading.modules import Submission
from proctor.grading.records import read_aside, read_record, write_record
from proctor.grading.submitted import notes_on, read_submitted
from proctor.sandbox.sessions import shared_sandbox
from proctor.settings import Grading
from proctor.text import plain

if TYPE_CHECKING:
    from proctor.classroom.cluster import Cluster

LOG = logging.getLogger(__name__)


@dataclass
class Tally:
    """What became of the submissions of a class. `look_at` has a line for each that needs a look:
    who, and why."""

    total: int = 0
    unchanged: int = 0
    graded: int = 0
    rejected: int = 0
    set_aside: int = 0
    need_person: int = 0
    look_at: list[tuple[str, str]] = field(default_factory=list)

    @property
    def done(self) -> int:
        return self.unchanged + self.graded + self.rejected + self.set_aside

    def __str__(self) -> str:
        """While it is graded."""
        return (
            f"{self.graded} graded, {self.rejected} rejected, {self.need_person} to be read, "
            f"{self.set_aside} set aside"
        )


@dataclass(frozen=True)
class Change:
    """What a regrade changes in one graded cell of one student. `checks` are the titles of the
    checks whose verdict changes, with what they say now."""

    student: str
    grade_id: str
    before: float
    after: float
    checks: list[tuple[str, str]]


class Classroom:
    """The submissions of one assignment, in the folders that nbgrader's configuration names."""

    def __init__(self, config: Config, course: Course, assignment: str):
        course.release(assignment)  # says what to do where nothing was released
        self.config = config
        self.course = course
        self.assignment = assignment
        self.coursedir = CourseDirectory(config=config)
        self.coursedir.assignment_id = assignment
        self.most_bytes = Grading(config=config).of(assignment).submission_bytes
        gc.freeze()  # what was imported stays: no collection needs to go through it again

    def students(self) -> list[str]:
        """Everybody who handed something in, whatever it is."""
        return sorted(student for student, _ in handed_in(self.coursedir, self.assignment))

    def folder(self, student: str) -> Path:
        """Where a student's submission lies."""
        submitted = self.coursedir.submitted_directory
        return Path(self.coursedir.format_path(submitted, student, self.assignment))

    def graded_before(self, students: Sequence[str]) -> list[str]:
        """Those whose submission, as it lies there, was graded and stored before.

        Raises CourseError where the gradebook cannot be read.
        """
        stored = stored_submissions(self.coursedir, self.assignment, comments=False)
        return [student for student in students if self._is_graded(student, stored.get(student))]

    def _is_graded(self, student: str, stored: Stored | None) -> bool:
        autograded = self.coursedir.autograded_directory
        folder = self.coursedir.format_path(autograded, student, self.assignment)
        record = read_record(self.course, student, self.assignment)
        if record is None or not os.path.exists(f"{folder}/{self.assignment}.ipynb"):  # noqa: PTH110
            return False
        if read_aside(self.course, student, self.assignment):
            return False
        # The gradebook may have been emptied, restored or exchanged since.
        if stored is None or not holds_marks_of(record, stored):
            return False
        try:
            sha256 = self.read(student).sha256
        except intake.Rejected as error:
            return record["error"] == str(error)
        return record["sha256"] == sha256

    def read(self, student: str) -> Submission:
        """What was handed in. Raises intake.Rejected."""
        return read_submitted(self.folder(student), self.assignment, self.most_bytes)

    def grade(
        self,
        students: Sequence[str],
        *,
        workers: int,
        cluster: str | None = None,
        force: bool = False,
        figures: bool = True,
        progress: Callable[[Tally], None] = lambda tally: None,
    ) -> Tally:
        """Grade these students' submissions: the new and the changed ones, or with `force` all.

        `workers` processes here mark them, or the Dask cluster whose scheduler's address is given.
        Raises CourseError and SandboxUnavailable, which no submission can cause.
        """
        wait_while_locked(self.coursedir, LOG.warning)
        demand_same_cells(self.coursedir, self.course.release(self.assignment))
        before = set() if force else set(self.graded_before(students))
        to_grade = [student for student in students if student not in before]
        tally = Tally(total=len(students), unchanged=len(students) - len(to_grade))
        progress(tally)
        store = Store(self)
        with contextlib.closing(self._outcomes(to_grade, workers, cluster, figures)) as outcomes:
            for outcome in outcomes:
                with held_interrupts():
                    self.take(outcome, store, tally)
                progress(tally)
        self._renew_penalties(tally)
        return tally

    def regrade(
        self,
        students: Sequence[str],
        *,
        workers: int,
        cluster: str | None = None,
        dry_run: bool,
        progress: Callable[[Tally], None] = lambda tally: None,
    ) -> tuple[Tally, list[Change]]:
        """Mark what was graded before once more, with the graders of today; returns who gains or
        loses, and why. Without `dry_run` the new marks are stored as well."""
        if not dry_run:
            wait_while_locked(self.coursedir, LOG.warning)
        demand_same_cells(self.coursedir, self.course.release(self.assignment))
        graded = self.graded_before(students)
        tally = Tally(total=len(students), unchanged=len(students) - len(graded))
        records = {
            student: read_record(self.course, student, self.assignment) for student in graded
        }
        store = None if dry_run else Store(self)
        changes = []
        marked = self._outcomes(graded, workers, cluster, figures=True)
        with contextlib.closing(marked) as outcomes:
            for outcome in outcomes:
                student = outcome.job.student or ""
                record = records.get(student)
                if outcome.marks is not None and record is not None:
                    changes.extend(changes_of(student, record, outcome.marks))
                with held_interrupts():
                    self.take(outcome, store, tally)
                progress(tally)
        if not dry_run:
            self._renew_penalties(tally)
        return tally, sorted(changes, key=lambda change: (change.student, change.grade_id))

    def _renew_penalties(self, tally: Tally) -> None:
        """What being late costs, by the table, the rule and the points of now."""

        def say(problem: str) -> None:
            tally.look_at.append((EXTENSIONS, problem))

        renew_penalties(self.coursedir, self.config, say)

    def _outcomes(
        self, students: Sequence[str], workers: int, cluster: str | None, figures: bool
    ) -> Generator[Outcome, None, None]:
        """The submissions of these students, marked side by side."""
        grading = Grading(config=self.config).of(self.assignment)
        settings = MarkingSettings.of(self.course.root, grading, figures)
        jobs = [
            Job(student, self.assignment, functools.partial(self.read, student))
            for student in students
        ]
        if not jobs:
            return
        pool: Workers | Cluster
        if cluster is None:
            sandbox = shared_sandbox(settings.session_limits)
            sandbox.start()  # while workers start, which takes seconds as well
            pool = Workers(min(workers, len(jobs)), sandbox, settings)
        else:
            from proctor.classroom.cluster import Cluster  # it needs Dask, which is optional

            pool = Cluster(cluster, settings, self.assignment)
        with pool:
            yield from pool.mark(jobs)

    def take(self, outcome: Outcome, store: Store | None, tally: Tally) -> bool:
        """Store an outcome, if there is a store, and count it; whether it was not set aside."""
        student, marks = outcome.job.student or "", outcome.marks
        error = outcome.error
        if marks is not None and store is not None:
            folder = self.folder(student)
            marks.incidents.extend(notes_on(folder, self.assignment, self.most_bytes))
            error = store.marks(student, marks)
        if error is not None or marks is None:
            if store is not None:
                note_set_aside(self.course, outcome, error)
            tally.set_aside += 1
            tally.look_at.append((student, f"set aside, not graded: {plain(error)}"))
            LOG.error("%s: %s set aside: %s", self.assignment, plain(student), plain(error))
            return False
        if marks.status == "rejected":
            tally.rejected += 1
            tally.look_at.append((student, f"rejected: {plain(marks.error)}"))
            LOG.info("%s: %s rejected: %s", self.assignment, plain(student), plain(marks.error))
            return True
        tally.graded += 1
        tally.need_person += any(
            cell.needs_manual_grade and not cell.unanswered for cell in marks.cells
        )
        tally.look_at.extend((student, plain(incident)) for incident in marks.incidents)
        LOG.info(
            "%s: %s graded, %g of %g in %.2f s%s",
            *(self.assignment, plain(student), marks.score, marks.max_score, marks.seconds),
            "".join(f"; {plain(incident)}" for incident in marks.incidents),
        )
        return True


class Store:
    """The one writer: hands marks to nbgrader's Autograde, student by student."""

    def __init__(self, classroom: Classroom):
        self.coursedir = classroom.coursedir
        self.assignment = classroom.assignment
        self.autograde = Autograde(coursedir=self.coursedir, config=classroom.config)
        self.autograde.force = True
        self.autograde.log = logging.getLogger("proctor.store")
        self.messages = Messages()
        self.autograde.log.propagate = False
        self.autograde.log.addHandler(self.messages)
        self.stored = 0
        look_for_tables_once()
        keep_engines()
        self.gradebook = KeptGradebook(self.coursedir)

    def marks(self, student: str, marks: Marks) -> str | None:
        """Store one student's marks; returns why that could not be done, if it could not.

        Raises CourseError where it could not be done for any student.
        """
        if student != student.strip():
            return (
                f"the name of the folder submitted/{student!a} begins or ends with a blank, which "
                "nbgrader takes off: rename the folder, then the same command grades it"
            )
        key = student, self.assignment
        MarkInSandbox.ready[key] = marks
        self.coursedir.student_id = glob.escape(student)  # nbgrader takes it for a pattern
        try:
            self._store_when_possible()
            if key in MarkInSandbox.stored:  # nbgrader does not tell why it was not written
                write_record(*MarkInSandbox.stored[key])
        except (NbGraderException, DatabaseError, OSError) as error:
            cause = self.messages.cause or error
            demand_a_sound_place(cause, "marks", "autograded/ and records/")
            return " ".join(self.messages.errors) or str(error)
        finally:
            MarkInSandbox.ready.pop(key, None)
            MarkInSandbox.stored.pop(key, None)
        self.stored += 1
        if self.stored.bit_count() == 1:  # after 1, 2, 4, 8, ...: whenever it may have doubled
            count_rows(self.coursedir)
        return None

    def _store_when_possible(self) -> None:
        """Have nbgrader store what is ready. Once more where another grader has stored the same
        student meanwhile; and after another program's long work, then step by step, as that
        program may be one that nbgrader is told to run for each submission."""
        self.messages.clear()
        try:
            with one_transaction(self.gradebook):
                self.autograde.start()
        except (NbGraderException, DatabaseError) as error:
            cause = self.messages.cause or error
            if isinstance(cause, OperationalError) and LOCKED in str(cause.orig):
                wait_while_locked(self.coursedir, LOG.warning)
            elif not isinstance(cause, (IntegrityError, InvalidEntry)):
                raise
            self.messages.clear()
            self.autograde.start()


def holds_marks_of(record: dict[str, Any], stored: Stored) -> bool:
    """Whether the gradebook has the automatic points that a record tells of."""
    scores = {cell["grade_id"]: cell["score"] for cell in record["cells"]}
    return all(
        stored.grades.get(name, (None,))[0] == score
        for name, score in scores.items()
        if score is not None
    )


def changes_of(student: str, record: dict[str, Any], marks: Marks) -> list[Change]:
    """Where these marks differ from the ones on record."""
    old = {cell["grade_id"]: cell for cell in record["cells"]}
    new = {cell.grade_id: cell for cell in marks.cells}
    changes = []
    for grade_id in dict.fromkeys([*old, *new]):
        before = (old[grade_id]["score"] or 0.0) if grade_id in old else 0.0
        after = (new[grade_id].score or 0.0) if grade_id in new else 0.0
        verdicts = {c["title"]: c["passed"] for c in old.get(grade_id, {"checks": []})["checks"]}
        checks = new[grade_id].checks if grade_id in new else []
        told = [
            (check.title, "passes now" if check.passed else f"fails now: {check.hint}")
            for check in checks
            if verdicts.get(check.title, not check.passed) is not check.passed
        ]
        told += [
            (title, "is asked no more")
            for title in verdicts
            if title not in {c.title for c in checks}
        ]
        if before != after or told:
            changes.append(Change(student, grade_id, before, after, told))
    return changes


def named_students(classroom: Classroom, wanted: Sequence[str]) -> list[str]:
    """The wanted students, or everybody. Raises CourseError for one who handed nothing in."""
    students = classroom.students()
    return chosen(
        wanted,
        students,
        lambda missing: (
            f"no submission of {classroom.assignment} by {', '.join(missing)}: there is no folder "
            f"{classroom.folder(missing[0])}{meant(missing[0], students)}"
        ),
    )
