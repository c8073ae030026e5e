"""Questions to a student about their own code: the answer is what their own function gives.

Authors write them in `tests/questions/<assignment>.py`, as they write graders:

    @asks("mnist_loss")
    def what_it_returns(student, generator):
        predictions, targets = draw(generator, 2), torch.tensor([1, 1])
        return Question(
            f"Your `mnist_loss` gets the predictions {shown(predictions)} and the targets [1, 1]. "
            "What does it return?",
            lambda student: student.mnist_loss(predictions, targets),
        )

The key is found in the sandbox. Wrong options are what labelled wrong answers would give.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from proctor.course import Course, CourseError
from proctor.grading.labelled import not_loaded
from proctor.grading.student import Student

MOST_NUMBERS = 8
MOST_CHARACTERS = 200

# What a question may be answered with: a number, several, yes or no, or words.
Answer = bool | float | str | list[float]


@dataclass(frozen=True)
class Question:
    """What is asked, in Markdown, and the call that answers it, given a `student`.

    The call gives a number, a tensor of up to 8 numbers, a shape, a truth value, or a text. An
    answer may differ from it by `within`. `choices` are the words to choose from, where the call
    gives one of a few.
    """

    text: str
    call: Callable[[Student], Any]
    within: float = 0.005
    choices: tuple[str, ...] = ()


Author = Callable[[Student, torch.Generator], Question]


@dataclass(frozen=True)
class Asks:
    """A question as its author wrote it: the function, and the exercise that it is about."""

    exercise: str
    name: str
    author: Author


def asks(exercise: str) -> Callable[[Author], Author]:
    """Mark a function as a question about the answer in the solution cell `exercise`."""

    def mark(author: Author) -> Author:
        author.asks = Asks(exercise, author.__name__, author)  # type: ignore[attr-defined]
        return author

    return mark


def questions_file(course: Course, assignment: str) -> Path:
    return course.root / "tests" / "questions" / f"{assignment}.py"


def load_questions(course: Course, assignment: str) -> list[Asks]:
    """The questions of an assignment, as they are written. Raises CourseError."""
    path = questions_file(course, assignment)
    place = f"tests/questions/{assignment}.py"
    if not path.exists():
        raise CourseError(f"{place} is missing: docs/whose-work.md shows how questions are written")
    spec = importlib.util.spec_from_file_location(f"questions_{assignment}", path)
    if spec is None or spec.loader is None:
        raise CourseError(f"{place} is no Python module")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise not_loaded(path, course, error) from error
    found = [value.asks for value in vars(module).values() if hasattr(value, "asks")]
    if not found:
        raise CourseError(f"{place} holds no function that is marked with @asks")
    return found


# For authors: inputs of few digits, as a person can compute with


def draw(
    generator: torch.Generator, count: int, low: float = 0.1, high: float = 0.9, step: float = 0.1
) -> torch.Tensor:
    """`count` different numbers from `low` to `high` in steps, [count], float64."""
    places = round((high - low) / step) + 1
    chosen = torch.randperm(places, generator=generator)[:count].double()
    return (chosen * step + low).mul(1e6).round() / 1e6


def draw_targets(generator: torch.Generator, count: int) -> torch.Tensor:
    """`count` targets, [count], int64, both kinds among them."""
    targets = torch.randint(0, 2, (count,), generator=generator)
    targets[0], targets[-1] = 0, 1
    return targets[torch.randperm(count, generator=generator)]


def shown(values: Any) -> str:
    """Numbers as they stand in a text: `[0.9, 0.2]`."""
    if isinstance(values, torch.Tensor):
        values = values.tolist()
    if isinstance(values, list | tuple):
        return f"[{', '.join(shown(value) for value in values)}]"
    return f"{values:g}" if isinstance(values, float) else str(values)


# What answers are


def settled(value: Any) -> Answer:
    """A value that came from a call as an answer. Raises ValueError for what is none."""
    if isinstance(value, bool | str):
        answer: Answer = value if isinstance(value, bool) else value[:MOST_CHARACTERS]
    elif isinstance(value, torch.Tensor):
        if value.dtype == torch.bool and value.dim() == 0:
            return bool(value)
        if value.numel() > MOST_NUMBERS or value.dim() > 1:
            raise ValueError("too many numbers")
        found = value.detach().double().tolist()
        answer = found
    elif isinstance(value, list | tuple):
        if len(value) > MOST_NUMBERS:
            raise ValueError("too many numbers")
        answer = [float(item) for item in value]
    else:
        answer = float(value)
    numbers = answer if isinstance(answer, list) else [answer]
    if not all(isinstance(number, str) or math.isfinite(number) for number in numbers):
        raise ValueError("not a finite number")
    return answer


def alike(one: Answer, other: Answer, within: float) -> bool:
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(
            abs(a - b) <= within for a, b in zip(one, other, strict=True)
        )
    if isinstance(one, bool | str) or isinstance(other, bool | str):
        return type(one) is type(other) and one == other
    if isinstance(one, list) or isinstance(other, list):
        return False
    return abs(one - other) <= within


def told(answer: Answer, within: float) -> str:
    """An answer as it is written on paper, with as many digits as count."""
    if isinstance(answer, bool):
        return "yes" if answer else "no"
    if isinstance(answer, str):
        return answer
    if isinstance(answer, list):
        return f"[{', '.join(told(number, within) for number in answer)}]"
    digits = max(0, math.ceil(-math.log10(2 * within))) if within > 0 else 0
    return f"{answer + 0.0:.{digits}f}".replace("-0." + "0" * digits, "0." + "0" * digits)
