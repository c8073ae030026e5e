"""The sandbox a submission runs in, seen from the trusted side.

bubblewrap holds one warm interpreter (`inside/warm.py`); `Sandbox.session()` has it fork a process
with namespaces, folders and limits of its own, and gives out the trusted end of its socket. Where
no sandbox can be made, `SandboxUnavailable` says why and what helps: nothing runs without one.
"""

from __future__ import annotations

import atexit
import functools
import os
import socket
import subprocess
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from proctor.sandbox.bubblewrap import (
    Command,
    bubblewrap_command,
    find_bubblewrap,
    how_to_start,
    is_root,
    plain_command,
)
from proctor.sandbox.control_groups import ControlGroup, group_for
from proctor.sandbox.unavailable import SandboxUnavailable, explain, memory_remedy
from proctor.settings import SessionLimits
from proctor.wire import errors, frames
from proctor.wire.linux import calls_are_filtered
from proctor.wire.usage import Look, UsageFile

START_SECONDS = 180.0
FORK_SECONDS = 120.0
END_SECONDS = 30.0


class AnySession(Protocol):
    """A session, of this process's own sandbox or of another's."""

    channel: frames.Channel
    end_reason: str | None

    def look(self) -> Look | None: ...

    def interrupt(self, process: int) -> None: ...

    def kill(self) -> None: ...


class AnySandbox(Protocol):
    """What gives sessions: a sandbox, or what stands for one in a worker process."""

    limits: SessionLimits

    @property
    def protection(self) -> str: ...

    def session(self) -> AnySession: ...


class Session:
    """One process in namespaces of its own, and the trusted end of its socket."""

    def __init__(self, number: int, warm: WarmProcess, channel: frames.Channel):
        self.channel = channel
        self.usage = UsageFile.create()
        self.end_reason: str | None = None
        self._number = number
        self._warm = warm
        self._group: ControlGroup | None = None
        self._refusal: str | None = None
        self._forked = threading.Event()
        self._ended = threading.Event()
        self._interrupted = threading.Event()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *exception: object) -> None:
        self.kill()

    @property
    def control_group(self) -> Path | None:
        """The one it is in, where the machine lets it have one."""
        return self._group.folder if self._group is not None and self._group.is_used() else None

    @property
    def memory_exceeded(self) -> bool:
        return self.end_reason == "memory"

    def look(self) -> Look | None:
        """What the session has used, as the warm process saw it last."""
        return self.usage.read()

    def interrupt(self, process: int) -> None:
        """Tell a process of the session, by its number in there, that its time is over."""
        self._warm.interrupt(self, process)

    def kill(self) -> None:
        """End every process of the session, and wait until they are gone. May be called again."""
        self._warm.end(self)
        self.close()

    def close(self) -> None:
        """Let go of what this process holds of it."""
        self.channel.close()
        self.usage.close()


