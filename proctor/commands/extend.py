"""`proctor extend`: more time for a student."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from proctor.commands.options import NEEDS_A_LOOK, positive
from proctor.commands.terminal import say
from proctor.course import CourseError, meant
from proctor.text import plain

if TYPE_CHECKING:
    from traitlets.config import Config

    from proctor.classroom.deadlines.penalties import ClassDeadlines
    from proctor.classroom.deadlines.table import Table
    from proctor.classroom.deadlines.times import MoreTime

SUMMARY = "give students more time, or list who has more"
EXAMPLES = """
proctor extend mnist_loss student-01 student-02 --days 2 --reason "ill"
proctor extend mnist_loss student-01 --until "2026-12-03 18:00"
proctor extend --all-assignments student-01 --days 2
proctor extend --import from-the-office.csv
proctor extend mnist_loss student-01 --remove
proctor extend --list
"""
EXIT_CODES = """
0    all is well
1    some rows of a table could not be read: they are listed; the others count
2    it could not run, and says why
"""


USAGE = """
  proctor extend ASSIGNMENT STUDENT ... --days N
  proctor extend ASSIGNMENT STUDENT ... --hours N
  proctor extend ASSIGNMENT STUDENT ... --until TIME
  proctor extend ASSIGNMENT STUDENT ... --remove
  proctor extend [ASSIGNMENT] --import FILE
  proctor extend [ASSIGNMENT [STUDENT ...]] --list
