"""A question: a fork of a session, after its cells, that answers the checks of the graders."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from proctor.sandbox.patience import PatienceWith
from proctor.wire.errors import Late, Malformed, WireError
from proctor.wire.frames import Channel

if TYPE_CHECKING:
    import torch

# `with waiting(seconds, process) as patience`: patience with a session, whose idleness is noted.
Waiting = Callable[[float, int | None], contextlib.AbstractContextManager[PatienceWith]]


class QuestionLost(Exception):
    """The fork that answered the checks is gone; a new one can be asked."""

    def __init__(self, error: WireError):
        super().__init__(str(error))
        self.late = isinstance(error, Late)
        self.forged = isinstance(error, Malformed)


class Question:
    """A fork of the session, after its cells, that answers the checks of the graders."""

    def __init__(self, channel: Channel, process: int, waiting: Waiting):
        self.channel = channel
        self.process = process
        self.waiting = waiting
        self.alive = True

    def ask(
        self,
        message: dict[str, Any],
        tensors: Sequence[torch.Tensor],
        seconds: float,
        limit: float | None = None,
    ) -> tuple[dict[str, Any], list[torch.Tensor]]:
        """Ask, and wait while no more than `seconds` are used, and a little, for the answer. Where
        that is less than the `limit` for all, the question hears of the limit alone.

        Raises QuestionLost, Starved, or ValueError for what is too large to ask.
        """
        told = {**message, "seconds": seconds if limit is None else limit}
        with self.waiting(seconds, self.process) as patience:
            try:
                self.channel.send(told, tensors, deadline=patience)
            except Malformed as error:
                raise ValueError(f"this cannot be asked: {error}") from error
            except WireError as error:
                self.alive = False
                raise QuestionLost(error) from error
            try:
                return self.channel.receive(patience)
            except WireError as error:
                self.alive = False
                raise QuestionLost(error) from error
