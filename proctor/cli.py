# PYTHON_ARGCOMPLETE_OK
"""The `proctor` command: which verbs there are. Each is a file in `commands/`.

Help comes at once: whatever takes time to import is imported by the verb that runs.
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
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
    extend,
    feedback,
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
    watch,
)
from proctor.commands.options import COULD_NOT_WORK, STOPPED, USUAL_EXIT_CODES
from proctor.commands.terminal import Help, Parser, say
from proctor.course import CourseError, meant
from proctor.grading.asserts import start_again_with_asserts
from proctor.sandbox.unavailable import SandboxUnavailable

COMMANDS = {
    "new": new,
    "check": check,
    "grade": grade,
    "watch": watch,
    "regrade": regrade,
    "extend": extend,
    "read": read,
    "explain": explain,
    "feedback": feedback,
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
WITHOUT_A_COURSE = ("new", "doctor")
MANY_OBJECTS = 50_000  # new ones, before garbage is looked for among them
PIPE_CLOSED = 141  # as a shell has it for SIGPIPE
ASKED_TO_COMPLETE = "_ARGCOMPLETE"  # by a shell, where a person pressed Tab


def main(arguments: Sequence[str] | None = None) -> int:
    if arguments is None and sys.flags.optimize:
        start_again_with_asserts()
    # What is imported stays: collections in the midst of it find nothing, and take a sixth of it.
    gc.set_threshold(MANY_OBJECTS)
    options = parse(arguments)
    stop_as_by_ctrl_c()
    try:
        if options.needs_course:
            demand_course()
        code = options.run(options)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # whoever reads this, as `head` does, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except KeyboardInterrupt:
        print("\nproctor: stopped", file=sys.stderr)
        return STOPPED
    except SandboxUnavailable as error:
        say(f"proctor: no sandbox, so nothing is graded. {error}", to=sys.stderr)
    except CourseError as error:
        say(f"proctor: {error}", to=sys.stderr)
    except PermissionError as error:
        say(f"proctor: {not_allowed(error)}", to=sys.stderr)
    return COULD_NOT_WORK


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options; a wrong command or option is answered with the one that was meant."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    top = parser()
    if ASKED_TO_COMPLETE in os.environ:
        complete(top)
    if not given:
        top.print_help(sys.stderr)
        raise SystemExit(COULD_NOT_WORK)
    if not given[0].startswith("-") and given[0] not in COMMANDS:
        top.error(f"there is no command {given[0]}{meant(given[0], list(COMMANDS))}")
    options, unknown = top.parse_known_args(given)
    if unknown:
        known = sorted(options.command._option_string_actions)
        close = meant(unknown[0], known) if unknown[0].startswith("-") else ""
        options.command.error(f"{unknown[0]} is not understood{close}")
    return options


def demand_course() -> None:
    """Say that this is not a course before anything is made here. Raises CourseError."""
    if Path("nbgrader_config.py").exists():
        return
    from proctor.settings import load_config

    logging.disable(logging.WARNING)  # nbgrader's own word for it
    try:
        root = load_config().CourseDirectory.get("root")
    finally:
        logging.disable(logging.NOTSET)
    if not isinstance(root, str) or not Path(root, "nbgrader_config.py").exists():
        raise CourseError(
            f"{Path.cwd()} is not a course: change to the folder that has nbgrader_config.py"
        )


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


def complete(top: argparse.ArgumentParser) -> None:
    """Answer the shell, which ends this process; nothing happens where it asked another program."""
    import argcomplete

    from proctor.commands.completion import add_completers

    add_completers(top)
    argcomplete.autocomplete(top)


def parser() -> argparse.ArgumentParser:
    top = Parser(
        prog="proctor",
        description="Grade notebooks: student code runs in a sandbox, hidden tests outside it.",
    )
    top.add_argument("--version", action="version", version=f"proctor {version('proctor')}")
    verbs = top.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for name, verb in COMMANDS.items():
        command = verbs.add_parser(
            name,
            help=verb.SUMMARY,
            description=f"{verb.SUMMARY[0].upper()}{verb.SUMMARY[1:]}.",
            formatter_class=Help,
            epilog=more_help(verb),
        )
        verb.add_arguments(command)
        needs_course = name not in WITHOUT_A_COURSE
        command.set_defaults(run=verb.run, command=command, needs_course=needs_course)
    return top
