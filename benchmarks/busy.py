"""Right notebooks on a machine that is busy with something else: none may lose a mark.

Neighbours that do nothing but compute take every core, eight of them each; then the reference of
each assignment is marked as often as a class hands it in. Part of `make bench`.
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator

from against_stock import ROOT, session_limits

from proctor.classroom.workers import Job, MarkingSettings, Workers
from proctor.course import Course
from proctor.grading.modules import Submission
from proctor.sandbox.machine import cores
from proctor.sandbox.sessions import shared_sandbox
from proctor.settings import TimeLimits


@contextlib.contextmanager
def neighbours(number: int) -> Iterator[None]:
    found = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(number)]
    try:
        yield
    finally:
        for one in found:
            one.kill()
            one.wait()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--notebooks", type=int, default=30, help="of each assignment")
    parser.add_argument("--neighbours", type=int, default=8, help="of each core")
    parser.add_argument("--jobs", type=int, default=2 * cores(), help="marked at a time")
    options = parser.parse_args()
    course = Course(ROOT)
    lost = 0
    with neighbours(options.neighbours * cores()):
        for assignment in sorted(path.name for path in (ROOT / "source").iterdir()):
            data = course.reference(assignment).read_bytes()
            # A file of its own each, so that each has other inputs. The reference holds the
            # numbers of this one student.
            jobs = [
                Job("student-01", assignment, lambda n=n, data=data: Submission(data + b" " * n))
                for n in range(options.notebooks)
            ]
            settings = MarkingSettings(ROOT, figures=True, limits=TimeLimits())
            began = time.monotonic()
            marked: Counter[str] = Counter()
            with Workers(options.jobs, shared_sandbox(session_limits()), settings) as workers:
                for outcome in workers.mark(jobs):
                    marks = outcome.marks
                    full = marks is not None and marks.score == marks.max_score
                    marked["full marks" if full else "less" if marks else "set aside"] += 1
                    if not full or (marks and marks.incidents):
                        print(f"  {outcome.error or (marks and marks.incidents)}")
            lost += marked["less"]
            told = ", ".join(f"{number} {what}" for what, number in marked.items())
            print(f"{assignment:<16} {told}, in {time.monotonic() - began:.0f} s", flush=True)
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
