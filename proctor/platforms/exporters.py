"""Marks in the files that other systems read: `nbgrader export --exporter=...exporters.NAME`.

Canvas and Moodle take back the very table that they gave out, so that one is filled: its other
columns, ids and rows stay as they are. A mark is nbgrader's score without the late penalty.
"""

from __future__ import annotations

import csv
import io
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from nbgrader.api import Gradebook
from nbgrader.plugins import ExportPlugin
from traitlets import Bool, Unicode

from proctor.course import CourseError
from proctor.grading.class_grades import ClassSubmission, class_submissions, listed_students
from proctor.grading.records import read_record
from proctor.platforms.given import feedback_of, mark_of, number
from proctor.platforms.names import (
    CANVAS_IDENTIFIERS,
    MOODLE_IDENTIFIERS,
    ClassList,
    NotMatched,
    Person,
    Table,
    alike,
    downloaded_table,
    is_canvas_gradebook,
    is_moodle_worksheet,
    number_in,
    read_table,
    students_of,
)
from proctor.settings import course_of
from proctor.text import defused, plain, row_of

CANVAS_COLUMN = re.compile(r"(?P<title>.*) \((?P<number>\d+)\)", re.DOTALL)
# What Canvas shows in place of a mark that nobody is to give
NO_MARK_TO_GIVE = ("EX", "N/A")


@dataclass(frozen=True)
class Row:
    """A row of a table that belongs to a person."""

    cells: list[str]
    person: Person


class MarksExportPlugin(ExportPlugin):
    """What the exporters have in common: which marks, where to, and errors in plain words."""

    default_file: ClassVar[str] = "marks.csv"
    needs_comments: ClassVar[bool] = False

    def export(self, gradebook: Gradebook) -> None:
        """Write the file that --to names."""
        path = Path(self.to or self.default_file)
        try:
            self.write(gradebook, path)
        except CourseError as error:
            self.log.error("nothing was written. %s", error)
            sys.exit(1)
        self.log.info("the marks are in %s", path)

    def write(self, gradebook: Gradebook, path: Path) -> None:
        """Write the marks of a gradebook. Raises CourseError with what to do."""
        raise NotImplementedError

    def assignments(self, gradebook: Gradebook) -> list[str]:
        """Those that --assignment names, or all."""
        known = sorted(assignment.name for assignment in gradebook.assignments)
        wanted = [str(name) for name in self.assignment]
        for name in wanted:
            if name not in known:
                raise CourseError(
                    f"the gradebook has no assignment {name}, only {', '.join(known) or 'none'}"
                )
        return wanted or known

    def submissions(self, gradebook: Gradebook, assignment: str) -> dict[str, ClassSubmission]:
        """The graded submissions by student: those that --student names, or all."""
        wanted = {str(student) for student in self.student}
        return class_submissions(gradebook, assignment, wanted, comments=self.needs_comments)


class GradesExportPlugin(MarksExportPlugin):
    """The table of nbgrader's own exporter, in which a comma in a name stays in its column."""

    default_file = "grades.csv"
    header = (
        "assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email",
        "raw_score", "late_submission_penalty", "score", "max_score",
    )  # fmt: skip

    def write(self, gradebook: Gradebook, path: Path) -> None:
        wanted = {str(student) for student in self.student}
        listed = listed_students(gradebook)
        students = [one for one in listed if not wanted or one.id in wanted]
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(self.header)
        for name in self.assignments(gradebook):
            assignment = gradebook.find_assignment(name)
            most, submissions = assignment.max_score, self.submissions(gradebook, name)
            for student in students:
                found = submissions.get(student.id)
                score = found.score if found else 0.0
                penalty = found.late_submission_penalty if found else 0.0
                when = found.timestamp if found else None
                who = (student.id, student.last_name, student.first_name, student.email)
                points = (score, penalty, max(0.0, score - penalty), most)
                row = [name, assignment.duedate, when, *who, *points]
                writer.writerow(row_of(["" if value is None else value for value in row]))
        path.write_text(text.getvalue(), encoding="utf-8", newline="")


class ExercisesExportPlugin(MarksExportPlugin):
    """A plain CSV file: one row for each student and graded cell."""

    default_file = "exercises.csv"
    header = (
        "assignment", "student_id", "last_name", "first_name", "grade_id",
        "score", "max_score", "by_hand", "waits_for_person",
    )  # fmt: skip

    def write(self, gradebook: Gradebook, path: Path) -> None:
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(self.header)
        for assignment in self.assignments(gradebook):
            for student, submission in self.submissions(gradebook, assignment).items():
                last, first = submission.last_name, submission.first_name
                for grade in submission.grades:
                    scores = (number(grade.score), number(grade.max_score))
                    by_hand = int(grade.manual_score is not None)
                    waits = int(grade.needs_manual_grade)
                    who = (assignment, student, last or "", first or "", grade.name)
                    writer.writerow(row_of([*who, *scores, by_hand, waits]))
        path.write_text(text.getvalue(), encoding="utf-8", newline="")


