"""`proctor explain`: one student's mark."""

from __future__ import annotations

import argparse
import json

from proctor.commands.terminal import say

SUMMARY = "explain one student's mark, check by check"
EXAMPLES = """
proctor explain mnist_loss student-01
proctor explain mnist_loss student-01 --json
"""


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("assignment", metavar="ASSIGNMENT")
    command.add_argument("student", metavar="STUDENT")
    command.add_argument("--json", action="store_true", help="print everything as one JSON object")


def run(options: argparse.Namespace) -> int:
    """Explain one mark from its record and the gradebook."""
    from proctor.settings import course_of, load_config

    config = load_config()
    from proctor.pages.explanation import explained, explanation

    course = course_of(config)
    course.release(options.assignment)
    found = explained(config, course, options.assignment, options.student)
    if options.json:
        print(json.dumps(found, indent=1))
    else:
        say(explanation(found))
    return 0
