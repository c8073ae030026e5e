"""What `proctor doctor` tries: whether the walls of a real session hold on this machine."""

from __future__ import annotations

import os
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proctor.sandbox import machine
from proctor.sandbox.bubblewrap import (
    find_bubblewrap,
    how_to_start,
    is_root,
    outer_user,
    visible_folders,
)
from proctor.sandbox.sessions import Sandbox, Session
from proctor.sandbox.unavailable import SandboxUnavailable
from proctor.settings import MEGABYTE, SessionLimits
from proctor.wire import errors
from proctor.wire.linux import calls_are_filtered


@dataclass(frozen=True)
class Finding:
    """One thing that was tried in a real session, and whether it went as it must. `weaker` says
    what is not promised where this machine lacks a wall that the others do not need."""

    name: str
    holds: bool
    detail: str
    weaker: str = ""

    def __str__(self) -> str:
        state = "BAD " if not self.holds else "weak" if self.weaker else "ok  "
        lines = [f"{state} {self.name:<22} {self.detail}"]
        return "\n".join(lines + [f"     {self.weaker}"] * bool(self.weaker))


@dataclass(frozen=True)
class Diagnosis:
    """What the sandbox of this machine gives; `unavailable` says why there is none."""

    findings: list[Finding]
    protection: str | None = None
    unavailable: SandboxUnavailable | None = None

    @property
    def sound(self) -> bool:
        return self.unavailable is None and all(finding.holds for finding in self.findings)

    def __str__(self) -> str:
        lines = [str(finding) for finding in self.findings]
        if self.unavailable is not None:
            lines += [f"BAD  {self.unavailable.reason}", f"     {self.unavailable.remedy}"]
        return "\n".join(lines)


def probe() -> Diagnosis:
    """Start a sandbox and try in real sessions whether its walls hold."""
    sandbox = Sandbox()
    findings: list[Finding] = []
    try:
        findings.append(find_program())
        findings += probe_start(sandbox)
        findings += probe_walls(sandbox)
        findings += probe_limits(sandbox)
    except SandboxUnavailable as error:
        return Diagnosis(findings, unavailable=error)
    finally:
        sandbox.close()
    findings.append(find_room())
    return Diagnosis(findings, sandbox.protection)


def find_program() -> Finding:
    path = find_bubblewrap()
    asked = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    by_whom = "root" if is_root() else "an ordinary user"
    if how_to_start(path).entrance:
        by_whom += " with subordinate ids"
    return Finding("bubblewrap", True, f"{asked.stdout.strip()}, {path}, started by {by_whom}")


def find_room() -> Finding:
    memory = machine.free_memory()
    fitting = machine.jobs_that_fit(memory)
    cores = machine.cores()
    detail = (
        f"{machine.default_jobs()}, for {cores} core{'s' if cores > 1 else ''} and "
        f"{memory // machine.MEGABYTE} MB of free memory"
    )
    return Finding("marked at a time", fitting > 0, detail)


def probe_start(sandbox: Sandbox) -> list[Finding]:
    began = time.monotonic()
    sandbox.session("probe").kill()
    first = time.monotonic() - began
    began = time.monotonic()
    with sandbox.session("probe"):
        forked = time.monotonic() - began
        began = time.monotonic()
    ended = time.monotonic() - began
    return [
        Finding("warm start", True, f"{first:.1f} s, once per run"),
        Finding("session", True, f"{forked * 1000:.0f} ms to start, {ended * 1000:.0f} ms to end"),
    ]


def ask(session: Session, expression: str) -> Any:
    """The value of an expression with a function of `inside/probe.py`, from in there."""
    deadline = time.monotonic() + 20
    source = f"from proctor.inside import probe\nanswer = {expression}"
    session.channel.send({"source": source}, deadline=deadline)
    reply, _ = session.channel.receive(deadline)
    if "answer" in reply:
        return reply["answer"]
    return f"{reply['error']} {reply['message']}".strip()


def probe_walls(sandbox: Sandbox) -> list[Finding]:
    with sandbox.session("probe") as session:
        facts = ask(session, "probe.facts()")
        refusal = ask(session, "probe.try_to_connect()")
        names = set(ask(session, f"probe.names_in({str(Path.cwd())!r})"))
        outside = user_outside(session)
        group = session.control_group
    hidden = names <= names_shown_in(Path.cwd())
    capabilities = facts["capabilities"]
    folders, settings = facts["writable_folders"], facts["writable_settings"]
    alone = facts["process"] == facts["processes_seen"] == 1
    return [
        Finding(
            "user",
            facts["user"] != 0 and outside != 0,
            f"{facts['user']} inside, {outside} outside",
            weaker=shared_user(),
        ),
        Finding("capabilities", not capabilities, ", ".join(capabilities) or "none"),
        Finding("no new privileges", facts["no_new_privileges"], "set"),
        Finding(
            "processes", alone, "sees only its own" if alone else f"sees {facts['processes_seen']}"
        ),
        Finding("network", refusal is not None, refusal or "can be reached"),
        Finding(
            "files of the course", hidden, "not visible" if hidden else ", ".join(sorted(names))
        ),
        Finding(
            "writable folders", set(folders) == {"/dev/shm", "/home", "/tmp"}, ", ".join(folders)
        ),
        Finding("writable settings", not settings, ", ".join(settings) or "none"),
        *findings_by_kernel(facts),
        Finding(
            "control group",
            True,
            str(group.parent) if group else "cannot be created here",
            weaker="" if group else UNCOUNTED,
        ),
    ]


