"""What graders do with objects that stay in the sandbox, beside calling them."""

from __future__ import annotations

import builtins
import dataclasses
import operator
import sys
from collections.abc import Callable, Iterable
from typing import Any

import torch

from proctor.inside.figures import figure_facts


class Iteration:
    """An iteration that a grader goes on with in pieces. An error waits for what came before it."""

    def __init__(self, values: Iterable):
        self.values = iter(values)
        self.error: BaseException | None = None

    def take(self, most: int) -> tuple[list, bool]:
        """Up to so many more, and whether there may be others."""
        if self.error is not None:
            raise self.error
        taken: list = []
        try:
            for _ in range(most):
                taken.append(next(self.values))
        except StopIteration:
            return taken, False
        except Exception as error:
            if not taken:
                raise
            self.error = error
        return taken, True


def enter(value: Any) -> Any:
    return type(value).__enter__(value)


def leave(value: Any, kind: str | None, text: str) -> bool:
    """End a context; with an exception of that name where the grader's block raised one."""
    if kind is None:
        return bool(type(value).__exit__(value, None, None, None))
    made = getattr(builtins, kind, None)
    if not (isinstance(made, type) and issubclass(made, Exception)):
        made = RuntimeError
    error = made(text)
    return bool(type(value).__exit__(value, made, error, None))


def fields(value: Any) -> dict[str, Any]:
    """The values of a dataclass's fields, or of an object's attributes."""
    if dataclasses.is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return dict(vars(value))


def table(frame: Any) -> dict[str, Any]:
    """A pandas frame or series by its columns."""
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(frame, pandas.Series):
        frame = frame.to_frame()
    if pandas is None or not isinstance(frame, pandas.DataFrame):
        raise TypeError(f"{type(frame).__name__} is no pandas frame")
    columns = {name: column_values(frame.iloc[:, i]) for i, name in enumerate(frame.columns)}
    return {"columns": columns, "index": frame.index.tolist()}


def column_values(column: Any) -> Any:
    """An array of numbers; else a list, dates as text and what is missing as None."""
    values = column.to_numpy()
    if values.dtype.kind in "biuf":
        return values
    items = column.astype(str).tolist() if values.dtype.kind in "mM" else column.tolist()
    return [None if gone else item for item, gone in zip(items, column.isna(), strict=True)]


def to_device(value: Any, device: torch.device) -> Any:
    """The object, its parameters moved where it has any."""
    return value.to(device) if isinstance(value, torch.nn.Module) else value


def train(
    module: Any,
    inputs: torch.Tensor,
    targets: torch.Tensor,
    steps: int,
    loss: Callable,
    optimizer: Any,
    settings: dict[str, Any],
) -> torch.Tensor:
    """Steps of an optimizer, all on the same batch; the loss before each, shape [steps]."""
    if not hasattr(optimizer, "step") or isinstance(optimizer, type):
        optimizer = optimizer(module.parameters(), **settings)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        value = loss(module(inputs), targets)
        value.backward()
        optimizer.step()
        losses.append(value.detach())
    return torch.stack(losses)


OPERATIONS: dict[str, Callable] = {
    "getattr": getattr,
    "setattr": setattr,
    "delattr": delattr,
    "getitem": operator.getitem,
    "setitem": operator.setitem,
    "delitem": operator.delitem,
    "contains": operator.contains,
    "len": len,
    "iterate": Iteration,
    "take": Iteration.take,
    "enter": enter,
    "leave": leave,
    "isinstance": isinstance,
    "text": repr,
    "equals": lambda value, other: bool(value == other),
    "fields": fields,
    "table": table,
    "figure": figure_facts,
    "to_device": to_device,
    "train": train,
}
