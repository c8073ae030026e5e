"""A student's own modules, handed in beside the notebook."""

import io
import os
import subprocess
import sys
import zipfile

import pytest
from conftest import cell

from proctor.grading import modules
from proctor.grading.marking import mark
from proctor.grading.modules import Submission, modules_beside, without_the_courses
from proctor.grading.submitted import notes_on, read_submitted

NOTEBOOK = b'{"nbformat": 4, "cells": []}'
CELLS = [
    cell("setup", "import torch\nfrom course_tools import real", solution=False),
    cell("double", "import mine\nfrom parts.more import two\ndouble = lambda x: two * mine.one(x)"),
    cell("double_check", "assert double", points=1),
]
GRADERS = '''
@grades("double_check", hint="?")
def test_double(student):
    """It doubles."""
    assert student.double(2) == 4
    assert student.real == 1
'''
OWN = {"mine.py": b"one = lambda x: x", "parts/more.py": b"two = 2"}


@pytest.fixture
def course(tiny_course):
    """One exercise, with a module of the course's beside the notebook, and answers that import."""
    tiny_course.add("tiny", CELLS, GRADERS)
    for folder in ("release", "source"):
        (tiny_course.root / folder / "tiny" / "course_tools.py").write_text("real = 1\n")
    return tiny_course


@pytest.fixture
def folder(tmp_path):
    """A submission's folder."""
    made = tmp_path / "student-01" / "tiny"
    made.mkdir(parents=True)
    (made / "tiny.ipynb").write_bytes(NOTEBOOK)
    return made


def scores(marks):
    return {one.grade_id: one.score for one in marks.cells}


def test_modules_beside_the_notebook_are_imported(course, sandbox):
    marks = mark(course.submission(), "tiny", course.course, sandbox=sandbox, modules=OWN)
    assert scores(marks) == {"double_check": 1}, marks.cells
    assert marks.modules == ["mine.py", "parts/more.py"]
    without = mark(course.submission(), "tiny", course.course, sandbox=sandbox)
    assert scores(without) == {"double_check": 0}
    assert without.sha256 != marks.sha256
    assert without.seed != marks.seed


def test_modules_named_like_others_change_nothing_but_their_own_session(course, sandbox):
    stranger = {
        "torch.py": b"raise SystemExit",
        "proctor.py": b"raise SystemExit",
        "course_tools.py": b"real = 2",
    }
    marks = mark(
        course.submission(), "tiny", course.course, sandbox=sandbox, modules={**OWN, **stranger}
    )
    assert scores(marks) == {"double_check": 1}
    [told] = marks.incidents
    assert "course_tools.py belongs to the assignment: the released version was used" in told
    # As when the whole folder is handed in, with what was released in it.
    same = {**OWN, "course_tools.py": b"real = 1\n"}
    marks = mark(course.submission(), "tiny", course.course, sandbox=sandbox, modules=same)
    assert (marks.incidents, marks.modules) == ([], sorted(OWN))


def test_a_cell_may_write_a_module_anew(course, sandbox):
    writes = "get_ipython().run_cell_magic('writefile', 'mine.py', 'one = abs')\n"
    submission = course.submission(double=writes + CELLS[1]["source"])
    wrong = {**OWN, "mine.py": b"one = lambda x: 0"}
    marks = mark(submission, "tiny", course.course, sandbox=sandbox, modules=wrong)
    assert scores(marks) == {"double_check": 1}, marks.cells


def test_the_courses_own_answers_are_run_where_no_module_of_a_student_is(course, sandbox):
    """Else it could see them, and choose what the whole class is told of a mistake."""
    answers = course.root / "tests" / "answers" / "tiny.py"
    answers.parent.mkdir()
    answers.write_text(
        "from proctor.authoring import call, wrong\n"
        "SOURCE = '''\n"
        "try:\n"
        "    import spy\n"
        "except ImportError:\n"
        "    spy = None\n"
        "double = lambda x: x if spy is None else 0\n"
        "'''\n"
        "ANSWERS = [wrong('double', 'once', SOURCE, loses=['double_check'], hint='Twice.')]\n"
        "PROBES = {'double': [call('double', 3)]}\n"
    )
    submission = course.submission(double="import spy\ndouble = lambda x: x")
    marks = mark(submission, "tiny", course.course, sandbox=sandbox, modules={"spy.py": b"", **OWN})
    assert "once" in (marks.cells[0].diagnosis or "")


