"""`proctor grade`: a class, into nbgrader's gradebook."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from proctor.commands.log_and_metrics import Metrics, add_log_and_metrics, log_to
from proctor.commands.options import (
    NEEDS_A_LOOK,
    NO_FIGURES,
    STOPPED,
    add_cluster,
    add_jobs,
    add_students,
)
from proctor.commands.terminal import say
from proctor.text import plain

if TYPE_CHECKING:
    from proctor.classroom.whole_class import Classroom, Tally

SUMMARY = "grade the submissions of a class into nbgrader's gradebook"
EXAMPLES = """
proctor grade mnist_loss                    everything new or changed
proctor grade mnist_loss --student ana -j 1
proctor grade mnist_loss --json --log grading.log
"""
EXIT_CODES = """
0    all is well
1    some submissions need a look: rejected, set aside, out of time, ...
2    it could not run: no sandbox, an unusable gradebook, a wrong name
130  stopped by Ctrl-C, SIGTERM or SIGHUP; run the same command again to go on
"""


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("assignment", metavar="ASSIGNMENT")
    add_jobs(command)
    add_cluster(command)
    add_students(command)
    command.add_argument(
        "--force", action="store_true", help="also regrade submissions that have not changed"
    )
    command.add_argument("--no-figures", action="store_true", help=NO_FIGURES)
    command.add_argument("--json", action="store_true", help="print the summary as one JSON object")
    add_log_and_metrics(command)


def run(options: argparse.Namespace) -> int:
    """Grade a class; the same command goes on where it was stopped."""
    with log_to(options.log):
        return grade(options)


def grade(options: argparse.Namespace) -> int:
    from proctor.classroom.whole_class import Classroom, named_students
    from proctor.sandbox.machine import too_little_memory
    from proctor.settings import course_of, load_config

    config = load_config()
    course = course_of(config)
    if options.cluster is None and (warning := too_little_memory(options.jobs)):
        say(f"proctor: {warning}", to=sys.stderr)

    classroom = Classroom(config, course, options.assignment)
    students = named_students(classroom, options.student)
    if not students and not options.json:
        say(f"nobody has handed in {options.assignment}: submitted/ has no such folder")
        return 0
    return grade_these(classroom, students, options)


def grade_these(classroom: Classroom, students: list[str], options: argparse.Namespace) -> int:
    from proctor.commands.progress import Progress

    metrics = Metrics(options.metrics, options.assignment)
    code = 2  # unless it comes to an end
    counted: Progress[Tally] = Progress(len(students))
    with counted as progress:

        def tell(tally: Tally) -> None:
            progress(tally)
            metrics(tally)

        try:
            tally = classroom.grade(
                students,
                workers=options.jobs,
                cluster=options.cluster,
                force=options.force,
                figures=not options.no_figures,
                progress=tell,
            )
            code = NEEDS_A_LOOK if tally.look_at else 0
        except KeyboardInterrupt:
            code = STOPPED
            done = progress.tally.done if progress.tally else 0
            progress.close()
            say(
                f"\nstopped with {len(students) - done} to go: "
                "run the same command again to go on with them",
                to=sys.stderr,
            )
            return code
        finally:
            metrics.write(progress.tally, code)
    if options.json:
        print(json.dumps(summary_as_json(options.assignment, tally, progress.seconds)))
    else:
        say(summary_of_class(options.assignment, tally, progress.seconds))
    return code


def summary_as_json(assignment: str, tally: Tally, seconds: float) -> dict:
    looks = [{"student": student, "reason": reason} for student, reason in tally.look_at]
    return {
        "assignment": assignment,
        **asdict(tally),
        "look_at": looks,
        "seconds": round(seconds, 3),
    }


def summary_of_class(assignment: str, tally: Tally, seconds: float) -> str:
    """What a person wants to know when a class has been graded."""
    counts = {
        "unchanged": tally.unchanged,
        "graded": tally.graded,
        "rejected": tally.rejected,
        "set aside": tally.set_aside,
    }
    told = ", ".join(f"{number} {state}" for state, number in counts.items())
    submissions = "1 submission" if tally.total == 1 else f"{tally.total} submissions"
    lines = [f"{assignment}: {submissions}: {told}, in {seconds:.1f} s"]
    if tally.need_person:
        lines.append(
            f"written answers in {tally.need_person} of them: `proctor read {assignment}` "
            "shows those not read yet"
        )
    if tally.look_at:
        lines.append("worth a look:")
        lines.extend(f"  {plain(student)}: {reason}" for student, reason in tally.look_at)
    return "\n".join(lines)
