"""A third wall, where the kernel has it: what a process may do with files, whatever is mounted.

Landlock restricts the process that asks for it and all it starts, for good. Without it the mounts
stand alone: they show the same files read-only.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Sequence

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # on every machine
VERSION = 1  # a flag of the first: only tell the version
PATH_BENEATH = 1
UNLOGGED = 1  # a flag of the third: what is refused would fill the machine's log

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
MAKE_CHARACTER_DEVICE, MAKE_BLOCK_DEVICE = 1 << 6, 1 << 11
REFER, TRUNCATE, CONTROL_DEVICE = 1 << 13, 1 << 14, 1 << 15
# How many rights over files each version knows; signals and abstract sockets since the sixth.
RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
WITHIN_OWN_PROCESSES = 0b11  # signals, and sockets that have no file

READ = EXECUTE | READ_FILE | READ_DIR
DEVICES = WRITE_FILE | TRUNCATE | CONTROL_DEVICE

libc = ctypes.CDLL(None, use_errno=True)
held_version = 0  # of what holds for this process


def version() -> int:
    """What the kernel offers; 0 where it offers nothing."""
    return max(0, libc.syscall(CREATE_RULESET, None, 0, VERSION))


def restrict(writable: Sequence[str]) -> None:
    """Files can be read and run, and changed in these folders alone. Needs no_new_privs."""
    global held_version
    known = version()
    if not known:
        return
    every_right = (1 << RIGHTS.get(known, 16)) - 1
    within = WITHIN_OWN_PROCESSES if known >= 6 else 0
    attributes = struct.pack("<QQQ", every_right, 0, within)[: 24 if within else 8]
    ruleset = call(CREATE_RULESET, attributes, len(attributes), 0)
    try:
        allow(ruleset, "/", READ & every_right)
        allow(ruleset, "/dev", DEVICES & every_right)
        all_but_devices = every_right & ~(MAKE_CHARACTER_DEVICE | MAKE_BLOCK_DEVICE)
        for folder in writable:
            allow(ruleset, folder, all_but_devices)
        call(RESTRICT_SELF, ruleset, UNLOGGED if known >= 7 else 0)
        held_version = known
    finally:
        os.close(ruleset)


def allow(ruleset: int, folder: str, rights: int) -> None:
    opened = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        rule = struct.pack("<Qi", rights, opened)
        call(ADD_RULE, ruleset, PATH_BENEATH, rule, 0)
    finally:
        os.close(opened)


def call(number: int, *arguments: int | bytes) -> int:
    result = libc.syscall(number, *arguments)
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"Landlock, call {number}: {errno.errorcode.get(error, error)}")
    return result
