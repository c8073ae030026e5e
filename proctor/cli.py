"""The `proctor` command."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from proctor.classroom import workers
from proctor.commands.progress import Progress
from proctor.course import Course, CourseError
from proctor.grading import intake
from proctor.grading.marks import Marks, rejected_unread
from proctor.sandbox.probes import probe
from proctor.sandbox.sessions import Sandbox, shared_sandbox
from proctor.sandbox.unavailable import SandboxUnavailable
from proctor.settings import Grading, course_of, load_config
from proctor.text import plain

if TYPE_CHECKING:
    from proctor.classroom.whole_class import Tally

REFUSED = 1
COULD_NOT_WORK = 2
STOPPED = 130
NO_FIGURES = "draw no figures, and do not run cells that only draw (faster)"


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    try:
        return options.run(options)
    except SandboxUnavailable as error:
        print(f"proctor: no sandbox, so nothing is graded. {error}", file=sys.stderr)
    except CourseError as error:
        print(f"proctor: {error}", file=sys.stderr)
    return COULD_NOT_WORK


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="proctor", description="Grade notebooks: student code in a sandbox, graders outside."
    )
    commands = top.add_subparsers(title="commands", required=True, metavar="COMMAND")

    check_command = add_command(
        commands, "check", check, "show the marks of notebooks, touching no gradebook"
    )
    check_command.add_argument("notebooks", nargs="+", metavar="NOTEBOOK")
    check_command.add_argument(
        "--assignment", metavar="A", help="default: told from the name or the grade ids"
    )
    check_command.add_argument("--student", metavar="S", help="the student's id")
    check_command.add_argument("--json", action="store_true", help="one JSON object per notebook")
    check_command.add_argument(
        "--gradescope",
        type=Path,
        metavar="FILE",
        help="write Gradescope's results.json, for one notebook",
    )
    check_command.add_argument("--no-figures", action="store_true", help=NO_FIGURES)
    check_command.add_argument("--seed", type=int, help="seed of the random inputs, from a record")
    check_command.add_argument(
        "--unsafe-no-sandbox",
        action="store_true",
        help="no sandbox: for an instructor's own answers only",
    )

    grade_command = add_command(
        commands, "grade", grade, "grade the submissions of a class into nbgrader's gradebook"
    )
    grade_command.add_argument("assignment", metavar="ASSIGNMENT")
    add_jobs(grade_command)
    add_cluster(grade_command)
    grade_command.add_argument(
        "--student", action="append", default=[], metavar="S", help="only this one; may be repeated"
    )
    grade_command.add_argument(
        "--force", action="store_true", help="grade again what has not changed, too"
    )
    grade_command.add_argument("--no-figures", action="store_true", help=NO_FIGURES)

    regrade_command = add_command(
        commands, "regrade", regrade, "mark graded submissions anew, and show who gains or loses"
    )
    regrade_command.add_argument("assignment", metavar="ASSIGNMENT")
    regrade_command.add_argument(
        "--student", action="append", default=[], metavar="S", help="only this one; may be repeated"
    )
    regrade_command.add_argument(
        "--dry-run", action="store_true", help="show the changes, store nothing"
    )
    add_jobs(regrade_command)
    add_cluster(regrade_command)

    explain_command = add_command(
        commands, "explain", explain, "explain one student's mark, check by check"
    )
    explain_command.add_argument("assignment", metavar="ASSIGNMENT")
    explain_command.add_argument("student", metavar="STUDENT")

    report_command = add_command(
        commands, "report", report, "write the report on an assignment of a class"
    )
    report_command.add_argument("assignment", metavar="ASSIGNMENT")
    report_command.add_argument("--anonymous", action="store_true", help="without students' names")
    report_command.add_argument(
        "--csv", action="store_true", help="print a row for each student and check instead"
    )

    release_command = add_command(
        commands, "release", release, "release an assignment, if its graders are proven right"
    )
    release_command.add_argument("assignment", metavar="ASSIGNMENT")
    add_jobs(release_command)

    package_command = add_command(
        commands, "package", package, "make the zip file of an assignment for a course page"
    )
    package_command.add_argument("assignment", metavar="ASSIGNMENT")
    package_command.add_argument(
        "--to", type=Path, metavar="FILE", help="default: packages/ASSIGNMENT.zip in the course"
    )

    lab_command = add_command(
        commands, "lab", lab, "start JupyterLab for an instructor and for a student, on one machine"
    )
    lab_command.add_argument(
        "--student", default="student-01", metavar="S", help="the student's id"
    )
    lab_command.add_argument(
        "--exchange", type=Path, metavar="FOLDER", help="default: one of their own, in .lab/"
    )

    add_command(commands, "doctor", doctor, "show what sandbox this machine gives")
    return top


def add_jobs(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "-j",
        "--jobs",
        type=positive,
        default=workers.cores(),
        metavar="N",
        help="submissions marked at a time (default: the cores, %(default)s here)",
    )


def add_cluster(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--cluster",
        metavar="ADDRESS",
        help="mark on the Dask cluster of this scheduler, tcp://HOST:PORT, instead",
    )


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def add_command(
    commands: argparse._SubParsersAction,
    name: str,
    run: Callable[[argparse.Namespace], int],
    summary: str,
) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=summary, description=summary.capitalize() + ".")
    command.set_defaults(run=run)
    return command


def check(options: argparse.Namespace) -> int:
    """Mark notebooks one after the other and print what came out."""
    if options.gradescope and len(options.notebooks) != 1:
        raise CourseError("--gradescope FILE holds the results of one notebook: name just one")
    config = load_config()
    course = course_of(config)
    grading = Grading(config=config)
    sandbox = Sandbox(unsafe=options.unsafe_no_sandbox)
    try:
        for notebook in options.notebooks:
            marks = check_one(notebook, options, course, grading, sandbox)
            if options.gradescope:
                write_results(options.gradescope, marks)
            if options.json:
                print(json.dumps(summary_of(notebook, marks)), flush=True)
            else:
                print(table_of(notebook, marks), flush=True)
    finally:
        sandbox.close()
    return 0


def check_one(
    notebook: str, options: argparse.Namespace, course: Course, grading: Grading, sandbox: Sandbox
) -> Marks:
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


def grade(options: argparse.Namespace) -> int:
    """Grade a class; the same command goes on where it was stopped."""
    config = load_config()
    course = course_of(config)
    # Both go on by themselves while nbgrader is imported, which takes seconds as well.
    if options.cluster is None:
        shared_sandbox().start()
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


def regrade(options: argparse.Namespace) -> int:
    """Show what the graders of today would change, and store it unless it is a dry run."""
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


def report(options: argparse.Namespace) -> int:
    """Write the class report, or print its rows."""
    from proctor.pages.report import checks_as_csv, write_report

    config = load_config()
    course = course_of(config)
    if options.csv:
        print(checks_as_csv(config, course, options.assignment), end="")
        return 0
    path = write_report(config, course, options.assignment, anonymous=options.anonymous)
    print(f"the report is in {path.relative_to(course.root)}")
    return 0


def explain(options: argparse.Namespace) -> int:
    """Explain one mark from its record and the gradebook."""
    config = load_config()
    from proctor.pages.explanation import explanation

    print(explanation(config, course_of(config), options.assignment, options.student))
    return 0


def release(options: argparse.Namespace) -> int:
    """Release an assignment, or say everything that is wrong with it."""
    from proctor.classroom import release_gate

    config = load_config()
    with tqdm(unit="answer", disable=not sys.stderr.isatty()) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        found = release_gate.release(
            course_of(config), config, options.assignment, workers=options.jobs, progress=progress
        )
    if found:
        print(f"{options.assignment} was not released:")
        print("\n".join(f"  {plain(fault)}" for fault in found))
        return REFUSED
    print(f"{options.assignment} was released: release/{options.assignment}/")
    return 0


def package(options: argparse.Namespace) -> int:
    """Write what students without nbgrader need, as one file."""
    from proctor.platforms.package import package as zip_file_of

    course = course_of(load_config())
    data = zip_file_of(course, options.assignment)
    path = options.to or course.root / "packages" / f"{options.assignment}.zip"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    print(f"for the course page: {path}")
    return 0


def doctor(_options: argparse.Namespace) -> int:
    """Say what was probed and what protection this machine gives."""
    found = probe()
    print(found)
    return 0 if found.sound else COULD_NOT_WORK


def lab(options: argparse.Namespace) -> int:
    """Show the course as an instructor and as a student see it."""
    from proctor.commands.lab import run

    run(course_of(load_config()).root, options.exchange, options.student)
    return 0
