"""In which order graders run: at random, what a check requires before it."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from proctor.grading.desk import Desk, assignment_of, grader_marker, grades_of


def name_of(item: pytest.Item) -> str:
    return item.nodeid.rpartition("::")[2]


Named = dict[tuple[str, str], list[pytest.Item]]  # graders, by assignment and name of function


def named(items: Sequence[pytest.Item]) -> Named:
    found: Named = {}
    for item in items:
        if grades_of(item):
            name = item.name.partition("[")[0]
            found.setdefault((assignment_of(item), name), []).append(item)
    return found


def those_named(names: Sequence[str], item: pytest.Item, graders: Named) -> list[pytest.Item]:
    """The graders with these names that belong to the same assignment as `item`."""
    assignment = assignment_of(item)
    return [other for name in names for other in graders.get((assignment, name), ())]


def in_random_order(graders: Sequence[pytest.Item], desk: Desk) -> list[pytest.Item]:
    """The graders of each assignment, shuffled, what they require before them.

    Those of a file stay together, as they share a question, come what may: a file holds the graders
    of one exercise. The desk's results keep the order in which the graders are written.
    """
    shuffled = sorted(graders, key=lambda item: item.nodeid)
    desk.results = {item.nodeid: None for item in sorted(graders, key=place_of)}
    random.Random(desk.seed).shuffle(shuffled)
    known = named(shuffled)
    earlier = {item: those_named(grader_marker(item).earlier, item, known) for item in shuffled}
    files = files_first(shuffled, earlier)
    shuffled.sort(key=lambda item: (assignment_of(item), files.index(item.path)))
    return requirements_first(shuffled, earlier)


def place_of(item: pytest.Item) -> tuple[str, int]:
    """Where a grader stands: its file, and the line in it."""
    path, line, _ = item.location
    return path, line or 0


Earlier = Mapping[pytest.Item, Sequence[pytest.Item]]


def files_first(items: Sequence[pytest.Item], earlier: Earlier) -> list[Path]:
    """The files of graders in the order in which they first occur, those that another's graders
    require before it: else some of their checks would have to be drawn before the rest."""
    needed: dict[Path, dict[Path, None]] = {item.path: {} for item in items}
    for item in items:
        needed[item.path].update((other.path, None) for other in earlier[item])
    ordered: dict[Path, None] = {}

    def place(file: Path, above: tuple[Path, ...]) -> None:
        for other in needed[file]:
            if other not in (*above, file):  # two files may require each other's
                place(other, (*above, file))
        ordered[file] = None

    for file in needed:
        if file not in ordered:
            place(file, ())
    return list(ordered)


def requirements_first(items: Sequence[pytest.Item], earlier: Earlier) -> list[pytest.Item]:
    ordered: dict[pytest.Item, None] = {}

    def place(item: pytest.Item, above: tuple[str, ...]) -> None:
        if item in ordered:
            return
        if item.nodeid in above:
            raise pytest.UsageError(f"{item.nodeid} requires itself, through other hidden tests")
        for required in earlier[item]:
            place(required, (*above, item.nodeid))
        ordered[item] = None

    for item in items:
        place(item, ())
    return list(ordered)


def unknown_names(items: Sequence[pytest.Item]) -> list[str]:
    """What graders require or build on, though it is no grader of their assignment."""
    known = named(items)
    return [
        f"{item.nodeid} names {name!r}, which is not a hidden test of {assignment_of(item)}"
        for item in items
        if (marker := grades_of(item))
        for name in marker.earlier
        if not those_named([name], item, known)
    ]
