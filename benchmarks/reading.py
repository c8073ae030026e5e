"""What reading written answers costs the server: part of `make bench`.

A class of made-up answers, some equal, most alike, is put into a gradebook; then every step of a
reader's is timed, in processor time of the server's side, HTTP and JSON left out.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nbgrader.api import Gradebook
from sqlalchemy import text
from sqlalchemy.orm import Session

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from written import ASSIGNMENT, EXERCISE, WrittenCourse

from proctor.classroom.nbgrader_defaults import prepare_this_process
from proctor.classroom.reading import groups
from proctor.classroom.reading.answers import Exercise, store_answer
from proctor.classroom.reading.gradings import Saving
from proctor.classroom.reading.room import Room
from proctor.classroom.reading.tables import opened
from proctor.course import Course

AT = (ASSIGNMENT, EXERCISE)
SUBJECTS = ("Accuracy", "The metric", "The share of right answers", "The count of hits")
STANDS = ("stands still", "does not move", "stays the same", "is a staircase")
UNTIL = ("until a decision flips", "between two steps", "for a small change of a weight")
SO = ("so its slope is $0$", "hence no gradient", "and the derivative is $0$", "so nothing follows")
THEN = ("whatever the rate", "and a bigger step does not help", "so $w - \\eta \\cdot 0 = w$", "")
REPEATS = 15


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--answers", type=int, default=1000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        room = room_of(Path(folder), options.answers)
        print(f"{options.answers} written answers, milliseconds of processor time (median, most)")
        for name, taken in steps(room).items():
            median, most = 1000 * statistics.median(taken), 1000 * max(taken)
            print(f"  {name:<38} {median:7.0f} {most:7.0f}")


def room_of(folder: Path, count: int) -> Room:
    """A course with this many answers that wait."""
    gradebook = folder / "empty.db"
    prepare_this_process(str(folder))  # nbgrader finds its programs
    Gradebook(f"sqlite:///{gradebook}").close()
    course = WrittenCourse(folder / "course", gradebook)
    course.hand_in({"student-00000": written(random.Random(0))})
    choose = random.Random(1)
    exercise = Exercise(ASSIGNMENT, EXERCISE, 3.0)
    with opened(course.url, write=True) as session:
        rows = {
            table: dict(session.execute(text(f"SELECT * FROM {table}")).mappings().first() or {})
            for table in (
                "student",
                "submitted_assignment",
                "submitted_notebook",
                "grade",
                "comment",
            )
        }
        for number in range(1, count):
            student, key = f"student-{number:05}", f"{number:032}"
            add(session, "student", {**rows["student"], "id": student})
            work = {**rows["submitted_assignment"], "id": key, "student_id": student}
            add(session, "submitted_assignment", work)
            book = {**rows["submitted_notebook"], "id": key, "assignment_id": key}
            add(session, "submitted_notebook", book)
            add(session, "grade", {**rows["grade"], "id": key, "notebook_id": key})
            add(session, "comment", {**rows["comment"], "id": key, "notebook_id": key})
            store_answer(session, exercise, student, {"source": written(choose)})
        session.execute(text("ANALYZE"))
    return Room(Course(course.root), course.url)


def add(session: Session, table: str, row: dict[str, Any]) -> None:
    columns, values = ", ".join(row), ", ".join(f":{name}" for name in row)
    session.execute(text(f"INSERT INTO {table} ({columns}) VALUES ({values})"), row)


def written(choose: random.Random) -> str:
    """An answer of some sentences; a few of a thousand are equal."""
    parts = (SUBJECTS, STANDS, UNTIL, SO, THEN)
    count = choose.randint(1, 4)
    sentences = [" ".join(choose.choice(part) for part in parts) for _ in range(count)]
    return ". ".join(sentences) + "."


def steps(room: Room) -> dict[str, list[float]]:
    """Seconds of each step, some times."""
    taken: dict[str, list[float]] = {}

    def timed(name: str, step: Callable[[], Any]) -> Any:
        began = time.process_time()
        told = step()
        taken.setdefault(name, []).append(time.process_time() - began)
        return told

    opened_view = room.open(*AT, "ana", None)  # puts the rubric in force
    items = [item["id"] for item in opened_view["items"]]
    for number in range(REPEATS):
        answer = timed("open the page", lambda: room.open(*AT, "ana", None))["answer"]
        also = {one["key"]: one["version"] for one in answer["equal"]}
        saving = Saving(
            answer["key"], answer["version"], items[: number % 4], "a remark", None, 9.0
        )
        timed("save, and the next answer", lambda saving=saving: room.save(*AT, "ana", saving))
        key = answer["key"]
        timed("the answer before", lambda key=key: room.answer(*AT, "ana", key, -1, False))
        timed("the list of all answers", lambda: room.listed(*AT, "ana"))
        timed("keep it open", lambda key=key: room.keep(*AT, "ana", key))
        view = room.next(*AT, "ana", key)["answer"]
        told = timed("groups, once compared", lambda v=view: room.alike(*AT, "ana", v["key"], 0.75))
        same = {one["key"]: one["version"] for one in told["members"][:6]} or also
        group = Saving(view["key"], view["version"], items[:1], "", None, 9.0, same)
        timed("apply to a group of 7", lambda group=group: room.save(*AT, "ana", group))
    groups.clusters.cache_clear()
    groups.distances.cache_clear()
    key = room.open(*AT, "ana", None)["answer"]["key"]
    timed("groups, compared anew", lambda: room.alike(*AT, "ana", key, 0.75))
    return taken


if __name__ == "__main__":
    main()
