"""Extensions and penalties in nbgrader's gradebook, for a whole class or for one student.

They are worked out anew from what was handed in when, each time: all assignments of a student
together, as a late day that one of them no longer needs is there for the next.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode
from nbgrader import preprocessors
from nbgrader.api import Assignment, Gradebook, SubmittedAssignment, SubmittedNotebook
from nbgrader.coursedir import CourseDirectory
from nbgrader.plugins import LateSubmissionPlugin
from sqlalchemy import select, update
from sqlalchemy.exc import DatabaseError
from traitlets.config import Config

from proctor.classroom.deadlines.late_days import Lateness, Work, last_moment, settle
from proctor.classroom.deadlines.table import (
    EVERY_ASSIGNMENT,
    Table,
    read_extensions,
)
from proctor.classroom.folders import handed_in
from proctor.classroom.gradebook import course_in, sqlite_file, unusable
from proctor.course import meant
from proctor.grading import intake
from proctor.grading.submitted import submitted_at
from proctor.settings import LateDays
from proctor.text import plain

LOG = logging.getLogger(__name__)
IDS_AT_ONCE = 500  # no database takes any number of them in one question


class LatePenalty(LateSubmissionPlugin):
    """nbgrader's rule for late work, with the penalty of `c.LateDays` where there is one."""

    def late_submission_penalty(
        self, student_id: str, score: float, total_seconds_late: float
    ) -> float | None:
        rule = LateDays.of(self.config)
        if rule.has_penalty:
            return score * rule.share_lost(total_seconds_late)
        return super().late_submission_penalty(student_id, score, total_seconds_late)


class AssignLatePenalties(preprocessors.AssignLatePenalties):
    """nbgrader's, with extensions.csv and the late days of the course: it asks the rule for what
    they do not cover."""

    def preprocess(
        self, nb: NotebookNode, resources: ResourcesDict
    ) -> tuple[NotebookNode, ResourcesDict]:
        student, assignment = resources["nbgrader"]["student"], resources["nbgrader"]["assignment"]
        deadlines = ClassDeadlines(self.parent.parent.coursedir, self.config)
        for change in deadlines.renew(student):
            if change.assignment != assignment:  # a late day went from one to the other
                LOG.warning("%s", change)
        return nb, resources


@dataclass(frozen=True)
class Submission:
    """A row of the gradebook: whose, and what nbgrader has as their extension."""

    id: str
    student: str
    work: Work
    extension: timedelta | None
    timestamp: datetime | None


@dataclass(frozen=True)
class Changed:
    """What is taken off a student's points for an assignment, before and now."""

    student: str
    assignment: str
    before: float
    after: float

    def __str__(self) -> str:
        return (
            f"{plain(self.student)}, {self.assignment}: {self.after:g} points are taken off for "
            f"being late, instead of {self.before:g}"
        )


@dataclass
class Class:
    """What was handed in, by student and assignment, and what the gradebook has of it."""

    works: dict[str, dict[str, Work]] = field(default_factory=dict)
    submissions: list[Submission] = field(default_factory=list)


