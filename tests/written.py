"""A class whose written answers wait to be read, made without marking anything in the sandbox."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Mapping
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from nbgrader.api import Gradebook

from proctor.classroom.reading.answers import Exercise, store_answer
from proctor.classroom.reading.tables import engine_of, ensure_tables

ASSIGNMENT = "essay"
EXERCISE = "explain"
POINTS = 3.0
# A red dot.
PNG = base64.b64encode(
    base64.b64decode(
        "iVBORw0KGgoAAAANSUhEUgAAAAoAAAAKCAIAAAACUFjqAAAAEklEQVR4nGP4z8CAB+GTG8HSALfKY52fTcuYAAAAAElF"
        "TkSuQmCC"
    )
).decode()
RUBRIC = """**Rubric (3 points)**

> Ten seconds an item.
* 1: says that accuracy moves only when a decision flips
  It counts decisions, so it stays the same until one of them changes.
> "It is a percentage" alone does not count.
* 1: so its slope is 0 nearly everywhere
* 1: so no step follows, whatever the learning rate
* -0.5: confuses metric and loss

A good answer: accuracy stands still until a decision flips.
"""


def labels(grade_id: str, **changes) -> dict:
    plain = {"grade": False, "solution": False, "locked": False, "task": False}
    return {"nbgrader": {**plain, "schema_version": 3, "grade_id": grade_id, **changes}}


def written_cell(source: str, grade_id: str = EXERCISE, points: float = POINTS):
    manual = labels(grade_id, grade=True, solution=True, points=points)
    return new_markdown_cell(source, id=grade_id, metadata=manual)


class WrittenCourse:
    """A course folder with one assignment of one written exercise, and a gradebook."""

    def __init__(self, root: Path, empty_gradebook: Path, rubric: str = RUBRIC):
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        (root / "nbgrader_config.py").write_text("c = get_config()\n")
        self.write_rubric(rubric)
        shutil.copy(empty_gradebook, root / "gradebook.db")
        self.enter_assignment()

    def enter_assignment(self) -> None:
        """What `nbgrader generate_assignment` enters into the gradebook."""
        with self.gradebook() as gradebook:
            gradebook.update_or_create_assignment(ASSIGNMENT)
            gradebook.update_or_create_notebook(ASSIGNMENT, ASSIGNMENT)
            cell = {"max_score": POINTS, "cell_type": "markdown"}
            gradebook.update_or_create_grade_cell(EXERCISE, ASSIGNMENT, ASSIGNMENT, **cell)
            gradebook.update_or_create_solution_cell(EXERCISE, ASSIGNMENT, ASSIGNMENT)

    @property
    def url(self) -> str:
        return f"sqlite:///{self.root / 'gradebook.db'}"

    def gradebook(self) -> Gradebook:
        return Gradebook(self.url)

    def write_rubric(self, rubric: str) -> None:
        self._write("source", new_notebook(cells=[written_cell(rubric)]))

    def _write(self, folder: str, notebook) -> None:
        path = self.root / folder / ASSIGNMENT / f"{ASSIGNMENT}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, path)

    def hand_in(
        self, answers: Mapping[str, str], pictures: Mapping[str, dict] | None = None
    ) -> None:
        """Let students have these answers, as grading leaves them; an empty one has its 0."""
        with self.gradebook() as gradebook:
            for student, text in answers.items():
                gradebook.update_or_create_student(student)
                gradebook.update_or_create_submission(ASSIGNMENT, student)
                gradebook.db.commit()
                grade = gradebook.find_grade(EXERCISE, ASSIGNMENT, ASSIGNMENT, student)
                grade.auto_score = None if text else 0.0
                grade.needs_manual_grade = bool(text)
            gradebook.db.commit()
            ensure_tables(engine_of(self.url))
            for student, text in answers.items():
                cell = written_cell(text)
                if pictures and student in pictures:
                    cell.attachments = pictures[student]
                exercise = Exercise(ASSIGNMENT, EXERCISE, POINTS)
                store_answer(gradebook.db, exercise, student, cell)
                self._write(f"autograded/{student}", notebook_of(cell))
            gradebook.db.commit()

    def given(self, student: str) -> tuple[float | None, bool, str | None]:
        """Points, whether the answer waits, and the comment, by nbgrader's own means."""
        with self.gradebook() as gradebook:
            names = (EXERCISE, ASSIGNMENT, ASSIGNMENT, student)
            grade, comment = gradebook.find_grade(*names), gradebook.find_comment(*names)
            return grade.manual_score, grade.needs_manual_grade, comment.manual_comment

    def give_in_formgrader(self, student: str, points: float, comment: str) -> None:
        """What Formgrader stores when a person fills in its two fields."""
        with self.gradebook() as gradebook:
            names = (EXERCISE, ASSIGNMENT, ASSIGNMENT, student)
            grade = gradebook.find_grade(*names)
            grade.manual_score, grade.needs_manual_grade = points, False
            gradebook.find_comment(*names).manual_comment = comment
            gradebook.db.commit()


def notebook_of(cell):
    """A student's graded notebook."""
    drawing = new_output("display_data", {"image/png": PNG, "text/plain": "a figure"})
    return new_notebook(
        cells=[
            new_markdown_cell("# Why accuracy fails", id="title"),
            new_code_cell("plot(weights)", id="plot", outputs=[drawing]),
            new_markdown_cell("Explain it to a friend.", id="task"),
            cell,
        ]
    )
