"""The `proctor` command: which verbs there are. Each is a file in `commands/`.

Help comes at once: whatever takes time to import is imported by the verb that runs.
"""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

from proctor.classroom.stopping import stop_as_by_ctrl_c
from proctor.commands import (
    ask,
    check,
    doctor,
    explain,
    grade,
    lab,
    new,
    package,
    read,
    regrade,
    release,
    report,
    similar,
    solutions,
    try_answer,
)
from proctor.commands.options import COULD_NOT_WORK, STOPPED, USUAL_EXIT_CODES
from proctor.course import CourseError
from proctor.grading.asserts import start_again_with_asserts
from proctor.sandbox.unavailable import SandboxUnavailable

COMMANDS = {
    "new": new,
    "check": check,
    "grade": grade,
    "regrade": regrade,
    "read": read,
    "explain": explain,
    "report": report,
    "similar": similar,
    "ask": ask,
    "try": try_answer,
    "release": release,
    "package": package,
    "solutions": solutions,
    "lab": lab,
    "doctor": doctor,
}


def main(arguments: Sequence[str] | None = None) -> int:
    if arguments is None and sys.flags.optimize:
        start_again_with_asserts()
    options = parser().parse_args(arguments)
    stop_as_by_ctrl_c()
    try:
        return options.run(options)
    except KeyboardInterrupt:
        print("\nproctor: stopped", file=sys.stderr)
        return STOPPED
    except SandboxUnavailable as error:
        print(f"proctor: no sandbox, so nothing is graded. {error}", file=sys.stderr)
    except CourseError as error:
        print(f"proctor: {error}", file=sys.stderr)
    except PermissionError as error:
        print(f"proctor: {not_allowed(error)}", file=sys.stderr)
    return COULD_NOT_WORK


def not_allowed(error: PermissionError) -> str:
    """Whose file it is, and what helps."""
    path = Path(error.filename or ".")
    try:
        owner = f", which belongs to {path.owner()}"
    except (OSError, KeyError):
        owner = ""
    return (
        f"{path}{owner}, may not be read or written by you. Where several people grade a course, "
        "its folder is set up as in docs/operators.md, “Several instructors”."
    )


def more_help(verb: ModuleType) -> str:
    """Examples, and how the command ends, below the options."""
    codes = getattr(verb, "EXIT_CODES", USUAL_EXIT_CODES)
    parts = (("examples:", getattr(verb, "EXAMPLES", "")), ("exit codes:", codes))
    return "\n\n".join(f"{title}\n{textwrap.indent(text.strip(), '  ')}" for title, text in parts)


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="proctor", description="Grade notebooks: student code in a sandbox, graders outside."
    )
    top.add_argument("--version", action="version", version=f"proctor {version('proctor')}")
    verbs = top.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for name, verb in COMMANDS.items():
        command = verbs.add_parser(
            name,
            help=verb.SUMMARY,
            description=verb.SUMMARY.capitalize() + ".",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            epilog=more_help(verb),
        )
        verb.add_arguments(command)
        command.set_defaults(run=verb.run)
    return top
