"""Submissions marked ahead: while `nbgrader autograde` stores one, workers mark the next ones."""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from nbgrader.converters import Autograde

from proctor.classroom.set_aside import marks_in
from proctor.classroom.workers import Job, MarkingSettings, Outcome, Workers
from proctor.course import Course, CourseError
from proctor.grading.marks import Marks
from proctor.grading.submitted import read_submitted
from proctor.sandbox.machine import default_jobs
from proctor.sandbox.sessions import shared_sandbox
from proctor.settings import Grading


class MarkedAhead:
    """What becomes of these students' submissions, for whoever asks for one after the other."""

    def __init__(self, students: Iterable[str] = (), outcomes: Iterable[Outcome] = ()):
        self._students = set(students)
        self._outcomes = iter(outcomes)
        self._waiting: dict[str, Outcome] = {}

    def marks(self, student: str) -> Marks | None:
        """The marks, once they are there; None if nobody is at it. Raises SetAside."""
        if student not in self._students:
            return None
        while student not in self._waiting:
            outcome = next(self._outcomes, None)
            if outcome is None:
                return None
            self._waiting[outcome.job.student or ""] = outcome
        return marks_in(self._waiting.pop(student))


@contextlib.contextmanager
def marking_ahead(converter: Autograde, course: Course) -> Iterator[MarkedAhead]:
    """Let workers mark what this run of nbgrader comes to, in its order, as many as there are
    cores. One submission alone is left to nbgrader's own process."""
    grading = Grading(config=converter.config).of(converter.coursedir.assignment_id)
    settings = MarkingSettings.of(course.root, grading)
    jobs = list(jobs_of(converter, grading.submission_bytes))
    if len(jobs) < 2:
        yield MarkedAhead()
        return
    try:
        sandbox = shared_sandbox(settings.session_limits)
        workers = Workers(min(default_jobs(), len(jobs)), sandbox, settings)
    except CourseError as error:
        converter.log.warning("Submissions are marked one at a time, as %s", error)
        yield MarkedAhead()
        return
    with workers, contextlib.closing(workers.mark(jobs)) as outcomes:
        yield MarkedAhead([job.student or "" for job in jobs], outcomes)


def jobs_of(converter: Autograde, most: int) -> Iterator[Job]:
    """The submissions that nbgrader will grade, in its order; of at most so many bytes."""
    pattern = converter._format_source("(?P<assignment>.*)", "(?P<student>.*)", escape=True)
    for folder in sorted(converter.assignments):
        found = re.match(pattern, folder)
        if found and will_be_graded(converter, found["assignment"], found["student"]):
            read = functools.partial(read_submitted, Path(folder), found["assignment"], most)
            yield Job(found["student"], found["assignment"], read)


def will_be_graded(converter: Autograde, assignment: str, student: str) -> bool:
    """What nbgrader's init_destination will say, which also removes what was there before."""
    if student in converter.coursedir.student_id_exclude.split(","):
        return False
    target = converter._format_dest(assignment, student)
    if converter.force or not Path(target).exists():
        return True
    source = converter._format_source(assignment, student)
    before, now = map(converter.coursedir.get_existing_timestamp, (target, source))
    return before is not None and now is not None and now > before
