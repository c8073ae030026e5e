"""nbgrader's exchange, the folder between instructors and students, where all may write.

`guard_exchange` changes two of nbgrader's methods, for which it has no setting: what it says to an
instructor whose exchange cannot be used, and what it takes from there.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nbgrader.exchange.default.collect import ExchangeCollect
from nbgrader.exchange.default.exchange import Exchange

from proctor.course import CourseError

DO_COPY = ExchangeCollect.do_copy


def demand_exchange(folder: Path) -> Path:
    """An exchange that is there and can be written to. Raises CourseError."""
    folder = folder.resolve()
    remedy = f"`mkdir -p {folder} && chmod 777 {folder}` makes it what nbgrader needs"
    if not folder.is_dir():
        raise CourseError(f"the exchange {folder} is not there: {remedy}")
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise CourseError(f"the exchange {folder} cannot be written to: {remedy}") from error
    return folder


def guard_exchange() -> None:
    """Let nbgrader say what to do about an exchange, and collect nothing but files."""
    Exchange.ensure_root = ensure_root
    ExchangeCollect.do_copy = do_copy


def ensure_root(self: Exchange) -> None:
    """In place of nbgrader's, which tells instructors to contact their instructor."""
    try:
        demand_exchange(Path(self.root))
    except CourseError as error:
        self.fail(f"{error}, or let c.Exchange.root in nbgrader_config.py name another folder.")


def do_copy(self: ExchangeCollect, source: str, target: str, log: Any = None) -> None:
    """In place of nbgrader's, which follows links out of a submission, and waits at pipes."""
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder) / "files"
        shutil.copytree(source, files, ignore=links_and_devices(self.log.warning))
        DO_COPY(self, str(files), target, log=log)


def links_and_devices(warn: Callable[[str], None]) -> Callable[[str, list[str]], list[str]]:
    """For shutil.copytree: what is neither a file nor a folder."""

    def ignored(folder: str, names: list[str]) -> list[str]:
        kinds = {name: os.lstat(Path(folder, name)).st_mode for name in names}
        odd = [n for n, kind in kinds.items() if not stat.S_ISREG(kind) and not stat.S_ISDIR(kind)]
        for name in odd:
            warn(f"not collected, as it is no file: {str(Path(folder, name))!a}")
        return odd

    return ignored
