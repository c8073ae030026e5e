"""What a day with a large class costs, beside nbgrader's own way: part of `make bench`.

Seconds of processor time, of all processes together, so that a busy machine changes little; quote
the ratios. nbgrader's way is measured on fewer students, for what one more of them costs.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from against_stock import ASSIGNMENT, ENVIRONMENT, NBGRADER, PROCTOR
from graded_class import KINDS, made_class, name_of, submitted
from nbconvert.exporters import HTMLExporter
from nbgrader.api import Gradebook
from nbgrader.coursedir import CourseDirectory
from nbgrader.server_extensions.formgrader import handlers
from traitlets.config import Config

from proctor.classroom import formgrader_seams
from proctor.course import Course
from proctor.pages.formgrader import FeedbackExporter
from proctor.settings import load_config

SUBREAPER = 36  # of prctl: what a command leaves behind becomes a child of this process
FEW = 10
STOCK_CONFIG = "c = get_config()\nc.CourseDirectory.course_id = 'loss-functions'\n"


def spent(folder: Path, *command: Any) -> float:
    """Seconds of processor time of a command and of all that it starts."""
    reap()
    before = of_children()
    done = subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{command} failed:\n{done.stdout[-1000:]}\n{done.stderr[-3000:]}")
    reap()
    return of_children() - before


def reap() -> None:
    """Wait for what earlier commands left behind, so that its time is counted."""
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)


def of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def feedback(course: Course, stock: Path, count: int) -> None:
    print(f"pages of feedback, {count} students")
    few = f"student-0000[1-{FEW - 1}]"
    one = spent(stock, NBGRADER, "generate_feedback", ASSIGNMENT, "--student", name_of(0))
    several = spent(stock, NBGRADER, "generate_feedback", ASSIGNMENT, "--student", few)
    theirs = (several - one) / (FEW - 2)
    line("nbgrader generate_feedback, stock", one + theirs * (count - 1), None)
    root = course.root
    plain = spent(root, NBGRADER, "generate_feedback", ASSIGNMENT)
    line("nbgrader generate_feedback, with proctor", plain, one + theirs * (count - 1))
    plain_pages = pages(root)
    shutil.rmtree(root / "feedback")
    began = time.monotonic()
    ours = spent(root, PROCTOR, "feedback", ASSIGNMENT, "-j", "2")
    took = time.monotonic() - began
    line("proctor feedback -j 2", ours, one + theirs * (count - 1), took)
    if pages(root) != plain_pages:
        raise SystemExit("the pages are not those of nbgrader generate_feedback")
    line("proctor feedback, nothing changed", spent(root, PROCTOR, "feedback", ASSIGNMENT), None)
    print()


def pages(root: Path) -> dict[str, bytes]:
    return {path.parts[-3]: path.read_bytes() for path in root.glob("feedback/*/*/*.html")}


def line(name: str, seconds: float, stock: float | None, clock: float | None = None) -> None:
    ratio = f"{stock / seconds:7.1f} times less" if stock else ""
    told = f", {clock:.1f} s by the clock" if clock is not None else ""
    print(f"  {name:<44} {seconds:8.2f} s{ratio}{told}", flush=True)


def nothing_to_do(course: Course, count: int) -> None:
    print(f"proctor grade, {count} students, nothing to do")
    line("all of it", spent(course.root, PROCTOR, "grade", ASSIGNMENT), None)
    line("of which starting", spent(course.root, PROCTOR, "explain", ASSIGNMENT, name_of(0)), None)
    print()


def formgrader(course: Course, count: int) -> None:
    """A page of grading by hand: which submission of the class it is, and its HTML."""
    print(f"one page of grading by hand in Formgrader, {count} students")
    with contextlib.chdir(course.root):
        config = load_config()
        config.HTMLExporter.template_name = "formgrade"
        basedirs = [*config.HTMLExporter.extra_template_basedirs, handlers.template_path]
        config.HTMLExporter.extra_template_basedirs = basedirs
        url = CourseDirectory(config=config).db_url
        theirs = time_of(lambda: find_with(formgrader_seams.NBGRADER_NOTEBOOK_SUBMISSIONS, url))
        ours = time_of(lambda: find_with(formgrader_seams.notebook_submissions, url))
        line("finding its place in the class, nbgrader", theirs, None)
        line("finding its place in the class, ours", ours, theirs)
        theirs, ours = (
            page_time(kind, config, course) for kind in (HTMLExporter, FeedbackExporter)
        )
        line("its HTML, by nbconvert's exporter", theirs, None)
        line("its HTML, by ours", ours, theirs)
    print()


def find_with(way: Callable[..., Any], url: str) -> None:
    with Gradebook(url) as gradebook:
        for found in way(gradebook, ASSIGNMENT, ASSIGNMENT):
            assert found.student.id, found.name


def time_of(step: Callable[[], Any]) -> float:
    step()
    began = time.process_time()
    step()
    return time.process_time() - began


def page_time(kind: type[HTMLExporter], config: Config, course: Course) -> float:
    """Of this process, for one more page."""
    exporter = kind(config=config)
    about = dict.fromkeys(("submission_id", "base_url", "student", "last_name", "first_name"), "")
    about |= {"assignment_id": ASSIGNMENT, "notebook_id": ASSIGNMENT, "index": 0, "total": 1}
    seconds = []
    for number in range(KINDS):
        path = course.root / "autograded" / name_of(number) / ASSIGNMENT / f"{ASSIGNMENT}.ipynb"
        began = time.process_time()
        exporter.from_filename(str(path), resources={**about, "notebook_path": ""})
        seconds.append(time.process_time() - began)
    return min(seconds[1:])


def stock_course(course: Course, folder: Path) -> Path:
    """The same graded submissions, few of them, in a course of stock nbgrader."""
    for number in range(FEW):
        name = name_of(number)
        shutil.copytree(course.root / "autograded" / name, folder / "autograded" / name)
    shutil.copytree(course.root / "source", folder / "source")
    shutil.copy(course.root / "gradebook.db", folder)
    (folder / "nbgrader_config.py").write_text(STOCK_CONFIG)
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--class-size", type=int, default=300, help="2000 takes some minutes")
    options = parser.parse_args()
    ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)
    with tempfile.TemporaryDirectory() as folder:
        course = made_class(Path(folder) / "course", options.class_size)
        assert submitted(course, name_of(0), ASSIGNMENT).exists()
        nothing_to_do(course, options.class_size)
        feedback(course, stock_course(course, Path(folder) / "stock"), options.class_size)
        formgrader(course, options.class_size)


if __name__ == "__main__":
    sys.exit(main())
