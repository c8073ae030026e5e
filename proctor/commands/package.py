"""`proctor package`: what students without nbgrader need."""

from __future__ import annotations

import argparse
from pathlib import Path

from proctor.commands.terminal import say

SUMMARY = "make the zip file of an assignment for a course page"
EXAMPLES = """
proctor package mnist_loss                  writes packages/mnist_loss.zip
"""


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("assignment", metavar="ASSIGNMENT")
    command.add_argument(
        "--to", type=Path, metavar="FILE", help="default: packages/ASSIGNMENT.zip in the course"
    )


def run(options: argparse.Namespace) -> int:
    """Write what students without nbgrader need, as one file."""
    from proctor.platforms.package import package as zip_file_of
    from proctor.settings import Grading, course_of, load_config

    config = load_config()
    course = course_of(config)
    packages = Grading(config=config).of(options.assignment).packages
    data = zip_file_of(course, options.assignment, packages)
    path = options.to or course.root / "packages" / f"{options.assignment}.zip"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    say(f"for the course page: {path}")
    return 0
