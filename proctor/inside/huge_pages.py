"""Memory of the warm process in huge pages, so that its forks are cheap.

A fork copies the tables of all pages, and its end gives them back: hundreds of megabytes in pages
of 4 KiB take more time than most checks. In pages of 2 MiB there are hundreds of entries instead of
tens of thousands; what a session writes to is still copied by 4 KiB.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

SIZE = 2 << 20
MADV_COLLAPSE = 25  # since Linux 6.1; an older kernel refuses it, and nothing is lost


def collapse() -> int:
    """Put what this process holds into huge pages, as far as the kernel can. Returns the bytes
    that were asked for with success."""
    madvise = ctypes.CDLL(None).madvise
    madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    done = 0
    with suppress(OSError):
        for first, last in private_ranges(Path("/proc/self/maps").read_text()):
            for start in range(first, last, SIZE):
                done += SIZE * (madvise(start, SIZE, MADV_COLLAPSE) == 0)
    return done


def private_ranges(maps: str) -> Iterator[tuple[int, int]]:
    """Of a process's map: the writable parts that belong to no file, in whole huge pages."""
    for line in maps.splitlines():
        addresses, rights, _, _, inode, *name = line.split(maxsplit=5)
        if not rights.startswith("rw-p") or inode != "0" or name not in ([], ["[heap]"]):
            continue
        first, last = (int(address, 16) for address in addresses.split("-"))
        yield -(-first // SIZE) * SIZE, last // SIZE * SIZE
