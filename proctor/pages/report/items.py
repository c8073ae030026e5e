"""How exercises and checks did in a class: difficulty, discrimination, causes, known mistakes."""

from __future__ import annotations

import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from proctor.grading.marks import state_of
from proctor.pages.exercises import Exercise
from proctor.pages.report.gathering import ClassResults, Graded

# How older records say that a check was not run, or failed after another; newer ones have fields.
NOT_TRIED = re.compile(r"Not tried: it needs “(?P<cause>.*)” first\.")
AFTER_ANOTHER = re.compile(r"It builds on “(?P<cause>.*?)”, which did not pass")
# “NAME”, if one is named, then what the student was told.
DIAGNOSIS = re.compile(
    r"(Your answer does the same as a known|Known) mistake"
    r"(?:[:,] “(?P<name>.*?)”)?[:.]\s*(?P<told>.*)",
    re.DOTALL,
)


@dataclass(frozen=True)
class ExerciseResult:
    """How an exercise did.

    `shares` are the shares of its points that each submission got, in their order, None where a
    person has yet to say. Until all have been read, those that need no reading say nothing either:
    they are the empty ones. `discrimination` is the correlation of that share with the points for
    all else (near 1: the strong have it and the weak do not; None where everybody did the same).
    """

    number: int
    exercise: Exercise
    shares: list[float | None]
    discrimination: float | None
    unanswered: list[str]
    waiting: int

    @property
    def known(self) -> list[float]:
        return [share for share in self.shares if share is not None]

    @property
    def mean(self) -> float | None:
        return statistics.fmean(self.known) if self.known else None

    @property
    def spread(self) -> float | None:
        """The standard deviation of the shares."""
        return statistics.stdev(self.known) if len(self.known) > 1 else None


@dataclass
class CheckResult:
    """How a check did: who passed, who failed, and for whom it was not tried, because `cause`, the
    title of another check, had to pass first. `depth` is how many causes stand above it in its
    exercise; `followed` counts failures after another check's."""

    exercise: str
    cell: str
    name: str
    title: str
    passed: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    not_tried: list[str] = field(default_factory=list)
    cause: str | None = None
    depth: int = 0
    followed: int = 0
    followed_cause: str | None = None
    discrimination: float | None = None

    @property
    def tried(self) -> int:
        return len(self.passed) + len(self.failed)

    @property
    def share(self) -> float | None:
        """The share of those for whom it was tried that passed."""
        return len(self.passed) / self.tried if self.tried else None


@dataclass
class Mistake:
    """A known mistake of an exercise, and who made it. `name` is None where several known mistakes
    do the same; `told` is what the student read."""

    exercise: Exercise
    name: str | None
    told: str
    students: list[str] = field(default_factory=list)


def exercise_results(results: ClassResults) -> list[ExerciseResult]:
    """Every exercise, in the notebook's order."""
    marked = results.marked
    automatic = [
        name for each in results.exercises for name in each.cells if name not in each.by_hand
    ]
    totals = [one.score(automatic) for one in marked]
    found = []
    for number, exercise in enumerate(results.exercises, start=1):
        own = [name for name in exercise.cells if name in automatic]
        waiting = sum(waits(one, exercise) for one in marked)
        unanswered = [one.student for one in marked if is_unanswered(one, exercise)]
        hidden = set(unanswered) if waiting else set()
        shares = [None if one.student in hidden else one.share(exercise) for one in marked]
        rest = [total - one.score(own) for total, one in zip(totals, marked, strict=True)]
        found.append(
            ExerciseResult(
                number=number,
                exercise=exercise,
                shares=shares,
                discrimination=discrimination(shares, rest),
                unanswered=unanswered,
                waiting=waiting,
            )
        )
    return found


def is_unanswered(one: Graded, exercise: Exercise) -> bool:
    own = [cell for cell in one.cells if cell["grade_id"] in exercise.cells]
    return bool(own) and all(cell["unanswered"] for cell in own)


def waits(one: Graded, exercise: Exercise) -> bool:
    grades = [one.stored.by_cell.get(name) for name in exercise.cells]
    return any(grade is not None and grade.needs_manual_grade for grade in grades)


def worst_first(results: Sequence[ExerciseResult]) -> list[ExerciseResult]:
    """By the mean share of the points; those that nobody has read come last."""
    return sorted(results, key=lambda one: (one.mean is None, one.mean))


