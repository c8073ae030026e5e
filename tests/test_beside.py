"""What lies beside a notebook, and what its cells write there."""

import hashlib

import pytest
from conftest import cell

from proctor.course import CourseError
from proctor.grading.marking import mark
from proctor.sandbox.beside import FurnishedSandbox
from proctor.sandbox.sessions import Sandbox
from proctor.settings import SessionLimits

CELLS = [
    cell("setup", "import csv, sys, helpers", solution=False),
    cell(
        "rows",
        """
        rows = list(csv.reader(open("data/scores.csv")))
        try:
            open("data/scores.csv", "w")
            wrote = True
        except PermissionError:
            wrote = False
        """,
    ),
    cell("rows_check", "assert rows", points=1),
    cell("module", "%%writefile mine.py\nanswer = 42"),
    cell("imported", "import mine\nanswer = mine.answer + helpers.one()"),
    cell("imported_check", "assert answer", points=1),
    cell("drawing", "drawn = 'a drawing'\nprint(drawn)", points=2, solution=True),
    cell("shown", "shown = drawn"),
    cell("shown_check", "assert shown", points=1),
]
GRADERS = '''
@grades("rows_check", hint="?")
def test_rows(student):
    """What was released can be read, and not be written."""
    assert student.rows == [["a", "1"], ["b", "2"]]
    assert student.wrote is False

@grades("imported_check", hint="?")
def test_imported(student):
    """What a cell wrote can be imported, as can what was released."""
    assert student.answer == 43

@grades("shown_check", hint="?")
def test_shown(student):
    """Code that a person grades is run."""
    assert student.shown == "a drawing"
'''


@pytest.fixture
def course(tiny_course):
    tiny_course.add("files", CELLS, GRADERS)
    for folder in ("release", "source"):
        beside = tiny_course.root / folder / "files"
        (beside / "data").mkdir()
        (beside / "data" / "scores.csv").write_text("a,1\nb,2\n")
        (beside / "helpers.py").write_text("def one(): return 1\n")
        (beside / ".hidden").write_text("x")
        (beside / "link").symlink_to("/etc/passwd")
    return tiny_course


def test_what_lies_beside_the_notebook_is_there_when_it_is_marked(course, sandbox):
    marks = mark(course.submission(), "files", course.course, sandbox=sandbox)
    assert marks.error is None
    scores = {one.grade_id: one.score for one in marks.cells}
    details = [check.detail for one in marks.cells for check in one.checks]
    expected = {"rows_check": 1, "imported_check": 1, "drawing": None, "shown_check": 1}
    assert scores == expected, details
    (drawing,) = [one for one in marks.notebook.cells if one.get("id") == "drawing"]
    assert drawing.outputs[0]["text"] == "a drawing\n"


def test_only_regular_files_that_are_shown_lie_beside_it(course):
    beside = course.course.files_beside(course.course.release("files"))
    assert sorted(beside) == ["data/scores.csv", "helpers.py"]


def test_large_files_arrive_in_pieces_and_too_large_ones_are_the_courses_fault(tmp_path, sandbox):
    path = tmp_path / "large.bin"
    path.write_bytes(bytes(range(256)) * (20 << 12))  # 20 MiB
    session = FurnishedSandbox(sandbox, {"large.bin": path}).session()
    try:
        ask = {
            "ask": "execute",
            "number": 1,
            "source": "import hashlib\n"
            "print(hashlib.sha256(open('large.bin', 'rb').read()).hexdigest())",
            "seconds": 20.0,
            "figures": False,
            "of_student": False,
        }
        session.channel.send(ask)
        answer, _ = session.channel.receive()
    finally:
        session.kill()
    assert answer["outputs"][0]["text"].strip() == hashlib.sha256(path.read_bytes()).hexdigest()
    small = Sandbox(SessionLimits(file_bytes=1 << 20))
    with pytest.raises(CourseError, match="a session has room"):
        FurnishedSandbox(small, {"large.bin": path})
