"""Whether what a student's own function gave depends on its inputs alone.

A function may remember what it was asked, and who asks next may read that: with a wrong function
that gives whatever it likes and a later one that reads it off, any answer would follow. And the
later one may note that it is tried a second time, and have a second formula ready. So what both
gave is asked for once more, in a session of its own, which has seen none of it, in another order.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from proctor.grading.connection import Connection
from proctor.grading.structure import Structure
from proctor.grading.student import Student

Reply = tuple[dict[str, Any], list[torch.Tensor]]
# What is kept until it is asked for once more; a check's own inputs and losses take a few.
MAX_NOTED_BYTES = 64 << 20


@dataclass
class Asked:
    """A question to the sandbox, and what came."""

    name: str
    message: dict[str, Any]
    tensors: list[torch.Tensor]
    reply: Reply

    @property
    def question(self) -> str:
        """The same for the same question, whenever it is asked."""
        message = {**self.message, "number": None}
        contents = [(tensor.dtype, tensor.shape, bytes_of(tensor)) for tensor in self.tensors]
        return hashlib.sha256(repr((message, contents)).encode()).hexdigest()


@dataclass
class Notes:
    """What was asked, and came, in one check; `too_much` once more came than can be kept."""

    asked: list[Asked] = field(default_factory=list)
    numbers: set[int] = field(default_factory=set)  # of the calls noted
    nbytes: int = 0
    too_much: bool = False

    def add(self, asked: Asked) -> None:
        self.nbytes += sum(tensor.nbytes for tensor in [*asked.tensors, *asked.reply[1]])
        self.too_much |= self.nbytes > MAX_NOTED_BYTES
        if not self.too_much:
            self.numbers.add(asked.message["number"])
            self.asked.append(asked)

    def clear(self) -> None:
        self.asked.clear()
        self.numbers.clear()
        self.nbytes, self.too_much = 0, False


@dataclass
class Noting(Connection):
    """The same connection as another one, which notes the calls that gave a value. Those of or with
    objects that stay in there cannot be made again: they are noted with `everything` alone."""

    notes: Notes = field(default_factory=Notes)
    everything: bool = False

    @classmethod
    def like(cls, other: Connection, notes: Notes, everything: bool = False) -> Noting:
        return cls(
            other.examination,
            other.accelerator_device,
            numbers=other.numbers,
            functions=other.functions,
            late=other.late,
            spent=other.spent,
            kept=other.kept,
            most_at_once=1,  # so that each can be asked for once more, in another order
            notes=notes,
            everything=everything,
        )

    def ask(
        self,
        name: str,
        message: dict[str, Any],
        tensors: Sequence[torch.Tensor] = (),
        *,
        needs: Sequence[object] = (),
    ) -> Reply:
        reply = super().ask(name, message, tensors, needs=needs)
        if self._is_noted(message, reply, needs):
            # Without their graphs, which lead back here: no collection ever frees such a circle.
            kept = [tensor.detach().clone() for tensor in tensors]
            came = [tensor.detach() for tensor in reply[1]]
            self.notes.add(Asked(name, message, kept, (reply[0], came)))
        return reply

    def _is_noted(self, message: dict[str, Any], reply: Reply, needs: Sequence[object]) -> bool:
        if message["ask"] == "backward":
            return self.everything or message["number"] in self.notes.numbers
        if message["ask"] != "call":
            return False
        # Only what the grader gets counts: what else is in a reply may be forged.
        return self.everything or not (
            needs or Structure(reply[0].get("results"), reply[1]).has_objects
        )


@contextlib.contextmanager
def noting(student: Student, notes: Notes) -> Iterator[None]:
    """Within it, the calls that are made of the student are noted."""
    before = student._connection
    student._connection = Noting.like(before, notes)
    try:
        yield
    finally:
        student._connection = before


def demand_same(notes: Notes, elsewhere: Connection, seed: int) -> None:
    """Ask for all of it there. Raises AssertionError where something else comes, or where the same
    was asked twice and something else came, or StudentError where nothing does."""
    assert not notes.too_much, "too much came to ask for it once more"
    calls: dict[int, list[Asked]] = {}  # a call, and what was asked of its gradients
    for each in notes.asked:
        calls.setdefault(each.message["number"], []).append(each)
    came: dict[tuple[str, ...], Reply] = {}
    for same_call in calls.values():
        questions: tuple[str, ...] = ()
        for each in same_call:
            questions = (*questions, each.question)
            assert is_same(came.setdefault(questions, each.reply), each.reply), (
                f"{each.name} gives something else to the same inputs the next time"
            )
    for same_call in random.Random(seed).sample(list(calls.values()), len(calls)):
        for each in same_call:
            reply = elsewhere.ask(each.name, each.message, each.tensors)
            assert is_same(each.reply, reply), (
                f"{each.name} gives something else to the same inputs in another order"
            )


def bytes_of(tensor: torch.Tensor) -> bytes:
    return tensor.reshape(-1).view(torch.uint8).numpy().tobytes()


def is_same(one: Reply, other: Reply) -> bool:
    (told, tensors), (again, others) = one, other
    return (
        all(json.dumps(told.get(key)) == json.dumps(again.get(key)) for key in VALUES)
        and len(tensors) == len(others)
        and all(map(is_close, tensors, others))
    )


# What of a reply is a value: the rest are facts about how it came about.
VALUES = ("results", "present")


def is_close(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Digits may differ where a library chooses another way to the same value."""
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    return torch.allclose(one, other, rtol=1e-5, atol=1e-7, equal_nan=True)
