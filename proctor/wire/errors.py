"""What can go wrong on the wire."""

from __future__ import annotations


class WireError(Exception):
    """A frame could not be sent or received."""


class Closed(WireError):
    """The other side is gone."""


class Late(WireError):
    """The deadline passed before the whole frame had crossed."""


class Malformed(WireError):
    """The frame, or a value in it, breaks the rules of the wire."""
