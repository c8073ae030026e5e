"""The second course, in examples/: released through the gate and graded as any other."""

from __future__ import annotations

import json
import shutil
import sysconfig
import tokenize
from pathlib import Path

import nbformat
import pytest

from proctor import cli
from proctor.course import Course, read_notebook
from proctor.grading.labelled import load_answers, with_answers

EXAMPLE = Path(__file__).parents[1] / "examples" / "networks"
ASSIGNMENTS = ("attention", "groups", "layer_norm")


@pytest.fixture(scope="module")
def course(tmp_path_factory, empty_gradebook):
    """A copy of the course that nothing was released in yet, as the current folder."""
    root = tmp_path_factory.mktemp("examples") / "networks"
    made = shutil.ignore_patterns("release", "gradebook.db*", "submitted", "records", ".*")
    shutil.copytree(EXAMPLE, root, ignore=made)
    shutil.copy(empty_gradebook, root / "gradebook.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setenv("PATH", sysconfig.get_path("scripts"), prepend=":")
        yield Course(root)


def test_it_is_all_there(course):
    assert tuple(course.assignments()) == ASSIGNMENTS


def test_thirty_lines_of_hidden_tests_and_config_are_enough_for_an_exercise():
    config = len(lines_of_code(EXAMPLE / "nbgrader_config.py")) / len(ASSIGNMENTS)
    for assignment in ASSIGNMENTS:
        source = read_notebook(Course(EXAMPLE).reference(assignment))
        labels = [cell.metadata.get("nbgrader", {}) for cell in source.cells]
        exercises = [one for one in labels if one.get("solution") and not one.get("grade")]
        graders = Course(EXAMPLE).graders(assignment).glob("*.py")
        lines = config + sum(len(lines_of_code(path)) for path in graders)
        assert lines <= 30 * len(exercises), f"{assignment}: {lines}"


def lines_of_code(path):
    """The lines of a file that hold code: no blank ones, comments or docstrings."""
    ignored = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
    lines, at_start = set(), True
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            docstring = at_start and token.type == tokenize.STRING
            if (
                token.type not in (*ignored, tokenize.ENCODING, tokenize.ENDMARKER)
                and not docstring
            ):
                lines.update(range(token.start[0], token.end[0] + 1))
            at_start = token.type in (*ignored, tokenize.ENCODING)
    return lines


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_an_assignment_passes_the_gate_and_its_release_is_up_to_date(course, assignment, capsys):
    status = cli.main(["release", assignment])
    assert status == 0, capsys.readouterr().out
    ours = read_notebook(EXAMPLE / "release" / assignment / f"{assignment}.ipynb")
    made = read_notebook(course.release(assignment))
    assert [one.source for one in made.cells] == [one.source for one in ours.cells]


def test_a_class_is_graded(course, capsys):
    wrong = "the unbiased variance"
    (answer,) = [one for one in load_answers(course, "layer_norm") if one.name == wrong]
    hand_in(course, "student-01", "layer_norm", {})
    hand_in(course, "student-02", "layer_norm", {answer.cell: answer.source})
    hand_in(course, "student-01", "groups", {})
    for assignment in ("layer_norm", "groups"):
        assert cli.main(["grade", assignment]) == 0, capsys.readouterr()
    assert scores(course, "student-01", "layer_norm") == {
        "layer_norm_values": 2,
        "layer_norm_parameters": 2,
        "network_shape": 2,
        "network_learns": 2,
    }
    marred = scores(course, "student-02", "layer_norm")
    assert marred == {
        "layer_norm_values": 0,
        "layer_norm_parameters": 1,
        "network_shape": 2,
        "network_learns": 2,
    }
    assert scores(course, "student-01", "groups")["explain_means"] is None


def hand_in(course, student, assignment, answers):
    path = course.root / "submitted" / student / assignment / f"{assignment}.ipynb"
    path.parent.mkdir(parents=True)
    reference = read_notebook(course.reference(assignment))
    path.write_text(nbformat.writes(with_answers(reference, answers)))


def scores(course, student, assignment):
    record = json.loads(course.record(student, assignment).read_text())
    return {cell["grade_id"]: cell["score"] for cell in record["cells"]}
