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
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from proctor.wire.linux import read_bytes
from proctor.wire.usage import Look

# No more of the time between two looks counts as idle: who looks late was held up itself.
MOST_IDLE = 0.2
AFTER_THE_LAST = 1000
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
    # Waiting that /proc does not show yet.
    _presumed: dict[int, float] = field(default_factory=dict)
    _brief: Brief = field(default_factory=lambda: Brief())

    def look(self) -> Look:
        return Look(self.at, self.processor, self.idle)

    def add(self, numbers: Iterable[int], inside: Mapping[int, int] | None = None) -> Look:
        """Look at the processes with these numbers; `inside` are those that they have in there."""
        now = time.monotonic()
        passed, self.at = now - self.at, now
        processes = [process for number in numbers if (process := read_process(number))]
        before = self.processor
        self._add_processor(sum(process.processor for process in processes))
        threads = [thread for process in processes for thread in process.threads]
        wanted = [one for one in threads if one.state == "R" and one.number in self._threads]
        began = sum(one.number not in self._threads for one in threads)
        held_up = self._held_up(threads, passed)
        unseen, forgiven = self._brief.look(inside or {}, began, held_up)
        idle = min(passed - held_up - min(self.processor - before, passed), MOST_IDLE)
        if unseen and wanted:
            own_share = max(0.0, 1 - share_of_others(wanted, unseen))
            idle += min(own_share * forgiven, unseen * MOST_IDLE)
        self.idle = max(0.0, self.idle + idle)
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
            if thread.state == "D" and waiting_for_disks() and not waits_for_child(thread.number):
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


def share_of_others(threads: list[Thread], unseen: int = 0) -> float:
    """The largest part of its waiting that can be the machine's doing. That is all of it, unless
    more of the session's threads want to run than may run at once: then it is what others would
    take from a single thread. `unseen` are processes of its own that ran meanwhile."""
    running = [thread for thread in threads if thread.state == "R"]
    if len(running) + unseen <= 1:
        return math.inf
    at_once = min(map(processors_for, running))
    want = len(running) + min(unseen, at_once)
    others = running_on_machine() - want
    # Fewer than wanted to are counted where a quota keeps them from it.
    if want <= at_once or (others < 0 and not unseen):
        return math.inf
    return max(0.0, 1 - at_once / (1 + max(0, others)))


@dataclass
class Brief:
    """Processes of a session that come and go between two looks, and for which nobody waits: the
    kernel tells of their time nowhere. But they use up numbers: who wanted to run meanwhile was
    held up by them.
    """

    known: frozenset[int] = frozenset()  # processes at the last look
    newest: int = 0  # its number in there
    began: int = 0  # threads that were seen to begin since
    forgiven: float = 0.0  # for how long others were said to hold the session up since

    def look(self, inside: Mapping[int, int], began: int, held_up: float) -> tuple[int, float]:
        """How many began and ended unseen since a new one was seen last, and for how long the
        session was said to be held up since; 0 where none is seen."""
        self.began += began
        self.forgiven += held_up
        new = [number for process, number in inside.items() if process not in self.known]
        self.known = frozenset(inside)
        if not new:
            return 0, 0.0
        # Numbers begin anew after the last one.
        made = max(new) - self.newest if max(new) > self.newest else AFTER_THE_LAST
        unseen = max(0, made - self.began)
        self.newest, self.began = max(new), max(0, self.began - made)
        forgiven, self.forgiven = self.forgiven, 0.0
        return unseen, forgiven


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


def waits_for_child(thread: int) -> bool:
    """Whether it waits for a child of its own to become another program (vfork): in state D, too,
    and for as long as it likes."""
    with suppress(OSError):
        return re.search(rb"clone|fork", read_bytes(f"/proc/{thread}/wchan")) is not None
    return False


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
