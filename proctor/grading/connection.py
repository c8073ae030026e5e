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


@functools.cache
def raised_as(kinds: tuple[str, ...]) -> type[Raised]:
    """Raised, as the nearest exception of Python's among these as well."""
    for kind in kinds:
        python = getattr(builtins, kind, None)
        if not (isinstance(python, type) and issubclass(python, Exception)):
            continue
        if python is Exception or issubclass(python, NOT_SEEN_AS):
            break
        return type("Raised", (Raised, python), {"__module__": __name__})
    return Raised


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


@dataclass
class Connection:
    """What all views of one student share."""

    examination: Examination
    accelerator_device: str = ACCELERATOR
    numbers: itertools.count = field(default_factory=itertools.count)
    functions: set[str] = field(default_factory=set)  # names known to be callable
    late: set[str] = field(default_factory=set)
    spent: dict[str, float] = field(default_factory=dict)  # seconds, by name
    last_call: CallFacts = field(default_factory=CallFacts)
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
            reply, found = question.ask(message, tensors, seconds, limit)
        except QuestionLost as error:
            if error.late:
                raise self._too_late(name, limit, seconds) from error
            if error.forged:
                raise Untrustworthy(INVALID, f"({error})") from error
            raise Died(f"`{name}` ended the process it ran in.", f"({error})") from error
        finally:
            self.spent[name] = self.spent.get(name, 0.0) + self.examination.spent - before
        if "not_an_argument" in reply:
            raise TypeError(f"a hidden test's argument does not arrive: {reply['not_an_argument']}")
        if "too_large" in reply:
            raise TooMuch(
                f"The result of `{name}` is too large to look at.", f"({reply['too_large']})"
            )
        raised = reply.get("raised")
        if raised is None:
            return reply, found
        told = told_of(raised)
        if raised.get("late") is True:
            raise self._too_late(name, limit, seconds)
        if refused := refusal(told.kinds, told.text):
            self.examination.incidents.append(f"{name} {refused}")
        raise Raised(name, told)

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
