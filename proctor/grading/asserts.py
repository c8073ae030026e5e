"""Graders fail by `assert`, so no process may mark in which Python leaves asserts out."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from proctor.course import CourseError


def demand_asserts() -> None:
    """Raises CourseError in a Python that leaves asserts out.

    pytest brings those in test files back, but not those in the modules that they import: a check
    that lost its asserts passes whatever it sees.
    """
    if sys.flags.optimize:
        raise CourseError(
            "this Python leaves out `assert`, by which graders fail, so wrong answers would pass: "
            "unset PYTHONOPTIMIZE (a container image may set it), and start Python without -O. "
            "Then the same command works"
        )


def start_again_with_asserts() -> NoReturn:
    """Run this `proctor` command in a Python that keeps asserts, in place of this one."""
    environment = {**os.environ}
    environment.pop("PYTHONOPTIMIZE", None)  # forks, workers and nbgrader inherit it
    command = "import sys; from proctor.cli import main; sys.exit(main())"
    arguments = [sys.executable, "-P", "-c", command, *sys.argv[1:]]
    os.execve(sys.executable, arguments, environment)
