"""What goes wrong while nbgrader works for us: heard from its log, and whose fault it is."""

from __future__ import annotations

import errno
import logging
import sys

from sqlalchemy.exc import DatabaseError, OperationalError

from proctor.classroom.gradebook import unusable
from proctor.course import CourseError

DISK_FAULTS = frozenset(
    {errno.EACCES, errno.EDQUOT, errno.EIO, errno.ENOSPC, errno.EPERM, errno.EROFS}
)


class Messages(logging.Handler):
    """Keeps the errors that nbgrader logs: its exception says only that there were some."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.errors: list[str] = []
        self.cause: BaseException | None = None

    def emit(self, record: logging.LogRecord) -> None:
        self.errors.append(record.getMessage().strip().splitlines()[-1])
        self.cause = self.cause or sys.exception()

    def clear(self) -> None:
        self.errors.clear()
        self.cause = None


def demand_a_sound_place(error: BaseException | None, what: str, folders: str) -> None:
    """Raises CourseError if this error would befall every student: the fault of a disk, of the
    rights to a folder, or of the gradebook."""
    if isinstance(error, OSError) and error.errno in DISK_FAULTS:
        raise CourseError(
            f"{what} cannot be written ({error.strerror}). Make sure that there is room in "
            f"{folders}, and that you may write there; then run the same command again to go on."
        )
    if isinstance(error, DatabaseError) and type(error) in (DatabaseError, OperationalError):
        raise unusable(error)
