"""`proctor explain`: one student's mark."""

from __future__ import annotations

import argparse

SUMMARY = "explain one student's mark, check by check"
EXAMPLES = """
proctor explain mnist_loss student-01
"""


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("assignment", metavar="ASSIGNMENT")
    command.add_argument("student", metavar="STUDENT")


def run(options: argparse.Namespace) -> int:
    """Explain one mark from its record and the gradebook."""
    from proctor.settings import course_of, load_config

    config = load_config()
    from proctor.pages.explanation import explanation

    course = course_of(config)
    course.release(options.assignment)
    print(explanation(config, course, options.assignment, options.student))
    return 0
