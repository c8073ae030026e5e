"""pytest plugin: hidden graders are ordinary tests that take a `student`.

A grader is a test function marked with `@grades("a_graded_cell", hint="...")`. Its first docstring
line is the title of the check. It runs here, in the trusted process; the student's code does not.
"""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from _pytest.runner import runtestprotocol

from proctor.course import CourseError
from proctor.grading.assertions import Fault
from proctor.grading.asserts import demand_asserts
from proctor.grading.connection import Raised, StudentError, TookTooLong
from proctor.grading.desk import (
    DESK,
    Candidate,
    CheckResult,
    Desk,
    Grades,
    StandIn,
    assignment_of,
    grader_marker,
    grades_of,
)
from proctor.grading.marking import open_candidate
from proctor.grading.order import graders_named, in_random_order, name_of
from proctor.grading.student import Student
from proctor.grading.witness import Notes, Noting, demand_same, noting
from proctor.sandbox.patience import Starved
from proctor.sandbox.unavailable import SandboxUnavailable


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("proctor", "hidden tests")
    group.addoption(
        "--submission", metavar="NOTEBOOK", help="grade this notebook (default: the reference)"
    )
    group.addoption("--student", help="the student's id, where a check depends on it")
    group.addoption("--seed", type=int, help="seed of the random inputs and of the order")
    group.addoption(
        "--device",
        default="accel",
        choices=["accel", "cuda"],
        help="the accelerator: the pretend one, or a real GPU (with --unsafe-no-sandbox)",
    )
    group.addoption(
        "--unsafe-no-sandbox",
        action="store_true",
        help="run the notebook without a sandbox: for an instructor's own answers only",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "grades(cell, hint, weight, requires): a hidden test")
    if config.stash.get(DESK, None) is None:
        config.stash[DESK] = plain_desk(config)


def plain_desk(config: pytest.Config) -> Desk:
    """The desk of a run by plain pytest: notebooks are read and run when a grader first asks."""

    def open_one(assignment: str) -> Candidate:
        try:
            return open_candidate(
                Path.cwd(),
                assignment,
                submission=config.getoption("--submission"),
                student=config.getoption("--student"),
                seed=config.getoption("--seed"),
                accelerator_device=config.getoption("--device"),
                unsafe=config.getoption("--unsafe-no-sandbox"),
            )
        except CourseError as error:
            pytest.fail(f"proctor: {error}", pytrace=False)

    return Desk(seed=config.getoption("--seed") or 0, open_candidate=open_one)


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash[DESK].close()


def title_of(item: pytest.Item) -> str:
    text = (getattr(item, "obj", item).__doc__ or "").strip()
    if not text:
        return item.name
    line = text.splitlines()[0]
    return line if line.endswith("..") else line.removesuffix(".")


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """What students handed in is never imported here, whatever it is called: in a course, plain
    `pytest` would take their test_*.py and conftest.py for tests."""
    is_students = collection_path.name in OF_STUDENTS
    return True if is_students and (collection_path.parent / CONFIGURATION).exists() else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    graders = [item for item in items if grades_of(item)]
    if graders:
        try:
            demand_asserts()
        except CourseError as error:
            raise pytest.UsageError(str(error)) from None
    others = [item for item in items if not grades_of(item)]
    items[:] = others + in_random_order(graders, config.stash[DESK])


def first_failed(names: Sequence[str], item: pytest.Item) -> CheckResult | None:
    """The first of the checks with these names that was run and did not pass."""
    results = item.config.stash[DESK].results
    for other in graders_named(names, item, item.session.items):
        found = results.get(other.nodeid)
        if found is not None and not found.passed:
            return found
    return None


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Run a grader, once.

    What an answer changed where it ran costs no other exercise: each file's checks have a fresh
    fork of the session. None is tried again: whoever knew of a second try could answer one way
    first and another way then.
    """
    if grades_of(item) is None:
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    desk = item.config.stash[DESK]
    reports = runtestprotocol(item, nextitem=nextitem, log=False)
    desk.note(item, check_result(item, reports))
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


CONFIGURATION = "nbgrader_config.py"
# nbgrader's folders with files of students
OF_STUDENTS = ("submitted", "autograded", "feedback", "downloaded")
FAILURE = pytest.StashKey[BaseException | None]()
NOTE = pytest.StashKey[str | None]()  # what a student is told of a check that passed
STOOD_IN = pytest.StashKey[str | None]()  # for which functions of the student's others stood in
MAX_DETAIL_CHARACTERS = 10_000


def check_result(item: pytest.Item, reports: Sequence[pytest.TestReport]) -> CheckResult:
    failed = [report for report in reports if not report.passed]
    error = item.stash.get(FAILURE, None)
    cause = cause_of(item) if failed else None
    found = CheckResult(
        name=name_of(item),
        title=title_of(item),
        grades=grader_marker(item),
        passed=not failed,
        hint=hint_of(item, cause) if failed else item.stash.get(NOTE, None),
        detail=shortened("\n".join(str(report.longrepr) for report in failed)),
        seconds=sum(report.duration for report in reports),
        tried=not isinstance(error, NotTried),
        cause=cause.name.partition("[")[0] if cause and not item.stash[STOOD_IN] else None,
        meaning=error.meaning if isinstance(error, Raised) else None,
    )
    let_go(item)
    return found


def shortened(text: str) -> str:
    """The text, which may hold what a submission returned, without its middle if it is long."""
    half = MAX_DETAIL_CHARACTERS // 2
    return text if len(text) <= 2 * half else f"{text[:half]}\n... cut ...\n{text[-half:]}"


def let_go(item: pytest.Item) -> None:
    """Free what a failed check holds: large results of many checks would add up."""
    error, item.stash[FAILURE] = item.stash.get(FAILURE, None), None
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


def cause_of(item: pytest.Item) -> CheckResult | None:
    """The check that has to be put right before this failed one, if there is one."""
    marker = grader_marker(item)
    tried = not isinstance(item.stash.get(FAILURE, None), NotTried)
    return first_failed(marker.builds_on if tried else marker.requires, item)


def hint_of(item: pytest.Item, cause: CheckResult | None) -> str:
    """What a student is told of a failed check: never the assertion's own text."""
    error = item.stash.get(FAILURE, None)
    if isinstance(error, NotTried):
        return str(error)
    own = own_hint(error, grader_marker(item))
    if cause is None:
        return own
    stood_in = item.stash[STOOD_IN]
    if stood_in is not None:
        if isinstance(error, Raised) and error.is_unwritten:
            return own
        return (
            f"“{cause.title}” did not pass, so this check was also run with working functions in "
            f"place of your {stood_in}. It did not pass then, either: {own}"
        )
    return (
        f"This builds on “{cause.title}”, which did not pass: put that right first. If this check "
        f"still fails then: {own}"
    )


