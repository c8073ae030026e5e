"""How the graders' side asks about a submission, and what comes back instead of a value.

Every ask goes through `Connection`. What the sandbox tells about *how* a result came about is its
claim; what it says of an error is shown to a student only in words of ours.
"""

from __future__ import annotations

import builtins
import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from proctor.grading.refusals import refusal
from proctor.grading.wording import in_plain_words
from proctor.sandbox.examination import Examination
from proctor.sandbox.question import QuestionLost
from proctor.wire import at_once

ACCELERATOR = "accel"
INVALID = "The sandbox sent back something invalid."


class StudentError(Exception):
    """The student's code did not give a value. `reason` says why, in words a student may see:
    it never holds anything that the code could have taken from its inputs."""

    def __init__(self, reason: str, detail: str = ""):
        # Not by super(): some of Python's exceptions, which `Raised` may be, want other arguments.
        Exception.__init__(self, f"{reason} {detail}".strip())
        self.reason = reason


class NotDefined(StudentError):
    """The notebook defines no such name, or it is no function."""


class Raised(StudentError):
    """The student's function raised an exception; `type_name` is its type.

    `kinds` are the types that it derives from, its own first. Where one of them is Python's, this
    is one, too: `pytest.raises(KeyError)` sees a KeyError.
    """

    def __new__(cls, name: str, told: Told) -> Raised:
        kind = raised_as(told.kinds)
        python: Any = kind.__bases__[-1]  # some, as OSError, are made in a way of their own
        return python.__new__(kind)

    def __init__(self, name: str, told: Told):
        self.is_unwritten = told.type_name == "NotImplementedError" and told.in_notebook
        self.meaning = in_plain_words(told.text)
        shown = f"`{name}` raised {builtin_name(told.type_name)}"
        shown += f": {self.meaning}." if self.meaning else "."
        if self.is_unwritten:
            shown = f"`{name}` is not written yet: it raised NotImplementedError."
        elif told.is_beyond_accelerator:
            shown = (
                f"`{name}` uses an operation that the pretend accelerator does not have: a limit "
                "of the grading, not your mistake. Tell your instructor."
            )
        super().__init__(shown, f"({told.type_name}: {told.text})")
        self.type_name = told.type_name
        self.kinds = told.kinds
        self.in_notebook = told.in_notebook
        self.text = told.text

    def __str__(self) -> str:
        return str(self.args[0])  # a KeyError would show its repr


def raised_as(kinds: tuple[str, ...]) -> type[Raised]:
    """Raised, as the nearest exception of Python's among these as well."""
    for kind in kinds:
        python = getattr(builtins, kind, None)
        if not (isinstance(python, type) and issubclass(python, Exception)):
            continue
        if python is Exception or issubclass(python, NOT_SEEN_AS):
            break
        return raised_as_python(kind)
    return Raised


@functools.cache  # by what Python has alone: a submission can name its own without end
def raised_as_python(name: str) -> type[Raised]:
    return type("Raised", (Raised, getattr(builtins, name)), {"__module__": __name__})


# A grader's own loop, or pytest, would take these for its own.
NOT_SEEN_AS = (
    *(StopIteration, StopAsyncIteration, AssertionError, RecursionError, MemoryError),
    ExceptionGroup,  # it cannot be made without others
)


@dataclass(frozen=True)
class Told:
    """What the sandbox says of an exception."""

    type_name: str
    kinds: tuple[str, ...]
    text: str
    in_notebook: bool

    @property
    def is_beyond_accelerator(self) -> bool:
        """torch's own words for an operation that a device lacks."""
        lacks = self.type_name == "NotImplementedError" and not self.in_notebook
        return lacks and "aten::" in self.text


class TooMuch(StudentError):
    """What the student's function gave is over the caps."""


class TookTooLong(StudentError):
    """The call did not end in time."""

    def __init__(self, reason: str):
        super().__init__(f"{reason} {WHERE_TIME_GOES}")


WHERE_TIME_GOES = "Is there a loop that never ends, or one that takes the examples one by one?"


class Died(StudentError):
    """The process that ran the call ended: a crash, an exit, a limit on memory."""


class Untrustworthy(StudentError):
    """The answer breaks the rules of the wire: something in the sandbox forged it."""


def builtin_name(type_name: str) -> str:
    """The name of an exception, if Python or torch made it: another could spell out an input."""
    known = getattr(builtins, type_name, None)
    if isinstance(known, type) and issubclass(known, BaseException):
        return type_name
    return "an exception"


