"""The gradebook on a PostgreSQL server, which the test starts: `make postgresql`.

Whoever has no server installed misses this test alone, so it is asked for by name.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from nbgrader.api import Gradebook
from test_classroom import HALF, proctor, rows_of
from test_nbgrader import RIGHT, SmallCourse
from test_reading import grade_again
from written import ASSIGNMENT, EXERCISE, RUBRIC, WrittenCourse

from proctor.classroom.reading.gradings import Saving
from proctor.classroom.reading.room import Room
from proctor.course import Course

pytestmark = pytest.mark.skipif(
    "POSTGRESQL" not in os.environ, reason="starts a database server: `make postgresql` runs it"
)
STUDENTS = ("half", "late", "right", "untouched")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The URL of an empty database on a server of its own, reached by a socket in its folder."""
    programs = server_programs()
    with tempfile.TemporaryDirectory(prefix="postgresql-") as folder:
        data = Path(folder) / "data"
        if os.geteuid() == 0:  # the server refuses to be started by root
            shutil.chown(folder, "nobody")
        run_as_user([programs / "initdb", "--auth=trust", "--username=grader", "-D", data])
        settings = f"-c listen_addresses='' -c unix_socket_directories={folder}"
        log = Path(folder) / "log"
        control = [programs / "pg_ctl", "--wait", "-D", data, "-l", log]
        run_as_user([*control, "-o", settings, "start"])
        try:
            yield f"postgresql+psycopg://grader@/postgres?host={folder}"
        finally:
            run_as_user([*control, "--mode=immediate", "stop"])


def server_programs() -> Path:
    """Where initdb and its kin are; Debian keeps them off the path."""
    found = shutil.which("initdb")
    candidates = (
        [Path(found)] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    )
    assert candidates, "no PostgreSQL server: install it (Debian: `apt install postgresql`)"
    return candidates[-1].parent


def run_as_user(command: list) -> None:
    if os.geteuid() == 0:
        user = ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups"]
        command = [*user, *command]
    subprocess.run(command, check=True, cwd="/", stdout=subprocess.DEVNULL, timeout=60)


class CourseOnServer(SmallCourse):
    """The small course, with its gradebook at a URL."""

    def __init__(self, root: Path, url: str):
        super().__init__(root)
        self.url = url
        config = (root / "nbgrader_config.py").read_text()
        self.write("nbgrader_config.py", f"{config}c.CourseDirectory.db_url = {url!r}\n")

    def gradebook(self) -> Gradebook:
        return Gradebook(self.url)


def hand_in(course: SmallCourse) -> None:
    made = course.nbgrader("generate_assignment", "tiny")
    assert made.returncode == 0, made.stderr
    course.submit("right", {"double": RIGHT, "explain": "Twice is two times."})
    course.submit("half", {"double": HALF})
    course.submit("late", {"double": RIGHT})
    course.write("submitted/late/tiny/timestamp.txt", "2030-01-03 12:00:00 UTC")
    course.submit("untouched", {})
    with course.gradebook() as gradebook:
        gradebook.update_or_create_assignment("tiny", duedate="2030-01-01 12:00:00 UTC")


