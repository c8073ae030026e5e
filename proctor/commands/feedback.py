"""`proctor feedback`: the pages that students get back."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from proctor.commands.options import NEEDS_A_LOOK, STOPPED, add_jobs, add_students
from proctor.commands.terminal import say
from proctor.text import plain

if TYPE_CHECKING:
    from proctor.classroom.feedback_of_class import PagesTally

SUMMARY = "make the feedback pages that are missing or out of date"
EXAMPLES = """
proctor feedback mnist_loss
proctor feedback mnist_loss --student ana
"""
EXIT_CODES = """
0    all pages are up to date
1    some could not be made, and it says why
2    it could not run, and says why
130  stopped by Ctrl-C, SIGTERM or SIGHUP; run the same command again to go on
"""


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("assignment", metavar="ASSIGNMENT")
    add_jobs(command, "pages made")
    add_students(command)
    command.add_argument(
        "--force", action="store_true", help="also remake the pages that have not changed"
    )


def run(options: argparse.Namespace) -> int:
    """Make the pages of a class; the same command goes on where it was stopped."""
    from proctor.classroom.feedback_of_class import make_pages
    from proctor.commands.progress import Progress
    from proctor.settings import course_of, load_config

    config = load_config()
    course = course_of(config)
    course.release(options.assignment)  # says what is wrong with a name
    counted: Progress[PagesTally] = Progress(unit="page")
    with counted as progress:
        try:
            tally = make_pages(
                config,
                course,
                options.assignment,
                options.student,
                workers=options.jobs,
                force=options.force,
                progress=progress,
            )
        except KeyboardInterrupt:
            left = progress.tally.total - progress.tally.done if progress.tally else 0
            progress.close()
            say(
                f"\nstopped with {left} to go: run the same command again to go on with them",
                to=sys.stderr,
            )
            return STOPPED
    say(summary(options.assignment, tally, progress.seconds))
    return NEEDS_A_LOOK if tally.look_at else 0


def summary(assignment: str, tally: PagesTally, seconds: float) -> str:
    if not tally.total:
        return f"no submission of {assignment} is graded yet: run `proctor grade {assignment}`"
    pages = "1 page" if tally.total == 1 else f"{tally.total} pages"
    lines = [f"{assignment}: {pages}: {tally}, in {seconds:.1f} s"]
    if tally.look_at:
        lines.append("worth a look:")
        lines.extend(f"  {plain(student)}: {reason}" for student, reason in tally.look_at)
    return "\n".join(lines)