def shared_user() -> str:
    start = how_to_start(find_bubblewrap())
    if start.ids:
        return ""
    return ALL_NOBODY if start.as_root else SAME_USER


ALL_NOBODY = (
    "all sessions run as one user, because this container has too few user ids: one session can "
    "use up what the kernel counts per user (descriptors in flight, memory for pipes)"
)
SAME_USER = (
    "sessions run as the user who grades: one session can use up what the kernel counts per user "
    "(descriptors in flight, memory for pipes). To give each session its own user, an "
    "administrator assigns subordinate ids (`usermod --add-subuids 100000-165535 --add-subgids "
    "100000-165535 NAME`, package uidmap) and makes the virtual environment readable for all users"
)
NO_FILTER = "sessions can use file leases, asynchronous I/O, the page cache and unusual sockets"
NO_LANDLOCK = "only the mounts protect files from changes (Landlock needs Linux 5.13 or later)"
ALL_OF_PROC = "sessions can read the machine's counters in /proc (Linux 5.8 and later hides them)"
UNCOUNTED = (
    "only part of the kernel's memory is counted, once a second, and many processes in one session "
    "can slow down the others. An ordinary user gets a control group with `systemd-run --user "
    "--scope -p Delegate=yes proctor grade ...` on a system with cgroup v2"
)


def findings_by_kernel(facts: dict[str, Any]) -> list[Finding]:
    """Of walls that not every kernel has."""
    filtered, landlock = facts["system_call_filter"], facts["landlock"]
    return [
        Finding(
            "system call filter",
            filtered or not calls_are_filtered(),
            "on, with a list of allowed calls"
            if filtered
            else f"there is none for {os.uname().machine}",
            weaker="" if filtered else NO_FILTER,
        ),
        Finding(
            "Landlock",
            True,
            f"on, version {landlock}" if landlock else "not in this kernel",
            weaker="" if landlock else NO_LANDLOCK,
        ),
        Finding(
            "/proc",
            facts["proc"]["read_only"],
            "read-only, shows the session's own processes"
            if facts["proc"]["subset"]
            else "read-only",
            weaker="" if facts["proc"]["subset"] else ALL_OF_PROC,
        ),
        Finding("file watches", facts["watchers"] <= 8, f"at most {facts['watchers']}"),
    ]


def user_outside(session: Session) -> int:
    """The user that the session's process is for the machine."""
    process = session._warm._process
    assert process is not None
    last = str(process.pid)
    while children := Path(f"/proc/{last}/task/{last}/children").read_text().split():
        last = children[0]
    user = Path(f"/proc/{last}").stat().st_uid
    outside = outer_user(user, Path("/proc/self/uid_map").read_text())
    return user if outside is None else outside


def names_shown_in(folder: Path) -> set[str]:
    """What of a folder the sandbox must show, as the virtual environment may lie in it."""
    shown = [path for path in visible_folders() if path.is_relative_to(folder)]
    return {path.relative_to(folder).parts[0] for path in shown}


def probe_limits(sandbox: Sandbox) -> list[Finding]:
    with sandbox.session("probe") as session:
        threads = ask(session, f"probe.start_threads({sandbox.limits.processes + 20})")
    # Small, so that reaching them costs the machine little.
    sandbox.limits = limits = SessionLimits(
        data_bytes=200 * MEGABYTE,
        resident_bytes=700 * MEGABYTE,
        temporary_bytes=8 * MEGABYTE,
    )
    with sandbox.session("probe") as session:
        error = ask(session, f"len(bytearray({limits.data_bytes + 100 * MEGABYTE}))")
        written = ask(session, f"probe.fill_a_file('/tmp', {2 * limits.temporary_bytes})")
    with sandbox.session("probe") as session:
        began = time.monotonic()
        with suppress(errors.WireError):
            ask(session, f"probe.hold_memory_in_processes(8, {limits.data_bytes // 2})")
        session.kill()
        seconds = time.monotonic() - began
    return [
        Finding("memory of a process", str(error).startswith("MemoryError"), str(error)),
        Finding("number of processes", threads < limits.processes, f"at most {threads} threads"),
        Finding(
            "temporary files",
            written <= limits.temporary_bytes,
            f"at most {written / MEGABYTE:.0f} MB in a folder",
        ),
        Finding(
            "memory of a session",
            session.memory_exceeded,
            f"ended after {seconds:.1f} s: {session.end_reason}",
        ),
    ]
