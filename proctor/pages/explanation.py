"""One student's mark, check by check, for an appeal: from the record and the gradebook."""

from __future__ import annotations

from typing import Any

from nbgrader.api import Gradebook, MissingEntry
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config

from proctor.course import Course, CourseError
from proctor.grading.marks import state_of
from proctor.grading.records import read_record
from proctor.text import plain


def explanation(config: Config, course: Course, assignment: str, student: str) -> str:
    """A page for the instructor: it shows the assertions of hidden graders.

    Raises CourseError when this student's submission was never graded.
    """
    record = read_record(course, student, assignment)
    if record is None:
        raise CourseError(
            f"{student} has no record for {assignment}: `proctor grade {assignment} --student "
            f"{student}` makes one"
        )
    given = grades_given(config, assignment, student)
    lines = [*heading(record, given), ""]
    for cell in record["cells"]:
        lines += [*cell_lines(cell, given.get(cell["grade_id"])), ""]
    return "\n".join(lines + provenance(record))


def grades_given(config: Config, assignment: str, student: str) -> dict[str, Any]:
    """What the gradebook holds, by grade id: score, the part given by hand, and the comment."""
    coursedir = CourseDirectory(config=config)
    with Gradebook(coursedir.db_url, coursedir.course_id) as gradebook:
        try:
            submission = gradebook.find_submission(assignment, student)
        except MissingEntry:
            return {}
        comments = {
            comment.name: comment.comment
            for notebook in submission.notebooks
            for comment in notebook.comments
        }
        return {
            grade.name: {
                "score": grade.score,
                "max_score": grade.max_score,
                "by_hand": grade.manual_score,
                "waits": grade.needs_manual_grade,
                "comment": comments.get(grade.name),
            }
            for notebook in submission.notebooks
            for grade in notebook.grades
        }


def heading(record: dict[str, Any], given: dict[str, Any]) -> list[str]:
    lines = [f"{record['assignment']}, {record['student']}"]
    if record["status"] == "rejected":
        lines.append(f"rejected: {plain(record['error'])}")
    lines.append(f"automatic score: {record['score']:g} of {record['max_score']:g}")
    if given:
        score = sum(grade["score"] for grade in given.values())
        most = sum(grade["max_score"] for grade in given.values())
        lines.append(f"in the gradebook: {score:g} of {most:g}")
    lines += [f"incident: {plain(incident)}" for incident in record["incidents"]]
    return lines


def cell_lines(cell: dict[str, Any], given: dict[str, Any] | None) -> list[str]:
    score = "by hand" if cell["score"] is None else f"{cell['score']:g}"
    lines = [f"{cell['grade_id']}: {score} of {cell['max_score']:g}"]
    if given and given["by_hand"] is not None:
        lines.append(f"  given by a person: {given['by_hand']:g}")
    elif given and given["waits"]:
        lines.append("  needs manual grading")
    if given and given["comment"]:
        lines.append(f"  comment: {plain(given['comment'])}")
    total = sum(check["weight"] for check in cell["checks"])
    for check in cell["checks"]:
        worth = cell["max_score"] * check["weight"] / total
        lines.append(f"  {state_of(check)}, worth {worth:.3g}: {check['title']}")
        if not check["passed"]:
            lines.append(f"    told to the student: {plain(check['hint'])}")
            lines += [f"    | {plain(line)}" for line in assertion_lines(check["detail"])]
    if cell["diagnosis"]:
        lines.append(f"  diagnosis: {cell['diagnosis']}")
    return lines


def assertion_lines(detail: str) -> list[str]:
    """The lines of pytest's report that say what was found."""
    return [line for line in detail.splitlines() if line.startswith(("E ", ">"))][:12]


def provenance(record: dict[str, Any]) -> list[str]:
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    lines = [
        f"graded at {record['graded_at']} in {record['seconds']:.1f} s",
        f"sha256 of the submission: {record['sha256']}",
        f"seed of the random inputs: {record['seed']}",
        f"protection: {record['protection']}",
        f"versions: {versions}",
    ]
    if record.get("modules"):
        lines.append(f"modules handed in with it: {', '.join(map(plain, record['modules']))}")
    if record["seed"] is not None:
        lines.append(
            f"the same marks again: proctor check --assignment {record['assignment']} "
            f"--student {record['student']} --seed {record['seed']} NOTEBOOK"
        )
    return lines