class TableExportPlugin(MarksExportPlugin):
    """Fills a table that an instructor downloaded from a platform."""

    table = Unicode(
        "", help="The table from the platform; by default the one in downloaded/ that fits."
    ).tag(config=True)
    scale = Bool(
        False, help="Scale marks where the platform gives other points than the notebook."
    ).tag(config=True)

    # Columns that a student can write into
    foreign_words: ClassVar[tuple[str, ...]] = ()

    def read(self, assignments: Sequence[str], fits: Callable[[Table], bool], what: str) -> Table:
        """The table to fill. Raises CourseError where there is none, or more than one."""
        if self.table:
            table = read_table(Path(self.table))
            if not fits(table):
                raise CourseError(f"{self.table} is no {what}: the columns for that are missing")
        else:
            downloaded = course_of(self.config).root / "downloaded"
            folders = [*(downloaded / assignment for assignment in assignments), downloaded]
            found = downloaded_table(folders, fits, what)
            if found is None:
                raise CourseError(
                    f"there is no {what} in {downloaded}: download it, put it there as it is, or "
                    f"name it with --{type(self).__name__}.table=FILE"
                )
            table = found
        for row in table.rows:
            row += [""] * (len(table.header) - len(row))
            for name in self.foreign_words:
                place = table.column(name)
                if place is not None:
                    row[place] = defused(row[place])
        return table

    def fill(
        self,
        gradebook: Gradebook,
        assignment: str,
        rows: Sequence[Row],
        put: Callable[[Row, ClassSubmission], str | None],
    ) -> None:
        """Give each row to `put`, with its submission, and tell everything that got no mark.

        `put` returns why it gave none. Raises CourseError where two rows are one student.
        """
        submissions = self.submissions(gradebook, assignment)
        by_student = rows_by_student(rows, ClassList(students_of(gradebook)), self.log.warning)
        for student, row in by_student.items():
            if student in submissions:
                reason = put(row, submissions[student])
                if reason:
                    self.log.warning("no mark for %s in %s: %s", student, assignment, reason)
        for student in submissions.keys() - by_student.keys():
            self.log.warning(
                "no mark for %s in %s: nobody in the table fits. Give the student the platform's "
                "number or login (`nbgrader db student import`)",
                student, assignment,
            )  # fmt: skip
        waiting = [student for student, each in submissions.items() if each.needs_manual_grade]
        if waiting:
            self.log.warning(
                "%s: marks of %s are not complete: written answers are still to be read",
                assignment, ", ".join(waiting),
            )  # fmt: skip

    def factor(self, given: str, points: float, where: str) -> float:
        """What to multiply marks by. Raises CourseError if that is not 1, and nobody asked for it.

        `given` is what the platform has for all points; nothing is checked where it has none.
        """
        try:
            theirs = float(given.strip().replace(",", "."))
        except ValueError:
            return 1.0
        if theirs == points:
            return 1.0
        if self.scale and points:
            return theirs / points
        raise CourseError(
            f"{where} has {number(theirs)} points, here there are {number(points)}: change the "
            f"points there, or scale the marks with --{type(self).__name__}.scale=True"
        )


