"""The report as data: for `proctor report --json`, and to be compared with another class's."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from proctor.pages.report.acting import to_act_on
from proctor.pages.report.charts import Distribution
from proctor.pages.report.gathering import ClassResults, Graded
from proctor.pages.report.items import (
    CheckResult,
    ExerciseResult,
    check_results,
    exercise_results,
    known_mistakes,
    state_in,
)
from proctor.text import plain, row_of

FORMAT = 1
DIGITS = 4


def summary_of(
    results: ClassResults, *, anonymous: bool = False, written: Sequence[Any] = ()
) -> dict[str, Any]:
    """Everything that the report tells, as JSON can hold it. Shares are from 0 to 1; scores are of
    `scores.of` points, which are the automatic ones until all written answers have been read."""
    exercises = exercise_results(results)
    checks = check_results(results)
    names = names_of(results, anonymous)
    return {
        "format": FORMAT,
        "assignment": results.assignment,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "points": results.points,
        "submissions": len(results.submissions),
        "rejected": len(results.submissions) - len(results.marked),
        "not_graded": len(results.not_graded),
        "set_aside": len(results.set_aside),
        "not_handed_in": len(results.not_handed_in),
        "answers_waiting": results.waiting,
        "scores": scores_as_json(distribution_of(results)),
        "exercises": [exercise_as_json(one) for one in exercises],
        "checks": [check_as_json(one) for found in checks.values() for one in found],
        "mistakes": [
            {
                "exercise": mistake.exercise.name,
                "name": mistake.name,
                "told": mistake.told,
                "count": len(mistake.students),
            }
            for mistake in known_mistakes(results)
        ],
        "act_on": [
            {
                "kind": matter.key,
                "submissions": [
                    {"student": names.get(student, "a student"), "why": why}
                    for student, why in matter.lines
                ],
            }
            for matter in to_act_on(results)
        ],
        "written": [asdict(one) for one in written],
        "students": [
            student_as_json(one, names[one.student], results) for one in results.submissions
        ],
    }


def names_of(results: ClassResults, anonymous: bool) -> dict[str, str]:
    """How the report names each student whose submission was graded."""
    return {
        one.student: f"submission {number}" if anonymous else plain(one.student)
        for number, one in enumerate(results.submissions, start=1)
    } | (
        {} if anonymous else {who: plain(who) for who in (*results.not_graded, *results.set_aside)}
    )


def distribution_of(results: ClassResults) -> Distribution | None:
    """The scores of those that could be read; None where there are none."""
    counted = results.counted
    scores = [one.score(counted) for one in results.marked]
    return Distribution(results.counted_points, scores) if scores else None


def scores_as_json(scores: Distribution | None) -> dict[str, Any] | None:
    if scores is None:
        return None
    return {
        "of": scores.points,
        "count": scores.count,
        "mean": rounded(scores.mean),
        "standard_deviation": rounded(scores.spread),
        "quartiles": [rounded(one) for one in scores.quartiles],
        "lowest": rounded(min(scores.scores)),
        "highest": rounded(max(scores.scores)),
    }


def exercise_as_json(one: ExerciseResult) -> dict[str, Any]:
    return {
        "name": one.exercise.name,
        "title": one.exercise.title,
        "points": one.exercise.points,
        "count": len(one.known),
        "mean_share": rounded(one.mean),
        "standard_deviation": rounded(one.spread),
        "discrimination": rounded(one.discrimination),
        "unanswered": len(one.unanswered),
        "waiting": one.waiting,
    }


def check_as_json(one: CheckResult) -> dict[str, Any]:
    return {
        "exercise": one.exercise,
        "graded_cell": one.cell,
        "name": one.name,
        "title": one.title,
        "passed": len(one.passed),
        "failed": len(one.failed),
        "not_tried": len(one.not_tried),
        "waits_for": one.cause,
        "discrimination": rounded(one.discrimination),
    }


def student_as_json(one: Graded, name: str, results: ClassResults) -> dict[str, Any]:
    return {
        "student": name,
        "status": one.record["status"],
        "score": rounded(one.score(results.counted)),
        "late_penalty": one.stored.late_submission_penalty,
        "answers_waiting": one.stored.waiting,
        "shares": {each.name: rounded(one.share(each)) for each in results.exercises},
    }


def rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)


CSV_COLUMNS = (
    "student", "status", "graded_cell", "cell_score", "cell_max_score", "check", "title", "passed",
    "diagnosis",
)  # fmt: skip


def checks_as_csv(results: ClassResults) -> str:
    """One row for each student and check: 1 for passed, 0 for failed, nothing for not tried; one
    for each cell that a person grades, without a score until it is read; one with the reason for
    what was rejected."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(CSV_COLUMNS)
    for one in results.submissions:
        if one.is_rejected:
            writer.writerow(row_of([one.student, "rejected", *[""] * 6, one.record["error"]]))
        for cell in one.cells:
            begin = [
                one.student,
                "graded",
                cell["grade_id"],
                score_in(one, cell),
                cell["max_score"],
            ]
            for row in rows_of_cell(cell):
                writer.writerow(row_of([*begin, *row]))
    return text.getvalue()


def score_in(one: Graded, cell: dict[str, Any]) -> float | str:
    """The automatic points of a cell; a person's where there are no others."""
    given = one.stored.by_cell.get(cell["grade_id"])
    if cell["score"] is not None:
        return cell["score"]
    return "" if given is None or given.needs_manual_grade else given.score


def rows_of_cell(cell: dict[str, Any]) -> Iterator[list[Any]]:
    if cell["score"] is None:
        yield ["", "graded by a person", "", ""]
    for check in cell["checks"]:
        state = state_in(check)
        passed = {"passed": 1, "failed": 0}.get(state, "")
        diagnosis = cell["diagnosis"] or "" if state == "failed" else ""
        yield [check["name"], check["title"], passed, diagnosis]
