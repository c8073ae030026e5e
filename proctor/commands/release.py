"""`proctor release`: through the gate, to students."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass

from proctor.commands.options import REFUSED, add_jobs
from proctor.commands.terminal import say
from proctor.text import plain

SUMMARY = "release an assignment if its hidden tests are proven right"
EXAMPLES = """
proctor release mnist_loss
proctor release mnist_loss --json
"""
EXIT_CODES = """
0    it was released
1    it was not: hidden tests and answers disagree, or cells are wrong
2    it could not run: no sandbox, a wrong name
"""


@dataclass
class Tried:
    """How many answers were tried."""

    done: int
    total: int
    unchanged: int = 0

    def __str__(self) -> str:
        return "answers"


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("assignment", metavar="ASSIGNMENT")
    add_jobs(command)
    command.add_argument("--json", action="store_true", help="print the outcome as one JSON object")


def run(options: argparse.Namespace) -> int:
    """Release an assignment, or say everything that is wrong with it."""
    from proctor.classroom import release_gate
    from proctor.commands.progress import Progress
    from proctor.settings import course_of, load_config

    config = load_config()
    course_of(config).reference(options.assignment)
    say(f"trying the answers of {options.assignment}: this takes a while", to=sys.stderr)
    with Progress[Tried](unit="answer") as told:

        def progress(done: int, total: int) -> None:
            told(Tried(done, total))

        found = release_gate.release(
            course_of(config), config, options.assignment, workers=options.jobs, progress=progress
        )
    faults = [plain(fault) for fault in found]
    if options.json:
        summary = {"assignment": options.assignment, "released": not faults, "faults": faults}
        print(json.dumps(summary))
    elif faults:
        say(f"{options.assignment} was not released:")
        say("\n".join(f"  {fault}" for fault in faults))
    else:
        say(f"{options.assignment} was released: release/{options.assignment}/")
    return REFUSED if faults else 0
