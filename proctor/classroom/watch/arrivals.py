"""What lies in the inbound folder of nbgrader's exchange, and taking it from there.

All students may write there, under any name. So a name is read with suspicion, a submission is
taken only from its owner, and only once it is whole.
"""

from __future__ import annotations

import logging
import os
import pwd
import re
import shutil
import stat
import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nbgrader.coursedir import CourseDirectory
from nbgrader.exchange.default.collect import ExchangeCollect
from traitlets.config import Config

from proctor.classroom.faults import DISK_FAULTS
from proctor.classroom.folders import folders_in
from proctor.classroom.watch.attempt import SECRET
from proctor.course import CourseError
from proctor.grading.submitted import read_time

# A folder that nobody has touched for so long is whole, though nothing says so.
SETTLED_SECONDS = 30.0
# Student, assignment, time, and what nbgrader adds so that nobody can guess the name.
NAME = r"(?P<student>[^.].*?)\+(?P<assignment>{})\+(?P<stamp>.+?)(\+[A-Za-z0-9_=-]{{12}})?"


LOG = logging.getLogger(__name__)


class NotTaken(Exception):
    """One submission that is not taken from the exchange, and why."""


@dataclass(frozen=True)
class Arrival:
    """One folder in the exchange. `stamp` is the time in its name, which its student's machine
    wrote."""

    student: str
    assignment: str
    name: str
    stamp: str
    time: datetime
    path: Path

    def lies_there_since(self) -> datetime | None:
        """When its student's process last touched what is to be taken. The kernel writes it down,
        and nobody can set it, as anybody can a file's own times."""
        try:
            changed = [path.lstat().st_ctime for path in (self.path, *self.path.iterdir())]
        except OSError:
            return None
        return datetime.fromtimestamp(max(changed), UTC)


class Inbound:
    """The inbound folder of a course."""

    def __init__(self, config: Config, coursedir: CourseDirectory):
        self.coursedir = coursedir
        self.collect = ExchangeCollect(coursedir=coursedir, config=config)
        self.collect.log = LOG
        self.folder = Path(self.collect.root) / coursedir.course_id / "inbound"
        self._listed: dict[str, Arrival | None] = {}  # to read a time takes time
        self._seen: dict[str, tuple[int, float]] = {}  # by name: its time, and since when

    def list(self, assignments: Collection[str]) -> list[Arrival]:
        """What was handed in of these assignments, sorted by time. Raises CourseError where the
        exchange is not there."""
        if not self.coursedir.course_id:
            raise CourseError(
                "the course has no id, so nobody knows where it is in the exchange: "
                "nbgrader_config.py sets c.CourseDirectory.course_id"
            )
        try:
            names = os.listdir(self.folder)
        except OSError as error:
            told = f"{self.folder} cannot be read ({error.strerror})"
            if Path(self.collect.root).is_dir() and not self.folder.exists():
                told = f"{self.folder} is missing: `nbgrader release_assignment` makes it"
            raise CourseError(f"nothing comes from the exchange: {told}") from None
        pattern = re.compile(NAME.format("|".join(map(re.escape, assignments))))
        before = self._listed
        self._listed = {
            name: before[name] if name in before else self._arrival(pattern.fullmatch(name))
            for name in names
        }
        found = self._listed.values()
        wanted = [each for each in found if each is not None]
        return sorted(wanted, key=lambda each: (each.time, each.name))

    def _arrival(self, name: re.Match[str] | None) -> Arrival | None:
        """What a name says; None for one that nbgrader has not made."""
        if name is None:
            return None
        try:
            name[0].encode()  # a name of other bytes than letters could be stored nowhere
            handed_in = read_time(name["stamp"])
        except ValueError:
            return None
        return Arrival(
            name["student"],
            name["assignment"],
            name[0],
            name["stamp"],
            handed_in,
            self.folder / name[0],
        )

    def is_whole(self, arrival: Arrival) -> bool:
        """Whether its student's nbgrader has written all of it: the secret comes last but one, and
        the folder's mode last."""
        try:
            folder = arrival.path.lstat()
            secret = (arrival.path / SECRET).lstat()
            if stat.S_ISREG(secret.st_mode) and secret.st_size and folder.st_mode & 0o007 == 0o007:
                return True
        except OSError:
            folder = None
        touched = folder.st_mtime_ns if folder is not None else 0
        now = time.monotonic()
        before, since = self._seen.get(arrival.name, (None, now))
        if touched != before:
            since = now
        self._seen[arrival.name] = touched, since
        return now - since > SETTLED_SECONDS

    def demand_owner(self, arrival: Arrival) -> None:
        """Raises NotTaken for what another student has put there, or what is no folder.

        nbgrader warns of it, and collects it; here is nobody to read the warning.
        """
        try:
            status = arrival.path.lstat()
        except OSError as error:
            raise NotTaken(f"it cannot be read ({error.strerror})") from None
        if not stat.S_ISDIR(status.st_mode):
            raise NotTaken("it is not a folder")
        if not self.collect.check_owner:
            return
        try:
            owner = pwd.getpwuid(status.st_uid).pw_name
        except KeyError:
            owner = f"user {status.st_uid}"
        if owner != arrival.student:
            raise NotTaken(
                f"it belongs to {owner}. If students are not users of this machine, set "
                "c.ExchangeCollect.check_owner = False"
            )

    def take(self, arrival: Arrival, target: Path) -> None:
        """Copy it, with the care of `classroom.exchange`, to where submissions lie. A kill leaves
        what was there before, or all of the new.

        Raises NotTaken, and CourseError where there is no room.
        """
        new, old = beside(target)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            for left in (new, old):
                shutil.rmtree(left, ignore_errors=True)
            self.collect.do_copy(str(arrival.path), str(new))
            put_in_place(new, target)
        except (OSError, RuntimeError, shutil.Error) as error:
            if fault := disk_fault(error):
                raise CourseError(f"{target} cannot be written ({fault})") from error
            raise NotTaken(f"it cannot be copied ({error})") from None
        finally:
            shutil.rmtree(new, ignore_errors=True)


def beside(target: Path) -> tuple[Path, Path]:
    """Where the new one lies until it is whole, and the old one until the new one is there."""
    new, old = (target.with_name(f".{target.name}.{word}") for word in ("new", "old"))
    return new, old


def put_in_place(new: Path, target: Path) -> None:
    """Let a folder stand where another one stood; a kill leaves one of them there."""
    _, old = beside(target)
    if target.exists():
        target.rename(old)
    new.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def clear_away(coursedir: CourseDirectory, assignment: str) -> None:
    """Undo or finish what a kill has left of `Inbound.take`."""
    step = coursedir.submitted_directory
    for _, folder in folders_in(coursedir, step, f".{assignment}.old"):
        target = folder.with_name(assignment)
        if not target.exists():
            folder.rename(target)
    for word in ("new", "old"):
        for _, folder in folders_in(coursedir, step, f".{assignment}.{word}"):
            shutil.rmtree(folder, ignore_errors=True)


def disk_fault(error: BaseException) -> str | None:
    """What of a failed copy is our disk's fault."""
    errors: list[Any] = list(error.args[0]) if isinstance(error, shutil.Error) else []
    for _, _, reason in errors:  # shutil keeps the words alone
        if any(os.strerror(number) in str(reason) for number in DISK_FAULTS):
            return str(reason)
    if isinstance(error, OSError) and error.errno in DISK_FAULTS:
        return error.strerror
    return None
