"""Whether what a student's own function gave depends on its inputs alone.

A function may remember what it was asked, and who asks next may read that: with a wrong function
that gives whatever it likes and a later one that reads it off, any answer would follow. So what it
gave is asked for once more, in a session of its own, which has seen none of it, in another order.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from proctor.grading.connection import Connection

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


@dataclass
class Noting(Connection):
    """The same connection as another one, which notes the calls that gave a value. Raises
    AssertionError for more than can be kept."""

    asked: list[Asked] = field(default_factory=list)
    noted_bytes: int = 0

    @classmethod
    def like(cls, other: Connection) -> Noting:
        shared = (other.numbers, other.functions, other.late, other.spent, other.kept)
        return cls(other.examination, other.accelerator_device, *shared)

    def ask(
        self,
        name: str,
        message: dict[str, Any],
        tensors: Sequence[torch.Tensor] = (),
        *,
        needs: Sequence[object] = (),
    ) -> Reply:
        reply = super().ask(name, message, tensors, needs=needs)
        if message["ask"] in ("call", "backward"):
            self.noted_bytes += sum(tensor.nbytes for tensor in [*tensors, *reply[1]])
            assert self.noted_bytes <= MAX_NOTED_BYTES, f"{name} gives too much to ask for it again"
            kept = [tensor.detach().clone() for tensor in tensors]
            self.asked.append(Asked(name, message, kept, reply))
        return reply


def demand_same(asked: Sequence[Asked], elsewhere: Connection, seed: int) -> None:
    """Ask for all of it there. Raises AssertionError where something else comes, or StudentError
    where nothing does."""
    calls: dict[int, list[Asked]] = {}  # a call, and what was asked of its gradients
    for each in asked:
        calls.setdefault(each.message["number"], []).append(each)
    for same_call in random.Random(seed).sample(list(calls.values()), len(calls)):
        for each in same_call:
            reply = elsewhere.ask(each.name, each.message, each.tensors)
            assert is_same(each.reply, reply), (
                f"{each.name} gives something else to the same inputs in another order"
            )


def is_same(one: Reply, other: Reply) -> bool:
    (told, tensors), (again, others) = one, other
    return (
        all(json.dumps(told.get(key)) == json.dumps(again.get(key)) for key in VALUES)
        and len(tensors) == len(others)
        and all(map(is_close, tensors, others))
    )


# What of a reply is a value: the rest are facts about how it came about.
VALUES = ("result", "present")


def is_close(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Digits may differ where a library chooses another way to the same value."""
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    return torch.allclose(one, other, rtol=1e-5, atol=1e-7, equal_nan=True)
