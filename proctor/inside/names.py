"""Which cells of a notebook nobody would miss. Cells are compiled here, not run."""

from __future__ import annotations

import dis
import warnings
from ast import PyCF_ALLOW_TOP_LEVEL_AWAIT
from collections.abc import Callable, Iterator, Sequence
from types import CodeType

# Code that mentions one of these may use or bind any name: in a text, or all names at once.
ANY_NAME = frozenset(
    (
        *("__builtins__", "__globals__", "__import__", "__main__", "compile", "dir", "doctest"),
        *("eval", "exec", "f_globals", "get_ipython", "globals", "importlib", "inspect", "locals"),
        *("modules", "runpy", "timeit", "Timer", "user_ns", "vars"),
    )
)
BINDING = ("STORE_NAME", "STORE_GLOBAL", "DELETE_NAME", "DELETE_GLOBAL")
LOADING = (
    *("LOAD_NAME", "LOAD_GLOBAL", "LOAD_FROM_DICT_OR_GLOBALS"),  # the last since Python 3.12
    *("DELETE_NAME", "DELETE_GLOBAL"),
)


def not_missed(
    sources: Sequence[str],
    candidates: Sequence[int],
    students: Sequence[int],
    transform: Callable[[str], str],
) -> list[int]:
    """Which of the candidate cells bind no name that any cell loads but those left out with them.

    `transform` makes Python of IPython's own syntax. Where a cell cannot be looked through, or one
    of the students' may load names that are not to be seen, none is left out.
    """
    try:
        codes = [compiled(source, transform) for source in sources]
        if any(deals_with_any_name(codes[index]) for index in students):
            return []
        bound = [names_of(code, BINDING) for code in codes]
        loaded = [names_of(code, LOADING) for code in codes]
        left_out = {index for index in candidates if not deals_with_any_name(codes[index])}
    except Exception:  # noqa: BLE001 - a cell may hold anything
        return []
    while True:
        used = {name for i, names in enumerate(loaded) if i not in left_out for name in names}
        missed = {i for i in left_out if bound[i] & used}
        if not missed:
            return sorted(left_out)
        left_out -= missed


def compiled(source: str, transform: Callable[[str], str]) -> CodeType:
    with warnings.catch_warnings(action="ignore"):
        return compile(transform(source), "cell", "exec", PyCF_ALLOW_TOP_LEVEL_AWAIT)


def deals_with_any_name(code: CodeType) -> bool:
    """Whether code loads or binds names that are not to be seen in it."""
    for part in parts_of(code):
        texts = [constant for constant in part.co_consts if isinstance(constant, str)]
        imports_all = ("*",) in part.co_consts
        if imports_all or ANY_NAME.intersection(part.co_names) or "__main__" in " ".join(texts):
            return True
    return False


def names_of(code: CodeType, operations: Sequence[str]) -> set[str]:
    """The global names that these operations of the code deal with."""
    instructions = (found for part in parts_of(code) for found in dis.get_instructions(part))
    return {found.argval for found in instructions if found.opname in operations}


def parts_of(code: CodeType) -> Iterator[CodeType]:
    """The code of a cell, and of the functions and classes in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from parts_of(constant)
