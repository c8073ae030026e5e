"""`proctor grade`: a class, into nbgrader's gradebook."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from proctor.commands.options import (
    COULD_NOT_WORK,
    NO_FIGURES,
    STOPPED,
    add_cluster,
    add_jobs,
    add_students,
)
from proctor.text import plain

if TYPE_CHECKING:
    from proctor.classroom.whole_class import Tally

SUMMARY = "grade the submissions of a class into nbgrader's gradebook"


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("assignment", metavar="ASSIGNMENT")
    add_jobs(command)
    add_cluster(command)
    add_students(command)
    command.add_argument(
        "--force", action="store_true", help="grade again what has not changed, too"
    )
    command.add_argument("--no-figures", action="store_true", help=NO_FIGURES)


def run(options: argparse.Namespace) -> int:
    """Grade a class; the same command goes on where it was stopped."""
    from proctor.classroom import workers
    from proctor.commands.progress import Progress
    from proctor.sandbox.sessions import shared_sandbox
    from proctor.settings import Grading, course_of, load_config

    config = load_config()
    course = course_of(config)
    # Both go on by themselves while nbgrader is imported, which takes seconds as well.
    if options.cluster is None:
        shared_sandbox(Grading(config=config).session_limits()).start()
        workers.prepare()
    from proctor.classroom.whole_class import Classroom, named_students

    classroom = Classroom(config, course, options.assignment)
    students = named_students(classroom, options.student)
    if not students:
        print(f"nobody has handed in {options.assignment}: submitted/ holds no such folder")
        return 0
    with Progress(len(students)) as progress:
        try:
            tally = classroom.grade(
                students,
                workers=options.jobs,
                cluster=options.cluster,
                force=options.force,
                figures=not options.no_figures,
                progress=progress,
            )
        except KeyboardInterrupt:
            progress.close()
            left = len(students) - progress.tally.done
            print(f"\nstopped with {left} to go: the same command goes on with them")
            return STOPPED
    print(summary_of_class(options.assignment, tally, progress.seconds))
    return COULD_NOT_WORK if tally.set_aside else 0


def summary_of_class(assignment: str, tally: Tally, seconds: float) -> str:
    """What a person wants to know when a class has been graded."""
    lines = [
        f"{assignment}: {tally.total} submissions, {tally.unchanged} of them unchanged since they "
        f"were graded; now {tally.graded} graded, {tally.rejected} rejected, "
        f"{tally.set_aside} set aside, in {seconds:.1f} s"
    ]
    if tally.need_person:
        lines.append(f"written answers to read in Formgrader: {tally.need_person} submissions")
    if tally.look_at:
        lines.append("worth a look:")
        lines.extend(f"  {plain(student)}: {reason}" for student, reason in tally.look_at)
    return "\n".join(lines)
