"""What a cell changed, as the sandbox tells it: a claim, read with care.

It decides at which place in the notebook an exercise is marked, and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

MOST_NAMES = 2000
MOST_CHARACTERS = 100


@dataclass(frozen=True)
class Changes:
    """`names` that stand for something else now, each with the names that its code loads; `ground`
    is what else functions stand on (a switch of torch, a library's function), in a few words."""

    names: dict[str, frozenset[str]] = field(default_factory=dict)
    ground: tuple[str, ...] = ()


def read_changes(told: Any) -> Changes:
    """What was told, without whatever is not as agreed."""
    if not isinstance(told, dict):
        return Changes()
    names, ground = told.get("names"), told.get("ground")
    read = {
        name: frozenset(filter(is_name, needs[:MOST_NAMES] if isinstance(needs, list) else ()))
        for name, needs in list(names.items() if isinstance(names, dict) else ())[:MOST_NAMES]
        if is_name(name)
    }
    lines = ground[:MOST_NAMES] if isinstance(ground, list) else []
    return Changes(read, tuple(line[:MOST_CHARACTERS] for line in lines if isinstance(line, str)))


def is_name(text: Any) -> bool:
    return isinstance(text, str) and len(text) <= MOST_CHARACTERS and text.isidentifier()
