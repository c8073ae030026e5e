"""`proctor regrade`: what the graders of today would change."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from proctor.commands.log_and_metrics import log_to
from proctor.commands.options import NEEDS_A_LOOK, add_cluster, add_jobs, add_students
from proctor.commands.terminal import say
from proctor.text import plain

if TYPE_CHECKING:
    from proctor.classroom.whole_class import Change, Tally

SUMMARY = "mark graded submissions again, and show who gains or loses"
EXAMPLES = """
proctor regrade mnist_loss --dry-run        show it, store nothing
proctor regrade mnist_loss --student ana
"""
EXIT_CODES = """
0    all is well
1    some submissions need a look: set aside, out of time, ...
2    it could not run: no sandbox, an unusable gradebook, a wrong name
130  it was stopped; the same command starts again from the beginning
"""


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("assignment", metavar="ASSIGNMENT")
    add_students(command)
    command.add_argument(
        "--dry-run", action="store_true", help="show the changes, but store nothing"
    )
    command.add_argument("--json", action="store_true", help="print them as one JSON object")
    add_jobs(command)
    add_cluster(command)


def run(options: argparse.Namespace) -> int:
    """Show what the graders of today would change, and store it unless it is a dry run."""
    from proctor.commands.progress import Progress
    from proctor.settings import course_of, load_config

    config = load_config()
    from proctor.classroom.whole_class import Classroom, named_students

    classroom = Classroom(config, course_of(config), options.assignment)
    students = named_students(classroom, options.student)
    counted: Progress[Tally] = Progress(len(students))
    with log_to(None), counted as progress:
        tally, changes = classroom.regrade(
            students,
            workers=options.jobs,
            cluster=options.cluster,
            dry_run=options.dry_run,
            progress=progress,
        )
    if options.json:
        print(json.dumps(changes_as_json(options, tally, changes)))
    else:
        say(changes_for_people(options, tally, changes))
    return NEEDS_A_LOOK if tally.look_at else 0


def changes_as_json(options: argparse.Namespace, tally: Tally, changes: list[Change]) -> dict:
    return {
        "assignment": options.assignment,
        "stored": not options.dry_run,
        "marked": tally.total - tally.unchanged,
        "not_graded_yet": tally.unchanged,
        "changes": [
            {
                **asdict(change),
                "checks": [{"title": title, "verdict": said} for title, said in change.checks],
            }
            for change in changes
        ],
        "look_at": [{"student": student, "reason": reason} for student, reason in tally.look_at],
    }


def changes_for_people(options: argparse.Namespace, tally: Tally, changes: list[Change]) -> str:
    lines = []
    for change in changes:
        points = f"{change.before:.2f} -> {change.after:.2f}"
        lines.append(f"{plain(change.student)}  {change.grade_id}  {points}")
        lines += [f"    {title}: {verdict}" for title, verdict in change.checks]
    affected = len({change.student for change in changes})
    stored = "nothing was stored" if options.dry_run else "the new marks are stored"
    lines.append(
        f"{options.assignment}: {tally.total - tally.unchanged} marked again,  {affected} of them "
        f"with different marks or verdicts; {stored}"
    )
    if tally.unchanged:
        lines.append(f"not graded yet: {tally.unchanged}. Run `proctor grade {options.assignment}`")
    lines += [f"  {plain(student)}: {reason}" for student, reason in tally.look_at]
    return "\n".join(lines)
