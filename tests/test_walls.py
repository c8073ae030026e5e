"""The walls of a session one by one: each test fails where its wall is left out."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from ordinary import can_read_this, with_subordinate_ids

from proctor.inside import isolation, landlock, warm
from proctor.inside.meter import Meter
from proctor.sandbox import bubblewrap, control_groups, own_ids
from proctor.sandbox.sessions import Sandbox, Session
from proctor.settings import SessionLimits
from proctor.wire import errors
from proctor.wire.linux import KILLED_FROM_OUTSIDE
from proctor.wire.usage import UsageFile

REPOSITORY = Path(__file__).resolve().parents[1]
START = bubblewrap.how_to_start(bubblewrap.find_bubblewrap())


def ask(session: Session, source: str, seconds: float = 60) -> dict[str, Any]:
    deadline = time.monotonic() + seconds
    session.channel.send({"source": textwrap.dedent(source)}, deadline=deadline)
    return session.channel.receive(deadline)[0]


def answer(session: Session, source: str) -> Any:
    reply = ask(session, source)
    assert "answer" in reply, reply
    return reply["answer"]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    sandbox = Sandbox()
    yield sandbox
    sandbox.close()


@pytest.fixture
def session(sandbox: Sandbox) -> Iterator[Session]:
    with sandbox.session("probe") as session:
        yield session


def test_proc_shows_a_session_its_own_processes_alone(session):
    names = answer(session, "import os; answer = os.listdir('/proc')")
    assert sorted(names) == ["1", "self", "thread-self"]
    facts = answer(session, "from proctor.inside import probe; answer = probe.facts()")
    assert facts["proc"] == {"read_only": True, "subset": True}


def test_a_place_in_the_queue_for_memory_cannot_be_won_back(session):
    for name in ("oom_score_adj", "autogroup", "timerslack_ns", "comm"):
        reply = ask(session, f"open('/proc/self/{name}', 'w').write('0')")
        assert reply["error"] == "OSError", name
        assert f"Errno {errno.EROFS}" in reply["message"]
    assert answer(session, "answer = open('/proc/self/oom_score_adj').read()") == "1000\n"


def test_watches_of_files_are_few(session):
    source = """
        import ctypes
        libc, made = ctypes.CDLL(None, use_errno=True), 0
        while libc.inotify_init1(0) >= 0:
            made += 1
        answer = [made, ctypes.get_errno()]
    """
    assert answer(session, source) == [4, errno.EMFILE]


@pytest.mark.skipif(not landlock.version(), reason="this kernel has no Landlock")
def test_what_no_mount_forbids_landlock_does(session):
    """A device of no number may be made by anybody, where files may be made."""
    source = "import os, stat; os.mkfifo('/tmp/pipe'); os.mknod('/tmp/x', stat.S_IFCHR, 0)"
    reply = ask(session, source)
    assert reply["error"] == "PermissionError"
    assert f"Errno {errno.EACCES}" in reply["message"]
    source = """
        import os, pathlib
        os.makedirs("/tmp/a/b"); pathlib.Path("/tmp/a/file").write_text("x")
        os.rename("/tmp/a/file", "/tmp/a/b/file"); os.link("/tmp/a/b/file", "/tmp/a/again")
        os.symlink("again", "/tmp/a/link"); os.truncate("/tmp/a/again", 0); open("/dev/null", "w")
        answer = sorted(os.listdir("/tmp/a"))
    """
    assert answer(session, source) == ["again", "b", "link"]


MAPS = """
    import ctypes, os, time
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    for _ in range(5):
        if os.fork() == 0:
            break
    made, size, offset = 0, ctypes.c_size_t(4096), ctypes.c_long(0)
    while libc.mmap(None, size, 1 + made % 2, 0x22, -1, offset) not in (None, 2**64 - 1):
        made += 1
    time.sleep(30)
