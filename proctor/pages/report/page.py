"""The report as a page: one file that needs nothing from outside, and no script to be read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from proctor.course import Course, read_notebook, write_whole
from proctor.grading.records import answered_questions
from proctor.pages.report import charts
from proctor.pages.report.acting import Matter, to_act_on, to_know
from proctor.pages.report.comparison import Comparison
from proctor.pages.report.gathering import ClassResults, Graded
from proctor.pages.report.items import (
    CheckResult,
    ExerciseResult,
    Mistake,
    check_results,
    exercise_results,
    known_mistakes,
    worst_first,
)
from proctor.pages.report.summary import distribution_of, names_of
from proctor.text import plain

TEMPLATES = Path(__file__).parents[1] / "templates" / "report"
EXAMPLE_CHARACTERS = 1500
# So many mistakes are shown at once, and names in a list; the rest is folded.
FEW = 8
# The colours of shares: the numbers of their classes in report.css.
LEVELS = 5
# What the table of students can be filtered by, and what its notes say.
TAGS = {
    "rejected": "rejected",
    "timed-out": "out of time",
    "unusual": "unusual",
    "refused": "refused by the sandbox",
    "set-aside": "set aside",
    "waiting": "answers to read",
    "unanswered": "left something unanswered",
    "mistake": "made a known mistake",
    "late": "late",
}

NOTED = ("rejected", "timed-out", "unusual", "refused", "set-aside")


@dataclass(frozen=True)
class Person:
    """Whoever handed a submission in, as the report names them. `anchor` is their row in the table
    of students; no link to a page leads to the unnamed."""

    name: str
    anchor: str | None = None
    feedback: str | None = None
    formgrader: str | None = None


@dataclass(frozen=True)
class StudentRow:
    """One row of the table of students. `shares` are of the exercises, in their order; `tags` are
    what the filter of the table knows it by; `own_code` is what came of `proctor ask`."""

    person: Person
    status: str
    score: float
    shares: list[float | None]
    waiting: int
    late: float
    own_code: str
    tags: list[str]

    @property
    def notes(self) -> list[str]:
        """What the table says of it beside the points."""
        found = [TAGS[tag] for tag in self.tags if tag in NOTED]
        found += ["unanswered"] if "unanswered" in self.tags else []
        found += [f"to read: {self.waiting}"] if self.waiting else []
        return found + ([f"late: {self.late:g} points off"] if self.late else [])


def write_report(
    results: ClassResults,
    *,
    anonymous: bool = False,
    written: Sequence[Any] = (),
    comparison: Comparison | None = None,
) -> Path:
    """Write `reports/<assignment>.html` in the course folder, or `<assignment>-<group>.html`;
    `written` are the reports on written answers."""
    page = report_page(results, anonymous=anonymous, written=written, comparison=comparison)
    name = "-".join(filter(None, (results.assignment, results.group)))
    path = results.course.root / "reports" / f"{name}.html"
    write_whole(path, page)
    return path


def report_page(
    results: ClassResults,
    *,
    anonymous: bool = False,
    written: Sequence[Any] = (),
    comparison: Comparison | None = None,
) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["level"] = level
    environment.filters["breakable"] = breakable
    act_on = to_act_on(results)
    people = people_of(results, anonymous)
    exercises = exercise_results(results)
    mistakes = known_mistakes(results)
    rows = student_rows(results, people, act_on, mistakes)
    return environment.get_template("index.html.j2").render(
        results=results,
        anonymous=anonymous,
        made=datetime.now().astimezone(),
        graded_at=datetime.fromisoformat(
            max(one.record["graded_at"] for one in results.submissions)
        ),
        versions=sorted({one.record["versions"]["proctor"] for one in results.submissions}),
        people=people,
        act_on=act_on,
        to_know=to_know(results),
        scores=distribution_of(results),
        exercises=exercises,
        worst_first=worst_first(exercises),
        dots=charts.dots(exercises),
        plot=charts,
        checks=checks_of(exercises, check_results(results)),
        # An example may hold its author's name.
        mistakes=[(one, "" if anonymous else example(results, one)) for one in mistakes],
        few=FEW,
        written=written,
        comparison=comparison,
        students=rows,
        tags=TAGS,
        tagged=Counter(tag for row in rows for tag in row.tags),
        strip=strip(rows),
        has_own_code=any(row.own_code for row in rows),
        without_feedback=sum(row.person.feedback is None for row in rows),
    )


def level(share: float | None) -> str:
    """The class of a share's colour: "none", or from 0 for nothing to the last for all."""
    if share is None:
        return "none"
    if share >= 1:
        return str(LEVELS)
    return str(min(LEVELS - 1, int(share * (LEVELS - 1)) + (share > 0)))


