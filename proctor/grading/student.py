"""The `student` that graders call: a student's functions and variables, as if they were here.

Values and gradients come from the sandbox as data; what is no data stays there, and is used here by
a `Handle`.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import torch

from proctor.grading.calls import Device, Held, Manner
from proctor.grading.connection import (
    CallFacts,
    Connection,
    KeptTensor,
    NotDefined,
    StudentError,
)
from proctor.grading.handles import Handle, StudentFunction, call_held
from proctor.grading.structure import Structure
from proctor.sandbox.examination import Examination
from proctor.wire.values import Object, Source


class Student:
    """The names of one submitted notebook: `student.mnist_loss(predictions, targets)`.

    A name gives a function or class to call, or the value of a variable (NumPy arrays arrive as
    tensors). `student["read"]` is the notebook's name even where `student.read` is the engine's.
    Raises NotDefined for a name the notebook does not define.
    """

    def __init__(self, connection: Connection, manner: Manner | None = None):
        self._connection = connection
        self._manner = manner or Manner()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self[name]

    def __getitem__(self, name: str) -> Any:
        connection = self._connection
        function = StudentFunction(name, connection, self._manner)
        if name in connection.functions:
            return function
        reply, tensors = connection.ask(name, {"ask": "get", "name": name})
        if reply.get("found") is not True:
            reason = f"`{name}` is not defined after the notebook has run."
            raise NotDefined(reason, errors_of_cells(connection.examination))
        if reply.get("callable") is True:
            connection.functions.add(name)
            return function
        question, manner = connection.question, dataclasses.replace(self._manner, times=1)

        def wrap(found: Object) -> Handle:
            encoded = ["object", found.number]
            return Handle(Held(connection, manner, name, encoded, question, found.type_name))

        [value] = Structure([reply.get("value")], tensors).fill(tensors, wrap)
        return value

    def has(self, name: str) -> bool:
        """Whether the notebook defines `name`."""
        reply, _ = self._connection.ask(name, {"ask": "get", "name": name})
        return reply.get("found") is True

    @property
    def on_accelerator(self) -> Student:
        """The same student, called with its tensors on the (pretend) accelerator."""
        return self._with(device=self._connection.accelerator_device)

    @property
    def counting_operations(self) -> Student:
        """The same student, with the torch operations of each call counted."""
        return self._with(counting_operations=True)

    def repeating(self, times: int) -> Student:
        """The same student, each call made so many times in a row, on the same arguments: a loop
        of training crosses to the sandbox once. What comes back is the last call's result; all
        together they have the time of one call."""
        if times < 1:
            raise ValueError(f"a call cannot be made {times} times")
        return self._with(times=times)

    def _with(self, **changes: Any) -> Student:
        return Student(self._connection, dataclasses.replace(self._manner, **changes))

    @property
    def device(self) -> Device:
        """As an argument: the device that the call's tensors are on."""
        return Device()

    @property
    def last_call(self) -> CallFacts:
        return self._connection.last_call

    def remote(self, function: Any, *positional: Any, **keywords: Any) -> Any:
        """Call a library's function or class in the sandbox, on what the student has there:
        `student.remote(torch.optim.SGD, layer.parameters(), lr=0.1)`. Or a `student.source(...)`
        of your own."""
        name = getattr(function, "__name__", "a function of the grader's")
        held = Held(self._connection, self._manner, name, ["plain", None])
        return call_held(held, name, name, function, *positional, **keywords)

    def keep(self, tensor: torch.Tensor, requires_grad: bool = False) -> Handle:
        """Put a tensor into the sandbox, as a leaf that stays there between calls."""
        if requires_grad and not tensor.is_floating_point():
            raise TypeError(f"a kept tensor of {tensor.dtype} can have no gradient")
        connection, manner = self._connection, self._manner
        number, question = connection.keep(tensor, requires_grad, manner.device)
        path = "a kept tensor"
        return Handle(Held(connection, manner, path, ["kept", number], question, "Tensor"))

    def read(self, kept: Handle) -> KeptTensor:
        """Read back a kept tensor."""
        held = kept._held_in_sandbox if isinstance(kept, Handle) else None
        if held is None or held.encoded[0] != "kept":
            raise TypeError(
                "student.read takes what student.keep gave: the notebook's own `read` is"
                ' student["read"]'
            )
        return self._connection.read(held.encoded[1], held.question)

    @contextlib.contextmanager
    def with_standing_in(self, functions: Mapping[str, str]) -> Iterator[None]:
        """Within it, functions of yours stand in the notebook under these names, so that what calls
        them can be tried where the student's own do not work. Their texts are as for `source`.

        They live in a fork of the notebook of their own: what was kept before is not there.
        """
        examination = self._connection.examination
        examination.end_question()
        try:
            for name, text in functions.items():
                message = {"ask": "bind", "name": name, "value": ["source", text]}
                self._connection.ask(name, message)
            yield
        finally:
            examination.end_question()

    @staticmethod
    def source(text: str) -> Source:
        """A function as an argument: a Python expression; `torch` is its only name."""
        return Source(text)


def errors_of_cells(examination: Examination) -> str:
    """Which cells ended with an error, for the instructor: often why a name is missing."""
    found = [
        f"{name}: {output['ename']}: {output['evalue'][:200]}"
        for name, run in zip(examination.names, examination.runs, strict=True)
        for output in run.outputs
        if output["output_type"] == "error"
    ]
    return f"(cells that failed: {'; '.join(found[:5])})" if found else ""


__all__ = ["KeptTensor", "Student", "StudentError"]
