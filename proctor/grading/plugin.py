"""pytest plugin: hidden graders are ordinary tests that take a `student`.

A grader is a test function marked with `@grades("a_graded_cell", hint="...")`. Its first docstring
line is the title of the check. It runs here, in the trusted process; the student's code does not.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
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
    grader_marker,
    grades_of,
)
from proctor.grading.fixtures import (  # noqa: F401 - fixtures are found where they are imported
    NOTE,
    STOOD_IN,
    answer_text,
    candidate,
    first_failed,
    flag,
    generator,
    make_fixtures,
    paid_once,
    passed,
    student,
    student_id,
)
from proctor.grading.marking import open_candidate
from proctor.grading.order import in_random_order, name_of
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


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Run a grader, once.

    What an answer changed where it ran costs no other exercise: each file's checks have a fresh
    fork of the session. None is tried again: whoever knew of a second try could answer one way
    first and another way then.
    """
    if grades_of(item) is None:
        return None
    hook, place = item.ihook, {"nodeid": item.nodeid, "location": item.location}
    hook.pytest_runtest_logstart(**place)
    desk = item.config.stash[DESK]
    reports = runtestprotocol(item, nextitem=nextitem, log=False)
    desk.note(item, check_result(item, reports))
    for report in reports:
        hook.pytest_runtest_logreport(report=report)
    hook.pytest_runtest_logfinish(**place)
    return True


CONFIGURATION = "nbgrader_config.py"
# nbgrader's folders with files of students
OF_STUDENTS = ("submitted", "autograded", "feedback", "downloaded")
FAILURE = pytest.StashKey[BaseException | None]()
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
    make_fixtures(item)
