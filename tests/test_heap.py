"""How the memory of the warm process is laid out, in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it is glibc's memory")

# Objects of two sizes, one for Python's own pools and one for malloc, every other one deleted.
GAPS = """
from proctor.inside import heap
kept = {size: [bytes(size) for _ in range(4000)] for size in (100, 1000)}
for objects in kept.values():
    del objects[::2]
before = list(heap.private_ranges(heap.MAPS.read_text()))
places = {size: sorted(map(id, objects)) for size, objects in kept.items()}
if FILL:
    heap.fill_gaps()
def in_gaps(size):
    new = [bytes(size) for _ in range(1000)]
    first, last = places[size][0], places[size][-1]
    return sum(first < id(one) < last for one in new)
print(in_gaps(100), in_gaps(1000))
"""


@pytest.mark.parametrize("fill", [True, False])
def test_what_is_allocated_later_lies_in_no_gap(fill):
    code = f"FILL = {fill}\n{GAPS}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    pooled, allocated = map(int, done.stdout.split())
    if fill:
        assert (pooled, allocated) == (0, 0)
    else:
        assert min(pooled, allocated) > 500  # there are gaps, so the other half can fail