@pytest.fixture(scope="module")
def graded(server, tmp_path_factory) -> CourseOnServer:
    course = CourseOnServer(tmp_path_factory.mktemp("server") / "course", server)
    hand_in(course)
    done = proctor(course, "grade", "tiny", "-j", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 graded, 0 rejected, 0 set aside" in done.stdout
    return course


def test_the_gradebook_is_the_same_as_in_a_file(graded, tmp_path):
    in_a_file = SmallCourse(tmp_path / "course")
    hand_in(in_a_file)
    done = proctor(in_a_file, "grade", "tiny", "-j", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert rows_of(graded) == rows_of(in_a_file)
    assert sorted(rows_of(graded)) == sorted(STUDENTS)
    assert not (graded.root / "gradebook.db").exists()


def test_what_a_person_gave_survives_a_regrade(graded):
    with graded.gradebook() as gradebook:
        grade = gradebook.find_grade("explain", "tiny", "tiny", "right")
        grade.manual_score, grade.needs_manual_grade = 2.5, False
        gradebook.db.commit()
    done = proctor(graded, "regrade", "tiny")
    assert done.returncode == 0, done.stdout + done.stderr
    with graded.gradebook() as gradebook:
        assert gradebook.find_grade("explain", "tiny", "tiny", "right").manual_score == 2.5
        assert gradebook.find_submission("tiny", "right").score == 5.5


def test_nbgrader_and_the_report_work_with_it(graded):
    done = graded.nbgrader("autograde", "tiny", "--force")
    assert done.returncode == 0, done.stderr
    done = graded.nbgrader("generate_feedback", "tiny")
    assert done.returncode == 0, done.stderr
    assert "5.5 of 6 points" in graded.feedback("right")
    done = proctor(graded, "report", "tiny")
    assert done.returncode == 0, done.stderr
    done = proctor(graded, "explain", "tiny", "half")
    assert done.returncode == 0, done.stderr


def test_two_graders_at_once_lose_nothing(graded):
    """Both see the same new students, mark all of them, and store them at the same time."""
    before = rows_of(graded)
    new = [f"new-{number}" for number in range(4)]
    for number, student in enumerate(new):
        graded.submit(student, {"double": HALF if number % 2 else RIGHT})
    with ThreadPoolExecutor() as pool:
        both = list(pool.map(lambda _: proctor(graded, "grade", "tiny", "-j", "1"), range(2)))
    assert all(done.returncode in (0, 1) for done in both), [done.stderr for done in both]
    assert all("Traceback" not in done.stdout + done.stderr for done in both)
    # What one of them had to give up, as the other was at it, is told; the same command goes on.
    done = proctor(graded, "grade", "tiny", "-j", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 rejected, 0 set aside" in done.stdout
    assert "8 unchanged" in proctor(graded, "grade", "tiny").stdout
    after = rows_of(graded)
    assert {student: after[student] for student in before} == before
    for number, student in enumerate(new):
        like = "half" if number % 2 else "right"
        assert values(after, student) == values(before, like)


def values(rows: dict[str, tuple], student: str) -> tuple:
    """The automatic points of `double_values`, and whether a person has yet to look at them."""
    return next(
        (automatic, waits)
        for name, automatic, _, waits in rows[student][3]
        if name == "double_values"
    )


class WrittenOnServer(WrittenCourse):
    """A class of written answers with its gradebook on the server."""

    def __init__(self, root: Path, url: str):
        self.server = url
        self.root = root
        self.write_rubric(RUBRIC)
        self.enter_assignment()

    @property
    def url(self) -> str:
        return self.server


def test_written_answers_are_read_there_by_two(server, tmp_path):
    """The second of two savers waits for the first, and is kept beside it."""
    course = WrittenOnServer(tmp_path / "course", server)
    answers = {"student-01": "So it is.", "student-02": "so  it is.", "student-03": "No."}
    course.hand_in(answers)
    room = Room(Course(course.root), course.url)
    first = room.open(ASSIGNMENT, EXERCISE, "ana", None)
    items = [item["id"] for item in first["items"]]
    key = first["answer"]["key"]
    seen = room.answer(ASSIGNMENT, EXERCISE, "ben", key, 0, False)["answer"]

    def save(name: str) -> str:
        also = {one["key"]: one["version"] for one in seen["equal"]}
        saving = Saving(key, seen["version"], items[:2], name, None, 5.0, also)
        return room.save(ASSIGNMENT, EXERCISE, name, saving)["saved"]["state"]

    with ThreadPoolExecutor() as pool:
        assert sorted(pool.map(save, ("ana", "ben"))) == ["beside", "current"]
    student = room.who(ASSIGNMENT, EXERCISE, key)["student"]
    points, waits, remark = course.given(student)
    assert (points, waits) == (2.0, False)
    assert remark in ("ana", "ben")
    grade_again(course, student, answers[student])
    assert course.given(student) == (points, False, remark)
    room.deal(room.exercises(ASSIGNMENT), ["ana", "ben"], 0.5)
    room.listed(ASSIGNMENT, EXERCISE, "ana")
    room.alike(ASSIGNMENT, EXERCISE, "ana", key, 0.5)
    course.write_rubric(RUBRIC.replace("* 1: says", "* 0.5: says"))
    told = room.open(ASSIGNMENT, EXERCISE, "ana", None)
    room.change(ASSIGNMENT, EXERCISE, "ana", told["digest"])
    assert course.given(student)[0] == 1.5
