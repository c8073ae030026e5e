"""One student's mark, check by check, for an appeal: from the record and the gradebook."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nbgrader.api import Gradebook, MissingEntry
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config

from proctor.course import Course, CourseError, meant
from proctor.grading.marks import state_of
from proctor.grading.records import read_aside, read_record
from proctor.text import plain


def explained(config: Config, course: Course, assignment: str, student: str) -> dict[str, Any]:
    """All that is known of one mark, as JSON can hold it. It is for the instructor: it has the
    assertions of hidden graders.

    Raises CourseError when this student's submission was never graded.
    """
    record = read_record(course, student, assignment)
    if record is None:
        raise CourseError(no_record(course, student, assignment))
    given = grades_given(config, assignment, student)
    return {
        "assignment": record["assignment"],
        "student": record["student"],
        "status": record["status"],
        "error": record["error"] and plain(record["error"]),
        "set_aside": read_aside(course, student, assignment),
        "automatic": {name: record[name] for name in ("score", "max_score")},
        "gradebook": {
            name: sum(grade[name] for grade in given.values()) for name in ("score", "max_score")
        }
        if given
        else None,
        "incidents": [plain(incident) for incident in record["incidents"]],
        "cells": [cell_of(cell, given.get(cell["grade_id"])) for cell in record["cells"]],
        "modules": [plain(name) for name in record.get("modules") or []],
        **{name: record[name] for name in PROVENANCE},
    }


PROVENANCE = ("graded_at", "seconds", "sha256", "seed", "protection", "versions")


def no_record(course: Course, student: str, assignment: str) -> str:
    """What to do about a student without a record: one who handed in is graded, others are not
    meant."""
    if note := read_aside(course, student, assignment):
        return f"{student} has no mark for {assignment}: " + "\n".join(aside_lines(note))
    known = sorted(path.parent.name for path in course.root.glob(f"records/*/{assignment}.json"))
    if known and not (course.root / "submitted" / student / assignment).is_dir():
        return f"nobody called {student} was graded in {assignment}{meant(student, known)}"
    return (
        f"{student} has no record for {assignment}: `proctor grade {assignment} --student "
        f"{student}` makes one"
    )


def cell_of(cell: Mapping[str, Any], given: Mapping[str, Any] | None) -> dict[str, Any]:
    """A graded cell; `gradebook` is what the gradebook has of it, None where it has nothing."""
    total = sum(check["weight"] for check in cell["checks"])
    return {
        **{name: cell[name] for name in ("grade_id", "score", "max_score", "unanswered")},
        "diagnosis": cell["diagnosis"],
        "gradebook": given,
        "checks": [
            {
                "name": check["name"],
                "title": check["title"],
                "state": state_of(check),
                "worth": cell["max_score"] * check["weight"] / total,
                "told": check["hint"] and plain(check["hint"]),
                "assertion": [plain(line) for line in assertion_lines(check["detail"])],
            }
            for check in cell["checks"]
        ],
    }


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


def assertion_lines(detail: str) -> list[str]:
    """The lines of pytest's report that say what was found."""
    return [line for line in detail.splitlines() if line.startswith(("E ", ">"))][:12]


# The same for people


def explanation(found: dict[str, Any]) -> str:
    lines = [*heading(found), ""]
    for cell in found["cells"]:
        lines += [*cell_lines(cell), ""]
    return "\n".join(lines + provenance(found))


def heading(found: dict[str, Any]) -> list[str]:
    lines = [f"{found['assignment']}, {found['student']}"]
    if found["status"] == "rejected":
        lines.append(f"rejected: {found['error']}")
    if found["set_aside"]:
        lines += aside_lines(found["set_aside"])
    for name, title in (("automatic", "automatic score"), ("gradebook", "in the gradebook")):
        if found[name]:
            lines.append(f"{title}: {of(found[name]['score'], found[name]['max_score'])}")
    return lines + [f"incident: {incident}" for incident in found["incidents"]]


def aside_lines(note: Mapping[str, str]) -> list[str]:
    """Why the last try gave no mark; what is told below, if anything, is of an earlier one."""
    error = [f"  | {plain(line)}" for line in note["error"].splitlines() if line.strip()]
    return [f"set aside, not graded, at {note['set_aside_at']}:", *error, plain(note["remedy"])]


def of(score: float, most: float) -> str:
    return f"{round(score, 2):g} of {round(most, 2):g}"


def cell_lines(cell: dict[str, Any]) -> list[str]:
    by_hand, given = cell["score"] is None, cell["gradebook"]
    score = f"by hand of {cell['max_score']:g}" if by_hand else of(cell["score"], cell["max_score"])
    lines = [f"{cell['grade_id']}: {score}"]
    if given and given["by_hand"] is not None:
        lines.append(f"  given by a person: {round(given['by_hand'], 2):g}")
    elif given and given["waits"]:
        lines.append("  needs manual grading")
    if given and given["comment"]:
        lines.append(f"  comment: {plain(given['comment'])}")
    for check in cell["checks"]:
        sign = "✗" if check["state"] == "failed" else " "
        lines.append(f"{sign} {check['state']}, worth {check['worth']:.3g}: {check['title']}")
        if check["state"] != "passed":
            lines.append(f"    told to the student: {check['told']}")
            lines += [f"    | {line}" for line in check["assertion"]]
    if cell["diagnosis"]:
        lines.append(f"  diagnosis: {cell['diagnosis']}")
    return lines


def provenance(record: dict[str, Any]) -> list[str]:
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    lines = [
        f"graded at {record['graded_at']} in {record['seconds']:.1f} s",
    ]
    for name, title in (  # a rejected file was not run
        ("sha256", "sha256 of the submission"),
        ("seed", "seed of the random inputs"),
        ("protection", "protection"),
    ):
        if record[name] is not None:
            lines.append(f"{title}: {record[name]}")
    lines.append(f"versions: {versions}")
    if record.get("modules"):
        lines.append(f"modules handed in with it: {', '.join(record['modules'])}")
    if record["seed"] is not None:
        lines.append(
            f"the same marks again: proctor check --assignment {record['assignment']} "
            f"--student {record['student']} --seed {record['seed']} NOTEBOOK"
        )
    return lines
