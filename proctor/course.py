"""Where a course keeps its things: the folder that holds nbgrader's own folders and the graders."""

from __future__ import annotations

import difflib
import functools
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import nbformat

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


ONE_EACH = (
    ". Here an assignment is one notebook: make each an assignment, or put all cells into one"
)
# So many names are listed where one was wrong.
MOST_NAMES = 20


class CourseError(Exception):
    """The course itself is not as it should be; says what is missing and what to do."""


@dataclass(frozen=True)
class Course:
    """A course folder. Everything is read below `root`, never beside the installed package."""

    root: Path

    def assignments(self) -> list[str]:
        return sorted(path.parent.name for path in self.root.glob("source/*/*.ipynb"))

    def reference(self, assignment: str) -> Path:
        """The instructor's notebook, solutions included."""
        return self._existing(f"source/{assignment}/{assignment}.ipynb", assignment)

    def release(self, assignment: str) -> Path:
        """What students get; submissions are rebuilt from it."""
        return self._existing(f"release/{assignment}/{assignment}.ipynb", assignment)

    def graders(self, assignment: str) -> Path:
        return self._existing(f"tests/graders/{assignment}", assignment)

    def record(self, student: str, assignment: str) -> Path:
        return Path(self.root, "records", student, f"{assignment}.json")

    def files_beside(self, notebook: Path) -> dict[str, Path]:
        """What was released, or lies in the source, beside a notebook: name in its folder to file.
        No notebooks, no links, nothing hidden."""
        found = {}
        for path in sorted(notebook.parent.rglob("*")):
            name = path.relative_to(notebook.parent)
            hidden = any(part.startswith((".", "__")) for part in name.parts)
            if path.is_file() and not path.is_symlink() and path.suffix != ".ipynb" and not hidden:
                found[name.as_posix()] = path
        return found

    def _existing(self, place: str, assignment: str) -> Path:
        if not NAME.fullmatch(assignment):
            raise CourseError(f"{assignment!r} cannot be the name of an assignment")
        path = self.root / place
        if not path.exists():
            others = sorted(self.root.glob(f"source/{assignment}/*.ipynb"))
            if others and place.startswith("source/"):
                named = ", ".join(other.name for other in others)
                raise CourseError(
                    f"source/{assignment} holds {named}, but an assignment's notebook needs its "
                    f"name, {assignment}.ipynb: rename it{ONE_EACH if len(others) > 1 else ''}"
                )
            known = self.assignments()
            if known and assignment not in known:
                raise CourseError(
                    f"there is no assignment {assignment} here{meant(assignment, known)}"
                )
            remedy = (
                f"`nbgrader generate_assignment {assignment}` makes it"
                if place.startswith("release/")
                else "run from the course folder, the one with nbgrader_config.py"
            )
            raise CourseError(f"{place} is missing in the course folder: {remedy}")
        return path


def meant(name: str, known: Sequence[str]) -> str:
    """The end of an error about a wrong name: which one it may have been, or the few there are."""
    if close := difflib.get_close_matches(name, known, n=1):
        return f": did you mean {close[0]}?"
    return f". There is {', '.join(known)}" if 0 < len(known) <= MOST_NAMES else ""


def write_whole(path: Path, text: str, *, others_may_read: bool = True) -> None:
    """Write a file in one step: a reader never sees half of it, and one that another instructor
    has written is replaced where the folder is the group's."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        new.write_text(text, encoding="utf-8")
        if not others_may_read:
            new.chmod(new.stat().st_mode & 0o660)  # the group as the umask has it
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise


def read_notebook(path: Path) -> nbformat.NotebookNode:
    """A notebook of the course itself (never a submission: those go through `intake`)."""
    import nbformat  # a third of a second, and most commands that say what is wrong read none

    return nbformat.read(path, as_version=4)


def read_release(path: Path) -> nbformat.NotebookNode:
    """The same notebook each time, as long as its file is the same: nobody is to change it."""
    found = path.stat()
    return _read_release(path, found.st_mtime_ns, found.st_size)


@functools.lru_cache(16)
def _read_release(path: Path, _changed: int, _size: int) -> nbformat.NotebookNode:
    return read_notebook(path)
