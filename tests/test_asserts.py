"""A Python that leaves out asserts marks nothing: helpers of graders would let everything pass."""

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from conftest import cell
from nbformat import v4

CELLS = [
    v4.new_code_cell("import torch", id="imports"),
    cell("double", "def double(x):\n    return 2 * x"),
    cell("double_values", "assert double(2) == 4", points=3),
]
# Its own assert pytest would bring back; that of the module beside it, nobody.
GRADERS = '''
import helpers

@grades("double_values", hint="Try a few numbers by hand.")
def test_values(student):
    """Doubles numbers"""
    helpers.demand_equal(student.double(2), 4)
'''
CONFIG = """
from proctor.classroom.nbgrader_defaults import use_proctor

c = get_config()
use_proctor(c, course=".")
"""
HELPERS = "def demand_equal(found, expected):\n    assert found == expected\n"


@pytest.fixture
def run(tiny_course, tmp_path):
    """Run a command in the course, in a Python that leaves asserts out."""
    tiny_course.add("tiny", CELLS, GRADERS, stubs={"double": "def double(x): pass"})
    wrong = tiny_course.submission(double="def double(x):\n    return x")
    (tiny_course.root / "tiny.ipynb").write_bytes(wrong)
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "helpers.py").write_text(HELPERS)
    asked = {"PYTHONOPTIMIZE": "1", "PYTHONPATH": str(tmp_path / "modules")}

    def run(*command):
        return subprocess.run(
            command,
            cwd=tiny_course.root,
            env={**os.environ, **asked},
            capture_output=True,
            text=True,
            timeout=300,
        )

    return run


def test_proctor_starts_again_with_asserts(run):
    checked = run(Path(sysconfig.get_path("scripts")) / "proctor", "check", "--json", "tiny.ipynb")
    assert json.loads(checked.stdout)["score"] == 0, checked.stderr


def test_plain_pytest_refuses(run):
    tested = run(sys.executable, "-m", "pytest", "tests/graders/tiny")
    assert tested.returncode == pytest.ExitCode.USAGE_ERROR
    assert "unset PYTHONOPTIMIZE" in tested.stderr


def test_nbgrader_refuses_before_it_touches_anything(run, tiny_course):
    folder = tiny_course.root / "submitted" / "student-01" / "tiny"
    folder.mkdir(parents=True)
    (folder / "tiny.ipynb").write_bytes((tiny_course.root / "tiny.ipynb").read_bytes())
    (tiny_course.root / "nbgrader_config.py").write_text(CONFIG)
    graded = run(Path(sysconfig.get_path("scripts")) / "nbgrader", "autograde", "tiny")
    assert graded.returncode != 0
    assert "Nothing was graded" in graded.stderr and "PYTHONOPTIMIZE" in graded.stderr
    assert not (tiny_course.root / "autograded").exists()


def test_no_process_that_marks_loads_graders(run):
    """Workers, those of a cluster and the gate mark by the same function."""
    load = "from pathlib import Path; from proctor.grading.graders import load_graders as load; "
    loaded = run(sys.executable, "-c", load + "load(Path('tests/graders/tiny'))")
    assert "CourseError" in loaded.stderr and "unset PYTHONOPTIMIZE" in loaded.stderr
