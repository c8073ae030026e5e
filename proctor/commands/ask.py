"""`proctor ask`: questions to students about their own code. Never a mark by itself."""

from __future__ import annotations

import argparse
import csv
import dataclasses
import random
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from proctor.commands.options import add_students
from proctor.commands.terminal import say
from proctor.course import Course, CourseError

if TYPE_CHECKING:
    from proctor.classroom.whole_class import Classroom
    from proctor.grading.asking import Sheet

SUMMARY = "make a sheet of questions for each student, about their own code"
EXAMPLES = """\
proctor ask mnist_loss --share 0.2
proctor ask mnist_loss --student student-01 --questions 5
proctor ask mnist_loss --results talks.csv
"""


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("assignment", metavar="ASSIGNMENT")
    add_students(command)
    command.add_argument(
        "--share", type=float, metavar="X", help="a random share of the class, such as 0.2"
    )
    command.add_argument(
        "--among",
        type=Path,
        metavar="FILE",
        help="only students named in this CSV, such as one from `proctor similar --csv`",
    )
    command.add_argument(
        "--questions", type=int, default=3, metavar="N", help="questions for each (default: 3)"
    )
    command.add_argument(
        "--seed", type=int, help="seed from a record, to get the same questions again"
    )
    command.add_argument("--gift", action="store_true", help="also write Moodle's GIFT format")
    command.add_argument(
        "--notebook", action="store_true", help="also make a follow-up notebook for each student"
    )
    command.add_argument(
        "--results",
        type=Path,
        metavar="FILE",
        help="store the results instead: a CSV with the columns student and right",
    )


def run(options: argparse.Namespace) -> int:
    """Make the sheets, or take in the results."""
    from proctor.classroom.whole_class import Classroom
    from proctor.settings import course_of, load_config

    config = load_config()
    course = course_of(config)
    if options.results:
        say(take_in(course, options.assignment, options.results))
        return 0
    classroom = Classroom(config, course, options.assignment)
    sheets = make_sheets(classroom, whom(classroom, options), options)
    for line in write(course, options, sheets):
        say(line)
    return 0


def whom(classroom: Classroom, options: argparse.Namespace) -> list[str]:
    """The students to ask. Raises CourseError when there are none."""
    from proctor.classroom.whole_class import named_students

    students = named_students(classroom, options.student)
    if options.among:
        named = names_in(options.among)
        students = [student for student in students if student in named]
    if options.share is not None and students:
        if not 0 < options.share <= 1:
            raise CourseError(f"--share {options.share:g} is not a share: use a number like 0.2")
        count = max(1, round(options.share * len(students)))
        students = sorted(random.Random(options.seed).sample(students, count))
    if not students:
        raise CourseError(f"nobody is left to ask about {classroom.assignment}")
    return students


def names_in(path: Path) -> set[str]:
    """Every word in a CSV: some of them are students."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return {word.strip() for row in csv.reader(file) for word in row}
    except (OSError, UnicodeDecodeError) as error:
        raise CourseError(f"{path} cannot be read: {error}") from None


def make_sheets(
    classroom: Classroom, students: Sequence[str], options: argparse.Namespace
) -> list[Sheet]:
    """A sheet for each; who was asked before about the same file is asked the same again."""
    from proctor.grading.asking import Asking, Sheet, read_sheet, write_sheet
    from proctor.grading.intake import Rejected
    from proctor.sandbox.patience import Starved
    from proctor.sandbox.sessions import shared_sandbox
    from proctor.settings import Grading

    grading = Grading(config=classroom.config).of(classroom.assignment)
    sandbox = shared_sandbox(grading.session_limits())
    course, assignment = classroom.course, classroom.assignment
    sheets = []
    with Asking(course, assignment, sandbox, grading.time_limits()) as asking:
        for student in students:
            before = read_sheet(course, student, assignment)
            seed = options.seed
            if seed is None and before is not None:
                seed = before.seed
            try:
                submission = classroom.read(student)
                sheet = asking.sheet(student, submission, options.questions, seed)
            except (Rejected, Starved) as error:
                sheet = Sheet(student, seed or 0, "", reason=str(error))
            if before and (before.seed, before.sha256) == (sheet.seed, sheet.sha256):
                sheet = dataclasses.replace(sheet, answered_right=before.answered_right)
            write_sheet(course, assignment, sheet)
            sheets.append(sheet)
    return sheets


def write(course: Course, options: argparse.Namespace, sheets: Sequence[Sheet]) -> list[str]:
    """Write what was asked for; returns lines for a person."""
    from proctor.pages.questions import gift, sheets_page

    assignment, folder = options.assignment, course.root / "reports"
    folder.mkdir(exist_ok=True)
    pages = {
        f"{assignment}-questions.html": sheets_page(assignment, sheets, with_key=False),
        f"{assignment}-questions-key.html": sheets_page(assignment, sheets, with_key=True),
    }
    if options.gift:
        pages[f"{assignment}-questions.gift.txt"] = gift(assignment, sheets)
    for name, text in pages.items():
        (folder / name).write_text(text, encoding="utf-8")
    unasked = sum(sheet.reason is not None for sheet in sheets)
    lines = [f"sheets: {len(sheets) - unasked}; students who cannot be asked: {unasked}"]
    lines += [f"  reports/{name}" for name in pages]
    if options.notebook:
        lines += write_follow_up(course, assignment, options.questions, sheets)
    return lines


def write_follow_up(
    course: Course, assignment: str, count: int, sheets: Sequence[Sheet]
) -> list[str]:
    """An assignment of its own, graded like any other, with each student's questions in it."""
    import nbformat

    from proctor.pages.questions import follow_up, follow_up_graders

    name = f"{assignment}-questions"
    source = course.root / "source" / name / f"{name}.ipynb"
    graders = course.root / "tests" / "graders" / name / "test_own_answers.py"
    for path in (source, graders):
        path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(follow_up(assignment, count), source)
    graders.write_text(follow_up_graders(assignment, count), encoding="utf-8")
    for sheet in sheets:
        path = course.root / "asked" / sheet.student / name / f"{name}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(follow_up(assignment, count, sheet), path)
    return [
        f"  asked/STUDENT/{name}/{name}.ipynb, to hand out",
        f"  source/{name}/ and its hidden tests: `nbgrader generate_assignment {name}`, then "
        f"`proctor grade {name}` like any assignment",
    ]


def take_in(course: Course, assignment: str, path: Path) -> str:
    """Put the results of a check-in into the students' sheets. Raises CourseError."""
    from proctor.grading.asking import read_sheet, write_result

    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError) as error:
        raise CourseError(f"{path} cannot be read: {error}") from None
    if not rows or not {"student", "right"} <= set(rows[0]):
        raise CourseError(f"{path} needs the columns student and right (questions answered right)")
    for number, row in enumerate(rows, start=2):
        student, right = (row["student"] or "").strip(), (row["right"] or "").strip()
        sheet = read_sheet(course, student, assignment)
        if sheet is None:
            raise CourseError(
                f"{path}, line {number}: {student!r} was not asked; nothing was stored"
            )
        if not right.isdigit() or int(right) > len(sheet.questions):
            raise CourseError(
                f"{path}, line {number}: {right!r} is not a number of right answers from 0 to "
                f"{len(sheet.questions)}; nothing was stored"
            )
    for row in rows:
        write_result(course, assignment, row["student"].strip(), int(row["right"]))
    return f"stored the results of {len(rows)} students; `proctor report {assignment}` shows them"
