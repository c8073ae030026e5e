"""Which submissions are marked ahead, and that each student gets their own marks."""

import dataclasses
import hashlib
import logging
from pathlib import Path

import pytest
from nbgrader.converters import Autograde
from nbgrader.converters.base import NbGraderException
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config

from proctor.classroom.ahead import MarkedAhead, jobs_of, marking_ahead
from proctor.classroom.preprocessors import is_of
from proctor.classroom.workers import Job, Outcome
from proctor.course import Course, CourseError
from proctor.grading.marks import Marks

EARLIER, LATER = "2026-01-01 10:00:00 UTC", "2026-01-02 10:00:00 UTC"


def put(folder, timestamp):
    folder.mkdir(parents=True)
    (folder / "tiny.ipynb").write_text("{}")
    if timestamp:
        (folder / "timestamp.txt").write_text(timestamp)


@pytest.fixture
def converter(tmp_path):
    """Of a class in which some were graded before."""
    for student, handed_in, graded in (
        ("new", LATER, None),
        ("changed", LATER, EARLIER),
        ("unchanged", LATER, LATER),
        ("without-a-time", None, EARLIER),
        ("left-out", LATER, None),
    ):
        put(tmp_path / "submitted" / student / "tiny", handed_in)
        if graded:
            put(tmp_path / "autograded" / student / "tiny", graded)
    config = Config()
    config.CourseDirectory.root = str(tmp_path)
    config.CourseDirectory.student_id_exclude = "left-out"
    coursedir = CourseDirectory(config=config)
    coursedir.assignment_id = "tiny"
    converter = Autograde(coursedir=coursedir, config=config)
    converter.init_notebooks()
    return converter


@pytest.mark.parametrize("force", [False, True])
def test_the_jobs_are_what_nbgrader_goes_on_to_grade(converter, force):
    converter.force = force
    students = [job.student for job in jobs_of(converter, 1000)]
    assert students == sorted(students) and "new" in students
    wanted = [
        student
        for student in sorted(
            path.name for path in (Path(converter.coursedir.root, "submitted")).iterdir()
        )
        if converter.init_destination("tiny", student)
    ]
    assert students == wanted


def test_where_workers_cannot_start_one_is_marked_at_a_time(converter, monkeypatch, caplog):
    def refuse(*_):
        raise CourseError("the process that starts workers could not be started")

    monkeypatch.setattr("proctor.classroom.ahead.Workers", refuse)
    converter.log = logging.getLogger("nbgrader")
    with marking_ahead(converter, Course(Path(converter.coursedir.root))) as ahead:
        assert ahead.marks("new") is None
    assert "one at a time, as the process that starts workers" in caplog.text


def outcome(student, error=None):
    job = Job(student, "tiny", bytes)
    return Outcome(job, None if error else f"marks of {student}", error)


def test_everybody_gets_their_own_marks_whatever_the_order():
    coming = iter([outcome("b"), outcome("a"), outcome("c", "it ended twice"), outcome("d")])
    ahead = MarkedAhead("abcd", coming)
    assert ahead.marks("a") == "marks of a"
    assert ahead.marks("stranger") is None
    assert ahead.marks("b") == "marks of b"
    with pytest.raises(NbGraderException, match=r"c is set aside.*it ended twice"):
        ahead.marks("c")
    assert ahead.marks("d") == "marks of d"


def test_marks_are_of_what_was_handed_in_last(tmp_path):
    (tmp_path / "tiny.ipynb").write_bytes(b"first")
    marks = Marks("tiny", "a", "graded", None, 0.0, 3.0, 0.1, [], [])
    marks = dataclasses.replace(marks, sha256=hashlib.sha256(b"first").hexdigest())
    assert is_of(marks, tmp_path, 1000)
    (tmp_path / "tiny.ipynb").write_bytes(b"second")
    assert not is_of(marks, tmp_path, 1000)
    (tmp_path / "tiny.ipynb").unlink()
    assert not is_of(marks, tmp_path, 1000)


def test_nothing_is_marked_further_ahead_than_needed():
    coming = iter([outcome("a"), outcome("b")])
    ahead = MarkedAhead("ab", coming)
    ahead.marks("a")
    assert next(coming).job.student == "b"
