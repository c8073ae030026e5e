"""Tables for the instructor: who has more time, and what late work uses and costs."""

from __future__ import annotations

from nbgrader.api import SubmittedNotebook
from sqlalchemy import func, select

from proctor.classroom.deadlines.penalties import ClassDeadlines, opened
from proctor.classroom.deadlines.table import EVERY_ASSIGNMENT
from proctor.classroom.deadlines.telling import in_words, length


def extension_rows(
    deadlines: ClassDeadlines, assignment: str | None, students: set[str]
) -> list[list[str]]:
    """The table of extensions, with when each ends; the first row names the columns."""
    rows = [["assignment", "student", "until", "as written", "reason", "by", "on"]]
    with opened(deadlines.coursedir) as gradebook:
        due_dates = deadlines.due_dates(gradebook) if gradebook is not None else {}
    for each in deadlines.table.extensions if deadlines.table else []:
        if assignment not in (None, each.assignment) and each.assignment != EVERY_ASSIGNMENT:
            continue
        if students and each.student not in students:
            continue
        ends = each.more.ends(due_dates.get(each.assignment), deadlines.zone)
        until = in_words(ends, deadlines.zone) if ends else "-"
        names = [each.assignment, each.student, until, str(each.more)]
        rows.append([*names, each.reason, each.by, each.on])
    return rows


def late_rows(
    deadlines: ClassDeadlines, assignment: str | None, students: set[str]
) -> list[list[str]]:
    """Everything that came late, in the order in which late days are used."""
    unit = f"{deadlines.rule.unit}s"
    rows = [["assignment", "student", "deadline", "late by", f"late {unit} used", "left", "points"]]
    with opened(deadlines.coursedir) as gradebook:
        if gradebook is None:
            return rows
        found = deadlines.read(gradebook)
        taken = dict(
            gradebook.db.execute(
                select(
                    SubmittedNotebook.assignment_id,
                    func.sum(SubmittedNotebook.late_submission_penalty),
                ).group_by(SubmittedNotebook.assignment_id)
            ).all()
        )
    penalties = {
        (each.student, each.work.assignment): taken.get(each.id) for each in found.submissions
    }
    for student, works in deadlines.settled(found).items():
        for name, lateness in works.items():
            wanted = assignment in (None, name) and (not students or student in students)
            if not wanted or not lateness.late or lateness.deadline is None:
                continue
            late = "time unreadable" if lateness.is_unknown else length(lateness.late)
            penalty = penalties.get((student, name))
            off = f"{-penalty:g}" if penalty else "0"
            if (student, name) not in penalties:
                off = "not graded yet"
            when = in_words(lateness.deadline, deadlines.zone)
            rows.append([name, student, when, late, str(lateness.used), str(lateness.left), off])
    return rows
