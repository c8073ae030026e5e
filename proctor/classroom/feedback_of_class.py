"""The pages of feedback of a whole class, made side by side: `proctor feedback`.

Each worker is a process that makes pages as `nbgrader generate_feedback` does, one student after
the other. It ends when the main process is gone, and a page is put in its place whole: a kill
costs the pages that were not made yet.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import signal
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from nbconvert.writers.files import FilesWriter
from nbgrader.converters import GenerateFeedback
from nbgrader.converters.base import NbGraderException
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config

from proctor.classroom.deadlines.penalties import renew_penalties
from proctor.classroom.deadlines.table import NAME as EXTENSIONS
from proctor.classroom.faults import Messages, demand_a_sound_place
from proctor.classroom.feedback_pages import made_of, mark_of, page_of
from proctor.classroom.folders import chosen, folders_in
from proctor.classroom.gradebook import keep_engines, share_gradebook
from proctor.classroom.nbgrader_seams import NBGRADER_CONVERT_NOTEBOOKS
from proctor.course import Course, CourseError, meant
from proctor.settings import load_config
from proctor.text import plain

LOG = logging.getLogger(__name__)
# A worker takes this long to start as making so many pages does.
WORTH_A_WORKER = 40
PORTION = 8  # so many pages are handed to a worker at a time
ENDING_SECONDS = 5.0  # for the pages that are being made


@dataclass
class PagesTally:
    """What became of the pages of a class; `look_at` has who has none, and why."""

    total: int = 0
    unchanged: int = 0
    made: int = 0
    look_at: list[tuple[str, str]] = field(default_factory=list)

    @property
    def done(self) -> int:
        return self.unchanged + self.made + len(self.look_at)

    def __str__(self) -> str:
        return f"{self.unchanged} unchanged, {self.made} made, {len(self.look_at)} not possible"


@dataclass(frozen=True)
class Page:
    """What became of one page; `error` says why it could not be made."""

    student: str
    made: bool
    error: str | None = None


class PageMaker:
    """nbgrader's GenerateFeedback of one assignment, for one student after the other."""

    def __init__(self, config: Config, assignment: str, force: bool):
        keep_engines()
        self.assignment = assignment
        self.force = force
        self.coursedir = CourseDirectory(config=config)
        self.coursedir.assignment_id = assignment
        self.converter = GenerateFeedback(coursedir=self.coursedir, config=config)
        self.converter.log = logging.getLogger("proctor.feedback")
        self.converter.log.propagate = False
        self.messages = Messages()
        self.converter.log.addHandler(self.messages)
        self._prepare()

    def _prepare(self) -> None:
        """What nbgrader's `start` does before it converts anything."""
        converter = self.converter
        converter.force = self.force
        converter.writer = FilesWriter(parent=converter, config=converter.config)
        converter.exporter = converter.exporter_class(parent=converter, config=converter.config)
        for preprocessor in converter.preprocessors:
            converter.exporter.register_preprocessor(preprocessor)

    def students(self) -> list[str]:
        """Everybody whose submission was graded."""
        graded = folders_in(self.coursedir, self.coursedir.autograded_directory, self.assignment)
        notebook = f"{self.assignment}.ipynb"
        return [student for student, folder in graded if (folder / notebook).exists()]

    def is_current(self, student: str) -> bool:
        """Whether the page is there, and made of what there is now."""
        mark = mark_of(page_of(self.converter, self.assignment, student))
        return mark is not None and mark == made_of(self.converter, self.assignment, student)

    def make(self, student: str) -> Page:
        """Make a student's page, unless it is current. Raises CourseError for a fault that would
        befall every student."""
        self.messages.clear()
        made = getattr(self.converter, "pages_made", 0)
        folder = self.converter._format_source(self.assignment, student)
        self.converter.assignments = {folder: [f"{folder}/{self.assignment}.ipynb"]}
        try:
            with contextlib.chdir(self.coursedir.root):
                NBGRADER_CONVERT_NOTEBOOKS(self.converter)
        except NbGraderException:
            cause = self.messages.cause
            demand_a_sound_place(cause, "pages", "feedback/")
            return Page(student, False, f"{type(cause).__name__}: {cause}")
        if self.messages.errors:
            return Page(student, False, self.messages.errors[0])
        return Page(student, self.converter.pages_made > made)