def discrimination(shares: Sequence[float | None], rest: Sequence[float]) -> float | None:
    pairs = [(own, other) for own, other in zip(shares, rest, strict=True) if own is not None]
    if len(pairs) < 3:
        return None
    own, others = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    if len(set(own)) == 1 or len(set(others)) == 1:
        return None
    return statistics.correlation(own, others)


def check_results(results: ClassResults) -> dict[str, list[CheckResult]]:
    """The checks of each exercise that has some, causes before those that wait for them."""
    of_cell = {name: one.name for one in results.exercises for name in one.cells}
    found: dict[tuple[str, str], CheckResult] = {}
    verdicts: dict[tuple[str, str], list[float | None]] = {}
    marked = results.marked
    for place, one in enumerate(marked):
        for cell in one.cells:
            grade_id = cell["grade_id"]
            for check in cell["checks"] if grade_id in of_cell else ():
                key = grade_id, check["name"]
                if key not in found:
                    found[key] = CheckResult(of_cell[grade_id], *key, check["title"])
                    verdicts[key] = [None] * len(marked)
                verdicts[key][place] = note(found[key], one.student, check)
    totals = [one.record["score"] for one in marked]
    titles = {check.name: check.title for check in found.values()}
    for key, check in found.items():
        check.cause = titles.get(check.cause or "", check.cause)
        check.followed_cause = titles.get(check.followed_cause or "", check.followed_cause)
        check.discrimination = discrimination(verdicts[key], totals)
    by_exercise: dict[str, list[CheckResult]] = {}
    for check in found.values():
        by_exercise.setdefault(check.exercise, []).append(check)
    return {exercise: causes_first(checks) for exercise, checks in by_exercise.items()}


def note(result: CheckResult, student: str, check: dict) -> float | None:
    """Count one student's check; returns 1 for passed, 0 for failed, None for not tried."""
    if check["passed"]:
        result.passed.append(student)
        return 1.0
    hint, cause = check["hint"] or "", check.get("cause")
    untried, after = NOT_TRIED.match(hint), AFTER_ANOTHER.match(hint)
    if state_in(check) == "not tried":
        result.not_tried.append(student)
        result.cause = cause or (untried and untried["cause"])
        return None
    result.failed.append(student)
    if cause or after:
        result.followed += 1
        result.followed_cause = cause or (after and after["cause"])
    return 0.0


def state_in(check: Mapping[str, Any]) -> str:
    """ "passed", "failed" or "not tried", in records of any age."""
    untried = not check["passed"] and NOT_TRIED.match(check["hint"] or "")
    return "not tried" if untried else state_of(check)


def causes_first(checks: Sequence[CheckResult]) -> list[CheckResult]:
    """The checks that failed most first, each followed by those that wait for it."""
    titles = {check.title for check in checks}
    waiting: dict[str, list[CheckResult]] = {}
    first = []
    for check in sorted(checks, key=lambda check: -len(check.failed)):
        if check.cause in titles and check.cause != check.title:
            waiting.setdefault(check.cause or "", []).append(check)
        else:
            first.append(check)
    ordered: list[CheckResult] = []
    while first:
        check = first.pop(0)
        ordered.append(check)
        after = waiting.pop(check.title, [])
        for one in after:
            one.depth = check.depth + 1
        first[:0] = after
    return ordered + [check for left in waiting.values() for check in left]


def known_mistakes(results: ClassResults) -> list[Mistake]:
    """The mistakes that were recognised, most frequent first."""
    exercises = {name: one for one in results.exercises for name in one.cells}
    found: dict[tuple[str, str], Mistake] = {}
    for one in results.marked:
        for cell in one.cells:
            text, exercise = cell["diagnosis"], exercises.get(cell["grade_id"])
            if not text or exercise is None or cell["unanswered"]:
                continue
            mistake = found.setdefault((exercise.name, text), Mistake(exercise, *parts_of(text)))
            if one.student not in mistake.students:
                mistake.students.append(one.student)
    return sorted(found.values(), key=lambda mistake: -len(mistake.students))


def parts_of(diagnosis: str) -> tuple[str | None, str]:
    """The name of a known mistake, if one is named, and what the student was told to try."""
    parts = DIAGNOSIS.fullmatch(diagnosis)
    return (parts["name"], parts["told"]) if parts else (None, diagnosis)
