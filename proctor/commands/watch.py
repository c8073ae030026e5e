"""`proctor watch`: graded as it comes in, while the class works."""

from __future__ import annotations

import argparse
import sys
import time
from datetime import datetime
from typing import Any

from proctor.commands.log_and_metrics import add_log, log_to
from proctor.commands.options import STOPPED, add_jobs
from proctor.commands.terminal import say
from proctor.course import Course, CourseError

SUMMARY = "grade work as it comes in, and show each student a page"
EXAMPLES = """
proctor watch mnist_loss accuracy           runs until Ctrl-C
proctor watch mnist_loss --once             only what is there now; for cron
proctor watch --status                      what is waiting, and for how long
"""
EXIT_CODES = """
0    with --once: nothing is waiting; with --status: a watcher is running
1    with --status: no watcher is running
2    it could not run: no sandbox, another watcher, a wrong name
130  stopped by Ctrl-C, SIGTERM or SIGHUP; run the same command again to go on
"""
NOT_WATCHED = 1


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("assignments", metavar="ASSIGNMENT", nargs="*")
    add_jobs(command)
    command.add_argument(
        "--once", action="store_true", help="do what there is to do now, then stop"
    )
    command.add_argument(
        "--status", action="store_true", help="say what the running watcher is doing, then stop"
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
            say(f"watching {', '.join(names)}")
            try:
                watcher.watch(once=options.once)
                for name in names:
                    say(f"{name}: {watcher.marked[name]} graded")
            except (NbGraderException, OSError) as error:  # with --once; else it is told
                raise CourseError(str(error)) from error
            except KeyboardInterrupt:
                say("\nstopped: run the same command again to go on", to=sys.stderr)
                return STOPPED
    return 0


def tell_status(course: Course) -> int:
    from proctor.classroom.watch.status import is_watched, read_status

    status = read_status(course)
    watched = is_watched(course)
    if status is None:
        say("this course has never been watched: `proctor watch ASSIGNMENT` starts it")
        return NOT_WATCHED
    if watched:
        say(f"watched by process {status['process']} on {status['host']}")
    else:
        say(f"not watched; process {status['process']} did so until {clock(status['updated'])}")
    now = time.time()
    for name, depth in status["assignments"].items():
        say(f"{name}: {depth_for_people(depth, now)}")
    for trouble in status["troubles"]:
        say(f"trouble: {trouble}")
    return 0 if watched else NOT_WATCHED


def depth_for_people(depth: dict[str, Any], now: float) -> str:
    parts = ["nothing is waiting"]
    if depth["waiting"]:
        parts = [f"{depth['waiting']} waiting, the oldest for {now - depth['oldest']:.0f} s"]
    if depth["seconds"] is not None:
        parts.append(f"{depth['seconds']:.1f} s per mark")
    if depth["pages"]:
        parts.append(f"{depth['pages']} pages to come")
    return ", ".join(parts)


def clock(time: float) -> str:
    return f"{datetime.fromtimestamp(time).astimezone():%Y-%m-%d %H:%M (%Z)}"
