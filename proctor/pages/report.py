"""The report on one assignment of a class: one HTML page that needs nothing else, or a CSV.

Scores come from the gradebook, everything about single checks from the records.
"""

from __future__ import annotations

import csv
import io
import json
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config

from proctor.course import Course, CourseError, read_notebook, write_whole
from proctor.grading.records import answered_questions
from proctor.text import plain, row_of

TEMPLATES = Path(__file__).parent / "templates" / "report"
MOST_MISTAKES = 10
# How incidents say that time ran out.
TIMED_OUT = ("was stopped after", "took longer than", "did not stop after")
EXAMPLE_CHARACTERS = 1500


@dataclass(frozen=True)
class Graded:
    """One submission: its record, and the score that the gradebook has for it."""

    student: str
    record: dict[str, Any]
    score: float

    @property
    def is_rejected(self) -> bool:
        return self.record["status"] == "rejected"


@dataclass(frozen=True)
class ItemStatistics:
    """How a graded cell or a check did in this class.

    `facility` is the mean share of its points that were given (1: everybody has it),
    `discrimination` the correlation of that share with the rest of the score (near 1: the strong
    have it and the weak do not; None where it cannot be computed because everybody did the same).
    """

    name: str
    title: str
    facility: float
    discrimination: float | None
    seconds: float | None = None


def write_report(
    config: Config,
    course: Course,
    assignment: str,
    *,
    anonymous: bool = False,
    written: Sequence[Any] = (),
) -> Path:
    """Write `reports/<assignment>.html` in the course folder; `written` are the reports on written
    answers. Raises CourseError without marks."""
    page = report_page(config, course, assignment, anonymous=anonymous, written=written)
    path = course.root / "reports" / f"{assignment}.html"
    write_whole(path, page)
    return path


def report_page(
    config: Config,
    course: Course,
    assignment: str,
    *,
    anonymous: bool = False,
    written: Sequence[Any] = (),
) -> str:
    graded, points = graded_submissions(config, course, assignment)
    marked = [one for one in graded if not one.is_rejected]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    scores = [one.score for one in graded]
    people = {one.student: shown(one, n, anonymous) for n, one in enumerate(graded, start=1)}
    told = [
        (people[one.student], plain(text)) for one in graded for text in one.record["incidents"]
    ]
    late = [(who, what) for who, what in told if time_ran_out(what)]
    return environment.get_template("index.html.j2").render(
        assignment=assignment,
        points=points,
        count=len(graded),
        rejected=[
            (people[one.student], plain(one.record["error"])) for one in graded if one.is_rejected
        ],
        mean=statistics.fmean(scores),
        median=statistics.median(scores),
        histogram=histogram(scores, points),
        cells=cell_statistics(marked),
        checks=check_statistics(marked),
        mistakes=common_mistakes(marked, course, assignment),
        unanswered=unanswered(marked, people),
        slow=[(people[one.student], f"{one.record['seconds']:.1f} s") for one in slowest(marked)],
        timed_out=late,
        incidents=[one for one in told if one not in late],
        waiting=sum(one.answers - one.read for one in written),
        students=None if anonymous else student_rows(graded, people, course),
        written=written,
    )


def graded_submissions(
    config: Config, course: Course, assignment: str
) -> tuple[list[Graded], float]:
    """Every graded submission of an assignment, by student, and the points there are."""
    coursedir = CourseDirectory(config=config)
    with Gradebook(coursedir.db_url, coursedir.course_id) as gradebook:
        try:
            points = gradebook.find_assignment(assignment).max_score
        except MissingEntry:
            raise CourseError(
                f"the gradebook has no assignment {assignment}: `nbgrader generate_assignment "
                f"{assignment}` brings it in"
            ) from None
        submissions = gradebook.assignment_submissions(assignment)
        scores = {submission.student_id: submission.score for submission in submissions}
    found = []
    for path in sorted(course.root.glob(f"records/*/{assignment}.json")):
        student = path.parent.name
        if student in scores:
            found.append(Graded(student, json.loads(path.read_text()), scores[student]))
    if not found:
        raise CourseError(
            f"nothing was graded yet: `proctor grade {assignment}` does that, and leaves records"
        )
    return found, points


