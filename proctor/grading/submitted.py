"""What a student handed in: a folder with a notebook and other files, read with care."""

from __future__ import annotations

import contextlib
import io
import os
import re
import zipfile
import zlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import dateutil.parser
from nbgrader.utils import is_ignored, parse_utc

from proctor.grading import intake
from proctor.grading.modules import Submission, modules_among, modules_beside

MAX_SIDE_FILES = 100
MAX_SIDE_BYTES = 20 << 20
MAX_TIMESTAMP_BYTES = 200
YEARS = range(1970, 2500)
OF_NBGRADER = {"timestamp.txt", "submission_secret.txt"}  # `nbgrader submit` writes them
IS_NOTEBOOK = re.compile(r"\.ipynb(\.(txt|json))?$", re.IGNORECASE)
IS_HIDDEN = re.compile(r"(^|/)(\.|__MACOSX/)")
AS_NBGRADER = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{6})? UTC")
OFFSET = re.compile(r"[+-]\d{2}:?\d{2}$")


def read_with_modules(
    path: Path, most: int = intake.MAX_FILE_BYTES, notes: tuple[str, ...] = ()
) -> Submission:
    """A notebook's file, of at most so many bytes, and the modules beside it. Raises
    intake.Rejected."""
    notebook = intake.read_submission(path, most)
    modules, left_out = modules_beside(path.parent)
    return Submission(notebook, modules, (*left_out, *notes))


def read_submitted(folder: Path, assignment: str, most: int = intake.MAX_FILE_BYTES) -> Submission:
    """The notebook of the right name, else the only one that is plainly meant, of at most so many
    bytes; with the modules beside it.

    Browsers and systems add endings (`.ipynb.txt`, `.ipynb.json`, `.IPYNB`); some hand in a folder
    or a zip file of one notebook. Raises intake.Rejected.
    """
    if is_linked(folder):
        raise intake.Rejected("the folder that was handed in is a symbolic link, not a folder.")
    path = folder / f"{assignment}.ipynb"
    if os.path.lexists(path):
        return read_with_modules(path, most)
    within = [path for path in files_in(folder) if path.parent != folder]
    beside = sorted(path for path in folder.glob("*") if not path.name.startswith("."))
    for candidates in (
        [path for path in beside if path.suffix == ".ipynb"],
        [path for path in beside if IS_NOTEBOOK.search(path.name)],
        [path for path in within if IS_NOTEBOOK.search(path.name)],
    ):
        if len(candidates) == 1:
            name = candidates[0].relative_to(folder).as_posix()
            return read_with_modules(candidates[0], most, (told(name, assignment),))
        if candidates:
            break
    archives = [path for path in beside if path.suffix.lower() == ".zip"]
    if len(archives) == 1 and not candidates:
        name, data, modules = from_archive(archives[0], most)
        return Submission(data, modules, (told(f"{archives[0].name}/{name}", assignment),))
    shown = candidates or [one for one in (*beside, *within) if one.name not in OF_NBGRADER]
    if not shown:
        raise intake.Rejected(
            f"no file was handed in. Submit the notebook under its name, {path.name}."
        )
    names = ", ".join(ascii(path.relative_to(folder).as_posix()) for path in shown[:5]) or "nothing"
    raise intake.Rejected(
        f"there is no notebook {path.name}, and it is not clear which file is meant instead "
        f"(found: {names}). Submit the notebook under its own name."
    )


def told(name: str, assignment: str) -> str:
    return f"the notebook was named {name!a}, not {assignment}.ipynb."


def from_archive(path: Path, most: int) -> tuple[str, bytes, dict[str, bytes]]:
    """The one notebook in a zip file, and the modules beside it. Raises intake.Rejected."""
    try:
        with zipfile.ZipFile(io.BytesIO(intake.read_regular_file(path, MAX_SIDE_BYTES))) as archive:
            members = archive.infolist()[:MAX_SIDE_FILES]
            found = [
                member
                for member in members
                if IS_NOTEBOOK.search(member.filename) and not IS_HIDDEN.search(member.filename)
            ]
            if len(found) == 1:
                data = member_of(archive, found[0], most)
                beside = found[0].filename[: found[0].filename.rfind("/") + 1]
                sizes = {
                    each.filename.removeprefix(beside): each
                    for each in members
                    if each.filename.startswith(beside)
                }
                modules = {
                    name: member_of(archive, sizes[name], sizes[name].file_size)
                    for name in modules_among((n, each.file_size) for n, each in sizes.items())
                }
                return found[0].filename, data, modules
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError):
        found = []
    except zlib.error:
        found = []
    raise intake.Rejected(
        f"{path.name!a} holds {len(found) or 'no'} notebooks that can be read, one is needed. "
        "Submit the notebook itself, under its own name."
    )


def member_of(archive: zipfile.ZipFile, member: zipfile.ZipInfo, most: int) -> bytes:
    """What is in a file of an archive. Raises ValueError where it is more than that."""
    with archive.open(member) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise ValueError("too large")
    return data


def files_in(folder: Path) -> list[Path]:
    """The first files in a folder and the folders in it, in a fixed order. No link is followed."""
    found: list[Path] = []
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__MACOSX")))
        found.extend(Path(parent, name) for name in sorted(names) if not name.startswith("."))
        if len(found) >= MAX_SIDE_FILES:
            break
    return found[:MAX_SIDE_FILES]


def submitted_at(folder: Path) -> datetime | None:
    """When it was handed in, as UTC without saying so; None where nothing says. Raises
    intake.Rejected for what is no time."""
    path = folder / "timestamp.txt"
    if not os.path.lexists(path):
        return None
    text = intake.read_regular_file(path, MAX_TIMESTAMP_BYTES).decode("utf-8", "replace").strip()
    try:
        return read_time(text)
    except ValueError as error:
        raise intake.Rejected(
            f"timestamp.txt contains no time that can be read ({text[:40]!a}), so it is not known "
            "whether it was late: write it as 2026-11-26 12:00:00 UTC"
        ) from error


def read_time(text: str) -> datetime:
    """A time as nbgrader writes it, as UTC without saying so. Raises ValueError, also for one that
    is so far off that no calendar could go on from it."""
    time = read_any_time(text)
    if time.year not in YEARS:
        raise ValueError(f"the year {time.year}")
    return time


def read_any_time(text: str) -> datetime:
    """Raises ValueError."""
    if AS_NBGRADER.fullmatch(text):  # most are, and a class has many
        return datetime.fromisoformat(text.removesuffix(" UTC"))
    try:
        # nbgrader takes +0100 for a hundred seconds.
        read = dateutil.parser.parse if OFFSET.search(text) else parse_utc
        return parse_utc(read(text))
    except Exception as error:  # dateutil raises whatever its parts do, decimal's errors too
        raise ValueError(str(error)) from error


def notes_on(folder: Path, assignment: str, most: int = intake.MAX_FILE_BYTES) -> list[str]:
    """What is worth telling of a submission's folder, one line each."""
    notes = refused_side_files(folder)
    with contextlib.suppress(intake.Rejected):  # the marks say so
        notes += read_submitted(folder, assignment, most).notes
    try:
        submitted_at(folder)
    except intake.Rejected as error:
        notes.append(str(error))
    return notes


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
