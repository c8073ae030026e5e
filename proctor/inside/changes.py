"""What each cell of a notebook changes that functions stand on: names, and the ground under them.

A function looks its names up when it is called, so a cell further down can change what it does:
by giving a name to something else, by changing a class or an object in place, by a switch of torch,
by exchanging a function of a library, by writing a file that it reads.
What is found here is told to the trusted side, which believes it only as far as it does a
submission no good to lie.
"""

from __future__ import annotations

import builtins
import contextlib
import functools
import itertools
import math
import operator
import os
import random
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path, PurePath
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy
import torch

from proctor.inside.dictionaries import Held
from proctor.wire.names import LOADING, names_of, parts_of

# IPython's own names: what was typed and what came of it.
OF_THE_SHELL = re.compile(r"_+|_i+|_[ido]h|_i?\d+|_exit_code|In|Out|get_ipython|exit|quit|open")
DEEPEST = 4  # functions within functions, classes and instances that are looked into
MOST_ITEMS = 200  # of a list, dict or set that are compared, and files of the working folder
DEEPEST_MARK = 3  # a class in a module, an object in an object
PLAIN = (bool, int, str, type(None))  # told apart by value: giving the same again is no change
LONGEST_TEXT = 1000
# What a class holds of itself, some of it made when somebody first asks.
OF_THE_CLASS = re.compile(r"__(annot\w+|conditional_annotations|abstractmethods|weakref|dict)__")

# Read whenever a student's cell has run.
SWITCHES: dict[str, Callable[[], Any]] = {
    "whether torch records gradients": torch.is_grad_enabled,
    "torch's inference mode": torch.is_inference_mode_enabled,
    "torch's default dtype": torch.get_default_dtype,
    "torch's default device": lambda: str(torch.get_default_device()),
    "torch's deterministic algorithms": torch.are_deterministic_algorithms_enabled,
    "torch's anomaly detection": torch.is_anomaly_enabled,
    "torch's precision of products": torch.get_float32_matmul_precision,
    "torch's modes": lambda: (
        torch._C._len_torch_function_stack(),
        torch._C._len_torch_dispatch_stack(),
    ),
    "numpy's error handling": lambda: tuple(numpy.geterr().values()),
    "warnings as errors": lambda: sum(entry[0] == "error" for entry in warnings.filters),
    "the working folder": os.getcwd,
    "the recursion limit": sys.getrecursionlimit,
}
# What answers take from libraries: these and everything in them should stay as they were.
LIBRARIES = (
    *(builtins, math, operator, functools, random, numpy, torch, torch.nn, torch.nn.functional),
    *(torch.optim, torch.autograd, torch.linalg, torch.special, torch.distributions),
)
CLASSES = {"torch.Tensor": torch.Tensor, "torch.nn.Module": torch.nn.Module}


class Watch:
    """Looks at a notebook's names after each cell, and tells what the cell changed."""

    def __init__(self, namespace: dict[str, Any]):
        self.namespace = namespace
        self.names = marks_of(namespace)
        self.ground = Ground()
        self.files = files_here()

    def look(self, ground: bool) -> dict[str, Any]:
        """What changed since the last look: `names`, each with the names that its code loads now,
        and, if asked for, `ground`, in a few words each."""
        try:
            now = marks_of(self.namespace)
            before, self.names = self.names, now
            names: dict[str, list[str]] = {name: [] for name in before.keys() - now.keys()}
            for name, mark in now.items():
                if not same(before.get(name), mark):
                    names[name] = sorted(self._needs_of(self.namespace.get(name)))
            changed = [*self.ground.look(), *self._changed_files()] if ground else []
            return {"names": names, "ground": changed}
        except Exception:  # noqa: BLE001 - names may stand for anything, and change meanwhile
            return {"names": {}, "ground": []}

    def _changed_files(self) -> list[str]:
        """Files that are not as they were, or gone, and that a function or a text here names."""
        before, self.files = self.files, files_here()
        changed = [name for name, mark in before.items() if self.files.get(name) != mark]
        if not changed:
            return []
        values = [value for name, value in list(self.namespace.items()) if is_own(name)]
        texts = {str(value) for value in values if issubclass(type(value), str | PurePath)}
        for code in (code for value in values for code in self._codes_in(value, DEEPEST)):
            for part in parts_of(code):
                texts |= {one for one in part.co_consts if type(one) is str}
        named = {PurePath(text).name for text in texts}
        return [f"the file {name}" for name in sorted(changed) if name in named]

    def _needs_of(self, value: Any) -> set[str]:
        """The global names that a function, class or instance loads when it is used."""
        codes = self._codes_in(value, DEEPEST)
        return {name for code in codes for name in names_of(code, LOADING)}

    def _codes_in(self, value: Any, depth: int) -> Iterator[CodeType]:
        kind = type(value)
        if depth == 0:
            return
        if kind is FunctionType:
            if value.__globals__ is self.namespace:
                yield value.__code__
            for cell in value.__closure__ or ():  # of a decorated function, the function itself
                with contextlib.suppress(ValueError):  # not filled yet
                    yield from self._codes_in(cell.cell_contents, depth - 1)
        elif kind in (classmethod, staticmethod):
            yield from self._codes_in(value.__func__, depth - 1)
        elif kind is property:
            yield from self._codes_in(value.fget, depth - 1)
        elif kind is functools.partial:
            yield from self._codes_in(value.func, depth - 1)
        elif is_class(value) and is_of_notebook(value):
            for item in list(contents_of(value).values()):
                yield from self._codes_in(item, depth - 1)
        elif not is_class(value) and is_of_notebook(kind):
            yield from self._codes_in(kind, depth)


