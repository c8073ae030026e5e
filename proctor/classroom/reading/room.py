"""One request of a reader, from names to what the page is told: each is one transaction."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbgrader.api import Student
from nbgrader.coursedir import CourseDirectory
from sqlalchemy.orm import Session

from proctor.classroom.reading import change, gradings, sharing, views
from proctor.classroom.reading.answers import (
    Exercise,
    Row,
    autograded,
    exercises,
    rows,
    store_old_answers,
)
from proctor.classroom.reading.gradings import Gone, Saving
from proctor.classroom.reading.tables import opened
from proctor.course import Course, CourseError, meant, read_notebook
from proctor.grading import rubric
from proctor.grading.rubric import Rubric
from proctor.pages.reading import cells_above_html
from proctor.settings import course_of, load_config

# Old answers whose notebooks are read in one request.
OLD_AT_A_TIME = 50
Json = dict[str, Any]


@dataclass(frozen=True)
class Room:
    """The written answers of a course, as one grader sees them."""

    course: Course
    url: str

    @classmethod
    def here(cls) -> Room:
        """The course that nbgrader's configuration names. Raises CourseError if it has no
        gradebook."""
        config = load_config()
        course, url = course_of(config), CourseDirectory(config=config).db_url
        file = url.removeprefix("sqlite:///")
        if file != url and not Path(file).exists():
            raise CourseError(
                f"there is no gradebook in {course.root}. Start JupyterLab in the course's folder, "
                "the one with nbgrader_config.py, or name that folder in your "
                "~/.jupyter/nbgrader_config.py: c.CourseDirectory.root = ..."
            )
        return cls(course, url)

    def exercises(self, assignment: str) -> list[Exercise]:
        with opened(self.url) as session:
            return exercises(session, assignment)

    def exercise(self, session: Session, assignment: str, name: str) -> Exercise:
        return self.named(exercises(session, assignment), name)

    def named(self, known: Sequence[Exercise], name: str) -> Exercise:
        """The exercise of this name among them. Raises CourseError if there is none."""
        found = next((one for one in known if one.name == name), None)
        if found is None:
            close = meant(name, [one.name for one in known])
            raise CourseError(f"there is no written answer {name!r} here{close}")
        return found

    def deal(
        self, known: Sequence[Exercise], graders: Sequence[str], twice: float
    ) -> list[tuple[Exercise, dict[str, int]]]:
        """Deal the answers to these exercises out; returns how many each grader has of which."""
        with opened(self.url, write=True) as session:
            dealt = []
            for exercise in known:
                found = rows(session, exercise)
                store_old_answers(session, self.course, exercise, found)
                found = rows(session, exercise)
                dealt.append((exercise, sharing.split(session, found, graders, twice)))
            return dealt

    def rubric(self, exercise: Exercise) -> Rubric | None:
        """What the author wrote, or None where source/ is not at hand."""
        try:
            path = self.course.reference(exercise.assignment)
            return rubrics(path, path.stat().st_mtime_ns).get(exercise.name)
        except (CourseError, OSError):
            return None

    # What the page asks for

    def open(self, assignment: str, name: str, grader: str, key: str | None) -> Json:
        """An exercise, and the answer to begin with."""
        with opened(self.url, write=True) as session:
            exercise = self.exercise(session, assignment, name)
            found = rows(session, exercise)
            missing = [row for row in found if row.sha256 is None]
            if missing:
                store_old_answers(session, self.course, exercise, missing[:OLD_AT_A_TIME])
                left = len(missing) - OLD_AT_A_TIME
                if left > 0:
                    return {"taking_in": left, "of": len(found)}
                found = rows(session, exercise)
            wanted = self.rubric(exercise)
            changed = change.bring_in(session, exercise, wanted) if wanted is not None else None
            table = sharing.table_of(session, exercise, grader)
            row = next((one for one in found if one.key == key), None)
            row = row or sharing.where_stopped(session, found, table)
            return {  # all that the page needs to begin
                **views.exercise_view(session, exercise, found, table, wanted or Rubric(), changed),
                "digest": digest_of(wanted),
                "answer": self._shown(session, row, found, table),
            }

    def answer(
        self, assignment: str, name: str, grader: str, key: str, step: int, whole: bool
    ) -> Json:
        """An answer, or one before or after it; None where there is no more."""
        with opened(self.url, write=True) as session:
            found, table = self._dealt(session, assignment, name, grader)
            row = next((one for one in found if one.key == key), None)
            if step:
                row = sharing.neighbour(found, table, key, step)
            elif row is None:
                raise Gone("this answer is no longer in the gradebook: go on with the next one (j)")
            return {"answer": self._shown(session, row, found, table, whole=whole)}

    def next(self, assignment: str, name: str, grader: str, after: str | None) -> Json:
        """The next answer that waits."""
        with opened(self.url, write=True) as session:
            found, table = self._dealt(session, assignment, name, grader)
            row = sharing.next_waiting(found, table, after)
            return {"answer": self._shown(session, row, found, table)}

    def save(self, assignment: str, name: str, grader: str, saving: Saving) -> Json:
        """Store a reading; the next answer comes with it. Where the save was kept beside a newer
        reading, the answer comes again, with both."""
        with opened(self.url, write=True) as session:
            exercise = self.exercise(session, assignment, name)
            saved = gradings.save(session, exercise, grader, saving)
            session.flush()
            found, table = self._dealt(session, assignment, name, grader)
            if saved.state == "beside":
                row = next((one for one in found if one.key == saving.key), None)
            else:
                row = sharing.next_waiting(found, table, saving.key)
            return {
                "saved": dataclasses.asdict(saved),
                **views.standing(session, exercise, found, table),
                "answer": self._shown(session, row, found, table),
            }

    def withdraw(self, assignment: str, name: str, grader: str, key: str, version: str) -> Json:
        """Take a reading back."""
        with opened(self.url, write=True) as session:
            exercise = self.exercise(session, assignment, name)
            saved = gradings.withdraw(session, exercise, key, version)
            found, table = self._dealt(session, assignment, name, grader)
            row = next((one for one in found if one.key == key), None)
            return {
                "saved": dataclasses.asdict(saved),
                **views.standing(session, exercise, found, table),
                "answer": self._shown(session, row, found, table),
            }

    def pass_on(self, assignment: str, name: str, grader: str, key: str, to: str) -> Json:
        """Hand an answer to a colleague; the next one comes."""
        with opened(self.url, write=True) as session:
            found, table = self._dealt(session, assignment, name, grader)
            row = next((one for one in found if one.key == key), None)
            if row is not None:
                sharing.pass_on(session, row, to)
                session.flush()
            found, table = self._dealt(session, assignment, name, grader)
            row = sharing.next_waiting(found, table, key)
            return {
                **views.standing(session, found[0].exercise, found, table),
                "answer": self._shown(session, row, found, table),
            }

    def keep(self, assignment: str, name: str, grader: str, key: str) -> Json:
        """Keep an answer open for some minutes more."""
        with opened(self.url, write=True) as session:
            found, _ = self._dealt(session, assignment, name, grader)
            row = next((one for one in found if one.key == key), None)
            return {"open_elsewhere": sharing.lease(session, row, grader) if row else None}

    def alike(self, assignment: str, name: str, grader: str, key: str, alike: float) -> Json:
        """The answers that are like this one."""
        with opened(self.url) as session:
            found, table = self._dealt(session, assignment, name, grader)
            row = next((one for one in found if one.key == key), None)
            if row is None:
                return {"members": [], "message": None}
            return views.alike_view(session, row, found, table, alike)

    def listed(self, assignment: str, name: str, grader: str) -> Json:
        with opened(self.url) as session:
            found, table = self._dealt(session, assignment, name, grader)
            exercise = self.exercise(session, assignment, name)
            return {"answers": views.list_view(session, exercise, found, table)}

    def above(self, assignment: str, name: str, key: str, everything: bool) -> Json:
        """What stands above an answer in its notebook."""
        with opened(self.url) as session:
            row = self._row(session, assignment, name, key)
        path = autograded(self.course, row.exercise, row.student)
        if not path.exists():
            return {"html": "<p>The graded notebook is not in autograded/ any more.</p>"}
        return {"html": cells_above_html(read_notebook(path), name, everything=everything)}

    def who(self, assignment: str, name: str, key: str) -> Json:
        """The name behind a pseudonym."""
        with opened(self.url) as session:
            row = self._row(session, assignment, name, key)
            student = session.get(Student, row.student)
            names = [student.first_name, student.last_name] if student is not None else []
            return {"student": row.student, "name": " ".join(filter(None, names))}

    def change(self, assignment: str, name: str, grader: str, digest: str) -> Json:
        """Put a changed rubric in force, if it is the one that was shown."""
        with opened(self.url, write=True) as session:
            exercise = self.exercise(session, assignment, name)
            wanted = self.rubric(exercise)
            if wanted is None or digest_of(wanted) != digest:
                raise CourseError("the rubric has changed again: reload the page")
            return {"changed": change.store(session, exercise, wanted, grader)}

    # Parts of these

    def _dealt(
        self, session: Session, assignment: str, name: str, grader: str
    ) -> tuple[list[Row], sharing.Table]:
        exercise = self.exercise(session, assignment, name)
        return rows(session, exercise), sharing.table_of(session, exercise, grader)

    def _row(self, session: Session, assignment: str, name: str, key: str) -> Row:
        found = rows(session, self.exercise(session, assignment, name))
        row = next((one for one in found if one.key == key), None)
        if row is None:
            raise Gone("this answer is no longer in the gradebook")
        return row

    def _shown(
        self,
        session: Session,
        row: Row | None,
        found: Sequence[Row],
        table: sharing.Table,
        *,
        whole: bool = False,
    ) -> Json | None:
        """An answer, which this grader now has open."""
        if row is None:
            return None
        other = sharing.lease(session, row, table.grader)
        return views.answer_view(session, row, found, table, whole=whole, open_elsewhere=other)


@functools.lru_cache(32)
def rubrics(path: Path, changed: int) -> dict[str, Rubric]:
    """The rubrics in a notebook of source/, by grade id; `changed` is when it was."""
    return {
        cell.metadata.nbgrader.grade_id: rubric.parse(cell.source)
        for cell in read_notebook(path).cells
        if cell.metadata.get("nbgrader", {}).get("solution") and cell.metadata.nbgrader.get("grade")
    }


def digest_of(wanted: Rubric | None) -> str:
    told = json.dumps(dataclasses.asdict(wanted or Rubric()))
    return hashlib.sha256(told.encode()).hexdigest()[:16]
