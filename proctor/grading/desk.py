"""What graders work with: the notebook under examination, what they found, and where both lie."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from proctor.grading.connection import CallFacts, Connection
from proctor.grading.standing import Standings
from proctor.sandbox.examination import Examination
from proctor.sandbox.patience import Starved
from proctor.sandbox.unavailable import SandboxUnavailable


@dataclass(frozen=True)
class Grades:
    """What `@grades(...)` says about a grader."""

    cell: str
    hint: str
    weight: float
    requires: tuple[str, ...]
    builds_on: tuple[str, ...]
    after: tuple[str, ...]

    @property
    def earlier(self) -> tuple[str, ...]:
        """The checks that have to be run before this one."""
        return self.requires + self.builds_on + self.after


def grades(
    cell: str,
    *,
    hint: str,
    weight: float = 1.0,
    requires: str | Sequence[str] = (),
    builds_on: str | Sequence[str] = (),
    after: str | Sequence[str] = (),
) -> pytest.MarkDecorator:
    """Mark a test as a check of the graded cell `cell`.

    The cell's score is points x passed weight / total weight. A check whose `requires` (names of
    other checks of the assignment) did not all pass fails without being tried. `builds_on` names
    checks of an earlier exercise whose function this one uses: they may fail, but where this one
    fails, too, the student is told to look there first (see also the fixture `paid_once`). `after`
    names checks that come before this one, for the fixture `passed`.
    """
    earlier = map(names_of_checks, (requires, builds_on, after))
    return pytest.mark.grades(Grades(cell, hint, weight, *earlier))


@dataclass(frozen=True)
class StandIn:
    """Functions for the fixture `paid_once` to try a later exercise with, where the student's own
    earlier ones do not work: their texts by name, as for `student.source`. `basis_of` is given them
    in the place of a student, and returns the basis that knows what they lead to. They are run in
    the sandbox, so let them be no solution; and let each use of them that is wrong show in the
    result, or it would earn the points.
    """

    functions: Mapping[str, str]
    basis_of: Callable[[Any], Any]

    def basis(self) -> Any:
        found = {name: eval(text, {"torch": torch}) for name, text in self.functions.items()}  # noqa: S307 - the grader's
        return self.basis_of(SimpleNamespace(**found, last_call=CallFacts()))

    @property
    def names(self) -> str:
        return " and ".join(f"`{name}`" for name in self.functions)


def names_of_checks(names: str | Sequence[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


@dataclass(frozen=True)
class CheckResult:
    """What one grader found. `hint` is for the student (of a check that passed: why, where that
    needs a word), `detail` for the instructor alone. `tried`, `cause` and `meaning` as in `Check`.
    """

    name: str
    title: str
    grades: Grades
    passed: bool
    hint: str | None
    detail: str
    seconds: float
    tried: bool = True
    cause: str | None = None
    meaning: str | None = None


@dataclass
class Candidate:
    """One notebook under examination, for the graders of its assignment.

    `examination` is that of the whole notebook, `connection` goes where the current check asks.
    """

    examination: Examination
    assignment: str
    student_id: str | None
    seed: int
    accelerator_device: str = "accel"
    standings: Standings | None = None  # without, all exercises are asked about at the end
    connection: Connection = field(init=False)
    file: Path | None = None  # whose graders the open question answers
    _connections: dict[int, Connection] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._ask_in(self.examination)

    def begin(self, file: Path, cell: str) -> None:
        """A check of `file`, which grades `cell`, begins. Each file's checks start from the
        notebook's own state, whatever the others found: nothing inside could tell from it how they
        went."""
        before = self.connection.examination
        if self.file is not None and file != self.file:
            before.end_question()
        self.file = file
        if self.standings is not None:
            self._ask_in(self.standings.examination(cell, file))
        if self.connection.examination is not before:
            before.end_question()
            self.connection.examination.go_on_from(before)

    @contextlib.contextmanager
    def elsewhere(self) -> Iterator[Connection | None]:
        """To the same notebook as the current check asks, in another session, where each block
        starts from the notebook's own state; None where there was no time to run it again."""
        here = self.connection.examination
        there = self.standings.another(here) if self.standings is not None else None
        if there is None:
            yield None
            return
        there.go_on_from(here)
        try:
            yield Connection(there, self.connection.accelerator_device)
        finally:
            there.end_question()
            here.go_on_from(there)

    def note_on(self, exercise: str) -> str | None:
        """What the student of this exercise is told about where in the notebook it was marked."""
        return self.standings.notes.get(exercise) if self.standings is not None else None

    def examination_of_answer(self, exercise: str) -> Examination:
        """Where this exercise was asked about."""
        if self.standings is None:
            return self.examination
        return self.standings.examination_of_answer(exercise)

    def examinations(self) -> list[Examination]:
        return [self.examination] if self.standings is None else self.standings.examinations()

    def close(self) -> None:
        for examination in self.examinations():
            examination.close()

    def _ask_in(self, examination: Examination) -> None:
        new = Connection(examination, self.accelerator_device)
        self.connection = self._connections.setdefault(id(examination), new)


@dataclass
class Desk:
    """State of one pytest session: the notebooks under examination, and what was found so far.

    `results` are by node id, in the order in which the graders are written.
    """

    seed: int = 0
    candidates: dict[str, Candidate] = field(default_factory=dict)
    results: dict[str, CheckResult | None] = field(default_factory=dict)
    open_candidate: Callable[[str], Candidate] | None = None  # for runs by plain pytest
    unavailable: SandboxUnavailable | Starved | None = None  # no student is at fault for this

    def candidate_for(self, assignment: str) -> Candidate:
        if assignment not in self.candidates and self.open_candidate is not None:
            self.candidates[assignment] = self.open_candidate(assignment)
        return self.candidates[assignment]

    def note(self, item: pytest.Item, result: CheckResult) -> None:
        self.results[item.nodeid] = result

    def close(self) -> None:
        """Close what was opened here; who handed one in may still have a use for them."""
        for candidate in self.candidates.values() if self.open_candidate else ():
            candidate.close()


# pytest's own place for what belongs to a run.
DESK = pytest.StashKey[Desk]()


def grades_of(item: pytest.Item) -> Grades | None:
    marker = item.get_closest_marker("grades")
    return marker.args[0] if marker else None


def grader_marker(item: pytest.Item) -> Grades:
    """What `@grades` says of an item that is a grader."""
    marker = grades_of(item)
    if marker is None:
        raise TypeError(f"{item.nodeid} is not a hidden test")
    return marker


def assignment_of(item: pytest.Item) -> str:
    """Graders lie in a folder with their assignment's name."""
    return item.path.parent.name
