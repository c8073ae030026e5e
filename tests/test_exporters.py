"""Marks out: the tables that Canvas and Moodle give are filled and keep all else as it was."""

from __future__ import annotations

import csv
import io
import json
import logging
import shutil
from pathlib import Path

import pytest
from made_class import ASSIGNMENT, MadeClass, questions
from nbgrader.api import Gradebook
from nbgrader.apps import ExportApp

from proctor.platforms.names import ClassList, Listed, Person

CANVAS = (
    "Student,ID,SIS User ID,SIS Login ID,Section,Notes,tiny (4711),Other Work (4712),"
    "Final Score\r\n"
    ",,,,,,Manual Posting,,\r\n"
    "    Points Possible,,,,,,5.00,10.00,(read only)\r\n"
    '"One, Student",101,s-101,one@school.example,Lab 1 and Lab 2,-absent,,7.50,12.00\r\n'
    '"Two, ""Zoë"" 李",102,s-102,two@school.example,Lab 1,"a\nb",1.00,-1.00,\r\n'
    "=cmd(),103,s-103,three@school.example,Lab 1,,EX,,\r\n"
    '"Four, Student",104,s-104,four@school.example,Lab 1,,3.25,,\r\n'
    '"Student, Test",999,,e1a2,Lab 1,,,,\r\n'
)
MOODLE = (
    "Identifier,Full name,Email address,Status,Grade,Maximum Grade,Grade can be changed,"
    "Last modified (submission),Online text,Last modified (grade),Feedback comments\n"
    'Participant 7001,Student One,one@school.example,Submitted,,5.00,Yes,"Sunday, 22 November",'
    "=1+1,-,\n"
    "Participant 7002,+Two,two@school.example,Submitted,1.00,5.00,Yes,-,,-,keep?\n"
    "Participant 7003,Student Three,three@school.example,Submitted,,5.00,No,-,,-,\n"
    "Participant 7004,Student Four,four@school.example,,2.00,5.00,Yes,-,,-,mine\n"
)
STUDENTS = {
    # id: (lms_user_id, e-mail, points of double_values, points by hand, comment)
    "student-01": ("101", "one@school.example", 2.0, 2.5, "=Well <b>put</b>.\nGo on."),
    "student-02": (None, "Two@school.example", 2 / 3, None, None),
    "student-03": (None, "three@school.example", 0.0, 0.0, None),
    "student-05": ("105", "five@school.example", 1.0, 1.0, None),
}


class Exporting:
    """A course with one graded assignment."""

    def __init__(self, root: Path, log):
        self.root = root
        self.log = log
        (root / "downloaded/tiny").mkdir(parents=True)

    def fill_gradebook(self) -> None:
        with Gradebook(f"sqlite:///{self.root / 'gradebook.db'}") as gradebook:
            gradebook.add_assignment("tiny")
            gradebook.add_notebook("tiny", "tiny")
            for name, points, kind in (("double_values", 2, "code"), ("explain", 3, "markdown")):
                gradebook.add_grade_cell(name, "tiny", "tiny", max_score=points, cell_type=kind)
            gradebook.add_solution_cell("explain", "tiny", "tiny")
            for student in STUDENTS:
                self.add_student(gradebook, student)
            gradebook.add_student("student-04", email="four@school.example")  # handed in nothing
            gradebook.db.commit()

    def add_student(self, gradebook: Gradebook, student: str) -> None:
        lms_user_id, email, automatic, by_hand, comment = STUDENTS[student]
        gradebook.add_student(
            student, lms_user_id=lms_user_id, email=email, first_name="Stu", last_name="=Dent, X"
        )
        gradebook.add_submission("tiny", student)
        grade = gradebook.find_grade("double_values", "tiny", "tiny", student)
        grade.auto_score, grade.needs_manual_grade = automatic, False
        grade = gradebook.find_grade("explain", "tiny", "tiny", student)
        grade.manual_score, grade.needs_manual_grade = by_hand, by_hand is None
        gradebook.find_comment("explain", "tiny", "tiny", student).manual_comment = comment

    def export(self, exporter: str, *arguments: str) -> str:
        """Run the command; gives what it wrote."""
        app = ExportApp()
        app.initialize(
            [f"--exporter=proctor.platforms.exporters.{exporter}", "--to=out.csv", *arguments]
        )
        app.log.propagate = True
        self.log.clear()
        with self.log.at_level(logging.INFO, logger=app.log.name):
            app.start()
        return (self.root / "out.csv").read_bytes().decode()

    def refused(self, exporter: str, *arguments: str) -> str:
        with pytest.raises(SystemExit) as stopped:
            self.export(exporter, *arguments)
        assert stopped.value.code == 1
        assert not (self.root / "out.csv").exists()
        return self.log.text

    def put(self, name: str, text: str) -> None:
        (self.root / "downloaded" / name).write_bytes(text.encode())


