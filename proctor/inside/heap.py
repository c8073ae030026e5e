"""Memory of the warm process, laid out so that its forks are cheap.

A fork shares all pages with the process that it was forked from, and copies each page that it
writes to. `fill_gaps`: what is allocated after a fork lies together in new pages, instead of in
gaps that hundreds of imports have left, each in a page to be copied. `use_huge_pages`: a fork
copies the tables of all pages, too, and its end gives them back; of pages of 4 KiB, those of
hundreds of megabytes take more time than most checks. With pages of 2 MiB there are hundreds of
entries instead of tens of thousands; what a session writes to is still copied by 4 KiB.
"""

from __future__ import annotations

import bisect
import ctypes
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

MAPS = Path("/proc/self/maps")
HUGE = 2 << 20
MADV_COLLAPSE = 25  # since Linux 6.1; an older kernel refuses it, and nothing is lost

# Bytes of what is allocated to fill gaps, the largest first: what is left of a large one is filled
# by smaller ones. The last are malloc's own steps.
SIZES_OF_MALLOC = (64 << 10, 16 << 10, 4 << 10, *range(2032, 0, -16))
SIZES_OF_PYTHON = range(512, 0, -16)  # above, Python asks malloc
# What is taken at most, should a machine lay out its memory in another way. The gaps hold some 3.
MOST_BYTES = 64 << 20


class Mallinfo(ctypes.Structure):
    """What glibc's `mallinfo2` tells, in bytes or numbers."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    )


def fill_gaps() -> None:
    """Take what is free between allocated memory, for good. Does nothing without glibc."""
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "mallinfo2"):
        return
    libc.mallinfo2.restype = Mallinfo
    libc.sbrk.restype = ctypes.c_void_p
    beyond = libc.sbrk(0) - libc.mallinfo2().keepcost  # from here on, nothing was allocated yet
    take(libc.malloc, SIZES_OF_MALLOC, lambda address: address >= beyond)
    mapped = list(private_ranges(MAPS.read_text()))
    take(ctypes.pythonapi.PyObject_Malloc, SIZES_OF_PYTHON, lambda at: not is_in(mapped, at))


def take(allocate: Any, sizes: Iterable[int], is_new: Callable[[int], bool]) -> None:
    """Allocate of each size until it no longer fits into a gap, `MOST_BYTES` together."""
    allocate.restype, allocate.argtypes = ctypes.c_void_p, (ctypes.c_size_t,)
    left = MOST_BYTES
    for size in sizes:
        while left > 0:
            left -= size
            address = allocate(size)
            if address is None or is_new(address):
                break


def is_in(ranges: list[tuple[int, int]], address: int) -> bool:
    """Whether an address lies in one of these ranges, which are in order."""
    place = bisect.bisect(ranges, address, key=lambda one: one[0]) - 1
    return place >= 0 and address < ranges[place][1]


def use_huge_pages() -> int:
    """Put what this process holds into huge pages, as far as the kernel can. Returns the bytes
    that were asked for with success."""
    madvise = ctypes.CDLL(None).madvise
    madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    done = 0
    with suppress(OSError):
        for first, last in private_ranges(MAPS.read_text()):
            for start in range(-(-first // HUGE) * HUGE, last // HUGE * HUGE, HUGE):
                done += HUGE * (madvise(start, HUGE, MADV_COLLAPSE) == 0)
    return done


def private_ranges(maps: str) -> Iterator[tuple[int, int]]:
    """Of a process's map: the writable parts that belong to no file."""
    for line in maps.splitlines():
        addresses, rights, _, _, inode, *name = line.split(maxsplit=5)
        if rights.startswith("rw-p") and inode == "0" and name in ([], ["[heap]"]):
            first, last = addresses.split("-")
            yield int(first, 16), int(last, 16)