def breakable(name: str) -> Markup:
    """A name that may go on in the next line after an underscore."""
    return Markup("_<wbr>").join(name.split("_"))


def people_of(results: ClassResults, anonymous: bool) -> dict[str, Person]:
    """Everybody whom the report may name."""
    names = names_of(results, anonymous)
    found = {}
    for number, one in enumerate(results.submissions, start=1):
        notebooks = one.stored.notebooks
        found[one.student] = Person(
            name=names[one.student],
            anchor=f"s{number}",
            feedback=None if anonymous else feedback_page(results, one.student),
            formgrader=notebooks[0] if notebooks and not anonymous else None,
        )
    if not anonymous:
        for student in (*results.not_graded, *results.set_aside, *results.not_handed_in):
            found.setdefault(student, Person(plain(student)))
    return found


def feedback_page(results: ClassResults, student: str) -> str | None:
    """Where the student's feedback is, seen from the report; None where there is none yet."""
    place = Path("feedback", student, results.assignment, f"{results.assignment}.html")
    return f"../{place.as_posix()}" if (results.course.root / place).is_file() else None


def checks_of(
    exercises: Sequence[ExerciseResult], checks: Mapping[str, list[CheckResult]]
) -> list[tuple[ExerciseResult, list[CheckResult]]]:
    """The exercises that have checks, worst first, with these."""
    return [
        (one, checks[one.exercise.name])
        for one in worst_first(exercises)
        if one.exercise.name in checks
    ]


def student_rows(
    results: ClassResults,
    people: Mapping[str, Person],
    act_on: Sequence[Matter],
    mistakes: Sequence[Mistake],
) -> list[StudentRow]:
    """One row for each submission, the lowest scores first."""
    tags: dict[str, list[str]] = {}
    for matter in act_on:
        for student in matter.students:
            tags.setdefault(student, []).append(matter.key)
    for mistake in mistakes:
        for student in mistake.students:
            if "mistake" not in tags.setdefault(student, []):
                tags[student].append("mistake")
    counted = results.counted
    rows = [student_row(results, one, people, tags.get(one.student, []), counted)
            for one in results.submissions]  # fmt: skip
    return sorted(rows, key=lambda row: row.score)


def student_row(
    results: ClassResults,
    one: Graded,
    people: Mapping[str, Person],
    tags: Sequence[str],
    counted: Sequence[str],
) -> StudentRow:
    waiting = one.stored.waiting
    blank = any(cell["unanswered"] for cell in one.cells)
    late = one.stored.late_submission_penalty
    more = (("waiting", waiting), ("unanswered", blank), ("late", late))
    return StudentRow(
        person=people[one.student],
        status=one.record["status"],
        score=one.score(counted),
        shares=[None if one.is_rejected else one.share(each) for each in results.exercises],
        waiting=waiting,
        late=late,
        own_code=answered_questions(results.course, one.student, results.assignment),
        tags=[*tags, *(key for key, has in more if has)],
    )


def strip(rows: Sequence[StudentRow]) -> list[list[tuple[int, int, str]]]:
    """The class at a glance: for each exercise, runs of students beside each other, lowest scores
    first, whose shares have the same colour: from, how many, which."""
    marked = [row for row in rows if row.status != "rejected"]
    lines = []
    for shares in zip(*(row.shares for row in marked), strict=True):
        runs: list[tuple[int, int, str]] = []
        for place, share in enumerate(shares):
            colour = level(share)
            if runs and runs[-1][2] == colour:
                runs[-1] = (runs[-1][0], runs[-1][1] + 1, colour)
            else:
                runs.append((place, 1, colour))
        lines.append(runs)
    return lines


def example(results: ClassResults, mistake: Mistake) -> str:
    """How the first student who made a mistake wrote it."""
    return answer_of(results.course, results.assignment, mistake.students[0], mistake.exercise.name)


def answer_of(course: Course, assignment: str, student: str, name: str) -> str:
    """What stands in an answer cell of a graded notebook."""
    path = course.root / "autograded" / student / assignment / f"{assignment}.ipynb"
    if not path.exists():
        return ""
    found = [
        cell.source
        for cell in read_notebook(path).cells
        if cell.metadata.get("nbgrader", {}).get("grade_id") == name
    ]
    lines = "".join(found)[:EXAMPLE_CHARACTERS].splitlines()
    return "\n".join(plain_line(line) for line in lines)


def plain_line(line: str) -> str:
    """A line of code that keeps its indentation."""
    indentation = line[: len(line) - len(line.lstrip(" "))]
    return indentation + plain(line)
