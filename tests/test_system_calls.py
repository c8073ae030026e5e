"""The system call filter: read as the kernel reads it, and tried in a real session."""

from __future__ import annotations

import errno
import os
import struct
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from proctor.inside import call_numbers, system_calls
from proctor.sandbox.sessions import Sandbox, Session
from proctor.wire.linux import FILTERED_MACHINES, calls_are_filtered

TABLES = {
    **call_numbers.ALLOWED,
    **call_numbers.CHECKED,
    **call_numbers.FORBIDDEN,
    **call_numbers.UNSUPPORTED,
}
# Not in our tables, as nobody is to use them; here to be tried.
OUT = {
    "clone3": (435, 435),
    "fadvise64": (221, 223),
    "io_setup": (206, 0),
    "io_uring_setup": (425, 425),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "mincore": (27, 232),
    "cachestat": (451, 451),
    "readahead": (187, 213),
    "openat2": (437, 437),
    "open_tree_attr": (467, 467),
    "statmount": (457, 457),
    "mbind": (237, 235),
    "set_mempolicy": (238, 237),
    "get_mempolicy": (239, 236),
    "move_pages": (279, 239),
    "migrate_pages": (256, 238),
    "seccomp": (317, 277),
    "sync": (162, 81),
    "syncfs": (306, 267),
    "splice": (275, 76),
    "vmsplice": (278, 75),
    "mq_open": (240, 180),
    "lookup_dcookie": (212, 18),
    "landlock_create_ruleset": (444, 444),
    "execveat": (322, 281),
}
MACHINES = pytest.mark.parametrize("machine", FILTERED_MACHINES)


def verdict(program: bytes, architecture: int, number: int, *arguments: int) -> int:
    """What the kernel would do with a system call, by reading the filter as it does."""
    padded = (*arguments, 0, 0, 0, 0, 0, 0)[:6]
    data = struct.pack("<IIQ6Q", number, architecture, 0, *padded)
    steps = list(struct.iter_unpack("<HBBI", program))
    position, loaded = 0, 0
    while True:
        code, if_true, if_false, value = steps[position]
        position += 1
        if code == system_calls.RETURN:
            return value
        if code == system_calls.LOAD:
            (loaded,) = struct.unpack_from("<I", data, value)
            continue
        if code == system_calls.AND:
            loaded &= value
            continue
        holds = {
            system_calls.JUMP_EQUAL: loaded == value,
            system_calls.JUMP_AT_LEAST: loaded >= value,
            system_calls.JUMP_ANY_BIT: bool(loaded & value),
        }[code]
        position += if_true if holds else if_false


def outcome(machine: str, call: str | int, *arguments: int) -> int:
    column = FILTERED_MACHINES.index(machine)
    number = call if isinstance(call, int) else {**TABLES, **OUT}[call][column]
    program = system_calls.build_filter(machine)
    return verdict(program, system_calls.AUDIT_ARCHITECTURES[machine], number, *arguments)


@MACHINES
def test_only_what_is_named_is_let_through(machine):
    column = FILTERED_MACHINES.index(machine)
    expected = {}
    for calls, then in (
        (call_numbers.ALLOWED, system_calls.ALLOW),
        (call_numbers.FORBIDDEN, system_calls.refuse(errno.EPERM)),
        (call_numbers.UNSUPPORTED, system_calls.refuse(errno.ENOTSUP)),
    ):
        expected |= {numbers[column]: then for numbers in calls.values()}
    checked = {numbers[column] for numbers in call_numbers.CHECKED.values()}
    unknown = system_calls.refuse(errno.ENOSYS)
    for number in {*range(600), 1000, 0x3FFFFFFF} - checked:
        assert outcome(machine, number) == expected.get(number, unknown), number


@MACHINES
@pytest.mark.parametrize("call", OUT)
def test_what_is_not_named_is_as_if_the_kernel_did_not_know_it(machine, call):
    assert outcome(machine, call) == system_calls.refuse(errno.ENOSYS)


@MACHINES
def test_another_architecture_is_the_end_and_the_x32_calls_are_unknown(machine):
    program = system_calls.build_filter(machine)
    assert verdict(program, 0x40000003, 1) == system_calls.KILL_PROCESS
    if machine == "x86_64":
        assert outcome(machine, 0x40000000 + 59) == system_calls.refuse(errno.ENOSYS)


