"""`proctor watch`: graded as it comes in, while the class works."""

from __future__ import annotations

import argparse
import sys
import time
from datetime import datetime
from typing import Any

from proctor.commands.log_and_metrics import add_log, log_to
from proctor.commands.options import STOPPED, add_jobs
from proctor.course import Course, CourseError

SUMMARY = "grade what comes in while the class works, and show each student a page"
EXAMPLES = """
proctor watch mnist_loss accuracy           stays, until Ctrl-C
proctor watch mnist_loss --once             what there is now, as for cron
proctor watch --status                      how much waits, and for how long
"""
EXIT_CODES = """
0    with --once: nothing waits; with --status: a watcher runs
1    with --status: no watcher runs
2    it could not work: no sandbox, another watcher, a wrong name
130  it was stopped, by Ctrl-C, SIGTERM or SIGHUP; the same command goes on
"""
NOT_WATCHED = 1


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("assignments", metavar="ASSIGNMENT", nargs="*")
    add_jobs(command)
    command.add_argument("--once", action="store_true", help="do what there is to do now, and end")
    command.add_argument(
        "--status", action="store_true", help="tell what the running watcher is at, and end"
    )
    add_log(command)


def run(options: argparse.Namespace) -> int:
    """Watch until stopped; the same command goes on."""
    from proctor.settings import course_of, load_config

    config = load_config()
    course = course_of(config)
    if options.status:
        return tell_status(course)
    if not options.assignments:
        options.command.error("name the assignments to watch")
    from nbgrader.converters.base import NbGraderException

    from proctor.classroom import workers
    from proctor.classroom.watch.ledger import make_attempts_folder
    from proctor.classroom.watch.status import Status, only_watcher
    from proctor.classroom.watch.watcher import Watcher

    workers.prepare()
    with log_to(options.log):
        make_attempts_folder(course, shared=config.CourseDirectory.get("groupshared", False))
        with only_watcher(course):
            names = list(dict.fromkeys(options.assignments))
            watcher = Watcher(config, course, names, options.jobs, Status(course))
            watcher.tell(watcher)
            print(f"watching {', '.join(names)}", flush=True)
            try:
                watcher.watch(once=options.once)
            except (NbGraderException, OSError) as error:  # with --once; else it is told
                raise CourseError(str(error)) from error
            except KeyboardInterrupt:
                print("\nstopped: the same command goes on", file=sys.stderr)
                return STOPPED
    return 0


def tell_status(course: Course) -> int:
    from proctor.classroom.watch.status import is_watched, read_status

    status = read_status(course)
    watched = is_watched(course)
    if status is None:
        print("this course is not watched, and never was: `proctor watch ASSIGNMENT` does")
        return NOT_WATCHED
    if watched:
        print(f"watched by process {status['process']} on {status['host']}")
    else:
        print(f"not watched; process {status['process']} did until {clock(status['updated'])}")
    now = time.time()
    for name, depth in status["assignments"].items():
        print(f"{name}: {depth_for_people(depth, now)}")
    for trouble in status["troubles"]:
        print(f"trouble: {trouble}")
    return 0 if watched else NOT_WATCHED


def depth_for_people(depth: dict[str, Any], now: float) -> str:
    parts = ["nothing waits"]
    if depth["waiting"]:
        parts = [f"{depth['waiting']} waiting, the oldest for {now - depth['oldest']:.0f} s"]
    if depth["seconds"] is not None:
        parts.append(f"{depth['seconds']:.1f} s a mark")
    if depth["pages"]:
        parts.append(f"{depth['pages']} pages to come")
    return ", ".join(parts)


def clock(time: float) -> str:
    return f"{datetime.fromtimestamp(time).astimezone():%Y-%m-%d %H:%M (%Z)}"
