"""Processes that mark submissions side by side, in sessions of the main process's one sandbox.

pytest is not made for several threads, so each worker is a process. It holds no gradebook and no
submission but the one it marks: the submission comes in as bytes, the marks go out as JSON. The
main process alone talks to the warm interpreter, and hands sockets of sessions on.
"""

from __future__ import annotations

import base64
import contextlib
import multiprocessing
import queue
import socket
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

from proctor.course import Course, CourseError
from proctor.grading import intake
from proctor.grading.marks import Marks, marks_as_json, marks_from_json, rejected_unread
from proctor.sandbox.sessions import Sandbox, Session
from proctor.sandbox.unavailable import SandboxUnavailable
from proctor.settings import Grading, SessionLimits, TimeLimits
from proctor.wire.errors import WireError
from proctor.wire.frames import Channel
from proctor.wire.usage import Look, UsageFile

ATTEMPTS = 2
# Between processes of ours: a submission, or marks with the notebook and its figures.
MAX_MESSAGE_BYTES = 128 << 20


@dataclass(frozen=True)
class Job:
    """One submission to mark."""

    student: str
    assignment: str
    read: Callable[[], bytes]  # raises intake.Rejected


@dataclass(frozen=True)
class Outcome:
    """What became of a job: its marks, or why it was set aside."""

    job: Job
    marks: Marks | None
    error: str | None = None


@dataclass(frozen=True)
class MarkingSettings:
    """What all jobs have in common."""

    root: Path
    figures: bool
    limits: TimeLimits
    session_limits: SessionLimits = field(default_factory=SessionLimits)

    @classmethod
    def of(cls, root: Path, grading: Grading, figures: bool = True) -> MarkingSettings:
        """What the course's settings say; `figures=False` leaves them out whatever those say."""
        return cls(
            root, grading.figures and figures, grading.time_limits(), grading.session_limits()
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
        self._processes: list[multiprocessing.Process] = []

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for process in self._processes:
            process.kill()
            process.join()

    def mark(self, jobs: Iterable[Job]) -> Iterator[Outcome]:
        """Mark all jobs; outcomes come as they are ready. Raises what no submission can cause:
        CourseError and SandboxUnavailable."""
        waiting: queue.Queue[Job | None] = queue.Queue(maxsize=2 * self.count)
        outcomes: queue.Queue[Outcome | BaseException | None] = queue.Queue(maxsize=2 * self.count)
        supervisors = [
            threading.Thread(target=self._supervise, args=(waiting, outcomes), daemon=True)
            for _ in range(self.count)
        ]
        feeder = threading.Thread(target=self._feed, args=(jobs, waiting, outcomes), daemon=True)
        for thread in (*supervisors, feeder):
            thread.start()
        running = len(supervisors)
        while running:
            outcome = outcomes.get()
            if outcome is None:
                running -= 1
            elif isinstance(outcome, BaseException):
                self._stopping.set()
                raise outcome
            else:
                yield outcome

    def _feed(self, jobs: Iterable[Job], waiting: queue.Queue, outcomes: queue.Queue) -> None:
        try:
            for job in jobs:
                waiting.put(job)
        except Exception as error:  # noqa: BLE001 - it ends the run, in the thread that waits
            outcomes.put(error)
        for _ in range(self.count):
            waiting.put(None)

    def _supervise(self, waiting: queue.Queue, outcomes: queue.Queue) -> None:
        """Keep one worker process at work until no job is left."""
        worker = None
        try:
            while (job := waiting.get()) is not None and not self._stopping.is_set():
                for attempt in range(1, ATTEMPTS + 1):
                    worker = worker or self._start()
                    try:
                        outcomes.put(worker.mark(job))
                        break
                    except WireError:
                        worker.end()
                        worker = None
                        if self._stopping.is_set():
                            break
                        if attempt == ATTEMPTS:
                            reason = f"the worker that marked it ended, {ATTEMPTS} times"
                            outcomes.put(Outcome(job, None, reason))
        except Exception as error:  # noqa: BLE001 - it ends the run, in the thread that waits
            outcomes.put(error)
        finally:
            if worker is not None:
                worker.end()
            outcomes.put(None)

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
                    "the process that starts workers is gone: was it killed? The same command "
                    "goes on with what is not graded yet."
                ) from error
        self._processes.append(process)
        return Worker(process, Channel(ours, MAX_MESSAGE_BYTES), self.sandbox, self.settings.root)