BIG = 1 << 33
ARGUMENTS = [
    ("clone", (0x11,), 0),
    ("clone", (0x3D0F00,), 0),  # a thread
    ("clone", (0x10000011,), errno.EPERM),
    ("clone", (0x00020000,), errno.EPERM),
    ("fcntl", (3, 6), 0),  # a lock of this process
    ("fcntl", (3, 37), errno.EPERM),  # a lock of nobody
    ("fcntl", (3, 1024, 1), errno.EPERM),  # a lease
    ("fcntl", (3, 1026), errno.EPERM),  # news of a folder
    ("fcntl", (3, 1030), 0),
    ("ioctl", (0, 0x5401), 0),
    ("ioctl", (0, 0x5412), errno.ENOTTY),  # input for a terminal
    ("ioctl", (0, 0x541C), errno.ENOTTY),
    ("ioctl", (0, 0xC020660B), errno.ENOTTY),  # where a file lies on the disk
    ("madvise", (0, 1, 4), 0),
    ("madvise", (0, 1, 12), errno.EINVAL),  # merging
    ("madvise", (0, 1, 21), errno.EINVAL),  # pushing out
    ("mmap", (0, 1, 3, 0x22), 0),
    ("mmap", (0, 1, 3, 0x40022), errno.ENOMEM),  # huge pages of the machine
    ("prctl", (15,), 0),
    ("prctl", (4, 1), 0),
    ("prctl", (4, 0), errno.EPERM),  # hides its memory
    ("prctl", (22, 1), errno.EINVAL),  # a filter of its own
    ("prctl", (67, 1), errno.EINVAL),  # merging
    ("preadv2", (3, 0, 1, 0, 0, 0), 0),
    ("preadv2", (3, 0, 1, 0, 0, 8), errno.EOPNOTSUPP),  # RWF_NOWAIT
    ("pwritev2", (3, 0, 1, 0, 0, 0x80), errno.EOPNOTSUPP),  # RWF_DONTCACHE
    ("prlimit64", (0, 0, 0, 5), 0),  # reading a limit
    ("prlimit64", (0, 0, 5, 0), errno.EPERM),
    ("prlimit64", (0, 0, BIG, 0), errno.EPERM),
    ("prlimit64", (0, 7, 5, 0), 0),
    ("setrlimit", (0, 5), errno.EPERM),
    ("setrlimit", (7, 5), 0),
    ("setsockopt", (3, 1, 2), 0),
    ("setsockopt", (3, 1, 26), errno.ENOPROTOOPT),  # a program for the kernel
    ("setsockopt", (3, 6, 1), 0),
    ("setsockopt", (3, 6, 31), errno.ENOPROTOOPT),  # a module for the kernel
    ("setsockopt", (3, 0, 64), errno.ENOPROTOOPT),
    ("socket", (1, 1, 0), 0),
    ("socket", (1, 0x80805, 0), 0),
    ("socket", (1, 3, 0), errno.ESOCKTNOSUPPORT),
    ("socket", (2, 0x80801, 6), 0),
    ("socket", (10, 2, 0), 0),
    ("socket", (2, 5, 0), errno.ESOCKTNOSUPPORT),  # SCTP
    ("socket", (2, 1, 132), errno.EPROTONOSUPPORT),
    *(
        ("socket", (family, 2, 0), errno.EAFNOSUPPORT)
        for family in (0, *range(3, 10), *range(11, 50))
    ),
    ("socketpair", (1, 1, 0), 0),
    *(("socketpair", (family, 1, 0), errno.EAFNOSUPPORT) for family in (2, 16, 30, 40)),
]


@MACHINES
@pytest.mark.parametrize(("call", "arguments", "error"), ARGUMENTS)
def test_arguments_decide(machine, call, arguments, error):
    then = system_calls.refuse(error) if error else system_calls.ALLOW
    assert outcome(machine, call, *arguments) == then


HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}
# What the general table calls otherwise.
GENERAL_NAMES = {"newfstatat": "fstatat"}


