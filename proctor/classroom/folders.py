"""Which folders of submissions there are: nbgrader sees only those with a notebook in them."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from nbgrader.coursedir import CourseDirectory

from proctor.course import CourseError


def handed_in(
    coursedir: CourseDirectory, assignment: str, student: str = "*"
) -> list[tuple[str, Path]]:
    """Students and the folders that they handed in, by name; `student` is a pattern."""
    return folders_in(coursedir, coursedir.submitted_directory, assignment, student)


def folders_in(
    coursedir: CourseDirectory, step: str, assignment: str, student: str = "*"
) -> list[tuple[str, Path]]:
    """Students and their folders of one of nbgrader's steps, such as "autograded"."""
    # The course's own path is no pattern, whatever signs are in it.
    known = coursedir.format_path(step, "STUDENT", assignment)
    before, after = known.rsplit("STUDENT", 1)
    pattern = glob.escape(before) + student + glob.escape(after)
    name = re.compile(re.escape(before) + r"([^/]*)" + re.escape(after))
    folders = (folder for folder in glob.glob(pattern) if os.path.isdir(folder))  # noqa: PTH207,PTH112
    matched = ((name.fullmatch(folder), folder) for folder in folders)
    return sorted((found[1], Path(folder)) for found, folder in matched if found)


def chosen(
    wanted: Sequence[str], students: Sequence[str], complaint: Callable[[list[str]], str]
) -> list[str]:
    """The wanted students in their order, or everybody. Raises CourseError, with what `complaint`
    says of them, if some of those wanted are not there."""
    missing = sorted(set(wanted) - set(students))
    if missing:
        raise CourseError(complaint(missing))
    return [student for student in students if not wanted or student in wanted]
