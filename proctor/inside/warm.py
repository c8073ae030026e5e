"""The warm process: imports once, then forks one session per request, watches and ends it.

In the sandbox it is the first process of its namespaces and holds no secret. Its only way out is
the control socket, whose number is its first argument. On it come `fork` (with the session's end of
a socket pair, and a file to tell there what the session has used), `interrupt` and `kill`; it says
`ready`, `forked` or `refused`, `interrupted`, and, for each session once, `ended` and why.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import select
import shutil
import signal
import socket
import sys
import tempfile
import time
import traceback
import warnings
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn

# The folder that holds the package `proctor`, whatever the rest of the path says.
sys.path.insert(0, str(Path(__file__).parents[2]))

from proctor.inside import huge_pages, isolation, meter, system_calls, watchdog
from proctor.wire.linux import KILLED_FROM_OUTSIDE, calls_are_filtered
from proctor.wire.usage import UsageFile

if TYPE_CHECKING:
    from proctor.wire import frames

WATCH_SECONDS = 0.05
READY = "ready"


@dataclass
class Child:
    """A session as the warm process sees it."""

    number: int
    process: int
    limits: dict[str, int]
    usage: UsageFile
    meter: meter.Meter
    # Why this side ended it; None while it lives or when it ended by itself.
    reason: str | None = None
    folder: str | None = None
    user: int | None = None


class Warm:
    def __init__(self, control: frames.Channel, options: dict[str, Any]):
        self.control = control
        self.unsafe: bool = options["unsafe"]
        self.visible: list[str] = options["visible"]
        self.ids: list[int] | None = options.get("ids")  # users for sessions: the first, how many
        self.children: dict[int, Child] = {}
        self.counted = 0.0  # when objects of the kernel were
        self.in_huge_pages = False
        self.wakeup, self.wakeup_writer = socket.socketpair()
        self.wakeup.setblocking(False)
        self.wakeup_writer.setblocking(False)

    def choose_user(self) -> int | None:
        """One that no session has, by chance: a number in order would tell how many there were."""
        if self.ids is None:
            return None
        first, count = self.ids
        taken = {child.user for child in self.children.values()}
        while (user := first + int.from_bytes(os.urandom(4)) % count) in taken:
            pass
        return user

    def run(self) -> None:
        """Serve requests until the trusted side is gone."""
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(self.wakeup_writer.fileno(), warn_on_full_buffer=False)
        self.control.send({"event": "ready"})
        watched = 0.0
        while True:
            timeout = WATCH_SECONDS if self.children else None
            readable, _, _ = select.select([self.control.connection, self.wakeup], [], [], timeout)
            if self.wakeup in readable:
                self.wakeup.recv(4096)
            self.reap()
            if self.control.connection in readable:
                self.handle_request()
            if self.children and time.monotonic() > watched + WATCH_SECONDS:
                self.watch()
                watched = time.monotonic()

    def handle_request(self) -> None:
        message, _, descriptors = self.control.receive_with_descriptors(most=3)
        if message["request"] == "fork":
            self.fork(message, *descriptors)
        elif message["request"] == "interrupt":
            self.interrupt(message["session"], message["process"])
        else:
            self.kill(message["session"])

    def fork(
        self, message: dict[str, Any], descriptor: int, usage_file: int, group: int | None = None
    ) -> None:
        number, usage = message["session"], UsageFile(usage_file)
        folder = tempfile.mkdtemp(prefix="session-") if self.unsafe else None
        reader, writer = os.pipe()
        user = self.choose_user()
        try:
            process = os.fork() if self.unsafe else isolation.fork_first_process()
        except OSError as error:
            # The machine is short of memory or processes: no reason to end the other sessions.
            process = None
            write_report(writer, f"fork: {error.strerror}")
        if process == 0:
            os.close(reader)
            enter_group(group)
            become_session(self, message, descriptor, writer, folder, user)
        os.close(writer)
        if group is not None:
            os.close(group)
        os.close(descriptor)
        report = read_report(reader)
        if report == READY and process is not None:
            begun = meter.Meter()
            # What making a session takes is not the submission's.
            usage.write(begun.add([process]))
            self.children[number] = Child(
                number, process, message["limits"], usage, begun, folder=folder, user=user
            )
            self.control.send({"event": "forked", "session": number})
            return
        usage.close()
        if process:
            os.waitpid(process, 0)  # it ends itself after an error
        if folder:
            shutil.rmtree(folder, ignore_errors=True)
        report = report or "a fork ended before it had said a word"
        self.control.send({"event": "refused", "session": number, "error": report})

    def interrupt(self, number: int, process: int) -> None:
        """Tell a process of a session, by its number in there, that its time is over."""
        child = self.children.get(number)
        if child is not None:
            for one in self.processes_of(child):
                if self.unsafe or meter.number_inside(one) == process:
                    with suppress(ProcessLookupError):
                        os.kill(one, signal.SIGALRM)
        self.control.send({"event": "interrupted", "session": number})

    def processes_of(self, child: Child) -> list[int]:
        if self.unsafe:
            return meter.processes_of(child.process)
        return watchdog.descendants(child.process, watchdog.read_statuses())

    def kill(self, number: int, reason: str = "killed") -> None:
        child = self.children.get(number)
        if child is None:
            return
        if self.unsafe or not isolation.is_ending(child.process):
            child.reason = reason
        self.send_kill(child)
        os.waitid(os.P_PID, child.process, os.WEXITED | os.WNOWAIT)
        self.report_end(child)

    def send_kill(self, child: Child) -> None:
        # The end of a namespace's process 1 is the end of all processes in it, and it can be reaped
        # only when they are gone.
        with suppress(ProcessLookupError):
            if self.unsafe:
                os.killpg(child.process, signal.SIGKILL)
            else:
                os.kill(child.process, signal.SIGKILL)

    def reap(self) -> None:
        for child in list(self.children.values()):
            if os.waitid(os.P_PID, child.process, os.WEXITED | os.WNOWAIT | os.WNOHANG):
                self.report_end(child)

    def report_end(self, child: Child) -> None:
        """Of a session whose process 1 has ended and is not yet waited for."""
        own_limits = isolation.lowered_processor_limit(child.process, child.limits)
        _, status, used = os.wait4(child.process, 0)
        del self.children[child.number]
        if child.folder:
            shutil.rmtree(child.folder, ignore_errors=True)
        processor = used.ru_utime + used.ru_stime
        child.usage.write(child.meter.finish(processor))
        child.usage.close()
        at_limit = own_limits or processor >= child.limits["cpu_seconds"]
        self.control.send(
            {
                "event": "ended",
                "session": child.number,
                "reason": reason_of_end(child, status, at_limit),
            }
        )
        if not self.in_huge_pages and not self.children:
            # Where one session is all there is, it would cost more than it saves.
            self.in_huge_pages = True
            huge_pages.collapse()

    def watch(self) -> None:
        """Tell what each session has used; end those whose processes together hold too much
        memory, or are too many."""
        if self.unsafe:
            for child in self.children.values():
                child.usage.write(child.meter.add(meter.processes_of(child.process)))
            return
        statuses = watchdog.read_statuses()
        now = time.monotonic()
        locks = None
        if now > self.counted + watchdog.LOOK_SECONDS:
            self.counted, locks = now, watchdog.count_locks()
        for child in list(self.children.values()):
            processes = watchdog.descendants(child.process, statuses)
            inside = {process: statuses[process].get("NSpid", 0) for process in processes}
            child.usage.write(child.meter.add(processes, inside))
            watchdog.step_back(processes, statuses)
            if watchdog.holds_more(child.limits["resident_bytes"], processes, statuses) or (
                locks is not None and watchdog.holds_too_many(processes, locks)
            ):
                self.kill(child.number, "memory")
            elif len(processes) > child.limits["processes"] or watchdog.are_too_apart(processes):
                self.kill(child.number, "processes")


def become_session(
    warm: Warm,
    message: dict[str, Any],
    descriptor: int,
    writer: int,
    folder: str | None,
    user: int | None,
) -> NoReturn:
    """In the fork: confine this process, then serve the session; never returns.

    It writes to `writer` that the session is ready, or what went wrong, and closes it.
    """
    try:
        if warm.unsafe:
            os.setsid()
            isolation.reset_signals()
            isolation.replace_descriptors([descriptor, writer])
            os.chdir(folder or ".")
        else:
            isolation.confine(message["limits"], warm.visible, [descriptor, writer], user)
            if calls_are_filtered():
                system_calls.install_filter()
        from proctor.wire import frames

        channel = frames.Channel(socket.socket(fileno=descriptor))
        write_report(writer, READY)
        os.close(writer)
    except BaseException:  # noqa: BLE001 - whatever it is, the trusted side must hear of it
        write_report(writer, traceback.format_exc(limit=-3)[-2000:])
        os._exit(1)
    try:
        server_of(message["serve"]).serve(channel)
    finally:
        os._exit(1)


def server_of(name: str) -> ModuleType:
    """What a session is to be: an import of what it is not would take longer than most cells."""
    if name == "probe":
        from proctor.inside import probe

        return probe
    from proctor.inside import examinee

    return examinee


def enter_group(group: int | None) -> None:
    """The control group that the trusted side made, if it could."""
    if group is not None:
        with suppress(OSError):  # a kernel that asks for this process's own rights
            os.write(group, b"0")


def reason_of_end(child: Child, status: int, at_limit: bool) -> str:
    """Why it ended. Nothing in there can kill process 1, but the kernel does so where it reaches
    its limit of processor time, `at_limit`, and a process can lower its own."""
    if not os.WIFSIGNALED(status):
        return f"exit {os.waitstatus_to_exitcode(status)}"
    number = os.WTERMSIG(status)
    if number != signal.SIGKILL:
        return f"signal {signal.Signals(number).name}"
    # Who finds a session dead ends it, too: that it was killed then is not why it ended.
    if child.reason in (None, "killed") and at_limit:
        return "cpu"
    return child.reason or KILLED_FROM_OUTSIDE


def write_report(descriptor: int, text: str) -> None:
    os.write(descriptor, text.encode())


def read_report(descriptor: int) -> str:
    with os.fdopen(descriptor, "rb") as file:
        return file.read().decode(errors="replace")


def preload(modules: list[str]) -> None:
    """Import and build, once, whatever a session would need again and again: what the engine does,
    and what the course's settings name."""
    import torch

    from proctor.inside import examinee, torch_private

    torch_private.demand_known_torch()
    # A fork of a process that has used several threads hangs.
    torch.set_num_threads(1)
    torch.rand(1)  # torch reads /proc/cpuinfo once, which a session does not have
    for name in modules:
        try:
            importlib.import_module(name)
        except Exception as error:  # noqa: BLE001 - whatever it is, the course must hear of it
            what = " ".join(f"{type(error).__name__}: {error}".split())
            sys.exit(f"c.Grading.preload: {name} cannot be imported ({what[:300]})")
    remember_start_of_machine()
    examinee.prepare()