@MACHINES
def test_the_numbers_are_those_of_the_kernel(machine):
    header = HEADERS[machine]
    if not header.exists():
        pytest.skip(f"{header} is not installed")
    lines = [line.split() for line in header.read_text().splitlines()]
    known = {
        words[1].removeprefix("__NR_").removeprefix("__NR3264_"): int(words[2])
        for words in lines
        if len(words) > 2 and words[1].startswith("__NR") and words[2].isdigit()
    }
    column = FILTERED_MACHINES.index(machine)
    for name, numbers in {**TABLES, **OUT}.items():
        other = GENERAL_NAMES.get(name, name)
        if numbers[column] is None or numbers[column] < 450:  # later than some headers
            assert known.get(name, known.get(other)) == numbers[column], name


# In a session


@pytest.fixture(scope="module")
def session(sandbox: Sandbox) -> Iterator[Session]:
    with sandbox.session("probe") as session:
        yield session


def ask(session: Session, source: str) -> dict[str, Any]:
    deadline = time.monotonic() + 20
    session.channel.send({"source": textwrap.dedent(source)}, deadline=deadline)
    return session.channel.receive(deadline)[0]


def answer(session: Session, source: str) -> Any:
    reply = ask(session, source)
    assert "answer" in reply, reply
    return reply["answer"]


filtered = pytest.mark.skipif(not calls_are_filtered(), reason="no system call filter here")


@filtered
@pytest.mark.parametrize(
    ("source", "number"),
    [
        ("libc.unshare(0x10000000)", errno.EPERM),
        ("libc.unshare(0x00020000)", errno.EPERM),
        ("libc.mount(b'none', b'/tmp', b'tmpfs', 0, None)", errno.EPERM),
        ("libc.umount2(b'/tmp', 2)", errno.EPERM),
        ("libc.ptrace(0, 0, 0, 0)", errno.EPERM),
        ("libc.shmget(0, 4096, 0o1600)", errno.EPERM),
        ("libc.personality(0xffffffff)", errno.EPERM),
        ("libc.syscall({clone}, 0x10000011, 0, 0, 0, 0)", errno.EPERM),
        ("libc.socket(16, 3, 0)", errno.EAFNOSUPPORT),
        ("libc.socket(40, 1, 0)", errno.EAFNOSUPPORT),
        ("libc.socketpair(40, 1, 0, room)", errno.EAFNOSUPPORT),
        ("libc.socketpair(16, 3, 0, room)", errno.EAFNOSUPPORT),
        ("libc.fcntl(devnull, 1024, 1)", errno.EPERM),
        ("libc.fcntl(devnull, 1026, 1)", errno.EPERM),
        ("libc.setrlimit(0, room)", errno.EPERM),
        ("libc.prlimit(0, 0, room, None)", errno.EPERM),
        ("libc.preadv2(devnull, room, 0, 0, 8)", errno.EOPNOTSUPP),
        ("libc.ioctl(0, 0x5412, b'x')", errno.ENOTTY),
        *((f"libc.syscall({{{call}}}, 1, 0, 0, 0, 0)", errno.ENOSYS) for call in OUT),
        ("libc.syscall(999, 0)", errno.ENOSYS),
    ],
)
def test_a_dangerous_system_call_is_refused(session, source, number):
    column = FILTERED_MACHINES.index(os.uname().machine)
    numbers = {name: found[column] for name, found in {**TABLES, **OUT}.items()}
    setup = (
        "import ctypes, os; libc = ctypes.CDLL(None, use_errno=True)\n"
        "room = ctypes.create_string_buffer(64); devnull = os.open('/dev/null', os.O_RDWR)\n"
    )
    source = f"{setup}answer = [{source.format(**numbers)}, ctypes.get_errno()]; os.close(devnull)"
    assert answer(session, source) == [-1, number]


@filtered
def test_what_libraries_ask_at_their_start_is_answered(session):
    """By glibc, Python and torch: who asks once and goes without must not be told "forbidden"."""
    source = """
        import ctypes, os
        libc = ctypes.CDLL(None, use_errno=True)
        answer = [
            libc.sched_getcpu() >= 0,
            len(os.sched_getaffinity(0)) > 0,
            os.getpriority(os.PRIO_PROCESS, 0) >= 0,
            os.pidfd_open(os.getpid()) > 2,
            os.preadv(os.open("/proc/self/status", os.O_RDONLY), [bytearray(9)], 0) > 0,
            __import__("resource").getrlimit(0)[0] > 0,
        ]
    """
    assert answer(session, source) == [True] * 6