def marks_of(namespace: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """For each name something that is another when the name stands for something else."""
    return {name: mark_of(value) for name, value in list(namespace.items()) if is_own(name)}


def is_own(name: Any) -> bool:
    return type(name) is str and not OF_THE_SHELL.fullmatch(name)


def mark_of(value: Any, depth: int = DEEPEST_MARK) -> tuple[Any, Any]:
    """What tells a value from others, and from itself changed in place. It holds on to nothing
    large."""
    kind = type(value)
    if kind in PLAIN and not (kind is str and len(value) > LONGEST_TEXT):
        return (kind, 0), value
    if kind is float:
        return (kind, 0), value.hex()
    if kind in (staticmethod, classmethod):
        return mark_of(value.__func__, depth)
    held = kind in (FunctionType, ModuleType) or is_class(value)
    return (kind, Itself(value) if held else id(value)), content_of(value, kind, depth)


class Itself:
    """Equal to itself alone, whatever the value says; held, so that no other takes its place."""

    def __init__(self, value: Any):
        self.value = value

    def __eq__(self, other: object) -> bool:
        return type(other) is Itself and other.value is self.value

    __hash__ = None  # type: ignore[assignment]


def content_of(value: Any, kind: type, depth: int) -> Any:
    """What can change in a value that stays the same object."""
    if kind is FunctionType:
        given = vars(value)
        parts = value.__code__, value.__defaults__, value.__kwdefaults__
        return *map(id, parts), marks_in(given, depth) if given else None
    if kind in (torch.Tensor, torch.nn.Parameter):
        with contextlib.suppress(RuntimeError):  # made in inference mode
            return value._version
    if kind in (list, dict, set) and len(value) <= MOST_ITEMS:
        items = value.items() if kind is dict else value
        return [(id(item[0]), id(item[1])) if kind is dict else id(item) for item in items]
    if kind is ModuleType:
        return marks_in(vars(value), depth) if is_of_student(value) else None
    if is_class(value):
        return marks_of_class(value, depth)
    if is_of_notebook(kind):
        own = None
        with contextlib.suppress(AttributeError):  # its attributes may stand in slots
            own = marks_in(object.__getattribute__(value, "__dict__"), depth)
        return own, marks_of_class(kind, depth)
    return None


def marks_of_class(kind: type, depth: int) -> Any:
    """Of all that it has from classes of the notebook."""
    above = type.__dict__["__mro__"].__get__(kind)
    return [marks_in(contents_of(each), depth) for each in above if is_of_notebook(each)]


def marks_in(contents: Any, depth: int) -> Any:
    """Marks of what a class, an object or a module holds."""
    if depth == 0 or len(contents) > MOST_ITEMS:
        return None
    return {
        name: mark_of(value, depth - 1)
        for name, value in list(contents.items())
        if type(name) is str and not OF_THE_CLASS.fullmatch(name)
    }


def is_of_student(module: ModuleType) -> bool:
    """Whether a module was read from the working folder, as those beside a notebook are."""
    file = vars(module).get("__file__")
    return type(file) is str and Path(file).absolute().parent == Path.cwd()


def files_here() -> dict[str, tuple[int, ...]]:
    """What tells each file of the working folder from what it was: its name to these."""
    found: dict[str, tuple[int, ...]] = {}
    with contextlib.suppress(OSError), os.scandir() as entries:
        for entry in itertools.islice(entries, MOST_ITEMS):
            told = entry.stat(follow_symlinks=False)
            found[entry.name] = (told.st_ino, told.st_size, told.st_mtime_ns)
    return found


def same(before: tuple[Any, Any] | None, now: tuple[Any, Any]) -> bool:
    return before is not None and before == now


def is_class(value: Any) -> bool:
    return issubclass(type(value), type)


def is_of_notebook(kind: type) -> bool:
    return contents_of(kind).get("__module__") == "__main__"


def contents_of(kind: type) -> Any:
    """What a class defines, whatever its metaclass says."""
    return type.__dict__["__dict__"].__get__(kind)


class Ground:
    """Switches, and what libraries hold: the same for all functions of a notebook."""

    def __init__(self) -> None:
        self.switches = read_switches()
        self.held = held_by_libraries().copy()

    def look(self) -> list[str]:
        """What is not as it was, in a few words each."""
        switches = read_switches()
        changed = [what for what, value in switches.items() if value != self.switches[what]]
        self.switches = switches
        for place, found in libraries().items():
            held = self.held[place]
            # What is new in a class hides what it inherits; in a module it changes nothing.
            if held.is_held_by(found, alone=place in CLASSES):
                continue
            names = held.changed(found)
            if place in CLASSES:
                names += found.keys() - held.items.keys()
            changed.extend(
                f'{place}["{name}"]' if found is sys.modules else f"{place}.{name}"
                for name in names[:5]
            )
            self.held[place] = Held(found)
        return changed


def libraries() -> dict[str, Any]:
    found: dict[str, Any] = {library.__name__: vars(library) for library in LIBRARIES}
    found |= {name: vars(kind) for name, kind in CLASSES.items()}
    return found | {"sys.modules": sys.modules}


@functools.cache
def held_by_libraries() -> dict[str, Held]:
    """When this is first asked for: before the forks, as it touches all that there is."""
    return {name: Held(found) for name, found in libraries().items()}


def read_switches() -> dict[str, Any]:
    found = {}
    for what, read in SWITCHES.items():
        with contextlib.suppress(Exception):
            found[what] = read()
    return found
