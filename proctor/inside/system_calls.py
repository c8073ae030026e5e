"""A second wall behind the namespaces: a filter that lets through the system calls notebooks need.

A seccomp filter, written as the classic BPF instructions the kernel takes. It is a list of what is
allowed: a call that is on no list, and every one that a later kernel brings, is answered as if the
kernel did not know it. So programs do without, as they do on an older kernel. What it keeps out is
memory that no limit counts, objects that no namespace separates, what tells whether others read a
file, what acts on files that are shown read-only (leases), ways to new namespaces, and parts of the
kernel with a bad record.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Sequence

from proctor.inside.call_numbers import ALLOWED, CHECKED, FORBIDDEN, UNSUPPORTED
from proctor.inside.isolation import control_process
from proctor.wire.linux import FILTERED_MACHINES

# CLONE_NEWTIME, NS, CGROUP, UTS, IPC, USER, PID and NET.
NEW_NAMESPACES = 0x7E020080
# Duplicates, flags, locks of files, owners and signals, and the sizes of pipes. Not among them:
# leases, news of folders, and locks that belong to no process, which none could be blamed for.
FILE_COMMANDS = (*range(12), 1030, 1031, 1032)
# Terminals (not: putting characters into their input), flags of descriptors, what can be read at
# once, flags of files, and copies by reference.
DEVICE_COMMANDS = (
    *range(0x5401, 0x5412),
    *(0x5413, 0x5414, 0x541B, 0x5420, 0x5421, 0x5422, 0x5429, 0x5441),
    *(0x5450, 0x5451, 0x5452, 0x5460, 0x80045430, 0x80045432, 0x80045438, 0x80045439),
    *(0x40045431, 0x802C542A, 0x402C542B, 0x402C542C, 0x402C542D),
    *(0x80086601, 0x40049409, 0x4020940D),
)
# Not: merging equal pages (others' pages can be felt by it), and pushing pages of files out.
MEMORY_ADVICE = (0, 1, 2, 3, 4, 8, 10, 11, 14, 15, 16, 17, 18, 19, 22, 23, 102, 103)
# The signal at the parent's end, names, slack of timers, large pages, orphans, no new privileges,
# what can be read, and registers of aarch64.
PROCESS_OPTIONS = (
    *(1, 2, 3, 7, 15, 16, 21, 23, 27, 29, 30, 36, 37, 38, 39, 40, 41, 42, 47, 50, 51),
    *(54, 55, 56, 63, 64),
)
SET_DUMPABLE = 4
HUGE_PAGES = 0x40000  # MAP_HUGETLB: they are the machine's, and few
KNOWN_READ_FLAGS = 0x17  # polled, synchronous, appending; not: only what is in memory already
PROCESSOR_TIME = 0  # RLIMIT_CPU: what ends a session is for this side alone to choose
UNIX, STREAM, DATAGRAM, SEQUENCED = 1, 1, 2, 5
INTERNET_FAMILIES = (2, 10)
SOCKET_KINDS = 0xF  # the rest of a socket's type are flags
# None, TCP and UDP; the kernel would load a module for others.
PROTOCOLS = (0, 6, 17)
# By level, as asyncio and http.server set them. Not: filters, and memory that is pinned.
SOCKET_OPTIONS = {
    1: (2, 5, 6, 7, 8, 9, 10, 13, 15, 16, 18, 19, 20, 21, 29, 66, 67),
    6: (1, 4, 5, 6, 9, 18),
    41: (26, 27),
}

AUDIT_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
X32_BIT = 0x40000000

# struct seccomp_data: int number; u32 architecture; u64 instruction pointer; u64 arguments[6].
NUMBER = 0
ARCHITECTURE = 4


def argument(index: int) -> int:
    """Where the lower half of an argument lies; both machines are little-endian."""
    return 16 + 8 * index


LOAD = 0x20
JUMP_EQUAL = 0x15
JUMP_AT_LEAST = 0x35
JUMP_ANY_BIT = 0x45
AND = 0x54
RETURN = 0x06

ALLOW = 0x7FFF0000
KILL_PROCESS = 0x80000000
PR_SET_SECCOMP = 22
SECCOMP_MODE_FILTER = 2


def refuse(number: int) -> int:
    return 0x00050000 | number


def instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("<HBBI", code, if_true, if_false, value)


def build_filter(machine: str) -> bytes:
    """The filter for a machine: `x86_64` or `aarch64`."""
    column = FILTERED_MACHINES.index(machine)
    program = [
        instruction(LOAD, ARCHITECTURE),
        instruction(JUMP_EQUAL, AUDIT_ARCHITECTURES[machine], if_true=1),
        *end(KILL_PROCESS),
        instruction(LOAD, NUMBER),
    ]
    if machine == "x86_64":
        program += when(JUMP_AT_LEAST, [X32_BIT], end(refuse(errno.ENOSYS)))
    for name, steps in argument_checks().items():
        if (number := CHECKED[name][column]) is not None:
            program += when(JUMP_EQUAL, [number], steps)
    program += by_number(verdicts(column))
    return b"".join(program)


def verdicts(column: int) -> dict[int, int]:
    """The verdict on each call whose arguments are not looked at; on all others it is ENOSYS."""
    found: dict[int, int] = {}
    for calls, verdict in (
        (ALLOWED, ALLOW),
        (FORBIDDEN, refuse(errno.EPERM)),
        (UNSUPPORTED, refuse(errno.ENOTSUP)),
    ):
        numbers = (pair[column] for pair in calls.values())
        found |= {number: verdict for number in numbers if number is not None}
    return found


def by_number(found: dict[int, int]) -> list[bytes]:
    """Steps that return the verdict on the number that is loaded: one pair for each run of them."""
    unknown = refuse(errno.ENOSYS)
    steps = []
    verdict = found.get(0, unknown)
    for number in range(1, max(found) + 2):
        following = found.get(number, unknown)
        if following != verdict:
            steps += [instruction(JUMP_AT_LEAST, number, if_true=1), *end(verdict)]
            verdict = following
    return [*steps, *end(verdict)]


def argument_checks() -> dict[str, list[bytes]]:
    """By call, steps that end in a verdict on its arguments."""
    in_memory = 0xFFFFFFFF ^ KNOWN_READ_FLAGS
    only_known_flags = [*load(5), *refuse_bits(in_memory, errno.EOPNOTSUPP)]
    no_new_limit = [*load(2), *when(JUMP_EQUAL, [0], only(argument(2) + 4, [0], errno.EPERM))]
    return {
        "clone": [*load(0), *refuse_bits(NEW_NAMESPACES, errno.EPERM)],
        "fcntl": only(argument(1), FILE_COMMANDS, errno.EPERM),
        "ioctl": only(argument(1), DEVICE_COMMANDS, errno.ENOTTY),
        "madvise": only(argument(2), MEMORY_ADVICE, errno.EINVAL),
        "mmap": [*load(3), *refuse_bits(HUGE_PAGES, errno.ENOMEM)],
        "prctl": [
            *load(0),
            # Who hides its memory cannot be measured by the watchdog.
            *when(JUMP_EQUAL, [SET_DUMPABLE], only(argument(1), [1], errno.EPERM)),
            *only(argument(0), PROCESS_OPTIONS, errno.EINVAL),
        ],
        "preadv2": only_known_flags,
        "pwritev2": only_known_flags,
        "prlimit64": [
            *load(1),
            *when(JUMP_EQUAL, [PROCESSOR_TIME], [*no_new_limit, *end(refuse(errno.EPERM))]),
            *end(ALLOW),
        ],
        "setrlimit": [
            *load(0),
            *when(JUMP_EQUAL, [PROCESSOR_TIME], end(refuse(errno.EPERM))),
            *end(ALLOW),
        ],
        "setsockopt": check_socket_option(),
        "socket": check_socket(),
        "socketpair": only(argument(0), [UNIX], errno.EAFNOSUPPORT),
    }


def check_socket_option() -> list[bytes]:
    steps = load(1)
    for level, options in SOCKET_OPTIONS.items():
        steps += when(JUMP_EQUAL, [level], only(argument(2), options, errno.ENOPROTOOPT))
    return [*steps, *end(refuse(errno.ENOPROTOOPT))]


def check_socket() -> list[bytes]:
    """Unix sockets; TCP and UDP, which reach nobody but work as on a machine without a network."""
    internet = [
        *load(2),
        *when(JUMP_EQUAL, PROTOCOLS, of_kind(STREAM, DATAGRAM)),
        *end(refuse(errno.EPROTONOSUPPORT)),
    ]
    return [
        *load(0),
        *when(JUMP_EQUAL, [UNIX], of_kind(STREAM, DATAGRAM, SEQUENCED)),
        *when(JUMP_EQUAL, INTERNET_FAMILIES, internet),
        *end(refuse(errno.EAFNOSUPPORT)),
    ]


def of_kind(*kinds: int) -> list[bytes]:
    return [
        *load(1),
        instruction(AND, SOCKET_KINDS),
        *when(JUMP_EQUAL, kinds, end(ALLOW)),
        *end(refuse(errno.ESOCKTNOSUPPORT)),
    ]


def only(place: int, values: Sequence[int], error: int) -> list[bytes]:
    """Allowed with these values at that place, refused with others."""
    return [
        instruction(LOAD, place),
        *when(JUMP_EQUAL, values, end(ALLOW)),
        *end(refuse(error)),
    ]


def refuse_bits(bits: int, error: int) -> list[bytes]:
    """Refused where what is loaded has one of the bits, else allowed."""
    return [*when(JUMP_ANY_BIT, [bits], end(refuse(error))), *end(ALLOW)]


def load(index: int) -> list[bytes]:
    return [instruction(LOAD, argument(index))]


def end(verdict: int) -> list[bytes]:
    return [instruction(RETURN, verdict)]


def when(jump: int, values: Sequence[int], steps: list[bytes]) -> list[bytes]:
    """The steps, which end in a verdict, where what is loaded is (or holds) one of the values."""
    return [
        step for value in values for step in (instruction(jump, value, if_false=len(steps)), *steps)
    ]


class Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def install_filter() -> None:
    """For this process and all it starts, for good. Needs no_new_privs."""
    instructions = build_filter(os.uname().machine)
    program = Program(len(instructions) // 8, instructions)
    control_process(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.addressof(program))
