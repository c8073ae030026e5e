"""`proctor solutions`: what students get after the deadline, and what they never get."""

import os
import sysconfig
from datetime import UTC, datetime, timedelta
from pathlib import Path

import nbformat
import pytest
from conftest import cell
from nbclient import NotebookClient
from nbgrader.api import Gradebook

from proctor import cli
from proctor.commands.solutions import good_answer, solved
from proctor.course import Course, read_notebook

COURSE = Course(Path(__file__).parent.parent)
ASSIGNMENTS = sorted(COURSE.assignments())
RUBRIC = """\
* 1: says that it doubles
  Twice as much, that is.
* 0.5: gives an example
* -0.5: calls it squaring

> "It makes it bigger" earns nothing.
> It triples, says many a student.

**A good answer (1.5 points):** It doubles.

For instance, 2 becomes 4.

**A thin answer (0.5 points):** 2 becomes 4.
"""
CELLS = [
    cell(
        "double", "def double(x):\n    ### BEGIN SOLUTION\n    return 2 * x\n    ### END SOLUTION"
    ),
    cell(
        "double_values",
        "assert double(2) == 4\n"
        "### BEGIN HIDDEN TESTS\nassert double(3) == 6\n### END HIDDEN TESTS",
        points=3,
    ),
    cell("explain", RUBRIC, points=1, kind="markdown", solution=True),
]


@pytest.fixture
def course(tiny_course, monkeypatch):
    tiny_course.add("tiny", CELLS, "", stubs={"double": "def double(x): pass"})
    monkeypatch.chdir(tiny_course.root)
    scripts = sysconfig.get_path("scripts")  # nbgrader calls `alembic` by name
    monkeypatch.setenv("PATH", os.pathsep.join([scripts, os.environ["PATH"]]))
    return tiny_course


def due(course, when, extension=None):
    """Set the due date, and for one student more time."""
    with Gradebook(f"sqlite:///{course.root}/gradebook.db", "a course") as gradebook:
        gradebook.update_or_create_assignment("tiny", duedate=when.replace(tzinfo=None))
        if extension:
            gradebook.add_student("student-01")
            submission = gradebook.add_submission("tiny", "student-01")
            submission.extension = extension
            gradebook.db.commit()


def test_without_a_due_date_it_is_written_and_no_gradebook_is_made(course, capsys):
    assert cli.main(["solutions", "tiny"]) == 0
    assert "it has no due date" in capsys.readouterr().out
    notebook = nbformat.read(course.root / "solutions/tiny.ipynb", as_version=4)
    nbformat.validate(notebook)
    sources = [one.source for one in notebook.cells if one.source]
    assert "def double(x):\n    return 2 * x" in sources
    assert "assert double(2) == 4" in sources
    assert "It doubles.\n\nFor instance, 2 becomes 4." in sources
    assert not any("nbgrader" in one.metadata for one in notebook.cells)
    assert not (course.root / "gradebook.db").exists()


def test_before_the_deadline_it_is_refused(course, capsys):
    due(course, datetime.now(UTC) + timedelta(days=1))
    assert cli.main(["solutions", "tiny"]) == 2
    assert "--before-deadline" in capsys.readouterr().err
    assert not (course.root / "solutions").exists()
    assert cli.main(["solutions", "tiny", "--before-deadline", "--to", "here.ipynb"]) == 0
    assert (course.root / "here.ipynb").exists()


@pytest.mark.filterwarnings("ignore:Object of type")  # nbgrader's own, and harmless
def test_an_extension_counts(course):
    yesterday = datetime.now(UTC) - timedelta(days=1)
    due(course, yesterday)
    assert cli.main(["solutions", "tiny"]) == 0
    due(course, yesterday, extension=timedelta(days=2))
    assert cli.main(["solutions", "tiny"]) == 2


def test_an_unknown_assignment_is_refused(course, capsys):
    assert cli.main(["solutions", "tiney"]) == 2
    assert "there is no assignment tiney here: did you mean tiny?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("rubric", "answer"),
    [
        ("Because it doubles.", "Because it doubles."),
        ("* 1: doubles\n* it doubles", "* it doubles"),
        ("* 1: doubles\n\n> no more", "*(There is no model answer to this question.)*"),
        ("**Good:** one\n\n**Thin:** two\n\nmore of two", "one"),
        ("**A thin answer:** two\n\n**A good answer:** one", "one"),
    ],
)
def test_the_good_answer_of_a_rubric(rubric, answer):
    assert good_answer(rubric) == answer


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_our_solved_notebooks_have_all_answers_and_nothing_for_graders(assignment):
    reference = read_notebook(COURSE.reference(assignment))
    notebook = solved(reference)
    text = "\n".join(one.source for one in notebook.cells)
    assert "SOLUTION" not in text and 'NotImplementedError("exercise' not in text
    assert "A thin answer" not in text and "no model answer" not in text
    written = [
        one
        for one in reference.cells
        if one.get("metadata", {}).get("nbgrader", {}).get("solution")
        and one.cell_type == "markdown"
    ]
    assert written
    for one in written:
        found = next(cell.source for cell in notebook.cells if cell.id == one.id)
        assert len(found.split()) > 60
        assert not any(
            line.startswith((">", "* 1:", "* 0.5:", "* -")) for line in found.split("\n")
        )


def test_a_solved_notebook_runs(tmp_path):
    notebook = solved(read_notebook(COURSE.reference("loss_zoo")))
    NotebookClient(notebook, kernel_name="python3", timeout=120).execute()
    assert "bce_values: all" in str(notebook.cells)