class CanvasExportPlugin(TableExportPlugin):
    """Fills the assignments' columns of the gradebook that Canvas exports."""

    default_file = "canvas.csv"
    foreign_words = ("Student", "LastName", "FirstName")

    column = Unicode(
        "", help="The title of the assignment's column, where it is not the assignment's name."
    ).tag(config=True)

    def write(self, gradebook: Gradebook, path: Path) -> None:
        assignments = self.assignments(gradebook)
        table = self.read(assignments, is_canvas_gradebook, "Canvas gradebook")
        columns = self.columns(table, assignments)
        for assignment, place in columns.items():
            self.fill_column(gradebook, table, assignment, place)
        table.write(path)

    def columns(self, table: Table, assignments: Sequence[str]) -> dict[str, int]:
        """The places of the assignments' columns. Raises CourseError where there is none."""
        if self.column and len(assignments) != 1:
            raise CourseError("a column is one assignment's: say which one with --assignment")
        found = {}
        for assignment in assignments:
            places = canvas_columns(table, self.column or assignment)
            if len(places) == 1:
                found[assignment] = places[0]
            elif places or self.assignment or self.column:
                titles = [title for title in table.header if CANVAS_COLUMN.fullmatch(title)]
                raise CourseError(
                    f"{len(places)} columns of {table.path.name} are called "
                    f"{self.column or assignment}. There are: {', '.join(titles) or 'none'}. Name "
                    f'the one with --{type(self).__name__}.column="TITLE (NUMBER)"'
                )
            else:
                self.log.warning("%s has no column in %s", assignment, table.path.name)
        if not found:
            raise CourseError(f"{table.path.name} has no column of any assignment")
        return found

    def fill_column(self, gradebook: Gradebook, table: Table, assignment: str, place: int) -> None:
        points = gradebook.find_assignment(assignment).max_score
        head = [row for row in table.rows if "Points Possible" in row[0]]
        given = head[0][place] if head else ""
        factor = self.factor(given, points, f"{table.header[place]} in Canvas")

        def put(row: Row, submission: ClassSubmission) -> str | None:
            if row.cells[place].strip() in NO_MARK_TO_GIVE:
                return f"Canvas says {row.cells[place].strip()}, and that was left"
            row.cells[place] = number(mark_of(submission) * factor)
            return None

        people = [
            Row(row, Person(identifier, True, table.words(row, *CANVAS_IDENTIFIERS)))
            for row in table.rows
            for identifier in table.words(row, "ID")
            if identifier.strip()
        ]
        self.fill(gradebook, assignment, people, put)


class MoodleExportPlugin(TableExportPlugin):
    """Fills marks and feedback into the grading worksheet of one assignment in Moodle."""

    default_file = "moodle.csv"
    needs_comments = True
    foreign_words = ("Full name", "Online text")

    def write(self, gradebook: Gradebook, path: Path) -> None:
        assignments = self.assignments(gradebook)
        if len(assignments) != 1:
            raise CourseError(
                "a grading worksheet is one assignment's: say which one with --assignment"
            )
        [assignment] = assignments
        table = self.read(assignments, is_moodle_worksheet, "Moodle grading worksheet")
        points = gradebook.find_assignment(assignment).max_score
        course = course_of(self.config)
        grade, feedback = table.column("Grade"), table.column("Feedback comments")
        assert grade is not None  # it is what makes a table a worksheet
        if feedback is None:
            self.log.warning(
                "%s has no column for feedback, only marks are filled in: turn on *Feedback "
                "comments* in the assignment's settings and download it again", table.path.name,
            )  # fmt: skip

        def put(row: Row, submission: ClassSubmission) -> str | None:
            if "No" in table.words(row.cells, "Grade can be changed"):
                return "Moodle says that the grade cannot be changed"
            given = "".join(table.words(row.cells, "Maximum Grade"))
            factor = self.factor(given, points, f"{assignment} in Moodle")
            row.cells[grade] = number(mark_of(submission) * factor)
            if feedback is not None:
                record = read_record(course, submission.student_id, assignment)
                row.cells[feedback] = defused(feedback_of(submission, record))
            return None

        people = [
            Row(
                row,
                Person(
                    number_in(identifier),
                    number_lasts=False,
                    words=table.words(row, *MOODLE_IDENTIFIERS),
                    name="".join(table.words(row, "Full name")),
                ),
            )
            for row in table.rows
            for identifier in table.words(row, "Identifier")
            if identifier.strip()
        ]
        self.fill(gradebook, assignment, people, put)
        table.write(path)


def rows_by_student(
    rows: Sequence[Row], class_list: ClassList, warn: Callable[[str], None]
) -> dict[str, Row]:
    """The rows of those who are on the class list. Raises CourseError where two are the same."""
    found: dict[str, Row] = {}
    for row in rows:
        try:
            student = class_list.find(row.person)
        except NotMatched as error:
            warn(f"no mark for number {plain(row.person.number)}: {error}")
            continue
        if student in found:
            numbers = f"{found[student].person.number} and {row.person.number}"
            raise CourseError(
                f"the numbers {plain(numbers)} of the table are both taken for {student}: correct "
                "the list of students (`nbgrader db student import`)"
            )
        if student is not None:
            found[student] = row
    return found


def canvas_columns(table: Table, name: str) -> list[int]:
    """The places of the columns of this name: "mnist loss (4711)" is called mnist_loss, too."""
    wanted = alike(name)
    places = []
    for place, title in enumerate(table.header):
        found = CANVAS_COLUMN.fullmatch(title)
        if found and wanted in (alike(title), alike(found["title"]), found["number"]):
            places.append(place)
    return places