With --all-assignments, leave out ASSIGNMENT."""


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.usage = USAGE
    command.add_argument(
        "names", nargs="*", metavar="ASSIGNMENT STUDENT", help="an assignment, then the students"
    )
    how = command.add_mutually_exclusive_group()
    how.add_argument(
        "--days",
        type=positive,
        metavar="N",
        help="this many days after the due date, at the same time",
    )
    how.add_argument(
        "--hours", type=positive, metavar="N", help="this many hours after the due date"
    )
    how.add_argument(
        "--until", metavar="TIME", help='"2026-12-03 18:00" in the course\'s time zone, or a day'
    )
    how.add_argument(
        "--import",
        dest="table",
        type=Path,
        metavar="FILE",
        help="import the rows of a CSV file: assignment, student, until or days, reason",
    )
    how.add_argument("--remove", action="store_true", help="remove the extension")
    how.add_argument("--list", action="store_true", help="show extensions and late work")
    command.add_argument("--reason", default="", help="goes into the table; students never see it")
    command.add_argument(
        "--all-assignments", action="store_true", help="for all assignments, including future ones"
    )
    command.add_argument(
        "--new-student", action="store_true", help="allow a student who is not in the gradebook yet"
    )
    command.add_argument(
        "--dry-run", action="store_true", help="show whose points would change, and store nothing"
    )


def run(options: argparse.Namespace) -> int:
    """Change extensions.csv and bring the gradebook up to date, or show both."""
    from nbgrader.coursedir import CourseDirectory
    from sqlalchemy.exc import DatabaseError

    from proctor.classroom.deadlines.penalties import ClassDeadlines
    from proctor.classroom.gradebook import unusable
    from proctor.settings import load_config

    config = load_config()
    try:
        if options.list:
            return show(options, ClassDeadlines(CourseDirectory(config=config), config))
        demand_a_change(options)
        return change(options, config)
    except DatabaseError as error:
        raise unusable(error) from error


def demand_a_change(options: argparse.Namespace) -> None:
    """Raises CourseError for a command that says too little."""
    if not (options.days or options.hours or options.until or options.table or options.remove):
        raise CourseError(
            "say how much more time: --days 2, --hours 12, --until TIME or --import FILE; or "
            "--remove, or --list"
        )
    if options.table:
        most = 0 if options.all_assignments else 1
        if len(options.names) > most:
            raise CourseError("with --import the students are in the file: name none here")
    elif len(options.names) < (1 if options.all_assignments else 2):
        raise CourseError(
            "name the assignment and then the students: proctor extend mnist_loss student-01"
        )


def change(options: argparse.Namespace, config: Config) -> int:
    from nbgrader.coursedir import CourseDirectory

    from proctor.classroom.deadlines.penalties import ClassDeadlines
    from proctor.classroom.deadlines.table import NAME, changing
    from proctor.settings import course_of

    with changing(course_of(config), keep=not options.dry_run) as table:
        deadlines = ClassDeadlines(CourseDirectory(config=config), config, table)
        told, wrong = change_table(options, deadlines, table)
    say("\n".join(told))
    bring_up_to_date(deadlines, dry_run=options.dry_run)
    wrong = [f"{options.table}, {problem}" for problem in wrong]
    wrong += [f"{NAME}, {problem}" for problem in deadlines.problems()]
    for problem in wrong:
        say(f"proctor: {problem}", to=sys.stderr)
    return NEEDS_A_LOOK if wrong else 0


def change_table(
    options: argparse.Namespace, deadlines: ClassDeadlines, table: Table
) -> tuple[list[str], list[str]]:
    """Do in the table what was asked for; returns what to tell, and which lines are wrong."""
    from proctor.classroom.deadlines.granting import Granting
    from proctor.classroom.deadlines.table import EVERY_ASSIGNMENT, Extension

    granting = Granting(deadlines, table, new_students=options.new_student)
    told = granting.take_over_from_gradebook()
    if options.table:
        default = EVERY_ASSIGNMENT if options.all_assignments else next(iter(options.names), None)
        taken, wrong = granting.take(options.table, default)
        return told + (taken or ["no rows were imported"]), wrong
    first, *students = [EVERY_ASSIGNMENT] * options.all_assignments + options.names
    for student in dict.fromkeys(students):
        if options.remove:
            told.append(granting.remove(first, student))
        else:
            wanted = Extension(first, student, more_time_of(options), options.reason)
            told.append(granting.grant(wanted))
    return told, []


def more_time_of(options: argparse.Namespace) -> MoreTime:
    """Raises CourseError."""
    from proctor.classroom.deadlines.times import NotUnderstood, more_time

    try:
        if options.until:
            return more_time(options.until)
        return more_time(f"{options.days} days" if options.days else f"{options.hours} hours")
    except NotUnderstood as error:
        raise CourseError(str(error)) from None


def bring_up_to_date(deadlines: ClassDeadlines, *, dry_run: bool) -> None:
    """Write extensions and penalties into the gradebook, and say whose points change."""
    from proctor.classroom.deadlines.table import NAME
    from proctor.classroom.gradebook import wait_while_locked

    def warn(text: str) -> None:
        say(f"proctor: {text}", to=sys.stderr)

    if not dry_run:
        try:
            wait_while_locked(deadlines.coursedir, warn)
        except CourseError as error:
            kept = f"{NAME} is written, and the gradebook follows when you grade"
            raise CourseError(f"{kept}: {error}") from error
    changed = deadlines.renew(dry_run=dry_run)
    for each in changed:
        say(str(each))
    for assignment in () if dry_run else sorted({each.assignment for each in changed}):
        say(f"`proctor feedback {assignment}` makes its pages anew")
    if dry_run:
        say("nothing was stored")


def show(options: argparse.Namespace, deadlines: ClassDeadlines) -> int:
    """Print who has more time, and what late work uses and costs."""
    from proctor.classroom.deadlines.listing import extension_rows, late_rows

    if options.names and not options.all_assignments:
        known = deadlines.known_assignments()
        if options.names[0] not in known:
            close = meant(options.names[0], sorted(known))
            raise CourseError(f"there is no assignment {options.names[0]} here{close}")
    assignment = next(iter(options.names), None)
    students = set(options.names[1:])
    tables = (
        ("Nobody has more time.", extension_rows(deadlines, assignment, students)),
        ("Nothing came late.", late_rows(deadlines, assignment, students)),
    )
    say("\n\n".join(as_table(rows) if len(rows) > 1 else empty for empty, rows in tables))
    problems = deadlines.problems()
    for problem in problems:
        say(f"proctor: extensions.csv, {problem}", to=sys.stderr)
    return NEEDS_A_LOOK if problems else 0


def as_table(rows: Sequence[Sequence[str]]) -> str:
    """Rows in columns, the first of them a header."""
    rows = [[plain(cell, 60) for cell in row] for row in rows]
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    return "\n".join(lines)
