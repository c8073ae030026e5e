"""pytest plugin: hidden graders are ordinary tests that take a `student`.

A grader is a test function marked with `@grades("a_graded_cell", hint="...")`. Its first docstring
line is the title of the check. It runs here, in the trusted process; the student's code does not.
"""

from __future__ import annotations

import hashlib
import random
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from _pytest.runner import runtestprotocol

from proctor.examination import Examination
from proctor.sandbox import SandboxUnavailable
from proctor.student import Connection, Raised, Student, StudentError


@dataclass(frozen=True)
class Grades:
    """What `@grades(...)` says about a grader."""

    cell: str
    hint: str
    weight: float
    requires: tuple[str, ...]
    builds_on: tuple[str, ...]


@dataclass(frozen=True)
class CheckResult:
    """What one grader found. `hint` is for the student, `detail` for the instructor alone."""

    name: str
    title: str
    grades: Grades
    passed: bool
    hint: str | None
    detail: str
    seconds: float


@dataclass
class Answers:
    """One notebook under examination, for the graders of its assignment."""

    examination: Examination
    assignment: str
    student_id: str | None
    seed: int
    accelerator_device: str = "accel"
    connection: Connection = field(init=False)
    file: Path | None = None  # whose graders the open question answers
    failed: bool = False  # whether a check failed in the open question

    def __post_init__(self) -> None:
        self.connection = Connection(self.examination, self.accelerator_device)

    def begin(self, file: Path) -> None:
        """A check of `file` begins. What a wrong answer changed, where it ran, is no burden to
        another file's checks: they start from the notebook's own state."""
        if file != self.file and self.failed:
            self.examination.end_question()
            self.failed = False
        self.file = file


@dataclass
class Desk:
    """State of one pytest session: the notebooks under examination, and what was found so far.

    `results` are by node id, in the order in which the graders are written.
    """

    seed: int = 0
    answers: dict[str, Answers] = field(default_factory=dict)
    results: dict[str, CheckResult | None] = field(default_factory=dict)
    open_answers: Callable[[str], Answers] | None = None  # for runs by plain pytest
    unavailable: SandboxUnavailable | None = None  # no student is at fault for this

    def answers_for(self, assignment: str) -> Answers:
        if assignment not in self.answers:
            self.answers[assignment] = self.open_answers(assignment)
        return self.answers[assignment]

    def note(self, item: pytest.Item, result: CheckResult) -> None:
        self.results[item.nodeid] = result
        answers = self.answers.get(assignment_of(item))
        if answers is not None and not result.passed:
            answers.failed = True

    def close(self) -> None:
        """Close what was opened here; who handed answers in may still have a use for them."""
        for answers in self.answers.values() if self.open_answers else ():
            answers.examination.close()


DESK = pytest.StashKey[Desk]()


def grades(
    cell: str,
    *,
    hint: str,
    weight: float = 1.0,
    requires: str | Sequence[str] = (),
    builds_on: str | Sequence[str] = (),
) -> pytest.MarkDecorator:
    """Mark a test as a check of the graded cell `cell`.

    The cell's score is points x passed weight / total weight. A check whose `requires` (names of
    other checks of the assignment) did not all pass fails without being tried. `builds_on` names
    checks of an earlier exercise whose function this one uses: they may fail, but where this one
    fails, too, the student is told to look there first.
    """
    return pytest.mark.grades(
        Grades(cell, hint, weight, names_of_checks(requires), names_of_checks(builds_on))
    )


