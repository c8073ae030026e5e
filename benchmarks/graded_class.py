"""A large class that was graded, to measure on: for `make bench` and `make scale`.

A few submissions are really marked and stored. Everybody else gets a copy of one of them under a
name of their own, which stands in each of their answers, too: no two answers are equal.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from against_stock import ASSIGNMENT, PROCTOR, make_course, run

from proctor.course import Course, read_notebook
from proctor.grading.labelled import as_submission, load_answers, with_answers

# The reference, and some of the labelled answers, right and wrong ones.
KINDS = 6
# Tables of what a student handed in, with the column that names the row it belongs to.
BELONGS = {
    "submitted_assignment": None,
    "submitted_notebook": "assignment_id",
    "grade": "notebook_id",
    "comment": "notebook_id",
}


def name_of(number: int) -> str:
    """All names are of one length, so that one stands for the other in any file."""
    return f"student-{number:05}"


def made_class(folder: Path, count: int, assignments: tuple[str, ...] = (ASSIGNMENT,)) -> Course:
    """A course in this new folder, in which so many have handed in and were graded."""
    course = Course(make_course(folder, stock=False, submissions=0, assignments=assignments))
    kinds = min(KINDS, count)
    for assignment in assignments:
        for number, data in zip(range(kinds), answers_to(course, assignment), strict=False):
            hand_in(course, number, assignment, data)
        run(folder, PROCTOR, "grade", assignment)
        for number in range(kinds, count):
            copy_files(course, assignment, name_of(number % kinds), name_of(number))
    copy_rows(folder / "gradebook.db", kinds, count)
    return course


def answers_to(course: Course, assignment: str) -> Iterator[str]:
    """Notebooks as students hand them in, with NAME where their name stands."""
    reference = read_notebook(course.reference(assignment))
    answers = load_answers(course, assignment)
    others = answers[:: max(1, len(answers) // (KINDS - 1))]
    for chosen in ({}, *({answer.cell: answer.source} for answer in others)):
        notebook = with_answers(reference, chosen)
        for cell in notebook.cells:
            if cell.metadata.get("nbgrader", {}).get("solution"):
                remark = "# by NAME\n" if cell.cell_type == "code" else "NAME wrote: "
                cell.source = remark + cell.source
        yield as_submission(notebook).decode()


def hand_in(course: Course, number: int, assignment: str, text: str) -> None:
    target = submitted(course, name_of(number), assignment)
    target.parent.mkdir(parents=True)
    target.write_text(text.replace("NAME", name_of(number)), encoding="utf-8")


def submitted(course: Course, student: str, assignment: str) -> Path:
    return course.root / "submitted" / student / assignment / f"{assignment}.ipynb"


def copy_files(course: Course, assignment: str, model: str, student: str) -> None:
    """What was handed in, graded and put on record, under another name."""
    for folder in ("submitted", "autograded"):
        source = course.root / folder / model / assignment / f"{assignment}.ipynb"
        target = course.root / folder / student / assignment / source.name
        target.parent.mkdir(parents=True)
        target.write_text(source.read_text("utf-8").replace(model, student), encoding="utf-8")
    record = json.loads(course.record(model, assignment).read_text("utf-8"))
    data = submitted(course, student, assignment).read_bytes()
    record |= {"student": student, "sha256": hashlib.sha256(data).hexdigest()}
    path = course.record(student, assignment)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=1), encoding="utf-8")


def copy_rows(gradebook: Path, kinds: int, count: int) -> None:
    """What the gradebook has of the first ones, once more for each of the others."""
    with contextlib.closing(sqlite3.connect(gradebook)) as database, database:
        for number in range(kinds, count):
            model, student = name_of(number % kinds), name_of(number)
            insert(database, "student", {"id": f"'{student}'"}, "id = ?", [model])
            copy_work(database, model, student, number)
            database.execute(
                "INSERT INTO reading_text SELECT sha256 || ?, replace(text, ?, ?), pictures "
                "FROM reading_text "
                "WHERE sha256 IN (SELECT sha256 FROM reading_answer WHERE student = ?)",
                [f"-{number}", model, student, model],
            )
            database.execute(
                "INSERT INTO reading_answer "
                "SELECT assignment, exercise, ?, sha256 || ?, alike || ? FROM reading_answer "
                "WHERE student = ?",
                [student, f"-{number}", f"-{number}", model],
            )
        database.execute("ANALYZE")


def copy_work(database: sqlite3.Connection, model: str, student: str, number: int) -> None:
    """The rows of a student's submissions; those that belong to each other keep doing so."""
    chosen = "SELECT id FROM submitted_assignment WHERE student_id = ?"
    for table, column in BELONGS.items():
        where = "student_id = ?" if column is None else f"{column} IN ({chosen})"
        new = "substr({}, 1, 26) || '" + f"{number:06}'"
        changes = {"id": new.format("id")}
        changes |= {column: new.format(column)} if column else {"student_id": f"'{student}'"}
        insert(database, table, changes, where, [model])
        if column == "assignment_id":
            chosen = (
                "SELECT id FROM submitted_notebook WHERE assignment_id IN "
                "(SELECT id FROM submitted_assignment WHERE student_id = ?)"
            )


def insert(
    database: sqlite3.Connection, table: str, changes: dict[str, str], where: str, values: list[str]
) -> None:
    """Copy the rows of a table, with other expressions for some of their columns."""
    columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
    taken = ", ".join(changes.get(name, name) for name in columns)
    database.execute(f"INSERT INTO {table} SELECT {taken} FROM {table} WHERE {where}", values)