"""
LOCKS = """
    import fcntl
    with open("/tmp/file", "w") as file:
        for place in range(0, 10**9, 2):
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
"""


@pytest.mark.parametrize("source", [MAPS, LOCKS], ids=["maps", "locks"])
def test_what_the_kernel_holds_for_a_session_is_counted(sandbox, source):
    sandbox.limits = replace(SessionLimits(), resident_bytes=1 << 40)
    try:
        with sandbox.session("probe") as session, pytest.raises(errors.Closed):
            ask(session, source)
    finally:
        sandbox.limits = SessionLimits()
    assert session.end_reason == "memory"


APART = """
    import os, subprocess, time
    def group_of(process):
        return open(f"/proc/{process}/autogroup").read().split(" ", 1)[1].strip()
    began = [
        subprocess.Popen(["sleep", "600"], start_new_session=True).pid for _ in range(COUNT)
    ]
    until = time.monotonic() + 45
    while time.monotonic() < until and group_of(began[-1]) != "nice 19":
        time.sleep(0.05)
    answer = [group_of(process) for process in (os.getpid(), began[0], began[-1])]
"""


@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="there are no autogroups")
def test_who_begins_sessions_of_setsid_has_no_more_of_the_processors(session):
    """Each would have as much as a neighbour's whole session. A few compete, as few threads do."""
    assert answer(session, APART.replace("COUNT", "8")) == ["nice 0", "nice 0", "nice 19"]


def test_sessions_of_setsid_are_few(sandbox):
    """The kernel lets few step back each second."""
    with sandbox.session("probe") as session, pytest.raises(errors.Closed):
        ask(session, APART.replace("COUNT", "20"))
    assert session.end_reason == "processes"


@pytest.mark.skipif(START.ids is None, reason="sessions here have no users of their own")
def test_each_session_is_a_user_of_its_own(sandbox):
    with sandbox.session("probe"), sandbox.session("probe"):
        found = psutil.Process(sandbox._warm._process.pid).children(recursive=True)
        users = [process.uids().real for process in found]
    own = [user for user in users if user != bubblewrap.NOBODY]
    assert len(set(own)) == len(own) == 2
    assert not set(own) & {0, os.getuid()}


# More than one user may have in flight, for all its processes together.
IN_FLIGHT = """
    import array, socket
    pairs = [socket.socketpair() for _ in range(100)]
    sent = 0
    try:
        for end, _ in pairs:
            end.setblocking(False)
            for _ in range(20):
                end.sendmsg([b"x"], [(1, socket.SCM_RIGHTS, array.array("i", [1] * 100))])
                sent += 100
    except OSError:
        pass
    answer = sent
"""


@pytest.mark.skipif(START.ids is None, reason="sessions here have no users of their own")
def test_a_session_cannot_use_up_what_the_kernel_counts_by_user(sandbox):
    with sandbox.session("probe") as greedy, sandbox.session("probe") as honest:
        assert answer(greedy, IN_FLIGHT) > 100
        assert answer(honest, IN_FLIGHT) > 100


def test_ids_are_given_where_there_are_enough(tmp_path):
    table = tmp_path / "subuid"
    table.write_text(f"other:1:65536\n{os.getuid()}:200000:1000\n{os.getuid()}:300000:65536\n")
    assert own_ids.subordinate(table) == 300_000
    table.write_text(f"{os.getuid()}:200000:1000\nbroken\n")
    assert own_ids.subordinate(table) is None
    assert own_ids.subordinate(tmp_path / "nothing") is None
    mapping = tmp_path / "uid_map"
    mapping.write_text("0 0 4294967295\n")
    assert own_ids.covers(mapping, own_ids.FAR)
    mapping.write_text("0 100000 65536\n")
    assert not own_ids.covers(mapping, own_ids.FAR)
    assert own_ids.covers(mapping, own_ids.NEAR)


@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("newuidmap"), reason="needs root, and newuidmap"
)
def test_an_ordinary_user_with_subordinate_ids_gives_sessions_their_own(tmp_path):
    if not can_read_this():
        pytest.skip("the virtual environment cannot be read by an ordinary user")
    tmp_path.chmod(0o755)
    source = "from proctor.sandbox.probes import probe; print(found := probe(), found.protection)"
    command = with_subordinate_ids([sys.executable, "-B", "-c", source], tmp_path)
    ran = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert "with subordinate ids" in ran.stdout, ran.stdout + ran.stderr
    assert "1000 inside, 3" in ran.stdout
    assert "a user for each" in ran.stdout
    assert "BAD" not in ran.stdout


