"""`proctor report`: how a class did."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from proctor.commands.terminal import say

SUMMARY = "write a report on how a class did in an assignment"
EXAMPLES = """
proctor report mnist_loss                     writes reports/mnist_loss.html
proctor report mnist_loss --csv > rows.csv    a row for each student and check
proctor report mnist_loss --json --anonymous > mnist_loss-2026.json
proctor report mnist_loss --compare mnist_loss-2025.json
proctor report mnist_loss --compare ../course-2025
proctor report mnist_loss --group monday.txt  for part of the class
"""


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("assignment", metavar="ASSIGNMENT")
    command.add_argument("--anonymous", action="store_true", help="without students' names")
    command.add_argument(
        "--compare",
        type=Path,
        metavar="OTHER",
        help="compare with another class: its course folder, records/, or a file from --json",
    )
    command.add_argument(
        "--group",
        type=Path,
        metavar="FILE",
        help="only students whose ids are in this file, one per line",
    )
    form = command.add_mutually_exclusive_group()
    form.add_argument(
        "--csv", action="store_true", help="print a row for each student and check instead"
    )
    form.add_argument("--json", action="store_true", help="print all figures as one JSON object")


def run(options: argparse.Namespace) -> int:
    """Write the class report, or print what it is made of."""
    from proctor.classroom.reading.statistics import written_reports
    from proctor.pages.report.gathering import gather, of_group
    from proctor.settings import course_of, load_config

    config = load_config()
    course = course_of(config)
    course.release(options.assignment)
    results = gather(config, course, options.assignment)
    if options.group:
        results = of_group(results, options.group)
    if options.csv:
        from proctor.pages.report.summary import checks_as_csv

        print(checks_as_csv(results), end="")
        return 0
    from proctor.pages.report.comparison import compare, other_class
    from proctor.pages.report.page import write_report
    from proctor.pages.report.summary import summary_of

    # These are of the whole class.
    written = [] if options.group else written_reports(config, options.assignment)
    comparison = None
    if options.compare or options.json:
        summary = summary_of(results, anonymous=options.anonymous, written=written)
    if options.compare:
        name, other = other_class(options.compare, options.assignment, results.exercises)
        comparison = compare(summary, other, name)
    if options.json:
        print(json.dumps(summary, indent=1))
        return 0
    path = write_report(
        results, anonymous=options.anonymous, written=written, comparison=comparison
    )
    say(f"the report is in {path.relative_to(course.root)}")
    return 0
