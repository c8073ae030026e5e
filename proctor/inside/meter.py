"""How much a session has used, as the warm process sees it; the session itself claims nothing.

Two sums grow: the processor time of all its processes, and the time in which it was idle, which
means that it could have run and did not: it slept, or waited for something of its own. Whatever
else passes on the clock is the machine's doing and counts for nothing: that others had the
processor, that a quota or a hypervisor held everybody up, that the disk was slow, that the lid was
closed. That its own processes wait for each other is its own doing, though: else one with many that
are too brief to be seen would take as long as it likes.
"""

from __future__ import annotations

import math
import os
import re
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from proctor.wire.linux import read_bytes
from proctor.wire.usage import Look

# No more of the time between two looks counts as idle: who looks late was held up itself.
MOST_IDLE = 0.2
# The kernel tells the time of processes that were waited for in hundredths of a second.
ROUNDING = 0.05


class Thread(NamedTuple):
    """A thread as /proc tells of it; times in seconds."""

    number: int
    state: str
    ran: float
    waited: float  # for a processor, up to when it last began to run
    turns: int  # how often it began to run


class Process(NamedTuple):
    processor: float  # its own and that of the children it has waited for
    threads: list[Thread]


@dataclass
class Meter:
    """The sums of one session. `add` is told its processes at each look."""

    at: float = field(default_factory=time.monotonic)
    processor: float = 0.0
    idle: float = 0.0
    _total: float = 0.0  # processor time of the processes there were at the last look
    _gone: float = 0.0  # and of those that vanished without being waited for
    _threads: dict[int, Thread] = field(default_factory=dict)
    _presumed: dict[int, float] = field(
        default_factory=dict
    )  # waiting that /proc does not show yet

    def look(self) -> Look:
        return Look(self.at, self.processor, self.idle)

    def add(self, numbers: Iterable[int]) -> Look:
        """Look at the processes with these numbers."""
        now = time.monotonic()
        passed, self.at = now - self.at, now
        processes = [process for number in numbers if (process := read_process(number))]
        before = self.processor
        self._add_processor(sum(process.processor for process in processes))
        threads = [thread for process in processes for thread in process.threads]
        held_up = self._held_up(threads, passed)
        idle = passed - held_up - min(self.processor - before, passed)
        self.idle = max(0.0, self.idle + min(idle, MOST_IDLE))
        return self.look()

    def finish(self, processor: float) -> Look:
        """The session has ended, and the kernel tells the processor time of all of it."""
        self.processor = max(self.processor, processor)
        return self.look()

    def _add_processor(self, total: float) -> None:
        if total < self._total - ROUNDING:
            self._gone += self._total - total
        self._total = total
        self.processor = max(self.processor, total + self._gone)

    def _held_up(self, threads: list[Thread], passed: float) -> float:
        """For how long since the last look a thread wanted to run and was not let."""
        presumed, longest = {}, 0.0
        for thread in threads:
            old = self._threads.get(thread.number)
            known = self._presumed.get(thread.number, 0.0)
            if thread.state == "D" and waiting_for_disks():
                longest = passed
            elif is_waiting(thread, old):
                # Its waiting is told when it is over.
                presumed[thread.number] = known + passed
                longest = max(longest, passed)
            else:
                waited = thread.waited - (old.waited if old else 0.0)
                longest = max(longest, waited - known)
        self._threads = {thread.number: thread for thread in threads}
        self._presumed = presumed
        # More than has passed gives back what the looks before took for idle.
        return min(longest, 2 * passed, passed * share_of_others(threads))


def is_waiting(thread: Thread, old: Thread | None) -> bool:
    """Whether it has waited for a processor ever since the last look."""
    same = old is not None and (old.ran, old.turns) == (thread.ran, thread.turns)
    return thread.state == "R" and same


def share_of_others(threads: list[Thread]) -> float:
    """The largest part of its waiting that can be the machine's doing. That is all of it, unless
    more of the session's threads want to run than may run at once: then it is what others would
    take from a single thread."""
    running = [thread for thread in threads if thread.state == "R"]
    if len(running) <= 1:
        return math.inf
    at_once = min(map(processors_for, running))
    others = running_on_machine() - len(running)
    # Fewer than wanted to are counted where a quota keeps them from it.
    if len(running) <= at_once or others < 0:
        return math.inf
    return max(0.0, 1 - at_once / (1 + others))


def processors_for(thread: Thread) -> int:
    """On how many processors it may run."""
    try:
        return len(os.sched_getaffinity(thread.number))
    except OSError:  # it has ended
        return os.cpu_count() or 1


def running_on_machine() -> int:
    """How many threads of the machine run or want to, without the one that asks."""
    found = re.search(rb"(\d+)/", read_bytes("/proc/loadavg"))
    return int(found[1]) - 1 if found else -1


def waiting_for_disks() -> int:
    """How many threads of the machine wait for a disk now: else state D has another reason."""
    found = re.search(rb"procs_blocked (\d+)", read_bytes("/proc/stat"))
    return int(found[1]) if found else 0


TICK = 1 / os.sysconf("SC_CLK_TCK")


def read_process(number: int) -> Process | None:
    """None when it has ended meanwhile."""
    try:
        fields = stat_fields(f"/proc/{number}/stat")
        # The kernel's name for the processor clock of a process.
        processor = time.clock_gettime(~number << 3 | 2)
        threads = list(read_threads(number, fields))
    except (OSError, IndexError, ValueError):
        return None
    return Process(processor + TICK * (int(fields[13]) + int(fields[14])), threads)


def read_threads(process: int, fields: list[str]) -> Iterator[Thread]:
    if int(fields[17]) <= 1:
        yield read_thread(process, fields[0], f"/proc/{process}/schedstat")
        return
    for name in os.listdir(f"/proc/{process}/task"):
        with suppress(OSError):
            place = f"/proc/{process}/task/{name}"
            yield read_thread(int(name), stat_fields(f"{place}/stat")[0], f"{place}/schedstat")


def read_thread(number: int, state: str, place: str) -> Thread:
    try:
        ran, waited, turns = read_bytes(place).split()
    except FileNotFoundError:  # a kernel without it: then who can run is presumed to wait
        ran, waited, turns = b"0", b"0", b"0"
    return Thread(number, state, int(ran) / 1e9, int(waited) / 1e9, int(turns))


def stat_fields(place: str) -> list[str]:
    """The numbers of a process or thread after its name, which may hold anything: state first."""
    return read_bytes(place).rpartition(b")")[2].decode().split()


def processes_of(root: int) -> list[int]:
    """`root` and all processes below it, where nothing else tells them."""
    if sys.platform != "linux":
        return []  # then all that passes counts as idle
    found = [root]
    for process in found:
        with suppress(OSError):
            for thread in os.listdir(f"/proc/{process}/task"):
                children = Path(f"/proc/{process}/task/{thread}/children").read_text()
                found.extend(map(int, children.split()))
    return found


def number_inside(process: int) -> int | None:
    """The number that a process has in its own namespace."""
    with suppress(OSError):
        found = re.search(rb"^NSpid:.*?(\d+)$", read_bytes(f"/proc/{process}/status"), re.MULTILINE)
        return int(found[1]) if found else None
    return None
