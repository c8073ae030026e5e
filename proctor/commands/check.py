"""`proctor check`: the marks of notebooks."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from proctor.commands.options import NO_FIGURES
from proctor.course import Course, CourseError
from proctor.text import plain

if TYPE_CHECKING:
    from proctor.grading.marks import Marks
    from proctor.sandbox.sessions import Sandbox
    from proctor.settings import Grading

SUMMARY = "show the marks of notebooks, touching no gradebook"


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("notebooks", nargs="+", metavar="NOTEBOOK")
    command.add_argument(
        "--assignment", metavar="A", help="default: told from the name or the grade ids"
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
        help="no sandbox: for an instructor's own answers only",
    )


def run(options: argparse.Namespace) -> int:
    """Mark notebooks one after the other and print what came out."""
    from proctor.sandbox.sessions import shared_sandbox
    from proctor.settings import Grading, course_of, load_config

    if options.gradescope and len(options.notebooks) != 1:
        raise CourseError("--gradescope FILE holds the results of one notebook: name just one")
    config = load_config()
    course = course_of(config)
    grading = Grading(config=config)
    sandbox = shared_sandbox(grading.session_limits(), unsafe=options.unsafe_no_sandbox)
    for notebook in options.notebooks:
        marks = check_one(notebook, options, course, grading, sandbox)
        if options.gradescope:
            write_results(options.gradescope, marks)
        if options.json:
            print(json.dumps(summary_of(notebook, marks)), flush=True)
        else:
            print(table_of(notebook, marks), flush=True)
    return 0


def check_one(
    notebook: str, options: argparse.Namespace, course: Course, grading: Grading, sandbox: Sandbox
) -> Marks:
    from proctor.grading import intake
    from proctor.grading.marks import rejected_unread

    path = Path(notebook)
    assignment = options.assignment
    try:
        submission = intake.read_submission(path)
        if assignment is None:
            assignment = intake.identify_assignment(path, submission, course.root)
    except intake.Rejected as error:
        if assignment is None:
            assignment = intake.assignment_named(path, course.root)
        return rejected_unread(assignment, course, options.student, str(error))
    sandbox.start()  # while torch is imported, which takes seconds as well: few commands need it
    from proctor.grading.marking import mark

    return mark(
        submission,
        assignment,
        course,
        student=options.student,
        sandbox=sandbox,
        figures=grading.figures and not options.no_figures,
        limits=grading.time_limits(),
        seed=options.seed,
    )


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
        lines.append(f"  rejected: {plain(marks.error)}")
    for cell in marks.cells:
        if cell.needs_manual_grade:
            lines.append(f"  {cell.grade_id:<28} waits for a person, of {cell.max_score:g}")
            continue
        lines.append(f"  {cell.grade_id:<28} {cell.score:>5g} of {cell.max_score:g}")
        for check in cell.checks:
            if not check.passed:
                lines.append(f"      failed: {check.title}")
                lines.append(f"              {plain(check.hint)}")
        if cell.diagnosis:
            lines.append(f"      {cell.diagnosis}")
    lines.extend(f"  incident: {plain(incident)}" for incident in marks.incidents)
    lines.append(f"  score {marks.score:g} of {marks.max_score:g} in {marks.seconds:.2f} s\n")
    return "\n".join(lines)
