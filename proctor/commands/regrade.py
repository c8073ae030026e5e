"""`proctor regrade`: what the graders of today would change."""

from __future__ import annotations

import argparse

from proctor.commands.options import COULD_NOT_WORK, add_cluster, add_jobs, add_students
from proctor.text import plain

SUMMARY = "mark graded submissions anew, and show who gains or loses"


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("assignment", metavar="ASSIGNMENT")
    add_students(command)
    command.add_argument("--dry-run", action="store_true", help="show the changes, store nothing")
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
    with Progress(len(students)) as progress:
        tally, changes = classroom.regrade(
            students,
            workers=options.jobs,
            cluster=options.cluster,
            dry_run=options.dry_run,
            progress=progress,
        )
    for change in changes:
        print(f"{plain(change.student)}  {change.grade_id}  {change.before:g} -> {change.after:g}")
        for title, verdict in change.checks:
            print(f"    {title}: {verdict}")
    affected = len({change.student for change in changes})
    stored = "nothing was stored" if options.dry_run else "the new marks are stored"
    print(
        f"{options.assignment}: {tally.total - tally.unchanged} submissions marked anew, "
        f"{affected} of them with other marks or verdicts; {stored}. "
        f"{tally.unchanged} were new or changed, and wait for `proctor grade`."
    )
    for student, reason in tally.look_at:
        print(f"  {plain(student)}: {reason}")
    return COULD_NOT_WORK if tally.set_aside else 0