def remember_start_of_machine() -> None:
    """For psutil, which tells the age of a process by it: a session's own /proc does not say."""
    with suppress(ImportError, AttributeError):
        from psutil import _pslinux

        started = _pslinux.boot_time()
        _pslinux.boot_time = lambda: started


def main() -> None:
    options = json.loads(sys.argv[2])
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    if not options["unsafe"]:
        isolation.die_with_parent()
        isolation.enter_nursery(options["ids"])
        isolation.forbid_inspection()
        isolation.HOME.mkdir()
    os.umask(0o022)
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    gc.disable()  # a collection every few imports would take a third of their time
    preload(options["preloaded"])
    from proctor.wire import errors, frames

    threads = len(os.listdir("/proc/self/task")) if sys.platform == "linux" else 1
    if threads != 1:
        sys.exit(
            f"the warm process has {threads} threads, so its forks would not be safe: does one of "
            "c.Grading.preload start some?"
        )
    gc.collect()
    gc.freeze()
    gc.enable()
    control = frames.Channel(socket.socket(fileno=int(sys.argv[1])))
    isolation.silence()
    warm = Warm(control, options)
    try:
        warm.run()
    except errors.Closed:
        for child in warm.children.values():
            warm.send_kill(child)
        os._exit(0)


if __name__ == "__main__":
    main()