def test_a_changed_module_is_another_submission():
    plain, one = Submission(NOTEBOOK), Submission(NOTEBOOK, {"a.py": b"1"})
    assert plain.sha256 == modules.sha256_of(NOTEBOOK)
    others = [Submission(NOTEBOOK, {"a.py": b"2"}), Submission(NOTEBOOK, {"b.py": b"1"})]
    assert len({each.sha256 for each in (plain, one, *others)}) == 4


def test_only_small_regular_files_are_read(folder, tmp_path):
    (tmp_path / "secret.py").write_text("secret = 1")
    (folder / "mine.py").write_text("x = 1")
    (folder / "parts").mkdir()
    (folder / "parts" / "__init__.py").write_text("")
    (folder / "link.py").symlink_to(tmp_path / "secret.py")
    (folder / "elsewhere").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe.py")
    (folder / "two words.py").write_text("")
    (folder / "two\nlines.py").write_text("")
    (folder / "-c.py;ls.py").write_text("")
    (folder / "large.py").write_bytes(b"#" * (modules.MAX_MODULE_BYTES + 1))
    (folder / ".hidden.py").write_text("")
    (folder / "data.csv").write_text("1")
    deep = folder.joinpath("a", "b", "c", "d")
    deep.mkdir(parents=True)
    (deep / "deep.py").write_text("")
    found, left_out = modules_beside(folder)
    assert sorted(found) == ["mine.py", "parts/__init__.py"]
    told = "\n".join(left_out)
    for words in ("large.py has", "link.py is a symbolic link", "pipe.py is a named pipe", "'two"):
        assert words in told
    assert len(left_out) == len(told.splitlines()) == 6
    assert read_submitted(folder, "tiny").modules == found
    assert set(left_out) <= set(notes_on(folder, "tiny"))


def test_so_many_are_read(folder):
    for number in range(modules.MAX_MODULES + 20):
        (folder / f"m{number:03}.py").write_text("")
    found, left_out = modules_beside(folder)
    assert len(found) == modules.MAX_MODULES
    assert left_out == ["20 modules beside the notebook were left out: 50 are read."]
    for number in range(modules.MAX_ENTRIES):
        (folder / f"{number}.txt").write_text("")
    told = "more than 2000 files lie beside the notebook: no more modules were read."
    assert modules_beside(folder) == ({}, [told])
    assert told in notes_on(folder, "tiny")


def test_modules_in_a_zip_file_lie_beside_the_notebook_in_it(folder):
    (folder / "tiny.ipynb").unlink()
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("hw/tiny.ipynb", NOTEBOOK)
        for name in ("hw/mine.py", "hw/parts/more.py", "other.py", "hw/../../up.py", "hw/x y.py"):
            archive.writestr(name, "x = 1")
    (folder / "hw.zip").write_bytes(data.getvalue())
    assert sorted(read_submitted(folder, "tiny").modules) == ["mine.py", "parts/more.py"]


def test_what_is_in_the_way_of_the_courses_files_is_left_out(tmp_path):
    released = tmp_path / "released"
    released.write_bytes(b"x")
    beside = {"data.py/table.csv": released, "tools": released}
    own = {"data.py": b"", "tools/mine.py": b"", "fine.py": b"12", "large.py": b"123"}
    kept, left_out = without_the_courses(own, beside, room=4)
    assert kept == {"fine.py": b"12"}
    assert len(left_out) == 3


def test_plain_pytest_never_imports_what_students_handed_in(course):
    """An instructor may type `pytest` in the course's folder."""
    marker = course.root / "run"
    for place in ("submitted", "autograded", "downloaded"):
        folder = course.root / place / "student-01" / "tiny"
        folder.mkdir(parents=True)
        for name in ("conftest", "test_mine"):
            (folder / f"{name}.py").write_text(f"open({str(marker)!r}, 'w')")
    (course.root / "test_own.py").write_text("def test_own(): pass")
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=course.root, capture_output=True, text=True, check=False)
    assert "test_own.py::test_own" in done.stdout
    assert "test_mine" not in done.stdout
    assert not marker.exists()