class Worker:
    """A worker process, seen from the main process."""

    def __init__(
        self, process: multiprocessing.Process, channel: Channel, sandbox: Sandbox, root: Path
    ):
        self.process = process
        self.channel = channel
        self.sandbox = sandbox
        self.root = root
        self.sessions: dict[int, Session] = {}

    def mark(self, job: Job) -> Outcome:
        """Have it mark one submission. Raises WireError when it ends before."""
        try:
            submission = job.read()
        except intake.Rejected as error:
            course = Course(self.root)
            return Outcome(job, rejected_unread(job.assignment, course, job.student, str(error)))
        self.channel.send(
            {
                "student": job.student,
                "assignment": job.assignment,
                "submission": base64.b64encode(submission).decode("ascii"),
            }
        )
        while True:
            message, _ = self.channel.receive()
            if "marks" in message:
                return Outcome(job, marks_from_json(message["marks"]))
            if "course_error" in message:
                raise CourseError(message["course_error"])
            if "failed" in message:
                return Outcome(job, None, message["failed"])
            self._serve(message)

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

    def end(self) -> None:
        for session in self.sessions.values():
            session.kill()
        self.sessions.clear()
        self.channel.close()
        self.process.kill()
        self.process.join()


def work(
    connection: socket.socket, settings: MarkingSettings, protection: str, limits: SessionLimits
) -> None:
    """The worker process: mark what comes until the main process hangs up."""
    channel = Channel(connection, MAX_MESSAGE_BYTES)
    sandbox = SandboxByProxy(channel, protection, limits)
    course = Course(settings.root)
    with contextlib.suppress(WireError, KeyboardInterrupt):
        while True:
            message, _ = channel.receive()
            channel.send(mark_as_json(message, course, settings, sandbox))


def mark_as_json(
    message: dict[str, Any],
    course: Course,
    settings: MarkingSettings,
    sandbox: Sandbox | SandboxByProxy,
) -> dict[str, Any]:
    """Mark what the message holds: the marks, or whose fault it is that there are none."""
    from proctor.grading.marking import (
        mark,  # only workers need torch, which takes seconds to import
    )

    try:
        marks = mark(
            base64.b64decode(message["submission"]),
            message["assignment"],
            course,
            student=message["student"],
            sandbox=sandbox,
            figures=settings.figures,
            limits=settings.limits,
        )
        return {"marks": marks_as_json(marks)}
    except WireError:
        raise
    except CourseError as error:
        return {"course_error": str(error)}
    except SandboxUnavailable as error:
        return {"no_sandbox": [error.reason, error.remedy]}
    except Exception:  # noqa: BLE001
        # A fault of ours that this submission brought out: it is set aside, the class goes on.
        return {"failed": traceback.format_exc(limit=-4)}


class SandboxByProxy:
    """The main process's sandbox, as a worker sees it."""

    def __init__(self, channel: Channel, protection: str, limits: SessionLimits):
        self.channel = channel
        self.protection = protection
        self.limits = limits

    def session(self) -> SessionByProxy:
        self.channel.send({"start": True})
        message, _, (connection, usage) = self.channel.receive_with_descriptors(most=2)
        channel = Channel(socket.socket(fileno=connection))
        return SessionByProxy(channel, UsageFile(usage), message["session"], self)


class SessionByProxy:
    """A session of the main process's sandbox, whose socket is here."""

    def __init__(self, channel: Channel, usage: UsageFile, number: int, sandbox: SandboxByProxy):
        self.channel = channel
        self.usage = usage
        self.end_reason: str | None = None
        self._number = number
        self._sandbox = sandbox

    def look(self) -> Look | None:
        return self.usage.read()

    def interrupt(self, process: int) -> None:
        self._sandbox.channel.send({"interrupt": self._number, "process": process})
        self._sandbox.channel.receive()

    def kill(self) -> None:
        self.channel.close()
        self._sandbox.channel.send({"end": self._number})
        message, _ = self._sandbox.channel.receive()
        self.end_reason = message["end_reason"]
        self.usage.close()