@dataclass
class CallFacts:
    """What the sandbox tells about one call, beside its result.

    `changed_inputs`: which tensor arguments were changed, counted from 0. `operations`: number of
    torch operations, where they were counted. `host_copies`: the copies to the host of a call on
    the accelerator. `result_devices`: device types of the tensors in the result ("cpu", "accel").
    """

    changed_inputs: list[int] = field(default_factory=list)
    operations: int | None = None
    host_copies: list[str] = field(default_factory=list)
    result_devices: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class KeptTensor:
    """A kept tensor, read back: its value, its gradient, and what autograd says of it."""

    value: torch.Tensor
    gradient: torch.Tensor | None
    requires_grad: bool
    is_leaf: bool


@dataclass
class Kept:
    """Tensors that stay in the sandbox, by number: those that go there with what is asked next, and
    how others are since what was asked last."""

    waiting: dict[int, tuple[torch.Tensor, bool, str]] = field(default_factory=dict)
    question: object | None = None  # in which they are to stay, or are
    states: dict[int, KeptTensor] = field(default_factory=dict)


MOST_WAITING = 64  # tensors
MOST_BYTES_WAITING = 4 << 20


@dataclass
class Connection:
    """What all views of one student share."""

    examination: Examination
    accelerator_device: str = ACCELERATOR
    numbers: itertools.count = field(default_factory=itertools.count)
    functions: set[str] = field(default_factory=set)  # names known to be callable
    late: set[str] = field(default_factory=set)
    spent: dict[str, float] = field(default_factory=dict)  # seconds, by name
    kept: Kept = field(default_factory=Kept)
    last_call: CallFacts = field(default_factory=CallFacts)
    # What one of several calls came to that gave nothing, where those before it did.
    ended: Exception | None = None
    most_at_once: int = at_once.MOST
    question: object | None = None  # the one asked last

    def ask(
        self,
        name: str,
        message: dict[str, Any],
        tensors: Sequence[torch.Tensor] = (),
        *,
        needs: Sequence[object] = (),
    ) -> tuple[dict[str, Any], list[torch.Tensor]]:
        """Ask the open question, which must be the one that the objects asked about live in.

        Raises a StudentError that names `name`, or TypeError for a grader's bad argument.
        """
        limit = self.examination.limit_of_call(repeated=name in self.late)
        seconds = self.examination.seconds_for_call(limit)
        if seconds <= 0:
            raise TookTooLong("The time for the whole notebook was used up before this check.")
        if self.spent.get(name, 0.0) > self.examination.limits.function:
            raise TookTooLong(f"All calls to `{name}` together took too long.")
        before = self.examination.spent
        try:
            self.question = question = self.examination.question()
            if any(needed is not question for needed in needs):
                raise Died(f"`{name}` ended with the process it lived in.")
            keep, kept = self._waiting(question)
            asked = {**message, "keep": keep} if keep else message
            more = at_once.SECONDS if len(message.get("calls", ())) > 1 else 0.0
            reply, found = question.ask(asked, [*tensors, *kept], seconds + more, limit)
        except QuestionLost as error:
            raise self._lost(name, error, limit, seconds) from error
        finally:
            self.spent[name] = self.spent.get(name, 0.0) + self.examination.spent - before
        instead = self._error_of(name, reply, limit, seconds)
        if instead is not None:
            raise instead
        told = reply.get("ended")
        self.ended = told and self._error_of(name, expect(told, dict), limit, seconds)
        return reply, self._without_states(reply, found)

    def _error_of(
        self, name: str, told: dict[str, Any], limit: float, seconds: float
    ) -> Exception | None:
        """What is told in place of a value, if it is."""
        if "not_an_argument" in told:
            return TypeError(f"a hidden test's argument does not arrive: {told['not_an_argument']}")
        if "too_large" in told:
            return TooMuch(
                f"The result of `{name}` is too large to look at.", f"({told['too_large']})"
            )
        raised = told.get("raised")
        if raised is None:
            return None
        error = told_of(raised)
        if raised.get("late") is True:
            return self._too_late(name, limit, seconds)
        if refused := refusal(error.kinds, error.text):
            self.examination.incidents.append(f"{name} {refused}")
        return Raised(name, error)

    def keep(self, tensor: torch.Tensor, requires_grad: bool, device: str) -> tuple[int, object]:
        """Have a tensor stay in the open question; its number there, and the question. It crosses
        with what is asked next."""
        try:
            question = self.examination.question()
        except QuestionLost as error:
            limit = self.examination.limits.call
            raise self._lost("keep", error, limit, limit) from error
        kept = self.kept
        if kept.question is not question:
            kept.waiting, kept.states, kept.question = {}, {}, question
        number = next(self.numbers)
        kept.waiting[number] = tensor.detach().clone(), requires_grad, device
        if len(kept.waiting) > MOST_WAITING or bytes_of(kept.waiting) > MOST_BYTES_WAITING:
            self.ask("keep", {"ask": "keep"}, needs=[question])
        return number, question

    def read(self, number: int, question: object) -> KeptTensor:
        """How a kept tensor is now."""
        kept = self.kept
        known = kept.question is question and self.examination.is_open(question)
        if not known or number not in kept.states:
            self.ask("read", {"ask": "read", "kept": number}, needs=[question])
        if number not in kept.states:
            raise Untrustworthy(INVALID)
        state = kept.states[number]
        gradient = None if state.gradient is None else state.gradient.clone()
        return KeptTensor(state.value.clone(), gradient, state.requires_grad, state.is_leaf)

    def _waiting(self, question: object) -> tuple[list[Any], list[torch.Tensor]]:
        """What is to stay in this question from now on, and the tensors themselves."""
        kept = self.kept
        waiting = kept.waiting if kept.question is question else {}
        kept.waiting, kept.states, kept.question = {}, {}, question
        told = [[number, needs, device] for number, (_, needs, device) in waiting.items()]
        return told, [tensor for tensor, _, _ in waiting.values()]

    def _without_states(
        self, reply: dict[str, Any], found: list[torch.Tensor]
    ) -> list[torch.Tensor]:
        """The tensors of a reply. How kept ones are now is told behind them, and noted."""
        told = expect(reply.get("kept", []), list)
        if len(told) > len(found):
            raise Untrustworthy(INVALID)
        shapes = [[int, bool, bool, bool]] * len(told)
        if [list(map(type, expect(entry, list))) for entry in told] != shapes:
            raise Untrustworthy(INVALID)
        place = len(found) - sum(1 + entry[3] for entry in told)
        if place < 0:
            raise Untrustworthy(INVALID)
        rest = iter(found[place:])
        for number, requires_grad, is_leaf, has_gradient in told:
            value, gradient = next(rest), next(rest) if has_gradient else None
            self.kept.states[number] = KeptTensor(value, gradient, requires_grad, is_leaf)
        return found[:place]

    def _lost(self, name: str, error: QuestionLost, limit: float, seconds: float) -> StudentError:
        if error.late:
            return self._too_late(name, limit, seconds)
        if error.forged:
            return Untrustworthy(INVALID, f"({error})")
        return Died(f"`{name}` ended the process it ran in.", f"({error})")

    def _too_late(self, name: str, limit: float, seconds: float) -> TookTooLong:
        """What is said names the limit, never a time that the submission could have chosen. Whoever
        was late once has less time for each further call, and reads of one limit only."""
        again = name in self.late
        if not again:
            self.late.add(name)
            self.examination.incidents.append(f"{name} took longer than its {limit:g} s")
        if seconds < limit:
            return TookTooLong("The time for the whole notebook was used up in this check.")
        if again:
            return TookTooLong(f"`{name}` took too long here, too.")
        return TookTooLong(f"`{name}` took longer than the {limit:g} s allowed for a call.")


