"""Which cells of a notebook nobody would miss. Cells are compiled here, not run."""

from __future__ import annotations

import dis
import warnings
from ast import PyCF_ALLOW_TOP_LEVEL_AWAIT
from collections.abc import Callable, Collection, Container, Iterator, Sequence
from types import CodeType
from typing import NamedTuple

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
LOAD_GLOBAL = dis.opmap["LOAD_GLOBAL"]


class Facts(NamedTuple):
    """What leaving out cells needs to know of one."""

    bound: list[str]  # global names that it binds
    loaded: list[str]  # and that it loads
    any_name: bool  # whether it may deal with names that are not to be seen in it


def facts_of(source: str, transform: Callable[[str], str]) -> Facts:
    """`transform` makes Python of IPython's own syntax. Raises whatever a compiler can."""
    code = compiled(source, transform)
    return Facts(
        sorted(names_of(code, BINDING)), sorted(names_of(code, LOADING)), deals_with_any_name(code)
    )


def not_missed(
    cells: Sequence[Facts], candidates: Collection[int], students: Collection[int]
) -> list[int]:
    """Which of the candidate cells bind no name that any cell loads but those left out with them.

    Where one of the students' cells may load names that are not to be seen, none is left out.
    """
    if any(cells[index].any_name for index in students):
        return []
    left_out = {index for index in candidates if not cells[index].any_name}
    while True:
        used = {name for i, cell in enumerate(cells) if i not in left_out for name in cell.loaded}
        missed = {i for i in left_out if used.intersection(cells[i].bound)}
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
    wanted = {dis.opmap[name] for name in operations if name in dis.opmap}
    return {name for part in parts_of(code) for name in dealt_with(part, wanted)}


def dealt_with(code: CodeType, operations: Container[int]) -> Iterator[str]:
    """As `dis.get_instructions` tells, which takes ten times as long."""
    pairs = iter(code.co_code)
    argument = 0
    for operation, low in zip(pairs, pairs, strict=True):
        argument = argument << 8 | low
        if operation == dis.EXTENDED_ARG:
            continue
        if operation in operations:
            # The lowest bit of this one says something else.
            yield code.co_names[argument >> 1 if operation == LOAD_GLOBAL else argument]
        argument = 0


def parts_of(code: CodeType) -> Iterator[CodeType]:
    """The code of a cell, and of the functions and classes in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from parts_of(constant)
