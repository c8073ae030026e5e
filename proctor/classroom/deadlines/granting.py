"""Giving more time, and taking it away: what is asked for is checked, then put into the table."""

from __future__ import annotations

import getpass
import os
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from nbgrader.api import Assignment, Student, SubmittedAssignment
from nbgrader.coursedir import CourseDirectory
from sqlalchemy import select

from proctor.classroom.deadlines.penalties import ClassDeadlines, in_utc, opened
from proctor.classroom.deadlines.table import EVERY_ASSIGNMENT, Extension, Table, table_of
from proctor.classroom.deadlines.telling import in_words
from proctor.classroom.deadlines.times import MoreTime
from proctor.classroom.folders import handed_in
from proctor.classroom.gradebook import course_in
from proctor.course import CourseError, meant
from proctor.text import plain


@dataclass
class Known:
    """The names that can be meant: assignments with their due dates, and students."""

    due_dates: dict[str, datetime | None] = field(default_factory=dict)
    students: set[str] = field(default_factory=set)


def known_names(deadlines: ClassDeadlines, table: Table) -> Known:
    """What the course, the gradebook, the folder of submissions and the table have."""
    coursedir = deadlines.coursedir
    known = Known(dict.fromkeys(course_in(coursedir).assignments()))
    with opened(coursedir) as gradebook:
        if gradebook is not None:
            known.due_dates |= deadlines.due_dates(gradebook)
            known.students |= set(gradebook.db.scalars(select(Student.id)))
    for assignment in known.due_dates:
        known.students |= {student for student, _ in handed_in(coursedir, assignment)}
    known.students |= {each.student for each in table.extensions}
    return known


