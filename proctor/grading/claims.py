"""Statements that a student judges, in a dict: the name of each, and True or False."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from proctor.grading.assertions import Fault
from proctor.grading.questions import Question
from proctor.grading.student import Student


@dataclass(frozen=True)
class Claims:
    """The statements of one exercise: the name of the student's dict, and which of them are true.

    For graders. A statement should earn nothing by itself, as guessing would earn half of them:
    let each tell its hint, and count the right ones.
    """

    name: str
    truth: dict[str, bool]

    # The hint of a check that counts: what is wrong stands elsewhere.
    EACH_TELLS = "Each statement above that you judged wrongly has a hint of its own."

    def judged(self, student: Student) -> dict[str, bool]:
        """The student's judgements; what is none, such as a text in quotes, is left out."""
        claims = getattr(student, self.name)
        if not isinstance(claims, dict):
            raise AssertionError(f"{self.name} should be a dict, got {claims!r}")
        found = {name: as_plain(claims[name]) for name in self.truth if name in claims}
        return {name: bool(value) for name, value in found.items() if value in (True, False)}

    def assert_all_judged(self, student: Student) -> None:
        judged = self.judged(student)
        missing = [name for name in self.truth if name not in judged]
        if missing:
            got = getattr(student, self.name)
            raise AssertionError(f"{self.name} should judge {missing}, got {got!r}")

    def assert_right(self, student: Student, name: str) -> None:
        """This statement is judged rightly."""
        judged = self.judged(student)
        if name not in judged:
            raise Fault(
                f"{name} should be judged, got {getattr(student, self.name).get(name)!r}",
                "Not judged: there is no True or False for this statement.",
            )
        if judged[name] is not self.truth[name]:
            raise AssertionError(f"{name} should be {self.truth[name]}, got {judged[name]}")

    def assert_right_ones(self, student: Student, least: int) -> None:
        """So many statements are judged rightly."""
        judged = self.judged(student)
        right = [name for name, truth in self.truth.items() if judged.get(name) is truth]
        if len(right) < least:
            raise AssertionError(f"{least} judgements should be right, got {len(right)}: {right}")


def as_plain(value: Any) -> Any:
    """A judgement that torch has worked out is one, too."""
    is_one = isinstance(value, torch.Tensor) and value.numel() == 1
    return value.item() if is_one else value if isinstance(value, bool | int | float) else None


@dataclass(frozen=True)
class Statements:
    """The same statements, by name, where students are asked what they said of them."""

    name: str
    texts: dict[str, str]

    def why_true(self, generator: torch.Generator) -> Question:
        """Of every other statement one: why it was called true."""
        name = self._one(generator, 0)
        return Question(
            f"“{self.texts[name]}” Did you call this true? Say why.",
            lambda student: bool(getattr(student, self.name)[name]),
        )

    def why_false(self, generator: torch.Generator) -> Question:
        """One of the others: why it was called false."""
        name = self._one(generator, 1)
        return Question(
            f"“{self.texts[name]}” Did you call this false? Give an example that shows it.",
            lambda student: not getattr(student, self.name)[name],
        )

    def _one(self, generator: torch.Generator, half: int) -> str:
        names = list(self.texts)[half::2]
        return names[int(torch.randint(0, len(names), (), generator=generator))]
