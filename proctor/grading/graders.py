"""The hidden graders of an assignment: loaded by pytest once, run on one submission after another.

Starting pytest and loading the graders takes longer than running them. pytest has no way to run a
session in parts, so each assignment's session runs in a thread of its own and waits in the hook
that runs the tests: candidate come in, results go out.
"""

from __future__ import annotations

import contextlib
import os
import queue
import resource
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import torch

from proctor.course import CourseError
from proctor.grading.asserts import demand_asserts
from proctor.grading.desk import DESK, Candidate, CheckResult, Desk
from proctor.grading.order import in_random_order, unknown_names
from proctor.wire.linux import memory_in_use

# Parts of pytest that grading has no use for: they print, write files, or collect garbage.
UNUSED_PLUGINS = (
    "terminal",
    "cacheprovider",
    "faulthandler",
    "unraisableexception",
    "threadexception",
    "doctest",
    "junitxml",
    "pastebin",
    "stepwise",
    "logging",
    "warnings",
    "legacypath",
    "unittest",
)


def load_graders(folder: Path) -> None:
    """Have the graders in `folder` ready. Raises CourseError when they do not load."""
    with contextlib.redirect_stdout(sys.stderr):
        loaded_graders(folder)


def run_graders(folder: Path, candidate: Candidate) -> list[CheckResult]:
    """Run every grader in `folder` on this notebook. Raises CourseError when they do not load."""
    # Standard output is for marks; what a grader prints may show hidden values.
    with contextlib.redirect_stdout(sys.stderr):
        desk = loaded_graders(folder).run(candidate)
    if desk.unavailable:
        raise desk.unavailable
    missing = [name for name, result in desk.results.items() if result is None]
    if missing:
        raise CourseError(f"these hidden tests in {folder.name} did not run: {', '.join(missing)}")
    return [result for result in desk.results.values() if result is not None]


# What looking at the values of one submission may take, beyond what this process holds already.
MAX_BYTES = 192 << 20


@contextlib.contextmanager
def bounded_memory() -> Iterator[None]:
    """Within this block too much memory is an error, whatever shapes a submission sends.

    A product with weights that a student widened would take gigabytes: the check fails instead of
    the process. Processes started within inherit it; sandboxes have tighter limits.
    """
    if sys.platform != "linux":
        yield
        return
    before = resource.getrlimit(resource.RLIMIT_DATA)
    _, data = memory_in_use()
    limits = [value for value in (*before, data + MAX_BYTES) if value != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_DATA, (min(limits), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


_loaded: dict[tuple[Path, int], tuple[tuple, LoadedGraders]] = {}


def loaded_graders(folder: Path) -> LoadedGraders:
    """The graders in `folder`, loaded anew when a file there has changed."""
    demand_asserts()
    key = (folder.resolve(), os.getpid())
    version = tuple(
        (str(path), path.stat().st_mtime_ns, path.stat().st_size)
        for path in sorted(folder.rglob("*.py"))
    )
    before = _loaded.get(key)
    if before is not None:
        known, graders = before
        if known == version and graders.alive:
            return graders
        graders.close()
    graders = LoadedGraders(folder)
    _loaded[key] = (version, graders)
    return graders


class LoadedGraders:
    """One pytest session that stays open."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.session = OpenSession(folder)
        self.thread = threading.Thread(
            target=self._run, name=f"hidden tests of {folder.name}", daemon=True
        )
        self.thread.start()
        started = self.session.done.get()
        if isinstance(started, BaseException):
            raise started

    @property
    def alive(self) -> bool:
        return self.thread.is_alive()

    def run(self, candidate: Candidate) -> Desk:
        self.session.waiting.put(candidate)
        finished = self.session.done.get()
        if isinstance(finished, Desk):
            return finished
        raise finished or CourseError(f"the hidden tests in {self.folder.name} stopped")

    def close(self) -> None:
        self.session.waiting.put(None)
        self.thread.join()

    def _run(self) -> None:
        arguments = [
            *("--disable-plugin-autoload", "-p", "proctor.grading.plugin"),
            *(f"-pno:{plugin}" for plugin in UNUSED_PLUGINS),
            *("--capture=no", "--import-mode=importlib", "--strict-markers"),
            f"--confcutdir={self.folder}",
            f"--rootdir={self.folder}",
            f"--config-file={os.devnull}",
            # In an absolute path, pytest takes the brackets of "Kurs [2026]" for parameters.
            os.path.relpath(self.folder),
        ]
        # Values are small, and the stacks of more threads would count as memory.
        torch.set_num_threads(1)
        try:
            status = pytest.main(arguments, plugins=[self.session])
            reasons = "\n".join(self.session.errors) or f"pytest ended with {status!r}"
            if status == pytest.ExitCode.NO_TESTS_COLLECTED:
                reasons = f"tests/graders/{self.folder.name}/ has no test in a file test_*.py"
            error: BaseException = CourseError(
                f"the hidden tests in {self.folder.name} could not be run: {reasons}"
            )
        except BaseException as failure:  # noqa: BLE001 - it is raised where the thread is waited for
            error = failure
        self.session.done.put(error)


class OpenSession:
    """pytest plugin: instead of running the collected graders once, runs them on what comes in."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.waiting: queue.Queue[Candidate | None] = queue.Queue()
        self.done: queue.Queue[Desk | BaseException | None] = queue.Queue()
        self.errors: list[str] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        config.stash[DESK] = Desk()
        # Whole functions with the values of their arguments take longer to write than to run.
        config.option.tbstyle = "short"

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.errors.append(of_the_course(str(report.longrepr), self.folder))

    @pytest.hookimpl(wrapper=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> Iterator[None]:
        self.errors.extend(unknown_names(items))
        forget_modules(self.folder)
        try:
            return (yield)
        except pytest.UsageError as error:
            self.errors.append(str(error))
            raise

    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        if self.errors or not session.items:
            return None
        self.done.put(None)
        while self._run_next(session):
            session.config.stash[DESK] = Desk()  # nothing of a submission stays
        return True

    def _run_next(self, session: pytest.Session) -> bool:
        candidate = self.waiting.get()
        if candidate is None:
            return False
        desk = Desk(seed=candidate.seed, candidates={candidate.assignment: candidate})
        session.config.stash[DESK] = desk
        try:
            run_all(in_random_order(session.items, desk))
            self.done.put(desk)
        except pytest.exit.Exception as error:
            self.done.put(
                CourseError(f"a hidden test in {self.folder.name} stopped pytest: {error}")
            )
        except Exception as error:  # noqa: BLE001 - it is raised where the candidate came from
            self.done.put(error)
        return True


def of_the_course(error: str, folder: Path) -> str:
    """What pytest tells, from where it comes to the hidden tests, by their place in the course."""
    lines = error.splitlines()
    first = next((n for n, line in enumerate(lines) if f"{folder}{os.sep}" in line), 0)
    return "\n".join(lines[first:]).replace(f"{folder.parents[2]}{os.sep}", "")


def run_all(items: Sequence[pytest.Item]) -> None:
    for item, following in zip(items, [*items[1:], None], strict=True):
        item.ihook.pytest_runtest_protocol(item=item, nextitem=following)


def forget_modules(folder: Path) -> None:
    """pytest would take a grader file of the same name in another folder for the one loaded."""
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None)).startswith(f"{folder}{os.sep}"):
            del sys.modules[name]