# Control groups


def test_a_group_is_made_where_limits_are_handed_on(tmp_path, monkeypatch):
    monkeypatch.setattr(control_groups, "mounts", lambda: [tmp_path])
    monkeypatch.setattr(control_groups, "own_groups", lambda: ["user/mine"])
    (tmp_path / "user/mine").mkdir(parents=True)
    for folder, enabled in (("user/mine", ""), ("user", "cpu pids memory"), ("", "memory pids")):
        (tmp_path / folder / "cgroup.subtree_control").write_text(enabled)
        (tmp_path / folder / "cgroup.procs").touch()
    for left in (f"proctor-{2**30}-1", f"proctor-{os.getpid()}-1"):
        (tmp_path / "user" / left).mkdir()
    find = control_groups.place.__wrapped__
    assert find() == tmp_path / "user"
    assert [left.name for left in (tmp_path / "user").glob("proctor-*")] == [
        f"proctor-{os.getpid()}-1"  # the other's grader is gone
    ]
    (tmp_path / "user/cgroup.subtree_control").write_text("pids")
    assert find() == tmp_path
    (tmp_path / "cgroup.subtree_control").write_text("cpu")
    assert find() is None


def test_a_group_that_cannot_be_made_is_done_without(tmp_path, monkeypatch):
    monkeypatch.setattr(control_groups, "place", lambda: tmp_path / "gone")
    assert control_groups.group_for(1, SessionLimits()) is None


def test_who_the_kernel_ended_for_memory_is_told_so(tmp_path):
    group = control_groups.ControlGroup.__new__(control_groups.ControlGroup)
    group.folder = tmp_path
    assert not group.ran_out_of_memory()
    (tmp_path / "memory.events").write_text("low 0\noom 1\noom_kill 0\n")
    assert not group.ran_out_of_memory()
    (tmp_path / "memory.events").write_text("low 0\noom 1\noom_kill 3\n")
    assert group.ran_out_of_memory()


@pytest.mark.skipif(control_groups.place() is None, reason="no control group can be made here")
def test_memory_of_the_kernel_ends_a_session_that_has_a_group(sandbox):
    sandbox.limits = replace(SessionLimits(), resident_bytes=300 << 20, temporary_bytes=1 << 20)
    source = """
        import os, socket, time
        for _ in range(40):
            if os.fork() == 0:
                break
        kept = []
        while True:
            try:
                pair = socket.socketpair()
            except OSError:
                time.sleep(60)
            pair[0].setblocking(False)
            kept.append(pair)
            try:
                while True:
                    pair[0].send(bytes(4096))
            except BlockingIOError:
                pass
    """
    try:
        with sandbox.session("probe") as session:
            assert session.control_group is not None
            with pytest.raises(errors.Closed):
                ask(session, source)
    finally:
        sandbox.limits = SessionLimits()
    assert session.end_reason == "memory"
    assert session.control_group is None


@pytest.mark.parametrize("lowered", [True, False])
def test_who_lowered_its_own_limit_has_ended_itself(lowered):
    """The filter forbids it; where there is none, the warm process sees it of the dead."""
    limits = {"cpu_seconds": 60}
    process = os.fork()
    if process == 0:
        resource.setrlimit(resource.RLIMIT_CPU, (59 if lowered else 60,) * 2)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitid(os.P_PID, process, os.WEXITED | os.WNOWAIT)
    at_limit = isolation.lowered_processor_limit(process, limits)
    _, status = os.waitpid(process, 0)
    child = warm.Child(1, process, limits, UsageFile.create(), Meter())
    reason = warm.reason_of_end(child, status, at_limit)
    assert reason == ("cpu" if lowered else KILLED_FROM_OUTSIDE)
