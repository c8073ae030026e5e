"""The seeds of random inputs: the same for the same file, and known to nobody who hands one in.

They come from a secret of the course, made when it is first needed. It lies in the course's folder,
or, where that cannot be written or read, in the user's own data folder.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import os
import secrets
from pathlib import Path

import platformdirs

from proctor.course import Course, CourseError

SECRET = ".proctor-secret"
SECRET_BYTES = 32


def seed_of(course: Course, sha256: str, attempt: int = 0) -> int:
    """The seed for the file with this hash. Whoever is marked again,  because of what befell the
    machine, meets other inputs than those it has seen.

    Raises CourseError where the course's secret is damaged.
    """
    text = f"{sha256} {attempt}".encode()
    return int.from_bytes(hmac.digest(course_secret(course.root), text, "sha256")[:6], "big")


def course_secret(root: Path) -> bytes:
    named = hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:20]
    for place in (root / SECRET, platformdirs.user_data_path("proctor") / "secrets" / named):
        try:
            return read_or_make(place)
        except OSError:
            continue
    return secret_of_this_process()


def read_or_make(place: Path) -> bytes:
    """The secret in this file, made if there is none, for this user alone."""
    try:
        found = place.read_bytes()
    except FileNotFoundError:
        made = place.with_name(f"{place.name}.{secrets.token_hex(4)}")
        if place.name != SECRET:
            place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            with os.fdopen(
                os.open(made, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb"
            ) as file:
                file.write(secrets.token_hex(SECRET_BYTES).encode())
            # Whole at once, and if another process was faster, its own stays.
            os.link(made, place)
        except FileExistsError:
            pass
        finally:
            made.unlink(missing_ok=True)
        found = place.read_bytes()
    if len(found) < SECRET_BYTES:
        raise CourseError(
            f"{place} is damaged: remove it, and another is made. Marks that were given stay; "
            "their seeds are in the records"
        )
    return found


@functools.cache
def secret_of_this_process() -> bytes:
    """Where none can be kept: what is marked later meets other inputs."""
    return secrets.token_bytes(SECRET_BYTES)
