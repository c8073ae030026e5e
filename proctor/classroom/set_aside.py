"""A submission that gets no mark for now, through no fault of its own: why, and what helps."""

from __future__ import annotations

import logging

from nbgrader.converters.base import NbGraderException

from proctor.classroom.workers import Outcome
from proctor.course import Course
from proctor.grading.marks import Marks
from proctor.grading.records import write_aside
from proctor.text import plain

LOG = logging.getLogger(__name__)
TOO_BUSY = "Grade it again when the machine has less to do, or fewer at a time: -j 1."
WORKER_ENDED = (
    "Something ended the process that marked it, or memory ran out. Grade it again with -j 1; if "
    "it ends again, mark it by hand in Formgrader."
)
OUR_FAULT = (
    "This is a fault in proctor or in the graders, not in the submission. Grade it again; if it "
    "happens again, report it with what is written here, and mark it by hand in Formgrader."
)
NOT_STORED = "Its mark was worked out but could not be stored. Put that right, then grade again."


class SetAside(NbGraderException):
    """nbgrader is to go on with the next submission."""

    def __init__(self, outcome: Outcome):
        super().__init__(f"{outcome.job.student} is set aside, not graded: {outcome.error}")
        self.outcome = outcome


def marks_in(outcome: Outcome) -> Marks:
    """The marks of an outcome. Raises SetAside where there are none."""
    if outcome.marks is None:
        raise SetAside(outcome)
    return outcome.marks


def note_set_aside(course: Course, outcome: Outcome, error: str | None) -> None:
    """Keep why this submission was set aside, for the report and `proctor explain`."""
    student, assignment = outcome.job.student or "", outcome.job.assignment
    error = error or outcome.error or "no reason was given"
    remedy = what_helps(outcome)
    try:
        write_aside(course, student, assignment, error, remedy)
    except OSError as fault:
        told = (assignment, plain(student), fault)
        LOG.warning("%s: %s: why it was set aside could not be written down (%s)", *told)


def what_helps(outcome: Outcome) -> str:
    if outcome.marks is not None:
        return NOT_STORED
    if outcome.starved:
        return TOO_BUSY
    return OUR_FAULT if "Traceback" in (outcome.error or "") else WORKER_ENDED
