"""`nbgrader zip_collect`: the modules that students handed in, each with the notebook it lies
beside."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from proctor.grading.modules import NAME
from proctor.platforms.names import NotMatched, claim_of

# Canvas calls it helpers-2.py when it is handed in for the third time.
COPY = re.compile(r"-\d{1,4}(?=\.py$)")


def name_beside(
    path: Path, notebooks: Mapping[tuple[str, str], Path], extracted: Path
) -> tuple[tuple[str, str], str]:
    """Whose an unpacked module is, and what it is called beside the notebook. `notebooks` are those
    that are collected, by the number and name that the platform has for a person.

    Where the platform names files, and not a folder of them, its words are taken off the name.
    Raises NotMatched for one that lies beside none.
    """
    parts = path.relative_to(extracted).parts
    claim = claim_of(parts)
    notebook = claim and notebooks.get((claim.number, claim.name))
    if not claim or not notebook:
        raise NotMatched("it is not beside a notebook that is collected")
    is_flat = claim_of(parts[:-1]) is None
    if is_flat != (claim_of(notebook.relative_to(extracted).parts[:-1]) is None):
        raise NotMatched("it is not beside a notebook that is collected")
    if is_flat and path.parent == notebook.parent:
        name = COPY.sub("", claim.file) if claim.platform == "Canvas" else claim.file
    elif not is_flat and path.is_relative_to(notebook.parent):
        name = path.relative_to(notebook.parent).as_posix()
    else:
        raise NotMatched("it is not beside a notebook that is collected")
    if not NAME.fullmatch(name):
        raise NotMatched("no import can name it: a module's name may have letters, digits, _ and -")
    return (claim.number, claim.name), name


def newest_first(paths: Iterable[Path], extracted: Path) -> list[Path]:
    """As far as the platform counts what is handed in."""

    def upload(path: Path) -> int:
        with contextlib.suppress(NotMatched):
            claim = claim_of(path.relative_to(extracted).parts)
            return claim.upload if claim else 0
        return 0

    return sorted(paths, key=upload, reverse=True)
