"""`proctor new`: a course from nothing, or another assignment in one."""

from __future__ import annotations

import argparse
from pathlib import Path

from proctor.commands.terminal import say
from proctor.course import CourseError

SUMMARY = "make a course, or (with --assignment) a new assignment in one"
EXAMPLES = """
proctor new my_course
proctor new --assignment hinge
"""


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("folder", nargs="?", type=Path, metavar="FOLDER")
    command.add_argument(
        "--assignment", metavar="NAME", help="add this assignment to the course here"
    )


def run(options: argparse.Namespace) -> int:
    from proctor.classroom.new_course import FIRST, new_assignment, new_course

    if (options.folder is None) == (options.assignment is None):
        raise CourseError("name the FOLDER of a new course, or an --assignment of the course here")
    if options.folder is not None:
        show(new_course(options.folder))
        say(f"\nNext: cd {options.folder} && proctor release {FIRST}")
        return 0
    from proctor.settings import course_of, load_config

    root = course_of(load_config()).root
    if not (root / "nbgrader_config.py").exists():
        raise CourseError(f"{root} is not a course: `proctor new FOLDER` makes one")
    show(new_assignment(root, options.assignment))
    say(f"\nNext: write the exercise, then `proctor release {options.assignment}`")
    return 0


def show(paths: list[Path]) -> None:
    for path in paths:
        say(f"wrote {path}")
