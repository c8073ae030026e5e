"""What the gradebook and the record say was given, as platforms keep it: numbers and short HTML."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping
from typing import Any

from proctor.grading.class_grades import ClassSubmission
from proctor.grading.marks import state_of
from proctor.text import plain, points


def mark_of(submission: ClassSubmission) -> float:
    return max(0.0, submission.score - submission.late_submission_penalty)


def number(value: float) -> str:
    """A number with at most two decimals, which is what the platforms keep."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def feedback_of(submission: ClassSubmission, record: Mapping[str, Any] | None) -> str:
    """What a student may read about each exercise, as the HTML that Moodle keeps."""
    comments, grades = submission.comments, submission.by_cell
    cells = {cell["grade_id"]: cell for cell in record["cells"]} if record else {}
    names = [*(name for name in cells if name in grades), *(n for n in grades if n not in cells)]
    parts = []
    if record and record["status"] == "rejected":
        parts.append(f"<p>Not graded: {escaped(record['error'])}</p>")
    for name in names:
        most = grades[name].max_score
        given = f"{number(grades[name].score)} of {number(most)}"
        if grades[name].needs_manual_grade:
            given = f"{points(most)}, still being read"
        parts.append(f"<p><strong>{escaped(name)}</strong>: {given}</p>")
        lines = [escaped(line) for line in remarks(cells.get(name))]
        if lines:
            parts.append(f"<ul>{''.join(f'<li>{line}</li>' for line in lines)}</ul>")
        if comments.get(name):
            comment = html.escape(comments[name]).replace("\n", "<br>")
            parts.append(f"<p>{comment}</p>")
    if submission.late_submission_penalty:
        parts.append(f"<p>Late: {points(submission.late_submission_penalty)} off</p>")
    return "".join(parts)


def remarks(cell: Mapping[str, Any] | None) -> Iterator[str]:
    """What a student is told about a graded cell of the record, one line each."""
    for check in cell["checks"] if cell else ():
        if not check["passed"]:
            # The hint of a check that was not tried says so.
            failed = "failed: " if state_of(check) == "failed" else ""
            yield f"{failed}{check['title']}. {check['hint'] or ''}"
    if cell and cell["diagnosis"]:
        yield cell["diagnosis"]


def escaped(text: str | None) -> str:
    return html.escape(plain(text))
