"""`proctor grade`, `regrade`, `report` and `explain` on a small class, typed as instructors do."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import event
from test_nbgrader import GRADERS, RIGHT, SmallCourse
from typed import typed

STUDENTS = ("broken", "half", "late", "right", "untouched")
HALF = "def double(x):\n    return 2 * x.abs()"


def proctor(course: SmallCourse, *arguments: str) -> subprocess.CompletedProcess[str]:
    return typed("proctor", arguments, course.root)


@pytest.fixture(scope="module")
def handed_in(tmp_path_factory) -> SmallCourse:
    """A class that has handed in and is not graded yet."""
    course = SmallCourse(tmp_path_factory.mktemp("class") / "course")
    made = course.nbgrader("generate_assignment", "tiny")
    assert made.returncode == 0, made.stderr
    course.submit("right", {"double": RIGHT, "explain": "Twice is two times."})
    course.write("submitted/right/tiny/timestamp.txt", "2029-12-31 12:00:00 UTC")
    course.write("submitted/right/tiny/notes/mine.txt", "beside the notebook")
    course.submit("half", {"double": HALF})
    course.submit("late", {"double": "from mine import double"})
    course.write("submitted/late/tiny/mine.py", RIGHT)
    course.write("submitted/late/tiny/timestamp.txt", "2030-01-03 12:00:00 UTC")
    course.submit("untouched", {})
    course.write("submitted/broken/tiny/tiny.ipynb", "not a notebook")
    with course.gradebook() as gradebook:
        gradebook.update_or_create_assignment("tiny", duedate="2030-01-01 12:00:00 UTC")
    return course


@pytest.fixture(scope="module")
def graded(handed_in) -> SmallCourse:
    """The same class, graded by `proctor grade`."""
    course = copy_of(handed_in, "graded")
    log, figures = course.root.with_name("grading.log"), course.root.with_name("figures.prom")
    done = proctor(
        *(course, "grade", "tiny", "-j", "2", "--log", str(log), "--metrics", str(figures))
    )
    assert done.returncode == 1, done.stdout + done.stderr  # one was rejected
    assert "4 graded, 1 rejected, 0 set aside" in done.stdout
    return course


def copy_of(course: SmallCourse, name: str) -> SmallCourse:
    copied = SmallCourse.__new__(SmallCourse)
    copied.root = course.root.with_name(name)
    shutil.copytree(course.root, copied.root, ignore=shutil.ignore_patterns("__pycache__"))
    return copied


def test_a_course_in_a_folder_whose_name_reads_as_a_pattern(handed_in, graded):
    course = copy_of(handed_in, "Kurs [ü] (2026) x*")
    # Through `..`, as one calls an environment beside the course.
    python = Path(sys.prefix) / "lib" / ".." / "bin" / Path(sys.executable).name
    done = subprocess.run(
        [python, "-m", "nbgrader", "autograde", "tiny", "--student", "half"],
        cwd=course.root,
        text=True,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
    done = proctor(course, "grade", "tiny", "--student", "late", "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert (summary["assignment"], summary["total"], summary["graded"]) == ("tiny", 1, 1)
    assert summary["look_at"] == []
    for student in ("half", "late"):
        assert rows_of(course)[student] == rows_of(graded)[student]
    fed_back = course.nbgrader("generate_feedback", "tiny")
    assert fed_back.returncode == 0, fed_back.stderr
    assert (course.root / "feedback/half/tiny/tiny.html").exists()


def test_it_comes_out_as_with_nbgrader_autograde(handed_in, graded):
    serial = copy_of(handed_in, "serial")
    done = serial.nbgrader("autograde", "tiny")
    assert done.returncode == 0, done.stderr
    assert rows_of(graded) == rows_of(serial)
    assert rows_of(graded)["late"][1:3] == (2 * 86400.0, 3.0)
    files = files_of(graded)
    assert files == files_of(serial)
    assert len(files) == len(STUDENTS) + 4
    for student in STUDENTS:
        assert without_time(graded.autograded(student)) == without_time(serial.autograded(student))


def without_time(notebook):
    """A graded notebook, but for when it was graded."""
    del notebook.metadata.proctor["graded_at"]
    return notebook


def rows_of(course: SmallCourse) -> dict[str, tuple]:
    """What the gradebook has: for each student when they handed in, how late, what that cost, and
    every grade."""
    with course.gradebook() as gradebook:
        return {
            found.student_id: (
                found.timestamp,
                found.total_seconds_late,
                found.late_submission_penalty,
                [
                    (grade.name, grade.auto_score, grade.manual_score, grade.needs_manual_grade)
                    for notebook in found.notebooks
                    for grade in sorted(notebook.grades, key=lambda grade: grade.name)
                ],
            )
            for found in gradebook.assignment_submissions("tiny")
        }


def files_of(course: SmallCourse) -> dict[str, bytes | None]:
    """All files of autograded/; the notebooks, which say when they were made, by name alone."""
    folder = course.root / "autograded"
    return {
        str(path.relative_to(folder)): None if path.suffix == ".ipynb" else path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_grade_is_not_looked_for_in_the_whole_class(graded):
    executed = []
    with graded.gradebook() as gradebook:
        event.listen(
            gradebook.engine, "before_cursor_execute", lambda *about: executed.append(about[2:4])
        )
        gradebook.find_grade("double_values", "tiny", "tiny", "right")
        [(statement, parameters)] = executed
        plan = gradebook.engine.raw_connection().execute(
            f"EXPLAIN QUERY PLAN {statement}", parameters
        )
        steps = [step for *_, step in plan]
    assert any(step.startswith("SEARCH grade ") and "notebook_id=?" in step for step in steps)


def test_only_what_is_new_or_changed_is_graded_again(graded):
    course = copy_of(graded, "resumed")
    course.submit("half", {"double": RIGHT})
    course.submit("new", {"double": RIGHT})
    assert course.scores("late")["double_values"] == (2, False)
    course.write("submitted/late/tiny/mine.py", HALF)  # beside the same notebook
    done = proctor(course, "grade", "tiny", "-j", "2")
    assert "6 submissions: 3 unchanged, 3 graded" in done.stdout
    assert course.scores("half")["double_values"] == (2, False)
    assert course.scores("late")["double_values"][0] < 2


def test_a_regrade_shows_who_loses_before_it_is_stored(graded):
    course = copy_of(graded, "regraded")
    stricter = GRADERS.replace("student.double(torch.zeros(2, 3)).shape == (2, 3)", "False")
    assert stricter != GRADERS
    course.write("tests/graders/tiny/test_double.py", stricter)
    before = course.scores("right")
    tried = proctor(course, "regrade", "tiny", "--dry-run", "-j", "2")
    assert "right  double_shape  1.00 -> 0.00" in tried.stdout
    assert "The shape stays the same: fails now" in tried.stdout
    assert course.scores("right") == before
    with course.gradebook() as gradebook:
        grade = gradebook.find_grade("explain", "tiny", "tiny", "right")
        grade.manual_score = 1
        gradebook.db.commit()
    done = proctor(course, "regrade", "tiny", "-j", "2")
    assert "the new marks are stored" in done.stdout
    assert course.scores("right")["double_shape"] == (0, False)
    with course.gradebook() as gradebook:
        assert gradebook.find_grade("explain", "tiny", "tiny", "right").manual_score == 1


def test_the_report_has_the_numbers_of_the_gradebook(graded):
    done = proctor(graded, "report", "tiny")
    assert done.returncode == 0, done.stderr
    page = BeautifulSoup((graded.root / "reports" / "tiny.html").read_text(), "html.parser")
    waiting = "right"  # what it wrote has yet to be read, so scores are of the automatic points
    with graded.gradebook() as gradebook:
        submissions = gradebook.assignment_submissions("tiny")
        assert [one.student_id for one in submissions if one.needs_manual_grade] == [waiting]
        scores = {one.student_id: one.score for one in submissions}
    rows = {row.th.text: row for row in page.select("table.students tbody tr")}
    assert {name: float(row.td.text) for name, row in rows.items()} == scores
    assert "to read: 1" in rows[waiting].text
    assert "late: 3 points off" in rows["late"].text
    assert "Scores are out of 3 points so far" in page.header.text
    assert "heron" not in page.text


def test_the_report_says_whose_time_ran_out(graded):
    course = copy_of(graded, "slow")
    place = course.root / "records" / "half" / "tiny.json"
    record = json.loads(place.read_text())
    record["incidents"] = ["code cell 2 was stopped after 4 s", "it was renamed"]
    place.write_text(json.dumps(record))
    assert proctor(course, "report", "tiny").returncode == 0
    page = BeautifulSoup((course.root / "reports" / "tiny.html").read_text(), "html.parser")
    lists = {one.h3.text: one.ul.text.strip() for one in page.select(".matter") if one.ul}
    assert lists["Out of time (1)"] == "half: code cell 2 was stopped after 4 s"
    assert lists["Notes on notebooks (1)"] == "half: it was renamed"


def test_rows_for_a_spreadsheet(graded):
    rows = list(csv.DictReader(io.StringIO(proctor(graded, "report", "tiny", "--csv").stdout)))
    half = {row["check"]: row["passed"] for row in rows if row["student"] == "half"}
    assert half.pop("") == ""  # the written answer, which has no checks
    assert half == {
        "test_positive_numbers": "1",
        "test_negative_numbers": "0",
        "test_shape_is_kept": "1",
    }
    assert [row["status"] for row in rows if row["student"] == "broken"] == ["rejected"]


def test_one_mark_explained(graded):
    page = proctor(graded, "explain", "tiny", "half").stdout
    assert "double_values: 1 of 2" in page
    assert "failed, worth 1: Negative numbers are doubled" in page
    assert "told to the student: What is twice minus three?" in page
    assert "AssertionError: heron" in page
    assert "proctor check --assignment tiny --student half --seed" in page
    told = json.loads(proctor(graded, "explain", "tiny", "half", "--json").stdout)
    assert (told["student"], told["status"], told["automatic"]["score"]) == ("half", "graded", 2)
    [values] = [cell for cell in told["cells"] if cell["grade_id"] == "double_values"]
    assert [check["state"] for check in values["checks"]] == ["passed", "failed"]
    assert values["checks"][1]["worth"] == 1
    assert values["gradebook"]["score"] == 1


def test_a_gradebook_that_does_not_know_the_assignment_is_told_once(graded):
    course = copy_of(graded, "forgotten")
    (course.root / "gradebook.db").unlink()
    done = proctor(course, "grade", "tiny", "--force")
    assert done.returncode == 2
    assert "the gradebook does not know tiny: run `nbgrader generate_assignment" in done.stderr
    assert course.autograded("half") == graded.autograded("half")


def test_nobody_of_that_name(graded):
    done = proctor(graded, "grade", "tiny", "--student", "nobody")
    assert done.returncode == 2
    assert "no submission of tiny by nobody: there is no folder" in done.stderr


def test_a_run_leaves_a_log_and_figures_for_who_watches(graded):
    log = graded.root.with_name("grading.log").read_text().splitlines()
    assert len(log) == len(STUDENTS)
    (half,) = [line for line in log if "half" in line]
    assert re.fullmatch(r"2\d\d\d-.* INFO tiny: half graded, 2 of 3 in [\d.]+ s", half)
    (broken,) = [line for line in log if "broken" in line]
    assert "broken rejected: the file is not valid JSON" in broken
    figures = graded.root.with_name("figures.prom").read_text()
    values = {
        sample.labels.get("state", family.name): sample.value
        for family in text_string_to_metric_families(figures)
        for sample in family.samples
    }
    expected = {"unchanged": 0, "graded": 4, "rejected": 1, "set_aside": 0, "waiting": 0}
    assert {state: values[state] for state in expected} == expected
    assert (values["proctor_exit_code"], values["proctor_running"]) == (1, 0)
    assert values["proctor_need_look"] == 1