def own_hint(error: BaseException | None, marker: Grades) -> str:
    """The hint that fits the fault: the check's own, or what is told of faults of that kind."""
    if isinstance(error, TookTooLong) or (isinstance(error, Raised) and error.is_unwritten):
        return error.reason  # the check's hint speaks of something else
    if isinstance(error, StudentError):
        return f"{error.reason} {marker.hint}"
    if isinstance(error, Fault):
        return f"{error.told} {marker.hint}" if error.with_hint else error.told
    return marker.hint


class NotTried(Exception):
    """A check was not run, because one that it requires had failed; its text is for students."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo) -> Iterator[None]:
    if call.excinfo is not None:
        item.stash[FAILURE] = call.excinfo.value
        if isinstance(call.excinfo.value, SandboxUnavailable | Starved):
            item.config.stash[DESK].unavailable = call.excinfo.value
    return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    marker = grades_of(item)
    if marker is None:
        return
    item.stash[FAILURE] = item.stash[NOTE] = item.stash[STOOD_IN] = None
    required = first_failed(marker.requires, item)
    if required is not None:
        raise NotTried(f"Not tried: it needs “{required.title}” first.")


@pytest.fixture
def candidate(request: pytest.FixtureRequest) -> Candidate:
    return request.config.stash[DESK].candidate_for(assignment_of(request.node))


@pytest.fixture
def student(request: pytest.FixtureRequest, candidate: Candidate) -> Student:
    """The student's functions and variables, to be called as if they were here."""
    candidate.begin(request.node.path, grader_marker(request.node).cell)
    return Student(candidate.connection)


@pytest.fixture
def student_id(candidate: Candidate) -> str | None:
    """The real id of the submission's student, where one is known."""
    return candidate.student_id


@pytest.fixture
def generator(request: pytest.FixtureRequest, candidate: Candidate) -> torch.Generator:
    """Random inputs: a generator seeded per submission and check; the seed is in the record."""
    return torch.Generator().manual_seed(seed_for(candidate, request.node.name))


def seed_for(candidate: Candidate, check: str) -> int:
    text = f"{candidate.seed} {check}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


@pytest.fixture
def passed(request: pytest.FixtureRequest) -> Callable[[str], bool]:
    """`passed("test_name")`: whether a check that this one comes `after`, or builds on, passed."""
    return lambda name: first_failed([name], request.node) is None


PaidOnce = Callable[..., None]


@pytest.fixture
def paid_once(
    request: pytest.FixtureRequest,
    student: Student,
    candidate: Candidate,
    generator: torch.Generator,
) -> PaidOnce:
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
    item = request.node

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


@pytest.fixture
def answer_text(candidate: Candidate) -> Callable[[str], str]:
    """`answer_text("mnist_loss")`: what the student wrote there. To be searched, never to be run
    or parsed: a hostile text can crash Python's parser."""
    examination = candidate.examination
    return dict(zip(examination.names, examination.cells, strict=True)).__getitem__


@pytest.fixture
def flag(request: pytest.FixtureRequest, candidate: Candidate) -> Callable[[str], None]:
    """`flag("...")` tells the instructor something that costs no points, as an incident. The
    student reads beside the check what the instructor is told."""

    def tell(text: str) -> None:
        candidate.examination.incidents.append(text)
        request.node.stash[NOTE] = f"This costs no points, but your instructor is told:  {text}."

    return tell
