"""`proctor lab`: a course as an instructor and as a student see it."""

from __future__ import annotations

import argparse
from pathlib import Path

SUMMARY = "start JupyterLab for an instructor and for a student, on one machine"
EXAMPLES = """
proctor lab --student student-07
"""


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("--student", default="student-01", metavar="S", help="the student's id")
    command.add_argument(
        "--exchange", type=Path, metavar="FOLDER", help="default: a separate one, in .lab/"
    )


def run(options: argparse.Namespace) -> int:
    """Show the course as an instructor and as a student see it."""
    from proctor.classroom import lab
    from proctor.settings import course_of, load_config

    lab.run(course_of(load_config()).root, options.exchange, options.student)
    return 0