class ClassDeadlines:
    """The deadlines of a course: its settings, its table of extensions, its gradebook.

    Raises CourseError for settings that cannot be.
    """

    def __init__(self, coursedir: CourseDirectory, config: Config, table: Table | None = None):
        self.coursedir = coursedir
        self.config = config
        self.rule = LateDays.of(config)
        self.zone = self.rule.zone()
        self.table = table if table is not None else read_extensions(course_in(coursedir))

    @property
    def is_kept_in_table(self) -> bool:
        """Whether the table is the truth. Else what stands in the gradebook stays there."""
        return self.table is not None and bool(self.table.columns or not self.table.problems)

    @property
    def costs(self) -> bool:
        """Whether the course has nbgrader take points for late work at all."""
        wanted = self.config.Autograde.get("autograde_preprocessors", [])
        return any(str(name).endswith("AssignLatePenalties") for name in wanted)

    def until(
        self, assignment: str, student: str, due: datetime | None, stored: timedelta | None = None
    ) -> datetime | None:
        """When a student's extension ends, if there is one. A slip in a student's row takes no
        time away that the gradebook has."""
        kept = due + stored if due is not None and stored else None
        if self.table is None or not self.is_kept_in_table:
            return kept
        until = self.table.until(assignment, student, due, self.zone)
        if kept is None or not self.table.has_unread_row(student):
            return until
        return max(kept, until or kept)

    def due_dates(self, gradebook: Gradebook) -> dict[str, datetime | None]:
        rows = gradebook.db.execute(select(Assignment.name, Assignment.duedate))
        return {name: in_utc(due) for name, due in rows}

    def read(self, gradebook: Gradebook, student: str | None = None) -> Class:
        """What one student, or everybody, has handed in: as the gradebook has it where it was
        graded, else as the folder says."""
        due_dates = self.due_dates(gradebook)
        found = Class()
        wanted = (
            select(
                SubmittedAssignment.id,
                SubmittedAssignment.student_id,
                Assignment.name,
                SubmittedAssignment.timestamp,
                SubmittedAssignment.extension,
            )
            .join(Assignment, Assignment.id == SubmittedAssignment.assignment_id)
            .order_by(SubmittedAssignment.student_id, Assignment.name)
        )
        if student is not None:
            wanted = wanted.where(SubmittedAssignment.student_id == student)
        for identity, name, assignment, timestamp, extension in gradebook.db.execute(wanted):
            due = due_dates[assignment]
            until = self.until(assignment, name, due, extension)
            in_folder, unreadable = self.time_in_folder(assignment, name)
            # nbgrader keeps the time of an earlier hand-in where it can read no other.
            at = None if unreadable else in_utc(timestamp) or in_folder
            work = Work(assignment, due, until, at, unreadable)
            found.works.setdefault(name, {})[assignment] = work
            found.submissions.append(Submission(identity, name, work, extension, in_utc(timestamp)))
        for assignment, due in due_dates.items():
            for name, _ in self.not_graded(assignment, found, student) if due else ():
                at, unreadable = self.time_in_folder(assignment, name)
                until = self.until(assignment, name, due)
                work = Work(assignment, due, until, at, unreadable)
                found.works.setdefault(name, {})[assignment] = work
        return found

    def not_graded(
        self, assignment: str, found: Class, student: str | None
    ) -> Iterator[tuple[str, Path]]:
        """Those who handed it in and whose work is not in the gradebook yet."""
        if student is not None:
            folder = self.coursedir.format_path(
                self.coursedir.submitted_directory, student, assignment
            )
            folders = [(student, Path(folder))] if Path(folder).is_dir() else []
        else:
            folders = handed_in(self.coursedir, assignment)
        for name, folder in folders:
            if assignment not in found.works.get(name, {}):
                yield name, folder

    def time_in_folder(self, assignment: str, student: str) -> tuple[datetime | None, bool]:
        """When it was handed in, and whether something is there that cannot be read."""
        folder = self.coursedir.format_path(self.coursedir.submitted_directory, student, assignment)
        try:
            return in_utc(submitted_at(Path(folder))), False
        except intake.Rejected:
            return None, True

    def settled(self, found: Class) -> dict[str, dict[str, Lateness]]:
        """How late everything is, by student and assignment."""
        return {name: settle(works.values(), self.rule) for name, works in found.works.items()}

    def renew(self, student: str | None = None, *, dry_run: bool = False) -> list[Changed]:
        """Write extensions and penalties of one student, or of everybody, as they are by the table
        and the points of now; returns what changes. Nothing is written in a dry run."""
        with opened(self.coursedir) as gradebook:
            if gradebook is None:
                return []
            found = self.read(gradebook, student)
            for each in found.submissions:
                self._write_times(gradebook, each)
            changed = list(self._write_penalties(gradebook, found, student)) if self.costs else []
            if dry_run:
                gradebook.db.rollback()
            else:
                gradebook.db.commit()
        return changed

    def grant(self, assignment: str, student: str) -> None:
        """Have the gradebook know a student's extension before it takes what they handed in, so
        that nbgrader does not call it late meanwhile."""
        if self.table is None or not self.table.of(assignment, student):
            return
        with Gradebook(self.coursedir.db_url, self.coursedir.course_id) as gradebook:
            due = self.due_dates(gradebook).get(assignment)
            until = self.until(assignment, student, due)
            if due is not None and until is not None and until > due:
                gradebook.update_or_create_student(student)
                gradebook.update_or_create_submission(assignment, student, extension=until - due)

    def _write_times(self, gradebook: Gradebook, submission: Submission) -> None:
        """The extension by the table, and the time of handing in that was mended, or cannot be
        read any more."""
        work, at = submission.work, submission.work.handed_in
        values: dict[str, datetime | timedelta | None] = {}
        if at != submission.timestamp:
            values["timestamp"] = at.replace(tzinfo=None) if at is not None else None
        more = work.deadline - work.due if work.deadline and work.due else None
        more = more or None  # of no seconds it is none
        if self.is_kept_in_table and more != submission.extension:
            values["extension"] = more
            self._tell_of_removed(submission, more)
        if values:
            row = SubmittedAssignment.id == submission.id
            gradebook.db.execute(update(SubmittedAssignment).where(row).values(**values))

    def _tell_of_removed(self, submission: Submission, more: timedelta | None) -> None:
        if more is None and self.table:
            name, student = submission.work.assignment, submission.student
            if not self.table.of(name, student):
                LOG.warning(
                    "%s: %s had time until %s in the gradebook, and has none in extensions.csv: it "
                    "is taken away",
                    *(name, student, self._in_words(submission)),
                )

    def _in_words(self, submission: Submission) -> str:
        due, more = submission.work.due, submission.extension
        return f"{(due + more).astimezone(self.zone):%-d %B %Y, %H:%M %Z}" if due and more else "?"

    def _write_penalties(
        self, gradebook: Gradebook, found: Class, student: str | None
    ) -> Iterator[Changed]:
        settled = self.settled(found)
        by_id = {each.id: each for each in found.submissions}
        late = {
            each.id: lateness.charged
            for each in found.submissions
            if (lateness := settled[each.student][each.work.assignment]).charged > 0
        }
        notebooks = select(
            SubmittedNotebook.id,
            SubmittedNotebook.assignment_id,
            SubmittedNotebook.late_submission_penalty,
        ).join(SubmittedAssignment, SubmittedAssignment.id == SubmittedNotebook.assignment_id)
        if student is not None:
            notebooks = notebooks.where(SubmittedAssignment.student_id == student)
        rows = [row for row in gradebook.db.execute(notebooks) if row[1] in late or row[2]]
        scores = scores_of(gradebook, [row[0] for row in rows if row[1] in late])
        ask = self._rule_asked()
        for notebook, submission, before in rows:
            whose = by_id[submission]
            after = 0.0
            if submission in late:
                after = ask(whose.student, scores[notebook], late[submission])
            if after == (before or 0.0):
                continue
            gradebook.db.execute(
                update(SubmittedNotebook)
                .where(SubmittedNotebook.id == notebook)
                .values(late_submission_penalty=after or None)
            )
            yield Changed(whose.student, whose.work.assignment, before or 0.0, after)

    def _rule_asked(self) -> Any:
        """nbgrader's way to a penalty: its plugin, whatever the course has set, within bounds."""
        preprocessor = AssignLatePenalties(config=self.config)
        preprocessor.log = logging.getLogger("proctor.penalties")  # it says each time what it does
        preprocessor.log.propagate = False
        preprocessor.init_plugin()
        plugin = preprocessor.plugin_inst

        def ask(student: str, score: float, seconds: float) -> float:
            penalty = plugin.late_submission_penalty(student, score, seconds)
            return min(max(0.0, penalty or 0.0), score)

        return ask

    def known_assignments(self) -> set[str]:
        """The assignments that the course has, or the gradebook."""
        known = set(course_in(self.coursedir).assignments())
        with opened(self.coursedir) as gradebook:
            return known | self.due_dates(gradebook).keys() if gradebook is not None else known

    def problems(self) -> list[str]:
        """One line for each row of the table that cannot be read or is of nothing here."""
        if self.table is None:
            return []
        found = list(self.table.problems)
        known = self.known_assignments()
        for record in self.table.records:
            if record.extension and record.extension.assignment not in {*known, EVERY_ASSIGNMENT}:
                name = record.extension.assignment
                close = meant(name, sorted(known))
                found.append(f"line {record.line}: there is no assignment {name}{close}")
        return found

    def last_deadline(self, assignment: str) -> datetime | None:
        """When the last student's time is over, late days and the days of a penalty included; None
        where there is no due date."""
        with opened(self.coursedir) as gradebook:
            due = self.due_dates(gradebook).get(assignment) if gradebook else None
            if gradebook is None or due is None:
                return None
            wanted = (
                select(SubmittedAssignment.student_id, SubmittedAssignment.extension)
                .join(Assignment, Assignment.id == SubmittedAssignment.assignment_id)
                .where(Assignment.name == assignment)
            )
            stored = dict(gradebook.db.execute(wanted).all())
        in_table = self.table.extensions if self.table else []
        students = {*stored, *(each.student for each in in_table)}
        ends = [self.until(assignment, name, due, stored.get(name)) for name in students]
        last = max([due, *(end for end in ends if end is not None)])
        return last_moment(last, self.rule)


