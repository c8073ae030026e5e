"""Processes that mark submissions side by side, in sessions of the main process's one sandbox.

pytest is not made for several threads, so each worker is a process. It holds no gradebook and no
submission but the one it marks: the submission comes in as bytes, the marks go out as JSON. The
main process alone talks to the warm interpreter, and hands sockets of sessions on.
"""

from __future__ import annotations

import contextlib
import dataclasses
import multiprocessing
import queue
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from proctor.classroom.worker_process import MAX_MESSAGE_BYTES, work
from proctor.course import Course, CourseError
from proctor.grading import intake
from proctor.grading.marks import Marks, marks_from_json, rejected_unread
from proctor.grading.missing import demand_packages
from proctor.grading.modules import Submission
from proctor.grading.seeds import seed_of
from proctor.sandbox.machine import wait_until_quiet
from proctor.sandbox.patience import Starved
from proctor.sandbox.sessions import Sandbox, Session
from proctor.sandbox.unavailable import SandboxUnavailable
from proctor.settings import Grading, SessionLimits, TimeLimits
from proctor.wire.errors import Late, WireError
from proctor.wire.frames import Channel

ATTEMPTS = 2
# What a worker may need on the clock beyond what its submission may wait for the machine.
MORE_SECONDS = 300.0
# How long a worker that is ending is waited for, to know why.
ENDING_SECONDS = 1.0
# How long a machine that was too busy is given to become quiet again.
QUIET_SECONDS = 120.0


@dataclass(frozen=True)
class Job:
    """One submission to mark."""

    student: str | None
    assignment: str
    read: Callable[[], Submission]  # raises intake.Rejected


@dataclass(frozen=True)
class Outcome:
    """What became of a job: its marks, or why it was set aside. `starved`: the machine did not
    let it run."""

    job: Job
    marks: Marks | None
    error: str | None = None
    starved: bool = False


@dataclass(frozen=True)
class MarkingSettings:
    """What all jobs have in common."""

    root: Path
    figures: bool
    limits: TimeLimits
    session_limits: SessionLimits = field(default_factory=SessionLimits)
    packages: tuple[str, ...] = ()
    seed: int | None = None  # of all random inputs; else each submission has its own

    @classmethod
    def of(cls, root: Path, grading: Grading, figures: bool = True) -> MarkingSettings:
        """What the course's settings say; `figures=False` leaves them out whatever those say.
        Raises CourseError where a package that they list is missing."""
        demand_packages(grading.packages)
        return cls(
            root,
            grading.figures and figures,
            grading.time_limits(),
            grading.session_limits(),
            tuple(grading.packages),
        )


