"""What several commands share: options, and how a command ends."""

from __future__ import annotations

import argparse

from proctor.sandbox.machine import default_jobs

REFUSED = 1
NEEDS_A_LOOK = 1
COULD_NOT_WORK = 2
STOPPED = 130
USUAL_EXIT_CODES = """
0    all is well
2    it could not run, and says why
"""
NO_FIGURES = "draw no figures, and skip cells that only draw (faster)"


def add_jobs(command: argparse.ArgumentParser, what: str = "submissions marked") -> None:
    command.add_argument(
        "-j",
        "--jobs",
        type=positive,
        default=default_jobs(),
        metavar="N",
        help=f"{what} at a time (default: as many as cores and free memory allow, "
        "%(default)s here)",
    )


def add_cluster(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--cluster",
        metavar="ADDRESS",
        help="mark on a Dask cluster instead: the scheduler's address, tcp://HOST:PORT",
    )


def add_students(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--student", action="append", default=[], metavar="S", help="only this student; repeatable"
    )


def positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)
