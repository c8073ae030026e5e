"""Objects of the student's that stay in the sandbox, used here as if they were here.

A handle passes on calls, attributes, items, `len`, `in`, iteration and `with`. It takes part in no
comparison and no arithmetic: a class of the student's could answer there as it likes, and `==`
would be its own. What the functions below ask is asked of Python in the sandbox, not of the class.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch

from proctor.grading.calls import Device, Held, Manner, Reference, Wrap, call, call_each
from proctor.grading.connection import INVALID, Connection, Raised, TooMuch, Untrustworthy
from proctor.wire.values import Object

MOST_AT_ONCE = 256
MAX_ITERATED = 10_000


class Handle(Reference):
    """An object in the sandbox. It lives as long as the question that it was made in."""

    def __init__(self, held: Held):
        object.__setattr__(self, "_held_in_sandbox", held)

    def __call__(self, *positional: Any, **keywords: Any) -> Any:
        """Call it in the sandbox. Tensors in the result take part in autograd."""
        held = self._held_in_sandbox
        return call_held(held, held.path, f"{held.path}(...)", self, *positional, **keywords)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "_held_in_sandbox":
            raise AttributeError(name)
        try:
            return operate(self, "getattr", name, path=f"{path_of(self)}.{name}")
        except Raised as error:
            if "AttributeError" not in error.kinds or error.in_notebook:
                raise
            # Not an error of the student's code: it gave something else than the grader expected.
            raise AttributeError(f"{self!r} has no attribute {name!r}") from None

    def __setattr__(self, name: str, value: Any) -> None:
        operate(self, "setattr", name, value, path=f"{path_of(self)}.{name}")

    def __delattr__(self, name: str) -> None:
        operate(self, "delattr", name, path=f"{path_of(self)}.{name}")

    def __getitem__(self, key: Any) -> Any:
        return operate(self, "getitem", key, path=f"{path_of(self)}[...]")

    def __setitem__(self, key: Any, value: Any) -> None:
        operate(self, "setitem", key, value, path=f"{path_of(self)}[...]")

    def __delitem__(self, key: Any) -> None:
        operate(self, "delitem", key, path=f"{path_of(self)}[...]")

    def __contains__(self, item: Any) -> bool:
        return operate(self, "contains", item, path=f"in {path_of(self)}", kind=bool)

    def __len__(self) -> int:
        return operate(self, "len", path=f"len({path_of(self)})", kind=int)

    def __iter__(self) -> Iterator[Any]:
        """Its items, at most 10,000. Fetched in growing pieces, each item once."""
        path = f"{path_of(self)}[...]"
        values = operate(self, "iterate", path=path)
        size, given, more = 1, 0, True
        while more:
            items, more = taken(values, size, path)
            yield from items
            given += len(items)
            if given > MAX_ITERATED:
                raise TooMuch(f"`{path_of(self)}` gives more than {MAX_ITERATED:,} items.")
            size = min(2 * size, MOST_AT_ONCE)

    def __next__(self) -> Any:
        items, _ = taken(operate(self, "iterate", path=path_of(self)), 1, path_of(self))
        if not items:
            raise StopIteration
        return items[0]

    def __enter__(self) -> Any:
        return operate(self, "enter", path=f"with {path_of(self)}")

    def __exit__(self, kind: type | None, error: BaseException | None, _traceback: Any) -> bool:
        name = None if kind is None else kind.__name__
        told = str(error.args[0]) if error is not None and error.args else ""
        return operate(self, "leave", name, told, path=f"with {path_of(self)}", kind=bool)

    def __bool__(self) -> bool:
        raise TypeError(
            f"{self!r} is an object in the sandbox: ask for what you need to know of it"
        )

    def __eq__(self, other: object) -> bool:
        """Whether both are the same object; `equals` asks the class."""
        if not isinstance(other, Handle):
            return False
        one, two = self._held_in_sandbox, other._held_in_sandbox
        return (one.encoded, one.question) == (two.encoded, two.question)

    def __hash__(self) -> int:
        return hash(str(self._held_in_sandbox.encoded))

    def __repr__(self) -> str:
        return f"<{type_name_of(self)} in the sandbox>"

    def on_accelerator(self) -> Handle:
        """The same object, its parameters moved to the (pretend) accelerator, as are the tensors of
        its calls from now on."""
        held = self._held_in_sandbox
        manner = dataclasses.replace(held.manner, device=held.connection.accelerator_device)
        moved = Handle(dataclasses.replace(held, manner=manner))
        return operate(moved, "to_device", Device(), path=held.path)


class StudentFunction(Handle):
    """A function or class of the notebook, by its name."""

    def __init__(self, name: str, connection: Connection, manner: Manner):
        super().__init__(Held(connection, manner, name, ["name", name], type_name=name))


class Operation(Reference):
    """Something that the sandbox does with objects."""

    def __init__(self, name: str, connection: Connection):
        self._held_in_sandbox = Held(connection, Manner(), name, ["operation", name])


def call_held(
    held: Held, name: str, path: str, function: Any, *arguments: Any, **keywords: Any
) -> Any:
    """A call in the manner of something held; what stays in the sandbox is then known by `path`."""
    wrap = wrapping(held, path)
    return call(held.connection, held.manner, name, function, arguments, keywords, wrap=wrap)


def wrapping(held: Held, path: str) -> Wrap:
    """What makes handles of objects that a call in the manner of something held gives."""
    connection, manner = held.connection, dataclasses.replace(held.manner, times=1)

    def wrap(found: Object) -> Handle:
        encoded = ["object", found.number]
        return Handle(Held(connection, manner, path, encoded, connection.question, found.type_name))

    return wrap


def each(function: Handle, batches: Iterable[Sequence[Any]]) -> Iterator[Any]:
    """The results of a function for each of the batches: `function(*batch)`, one after the other.

    The calls cross to the sandbox together, which takes much less time. What one of them raises
    comes when it is its turn, and `student.last_call` is of the one whose result came last. Batches
    are tuples of arguments; an object of the student's cannot be among those of several calls
    (TypeError), but may be the function.
    """
    held = function._held_in_sandbox
    wrap = wrapping(held, f"{held.path}(...)")
    return call_each(held.connection, held.manner, held.path, function, list(batches), wrap=wrap)


def operate(
    handle: Handle, operation: str, *arguments: Any, path: str, kind: type | None = None
) -> Any:
    """Do something with an object. With `kind` the result must be of it."""
    held = handle._held_in_sandbox
    held = dataclasses.replace(held, manner=dataclasses.replace(held.manner, times=1))
    result = call_held(held, path, path, Operation(operation, held.connection), handle, *arguments)
    if kind is not None and type(result) is not kind:
        raise Untrustworthy(INVALID)
    return result


def taken(values: Any, size: int, path: str) -> tuple[list, bool]:
    if not isinstance(values, Handle):
        raise Untrustworthy(INVALID)
    result = operate(values, "take", size, path=path)
    if type(result) is not tuple or [type(part) for part in result] != [list, bool]:
        raise Untrustworthy(INVALID)
    if len(result[0]) > size or (result[1] and not result[0]):
        raise Untrustworthy(INVALID)
    return result


def path_of(handle: Handle) -> str:
    return handle._held_in_sandbox.path


# What graders ask about objects


def type_name_of(handle: Handle) -> str:
    """The name of its class."""
    return handle._held_in_sandbox.type_name


def is_instance(value: Any, kind: Any) -> bool:
    """`isinstance`, of an object in the sandbox and a class: a library's, or the student's."""
    if not isinstance(value, Handle):
        return not isinstance(kind, Handle) and isinstance(value, kind)
    return operate(value, "isinstance", kind, path=path_of(value), kind=bool)


def text_of(value: Any) -> str:
    """`repr`, of an object in the sandbox."""
    return operate(value, "text", path=f"repr({path_of(value)})", kind=str)


def equals(one: Handle, other: Any) -> bool:
    """`one == other` as the student's class answers it. That is its claim: compare values."""
    return operate(one, "equals", other, path=f"{path_of(one)} == ...", kind=bool)


def fields_of(value: Handle) -> dict[str, Any]:
    """The fields of a dataclass, or the attributes of any other object, in one go."""
    return operate(value, "fields", path=path_of(value), kind=dict)


def train(
    module: Handle,
    inputs: torch.Tensor,
    targets: torch.Tensor,
    *,
    steps: int,
    loss: Any = torch.nn.functional.mse_loss,
    optimizer: Any = torch.optim.SGD,
    **settings: Any,
) -> torch.Tensor:
    """Train a module of the student's, all steps in one crossing; the loss before each, [steps].

    `optimizer` is a class, made with the module's parameters and the `settings`, or an object that
    was made before. `loss` takes predictions and targets.
    """
    losses = operate(
        module, "train", inputs, targets, steps, loss, optimizer, settings, path=path_of(module)
    )
    if not isinstance(losses, torch.Tensor) or losses.shape != (steps,):
        raise Untrustworthy(INVALID)
    return losses