def make_pages(
    config: Config,
    course: Course,
    assignment: str,
    wanted: Sequence[str],
    *,
    workers: int,
    force: bool,
    progress: Callable[[PagesTally], None] = lambda tally: None,
) -> PagesTally:
    """Make the pages of these students, or of all, that are not as they should be, or with `force`
    all of them. Raises CourseError."""
    maker = PageMaker(config, assignment, force)
    students = students_of(maker, wanted)
    renew_penalties(maker.coursedir, config, partial(LOG.warning, "%s, %s", EXTENSIONS))
    to_make = [student for student in students if force or not maker.is_current(student)]
    tally = PagesTally(total=len(students), unchanged=len(students) - len(to_make))
    progress(tally)
    workers = min(workers, len(to_make) // WORTH_A_WORKER)
    pages = one_by_one(maker, to_make)
    if workers > 1:
        pages = side_by_side(course.root, assignment, to_make, workers, force)
    with contextlib.closing(pages):
        for page in pages:
            if page.error is not None:
                tally.look_at.append((page.student, f"no page: {plain(page.error)}"))
            elif page.made:
                tally.made += 1
            else:
                tally.unchanged += 1
            progress(tally)
    share_gradebook(maker.coursedir)
    return tally


def students_of(maker: PageMaker, wanted: Sequence[str]) -> list[str]:
    """The wanted students, or everybody whose submission was graded. Raises CourseError."""
    students = maker.students()
    return chosen(
        wanted,
        students,
        lambda missing: (
            f"no graded submission of {maker.assignment} by {', '.join(missing)}"
            f"{meant(missing[0], students)}: `proctor grade {maker.assignment}` grades what was "
            "handed in"
        ),
    )


def one_by_one(maker: PageMaker, students: Sequence[str]) -> Generator[Page]:
    yield from map(maker.make, students)


# Side by side


def side_by_side(
    root: Path, assignment: str, students: Sequence[str], workers: int, force: bool
) -> Generator[Page]:
    """Pages as they are ready, made by so many processes. Raises CourseError."""
    context = multiprocessing.get_context("spawn")
    size = min(PORTION, max(1, len(students) // workers))
    portions = [students[start : start + size] for start in range(0, len(students), size)]
    portions.reverse()
    processes: list[BaseProcess] = []
    waiting: list[Connection] = []
    try:
        for _ in range(min(workers, len(portions))):
            ours, theirs = context.Pipe()
            with theirs:
                processes.append(
                    context.Process(
                        target=work, args=(theirs, root, assignment, force), daemon=True
                    )
                )
                processes[-1].start()
            waiting.append(ours)
            ours.send(portions.pop())
        while waiting:
            for connection in connections_ready(waiting):
                yield from received(connection)
                if portions:
                    connection.send(portions.pop())
                else:
                    waiting.remove(connection)
                    connection.close()
    except (EOFError, OSError) as error:
        raise CourseError(
            "a process that makes pages ended: was it killed, or is the memory full? Run the "
            "same command again to make the pages that are missing."
        ) from error
    finally:
        for connection in waiting:
            connection.close()
        for process in processes:
            process.join(ENDING_SECONDS)
            process.kill()
            process.join()


def connections_ready(waiting: list[Connection]) -> list[Connection]:
    return [connection for connection in wait(waiting) if isinstance(connection, Connection)]


def received(connection: Connection) -> list[Page]:
    """What a worker says of its portion. Raises CourseError if it could not go on."""
    answer = connection.recv()
    if isinstance(answer, str):
        raise CourseError(answer)
    return answer


def work(connection: Connection, root: Path, assignment: str, force: bool) -> None:
    """A worker process: it makes the pages that it is told of until the main process is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is for the main process
    os.chdir(root)
    with contextlib.suppress(EOFError, OSError):
        try:
            maker = PageMaker(load_config(), assignment, force)
            while True:
                connection.send([maker.make(student) for student in connection.recv()])
        except CourseError as error:
            connection.send(str(error))
