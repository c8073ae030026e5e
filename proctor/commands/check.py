"""`proctor check`: the marks of notebooks."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import functools
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from proctor.commands.options import COULD_NOT_WORK, NEEDS_A_LOOK, NO_FIGURES
from proctor.commands.terminal import say
from proctor.course import Course, CourseError
from proctor.text import plain

if TYPE_CHECKING:
    from traitlets.config import Config

    from proctor.classroom.workers import Job, Outcome
    from proctor.grading.marks import Check, Marks
    from proctor.settings import Grading

SUMMARY = "show the marks of notebooks, without touching a gradebook"
EXAMPLES = """
proctor check submitted/student-01/accuracy/accuracy.ipynb
proctor check *.ipynb --assignment accuracy --json
"""
EXIT_CODES = """
0    all is well
1    some notebook was rejected, or some check failed
2    it could not run: no such file, no sandbox, a wrong name
"""


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("notebooks", nargs="+", metavar="NOTEBOOK")
    command.add_argument(
        "--assignment", metavar="A", help="default: found by the name or the grade ids"
    )
    command.add_argument("--student", metavar="S", help="the student's id")
    command.add_argument("--json", action="store_true", help="one JSON object per notebook")
    command.add_argument(
        "--gradescope",
        type=Path,
        metavar="FILE",
        help="write Gradescope's results.json, for one notebook",
    )
    command.add_argument("--no-figures", action="store_true", help=NO_FIGURES)
    command.add_argument("--seed", type=int, help="seed of the random inputs, from a record")
    command.add_argument(
        "--unsafe-no-sandbox",
        action="store_true",
        help="use no sandbox; only for an instructor's own answers",
    )


def run(options: argparse.Namespace) -> int:
    """Mark notebooks one after the other and print what came out."""
    from proctor.settings import Grading, course_of, load_config

    if options.gradescope and len(options.notebooks) != 1:
        raise CourseError("--gradescope FILE holds the results of one notebook: name just one")
    config = load_config()
    course = course_of(config)
    code = 0
    jobs = {}
    for notebook in options.notebooks:
        there = Path(notebook).is_file()
        if not there:
            code = COULD_NOT_WORK
        if there or options.json or options.gradescope:
            jobs[job_of(notebook, options, course, config)] = notebook
        else:
            what = "is not a file" if Path(notebook).exists() else "does not exist"
            say(f"proctor: {plain(notebook)} {what}", to=sys.stderr)
    for assignment in dict.fromkeys(job.assignment for job in jobs):
        together = {job: name for job, name in jobs.items() if job.assignment == assignment}
        grading = Grading(config=config).of(assignment)
        code = mark_jobs(together, course, grading, options, code)
    return code


def mark_jobs(
    jobs: dict[Job, str],
    course: Course,
    grading: Grading,
    options: argparse.Namespace,
    code: int,
) -> int:
    """Mark notebooks of one assignment; returns the exit code, which was `code` before."""
    from proctor.classroom.workers import MarkingSettings, Workers
    from proctor.sandbox.sessions import shared_sandbox

    sandbox = shared_sandbox(grading.session_limits(), unsafe=options.unsafe_no_sandbox)
    settings = dataclasses.replace(
        MarkingSettings.of(course.root, grading, figures=not options.no_figures),
        seed=options.seed,
    )
    if any(Path(notebook).is_file() for notebook in jobs.values()):
        sandbox.start()  # while workers start, which takes seconds as well
    with Workers(1, sandbox, settings) as workers:
        for outcome in workers.mark(jobs):
            code = max(code, told(outcome, jobs[outcome.job], options))
            # Gradescope's harness takes any other end for a fault of ours; the file says how it
            # went, if there is one.
            code = 0 if options.gradescope and outcome.marks else code
    return code


def job_of(notebook: str, options: argparse.Namespace, course: Course, config: Config) -> Job:
    """What is to be marked in this file, which may be hard to read."""
    from proctor.classroom.workers import Job
    from proctor.grading import intake
    from proctor.grading.submitted import read_with_modules
    from proctor.settings import Grading

    path, assignment = Path(notebook), options.assignment
    if assignment is None:
        try:
            submission = intake.read_submission(path)
            assignment = intake.identify_assignment(path, submission, course.root)
        except intake.Rejected:
            assignment = intake.assignment_named(path, course.root)
    most = Grading(config=config).of(assignment).submission_bytes
    return Job(options.student, assignment, functools.partial(read_with_modules, path, most))


def told(outcome: Outcome, notebook: str, options: argparse.Namespace) -> int:
    """Print or write what came of a notebook; returns the exit code that it asks for."""
    from proctor.grading.intake import Rejected

    marks = outcome.marks
    if marks is None:
        say(f"proctor: {plain(notebook)} set aside: {plain(outcome.error or '')}", to=sys.stderr)
        return COULD_NOT_WORK
    with contextlib.suppress(Rejected):  # as the marks say
        marks.incidents.extend(outcome.job.read().notes)
    if options.gradescope:
        write_results(options.gradescope, marks)
    if options.json:
        print(json.dumps(summary_of(notebook, marks)), flush=True)
    else:
        say(table_of(notebook, marks))
    return exit_code_of(marks)


def exit_code_of(marks: Marks) -> int:
    well = marks.status == "graded" and marks.score == marks.max_score
    return 0 if well else NEEDS_A_LOOK


def write_results(path: Path, marks: Marks) -> None:
    """Write Gradescope's file. Raises CourseError where it cannot be written."""
    from proctor.platforms.gradescope import results_of

    try:
        path.write_text(json.dumps(results_of(marks), indent=1), encoding="utf-8")
    except OSError as error:
        raise CourseError(f"{path} cannot be written ({error.strerror})") from None


