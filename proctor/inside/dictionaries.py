"""Whether a dict still holds what it held, found out without touching what it holds.

To look at a value counts a reference to it, and in a fork that copies the page the value lies on:
for all that torch and numpy hold, thousands of pages. Python's own table of a dict says the same by
addresses, and lies on a few.
"""

from __future__ import annotations

import ctypes
import functools
import gc
import operator
import struct
from types import MappingProxyType
from typing import Any

# CPython's layout: a dict begins with two numbers and the address of its table. That begins with
# a number, three sizes of a byte each, two more numbers and how many entries there are; then come
# places, which change as names are added, and the entries: hash, name and value, or these two.
ADDRESS_OF_TABLE = object.__basicsize__ + 16
TABLE = struct.Struct("8x x B B x 4x 8x q")
ENTRY_BYTES = {0: 24, 1: 16}  # by the kind of the table; others are those of instances
MISSING = object()


class Held:
    """What a namespace, a module's or a class's, held when this was made."""

    def __init__(self, namespace: dict[str, Any] | MappingProxyType[str, Any]):
        self.items = dict(namespace)
        self._dict = dict_of(namespace)
        self._entries = entries_of(self._dict)

    def is_held_by(self, namespace: Any, *, alone: bool = False) -> bool:
        """Whether all of it is still there; `alone`, and no other names."""
        found = dict_of(namespace)
        # The same addresses are the same values: `items` keeps these from making room for others.
        known = found is self._dict and self._entries
        if not known or read_entries(found, len(known)) != known:
            if not holds(namespace, self.items):
                return False
            self._dict, self._entries = found, entries_of(found)
        return not alone or len(namespace) == len(self.items)

    def changed(self, namespace: Any) -> list[str]:
        """The names that stand for something else now, or nothing."""
        items = self.items.items()
        return [name for name, value in items if namespace.get(name, MISSING) is not value]


def holds(found: Any, held: dict[str, Any]) -> bool:
    """Without a line of Python for each of thousands of names."""
    try:
        return all(map(operator.is_, map(found.__getitem__, held), held.values()))
    except KeyError:
        return False


def dict_of(namespace: Any) -> Any:
    """The dict itself: of a class, `vars` shows it through a proxy."""
    if type(namespace) is MappingProxyType:
        return next(iter(gc.get_referents(namespace)), namespace)
    return namespace


def entries_of(found: Any) -> bytes | None:
    """Addresses of the names and values in a dict; None where they cannot be read."""
    return read_entries(found) if entries_can_be_read() else None


def read_entries(found: Any, size: int | None = None) -> bytes | None:
    """Of the first entries, so many bytes; of all without a `size`. None where there are fewer."""
    if type(found) is not dict:
        return None
    table = ctypes.c_size_t.from_address(id(found) + ADDRESS_OF_TABLE).value
    places, kind, count = TABLE.unpack(ctypes.string_at(table, TABLE.size))
    there = ENTRY_BYTES.get(kind, 0) * count
    size = there if size is None else size
    first = table + TABLE.size + (1 << places)
    return ctypes.string_at(first, size) if 0 < size <= there else None


@functools.cache
def entries_can_be_read() -> bool:
    """Tried, as another Python may lay dicts out in another way."""
    return all(shows_changes(size) for size in (3, 100, 1000, 100_000))


def shows_changes(size: int) -> bool:
    tried = {f"name {number}": object() for number in range(size)}
    seen = [read_entries(tried)]
    for number in (size - 1, 0, size // 2):
        tried[f"name {number}"] = object()
        seen.append(read_entries(tried))
    newest = seen[-1]
    tried["one more"] = None
    known = newest is not None and read_entries(tried, len(newest)) == newest
    return known and None not in seen and len(set(seen)) == len(seen)
