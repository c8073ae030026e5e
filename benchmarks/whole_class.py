"""Where the time of grading goes, and what a large class changes: part of `make bench`.

One writer stores a class of copies of one right submission of `mnist_loss`, then one of them
changes and the class is graded again.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import dataclasses
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
from against_stock import ASSIGNMENT, PROCTOR, ROOT, make_course, run, session_limits
from nbgrader.converters import Autograde

from proctor.classroom import whole_class
from proctor.classroom.nbgrader_seams import NBGRADER_CONVERT_SINGLE_NOTEBOOK
from proctor.classroom.whole_class import Classroom, Store
from proctor.course import Course
from proctor.grading import intake, marking
from proctor.grading.marking import mark
from proctor.grading.marks import Marks
from proctor.sandbox.examination import Examination, Question
from proctor.sandbox.sessions import Sandbox
from proctor.settings import load_config

Seconds = dict[str, float]
FEW = 20


def steps_of_one(repeats: int) -> None:
    """Milliseconds of each step of marking one right submission, median of some."""
    course, sandbox = Course(ROOT), Sandbox(session_limits())
    submission = course.reference(ASSIGNMENT).read_bytes()
    mark(submission, ASSIGNMENT, course, sandbox=sandbox)
    found: dict[bool, Seconds] = {}
    for figures in (True, False):
        runs = [steps(submission, course, sandbox, figures) for _ in range(repeats)]
        found[figures] = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
    sandbox.close()
    print(f"steps of marking one right submission of {ASSIGNMENT}, in ms (figures, no figures)")
    for name in found[True]:
        print(f"  {name:<28} {1000 * found[True][name]:7.0f} {1000 * found[False][name]:7.0f}")
    print()


def steps(submission: bytes, course: Course, sandbox: Sandbox, figures: bool) -> Seconds:
    spent: Seconds = collections.defaultdict(float)
    with contextlib.ExitStack() as stack:
        for owner, name, step in (
            (intake, "rebuild", "reading the submission"),
            (Sandbox, "session", "forking a session"),
            (Examination, "_execute", "cells"),
            (Examination, "_fork_question", "forking a question"),
            (Question, "ask", "calls of the graders"),
            (marking, "run_graders", "graders in all"),
            (Examination, "close", "ending the session"),
        ):
            stack.enter_context(timed(owner, name, spent, step))
        began = time.perf_counter()
        mark(submission, ASSIGNMENT, course, sandbox=sandbox, figures=figures)
        spent["all of it"] = time.perf_counter() - began
    return dict(spent)


@contextlib.contextmanager
def timed(owner: Any, name: str, spent: Seconds, step: str) -> Iterator[None]:
    """Add up what calls of this function take, while in this block."""
    original: Callable = getattr(owner, name)

    def measured(*arguments: Any, **options: Any) -> Any:
        began = time.perf_counter()
        try:
            return original(*arguments, **options)
        finally:
            spent[step] += time.perf_counter() - began

    setattr(owner, name, measured)
    try:
        yield
    finally:
        setattr(owner, name, original)


def store_a_class(folder: Path, count: int) -> None:
    """What storing one more submission costs, the more of them the gradebook holds."""
    make_course(folder, stock=False, submissions=count)
    course = Course(folder)
    with contextlib.chdir(folder):
        classroom = Classroom(load_config(), course, ASSIGNMENT)
        students, store = classroom.students(), Store(classroom)
        marks = mark(classroom.read(students[0]).notebook, ASSIGNMENT, course, figures=False)
        with as_nbgrader_does():
            theirs = [time_to_store(store, student, marks) for student in students[:FEW]]
        seconds = [time_to_store(store, student, marks) for student in students]
    print("storing one submission, in ms: by the clock, of the processor (median of ten)")
    told("as nbgrader does, step by step", theirs[-10:], theirs)
    for end in sorted({FEW, count // 3, count}):
        told(f"the last of {end}, as the gradebook grows", seconds[end - 10 : end], theirs)
    print()


@contextlib.contextmanager
def as_nbgrader_does() -> Iterator[None]:
    """Each step is committed by itself, and each notebook converted twice."""
    ours = whole_class.one_transaction, Autograde.convert_single_notebook
    whole_class.one_transaction = lambda _: contextlib.nullcontext()
    Autograde.convert_single_notebook = NBGRADER_CONVERT_SINGLE_NOTEBOOK
    try:
        yield
    finally:
        whole_class.one_transaction, Autograde.convert_single_notebook = ours


def told(name: str, ours: list[tuple[float, float]], theirs: list[tuple[float, float]]) -> None:
    clock, processor = (1000 * statistics.median(one) for one in zip(*ours, strict=True))
    ratio = statistics.median(one[1] for one in theirs) * 1000 / processor
    print(f"  {name:<38} {clock:7.0f} {processor:7.0f}  {ratio:.1f} times less of the processor")


def time_to_store(store: Store, student: str, marks: Marks) -> tuple[float, float]:
    """Seconds by the clock, and of this process's processor time."""
    notebook = nbformat.from_dict(marks.notebook)
    own = dataclasses.replace(marks, student=student, incidents=[], notebook=notebook)
    began = time.perf_counter(), time.process_time()
    problem = store.marks(student, own)
    if problem is not None:
        raise SystemExit(f"{student} could not be stored: {problem}")
    return time.perf_counter() - began[0], time.process_time() - began[1]


def one_changed(folder: Path, repeats: int) -> None:
    """From the command to the verdict when one submission of the class has changed."""
    student = sorted((folder / "submitted").iterdir())[0]
    path = student / ASSIGNMENT / f"{ASSIGNMENT}.ipynb"
    commands, starts = [], []
    for number in range(repeats):
        notebook = nbformat.read(path, as_version=4)
        notebook.cells.append(nbformat.v4.new_markdown_cell(f"One more thought, {number}."))
        nbformat.write(notebook, path)
        commands.append(run(folder, PROCTOR, "grade", ASSIGNMENT))
        starts.append(warm_start())
    command, start = statistics.median(commands), statistics.median(starts)
    print(f"one changed submission in that class, process start included: {command:.1f} s")
    print(f"  the warm interpreter alone takes {start:.1f} s to start")
    print(f"  all but that: {command - start:.1f} s\n")


def warm_start() -> float:
    began = time.perf_counter()
    with contextlib.closing(Sandbox(session_limits())) as sandbox:
        sandbox.session().kill()
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--class-size", type=int, default=300, help="1000 takes minutes more")
    parser.add_argument("--repeats", type=int, default=9)
    options = parser.parse_args()
    steps_of_one(options.repeats)
    with tempfile.TemporaryDirectory() as folder:
        store_a_class(Path(folder) / "course", options.class_size)
        one_changed(Path(folder) / "course", 3)


if __name__ == "__main__":
    main()
