"""What the processes of a session hold together, and what the warm process does about many of them.

Objects of the kernel that no limit counts are counted here as well: maps of memory, and locks of
files. Each is small, but without a number they would add up. They are counted now and then: a look
at locks holds up the machine's other locks for a moment.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from proctor.inside.isolation import die_with_parent, libc
from proctor.wire.linux import read_bytes, read_numbers

RESIDENT = ("RssAnon", "RssShmem")
FAIR_SHARE = ("Pss_Anon", "Pss_Shmem")
# So many processes of a session are measured exactly; an exact look takes some 5 ms.
MOST_MEASURED = 16
# So many threads of a session compete with others for the processors; any more take what is left.
MOST_COMPETING = 4
LEAST_PRIORITY = 19
MOST_SESSIONS = 16
LOOK_SECONDS = 1.0
# Of all processes of a session together: 64 of them that have imported torch hold some 80,000 maps.
MOST_MAPS = 160_000
MOST_LOCKS = 10_000
PIECE = 1 << 20


def read_statuses() -> dict[int, dict[str, int]]:
    """By number. The newest is looked at first, as it may have ended in a moment."""
    statuses = {}
    for name in reversed(os.listdir("/proc")):
        if name.isdigit():
            # It may end while we look.
            with suppress(OSError):
                statuses[int(name)] = read_numbers(f"/proc/{name}/status")
    return dict(sorted(statuses.items()))


def descendants(root: int, statuses: dict[int, dict[str, int]]) -> list[int]:
    """`root` and all processes below it.

    Told by parents, as a process can hide its namespaces but not its parent, and an orphan becomes
    a child of its namespace's process 1, which is `root`.
    """
    below: dict[int, list[int]] = {}
    for process, status in statuses.items():
        below.setdefault(status.get("PPid", 0), []).append(process)
    found = [root] if root in statuses else []
    for process in found:
        found.extend(below.get(process, ()))
    return found


def holds_more(limit: int, processes: list[int], statuses: dict[int, dict[str, int]]) -> bool:
    """Whether the processes together hold more than `limit` bytes of memory."""
    held = {process: bytes_held(statuses[process], RESIDENT) for process in processes}
    if sum(held.values()) <= limit:
        return False
    # That counted what a fork shares with its parent once for each. An exact look is slow.
    for process in processes[:MOST_MEASURED]:
        try:
            shares = read_numbers(f"/proc/{process}/smaps_rollup")
        except PermissionError:
            continue  # It forbids the look: what was counted stands.
        except OSError:
            shares = {}  # It has ended.
        held[process] = bytes_held(shares, FAIR_SHARE)
    return sum(held.values()) > limit


def step_back(processes: list[int], statuses: dict[int, dict[str, int]]) -> None:
    """Let a session that runs many threads at once slow down itself, not its neighbours.

    All but its first processes get the least priority, which what they start inherits and no one
    in there can raise. Sixty of them together then weigh as much as one ordinary process.
    """
    threads = 0
    for process in processes:
        threads += statuses[process].get("Threads", 1)
        if threads > MOST_COMPETING:
            for thread in threads_of(process):
                with suppress(OSError):  # it ended, or has the least priority already
                    os.setpriority(os.PRIO_PROCESS, thread, LEAST_PRIORITY)
            with suppress(OSError):  # likewise
                if session_of(process) not in (0, session_of(processes[0])):
                    step_back_as_group(process, statuses[process].get("Uid", os.geteuid()))


def are_too_apart(processes: Sequence[int]) -> bool:
    """Whether they are of more sessions of `setsid` than step back one after the other."""
    return len(set(map(session_of, processes))) > MOST_SESSIONS


def session_of(process: int) -> int:
    """That of `setsid`; 0 once the process has ended."""
    try:
        return os.getsid(process)
    except OSError:
        return 0


def step_back_as_group(process: int, user: int) -> None:
    """Where the kernel shares out the processors by sessions of `setsid` (autogroups), each of them
    has as much as any other, and the priority of a process counts within its own alone.

    The kernel lets ten a second be changed; the next look goes on. Raises OSError.
    """
    own = os.geteuid()
    place = f"/proc/{process}/autogroup"
    if f"nice {LEAST_PRIORITY}".encode() in read_bytes(place):
        return
    try:
        if user != own:
            libc.setfsuid(user)  # it belongs to that user
        group = os.open(place, os.O_WRONLY | os.O_CLOEXEC)
    finally:
        if user != own:
            libc.setfsuid(own)
            die_with_parent()  # the kernel has forgotten it with the change
    try:
        os.write(group, str(LEAST_PRIORITY).encode())
    finally:
        os.close(group)


def threads_of(process: int) -> list[int]:
    with suppress(OSError):
        return [int(name) for name in os.listdir(f"/proc/{process}/task")]
    return []


def bytes_held(numbers: dict[str, int], names: tuple[str, ...]) -> int:
    return 1024 * sum(numbers.get(name, 0) for name in names)


def holds_too_many(processes: Sequence[int], locks: dict[int, int]) -> bool:
    """Whether the processes together hold too many maps or locks."""
    if sum(locks.get(process, 0) for process in processes) > MOST_LOCKS:
        return True
    if len(processes) * most_maps_of_one() <= MOST_MAPS:
        return False  # all together cannot; to count them takes longer than many a cell
    maps = 0
    for process in processes:
        maps += count_maps(process, MOST_MAPS - maps)
        if maps > MOST_MAPS:
            return True
    return False


@functools.cache
def most_maps_of_one() -> int:
    """That the kernel lets one process have; without a number, as many as nobody may."""
    try:
        return int(read_bytes("/proc/sys/vm/max_map_count"))
    except (OSError, ValueError):
        return MOST_MAPS + 1


def count_maps(process: int, most: int) -> int:
    """The number of maps, or one that is greater than `most`."""
    found = 0
    with suppress(OSError), Path(f"/proc/{process}/maps").open("rb") as file:  # it may end
        while found <= most and (piece := file.read(PIECE)):
            found += piece.count(b"\n")
    return found


def count_locks() -> dict[int, int]:
    """How many locks of files each process holds."""
    found: dict[int, int] = {}
    # 1: POSIX  ADVISORY  WRITE 1234 00:2f:12 0 EOF
    with suppress(OSError), Path("/proc/locks").open() as file:
        for line in file:
            words = line.replace("->", "").split()
            if len(words) > 4 and words[4].isdigit():
                found[int(words[4])] = found.get(int(words[4]), 0) + 1
    return found
