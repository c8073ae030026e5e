"""What this machine, or the container, gives to grading: processors and memory.

Importing this imports nothing that takes time.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from proctor.wire.linux import read_numbers

GROUPS = Path("/sys/fs/cgroup")
MEGABYTE = 1 << 20
# Measured at their peak: the command, the warm process and the process that starts workers take
# the first together, each submission that is marked at a time the second.
BYTES_FOR_ALL = 700 * MEGABYTE
BYTES_FOR_EACH = 200 * MEGABYTE


def cores() -> int:
    """How many submissions can be marked at a time without waiting for a processor: those this
    process may use, and no more than the container's share of them."""
    shares = [share for group in control_groups("cpu") if (share := share_of(group)) is not None]
    return max(1, min(len(os.sched_getaffinity(0)), *(math.ceil(share) for share in shares), 4096))


def free_memory() -> int:
    """Bytes that can still be used: of the machine, and of each container around this process."""
    machine = read_numbers(Path("/proc/meminfo")).get("MemAvailable", 0) * 1024
    left = [room for group in control_groups("memory") if (room := room_of(group)) is not None]
    return max(0, min([machine, *left]))


def jobs_that_fit(memory: int) -> int:
    """How many submissions at a time that much memory is enough for; 0 if for none."""
    return max(0, (memory - BYTES_FOR_ALL) // BYTES_FOR_EACH)


def default_jobs() -> int:
    """As many as there are cores, and memory for."""
    return max(1, min(cores(), jobs_that_fit(free_memory())))


def too_little_memory(jobs: int) -> str | None:
    """What to say before so many submissions are marked at a time; None if the memory is enough."""
    memory = free_memory()
    fitting = jobs_that_fit(memory)
    if jobs <= fitting:
        return None
    needed = (BYTES_FOR_ALL + jobs * BYTES_FOR_EACH) // MEGABYTE
    advice = f"-j {fitting} fits" if fitting else "close other programs, or raise the limit"
    return (
        f"{jobs} at a time need about {needed} MB of memory, and {memory // MEGABYTE} MB are "
        f"free: {advice}"
    )


def control_groups(controller: str) -> Iterator[Path]:
    """The folders of this process's control group and of those around it, of both versions."""
    for line in text_of(Path("/proc/self/cgroup")).splitlines():
        _, names, place = line.split(":", 2)
        if names and controller not in names.split(","):
            continue
        top = GROUPS / controller if names else GROUPS
        folder = top / place.lstrip("/")
        yield from (each for each in (folder, *folder.parents) if each.is_relative_to(top))


def share_of(group: Path) -> float | None:
    """The processors that a control group may use, as a number that need not be whole."""
    quota, _, period = text_of(group / "cpu.max").strip().partition(" ")
    if not quota:
        quota, period = (
            text_of(group / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period")
        )
    with suppress(ValueError, ZeroDivisionError):  # "max" and -1 are no limit
        share = int(quota) / int(period)
        return share if share > 0 else None
    return None


def room_of(group: Path) -> int | None:
    """The bytes that a control group may still use; what it read from files can be given up."""
    for limit, used, cache in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        with suppress(ValueError):
            numbers = dict(
                line.split(" ", 1) for line in text_of(group / "memory.stat").splitlines()
            )
            most, now = int(text_of(group / limit)), int(text_of(group / used))
            return most - now + int(numbers.get(cache, 0))
    return None


def text_of(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def wait_until_quiet(most: float) -> None:
    """Wait, `most` seconds at the longest, until who computes gets half of a processor at least."""
    until = time.monotonic() + most
    while not is_quiet() and time.monotonic() < until:
        time.sleep(1.0)


def is_quiet() -> bool:
    began, used = time.monotonic(), time.thread_time()
    while time.thread_time() < used + 0.03:
        pass
    return time.monotonic() - began < 2 * 0.03
