"""Objects of the kernel that no limit counts: maps of memory, and locks of files.

Each is small, but without a number they would add up. They are counted now and then: a look at
locks holds up the machine's other locks for a moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

LOOK_SECONDS = 1.0
# Of all processes of a session together: 64 of them that have imported torch hold some 80,000 maps.
MOST_MAPS = 160_000
MOST_LOCKS = 10_000
PIECE = 1 << 20


def holds_too_many(processes: Sequence[int], locks: dict[int, int]) -> bool:
    """Whether the processes together hold too many maps or locks."""
    if sum(locks.get(process, 0) for process in processes) > MOST_LOCKS:
        return True
    maps = 0
    for process in processes:
        maps += count_maps(process, MOST_MAPS - maps)
        if maps > MOST_MAPS:
            return True
    return False


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