def prepare() -> ForkServerContext:
    """Start the process that workers are forked from, unless it runs: its imports take seconds.

    Raises CourseError.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["proctor.grading.preloaded"])
    try:
        forkserver.ensure_running()
    except OSError as error:
        raise CourseError(
            f"the process that starts workers could not be started ({error}): is the folder that "
            "TMPDIR names full, or its path very long?"
        ) from error
    return context


class Workers:
    """`count` worker processes. Leaving the `with` block ends them, whatever they are doing."""

    def __init__(self, count: int, sandbox: Sandbox, settings: MarkingSettings):
        self.count = count
        self.sandbox = sandbox
        self.settings = settings
        self._context = prepare()
        self._stopping = threading.Event()
        self._processes: list[BaseProcess] = []

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for process in self._processes:
            process.kill()
            process.join()

    def mark(self, jobs: Iterable[Job]) -> Generator[Outcome, None, None]:
        """Mark all jobs; outcomes come as they are ready. What the machine was too busy for is
        tried again at the end, one at a time. Raises what no submission can cause: CourseError and
        SandboxUnavailable."""
        starved = []
        for outcome in self.mark_once(jobs, self.count):
            if outcome.starved:
                starved.append(outcome.job)
            else:
                yield outcome
        if starved:
            wait_until_quiet(QUIET_SECONDS)
            yield from self.mark_once(starved, 1, ATTEMPTS)

    def mark_once(
        self, jobs: Iterable[Job], count: int, attempts: int = 0
    ) -> Generator[Outcome, None, None]:
        """Mark jobs of which so many attempts were made before, `count` at a time. Outcomes come as
        they are ready, also those of jobs that the machine was too busy for. `jobs` is gone
        through in a thread, and may wait for more to come."""
        waiting: queue.Queue[Job | None] = queue.Queue(maxsize=2 * self.count)
        outcomes: queue.Queue[Outcome | BaseException | None] = queue.Queue(maxsize=2 * self.count)
        supervisors = [
            threading.Thread(
                target=self._supervise, args=(waiting, outcomes, attempts), daemon=True
            )
            for _ in range(count)
        ]
        feeder = threading.Thread(
            target=self._feed, args=(jobs, count, waiting, outcomes), daemon=True
        )
        for thread in (*supervisors, feeder):
            thread.start()
        running = len(supervisors)
        try:
            while running:
                outcome = outcomes.get()
                if outcome is None:
                    running -= 1
                elif isinstance(outcome, BaseException):
                    raise outcome
                else:
                    yield outcome
        finally:
            if running:  # given up: no thread may wait for room in a queue for ever
                self._stopping.set()
                take_all(outcomes)
                take_all(waiting)
                for _ in range(count):
                    waiting.put_nowait(None)

    def _feed(
        self, jobs: Iterable[Job], count: int, waiting: queue.Queue, outcomes: queue.Queue
    ) -> None:
        try:
            for job in jobs:
                waiting.put(job)
                if self._stopping.is_set():
                    break
        except Exception as error:  # noqa: BLE001 - it ends the run, in the thread that waits
            outcomes.put(error)
        for _ in range(count):
            waiting.put(None)

    def _supervise(self, waiting: queue.Queue, outcomes: queue.Queue, attempts: int) -> None:
        """Keep one worker process at work until no job is left."""
        worker: Worker | None = None
        try:
            while (job := waiting.get()) is not None and not self._stopping.is_set():
                for attempt in range(ATTEMPTS):
                    at_work = worker = worker or self._start()
                    try:
                        outcomes.put(at_work.mark(job, attempts + attempt))
                        worker = at_work if at_work.alive else None
                        break
                    except WireError as error:
                        ended = None if isinstance(error, Late) else at_work.exit_code()
                        at_work.end()
                        worker = None
                        if self._stopping.is_set():
                            break
                        if isinstance(error, Late) or attempt == ATTEMPTS - 1:
                            reason = str(error) if isinstance(error, Late) else None
                            outcomes.put(self._lost(job, ended, reason))
                            break
        except Exception as error:  # noqa: BLE001 - it ends the run, in the thread that waits
            outcomes.put(error)
        finally:
            if worker is not None:
                worker.end()
            outcomes.put(None)

    def _lost(self, job: Job, ended: int | None, late: str | None) -> Outcome:
        """The outcome of a job whose worker was ended because it took too long, or ended."""
        if late is None and not is_crash(ended):
            # By another's hand, or for want of memory: that says nothing of the submission.
            return Outcome(job, None, f"the worker that marked it ended, {ATTEMPTS} times")
        how = late or f"ended it ({signal.Signals(-(ended or 0)).name}), {ATTEMPTS} times"
        course = Course(self.settings.root)
        marks = rejected_unread(job.assignment, course, job.student, f"looking at its values {how}")
        with contextlib.suppress(intake.Rejected):
            marks = dataclasses.replace(marks, sha256=job.read().sha256)
        return Outcome(job, marks)

    def _start(self) -> Worker:
        ours, theirs = socket.socketpair()
        with theirs:
            process = self._context.Process(
                target=work,
                args=(theirs, self.settings, self.sandbox.protection, self.sandbox.limits),
                daemon=True,
            )
            try:
                process.start()
            except (EOFError, OSError) as error:
                raise CourseError(
                    "the process that starts workers is gone: was it killed? Run the same "
                    "command again to go on."
                ) from error
        self._processes.append(process)
        return Worker(process, Channel(ours, MAX_MESSAGE_BYTES), self.sandbox, self.settings)


def take_all(waiting: queue.Queue) -> None:
    with contextlib.suppress(queue.Empty):
        while True:
            waiting.get_nowait()


def is_crash(code: int | None) -> bool:
    """Whether a process with this exit code was ended by something that it did itself."""
    return code is not None and code < 0 and -code not in (signal.SIGKILL, signal.SIGTERM)


class PatienceWithWorker:
    """Patience with a process that marks one submission (see `wire.frames.Patience`): so many
    `seconds` of its processor time, and `waiting` on the clock."""

    def __init__(self, process: int, seconds: float, waiting: float):
        self.process = process
        self.seconds = seconds
        self.until = time.monotonic() + waiting
        self.began = processor_time(process)

    def next_wait(self) -> float:
        if processor_time(self.process) - self.began > self.seconds:
            raise Late(f"took longer than {self.seconds:g} s")
        if time.monotonic() > self.until:
            raise Starved("the process that marks it gave no answer")
        return 1.0


def processor_time(process: int) -> float:
    """Seconds; 0 where the system does not tell, or once it has ended."""
    if sys.platform != "linux":
        return 0.0
    with contextlib.suppress(OSError):
        return time.clock_gettime(~process << 3 | 2)  # the kernel's name for its clock
    return 0.0


class Worker:
    """A worker process, seen from the main process."""

    def __init__(
        self,
        process: BaseProcess,
        channel: Channel,
        sandbox: Sandbox,
        settings: MarkingSettings,
    ):
        self.process = process
        self.channel = channel
        self.sandbox = sandbox
        self.settings = settings
        self.sessions: dict[int, Session] = {}

    def mark(self, job: Job, attempt: int) -> Outcome:
        """Have it mark one submission. Raises WireError when it ends before, or takes too long."""
        course, limits = Course(self.settings.root), self.settings.limits
        try:
            submission = job.read()
        except intake.Rejected as error:
            return Outcome(job, rejected_unread(job.assignment, course, job.student, str(error)))
        message = request(job, submission, course, self.settings.seed, attempt)
        waiting = limits.waiting + MORE_SECONDS
        patience = PatienceWithWorker(self.process.pid or 0, limits.submission, waiting)
        try:
            self.channel.send(message, deadline=patience)
            while True:
                answer, _ = self.channel.receive(patience)
                if outcome := outcome_of(job, answer):
                    return outcome
                self._serve(answer)
        except Starved as error:
            self.end()
            return Outcome(job, None, str(error), starved=True)

    @property
    def alive(self) -> bool:
        return self.process.is_alive()

    def _serve(self, message: dict[str, Any]) -> None:
        """Start or end a session for it."""
        if "end" in message:
            session = self.sessions.pop(message["end"])
            session.kill()
            self.channel.send({"end_reason": session.end_reason})
            return
        if "interrupt" in message:
            self.sessions[message["interrupt"]].interrupt(message["process"])
            self.channel.send({"interrupted": True})
            return
        session = self.sandbox.session()
        number = id(session)
        self.sessions[number] = session
        passed = [session.channel.connection.fileno(), session.usage.descriptor]
        self.channel.send({"session": number}, descriptors=passed)
        # The worker holds the socket now: the session ends for it when the process does.
        session.close()

    def exit_code(self) -> int | None:
        """Of a worker that has hung up; negative if a signal has ended it."""
        self.process.join(ENDING_SECONDS)
        return self.process.exitcode

    def end(self) -> None:
        """End it and its sessions."""
        for session in self.sessions.values():
            session.kill()
        self.sessions.clear()
        self.channel.close()
        self.process.kill()
        self.process.join()


def request(
    job: Job, submission: Submission, course: Course, seed: int | None, attempt: int
) -> dict[str, Any]:
    """What a worker is told of a job."""
    if seed is None:
        seed = seed_of(course, submission.sha256, attempt)
    return {
        "student": job.student,
        "assignment": job.assignment,
        "submission": submission.as_json(),
        "seed": seed,
    }


def outcome_of(job: Job, answer: dict[str, Any]) -> Outcome | None:
    """What a worker says of a job; None if it says something else. Raises CourseError and
    SandboxUnavailable."""
    if "marks" in answer:
        return Outcome(job, marks_from_json(answer["marks"]))
    if "course_error" in answer:
        raise CourseError(answer["course_error"])
    if "no_sandbox" in answer:
        raise SandboxUnavailable(*answer["no_sandbox"])
    if "starved" in answer:
        return Outcome(job, None, f"{answer['starved']}: try again later", starved=True)
    if "failed" in answer:
        return Outcome(job, None, answer["failed"])
    return None