def names_of_checks(names: str | Sequence[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("proctor", "hidden graders")
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
    config.addinivalue_line("markers", "grades(cell, hint, weight, requires): a hidden grader")
    if config.stash.get(DESK, None) is None:
        config.stash[DESK] = plain_desk(config)


def plain_desk(config: pytest.Config) -> Desk:
    """The desk of a run by plain pytest: notebooks are read and run when a grader first asks."""
    from proctor.marking import open_answers  # it imports this module

    def open_one(assignment: str) -> Answers:
        return open_answers(
            Path.cwd(),
            assignment,
            submission=config.getoption("--submission"),
            student=config.getoption("--student"),
            seed=config.getoption("--seed"),
            accelerator_device=config.getoption("--device"),
            unsafe=config.getoption("--unsafe-no-sandbox"),
        )

    return Desk(seed=config.getoption("--seed") or 0, open_answers=open_one)


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash[DESK].close()


def grades_of(item: pytest.Item) -> Grades | None:
    marker = item.get_closest_marker("grades")
    return marker.args[0] if marker else None


def assignment_of(item: pytest.Item) -> str:
    """Graders lie in a folder with their assignment's name."""
    return item.path.parent.name


def name_of(item: pytest.Item) -> str:
    return item.nodeid.rpartition("::")[2]


def title_of(item: pytest.Item) -> str:
    text = (item.obj.__doc__ or "").strip()
    return text.splitlines()[0].rstrip(".") if text else item.name


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    graders = [item for item in items if grades_of(item)]
    others = [item for item in items if not grades_of(item)]
    items[:] = others + in_random_order(graders, config.stash[DESK])


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
            raise pytest.UsageError(f"{item.nodeid} requires itself, by way of other graders")
        for required in earlier_items(item, items):
            place(required, (*above, item.nodeid))
        ordered.append(item)

    for item in items:
        place(item, ())
    return ordered


def earlier_items(item: pytest.Item, items: Sequence[pytest.Item]) -> list[pytest.Item]:
    marker = grades_of(item)
    return graders_named(marker.requires + marker.builds_on, item, items)


def graders_named(
    names: Sequence[str], item: pytest.Item, items: Sequence[pytest.Item]
) -> list[pytest.Item]:
    """The graders with these names that belong to the same assignment as `item`."""
    return [
        other
        for other in items
        if name_of(other).partition("[")[0] in names
        and assignment_of(other) == assignment_of(item)
        and grades_of(other)
    ]


def unknown_names(items: Sequence[pytest.Item]) -> list[str]:
    """What graders require or build on, though it is no grader of their assignment."""
    return [
        f"{item.nodeid} names {name!r}, which is no grader of {assignment_of(item)}"
        for item in items
        if (marker := grades_of(item))
        for name in marker.requires + marker.builds_on
        if not graders_named([name], item, items)
    ]


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

    What a wrong answer changed where it ran costs no other exercise: after a failed check, the
    next file's checks have a fresh fork of the session. None is tried again: whoever knew of a
    second try could answer one way first and another way then.
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


FAILURE = pytest.StashKey[BaseException | None]()
MAX_DETAIL_CHARACTERS = 10_000


def check_result(item: pytest.Item, reports: Sequence[pytest.TestReport]) -> CheckResult:
    failed = [report for report in reports if not report.passed]
    marker = grades_of(item)
    hint = hint_of(item) if failed else None
    detail = shortened("\n".join(str(report.longrepr) for report in failed))
    seconds = sum(report.duration for report in reports)
    let_go(item)
    return CheckResult(name_of(item), title_of(item), marker, not failed, hint, detail, seconds)


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


def hint_of(item: pytest.Item) -> str:
    """What a student is told of a failed check: never the assertion's own text."""
    error, marker = item.stash.get(FAILURE, None), grades_of(item)
    if isinstance(error, NotTried):
        return str(error)
    earlier = first_failed(marker.builds_on, item)
    if earlier is not None:
        return f"It builds on “{earlier.title}”, which did not pass: look there first."
    if isinstance(error, Raised) and error.is_unwritten:
        return error.reason
    if isinstance(error, StudentError):
        return f"{error.reason} {marker.hint}"
    return marker.hint


class NotTried(Exception):
    """A check was not run, because one that it requires had failed."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo) -> Iterator[None]:
    if call.excinfo is not None:
        item.stash[FAILURE] = call.excinfo.value
        if isinstance(call.excinfo.value, SandboxUnavailable):
            item.config.stash[DESK].unavailable = call.excinfo.value
    return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    marker = grades_of(item)
    if marker is None:
        return
    item.stash[FAILURE] = None
    required = first_failed(marker.requires, item)
    if required is not None:
        raise NotTried(f"Not tried: it needs “{required.title}” first.")


@pytest.fixture
def answers(request: pytest.FixtureRequest) -> Answers:
    return request.config.stash[DESK].answers_for(assignment_of(request.node))


@pytest.fixture
def student(request: pytest.FixtureRequest, answers: Answers) -> Student:
    """The student's functions and variables, to be called as if they were here."""
    answers.begin(request.node.path)
    return Student(answers.connection)


@pytest.fixture
def student_id(answers: Answers) -> str | None:
    """The real id of the submission's student, where one is known."""
    return answers.student_id


@pytest.fixture
def generator(request: pytest.FixtureRequest, answers: Answers) -> torch.Generator:
    """Random inputs: a generator seeded per submission and check; the seed is in the record."""
    text = f"{answers.seed} {request.node.name}"
    number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
    return torch.Generator().manual_seed(number)


@pytest.fixture
def answer_text(answers: Answers) -> Callable[[str], str]:
    """`answer_text("mnist_loss")`: what the student wrote there. To be searched, never to be run
    or parsed: a hostile text can crash Python's parser."""
    examination = answers.examination
    return dict(zip(examination.names, examination.cells, strict=True)).__getitem__


@pytest.fixture
def flag(answers: Answers) -> Callable[[str], None]:
    """`flag("...")` tells the instructor something that costs no points, as an incident."""
    return answers.examination.incidents.append
