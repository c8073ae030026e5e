"""Commands that root runs as an ordinary user: one without a name and without other rights."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from proctor.sandbox.bubblewrap import find_bubblewrap

REPOSITORY = Path(__file__).resolve().parents[1]
USER = 20001


def can_read_this() -> bool:
    """Whether an ordinary user can read the repository and the virtual environment."""
    places = (*REPOSITORY.parents, REPOSITORY, Path(sys.prefix))
    return all(place.stat().st_mode & 0o5 == 0o5 for place in places)


def showing_the_interpreter() -> list[str]:
    """A wrapper in which every user can read the interpreter, wherever it lies."""
    private = [path for path in Path(sys.base_prefix).parents if path.stat().st_mode & 0o5 != 0o5]
    shown = []
    for folder in private[-1:]:
        below = [path for path in Path(sys.base_prefix).parents if path.is_relative_to(folder)]
        shown += ["--perms", "0755", "--tmpfs", str(folder)]
        shown += ["--ro-bind", sys.base_prefix, sys.base_prefix]
        shown += [word for path in below for word in ("--chmod", "0755", str(path))]
    return [str(find_bubblewrap()), "--dev-bind", "/", "/", *shown, "--cap-add", "ALL"]


def as_ordinary_user(arguments: list[str]) -> list[str]:
    """The command for it. The user can read the interpreter, wherever it lies."""
    user = ("--reuid", str(USER), "--regid", str(USER), "--clear-groups")
    return [*showing_the_interpreter(), "setpriv", *user, *arguments]


def is_root() -> bool:
    return os.geteuid() == 0
