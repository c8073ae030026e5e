"""A control group (cgroup v2) for each session, where this process may make one.

It counts what limits of a process cannot: the memory of all processes together, with that of the
kernel and of files, and it shares out the processors by session, however many processes one has.
Where none may be made, limits and the watchdog hold alone.
"""

from __future__ import annotations

import functools
import os
from contextlib import suppress
from pathlib import Path

from proctor.settings import MEGABYTE, SessionLimits

NEEDED = {"memory", "pids"}
# On top of what the processes may hold: pages of files, and what the kernel holds for them.
KERNEL_BYTES = 256 * MEGABYTE
PRIVATE_FOLDERS = 3
MOST_PROCESSORS = 4
PERIOD = 100_000  # microseconds


@functools.cache
def place() -> Path | None:
    """The nearest group, from this process's own upwards, in which groups with limits can be made:
    one that hands on what it has, and so, but for the topmost, holds no processes itself."""
    for top, path in ((top, path) for top in mounts() for path in own_groups()):
        own = top / path
        for folder in (one for one in (own, *own.parents) if one.is_relative_to(top)):
            with suppress(OSError):
                enabled = set((folder / "cgroup.subtree_control").read_text().split())
                if enabled >= NEEDED and os.access(folder / "cgroup.procs", os.W_OK):
                    attempt = folder / f"proctor-{os.getpid()}-attempt"
                    attempt.mkdir()
                    attempt.rmdir()
                    clear(folder)
                    return folder
    return None


def clear(folder: Path) -> None:
    """Remove the groups of graders that were killed."""
    for left in folder.glob("proctor-*-*"):
        grader = left.name.split("-")[1]
        if grader.isdigit() and not Path("/proc", grader).exists():
            with suppress(OSError):  # processes are in it still
                left.rmdir()


def mounts() -> list[Path]:
    lines = [line.split() for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return [Path(words[4]) for words in lines if words[words.index("-") + 1] == "cgroup2"]


def own_groups() -> list[str]:
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    return [line.removeprefix("0::/") for line in lines if line.startswith("0::/")]


class ControlGroup:
    """The group of one session; `entrance` is what its first process writes itself into."""

    def __init__(self, parent: Path, number: int, limits: SessionLimits):
        """Raises OSError where it cannot be made after all."""
        self.folder = parent / f"proctor-{os.getpid()}-{number}"
        self.folder.mkdir()
        try:
            self._limit(limits)
            self.entrance = os.open(self.folder / "cgroup.procs", os.O_WRONLY | os.O_CLOEXEC)
        except OSError:
            self.folder.rmdir()
            raise

    def _limit(self, limits: SessionLimits) -> None:
        folders = PRIVATE_FOLDERS * limits.temporary_bytes
        self._set("memory.max", limits.resident_bytes + folders + KERNEL_BYTES)
        self._set("memory.oom.group", 1)
        self._set("pids.max", limits.processes + 1)
        for name, value in (
            ("memory.swap.max", "0"),  # not there where nothing is swapped
            ("cpu.max", f"{MOST_PROCESSORS * PERIOD} {PERIOD}"),
        ):
            with suppress(OSError):
                self._set(name, value)

    def _set(self, name: str, value: int | str) -> None:
        (self.folder / name).write_text(str(value))

    def is_used(self) -> bool:
        """Whether a process has entered it."""
        with suppress(OSError):
            return bool((self.folder / "cgroup.procs").read_text())
        return False

    def ran_out_of_memory(self) -> bool:
        """Whether the kernel ended the session for that."""
        with suppress(OSError):
            lines = (self.folder / "memory.events").read_text().splitlines()
            return any(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))
        return False

    def close(self) -> None:
        """Once its processes are gone. A group that is not empty is left to the machine."""
        with suppress(OSError):
            os.close(self.entrance)
        with suppress(OSError):
            self.folder.rmdir()


def group_for(number: int, limits: SessionLimits) -> ControlGroup | None:
    """A new group, or None where none can be made."""
    parent = place()
    if parent is None:
        return None
    try:
        return ControlGroup(parent, number, limits)
    except OSError:
        return None