@pytest.fixture(scope="module")
def filled_gradebook(empty_gradebook, tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("filled")
    shutil.copy(empty_gradebook, root)
    Exporting(root, None).fill_gradebook()
    return root / "gradebook.db"


@pytest.fixture
def exporting(filled_gradebook, tmp_path, monkeypatch, caplog) -> Exporting:
    shutil.copy(filled_gradebook, tmp_path)
    (tmp_path / "nbgrader_config.py").write_text("c = get_config()\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return Exporting(tmp_path, caplog)


def rows_of(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


# Canvas


def test_canvas_gradebook_is_filled_and_keeps_all_else(exporting):
    exporting.put("2026-11-22_Grades-LOSS.csv", CANVAS)
    before, after = rows_of(CANVAS), rows_of(exporting.export("CanvasExportPlugin"))
    place = before[0].index("tiny (4711)")
    assert [row[place] for row in after] == [
        "tiny (4711)",
        "Manual Posting",
        "5.00",
        "4.5",  # 2 + 2.5
        "0.67",
        "EX",  # excused
        "3.25",  # nothing was handed in here: Canvas knows more
        "",
    ]
    before[5][0] = "'=cmd()"
    for old, new in zip(before, after, strict=True):
        assert old[:place] + old[place + 1 :] == new[:place] + new[place + 1 :]
    log = exporting.log.text
    assert "no mark for student-03 in tiny: Canvas says EX" in log
    assert "no mark for student-05 in tiny: nobody in the table fits" in log
    assert "marks of student-02 are not complete" in log


def test_form_of_the_file_is_kept(exporting):
    # As in a country with decimal commas: byte order mark, semicolons
    rows = rows_of(CANVAS)
    text = io.StringIO()
    csv.writer(text, delimiter=";", lineterminator="\n").writerows(rows)
    exporting.put("grades.csv", "\ufeff" + text.getvalue().replace("5.00", "5,00"))
    written = exporting.export("CanvasExportPlugin", "--assignment=tiny")
    assert written.startswith("\ufeffStudent;ID;SIS User ID;")
    assert "\r" not in written
    assert "-absent;4.5;7.50" in written


def test_late_penalty_and_named_students_count(exporting):
    with Gradebook(f"sqlite:///{exporting.root / 'gradebook.db'}") as gradebook:
        notebook = gradebook.find_submission_notebook("tiny", "tiny", "student-01")
        notebook.late_submission_penalty = 4.0
        gradebook.db.commit()
    exporting.put("grades.csv", CANVAS)
    after = rows_of(exporting.export("CanvasExportPlugin", "--student=student-01"))
    assert [row[6] for row in after[3:5]] == ["0.5", "1.00"]


def test_column_of_another_title_can_be_named(exporting):
    exporting.put("grades.csv", CANVAS.replace("tiny (4711)", "Losses: part 1 (4711)"))
    said = exporting.refused("CanvasExportPlugin", "--assignment=tiny")
    assert "0 columns of grades.csv are called tiny" in said
    assert "There are: Losses: part 1 (4711), Other Work (4712)" in said
    for title in ("Losses: part 1 (4711)", "losses: part 1", "4711"):
        after = exporting.export(
            "CanvasExportPlugin", "--assignment=tiny", f"--CanvasExportPlugin.column={title}"
        )
        assert rows_of(after)[3][6] == "4.5"


def test_other_points_are_refused_or_scaled(exporting):
    exporting.put("grades.csv", CANVAS.replace("5.00,10.00", "100.00,10.00"))
    said = exporting.refused("CanvasExportPlugin")
    assert "tiny (4711) in Canvas has 100 points, here there are 5" in said
    after = exporting.export("CanvasExportPlugin", "--CanvasExportPlugin.scale=True")
    assert rows_of(after)[3][6] == "90"


def test_two_rows_of_one_student_are_refused(exporting):
    exporting.put("grades.csv", CANVAS.replace("s-104,four@", "s-104,one@"))
    with Gradebook(f"sqlite:///{exporting.root / 'gradebook.db'}") as gradebook:
        gradebook.update_or_create_student("student-01", lms_user_id=None)
    said = exporting.refused("CanvasExportPlugin")
    assert "numbers 101 and 104 of the table are both taken for student-01" in said


def test_missing_unfit_or_ambiguous_table_is_refused_with_its_remedy(exporting):
    assert "there is no Canvas gradebook in" in exporting.refused("CanvasExportPlugin")
    exporting.put("a.csv", CANVAS)
    exporting.put("b.csv", CANVAS)
    exporting.put("list.csv", "name,age\nx,1\n")
    assert "more than one Canvas gradebook: a.csv, b.csv" in exporting.refused("CanvasExportPlugin")
    assert exporting.export("CanvasExportPlugin", "--CanvasExportPlugin.table=downloaded/a.csv")
    (exporting.root / "out.csv").unlink()
    for name, reason in (
        ("list.csv", "is no Canvas gradebook"),
        ("none.csv", "cannot be read as a table"),
    ):
        said = exporting.refused(
            "CanvasExportPlugin", f"--CanvasExportPlugin.table=downloaded/{name}"
        )
        assert reason in said
    assert "no assignment other, only tiny" in exporting.refused(
        "CanvasExportPlugin", "--assignment=other"
    )


# Moodle


def write_record(root: Path, student: str, **changes) -> None:
    checks = [
        {"title": "Doubles `x`", "passed": False, "hint": "Is 2 < 3?", "detail": "kingfisher"},
        {"title": "Keeps shapes", "passed": True, "hint": None, "detail": ""},
    ]
    cells = [
        {"grade_id": "explain", "checks": [], "diagnosis": None},
        {"grade_id": "double_values", "checks": checks, "diagnosis": "The minus is missing"},
    ]
    path = root / f"records/{student}/tiny.json"
    path.parent.mkdir(parents=True)
    record = {"status": "graded", "error": None, "cells": cells, **changes}
    path.write_text(json.dumps(record))


def test_moodle_worksheet_gets_marks_and_feedback(exporting):
    exporting.put("tiny/Grades-LOSS-tiny-55.csv", MOODLE)
    write_record(exporting.root, "student-01")
    write_record(exporting.root, "student-02", status="rejected", error="no <JSON>", cells=[])
    before, after = rows_of(MOODLE), rows_of(exporting.export("MoodleExportPlugin"))
    assert [row[4] for row in after] == ["Grade", "4.5", "0.67", "", "2.00"]
    assert [row[-1] for row in after] == [
        "Feedback comments",
        "<p><strong>explain</strong>: 2.5 of 3</p>"
        "<p>=Well &lt;b&gt;put&lt;/b&gt;.<br>Go on.</p>"
        "<p><strong>double_values</strong>: 2 of 2</p>"
        "<ul><li>failed: Doubles `x`. Is 2 &lt; 3?</li>"
        "<li>The minus is missing</li></ul>",
        "<p>Not graded: no &lt;JSON&gt;</p><p><strong>double_values</strong>: 0.67 of 2</p>"
        "<p><strong>explain</strong>: 3 points, still being read</p>",
        "",
        "mine",
    ]
    before[1][8], before[2][1] = "'=1+1", "'+Two"
    for old, new in zip(before, after, strict=True):
        assert old[:4] + old[5:-1] == new[:4] + new[5:-1]
    assert "kingfisher" not in str(after)
    assert "no mark for student-03 in tiny: Moodle says that the grade cannot" in exporting.log.text


def test_moodle_worksheet_without_feedback_gets_marks(exporting):
    exporting.put("tiny/grades.csv", MOODLE.replace("Feedback comments", "Something else"))
    after = rows_of(exporting.export("MoodleExportPlugin", "--assignment=tiny"))
    assert [row[4] for row in after] == ["Grade", "4.5", "0.67", "", "2.00"]
    assert [row[-1] for row in after] == ["Something else", "", "keep?", "", "mine"]
    assert "turn on *Feedback comments*" in exporting.log.text


def test_moodle_worksheet_is_for_one_assignment_and_its_points(exporting):
    exporting.put("tiny/grades.csv", MOODLE.replace("5.00", "10.00"))
    said = exporting.refused("MoodleExportPlugin")
    assert "tiny in Moodle has 10 points, here there are 5" in said
    assert "there is no Canvas gradebook" in exporting.refused("CanvasExportPlugin")
    with Gradebook(f"sqlite:///{exporting.root / 'gradebook.db'}") as gradebook:
        gradebook.add_assignment("other")
    assert "say which one with --assignment" in exporting.refused("MoodleExportPlugin")


# Plain


def test_plain_table_has_a_row_for_each_student_and_exercise(exporting):
    text = exporting.export("ExercisesExportPlugin")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [(row["student_id"], row["grade_id"]) for row in rows] == [
        (student, grade) for student in sorted(STUDENTS) for grade in ("double_values", "explain")
    ]
    assert rows[1] == {
        "assignment": "tiny",
        "student_id": "student-01",
        "last_name": "'=Dent, X",
        "first_name": "Stu",
        "grade_id": "explain",
        "score": "2.5",
        "max_score": "3",
        "by_hand": "1",
        "waits_for_person": "0",
    }
    assert (rows[3]["by_hand"], rows[3]["waits_for_person"]) == ("0", "1")
    only = exporting.export("ExercisesExportPlugin", "--student=student-02")
    assert len(rows_of(only)) == 3


def test_the_table_of_grades_keeps_a_comma_in_its_column(exporting):
    header, *rows = rows_of(exporting.export("GradesExportPlugin"))
    assert [row[3] for row in rows] == sorted({*STUDENTS, "student-04"})
    first = dict(zip(header, rows[0], strict=True))
    assert (first["last_name"], first["first_name"]) == ("'=Dent, X", "Stu")
    assert [first[name] for name in ("raw_score", "score", "max_score")] == ["4.5", "4.5", "5.0"]
    assert {len(row) for row in rows} == {len(header)}


def test_a_large_class_is_exported_in_as_many_questions_as_a_small_one(
    exporting, empty_gradebook, tmp_path
):
    """nbgrader's objects would ask several times for each student."""
    counts = {}
    for size in (20, 60):
        large = MadeClass(tmp_path / f"of-{size}", empty_gradebook, size)
        shutil.copy(large.root / "gradebook.db", exporting.root)
        for exporter in ("GradesExportPlugin", "ExercisesExportPlugin"):
            with questions() as asked:
                rows = rows_of(exporting.export(exporter, f"--assignment={ASSIGNMENT}"))
            assert len(rows) > size
            counts[exporter, size] = len(asked)
    for exporter in ("GradesExportPlugin", "ExercisesExportPlugin"):
        assert counts[exporter, 60] <= counts[exporter, 20] < 30


def test_whose_row_it_is_costs_no_look_at_the_whole_class():
    """Once a list is made, each row of a table is found in a few looks."""
    looks = 0

    class Counted(str):
        def __eq__(self, other):
            nonlocal looks
            looks += 1
            return str.__eq__(self, other)

        __hash__ = str.__hash__

    listed = [
        Listed(Counted(f"s-{n}"), Counted(f"Stu No. {n} Ames"), Counted(f"{n}@x.example"), None)
        for n in range(500)
    ]
    known = ClassList(listed)
    looks = 0
    for n in range(500):
        assert (
            known.find(Person(str(n), False, (f"{n}@x.example",), f"Ames, Stu No. {n}")) == f"s-{n}"
        )
    assert looks < 20 * 500