def summary_of(notebook: str, marks: Marks) -> dict:
    """The JSON object of `proctor check --json`."""
    return {
        "notebook": notebook,
        "assignment": marks.assignment,
        "student": marks.student,
        "status": marks.status,
        "error": marks.error,
        "score": marks.score,
        "max_score": marks.max_score,
        "seconds": round(marks.seconds, 3),
        "incidents": [plain(incident) for incident in marks.incidents],
        "cells": [
            {
                "grade_id": cell.grade_id,
                "score": cell.score,
                "max_score": cell.max_score,
                "needs_manual_grade": cell.needs_manual_grade,
                "diagnosis": cell.diagnosis,
                "checks": [
                    {
                        "name": check.name,
                        "title": check.title,
                        "passed": check.passed,
                        "hint": check.hint,
                    }
                    for check in cell.checks
                ],
            }
            for cell in marks.cells
        ],
    }


def table_of(notebook: str, marks: Marks) -> str:
    """The same for people."""
    who = f"{marks.assignment}, {marks.student}" if marks.student else marks.assignment
    lines = [f"{plain(notebook)}  ({who})"]
    if marks.status == "rejected":
        lines.append(f"✗ rejected: {plain(marks.error)}")
    for cell in marks.cells:
        if cell.needs_manual_grade:
            lines.append(f"  {cell.grade_id:<28} needs manual grading ({cell.max_score:g} points)")
            continue
        mark = " " if cell.score == cell.max_score else "✗"
        lines.append(f"{mark} {cell.grade_id:<28} {cell.score:>6.2f} of {cell.max_score:g}")
        for check in cell.checks:
            if check.state == "failed":
                lines.append(f"✗     failed: {check.title}")
                lines.append(f"              {plain(check.hint)}")
        lines.extend(lines_of_not_tried(cell.checks))
        if cell.diagnosis:
            lines.append(f"      {cell.diagnosis}")
    lines.extend(f"  incident: {plain(incident)}" for incident in marks.incidents)
    lines.append(f"  score {marks.score:.2f} of {marks.max_score:g} in {marks.seconds:.2f} s\n")
    return "\n".join(lines)


def lines_of_not_tried(checks: Sequence[Check]) -> Iterator[str]:
    """One line for all checks of a cell that wait for the same other one."""
    reasons = Counter(plain(check.hint) for check in checks if check.state == "not tried")
    for reason, number in reasons.items():
        more = "" if number == 1 else f"  ({number} checks)"
        yield f"      {reason[:1].lower()}{reason[1:]}{more}"