@dataclass(frozen=True)
class Person:
    """Whoever handed a submission in, as the report names them; no link leads to the unnamed."""

    name: str
    notebook: str | None = None
    feedback: str | None = None


def shown(graded: Graded, number: int, anonymous: bool) -> Person:
    if anonymous:
        return Person(f"submission {number}")
    student, assignment = graded.student, graded.record["assignment"]
    return Person(
        plain(student),
        f"../autograded/{student}/{assignment}/{assignment}.ipynb",
        f"../feedback/{student}/{assignment}/{assignment}.html",
    )


# Item analysis


def cell_statistics(graded: Sequence[Graded]) -> list[ItemStatistics]:
    """By graded cell, in the notebook's order; cells that a person grades are left out."""
    shares: dict[str, list[float | None]] = {}
    seconds: dict[str, list[float]] = {}
    for place, one in enumerate(graded):
        for cell in one.record["cells"]:
            if cell["score"] is None:
                continue
            share = cell["score"] / cell["max_score"] if cell["max_score"] else 0.0
            shares.setdefault(cell["grade_id"], [None] * len(graded))[place] = share
            spent = sum(check["seconds"] for check in cell["checks"])
            seconds.setdefault(cell["grade_id"], []).append(spent)
    totals = [one.record["score"] for one in graded]
    weights = {
        cell["grade_id"]: cell["max_score"] for one in graded for cell in one.record["cells"]
    }
    return [
        item(name, name, found, totals, weights[name], statistics.median(seconds[name]))
        for name, found in shares.items()
    ]


def check_statistics(graded: Sequence[Graded]) -> list[tuple[str, ItemStatistics]]:
    """By check, with the graded cell it belongs to."""
    passed: dict[tuple[str, str], list[float | None]] = {}
    told: dict[tuple[str, str], tuple[str, float]] = {}
    for place, one in enumerate(graded):
        for cell in one.record["cells"]:
            total = sum(check["weight"] for check in cell["checks"])
            for check in cell["checks"]:
                key = cell["grade_id"], check["name"]
                passed.setdefault(key, [None] * len(graded))[place] = float(check["passed"])
                told[key] = check["title"], cell["max_score"] * check["weight"] / total
    totals = [one.record["score"] for one in graded]
    return [
        (key[0], item(key[1], told[key][0], found, totals, told[key][1]))
        for key, found in passed.items()
    ]


def item(
    name: str,
    title: str,
    shares: Sequence[float | None],
    totals: Sequence[float],
    points: float,
    seconds: float | None = None,
) -> ItemStatistics:
    """Statistics of one item from the share of its points that each submission got."""
    pairs = [
        (share, total - points * share)
        for share, total in zip(shares, totals, strict=True)
        if share is not None
    ]
    own, rest = [share for share, _ in pairs], [others for _, others in pairs]
    differ = len(pairs) > 2 and len(set(own)) > 1 and len(set(rest)) > 1
    discrimination = statistics.correlation(own, rest) if differ else None
    return ItemStatistics(name, title, statistics.fmean(own), discrimination, seconds)


def common_mistakes(
    graded: Sequence[Graded], course: Course, assignment: str
) -> list[dict[str, Any]]:
    """The diagnoses, most frequent first, each with how one student wrote it."""
    counted: Counter[tuple[str, str]] = Counter()
    first: dict[tuple[str, str], str] = {}
    for one in graded:
        for cell in one.record["cells"]:
            if cell["diagnosis"]:
                key = cell["grade_id"], cell["diagnosis"]
                counted[key] += 1
                first.setdefault(key, one.student)
    return [
        {
            "cell": key[0],
            "diagnosis": key[1],
            "count": count,
            "example": example(course, assignment, first[key], key[0]),
        }
        for key, count in counted.most_common(MOST_MISTAKES)
    ]


