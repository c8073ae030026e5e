"""`proctor report`: how a class did."""

from __future__ import annotations

import argparse

SUMMARY = "write the report on an assignment of a class"
EXAMPLES = """
proctor report mnist_loss                   writes reports/mnist_loss.html
proctor report mnist_loss --csv > rows.csv
"""


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("assignment", metavar="ASSIGNMENT")
    command.add_argument("--anonymous", action="store_true", help="without students' names")
    command.add_argument(
        "--csv", action="store_true", help="print a row for each student and check instead"
    )


def run(options: argparse.Namespace) -> int:
    """Write the class report, or print its rows."""
    from proctor.classroom.reading.statistics import written_reports
    from proctor.pages.report import checks_as_csv, write_report
    from proctor.settings import course_of, load_config

    config = load_config()
    course = course_of(config)
    course.release(options.assignment)
    if options.csv:
        print(checks_as_csv(config, course, options.assignment), end="")
        return 0
    written = written_reports(config, options.assignment)
    path = write_report(
        config, course, options.assignment, anonymous=options.anonymous, written=written
    )
    print(f"the report is in {path.relative_to(course.root)}")
    return 0
