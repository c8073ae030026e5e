"""A class of 2,000 with two assignments, a slow disk and kills: nothing may be lost. `make scale`.

It ends with an error where anything is: a mark, a page, a row of the gradebook.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import nbformat
import psutil
from against_stock import ASSIGNMENT, ENVIRONMENT, NBGRADER, PROCTOR
from graded_class import made_class, name_of, submitted

from proctor.course import Course

ASSIGNMENTS = (ASSIGNMENT, "accuracy")
MOST_SECONDS = 600.0
ENDING_SECONDS = 120.0  # one that is importing sees last that it is alone, on a busy machine late
SLOW_DISK = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <unistd.h>
static int later(const char *name, int fd) {
    usleep(50000);
    return ((int (*)(int)) dlsym(RTLD_NEXT, name))(fd);
}
int fsync(int fd) { return later("fsync", fd); }
int fdatasync(int fd) { return later("fdatasync", fd); }
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--class-size", type=int, default=2000)
    parser.add_argument("--changed", type=int, default=24, help="submissions that change")
    parser.add_argument("--kills", type=int, default=5, help="of each kind")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        course = timed(
            "making the class",
            made_class,
            *(Path(folder) / "course", options.class_size, ASSIGNMENTS),
        )
        for name in ("autograded", "records", "submitted", "gradebook.db"):
            print(f"  {name:<44} {megabytes(course.root / name):7.0f} MB")
        for assignment in ASSIGNMENTS:
            done = timed("proctor grade, nothing to do", run, course, PROCTOR, "grade", assignment)
            demand(f"{options.class_size} unchanged" in done, done)
        at_once_on_a_slow_disk(course, Path(folder), options.class_size, options.changed)
        kills_during_feedback(course, options.class_size, options.kills)
        kills_during_exports(course, options.class_size, options.kills)
    print("nothing was lost")


def timed(name: str, step: Any, *arguments: Any) -> Any:
    began = time.monotonic()
    done = step(*arguments)
    print(f"  {name:<44} {time.monotonic() - began:7.1f} s", flush=True)
    return done


def run(course: Course, *command: Any, **variables: str) -> str:
    """What a command printed. It must succeed."""
    environment = {**ENVIRONMENT, **variables}
    done = subprocess.run(
        command, cwd=course.root, env=environment, capture_output=True, text=True, check=False
    )
    demand(done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-3000:]}")
    return done.stdout


def demand(condition: bool, told: str) -> None:
    if not condition:
        raise SystemExit(f"LOST: {told}")


def megabytes(path: Path) -> float:
    files = [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]
    return sum(one.stat().st_size for one in files) / 1e6


def points(course: Course) -> dict[tuple[str, ...], tuple]:
    """Every grade and comment of the gradebook, by student, assignment and cell."""
    with sqlite3.connect(course.root / "gradebook.db") as database:
        found = {}
        for table, columns in (
            ("grade", "auto_score, manual_score, extra_credit, needs_manual_grade"),
            ("comment", "auto_comment, manual_comment"),
        ):
            for student, assignment, cell, *values in database.execute(
                f"SELECT a.student_id, s.name, c.name, {columns} FROM {table} g "
                "JOIN base_cell c ON c.id = g.cell_id "
                "JOIN submitted_notebook n ON n.id = g.notebook_id "
                "JOIN submitted_assignment a ON a.id = n.assignment_id "
                "JOIN assignment s ON s.id = a.assignment_id"
            ):
                found[table, student, assignment, cell] = tuple(values)
        demand(database.execute("PRAGMA integrity_check").fetchone() == ("ok",), "gradebook.db")
    return found


def at_once_on_a_slow_disk(course: Course, folder: Path, count: int, changed: int) -> None:
    """Both assignments are graded at the same time, on a disk that takes 50 ms to sync, and both
    commands are killed and started again."""
    before = points(course)
    for assignment in ASSIGNMENTS:
        for number in range(changed):
            change(submitted(course, name_of(count - 1 - number), assignment))
    library = slow_disk(folder)

    def grade(assignment: str) -> None:
        command = [PROCTOR, "grade", assignment, "-j", "1", "--no-figures"]
        for seconds in (20, 25, None):
            if seconds is None:
                run(course, *command, LD_PRELOAD=str(library))
            else:
                kill_after(seconds, course, command, LD_PRELOAD=str(library))

    def both() -> None:
        with ThreadPoolExecutor() as pool:
            list(pool.map(grade, ASSIGNMENTS))

    timed(f"{changed} changed of each at once, slow disk", both)
    demand(points(course) == before, "marks that were graded at once")
    for assignment in ASSIGNMENTS:
        done = run(course, PROCTOR, "grade", assignment)
        demand(f"{count} unchanged" in done, done)


def change(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_markdown_cell("One more thought."))
    nbformat.write(notebook, path)


def slow_disk(folder: Path) -> Path:
    source, library = folder / "slow_disk.c", folder / "slow_disk.so"
    source.write_text(SLOW_DISK)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return library


def kill_after(
    seconds: float,
    course: Course,
    command: list[Any],
    far_enough: Callable[[], bool] = lambda: False,
    **variables: str,
) -> bool:
    """Start a command, and end it with SIGKILL then, or once it is far enough, unless it is done
    before; whether it was killed. What it has started must be gone soon after."""
    process = subprocess.Popen(
        command,
        cwd=course.root,
        env={**ENVIRONMENT, **variables},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    started: set[psutil.Process] = set()
    until = time.monotonic() + seconds
    while time.monotonic() < until and process.poll() is None and not far_enough():
        with contextlib.suppress(psutil.NoSuchProcess):
            started.update(psutil.Process(process.pid).children(recursive=True))
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    code = process.wait()
    _, left = psutil.wait_procs(started, timeout=ENDING_SECONDS)
    demand(not left, f"{command} left processes behind: {left}")
    return code == -signal.SIGKILL


def kills_during_feedback(course: Course, count: int, kills: int) -> None:
    assignment, choose = ASSIGNMENTS[0], random.Random(1)
    command = [PROCTOR, "feedback", assignment, "-j", "2"]

    def made() -> int:
        return len(list(course.root.glob(f"feedback/*/{assignment}/{assignment}.html")))

    for number in range(kills):
        goal = made() + choose.randint(1, max(1, count // (kills + 1)))
        kill_after(MOST_SECONDS, course, command, lambda goal=goal: made() >= goal)
        print(f"  killed: {made()} of {count} pages are there, after {number + 1}", flush=True)
    demand(0 < made() < count, "no kill came in the midst of it")
    timed("proctor feedback, what was left", run, course, *command)
    done = timed("proctor feedback, nothing to do", run, course, *command)
    demand(f"{count} unchanged, 0 made" in done, done)
    pages = pages_of(course, assignment)
    demand(len(pages) == count, f"{count - len(pages)} pages")
    some = "student-0000*"
    run(course, NBGRADER, "generate_feedback", assignment, "--student", some, "--force")
    demand(pages_of(course, assignment) == pages, "pages are not those made undisturbed")
    shutil.rmtree(course.root / "feedback")
    timed("proctor feedback, all pages", run, course, *command)
    demand(pages_of(course, assignment) == pages, "pages are not the same when made again")


def pages_of(course: Course, assignment: str) -> dict[str, str]:
    return {
        path.parts[-3]: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in course.root.glob(f"feedback/*/{assignment}/{assignment}.html")
    }


def kills_during_exports(course: Course, count: int, kills: int) -> None:
    before, choose = points(course), random.Random(2)
    exports = {
        "nbgrader export": ([NBGRADER, "export"], course.root / "grades.csv"),
        "proctor report": (
            [PROCTOR, "report", ASSIGNMENT],
            course.root / f"reports/{ASSIGNMENT}.html",
        ),
    }
    for name, (command, path) in exports.items():
        began = time.monotonic()
        run(course, *command)
        took = time.monotonic() - began
        path.unlink()
        killed = sum(
            kill_after(choose.uniform(0.2, 0.9) * took, course, command) for _ in range(kills)
        )
        print(f"  {name}, killed in its {took:.1f} s: {killed} of {kills}", flush=True)
        demand(killed > 0, f"{name} was always done before it was killed")
        timed(name, run, course, *command)
        text = path.read_text(encoding="utf-8")
        demand(all(name_of(number) in text for number in range(count)), f"rows of {path.name}")
    demand(points(course) == before, "rows of the gradebook, by an export that was killed")


if __name__ == "__main__":
    sys.exit(main())
