"""`proctor try`: one labelled answer, or a notebook, with all detail."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from proctor.commands.check import table_of
from proctor.commands.options import REFUSED
from proctor.commands.terminal import say
from proctor.course import Course, CourseError
from proctor.text import plain

if TYPE_CHECKING:
    from proctor.classroom.release_gate import Trial
    from proctor.grading.marks import Marks
    from proctor.grading.modules import Submission
    from proctor.settings import Grading

SUMMARY = "try the hidden tests, as they are now, on a labelled answer or a notebook"
EXAMPLES = """
proctor try hinge "by relu"
proctor try hinge reference --seed 3
proctor try hinge submitted/student-01/hinge/hinge.ipynb
"""
EXIT_CODES = """
0    the answer got the marks it should, or a notebook was tried
1    it did not, so the assignment would not be released
2    it could not run: no such answer, no sandbox
"""


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("assignment", metavar="ASSIGNMENT")
    command.add_argument(
        "answer",
        metavar="ANSWER",
        help="the name of a labelled answer, `reference`, `blank`, or a notebook file",
    )
    command.add_argument(
        "--seed", type=int, help="seed of the random inputs, as reported by the gate"
    )


def run(options: argparse.Namespace) -> int:
    """Show what each check says of it; ends with 1 where a labelled answer does not get what it
    must."""
    from proctor.classroom import release_gate
    from proctor.grading.missing import demand_packages
    from proctor.settings import Grading, course_of, load_config

    config = load_config()
    grading = Grading(config=config).of(options.assignment)
    demand_packages(grading.packages)
    course = course_of(config)
    course.reference(options.assignment)  # says what is wrong with a name
    demand_answer(course, options.assignment, options.answer)
    faults = []
    say(
        f"making a release of {options.assignment} to try it; this takes a few seconds",
        to=sys.stderr,
    )
    with release_gate.released_in_scratch(course, options.assignment) as scratch:
        for name, submission, faults_of in asked_for(
            scratch, options.assignment, options.answer, grading
        ):
            say(f"trying {name}", to=sys.stderr)
            marks = marks_of(submission, options, scratch, grading)
            say(table_of(name, marks))
            say(details_of(marks, scratch).rstrip("\n"))
            faults += [f"{name}: {fault}" for fault in faults_of(marks)]
    for fault in faults:
        say(f"the gate would say: {plain(fault)}")
    return REFUSED if faults else 0


WITHOUT_A_LABEL = {"reference": "the reference", "blank": "the blank notebook"}


def demand_answer(course: Course, assignment: str, asked: str) -> None:
    """Raises CourseError for what names no answer and no file, before that takes time."""
    from proctor.grading.labelled import load_answers

    if asked.endswith(".ipynb"):
        if not Path(asked).is_file():
            raise CourseError(f"{asked} does not exist")
        return
    names = [answer.name for answer in load_answers(course, assignment)]
    if asked not in (*WITHOUT_A_LABEL, *names):
        close = get_close_matches(asked, names, n=1)
        listed = "reference, blank, " + ", ".join(f"“{name}”" for name in names)
        there = f": did you mean “{close[0]}”?" if close else f". There are {listed}"
        raise CourseError(f"no answer to {assignment} is called {asked!r}{there}")


def asked_for(
    course: Course, assignment: str, asked: str, grading: Grading
) -> Iterator[tuple[str, Submission, Callable[[Marks], list[str]]]]:
    """What is to be tried: its name, what is handed in, and what the gate would find wrong with
    its marks."""
    from proctor.classroom.release_gate import all_trials, handed_in
    from proctor.grading.submitted import read_with_modules

    path = Path(asked)
    if path.suffix == ".ipynb":
        yield asked, read_with_modules(path, grading.submission_bytes), lambda marks: []
        return
    wanted = WITHOUT_A_LABEL.get(asked)
    found: dict[str, Trial] = {}
    for trial in all_trials(course, assignment):
        if trial.name == wanted or f"answer “{asked}” to" in trial.name:
            found.setdefault(trial.name, trial)
    for trial in found.values():
        yield trial.name, handed_in(trial), trial.faults


def marks_of(
    submission: Submission, options: argparse.Namespace, course: Course, grading: Grading
) -> Marks:
    from proctor.classroom.release_gate import STUDENT
    from proctor.grading.marking import mark
    from proctor.sandbox.sessions import shared_sandbox

    return mark(
        submission.notebook,
        options.assignment,
        course,
        modules=submission.modules,
        student=STUDENT,
        sandbox=shared_sandbox(grading.session_limits()),
        figures=False,
        limits=grading.time_limits(),
        seed=options.seed,
    )


def details_of(marks: Marks, scratch: Course) -> str:
    """What a failed check said, which no student ever sees. Files are those of the course."""
    parts = []
    for cell in marks.cells:
        for check in cell.checks:
            if not check.passed:
                detail = check.detail.replace(f"{scratch.root}{os.sep}", "")
                parts.append(f"{check.name}\n{plain_lines(detail)}\n")
    return f"seed {marks.seed}\n" + "\n".join(parts)


def plain_lines(text: str) -> str:
    return "\n".join(f"    {plain(line)}" for line in text.splitlines())
