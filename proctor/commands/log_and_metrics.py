"""What a run tells those who are not there: a log file, and figures for Prometheus."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from proctor.commands.terminal import say
from proctor.course import CourseError

if TYPE_CHECKING:
    from proctor.classroom.whole_class import Tally

SECONDS_BETWEEN_FIGURES = 5.0


def add_log(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--log", type=Path, metavar="FILE", help="append a line to this file for each event"
    )


def add_log_and_metrics(command: argparse.ArgumentParser) -> None:
    add_log(command)
    command.add_argument(
        "--metrics",
        type=Path,
        metavar="FILE",
        help="keep metrics of the run in this file, in Prometheus's text format",
    )


class ToTerminal(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        say(f"proctor: {self.format(record)}", to=sys.stderr)


@contextmanager
def log_to(path: Path | None) -> Iterator[None]:
    """Warnings go to the terminal, and all that is logged to the file. Raises CourseError."""
    terminal = ToTerminal()
    # What is worse than a warning is in the summary of the run.
    terminal.addFilter(lambda record: record.levelno == logging.WARNING)
    handlers: list[logging.Handler] = [terminal]
    if path is not None:
        try:
            file = logging.FileHandler(path, encoding="utf-8")
        except OSError as error:
            raise CourseError(f"{path} cannot be written ({error.strerror})") from None
        file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        handlers.append(file)
    logger = logging.getLogger("proctor")
    level, propagate = logger.level, logger.propagate
    logger.setLevel(logging.INFO)
    logger.propagate = False
    for handler in handlers:
        logger.addHandler(handler)
    try:
        yield
    finally:
        for handler in handlers:
            logger.removeHandler(handler)
            handler.close()
        logger.setLevel(level)
        logger.propagate = propagate


class Metrics:
    """Figures of one run, in a file that is always whole; nothing without a path."""

    def __init__(self, path: Path | None, assignment: str):
        self.path = path
        self.started = time.monotonic()
        self._written = 0.0
        if path is None:
            return
        from prometheus_client import CollectorRegistry, Gauge

        self.registry = CollectorRegistry()

        def gauge(name: str, words: str, *labels: str) -> Gauge:
            names = ["assignment", *labels]
            return Gauge(f"proctor_{name}", words, names, registry=self.registry)

        self._submissions = gauge("submissions", "Submissions by what became of them.", "state")
        self._values = {
            "need_person": gauge("need_person", "Graded with answers that a person must read."),
            "need_look": gauge("need_look", "Rejected, set aside, or with an incident."),
            "run_seconds": gauge("run_seconds", "How long the run has taken so far."),
            "running": gauge("running", "1 while the run goes on."),
            "exit_code": gauge("exit_code", "How the run ended; -1 while it goes on."),
            "updated": gauge("updated_timestamp_seconds", "When these figures were written."),
        }
        self.assignment = assignment

    def __call__(self, tally: Tally) -> None:
        """Write the figures, unless that was done a moment ago."""
        if time.monotonic() - self._written > SECONDS_BETWEEN_FIGURES:
            self.write(tally)

    def write(self, tally: Tally | None, code: int | None = None) -> None:
        """Write the figures; with an exit code they are the last. Raises CourseError."""
        if self.path is None:
            return
        from prometheus_client import write_to_textfile

        if tally is not None:
            for state in ("unchanged", "graded", "rejected", "set_aside"):
                self._submissions.labels(self.assignment, state).set(getattr(tally, state))
            self._submissions.labels(self.assignment, "waiting").set(tally.total - tally.done)
            self._set("need_person", tally.need_person)
            self._set("need_look", len({student for student, _ in tally.look_at}))
        self._set("run_seconds", time.monotonic() - self.started)
        self._set("running", int(code is None))
        self._set("exit_code", -1 if code is None else code)
        self._set("updated", time.time())
        try:
            write_to_textfile(str(self.path), self.registry)
        except OSError as error:
            raise CourseError(f"{self.path} cannot be written ({error.strerror})") from None
        self._written = time.monotonic()

    def _set(self, name: str, value: float) -> None:
        self._values[name].labels(self.assignment).set(value)
