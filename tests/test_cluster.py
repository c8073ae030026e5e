"""Marking on a Dask cluster: a real scheduler, and real worker processes, some of which die."""

import contextlib
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import cell
from distributed import Client

from proctor.classroom.cluster import Cluster
from proctor.classroom.workers import Job, MarkingSettings
from proctor.course import CourseError
from proctor.grading.marking import mark
from proctor.grading.modules import Submission
from proctor.settings import SessionLimits, TimeLimits

DASK = Path(sys.executable).with_name("dask")
CELLS = [
    cell("double", "def double(x):\n    return 2 * x"),
    cell("double_values", "assert double(2) == 4", points=3),
]
GRADERS = """
    import os

    @grades("double_values", hint="Try a few numbers by hand.")
    def test_values(student, student_id):
        if student_id == "deadly":
            os._exit(1)
        assert student.double(3) == 6
"""


WORKER = [DASK, "worker", "--host", "127.0.0.1", "--nthreads", "1", "--nworkers", "1"]
SCHEDULER = [DASK, "scheduler", "--host", "127.0.0.1", "--port", "0"]


@contextlib.contextmanager
def dask(folder, *commands, workers):
    """Run these commands of Dask; gives the scheduler's address."""
    address_file = folder / "scheduler.json"
    processes = [
        subprocess.Popen(
            [*command, "--no-dashboard", "--scheduler-file", str(address_file)],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for command in commands
    ]
    with Client(scheduler_file=str(address_file), timeout=60) as client:
        if workers:
            client.wait_for_workers(workers, timeout=60)
        address = client.scheduler.address
    yield address
    for process in reversed(processes):
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory):
    """The address of a scheduler with a worker, which starts again when it dies."""
    with dask(tmp_path_factory.mktemp("dask"), SCHEDULER, WORKER, workers=1) as address:
        yield address


@pytest.fixture
def course(tiny_course):
    stubs = {"double": "def double(x):\n    raise NotImplementedError"}
    return tiny_course.add("tiny", CELLS, GRADERS, stubs=stubs)


@pytest.fixture
def pool(scheduler, course):
    with Cluster(scheduler, settings_of(course), "tiny") as pool:
        yield pool


def settings_of(course):
    """What is imported ahead costs each worker seconds, and does nothing for this course."""
    return MarkingSettings(course.root, False, TimeLimits(), SessionLimits(preloaded=()))


def job(course, student, source):
    return Job(student, "tiny", lambda: Submission(course.submission(double=source)))


def test_who_was_with_a_lost_worker_is_tried_again_and_who_ends_two_is_set_aside(course, pool):
    right, wrong = "def double(x):\n    return x + x", "def double(x):\n    return x"
    # The next ones wait at the same worker.
    sources = {"deadly": right, **{f"student-{n}": wrong if n % 3 else right for n in range(5)}}
    scores, set_aside = {}, {}
    for outcome in pool.mark([job(course, *entry) for entry in sources.items()]):
        if outcome.marks is None:
            set_aside[outcome.job.student] = outcome.error
        else:
            scores[outcome.job.student] = outcome.marks.score
    assert set_aside == {"deadly": "the worker that marked it ended, 2 times"}
    assert scores == {
        student: 3.0 if source is right else 0.0
        for student, source in sources.items()
        if student != "deadly"
    }


def test_marks_are_those_that_are_given_here(course, pool, sandbox):
    one = job(course, "student-01", "def double(x):\n    return x * 3")
    (outcome,) = pool.mark([one])
    who = {"student": "student-01", "sandbox": sandbox, "figures": False}
    here = mark(one.read().notebook, "tiny", course.course, **who)
    assert outcome.marks.seed == here.seed
    assert [told(found) for found in outcome.marks.cells] == [told(found) for found in here.cells]


def told(found):
    return found.grade_id, found.score, [(check.name, check.hint) for check in found.checks]


def test_a_fault_of_the_course_ends_the_run(course, pool):
    graders = next(course.course.graders("tiny").glob("*.py"))
    graders.write_text("import nothing_of_that_name\n")
    one = job(course, "student-01", "def double(x):\n    return 2 * x")
    with (
        Cluster(pool.client.scheduler.address, pool.settings, "tiny") as broken,
        pytest.raises(CourseError, match="nothing_of_that_name"),
    ):
        list(broken.mark([one]))


def test_no_worker_is_told_with_what_to_do(course, tmp_path, monkeypatch):
    monkeypatch.setattr("proctor.classroom.cluster.WORKER_SECONDS", 1)
    one = job(course, "student-01", "def double(x):\n    return 2 * x")
    with (
        dask(tmp_path, SCHEDULER, workers=0) as address,
        Cluster(address, settings_of(course), "tiny") as pool,
        pytest.raises(CourseError, match=r"has no worker: .*dask worker"),
    ):
        list(pool.mark([one]))


def test_no_scheduler_is_told_with_what_to_do(course, monkeypatch):
    monkeypatch.setattr("proctor.classroom.cluster.CONNECT_SECONDS", 1)
    with pytest.raises(CourseError, match=r"no Dask scheduler answers at .*dask scheduler"):
        Cluster("tcp://127.0.0.1:9", settings_of(course), "tiny")
