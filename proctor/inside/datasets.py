"""scikit-learn's small data sets, read once before the forks instead of in each session.

Digits take longer to parse than most cells to run. A session gets a copy, as if it had read them.
"""

from __future__ import annotations

import copy
import functools
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

# What takes long: their files are compressed text.
SETS = ("load_digits", "load_diabetes")


def read_once() -> None:
    """Where a course has scikit-learn's data sets imported before the forks."""
    base: Any = sys.modules.get("sklearn.datasets._base")
    read = getattr(base, "load_gzip_compressed_csv_data", None)
    if read is None:
        return
    known: dict[str, Any] = {}
    base.load_gzip_compressed_csv_data = noting(read, known)
    for name in SETS:
        with suppress(Exception):  # another version of it: then each session reads for itself
            getattr(base, name)()
    base.load_gzip_compressed_csv_data = remembering(read, known)


def noting(read: Callable[..., Any], known: dict[str, Any]) -> Callable[..., Any]:
    def noted(*arguments: Any, **keywords: Any) -> Any:
        found = read(*arguments, **keywords)
        known[key_of(arguments, keywords)] = copy.deepcopy(found)
        return found

    return noted


def remembering(read: Callable[..., Any], known: dict[str, Any]) -> Callable[..., Any]:
    @functools.wraps(read)
    def remembered(*arguments: Any, **keywords: Any) -> Any:
        found = known.get(key_of(arguments, keywords))
        return read(*arguments, **keywords) if found is None else copy.deepcopy(found)

    return remembered


def key_of(arguments: tuple, keywords: dict[str, Any]) -> str:
    return repr((arguments, sorted(keywords.items())))
