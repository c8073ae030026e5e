"""What runs in a worker process: it marks what comes, in sessions that the main process gives."""

from __future__ import annotations

import contextlib
import socket
import traceback
from typing import TYPE_CHECKING, Any

from proctor.course import Course, CourseError
from proctor.grading.marks import marks_as_json
from proctor.grading.modules import submission_from_json
from proctor.sandbox.patience import Starved
from proctor.sandbox.sessions import AnySandbox
from proctor.sandbox.unavailable import SandboxUnavailable
from proctor.settings import SessionLimits
from proctor.wire.errors import WireError
from proctor.wire.frames import Channel
from proctor.wire.usage import Look, UsageFile

if TYPE_CHECKING:
    from proctor.classroom.workers import MarkingSettings

# Between processes of ours: a submission, or marks with the notebook and its figures.
MAX_MESSAGE_BYTES = 128 << 20


class HungUp(BaseException):
    """The main process is gone. No Exception, as no submission is marked worse for it."""


def work(
    connection: socket.socket, settings: MarkingSettings, protection: str, limits: SessionLimits
) -> None:
    """The worker process: mark what comes until the main process hangs up."""
    channel = Channel(connection, MAX_MESSAGE_BYTES)
    sandbox = SandboxByProxy(channel, protection, limits)
    course = Course(settings.root)
    with contextlib.suppress(WireError, HungUp, KeyboardInterrupt):
        while True:
            message, _ = channel.receive()
            channel.send(mark_as_json(message, course, settings, sandbox))


def mark_as_json(
    message: dict[str, Any],
    course: Course,
    settings: MarkingSettings,
    sandbox: AnySandbox,
) -> dict[str, Any]:
    """Mark what the message holds: the marks, or whose fault it is that there are none."""
    from proctor.grading.marking import (
        mark,  # only workers need torch, which takes seconds to import
    )

    try:
        submission = submission_from_json(message["submission"])
        marks = mark(
            submission.notebook,
            message["assignment"],
            course,
            modules=submission.modules,
            student=message["student"],
            sandbox=sandbox,
            figures=settings.figures,
            limits=settings.limits,
            seed=message["seed"],
        )
        return {"marks": marks_as_json(marks)}
    except Starved as error:
        return {"starved": str(error)}
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
        message, (connection, usage) = self.ask({"start": True}, descriptors=2)
        channel = Channel(socket.socket(fileno=connection))
        return SessionByProxy(channel, UsageFile(usage), message["session"], self)

    def ask(
        self, message: dict[str, Any], descriptors: int = 0
    ) -> tuple[dict[str, Any], list[int]]:
        """Have the main process do something. Raises HungUp."""
        try:
            self.channel.send(message)
            answer, _, received = self.channel.receive_with_descriptors(most=descriptors)
        except WireError as error:
            raise HungUp from error
        return answer, received


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
        self._sandbox.ask({"interrupt": self._number, "process": process})

    def kill(self) -> None:
        self.channel.close()
        message, _ = self._sandbox.ask({"end": self._number})
        self.end_reason = message["end_reason"]
        self.usage.close()
