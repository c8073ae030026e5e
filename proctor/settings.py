"""Settings of grading, in nbgrader's way: `c.Grading.cell_seconds = 10` in nbgrader_config.py."""

from __future__ import annotations

from pathlib import Path

from nbgrader.apps import NbGrader
from nbgrader.coursedir import CourseDirectory
from traitlets import Bool, Float
from traitlets.config import Config, Configurable

from proctor.course import Course
from proctor.examination import TimeLimits


class Grading(Configurable):
    """How submissions are graded; times are wall time in seconds."""

    cell_seconds = Float(4.0, help="Time limit of one notebook cell.").tag(config=True)
    call_seconds = Float(
        4.0, help="Time limit of one call that a grader makes to a student's function."
    ).tag(config=True)
    submission_seconds = Float(45.0, help="Time limit of a whole submission.").tag(config=True)
    question_seconds = Float(
        15.0, help="The part of submission_seconds that notebook cells may not use up."
    ).tag(config=True)
    figures = Bool(
        True,
        help="Whether the figures of a submission are drawn, for a person to look at, and cells of "
        "the release run that only draw.",
    ).tag(config=True)

    def time_limits(self) -> TimeLimits:
        return TimeLimits(
            cell=self.cell_seconds,
            call=self.call_seconds,
            submission=self.submission_seconds,
            questions=self.question_seconds,
            function=2.5 * self.call_seconds,
        )


def load_config() -> Config:
    """The configuration as every nbgrader command finds it from the current folder."""
    app = NbGrader()
    app.load_config_file()
    return app.config


def course_of(config: Config) -> Course:
    """The course that the configuration names: the current folder, unless it says otherwise."""
    return Course(Path(CourseDirectory(config=config).root).resolve())
