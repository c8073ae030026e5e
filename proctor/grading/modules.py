"""What was handed in: a notebook, and the student's own modules beside it, as bytes.

Modules are imported in the sandbox alone. Here they are read with care, and never run or parsed.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from proctor.grading import intake
from proctor.sandbox.beside import furnished, room_beside
from proctor.sandbox.sessions import AnySandbox

MAX_MODULES = 50
MAX_MODULE_BYTES = 1 << 20  # of all together
MAX_DEPTH = 3  # folders within folders
MAX_ENTRIES = 2000  # files and folders that are looked at
FEW_ENTRIES = 20  # as most hand in
# What `import` or `%run` can name, and every system can store.
NAME = re.compile(rf"(?:[\w-]{{1,60}}/){{0,{MAX_DEPTH}}}[\w-]{{1,60}}\.py")


@dataclass(frozen=True)
class Submission:
    """A notebook's bytes, and the student's modules by their paths beside it. `notes` say what is
    worth telling of them, one line each."""

    notebook: bytes
    modules: Mapping[str, bytes] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def sha256(self) -> str:
        """Of the notebook; where there are modules, of all of it: a change of any is seen."""
        notebook = sha256_of(self.notebook)
        if not self.modules:
            return notebook
        hashes = {name: sha256_of(self.modules[name]) for name in sorted(self.modules)}
        return sha256_of(json.dumps([notebook, hashes]).encode())

    def as_json(self) -> dict[str, Any]:
        """For another process of ours; without the notes."""
        modules = {name: encoded(data) for name, data in self.modules.items()}
        return {"notebook": encoded(self.notebook), "modules": modules}


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def submission_from_json(data: dict[str, Any]) -> Submission:
    """What `as_json` made of a submission."""
    modules = {name: base64.b64decode(text) for name, text in data["modules"].items()}
    return Submission(base64.b64decode(data["notebook"]), modules)


def sha256_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def modules_beside(folder: Path) -> tuple[dict[str, bytes], list[str]]:
    """The modules in a folder that a student handed in, and a line for each that is left out.

    Folders and files are opened once, without following links, and what is open is read.
    """
    if has_no_modules(folder):
        return {}, []
    found: dict[str, bytes] = {}
    left_out: list[str] = []
    told: list[str] = []
    too_many = 0
    for name, base, opened in python_files(folder, told):
        try:
            demand_name(name)
            room = MAX_MODULE_BYTES - sum(map(len, found.values()))
            data = intake.read_regular_file(Path(base), room, opened)
        except intake.Rejected as error:
            left_out.append(str(error))
            continue
        if len(found) < MAX_MODULES:
            found[name] = data
        else:
            too_many += 1
    if too_many:
        told.append(
            f"{too_many} modules beside the notebook were left out: {MAX_MODULES} are read."
        )
    return found, shortened(left_out) + told


def has_no_modules(folder: Path) -> bool:
    """Whether it plainly has none, as the folders of most students: no folder, no such name."""
    try:
        with os.scandir(folder) as entries:
            few = list(itertools.islice(entries, FEW_ENTRIES + 1))
            return len(few) <= FEW_ENTRIES and not any(
                entry.name.endswith(".py") or entry.is_dir(follow_symlinks=False) for entry in few
            )
    except OSError:
        return False


def python_files(folder: Path, told: list[str]) -> Iterator[tuple[str, str, int]]:
    """What may be modules, in a fixed order: path below the folder, name, open folder. Where there
    is too much to look at, that is `told`."""
    entries = 0
    for parent, folders, names, opened in os.fwalk(folder, follow_symlinks=False):
        entries += len(folders) + len(names)
        if entries > MAX_ENTRIES:
            told.append(
                f"more than {MAX_ENTRIES} files lie beside the notebook: no more modules were read."
            )
            return
        within = Path(parent).relative_to(folder)
        deep = len(within.parts) >= MAX_DEPTH
        folders[:] = [] if deep else sorted(name for name in folders if not is_hidden(name))
        for name in sorted(names):
            if name.endswith(".py") and not is_hidden(name):
                yield (within / name).as_posix(), name, opened


def is_hidden(name: str) -> bool:
    return name.startswith((".", "__MACOSX"))


def modules_among(files: Iterable[tuple[str, int]]) -> list[str]:
    """Which names of files in an archive, given with their sizes, are read as modules."""
    chosen: list[str] = []
    room = MAX_MODULE_BYTES
    for name, size in sorted(files):
        if NAME.fullmatch(name) and size <= room and len(chosen) < MAX_MODULES:
            chosen.append(name)
            room -= size
    return chosen


def demand_name(name: str) -> None:
    """Raises intake.Rejected."""
    if not NAME.fullmatch(name):
        raise intake.Rejected(
            f"{name!a} cannot be imported: a module's name may have letters, digits, _ and -."
        )


def shortened(lines: list[str], most: int = 5) -> list[str]:
    told = [f"a module beside the notebook was left out: {line}" for line in lines[:most]]
    more = len(lines) - most
    return [*told, f"{more} more modules were left out, too."] if more > 0 else told


def with_modules(
    sandbox: AnySandbox, modules: Mapping[str, bytes], beside: Mapping[str, Path]
) -> tuple[AnySandbox, list[str], list[str]]:
    """The sandbox, which holds the course's files `beside`, with a student's modules in it; their
    names, and a line for each that was left out."""
    kept, left_out = without_the_courses(modules, beside, room_beside(sandbox, beside))
    return furnished(sandbox, {}, kept), sorted(kept), left_out


def without_the_courses(
    modules: Mapping[str, bytes], beside: Mapping[str, Path], room: int
) -> tuple[dict[str, bytes], list[str]]:
    """The modules that are put beside the course's files, for which there are so many bytes, and a
    line for each that is not. What the course released stands as it was released."""
    folders = {parent.as_posix() for name in beside for parent in PurePosixPath(name).parents}
    kept, left_out = {}, []
    for name, data in modules.items():
        above = {parent.as_posix() for parent in PurePosixPath(name).parents}
        if name in beside:
            if beside[name].read_bytes() != data:
                left_out.append(f"{name} belongs to the assignment: the released version was used.")
        elif name in folders or above & beside.keys():
            left_out.append(f"{name} is in the way of the assignment's files.")
        elif len(data) > room:
            left_out.append(f"{name} does not fit beside the assignment's files.")
        else:
            kept[name] = data
            room -= len(data)
    return kept, shortened(left_out)
