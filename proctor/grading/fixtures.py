"""What graders take: the student, random inputs, and what else pytest hands them by its name."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
import torch

from proctor.grading.connection import StudentError
from proctor.grading.desk import (
    DESK,
    Candidate,
    CheckResult,
    StandIn,
    assignment_of,
    grader_marker,
)
from proctor.grading.order import Named, named, those_named
from proctor.grading.student import Student
from proctor.grading.witness import Notes, Noting, demand_same, noting

NOTE = pytest.StashKey[str | None]()  # what a student is told of a check that passed
STOOD_IN = pytest.StashKey[str | None]()  # for which functions of the student's others stood in
NAMED = pytest.StashKey[Named]()  # all graders of a session


def first_failed(names: Sequence[str], item: pytest.Item) -> CheckResult | None:
    """The first of the checks with these names that was run and did not pass."""
    if not names:
        return None
    results, stash = item.config.stash[DESK].results, item.session.stash
    if NAMED not in stash:
        stash[NAMED] = named(item.session.items)
    for other in those_named(names, item, stash[NAMED]):
        found = results.get(other.nodeid)
        if found is not None and not found.passed:
            return found
    return None


def candidate_of(item: pytest.Item) -> Candidate:
    return item.config.stash[DESK].candidate_for(assignment_of(item))


def student_of(item: pytest.Item) -> Student:
    candidate = candidate_of(item)
    candidate.begin(item.path, grader_marker(item).cell)
    return Student(candidate.connection)


def generator_of(item: pytest.Item) -> torch.Generator:
    return torch.Generator().manual_seed(seed_for(candidate_of(item), item.name))


def seed_for(candidate: Candidate, check: str) -> int:
    text = f"{candidate.seed} {check}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def passed_of(item: pytest.Item) -> Callable[[str], bool]:
    return lambda name: first_failed([name], item) is None


def paid_once_of(item: pytest.Item) -> Callable[..., None]:
    """`paid_once(check, right, own, stand_in)`: one slip is paid once.

    Runs `check(right)`. Where it fails and a check that this one `builds_on` did not pass, it runs
    `check(own)`, which asks `own.student` for what the student's own earlier function leads to, and
    then, if a `StandIn` is given, `check(stand_in.basis())` with its functions in place of the
    student's. What passes one of them earns the points, and the student is told so. `own.names` are
    the functions, in words. That `own` still does enough to be worth a check is for `check` or
    `own` to assert; that what functions give depends on their inputs alone is seen to here.

    Each try begins with the notebook's own state and with the same random inputs: what was kept in
    the sandbox before is not there.
    """
    candidate = candidate_of(item)
    student, generator = made(item, "student"), made(item, "generator")

    def run(
        check: Callable[[Any], None], right: Any, own: Any, stand_in: StandIn | None = None
    ) -> None:
        if first_failed(grader_marker(item).builds_on, item) is None:
            check(right)
            return
        start = generator.get_state()
        notes = Notes()
        try:
            with noting(student, notes):
                check(right)
        except (AssertionError, StudentError) as failure:
            begin_again(candidate, generator, start)
            asking = Noting.like(own.student._connection, notes, everything=True)
            own.student = Student(asking)
            try:
                with noting(student, notes):
                    check(own)
                demand_same_elsewhere(candidate, notes, item.name)
                item.stash[NOTE] = (
                    f"Marked with your own {own.names}, which you use correctly: the fault in it is"
                    " counted there alone."
                )
            except (AssertionError, StudentError, RuntimeError) as other:  # torch's: no gradient
                if stand_in is None:
                    raise failure from other
                item.stash[STOOD_IN] = stand_in.names
                begin_again(candidate, generator, start)
                notes.clear()
                with student.with_standing_in(stand_in.functions), noting(student, notes):
                    check(stand_in.basis())
                demand_same_elsewhere(candidate, notes, item.name, stand_in.functions)
                item.stash[NOTE] = (
                    f"Marked with working functions in place of your own {stand_in.names}, and you"
                    " use those correctly: the fault in yours is counted there alone."
                )
        finally:
            notes.clear()  # graphs of what came lead to it, and are freed late

    return run


def begin_again(candidate: Candidate, generator: torch.Generator, start: torch.Tensor) -> None:
    """A further try: nothing in the session's memory tells it from the one before."""
    generator.set_state(start)
    candidate.connection.examination.end_question()


def demand_same_elsewhere(
    candidate: Candidate, notes: Notes, name: str, standing_in: Mapping[str, str] | None = None
) -> None:
    if not notes.asked and not notes.too_much:
        return
    with candidate.elsewhere() as connection:
        assert connection is not None, "there was no time to ask the functions once more"
        with Student(connection).with_standing_in(standing_in or {}):
            demand_same(notes, connection, seed_for(candidate, name))


def answer_text_of(item: pytest.Item) -> Callable[[str], str]:
    examination = candidate_of(item).examination
    return dict(zip(examination.names, examination.cells, strict=True)).__getitem__


def flag_of(item: pytest.Item) -> Callable[[str], None]:
    def tell(text: str) -> None:
        candidate_of(item).examination.incidents.append(text)
        item.stash[NOTE] = f"This costs no points, but your instructor is told:  {text}."

    return tell


MAKERS: dict[str, Callable[[pytest.Item], Any]] = {
    "candidate": candidate_of,
    "student": student_of,
    "student_id": lambda item: candidate_of(item).student_id,
    "generator": generator_of,
    "passed": passed_of,
    "paid_once": paid_once_of,
    "answer_text": answer_text_of,
    "flag": flag_of,
}


def made(item: Any, name: str) -> Any:
    """What a check takes by this name, made once for each."""
    if name not in item.funcargs:
        item.funcargs[name] = MAKERS[name](item)
    return item.funcargs[name]


def make_fixtures(item: pytest.Item) -> None:
    """Make those that a check takes: pytest's own way to them takes longer than most checks. One
    that a course has in place of ours is left to pytest."""
    if isinstance(item, pytest.Function):
        known = item._fixtureinfo.name2fixturedefs
        for name in MAKERS:
            if len(known.get(name, ())) == 1:
                made(item, name)


@pytest.fixture
def candidate(request: pytest.FixtureRequest) -> Candidate:
    return made(request.node, "candidate")


@pytest.fixture
def student(request: pytest.FixtureRequest) -> Student:
    """The student's functions and variables, to be called as if they were here."""
    return made(request.node, "student")


@pytest.fixture
def student_id(request: pytest.FixtureRequest) -> str | None:
    """The real id of the submission's student, where one is known."""
    return made(request.node, "student_id")


@pytest.fixture
def generator(request: pytest.FixtureRequest) -> torch.Generator:
    """Random inputs: a generator seeded per submission and check; the seed is in the record."""
    return made(request.node, "generator")


@pytest.fixture
def passed(request: pytest.FixtureRequest) -> Callable[[str], bool]:
    """`passed("test_name")`: whether a check that this one comes `after`, or builds on, passed."""
    return made(request.node, "passed")


@pytest.fixture
def paid_once(request: pytest.FixtureRequest) -> Callable[..., None]:
    """`paid_once(check, right, own, stand_in)`: one slip is paid once. See `paid_once_of`."""
    return made(request.node, "paid_once")


@pytest.fixture
def answer_text(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """`answer_text("mnist_loss")`: what the student wrote there. To be searched, never to be run
    or parsed: a hostile text can crash Python's parser."""
    return made(request.node, "answer_text")


@pytest.fixture
def flag(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """`flag("...")` tells the instructor something that costs no points, as an incident. The
    student reads beside the check what the instructor is told."""
    return made(request.node, "flag")
