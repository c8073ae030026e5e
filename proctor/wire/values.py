"""What values become on the wire: JSON that names its kind; the rest is handed on.

Plain data crosses as it is. What is no plain data (tensors, objects of the student's, what a grader
passes by name) is for each side to write and to read, within the same rules: whatever else comes
back raises Malformed. Nothing is ever unpickled.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from proctor.wire.errors import Malformed

MAX_DEPTH = 20
MAX_INT_BITS = 4096  # Python refuses to write and to read ints of very many digits
MAX_ITEMS = 100_000  # of one list, tuple, set or dict

Encoded = list


@dataclass(frozen=True)
class Foreign:
    """A value that does not cross: only what it is does."""

    type_name: str


@dataclass(frozen=True)
class Source:
    """A Python expression, chosen by the grader, that the sandbox evaluates to an argument."""

    text: str


@dataclass(frozen=True)
class Object:
    """An object that stays in the sandbox, under its number."""

    number: int
    type_name: str


@dataclass(frozen=True)
class Member:
    """A member of an enum, by its name."""

    type_name: str
    name: str


class NamedTuple(tuple):
    """A tuple whose items have names, too: `result.values`, `result.indices`."""

    names: tuple[str, ...]

    def __new__(cls, names: list[str], items: list) -> NamedTuple:
        made = super().__new__(cls, items)
        made.names = tuple(names)
        return made

    def __getattr__(self, name: str) -> Any:
        names = self.__dict__.get("names", ())
        # Not "__array_interface__" and its like, which would make a number an address.
        if name.startswith("_") or name not in names:
            raise AttributeError(f"there is no field {name!r}, only {', '.join(names)}")
        return self[names.index(name)]


class TooLarge(Malformed):
    """A value is over the caps; says what it is."""


def encode(value: Any, other: Callable[[Any, int], Encoded], depth: int = 0) -> Encoded:
    """A value as JSON: `[kind, ...]`. What is no plain data is handed to `other`, with its depth.

    Raises TooLarge.
    """
    kind = type(value)
    if depth > MAX_DEPTH:
        return ["foreign", "a structure nested too deeply"]
    if value is None or kind in (bool, str):
        return ["plain", value]
    if kind is int:
        fits = value.bit_length() <= MAX_INT_BITS
        return ["plain", value] if fits else ["foreign", "a number with too many digits"]
    if kind is float:
        return ["float", repr(value)]
    if kind is complex:
        return ["complex", [repr(value.real), repr(value.imag)]]
    if kind is bytes:
        return ["bytes", base64.b64encode(value).decode("ascii")]
    if kind in (list, tuple) or (kind in (set, frozenset) and all(map(is_key, value))):
        check_length(kind.__name__, len(value))
        return [kind.__name__, [encode(item, other, depth + 1) for item in value]]
    if kind is dict and all(map(is_key, value)):
        check_length("dict", len(value))
        return [
            "dict",
            [[encode(k, other, depth + 1), encode(v, other, depth + 1)] for k, v in value.items()],
        ]
    if kind is NamedTuple:
        return ["named", [list(value.names), [encode(item, other, depth + 1) for item in value]]]
    if kind is Member:
        return ["enum", [value.type_name, value.name]]
    if kind is Foreign:
        return ["foreign", value.type_name]
    return other(value, depth)


def check_length(kind: str, length: int) -> None:
    if length > MAX_ITEMS:
        raise TooLarge(f"a {kind} of {length:,} items: at most {MAX_ITEMS:,} can be sent")


def is_key(value: Any, depth: int = 0) -> bool:
    """Whether a value may be a dict's key, or a set's item, on the wire. nan equals nothing, so it
    could never be looked up again."""
    kind = type(value)
    if kind in (tuple, frozenset):
        return depth < MAX_DEPTH and all(is_key(item, depth + 1) for item in value)
    if kind is NamedTuple:
        return all(is_key(item, depth + 1) for item in value)
    if kind is float:
        return not math.isnan(value)
    if kind is complex:
        return not (math.isnan(value.real) or math.isnan(value.imag))
    if kind is int:
        return value.bit_length() <= MAX_INT_BITS
    return value is None or kind in (bool, str, bytes, Member)


def decode(encoded: Any, others: Mapping[str, Callable[[list], Any]], depth: int = 0) -> Any:
    """The value that `encode` wrote; other kinds are handed to the one of `others` that reads them.

    Raises Malformed for anything else.
    """
    if (
        depth > MAX_DEPTH + 1
        or type(encoded) is not list
        or len(encoded) < 2
        or type(encoded[0]) is not str
    ):
        raise Malformed("a value was sent without its kind")
    kind, content = encoded[0], encoded[1]
    if kind in others:
        return others[kind](encoded)
    if len(encoded) > 2:
        raise Malformed("a value was sent with more than it is")
    if kind == "plain" and (content is None or type(content) in (bool, int, str)):
        return content
    if kind == "float":
        return decode_float(content)
    if kind == "complex" and type(content) is list and len(content) == 2:
        return complex(decode_float(content[0]), decode_float(content[1]))
    if kind == "bytes":
        return decode_bytes(content)
    if kind in COLLECTIONS and type(content) is list:
        items = [decode(item, others, depth + 1) for item in content]
        if kind in ("set", "frozenset") and not all(map(is_key, items)):
            raise Malformed("a set was sent with an item that no set can hold")
        return COLLECTIONS[kind](items)
    if kind == "dict" and type(content) is list:
        return decode_dict(content, others, depth)
    if kind == "named":
        return decode_named(content, others, depth)
    if kind == "enum" and is_pair_of_texts(content):
        return Member(content[0][:80], content[1][:80])
    if kind == "foreign" and type(content) is str:
        return Foreign(content[:80])
    raise Malformed("a value of an unknown kind was sent")


COLLECTIONS = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}


def is_pair_of_texts(content: Any) -> bool:
    return type(content) is list and [type(part) for part in content] == [str, str]


def decode_float(text: Any) -> float:
    if type(text) is not str:
        raise Malformed("what was sent as a float is not one")
    try:
        return float(text)
    except ValueError as error:
        raise Malformed("what was sent as a float is not one") from error


def decode_bytes(text: Any) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (TypeError, ValueError, binascii.Error) as error:
        raise Malformed("what was sent as bytes is not base64") from error


def decode_dict(content: list, others: Mapping[str, Callable[[list], Any]], depth: int) -> dict:
    result = {}
    for pair in content:
        if type(pair) is not list or len(pair) != 2:
            raise Malformed("a dict was sent with something other than pairs")
        key = decode(pair[0], others, depth + 1)
        if not is_key(key):
            raise Malformed("a dict was sent with a key that no dict can have")
        result[key] = decode(pair[1], others, depth + 1)
    return result


def decode_named(
    content: Any, others: Mapping[str, Callable[[list], Any]], depth: int
) -> NamedTuple:
    if type(content) is not list or [type(part) for part in content] != [list, list]:
        raise Malformed("a named tuple was sent without names")
    names, items = content
    if len(names) != len(items) or not all(type(name) is str for name in names):
        raise Malformed("a named tuple was sent with more names than items, or fewer")
    return NamedTuple(names, [decode(item, others, depth + 1) for item in items])