def example(course: Course, assignment: str, student: str, grade_id: str) -> str:
    """What stands in the answer cell above a graded one, in a graded notebook."""
    path = course.root / "autograded" / student / assignment / f"{assignment}.ipynb"
    answer = ""
    if path.exists():
        for cell in read_notebook(path).cells:
            labels = cell.metadata.get("nbgrader", {})
            if labels.get("grade_id") == grade_id:
                break
            if labels.get("solution"):
                answer = cell.source
    return "\n".join(plain_line(line) for line in answer[:EXAMPLE_CHARACTERS].splitlines())


def plain_line(line: str) -> str:
    """A line of code that keeps its indentation."""
    indentation = line[: len(line) - len(line.lstrip(" "))]
    return indentation + plain(line)


# Lists for the instructor


def unanswered(graded: Sequence[Graded], people: dict[str, Person]) -> list[tuple[Person, str]]:
    """The graded cells of exercises that were left as they were released, by submission."""
    found = []
    for one in graded:
        blank = [cell["grade_id"] for cell in one.record["cells"] if cell["unanswered"]]
        if blank:
            found.append((people[one.student], ", ".join(blank)))
    return found


def slowest(graded: Sequence[Graded]) -> list[Graded]:
    return sorted(graded, key=lambda one: -one.record["seconds"])[:5]


def time_ran_out(incident: str) -> bool:
    return any(words in incident for words in TIMED_OUT)


def student_rows(
    graded: Sequence[Graded], people: dict[str, Person], course: Course
) -> list[dict[str, Any]]:
    """One row for each student. `own_code` is what came of questions on it (`proctor ask`)."""
    return [
        {
            "person": people[one.student],
            "automatic": one.record["score"],
            "score": one.score,
            "status": one.record["status"],
            "seconds": one.record["seconds"],
            "own_code": answered_questions(course, one.student, one.record["assignment"]),
        }
        for one in graded
    ]


# Output


def histogram(scores: Sequence[float], points: float) -> str:
    """The distribution of scores, as inline SVG."""
    # Here, because only this needs it, and it takes a while to import.
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt
    from matplotlib.ticker import MaxNLocator

    with matplotlib.rc_context(
        {"svg.hashsalt": "proctor", "svg.fonttype": "none", "font.size": 10}
    ):
        figure, axes = plt.subplots(figsize=(7, 2.4), layout="constrained")
        bins = [points * step / 10 for step in range(11)]
        axes.hist(scores, bins=bins, color="#0072B2", edgecolor="white")
        axes.set(xlabel=f"score, of {points:g}", ylabel="submissions", xlim=(0, points))
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.spines[["top", "right"]].set_visible(False)
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None})
        plt.close(figure)
    drawing = text.getvalue()
    return drawing[drawing.index("<svg") :]


def checks_as_csv(config: Config, course: Course, assignment: str) -> str:
    """One row for each student and check."""
    graded, _ = graded_submissions(config, course, assignment)
    text = io.StringIO()
    writer = csv.writer(text)
    header = ("student", "status", "graded_cell", "cell_score", "cell_max_score", "check", "title")
    writer.writerow((*header, "passed", "diagnosis"))
    for one in graded:
        if one.is_rejected:
            writer.writerow(
                row_of([one.student, "rejected", "", "", "", "", one.record["error"], "", ""])
            )
        for cell in one.record["cells"]:
            for check in cell["checks"]:
                values = [one.student, "graded", cell["grade_id"], cell["score"], cell["max_score"]]
                values += [
                    check["name"],
                    check["title"],
                    int(check["passed"]),
                    cell["diagnosis"] or "",
                ]
                writer.writerow(row_of(values))
    return text.getvalue()
