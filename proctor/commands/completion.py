"""What Tab offers behind `proctor`: assignments, students and labelled answers of the course here.

Commands and options argcomplete finds by itself. A person waits for it: nothing slow is imported.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from proctor.course import Course

Completer = Callable[..., list[str]]


def assignments(**_: Any) -> list[str]:
    return Course(Path.cwd()).assignments()


def students(parsed_args: argparse.Namespace, **_: Any) -> list[str]:
    """Those who handed in, or were graded in, the assignment that is named; else all."""
    assignment = getattr(parsed_args, "assignment", None)
    folders = [*Path("submitted").glob("*/*/"), *Path("submitted").glob("*/*")]
    found = {path.parent.name for path in folders if assignment in (None, path.name)}
    found |= {path.parent.name for path in Path("records").glob(f"*/{assignment or '*'}.json")}
    return sorted(found)


def assignment_then_students(parsed_args: argparse.Namespace, **_: Any) -> list[str]:
    begun = parsed_args.names or parsed_args.all_assignments
    return students(parsed_args) if begun else assignments()


COMPLETERS: dict[str, Completer] = {
    "assignment": assignments,
    "student": students,
    "names": assignment_then_students,
}


def add_completers(top: argparse.ArgumentParser) -> None:
    """Attach them to every argument of these names."""
    for action in actions_of(top):
        completer = COMPLETERS.get(action.dest)
        if completer is not None:
            action.completer = completer  # type: ignore[attr-defined]


def actions_of(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Every argument and option of a parser and of its commands."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from actions_of(command)
