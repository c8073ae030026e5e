"""In which order graders run: at random, what a check requires before it."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from proctor.grading.desk import Desk, assignment_of, grader_marker, grades_of


def name_of(item: pytest.Item) -> str:
    return item.nodeid.rpartition("::")[2]


def in_random_order(graders: Sequence[pytest.Item], desk: Desk) -> list[pytest.Item]:
    """The graders of each assignment, shuffled, what they require before them.

    Those of a file stay together, as they share a question, come what may: a file holds the graders
    of one exercise. The desk's results keep the order in which the graders are written.
    """
    shuffled = sorted(graders, key=lambda item: item.nodeid)
    desk.results = {item.nodeid: None for item in sorted(graders, key=place_of)}
    random.Random(desk.seed).shuffle(shuffled)
    files = list(dict.fromkeys(item.path for item in shuffled))
    shuffled.sort(key=lambda item: (assignment_of(item), files.index(item.path)))
    return requirements_first(shuffled)


def place_of(item: pytest.Item) -> tuple[str, int]:
    """Where a grader stands: its file, and the line in it."""
    path, line, _ = item.location
    return path, line or 0


def requirements_first(items: list[pytest.Item]) -> list[pytest.Item]:
    ordered: list[pytest.Item] = []

    def place(item: pytest.Item, above: tuple[str, ...]) -> None:
        if item in ordered:
            return
        if item.nodeid in above:
            raise pytest.UsageError(f"{item.nodeid} requires itself, through other hidden tests")
        for required in earlier_items(item, items):
            place(required, (*above, item.nodeid))
        ordered.append(item)

    for item in items:
        place(item, ())
    return ordered


def earlier_items(item: pytest.Item, items: Sequence[pytest.Item]) -> list[pytest.Item]:
    return graders_named(grader_marker(item).earlier, item, items)


def graders_named(
    names: Sequence[str], item: pytest.Item, items: Sequence[pytest.Item]
) -> list[pytest.Item]:
    """The graders with these names that belong to the same assignment as `item`."""
    if not names:
        return []
    return [
        other
        for other in items
        if other.name.partition("[")[0] in names
        and assignment_of(other) == assignment_of(item)
        and grades_of(other)
    ]


def unknown_names(items: Sequence[pytest.Item]) -> list[str]:
    """What graders require or build on, though it is no grader of their assignment."""
    return [
        f"{item.nodeid} names {name!r}, which is not a hidden test of {assignment_of(item)}"
        for item in items
        if (marker := grades_of(item))
        for name in marker.earlier
        if not graders_named([name], item, items)
    ]
