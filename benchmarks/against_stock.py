"""Speed and size of grading `mnist_loss`, beside stock nbgrader in the same run: `make bench`.

All grade the same right submissions; stock nbgrader has its default configuration (and no hidden
tests to run, which flatters it). Quote the ratios: seconds depend on the machine.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from proctor.course import Course
from proctor.grading.marking import mark
from proctor.sandbox.sessions import Sandbox
from proctor.settings import Grading, SessionLimits, load_config

ROOT = Path(__file__).resolve().parents[1]
ASSIGNMENT = "mnist_loss"
PROGRAMS = Path(sys.executable).parent
NBGRADER, PROCTOR = PROGRAMS / "nbgrader", PROGRAMS / "proctor"
# nbgrader calls alembic, by its name.
ENVIRONMENT = {**os.environ, "PATH": f"{PROGRAMS}:{os.environ['PATH']}"}
MEGABYTE = 1 << 20


def make_course(
    folder: Path, stock: bool, submissions: int, assignments: tuple[str, ...] = (ASSIGNMENT,)
) -> Path:
    """A course with the assignments released and `submissions` right answers handed in."""
    folder.mkdir()
    parts = ["source"] if stock else ["source", "release", "tests/graders", "tests/answers"]
    for part in parts:
        for path in (path for name in assignments for path in ROOT.glob(f"{part}/{name}*")):
            target = folder / part / path.name
            if path.is_dir():
                shutil.copytree(path, target)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, target)
    if stock:
        (folder / "nbgrader_config.py").write_text(
            "c = get_config()\nc.CourseDirectory.course_id = 'stock'\n"
        )
    else:
        shutil.copy(ROOT / "nbgrader_config.py", folder)
    for assignment in assignments:
        run(folder, NBGRADER, "generate_assignment", assignment, "--force")
    for number in range(1, submissions + 1):
        target = folder / "submitted" / f"student-{number:02}" / ASSIGNMENT
        target.mkdir(parents=True)
        shutil.copy(ROOT / f"source/{ASSIGNMENT}/{ASSIGNMENT}.ipynb", target)
    return folder


def run(folder: Path, program: Path, *arguments: str) -> float:
    """Seconds of one command, process start included."""
    started = time.monotonic()
    done = subprocess.run(
        [program, *arguments],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{program.name} {' '.join(arguments)} failed:\n{done.stderr[-3000:]}")
    return time.monotonic() - started


def scores(folder: Path) -> set[float]:
    """The automatic scores in the gradebook, as a set: right answers have the same."""
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{folder / 'gradebook.db'}") as gradebook:
        return {one.score for one in gradebook.assignment_submissions(ASSIGNMENT)}


def compare(folder: Path, in_a_row: int, in_a_class: int) -> None:
    """Submissions per second, process start included, and how many times stock's that is."""
    stock = make_course(folder / "stock", True, in_a_row)
    stock_rate = report_rate("stock nbgrader autograde", stock, [NBGRADER, "autograde"], None)
    ours = make_course(folder / "ours", False, in_a_row)
    report_rate("nbgrader autograde, with proctor", ours, [NBGRADER, "autograde"], stock_rate)
    many = make_course(folder / "many", False, in_a_class)
    rates = {}
    for name, options in (
        ("proctor grade -j 1", ["-j", "1"]),
        ("proctor grade -j 2", ["-j", "2"]),
        ("proctor grade -j 2 --no-figures", ["-j", "2", "--no-figures"]),
    ):
        command = [PROCTOR, "grade", "--force", *options]
        rates[name] = report_rate(name, many, command, stock_rate)
    one, two, _ = rates.values()
    print(f"  two workers against one: {two / one:.2f} times\n")


def report_rate(name: str, course: Path, command: list, stock_rate: float | None) -> float:
    program, subcommand, *options = command
    seconds = run(course, program, subcommand, ASSIGNMENT, *options)
    found = scores(course)
    if len(found) != 1 or 0.0 in found:
        raise SystemExit(f"{name}: the right submissions got the scores {found}")
    count = len(list((course / "submitted").iterdir()))
    rate = count / seconds
    ratio = f"{rate / stock_rate:6.1f} times stock" if stock_rate else ""
    print(f"  {name:<34} {count:4} in {seconds:6.1f} s, {rate:5.2f} a second {ratio}", flush=True)
    return rate


def session_limits() -> SessionLimits:
    """What the course's settings give."""
    with contextlib.chdir(ROOT):
        return Grading(config=load_config()).session_limits()


def time_one_submission(repeats: int) -> None:
    """Wall time of marking one submission on one core, and what the sandbox holds in memory."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    course = Course(ROOT)
    submission = course.reference(ASSIGNMENT).read_bytes()
    sandbox = Sandbox(session_limits())
    print("one right submission, marked on one core")
    started = time.monotonic()
    mark(submission, ASSIGNMENT, course, sandbox=sandbox)
    print(f"  the first, sandbox started    {time.monotonic() - started:7.2f} s")
    for name, figures in (("warm", True), ("warm, figures left out", False)):
        seconds = [
            mark(submission, ASSIGNMENT, course, sandbox=sandbox, figures=figures).seconds
            for _ in range(repeats)
        ]
        middle, most = statistics.median(seconds), max(seconds)
        print(f"  {name:<28} {1000 * middle:8.0f} ms median, {1000 * most:.0f} ms most")
    print_memory(sandbox)
    sandbox.close()


def print_memory(sandbox: Sandbox) -> None:
    with sandbox.session():
        children = psutil.Process().children(recursive=True)
        warm = max(children, key=lambda process: process.memory_info().rss)
        session = max(
            (process for process in children if warm in process.parents()),
            key=lambda process: process.memory_info().rss,
        )
        resident = warm.memory_info().rss / MEGABYTE
        own = session.memory_full_info().uss / MEGABYTE
    grader = psutil.Process().memory_info().rss / MEGABYTE
    print(f"  warm interpreter             {resident:8.0f} MB resident")
    print(f"  a session's own              {own:8.0f} MB, shared with nobody")
    print(f"  the grader's own process     {grader:8.0f} MB resident\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--in-a-row", type=int, default=20, help="for nbgrader autograde")
    parser.add_argument("--in-a-class", type=int, default=300, help="for proctor grade")
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    print(f"right submissions of {ASSIGNMENT}, on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder:
        compare(Path(folder), options.in_a_row, options.in_a_class)
    time_one_submission(options.repeats)


if __name__ == "__main__":
    main()
