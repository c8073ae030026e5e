"""What grading a submission stores of its written answers, in nbgrader's place and by its way."""

from __future__ import annotations

from typing import Any

from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode
from nbgrader import utils
from nbgrader.preprocessors import SaveAutoGrades
from sqlalchemy import select
from sqlalchemy.orm import Session

from proctor.classroom.reading.answers import Exercise, store_answer
from proctor.classroom.reading.tables import Answer, Grading, Item, ensure_tables


class SaveGrades(SaveAutoGrades):
    """nbgrader's SaveAutoGrades, for which an answer that a person has read stays read as long as
    its text stays the same. nbgrader asks for every one of them again."""

    def _add_score(self, cell: NotebookNode, resources: ResourcesDict) -> None:
        if not utils.is_solution(cell):
            super()._add_score(cell, resources)
            return
        labels, session = cell.metadata.nbgrader, self.gradebook.db
        ensure_tables(session.connection())
        names = (labels.grade_id, self.notebook_id, self.assignment_id, self.student_id)
        grade = self.gradebook.find_grade(*names)
        exercise = Exercise(self.assignment_id, labels.grade_id, grade.max_score)
        key = {**exercise.key, "student": self.student_id}
        before = session.scalar(select(Answer.sha256).filter_by(**key))
        read = session.scalar(select(Grading).filter_by(**key, state="current"))
        sha256 = store_answer(session, exercise, self.student_id, cell)
        grade.auto_score, _ = utils.determine_grade(cell, self.log)
        if read is not None and read.sha256 == sha256 and grade.manual_score is None:
            # The assignment was removed from the gradebook and graded anew.
            grade.manual_score = read.points
            self.gradebook.find_comment(*names).manual_comment = read.remark or None
        if grade.manual_score is None:
            grade.needs_manual_grade = grade.auto_score is None
        elif read is not None and (read.sha256, read.points) == (sha256, grade.manual_score):
            grade.needs_manual_grade = False
        else:
            grade.needs_manual_grade |= before != sha256
        session.commit()


def given_items(
    session: Session, assignment: str
) -> dict[tuple[str, str], tuple[float, list[dict[str, Any]]]]:
    """The items that each answer got, for its feedback: (student, exercise) to the points of that
    reading, and of each item its points, words and explanation."""
    ensure_tables(session.connection())
    told = session.execute(select(Item.id, Item.explanation).filter_by(assignment=assignment))
    explanations = dict(told.all())
    readings = session.scalars(select(Grading).filter_by(assignment=assignment, state="current"))
    return {
        (reading.student, reading.exercise): (
            reading.points,
            [
                {
                    "points": one.points,
                    "text": one.text,
                    "explanation": explanations.get(one.item_id, ""),
                }
                for one in reading.given
            ],
        )
        for reading in readings
    }
