"""A class beside another one, last year's or another group's, from its folder or saved JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

from proctor.course import Course, CourseError
from proctor.grading.class_grades import CellGrade, ClassSubmission
from proctor.pages.exercises import Exercise
from proctor.pages.report.gathering import ClassResults, Graded, gather, records_in
from proctor.pages.report.summary import FORMAT, summary_of
from proctor.text import plain

CONFIDENT = 1.96  # standard errors: chance alone leads farther in one case of twenty
# Of a file from another class.
MOST_BYTES = 64 << 20
MOST_STUDENTS = 10**6
MOST_CHARACTERS = 300


@dataclass(frozen=True)
class Group:
    """A share of points or of passes, and of how many submissions it is; `variance` is theirs."""

    share: float
    count: int
    variance: float | None


@dataclass(frozen=True)
class Row:
    """An exercise or a check in both classes; None where one of them does not have it."""

    title: str
    here: Group | None
    there: Group | None

    @property
    def difference(self) -> float | None:
        if self.here is None or self.there is None:
            return None
        return self.here.share - self.there.share

    @property
    def margin(self) -> float | None:
        """How far chance alone may take the difference, in 19 of 20 cases."""
        if self.here is None or self.there is None:
            return None
        if self.here.variance is None or self.there.variance is None:
            return None
        error = self.here.variance / self.here.count + self.there.variance / self.there.count
        return CONFIDENT * math.sqrt(error)

    @property
    def is_clear(self) -> bool:
        return (
            self.difference is not None
            and self.margin is not None
            and abs(self.difference) > self.margin
        )


@dataclass(frozen=True)
class Comparison:
    """Two classes: what the other one is called, both sizes, exercises, checks by exercise."""

    other: str
    here: int
    there: int
    exercises: list[Row]
    checks: list[tuple[str, list[Row]]]


def compare(here: Mapping[str, Any], there: Mapping[str, Any], other: str) -> Comparison:
    """Two summaries side by side, in the order of the first."""
    ours = {one["name"]: one for one in here["exercises"]}
    theirs = {one["name"]: one for one in there["exercises"]}
    checks_here = {(one["graded_cell"], one["name"]): one for one in here["checks"]}
    checks_there = {(one["graded_cell"], one["name"]): one for one in there["checks"]}
    checks: dict[str, list[Row]] = {}
    for key, one in {**checks_there, **checks_here}.items():
        of = (check_group(checks_here.get(key)), check_group(checks_there.get(key)))
        checks.setdefault(one["exercise"], []).append(Row(one["title"], *of))
    titles = {name: one["title"] for name, one in {**theirs, **ours}.items()}
    return Comparison(
        other=other,
        here=here["submissions"] - here["rejected"],
        there=there["submissions"] - there["rejected"],
        exercises=[
            Row(title, exercise_group(ours.get(name)), exercise_group(theirs.get(name)))
            for name, title in titles.items()
        ],
        checks=[(titles[name], checks[name]) for name in titles if name in checks],
    )


def exercise_group(one: Mapping[str, Any] | None) -> Group | None:
    if one is None or one["mean_share"] is None:
        return None
    spread = one["standard_deviation"]
    return Group(one["mean_share"], one["count"], None if spread is None else spread**2)


def check_group(one: Mapping[str, Any] | None) -> Group | None:
    """Of those for whom the check was tried."""
    tried = one["passed"] + one["failed"] if one is not None else 0
    if one is None or not tried:
        return None
    share = one["passed"] / tried
    return Group(share, tried, share * (1 - share))


# Where the other class is


def other_class(
    place: Path, assignment: str, exercises: list[Exercise]
) -> tuple[str, dict[str, Any]]:
    """What the other class is called, and its summary. `place` is a course folder, a folder of
    records, or a file that `proctor report --json` wrote. Raises CourseError."""
    if place.is_file():
        return place.stem, saved_summary(place)
    if not place.is_dir():
        raise CourseError(f"{place} does not exist: --compare takes a folder or a saved JSON")
    name = place.resolve().name
    if (place / "nbgrader_config.py").is_file():
        config = config_of(place)
        if has_gradebook(config):
            course = Course(place.resolve())
            return name, summary_of(gather(config, course, assignment, exercises), anonymous=True)
    records = records_in(place / "records" if (place / "records").is_dir() else place, assignment)
    if not records:
        raise CourseError(
            f"{place} holds no records of {assignment}: name a course folder, its records/ or a "
            f"file that `proctor report {assignment} --json` wrote"
        )
    return name, summary_of(from_records(place, records, assignment, exercises), anonymous=True)


def saved_summary(path: Path) -> dict[str, Any]:
    """What `proctor report --json` wrote into a file, as far as classes are compared. Such files
    are passed on: whatever else stands in one is not taken. Raises CourseError."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError("too large")
        found = json.loads(path.read_bytes())
        if found["format"] != FORMAT:
            raise ValueError("of another format")
        return {
            "submissions": count_in(found, "submissions"),
            "rejected": count_in(found, "rejected"),
            "exercises": [exercise_in(one) for one in found["exercises"]],
            "checks": [check_in(one) for one in found["checks"]],
        }
    except (ValueError, LookupError, TypeError, RecursionError):
        raise CourseError(
            f"{path} is not a JSON report, as `proctor report --json` writes it"
        ) from None


def exercise_in(one: Mapping[str, Any]) -> dict[str, Any]:
    texts = {key: text_in(one, key) for key in ("name", "title")}
    shares = {key: number_in(one, key) for key in ("mean_share", "standard_deviation")}
    return {**texts, **shares, "count": count_in(one, "count")}


def check_in(one: Mapping[str, Any]) -> dict[str, Any]:
    texts = {key: text_in(one, key) for key in ("graded_cell", "name", "exercise", "title")}
    return {**texts, **{key: count_in(one, key) for key in ("passed", "failed")}}


def text_in(found: Mapping[str, Any], key: str) -> str:
    if type(found[key]) is not str:
        raise ValueError(key)
    return plain(found[key], MOST_CHARACTERS)


def count_in(found: Mapping[str, Any], key: str) -> int:
    if type(found[key]) is not int or not 0 <= found[key] <= MOST_STUDENTS:
        raise ValueError(key)
    return found[key]


def number_in(found: Mapping[str, Any], key: str) -> float | None:
    """A share, or how widely shares spread."""
    if found[key] is None:
        return None
    if type(found[key]) not in (int, float) or not 0 <= found[key] <= 1:
        raise ValueError(key)
    return float(found[key])


def config_of(folder: Path) -> Config:
    """The configuration of another course, as if read there."""
    config = PyFileConfigLoader("nbgrader_config.py", str(folder.resolve())).load_config()
    if "root" not in config.CourseDirectory:
        config.CourseDirectory.root = str(folder.resolve())
    return config


def has_gradebook(config: Config) -> bool:
    """Whether there is one; to open it would make it."""
    url = CourseDirectory(config=config).db_url
    file = url.removeprefix("sqlite:///")
    return file == url or Path(file).exists()


def from_records(
    place: Path, records: dict[str, dict[str, Any]], assignment: str, exercises: list[Exercise]
) -> ClassResults:
    """The results that records alone tell: automatic points, and no written answers."""
    submissions = []
    for student, record in records.items():
        stored = ClassSubmission(student, None, None, None)
        for cell in record["cells"]:
            score = cell["score"]
            given = (score or 0.0, cell["max_score"], score, None, score is None)
            stored.grades.append(CellGrade(cell["grade_id"], *given))
        submissions.append(Graded(student, record, stored))
    return ClassResults(Course(place), assignment, exercises, submissions, [], [])
