"""What both sides know of the system that sessions run on."""

from __future__ import annotations

import os
from pathlib import Path

# What a session may write in, fresh for each.
PRIVATE_FOLDERS = ("/tmp", "/home", "/dev/shm")
# The machines that there is a system call filter for, in the order of its table's columns.
FILTERED_MACHINES = ("x86_64", "aarch64")


def calls_are_filtered() -> bool:
    """Whether sessions on this machine have a system call filter."""
    return os.uname().machine in FILTERED_MACHINES


def memory_in_use() -> tuple[int, int]:
    """Bytes mapped and bytes of data, as RLIMIT_AS and RLIMIT_DATA count them."""
    status = read_numbers(Path("/proc/self/status"))
    return status["VmSize"] * 1024, status["VmData"] * 1024


def read_numbers(path: Path) -> dict[str, int]:
    """The lines `name: number` of a file in /proc (sizes are in kB)."""
    numbers = {}
    for line in path.read_text(errors="replace").splitlines():
        name, _, rest = line.partition(":")
        words = rest.split()
        if words and words[0].isdigit():
            numbers[name] = int(words[0])
    return numbers
