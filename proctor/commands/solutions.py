"""`proctor solutions`: the solved notebook, for students, once nobody can hand in any more."""

from __future__ import annotations

import argparse
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from proctor.commands.terminal import say
from proctor.course import CourseError
from proctor.grading.rubric import parse

if TYPE_CHECKING:
    from nbformat import NotebookNode
    from traitlets.config import Config

SUMMARY = "write the solved notebook for students, with model answers, after the deadline"
EXAMPLES = """
proctor solutions mnist_loss                writes solutions/mnist_loss.ipynb
"""

HIDDEN = re.compile(
    r"[^\n]*### BEGIN (HIDDEN TESTS|MARK SCHEME).*?### END \1[^\n]*\n?", re.DOTALL | re.IGNORECASE
)
SOLUTION_MARK = re.compile(r"[ \t]*### (?:BEGIN|END) SOLUTION[ \t]*\n?", re.IGNORECASE)
LABEL = re.compile(r"\*\*\s*(?:a\s+)?(good|thin)\b[^*]*\*\*:?\s*", re.IGNORECASE)


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("assignment", metavar="ASSIGNMENT")
    command.add_argument(
        "--to", type=Path, metavar="FILE", help="default: solutions/ASSIGNMENT.ipynb in the course"
    )
    command.add_argument(
        "--before-deadline", action="store_true", help="write it even if somebody can still hand in"
    )


def run(options: argparse.Namespace) -> int:
    """Write the solved notebook; refuse while the due date, or an extension, is ahead."""
    import nbformat

    from proctor.course import read_notebook
    from proctor.settings import LateDays, course_of, load_config

    config = load_config()
    course, assignment = course_of(config), options.assignment
    reference = read_notebook(course.reference(assignment))
    deadline = last_deadline(config, assignment, options.before_deadline)
    zone = LateDays.of(config).zone()
    told = f"{deadline.astimezone(zone):%Y-%m-%d %H:%M %Z}" if deadline else ""
    if deadline is not None and deadline > datetime.now(UTC) and not options.before_deadline:
        raise CourseError(
            f"{assignment} can be handed in until {told} (the due date, the last extension, the "
            "last late day): run this again after that, or add --before-deadline"
        )
    path = options.to or course.root / "solutions" / f"{assignment}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(nbformat.writes(solved(reference)) + "\n", encoding="utf-8")
    known = f"until {told}" if deadline else "it has no due date"
    say(f"for students, once nobody can hand in any more ({known}): {path}")
    return 0


def last_deadline(config: Config, assignment: str, at_any_time: bool) -> datetime | None:
    """When the last student's time is over; None where the gradebook has no due date.

    Raises CourseError where a row of extensions.csv cannot be read, unless it is no matter.
    """
    from nbgrader.coursedir import CourseDirectory
    from sqlalchemy.exc import DatabaseError

    from proctor.classroom.deadlines.penalties import ClassDeadlines
    from proctor.classroom.deadlines.table import NAME
    from proctor.classroom.gradebook import unusable

    deadlines = ClassDeadlines(CourseDirectory(config=config), config)
    if not at_any_time and deadlines.table and deadlines.table.problems:
        raise CourseError(
            f"{NAME}, {deadlines.table.problems[0]}. So nobody knows who can still hand in: "
            "fix that, or add --before-deadline"
        )
    try:
        return deadlines.last_deadline(assignment)
    except DatabaseError as error:
        raise unusable(error) from error


def solved(reference: NotebookNode) -> NotebookNode:
    """The instructor's notebook as students may see it: no hidden tests or notes for readers."""
    from nbformat import from_dict

    notebook: NotebookNode = from_dict(reference)
    for cell in notebook.cells:
        labels = cell.metadata.pop("nbgrader", {})
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        elif labels.get("grade") and labels.get("solution"):
            cell.source = good_answer(cell.source)
        cell.source = SOLUTION_MARK.sub("", HIDDEN.sub("", cell.source)).rstrip("\n")
    return notebook


def good_answer(rubric: str) -> str:
    """The good part of a rubric's model answer; a thin one is there for graders alone."""
    kept: list[str] = []
    label = "good"
    for paragraph in re.split(r"\n\s*\n", parse(rubric).model_answer):
        found = LABEL.match(paragraph)
        if found:
            label = found[1].lower()
        if label == "good":
            kept.append(paragraph[found.end() :] if found else paragraph)
    return "\n\n".join(kept).strip() or "*(There is no model answer to this question.)*"
