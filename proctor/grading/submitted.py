"""What a student handed in: a folder with a notebook and other files, read with care."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from nbgrader.utils import is_ignored

from proctor.grading import intake

MAX_SIDE_FILES = 100
MAX_SIDE_BYTES = 20 << 20


def read_submitted(folder: Path, assignment: str) -> bytes:
    """The notebook to grade. Raises intake.Rejected."""
    return intake.read_submission(submitted_notebook(folder / f"{assignment}.ipynb"))


def submitted_notebook(path: Path) -> Path:
    """The notebook to grade: the one of the right name, else the only other one beside it."""
    if is_linked(path.parent):
        raise intake.Rejected("the folder that was handed in is a symbolic link, not a folder.")
    if os.path.lexists(path):
        return path
    others = sorted(path.parent.glob("*.ipynb"))
    if len(others) == 1:
        return others[0]
    names = ", ".join(ascii(other.name) for other in others[:5]) or "none"
    raise intake.Rejected(
        f"there is no notebook {path.name}, and it cannot be told which other one is meant "
        f"(found: {names}). Submit the notebook under its own name."
    )


def is_linked(folder: Path) -> bool:
    """Whether a submission's folder, or the student's, leads somewhere else."""
    return folder.is_symlink() or folder.parent.is_symlink()


def side_files(folder: Path, ignore: list[str]) -> Iterator[tuple[Path, bytes]]:
    """The files that may go along with a notebook, and what is in them."""
    room = MAX_SIDE_BYTES
    for path in _files_beside(folder):
        if is_ignored(str(path), ignore) or is_ignored(str(path.parent), ignore):
            continue
        try:
            data = intake.read_regular_file(path, room)
        except intake.Rejected:
            continue
        room -= len(data)
        yield path, data


def refused_side_files(folder: Path) -> list[str]:
    """One line for each file that is not taken along, and why."""
    reasons = []
    room = MAX_SIDE_BYTES
    for path in _files_beside(folder):
        try:
            room -= len(intake.read_regular_file(path, room))
        except intake.Rejected as error:
            reasons.append(f"a file beside the notebook was left out: {error}")
    return reasons


def _files_beside(folder: Path) -> list[Path]:
    """The first files in a submitted folder that are no notebooks, in a fixed order."""
    found: list[Path] = []
    for parent, folders, names in () if is_linked(folder) else os.walk(folder):
        folders.sort()
        paths = (Path(parent, name) for name in sorted(names))
        found.extend(path for path in paths if path.suffix != ".ipynb")
        if len(found) >= MAX_SIDE_FILES:
            break
    return found[:MAX_SIDE_FILES]
