"""`proctor read`: the page for reading written answers, and who reads which."""

from __future__ import annotations

import argparse

from proctor.commands.terminal import say

SUMMARY = "read a class's written answers by rubric, in JupyterLab"
EXAMPLES = """
proctor read cross_entropy                     opens the page
proctor read cross_entropy explain_not_zero --as ana
proctor read accuracy --split ana,ben --twice 0.1
"""


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("assignment", metavar="ASSIGNMENT")
    command.add_argument(
        "exercise", metavar="EXERCISE", nargs="?", help="the grade id; default: the first one"
    )
    command.add_argument(
        "--as", dest="grader", metavar="NAME", help="who is reading (not needed on a hub)"
    )
    command.add_argument(
        "--split",
        metavar="NAMES",
        help="deal out the unread answers to these readers, as in --split ana,ben",
    )
    command.add_argument(
        "--twice",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="with --split: have this share of them (0 to 1) read by a second person, too",
    )
    command.add_argument(
        "--no-browser", action="store_true", help="print the address without opening a browser"
    )


def run(options: argparse.Namespace) -> int:
    """Deal answers out, or open the page, in the JupyterLab that shows the course or a new one."""
    from proctor.classroom.reading import opening
    from proctor.classroom.reading.room import Room

    room = Room.here()
    known = room.exercises(options.assignment)
    if options.exercise is not None:
        known = [room.named(known, options.exercise)]
    if options.split:
        for exercise, dealt in room.deal(known, options.split.split(","), options.twice):
            told = ", ".join(f"{grader} {number}" for grader, number in dealt.items())
            say(f"{exercise.name}: {told}")
        return 0
    page = opening.page(options.assignment, options.exercise, options.grader)
    opening.open_page(room.course.root, page, browser=not options.no_browser, say=say)
    return 0