def bytes_of(waiting: dict[int, tuple[torch.Tensor, bool, str]]) -> int:
    return sum(tensor.nbytes for tensor, _, _ in waiting.values())


def told_of(raised: Any) -> Told:
    if not isinstance(raised, dict):
        raise Untrustworthy(INVALID)
    type_name, text = raised.get("type"), raised.get("text")
    if not isinstance(type_name, str) or not isinstance(text, str):
        raise Untrustworthy(INVALID)
    kinds = raised.get("kinds")
    if not isinstance(kinds, list) or not all(isinstance(kind, str) for kind in kinds):
        kinds = [type_name]
    named = tuple(kind[:80] for kind in kinds[:20])
    return Told(type_name[:80], named, text[:2000], raised.get("own") is True)


def expect(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise Untrustworthy(INVALID)
    return value


MAX_COUNT = 1 << 53  # up to here a float holds every whole number


def expect_count(value: Any) -> int:
    if not 0 <= expect(value, int) <= MAX_COUNT:
        raise Untrustworthy(INVALID)
    return value


def call_facts(told: Any, devices: list[str]) -> CallFacts:
    told = expect(told, dict)
    operations = told.get("operations")
    if operations is not None:
        expect_count(operations)
    changed = [expect_count(index) for index in expect(told.get("changed"), list)]
    copies = [expect(name, str)[:40] for name in expect(told.get("host_copies"), list)]
    return CallFacts(changed, operations, copies, devices)