class WarmProcess:
    """The running warm process. A thread starts it, stays, and hands on what it reports."""

    def __init__(self, command: Command):
        self._command = command
        self._owner = os.getpid()
        self._sessions: dict[int, Session] = {}
        self._count = 0
        self._lock = threading.Lock()
        self._ready = threading.Event()
        self._was_ready = False  # else it ended before it was
        self._gone = threading.Event()
        self._process: subprocess.Popen | None = None
        self._control: frames.Channel | None = None
        self._errors = ""
        # bubblewrap's --die-with-parent means the thread that started it: this one stays.
        threading.Thread(target=self._keep, name="sandbox", daemon=True).start()

    @property
    def alive(self) -> bool:
        return not self._gone.is_set()

    def wait_until_ready(self) -> None:
        """Raises SandboxUnavailable."""
        if not self._ready.wait(START_SECONDS):
            self.close()
            raise SandboxUnavailable(
                f"The sandbox did not start within {START_SECONDS:.0f} seconds",
                "Is the machine overloaded, or its disk very slow? Try again.",
            )
        if not self._was_ready:
            raise explain(self._errors)

    def fork(self, limits: SessionLimits, serve: str) -> Session:
        """A new session. Raises errors.Closed when the warm process is gone."""
        ours, theirs = socket.socketpair()
        with theirs:
            session = self._add_session(ours)
            request = {
                "request": "fork",
                "session": session._number,
                "serve": serve,
                "limits": asdict(limits),
            }
            passed = [theirs.fileno(), session.usage.descriptor]
            if not self._command.options["unsafe"]:
                session._group = group_for(session._number, limits)
            if session._group is not None:
                passed.append(session._group.entrance)
            self._send(request, passed)
        if not session._forked.wait(FORK_SECONDS):
            self.close()
        if session._refusal is not None:
            session.close()
            raise explain(session._refusal)
        if not self.alive:
            session.close()
            raise errors.Closed("the warm process is gone")
        return session

    def interrupt(self, session: Session, process: int) -> None:
        """Returns when it was told, or has ended: a later question is not interrupted instead."""
        session._interrupted.clear()
        with suppress(errors.Closed):
            number = session._number
            self._send({"request": "interrupt", "session": number, "process": process})
            session._interrupted.wait(END_SECONDS)

    def end(self, session: Session) -> None:
        if os.getpid() != self._owner:
            return  # a fork of the process that this session belongs to
        with suppress(errors.Closed):
            self._send({"request": "kill", "session": session._number})
        if not session._ended.wait(END_SECONDS):
            self.close()

    def close(self) -> None:
        """End the warm process and with it every session."""
        if self._control is not None:
            with suppress(OSError):
                self._control.connection.shutdown(socket.SHUT_RDWR)
        if self._process is not None:
            if not self._was_ready:  # it would go on importing
                self._process.kill()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._gone.wait(5)

    def _add_session(self, connection: socket.socket) -> Session:
        with self._lock:
            self._count += 1
            session = Session(self._count, self, frames.Channel(connection))
            self._sessions[session._number] = session
        return session

    def _send(self, message: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
        with self._lock:
            if not self.alive:
                raise errors.Closed("the warm process is gone")
            assert self._control is not None  # as it is ready
            self._control.send(message, descriptors=descriptors)

    def _keep(self) -> None:
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                self._control = frames.Channel(ours)
                self._process = self._command.start(theirs.fileno())
            with suppress(errors.WireError):
                while True:
                    message, _ = self._control.receive()
                    self._handle(message)
            self._errors = self._read_errors()
        except OSError as error:
            self._errors = str(error)
        finally:
            self._end_all()
            ours.close()

    def _handle(self, message: dict[str, Any]) -> None:
        if message["event"] == "ready":
            self._was_ready = True
            self._ready.set()
            return
        session = self._sessions.get(message["session"])
        if session is None:
            return
        if message["event"] == "forked":
            session._forked.set()
            return
        if message["event"] == "interrupted":
            session._interrupted.set()
            return
        del self._sessions[session._number]
        if message["event"] == "refused":
            session._refusal = message["error"]
            session._forked.set()
        else:
            session.end_reason = message["reason"]
        if session._group is not None:
            if session._group.ran_out_of_memory():
                session.end_reason = "memory"
            session._group.close()
        session._ended.set()
        session._interrupted.set()

    def _read_errors(self) -> str:
        """The last words of bubblewrap or of the warm process."""
        process = self._process
        assert process is not None
        assert process.stderr is not None
        with suppress(subprocess.TimeoutExpired):
            process.wait(5)
        process.kill()
        process.wait()
        os.set_blocking(process.stderr.fileno(), False)
        return (process.stderr.read() or b"").decode(errors="replace")[-4000:]

    def _end_all(self) -> None:
        with self._lock:
            self._gone.set()
            sessions = list(self._sessions.values())
            self._sessions.clear()
        for session in sessions:
            session.end_reason = "the sandbox died"
            if session._group is not None:
                session._group.close()
            session._ended.set()
            session._interrupted.set()
            session._forked.set()
        self._ready.set()


class Sandbox:
    """The sandbox of this process: started when first needed, closed when the process ends.

    `unsafe` runs sessions as plain processes with all rights of this one.
    """

    def __init__(self, limits: SessionLimits | None = None, unsafe: bool = False):
        self.limits = limits or SessionLimits()
        self.unsafe = unsafe
        self._warm: WarmProcess | None = None
        self._owner = os.getpid()
        self._lock = threading.Lock()
        atexit.register(self.close)

    def start(self) -> WarmProcess:
        """Begin to start the warm process, unless it runs: its imports take seconds.

        Raises SandboxUnavailable where it is known at once; `session` says what shows later.
        """
        with self._lock:
            if self._warm is None or not self._warm.alive:
                modules = self.limits.preloaded
                command = plain_command(modules) if self.unsafe else bubblewrap_command(modules)
                self._warm = WarmProcess(command)
            return self._warm

    def session(self, serve: str = "examinee") -> Session:
        """A fresh session. Raises SandboxUnavailable."""
        if os.getpid() != self._owner:
            raise RuntimeError("a sandbox cannot be used by a fork of the process that made it")
        for _ in range(2):
            # A second time when the warm process has died since it was last used.
            with suppress(errors.Closed):
                warm = self.start()
                warm.wait_until_ready()
                return warm.fork(self.limits, serve)
        raise SandboxUnavailable(
            "The sandbox ended twice while starting a session",
            memory_remedy(),
        )

    def close(self) -> None:
        if os.getpid() != self._owner:
            return
        with self._lock:
            if self._warm is not None:
                self._warm.close()
            self._warm = None

    @property
    def protection(self) -> str:
        """One line: what stands between a submission and this machine."""
        if self.unsafe:
            return "none: submissions run with all the rights of the user who grades"
        return (
            f"bubblewrap started by {'root' if is_root() else 'an ordinary user'}: each submission "
            "in namespaces of its own, no capabilities, no network, no files of this machine "
            "except programs and libraries, limits on memory, processes, files and time, "
            + ("a system call filter" if calls_are_filtered() else "no system call filter")
            + (", a user for each" if how_to_start(find_bubblewrap()).ids else "")
        )


@functools.cache
def sandbox_of_process(process: int, limits: SessionLimits, unsafe: bool) -> Sandbox:
    return Sandbox(limits, unsafe)


def shared_sandbox(limits: SessionLimits | None = None, unsafe: bool = False) -> Sandbox:
    """The one sandbox of this process with these limits, which a course's settings give
    (`Grading.session_limits`): started when first needed, closed at exit."""
    return sandbox_of_process(os.getpid(), limits or SessionLimits(), unsafe)
