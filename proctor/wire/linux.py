"""What both sides know of the system that sessions run on."""

from __future__ import annotations

import os
import re
from pathlib import Path

# What a session may write in, fresh for each.
PRIVATE_FOLDERS = ("/tmp", "/home", "/dev/shm")
# The machines that there is a system call filter for, in the order of its table's columns.
FILTERED_MACHINES = ("x86_64", "aarch64")
# Why a session ended that nothing in it can have ended.
KILLED_FROM_OUTSIDE = "killed from outside"


def calls_are_filtered() -> bool:
    """Whether sessions on this machine have a system call filter."""
    return os.uname().machine in FILTERED_MACHINES


def memory_in_use() -> tuple[int, int]:
    """Bytes mapped and bytes of data, as RLIMIT_AS and RLIMIT_DATA count them."""
    status = read_numbers(Path("/proc/self/status"))
    return status["VmSize"] * 1024, status["VmData"] * 1024


def read_numbers(path: Path | str) -> dict[str, int]:
    """The lines `name: number` of a file in /proc (sizes in kB); of several the last."""
    return {name.decode(): int(number) for name, number in NUMBERS.findall(read_bytes(path))}


NUMBERS = re.compile(rb"^(\w+):[ \t]+(?:\d+\t)*(\d+)", re.MULTILINE)


def read_bytes(path: Path | str) -> bytes:
    """A short file in /proc, in a third of the time that `Path.read_bytes` takes."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, 1 << 16)
    finally:
        os.close(descriptor)