class Granting:
    """One change of the table, by one person."""

    def __init__(self, deadlines: ClassDeadlines, table: Table, *, new_students: bool = False):
        self.deadlines = deadlines
        self.table = table
        self.known = known_names(deadlines, table)
        self.new_students = new_students

    def fault(self, extension: Extension) -> str | None:
        """Why this cannot be granted, if it cannot."""
        assignment, student = extension.assignment, extension.student
        if assignment not in {*self.known.due_dates, EVERY_ASSIGNMENT}:
            close = meant(assignment, sorted(self.known.due_dates))
            return f"there is no assignment {plain(assignment)} here{close}"
        students = self.known.students
        if students and student not in students and not self.new_students:
            return (
                f"{plain(student)} is not in the gradebook{meant(student, sorted(students))} "
                "(A new student? Add --new-student)"
            )
        due = self.known.due_dates.get(assignment)
        ends = extension.more.ends(due, self.deadlines.zone)
        if due is not None and ends is not None and ends <= due:
            zone = self.deadlines.zone
            return f"{in_words(ends, zone)} is not after the due date, {in_words(due, zone)}"
        return None

    def grant(self, extension: Extension) -> str:
        """Put it into the table, in place of what was there for the same; returns what to tell.
        Raises CourseError."""
        if fault := self.fault(extension):
            raise CourseError(f"nothing was changed: {fault}")
        replaced = self.table.remove(extension.assignment, extension.student)
        now = datetime.now(self.deadlines.zone)
        self.table.add(
            replace(
                extension,
                by=extension.by or who_is_at_work(),
                on=extension.on or f"{now:%Y-%m-%d %H:%M}",
            )
        )
        told = f"{called(extension)}: {self.told_of(extension)}"
        if replaced:
            told += f", in place of {' and '.join(str(each.more) for each in replaced)}"
        return told + self.later_one(extension)

    def told_of(self, extension: Extension) -> str:
        due = self.known.due_dates.get(extension.assignment)
        ends = extension.more.ends(due, self.deadlines.zone)
        told = (
            str(extension.more) if ends is None else f"until {in_words(ends, self.deadlines.zone)}"
        )
        if due is None and extension.assignment != EVERY_ASSIGNMENT:
            told += "; it has no due date yet"
        return told

    def later_one(self, extension: Extension) -> str:
        """That another row gives more, if one does."""
        due = self.known.due_dates.get(extension.assignment)
        zone = self.deadlines.zone
        ends = extension.more.ends(due, zone)
        last = self.table.until(extension.assignment, extension.student, due, zone)
        if ends is None or last is None or last <= ends:
            return ""
        return f"; the row for all assignments gives more, until {in_words(last, zone)}, and counts"

    def remove(self, assignment: str, student: str) -> str:
        """Take an extension away; returns what to tell. Raises CourseError."""
        gone = self.table.remove(assignment, student)
        if gone:
            return f"{called(gone[0])}: no more time, instead of {gone[-1].more}"
        has = sorted({each.student for each in self.table.extensions})
        others = self.table.of(assignment, student)
        why = f"; it is in the row for all assignments: {others[0].more}" if others else ""
        close = meant(student, has) if not others and student not in has else ""
        raise CourseError(f"{student} has no extension of {assignment}{why}{close}")

    def take(self, path: Path, assignment: str | None) -> tuple[list[str], list[str]]:
        """Grant the rows of another table; returns what to tell, and what is wrong with which
        line. Raises CourseError where there is no such file."""
        try:
            data = path.read_bytes()
        except OSError as error:
            raise CourseError(f"{path} cannot be read ({error.strerror})") from None
        other = table_of(data, str(path), assignment)
        wrong = list(other.problems)
        wanted: dict[tuple[str, str], Extension] = {}
        for record in other.records:
            if record.extension is None:
                continue
            if fault := self.fault(record.extension):
                wrong.append(f"line {record.line}: {fault}")
                continue
            pair = record.extension.assignment, record.extension.student
            wanted[pair] = self.later(wanted.get(pair), record.extension)
        told = [self.grant(extension) for extension in wanted.values()]
        return told, wrong

    def later(self, one: Extension | None, other: Extension) -> Extension:
        """Of two rows for the same, the one that gives more."""
        due = self.known.due_dates.get(other.assignment) or datetime.now(self.deadlines.zone)
        zone = self.deadlines.zone
        ends = [each.more.ends(due, zone) for each in (one, other) if each is not None]
        return one if one is not None and ends[0] > ends[1] else other  # type: ignore[operator]

    def take_over_from_gradebook(self) -> list[str]:
        """What nbgrader's gradebook has of extensions that the table has not, when the table
        begins."""
        if self.table.columns:
            return []
        found = extensions_in_gradebook(self.deadlines.coursedir)
        return [f"from the gradebook: {self.grant(each)}" for each in found]


def who_is_at_work() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # in a container, where the number of a user has no name
        return str(os.getuid())


def called(extension: Extension) -> str:
    every = extension.assignment == EVERY_ASSIGNMENT
    return f"{plain(extension.student)}, {'all assignments' if every else extension.assignment}"


def extensions_in_gradebook(coursedir: CourseDirectory) -> list[Extension]:
    """What nbgrader's gradebook holds of extensions, as rows of a table."""
    wanted = (
        select(
            Assignment.name,
            Assignment.duedate,
            SubmittedAssignment.student_id,
            SubmittedAssignment.extension,
        )
        .join(Assignment, Assignment.id == SubmittedAssignment.assignment_id)
        .where(SubmittedAssignment.extension.is_not(None))
        .order_by(SubmittedAssignment.student_id, Assignment.name)
    )
    with opened(coursedir) as gradebook:
        rows = list(gradebook.db.execute(wanted)) if gradebook is not None else []
    found = []
    for assignment, due, student, extension in rows:
        if extension <= timedelta():
            continue
        hours, rest = divmod(extension.total_seconds(), 3600)
        more = MoreTime(hours=int(hours))
        if rest and due is not None:
            more = MoreTime(moment=in_utc(due + extension))
        found.append(Extension(assignment, student, more, "was in the gradebook"))
    return found
