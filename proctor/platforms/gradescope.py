"""The marks of one submission as Gradescope's results.json."""

from __future__ import annotations

from typing import Any

from proctor.grading.marks import CellMarks, Check, Marks
from proctor.text import plain, points


def results_of(marks: Marks) -> dict[str, Any]:
    """What Gradescope shows and counts: a test for each check, with its share of the points.

    Titles and hints are all that is told of a check, so every test may be seen by students.
    Standard output is hidden, for it is the grader's.
    """
    return {
        "score": marks.score,
        "execution_time": round(marks.seconds, 3),
        "output": summary_of(marks),
        "output_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": [
            check_result(f"{place}.{number}", cell, check)
            for place, cell in enumerate(marks.cells, start=1)
            for number, check in enumerate(cell.checks, start=1)
        ],
    }


def summary_of(marks: Marks) -> str:
    if marks.status == "rejected":
        return f"Not graded: {plain(marks.error)}"
    lines = [f"{marks.score:g} of {points(marks.max_score)} for what is graded automatically."]
    for cell in marks.cells:
        if cell.needs_manual_grade and cell.unanswered:
            lines.append(f"{cell.grade_id} ({points(cell.max_score)}) was not answered.")
        elif cell.needs_manual_grade:
            lines.append(f"{cell.grade_id} ({points(cell.max_score)}) is still being read.")
        if cell.diagnosis:
            lines.append(f"{cell.grade_id}: {cell.diagnosis}")
    return "\n".join(lines)


def check_result(number: str, cell: CellMarks, check: Check) -> dict[str, Any]:
    share = cell.worth(check)
    return {
        "name": f"{cell.grade_id}: {check.title}",
        "number": number,
        "score": share if check.passed else 0.0,
        "max_score": share,
        "status": "passed" if check.passed else "failed",
        "output": plain(check.hint),
        "output_format": "text",
    }