def in_utc(naive: datetime | None) -> datetime | None:
    """nbgrader keeps all times in UTC, without saying so."""
    return None if naive is None else naive.replace(tzinfo=UTC)


@contextmanager
def opened(coursedir: CourseDirectory) -> Iterator[Gradebook | None]:
    """The gradebook; None where there is none yet: opening it would make an empty one."""
    if coursedir.db_url.startswith("sqlite:///") and sqlite_file(coursedir) is None:
        yield None
        return
    with Gradebook(coursedir.db_url, coursedir.course_id) as gradebook:
        yield gradebook


def scores_of(gradebook: Gradebook, notebooks: list[str]) -> dict[str, float]:
    """The points of these notebooks, before anything is taken off."""
    found: dict[str, float] = {}
    for start in range(0, len(notebooks), IDS_AT_ONCE):
        wanted = select(SubmittedNotebook.id, SubmittedNotebook.score).where(
            SubmittedNotebook.id.in_(notebooks[start : start + IDS_AT_ONCE])
        )
        found.update((identity, score or 0.0) for identity, score in gradebook.db.execute(wanted))
    return found


def renew_penalties(
    coursedir: CourseDirectory, config: Config, say: Callable[[str], None]
) -> list[Changed]:
    """Work out anew, for the whole class and all assignments, who has more time and what being late
    costs; returns what changes. nbgrader works it out only when it grades.

    What is wrong with a row of extensions.csv is said; the others count. Raises CourseError where
    the gradebook or a setting cannot be used.
    """
    deadlines = ClassDeadlines(coursedir, config)
    try:
        for problem in deadlines.problems():
            say(problem)
        return deadlines.renew()
    except DatabaseError as error:
        raise unusable(error) from error
