"""One attempt of a student: what lies in a folder of nbgrader's, and what tells it from others."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from proctor.grading import intake
from proctor.grading.modules import MAX_MODULES
from proctor.grading.submitted import read_submitted

TIMESTAMP = "timestamp.txt"
SECRET = "submission_secret.txt"
MAX_BYTES = 1000

# What a look at a folder sees that changes whenever the attempt does.
Sign = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class Attempt:
    """An attempt that waits to be marked. `sha256` is that of its notebook, None for one that
    cannot be read; `since` is when it was first seen, in seconds since 1970."""

    student: str
    assignment: str
    key: str
    sha256: str | None
    since: float
    folder: Path
    tries: int = 0


def key_of(sha256: str | None, folder: Path) -> str:
    """What tells an attempt from all others: its notebook, its time, its secret."""
    parts = [sha256, *(of_attempt(folder, name) for name in (TIMESTAMP, SECRET))]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:20]


def look_at(folder: Path, assignment: str, most: int) -> tuple[str, str | None]:
    """The key of the attempt in a folder, and the hash of its notebook, of at most so many bytes,
    with the modules beside it."""
    try:
        sha256 = read_submitted(folder, assignment, most).sha256
    except intake.Rejected:
        sha256 = None
    return key_of(sha256, folder), sha256


def sign_of(folder: Path, assignment: str) -> Sign:
    """What is cheap to look at, and changes whenever the attempt does."""
    modules = sorted(folder.glob("*.py"))[:MAX_MODULES]
    notebook, secret = folder / f"{assignment}.ipynb", folder / SECRET
    return tuple(seen(path) for path in (folder, notebook, secret, *modules))


def seen(path: Path) -> tuple[int, int, int]:
    try:
        status = path.lstat()
    except OSError:
        return (0, 0, 0)
    return status.st_mtime_ns, status.st_ino, status.st_size


def of_attempt(folder: Path, name: str) -> str | None:
    """What a small file of an attempt holds, if it is there and can be read."""
    try:
        return intake.read_regular_file(folder / name, MAX_BYTES).decode()
    except (intake.Rejected, UnicodeDecodeError):
        return None
