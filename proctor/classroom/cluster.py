"""Submissions marked on a Dask cluster: `proctor grade --cluster tcp://SCHEDULER`.

Each task carries all it needs, the submission and the course's graders, and gives back marks; the
gradebook stays with the one writer here. What Dask says of a lost worker becomes an outcome.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import hashlib
import io
import platform
import shutil
import tempfile
import threading
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from proctor.classroom.worker_process import mark_as_json
from proctor.classroom.workers import (
    ATTEMPTS,
    Job,
    MarkingSettings,
    Outcome,
    outcome_of,
    request,
)
from proctor.course import Course, CourseError
from proctor.grading import intake
from proctor.grading.marks import rejected_unread
from proctor.grading.missing import demand_packages
from proctor.sandbox.sessions import shared_sandbox

try:
    import distributed
except ImportError as error:
    raise CourseError(
        "--cluster needs Dask: install it with `pip install 'proctor[cluster]'`, here and on every "
        "machine that marks."
    ) from error

CONNECT_SECONDS = 10
# How long to wait for a worker where there is none.
WORKER_SECONDS = 60
# Submissions on their way per thread of the cluster: enough that none waits for the next one.
AHEAD = 3
WORKER_ENDED = f"the worker that marked it ended, {ATTEMPTS} times"
# pytest, which runs the graders, is not made for several threads.
ONE_AT_A_TIME = threading.Lock()


class Cluster:
    """The workers of a Dask scheduler, to be used as `Workers` are."""

    def __init__(self, address: str, settings: MarkingSettings, assignment: str):
        self.address = address
        self.settings = settings
        self.course = packed_course(settings.root, assignment)
        try:
            self.client = distributed.Client(address, timeout=CONNECT_SECONDS)
        except (OSError, ValueError) as error:
            raise CourseError(
                f"no Dask scheduler answers at {address} ({error}): start one with `dask scheduler`"
            ) from error
        self.client.run_on_scheduler(allow_no_failure)

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def mark(self, jobs: Iterable[Job]) -> Iterator[Outcome]:
        """Mark all jobs; outcomes come as they are ready. What a machine was too busy for is tried
        again at the end, and so is what was with a worker that ended: each alone, as several may
        have been with it. Raises what no submission can cause: CourseError and
        SandboxUnavailable."""
        starved, ended = [], []
        for outcome in self._mark(jobs, 0):
            if outcome.starved:
                starved.append(outcome.job)
            elif outcome.error == WORKER_ENDED:
                ended.append(outcome.job)
            else:
                yield outcome
        for outcome in self._mark(starved, ATTEMPTS):
            if outcome.error == WORKER_ENDED:
                ended.append(outcome.job)
            else:
                yield outcome
        for job in ended:
            yield from self._mark([job], ATTEMPTS - 1)

    def _mark(self, jobs: Iterable[Job], attempt: int) -> Iterator[Outcome]:
        running: dict[distributed.Future, Job] = {}
        for job in jobs:
            while len(running) >= AHEAD * self._threads():
                yield next_outcome(running)
            try:
                running[self._submit(job, attempt)] = job
            except intake.Rejected as error:
                course = Course(self.settings.root)
                marks = rejected_unread(job.assignment, course, job.student, str(error))
                yield Outcome(job, marks)
        while running:
            yield next_outcome(running)

    def _threads(self) -> int:
        threads = sum(self.client.nthreads().values())
        if threads:
            return threads
        try:  # workers that died together are back in a while
            self.client.wait_for_workers(1, timeout=WORKER_SECONDS)
        except TimeoutError:
            raise CourseError(
                f"the scheduler at {self.address} has no worker: start some with "
                "`dask worker --nthreads 1`"
            ) from None
        return 1  # at least

    def _submit(self, job: Job, attempt: int) -> distributed.Future:
        course = Course(self.settings.root)
        message = request(job, job.read(), course, self.settings.seed, attempt)
        return self.client.submit(
            mark_there, self.course, message, self.settings, engine_version(), pure=False
        )


def allow_no_failure(dask_scheduler: distributed.Scheduler) -> None:
    """Dask tells of a worker's end at once. By itself it would try all that the worker had again,
    and blame each for the next end."""
    dask_scheduler.allowed_failures = 0


def next_outcome(running: dict[distributed.Future, Job]) -> Outcome:
    """Wait until one of the running jobs is done, and take it out."""
    done = distributed.wait(list(running), return_when="FIRST_COMPLETED").done
    future = done.pop()
    job = running.pop(future)
    error = future.exception()
    if isinstance(error, distributed.scheduler.KilledWorker):
        return Outcome(job, None, WORKER_ENDED)
    if error is not None:
        return Outcome(job, None, f"the cluster could not mark it: {error!r}")
    outcome = outcome_of(job, future.result())
    return outcome or Outcome(job, None, "the cluster gave an answer that is none")


def packed_course(root: Path, assignment: str) -> bytes:
    """What marking an assignment takes from the course folder, as a zip file."""
    folders = [root / part / assignment for part in ("source", "release", "tests/graders")]
    paths = [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]
    paths.append(root / "tests" / "answers" / f"{assignment}.py")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in paths:
            if path.exists() and "__pycache__" not in path.parts:
                archive.write(path, path.relative_to(root))
    return packed.getvalue()


def engine_version() -> str:
    """Tells whether a worker has the same engine."""
    version = hashlib.sha256()
    for path in sorted(Path(__file__).parents[1].rglob("*.py")):
        version.update(path.read_bytes())
    return version.hexdigest()


# On a machine of the cluster


def mark_there(
    packed: bytes, message: dict[str, Any], settings: MarkingSettings, engine: str
) -> dict[str, Any]:
    """Mark one submission: the task that Dask runs."""
    if engine != engine_version():
        return {
            "course_error": "a machine of the cluster has another version of proctor: install the "
            "same one on all, and start its workers again"
        }
    try:
        demand_packages(settings.packages)
    except CourseError as error:
        return {"course_error": f"on {platform.node()}: {error}"}
    with ONE_AT_A_TIME:
        sandbox = shared_sandbox(settings.session_limits)
        return mark_as_json(message, Course(unpacked_course(packed)), settings, sandbox)


@functools.lru_cache(maxsize=4)
def unpacked_course(packed: bytes) -> Path:
    """The course's files, in a folder of this process."""
    folder = Path(tempfile.mkdtemp(prefix="proctor-course-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with contextlib.closing(io.BytesIO(packed)) as file, zipfile.ZipFile(file) as archive:
        archive.extractall(folder)
    return folder
