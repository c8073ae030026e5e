"""A second wall behind the namespaces: system calls that no notebook needs are refused.

A seccomp filter, written as the classic BPF instructions the kernel takes. It is a list of what is
refused, not of what is allowed: torch, threads, subprocesses and asyncio go on working. What it
closes is memory that no limit counts (memfd, System V shared memory), objects that no namespace
separates (keyrings), ways to new namespaces, and parts of the kernel with a bad record.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Sequence

from proctor.inside.isolation import control_process
from proctor.wire.linux import FILTERED_MACHINES

# name: (number on x86_64, number on aarch64); None where that machine has no such call.
FORBIDDEN = {
    "acct": (163, 89),
    "bpf": (321, 280),
    "chroot": (161, 51),
    "clock_adjtime": (305, 266),
    "clock_settime": (227, 112),
    "delete_module": (176, 106),
    "fanotify_init": (300, 262),
    "finit_module": (313, 273),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fsopen": (430, 430),
    "fspick": (433, 433),
    "init_module": (175, 105),
    "ioperm": (173, None),
    "iopl": (172, None),
    "kcmp": (312, 272),
    "kexec_file_load": (320, 294),
    "kexec_load": (246, 104),
    "lookup_dcookie": (212, 18),
    "modify_ldt": (154, None),
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "msgget": (68, 186),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "perf_event_open": (298, 241),
    "pidfd_getfd": (438, 438),
    "pivot_root": (155, 41),
    "process_madvise": (440, 440),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "reboot": (169, 142),
    "semget": (64, 190),
    "setdomainname": (171, 162),
    "sethostname": (170, 161),
    "setns": (308, 268),
    "shmget": (29, 194),
    "swapoff": (168, 225),
    "swapon": (167, 224),
    "syslog": (103, 116),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
    "vhangup": (153, 58),
}
# Refused as if the kernel did not know them: programs then do without.
UNKNOWN = {
    "add_key": (248, 217),
    # Its flags lie in memory, where a filter cannot look; the C library falls back on clone.
    "clone3": (435, 435),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425),
    "keyctl": (250, 219),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "request_key": (249, 218),
}
CLONE = (56, 220)
IOCTL = (16, 29)
SOCKET = (41, 198)

# CLONE_NEWTIME, NS, CGROUP, UTS, IPC, USER, PID and NET.
NEW_NAMESPACES = 0x7E020080
# Puts characters into a terminal's input; the other does so through the console.
TERMINAL_INPUT = (0x5412, 0x541C)
SOCKET_FAMILIES = (1, 2, 10)  # Unix, IPv4, IPv6

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
        instruction(RETURN, KILL_PROCESS),
        instruction(LOAD, NUMBER),
    ]
    if machine == "x86_64":
        program += when(JUMP_AT_LEAST, [X32_BIT], refuse(errno.ENOSYS))
    program += when(JUMP_EQUAL, numbers_of(FORBIDDEN, column), refuse(errno.EPERM))
    program += when(JUMP_EQUAL, numbers_of(UNKNOWN, column), refuse(errno.ENOSYS))
    no_namespaces = when(JUMP_ANY_BIT, [NEW_NAMESPACES], refuse(errno.EPERM))
    program += check_argument(CLONE[column], 0, no_namespaces)
    no_input = when(JUMP_EQUAL, TERMINAL_INPUT, refuse(errno.EPERM))
    program += check_argument(IOCTL[column], 1, no_input)
    families = when(JUMP_EQUAL, SOCKET_FAMILIES, ALLOW)
    families.append(instruction(RETURN, refuse(errno.EAFNOSUPPORT)))
    program += check_argument(SOCKET[column], 0, families)
    program.append(instruction(RETURN, ALLOW))
    return b"".join(program)


def numbers_of(calls: dict[str, tuple[int | None, ...]], column: int) -> list[int]:
    return [numbers[column] for numbers in calls.values() if numbers[column] is not None]


def when(jump: int, values: Sequence[int], verdict: int) -> list[bytes]:
    """The verdict, where what is loaded is (or holds) one of the values."""
    steps = []
    for value in values:
        steps += [instruction(jump, value, if_false=1), instruction(RETURN, verdict)]
    return steps


def check_argument(call: int, index: int, steps: list[bytes]) -> list[bytes]:
    """`steps`, with the argument loaded, for that call alone; the call's number is loaded again."""
    return [
        instruction(JUMP_EQUAL, call, if_false=len(steps) + 2),
        instruction(LOAD, argument(index)),
        *steps,
        instruction(LOAD, NUMBER),
    ]


class Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def install_filter() -> None:
    """For this process and all it starts, for good. Needs no_new_privs."""
    instructions = build_filter(os.uname().machine)
    program = Program(len(instructions) // 8, instructions)
    control_process(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.addressof(program))
