"""The `proctor` command: which verbs there are. Each is a file in `commands/`.

Help comes at once: whatever takes time to import is imported by the verb that runs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import version

from proctor.commands import (
    check,
    doctor,
    explain,
    grade,
    lab,
    package,
    regrade,
    release,
    report,
    similar,
    solutions,
)
from proctor.commands.options import COULD_NOT_WORK
from proctor.course import CourseError
from proctor.sandbox.unavailable import SandboxUnavailable

COMMANDS = {
    "check": check,
    "grade": grade,
    "regrade": regrade,
    "explain": explain,
    "report": report,
    "similar": similar,
    "release": release,
    "package": package,
    "solutions": solutions,
    "lab": lab,
    "doctor": doctor,
}


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    try:
        return options.run(options)
    except SandboxUnavailable as error:
        print(f"proctor: no sandbox, so nothing is graded. {error}", file=sys.stderr)
    except CourseError as error:
        print(f"proctor: {error}", file=sys.stderr)
    return COULD_NOT_WORK


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="proctor", description="Grade notebooks: student code in a sandbox, graders outside."
    )
    top.add_argument("--version", action="version", version=f"proctor {version('proctor')}")
    verbs = top.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for name, verb in COMMANDS.items():
        command = verbs.add_parser(
            name, help=verb.SUMMARY, description=verb.SUMMARY.capitalize() + "."
        )
        verb.add_arguments(command)
        command.set_defaults(run=verb.run)
    return top
