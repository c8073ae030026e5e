"""The release gate: it lets a sound course by, and names what is wrong with any other."""

import hashlib
import os
import re
import shutil
import sysconfig

import nbformat
import pytest
from conftest import TinyCourse, cell
from nbformat import v4
from traitlets.config import Config

from proctor import cli
from proctor.classroom import release_gate
from proctor.commands import options
from proctor.course import Course, CourseError

DOUBLE = (
    "def double(x):\n    ### BEGIN SOLUTION\n    return sum([x, x], start=0)\n    ### END SOLUTION"
)
CELLS = [
    v4.new_markdown_cell("Twice a number.", id="task"),
    cell("double", DOUBLE),
    cell("double_values", "assert double(2) == 4", points=2),
    cell("triple", "def triple(x):\n    return 3 * x"),
    cell("triple_values", "assert triple(2) == 6", points=1),
    cell("explain", "Twice: once, and once more.", points=4, kind="markdown", solution=True),
]
STUBS = {
    "double": "def double(x):\n    raise NotImplementedError",
    "triple": "raise NotImplementedError",
    "explain": "YOUR ANSWER HERE",
}
GRADERS = '''
@grades("double_values", hint="Try two.")
def test_two(student):
    """Doubles two"""
    assert student.double(2) == 4

@grades("triple_values", hint="Try two.")
def test_triple(student):
    """Triples two"""
    assert student.triple(2) == 6
'''
ANSWERS = """
from proctor.grading.labelled import right, wrong

ANSWERS = [
    right("double", "a product", "def double(x): return 2 * x"),
    wrong("double", "half", "def double(x): return x / 2", loses=["double_values"], hint="Half?"),
]
"""


def with_answers(course, answers=ANSWERS, assignment="tiny"):
    folder = course.root / "tests" / "answers"
    folder.mkdir(exist_ok=True)
    (folder / f"{assignment}.py").write_text(answers)
    return course


@pytest.fixture
def sound(tiny_course, empty_gradebook, monkeypatch):
    """A course with nothing wrong, as the current folder, not released yet."""
    with_answers(tiny_course.add("tiny", CELLS, GRADERS))
    shutil.rmtree(tiny_course.root / "release")
    shutil.copy(empty_gradebook, tiny_course.root / "gradebook.db")
    monkeypatch.chdir(tiny_course.root)
    monkeypatch.setenv("PATH", sysconfig.get_path("scripts"), prepend=os.pathsep)
    return tiny_course


def faults_of_marks(course):
    return release_gate.faults_of_marks(
        course.course, Config(), "tiny", 1, lambda done, total: None
    )


def test_a_sound_course_is_released(sound, capsys):
    assert cli.main(["release", "tiny", "-j", "1"]) == 0
    assert "tiny was released: release/tiny/" in capsys.readouterr().out
    released = nbformat.read(sound.course.release("tiny"), as_version=4)
    sources = {one.id: one.source for one in released.cells}
    assert "raise NotImplementedError" in sources["double"]
    assert "once more" not in sources["explain"]


def test_a_refusal_names_every_fault_and_releases_nothing(sound, capsys):
    leak = v4.new_markdown_cell("Think of `return sum([x, x], start=0)`.", id="leak")
    sound.add("tiny", [*CELLS, leak], GRADERS.replace("== 6", "== 9"))
    shutil.rmtree(sound.root / "release")
    assert cli.main(["release", "tiny", "-j", "1"]) == options.REFUSED
    lines = capsys.readouterr().out.splitlines()
    why = "“Triples two”: assert 6 == 9 (seed S)"
    assert [re.sub(r"seed \d+", "seed S", line) for line in lines] == [
        "tiny was not released:",
        "  release: leak shows the solution of double: return sum([x, x], start=0)",
        f"  the reference: triple_values does not get full marks: {why}",
        f"  the right answer “a product” to double: triple_values does not get full marks: {why}",
        f"  the wrong answer “half” to double: triple_values loses marks, and must not: {why}",
    ]
    assert not (sound.root / "release").exists()


@pytest.fixture(scope="module")
def faults(tmp_path_factory):
    """What is found where much is wrong at once: the marks of one course, made once."""
    course = TinyCourse(tmp_path_factory.mktemp("faulty") / "course")
    graders = """
    @grades("double_values", hint="Try two.")
    def test_two(student):
        assert student.double(2) == 4

    @grades("triple_values", hint="Try two.")
    def test_nothing(student):
        "Nothing is wrong"
    """
    answers = """
    right("double", "text", "def double(x): return 2 * str(x)"),
    wrong("double", "always four", "def double(x): return 4", loses=["double_values"], hint="?"),
    wrong("double", "half", "def double(x): return x / 2", loses=["triple_values"], hint="?"),
    """
    with_answers(course.add("tiny", CELLS, graders, stubs=STUBS), listed(answers))
    return faults_of_marks(course)


def listed(answers):
    return f"from proctor.grading.labelled import right, wrong\nANSWERS = [{answers}]"


def test_a_blank_notebook_gets_nothing(faults):
    assert "the blank notebook: triple_values gets 1 points" in faults


def test_a_right_answer_must_not_lose(faults):
    fault = "the right answer “text” to double: double_values does not get full marks: “test_two”:"
    assert any(found.startswith(fault) for found in faults)


def test_a_wrong_answer_must_not_pass(faults):
    fault = "the wrong answer “always four” to double: double_values gets full marks, and must not"
    assert fault in faults


def test_a_wrong_answer_must_not_lose_elsewhere(faults):
    name = "the wrong answer “half” to double"
    loses = f"{name}: double_values loses marks, and must not: “test_two”: assert 1.0 == 4 (seed"
    assert any(found.startswith(loses) for found in faults)
    assert f"{name}: triple_values gets full marks, and must not" in faults


def test_what_is_right_is_no_fault(faults):
    assert len(faults) == 6


def test_cells_and_graders_must_fit(tiny_course):
    graders = GRADERS.replace('"triple_values"', '"tripel_values"')
    with_answers(tiny_course.add("tiny", CELLS, graders, stubs=STUBS))
    [fault] = faults_of_marks(tiny_course)
    assert "graded cells without a hidden test: triple_values" in fault
    assert "tests for other cells: tripel_values" in fault


@pytest.mark.parametrize(
    ("place", "text", "fault"),
    [
        ("double", DOUBLE, "double shows the solution of double: return sum([x, x], start=0)"),
        ("double", DOUBLE, "double holds 'BEGIN SOLUTION'"),
        (
            "task",
            "Hint: def triple(x): 3 * x\n### BEGIN HIDDEN TESTS",
            "task holds 'HIDDEN TESTS'",
        ),
        ("task", "See tests/graders.", "task holds 'tests/graders'"),
        (
            "explain",
            "Twice: once, and once more.",
            "explain shows the solution of explain: Twice: once, and once more.",
        ),
    ],
)
def test_solutions_and_hidden_words_are_found(tiny_course, place, text, fault):
    tiny_course.add("tiny", CELLS, GRADERS, stubs={**STUBS, place: text})
    assert f"release: {fault}" in release_gate.faults_of_text(tiny_course.course, "tiny")


def test_a_clean_release_has_no_such_fault(tiny_course):
    tiny_course.add("tiny", CELLS, GRADERS, stubs=STUBS)
    assert release_gate.faults_of_text(tiny_course.course, "tiny") == []


def test_whoever_mistypes_in_labelled_answers_is_told_where(tiny_course):
    course = tiny_course.add("tiny", CELLS, GRADERS).course
    with_answers(tiny_course, ANSWERS.replace('wrong("double"', 'wrong("duoble"'))
    with pytest.raises(CourseError, match=r"no cell duoble to answer\. Its answers are double, "):
        list(release_gate.all_trials(course, "tiny"))
    for answers, line in (
        (ANSWERS.replace(', hint="Half?"', ""), 6),
        (ANSWERS.replace("ANSWERS = [", "ANSWERS = [["), 4),
        ("from proctor.authoring import rihgt", 1),
    ):
        with_answers(tiny_course, answers)
        with pytest.raises(CourseError, match=rf"^tests/answers/tiny\.py, line {line} cannot be"):
            list(release_gate.all_trials(course, "tiny"))


@pytest.mark.parametrize(
    ("graders", "reason"),
    [
        ("def test_two(student)", r'File "tests/graders/tiny/test_tiny.py", line \d+'),
        ("import nowhere", "'tests/graders/tiny/test_tiny.py'.*No module named 'nowhere'"),
        ("", r"tests/graders/tiny/ has no test in a file test_\*\.py"),
    ],
)
def test_hidden_tests_that_cannot_be_run_are_named_by_their_place(tiny_course, graders, reason):
    with_answers(tiny_course.add("tiny", CELLS, graders, stubs=STUBS))
    [fault] = faults_of_marks(tiny_course)
    assert re.search(f"could not be run: .*{reason}", fault, re.DOTALL)
    assert str(tiny_course.root) not in fault
    assert "_pytest" not in fault


def test_a_hidden_test_without_a_title_is_refused(faults):
    assert (
        "the hidden test test_two has no docstring, which tells students what it checks" in faults
    )
    assert not any("test_nothing has no docstring" in found for found in faults)


def test_errors_of_nbgrader_are_told_without_tracebacks():
    told = release_gate.reasons_in("""\
[GenerateAssignmentApp | ERROR] Traceback (most recent call last):
      File "checkcellmetadata.py", line 13, in preprocess
        raise ValidationError("Duplicate grade id: {}".format(grade_id))
    jsonschema.exceptions.ValidationError: Duplicate grade id: double_values

[GenerateAssignmentApp | ERROR] Traceback (most recent call last):
        raise ValidationError(msg)
    jsonschema.exceptions.ValidationError: Notebook failed to validate.
""")
    assert told == "Duplicate grade id: double_values\nNotebook failed to validate."
    assert release_gate.reasons_in("first\nKilled\n") == "first\nKilled"


def test_without_labelled_answers_nothing_is_proven(tiny_course):
    tiny_course.add("tiny", CELLS, GRADERS)
    with pytest.raises(CourseError, match=r"tests/answers/tiny\.py is missing"):
        release_gate.release(tiny_course.course, Config(), "tiny", workers=1)


def test_what_the_engine_cannot_do_is_refused_in_words(tiny_course):
    with_answers(tiny_course.add("tiny", CELLS, GRADERS))
    notebook = tiny_course.root / "source/tiny/tiny.ipynb"
    second = notebook.with_name("second.ipynb")
    shutil.copy(notebook, second)
    (fault,) = release_gate.faults_of_source(tiny_course.course, "tiny")
    assert "2 notebooks (second.ipynb, tiny.ipynb): only tiny.ipynb is graded" in fault
    assert "make each an assignment" in fault
    notebook.rename(notebook.with_name("first.ipynb"))  # as `nbgrader quickstart` makes them
    with pytest.raises(
        CourseError, match=r"holds first\.ipynb, second\.ipynb.*make each an assignment"
    ):
        release_gate.faults_of_source(tiny_course.course, "tiny")
    notebook.with_name("first.ipynb").rename(notebook)
    second.unlink()
    assert release_gate.faults_of_source(tiny_course.course, "tiny") == []
    written = nbformat.read(notebook, as_version=4)
    written.metadata.kernelspec = {"name": "ir", "language": "R", "display_name": "R"}
    nbformat.write(written, notebook)
    (fault,) = release_gate.faults_of_source(tiny_course.course, "tiny")
    assert "the kernel 'R': only Python is run" in fault


def test_an_assignment_of_written_answers_alone_is_fine(sound, capsys):
    (words,) = [one for one in CELLS if one.id == "explain"]
    sound._write("source/words/words.ipynb", [words])
    assert cli.main(["release", "words", "-j", "1"]) == 0
    notebook = sound.root / "release/words/words.ipynb"
    assert cli.main(["check", str(notebook), "--json"]) == 0
    assert '"needs_manual_grade": true' in capsys.readouterr().out


def test_the_reference_is_tried_under_several_seeds(tiny_course):
    with_answers(tiny_course.add("tiny", CELLS, GRADERS, stubs=STUBS), listed(""))
    trials = list(release_gate.all_trials(tiny_course.course, "tiny"))
    assert [one.name for one in trials] == ["the reference"] * 3 + ["the blank notebook"]
    files = {hashlib.sha256(release_gate.as_submission(one.notebook)).digest() for one in trials}
    assert len(files) == 4


def test_one_answer_is_tried_with_all_detail(sound, capsys):
    assert cli.main(["try", "tiny", "half"]) == 0
    shown, progress = capsys.readouterr()
    assert "trying the wrong answer “half” to double" in progress
    assert "failed: Doubles two" in shown
    assert "assert 1.0 == 4" in shown
    assert "    tests/graders/tiny/test_tiny.py:" in shown
    assert "seed " in shown
    assert cli.main(["try", "tiny", "a quotient"]) == options.COULD_NOT_WORK
    assert "There are reference, blank, “a product”, “half”" in capsys.readouterr().err


def test_nothing_that_is_there_is_made_new(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["new", "Kurs 2"]) == 0
    assert cli.main(["new", "Kurs 2"]) == options.COULD_NOT_WORK
    assert "already exists" in capsys.readouterr().err
    course = tmp_path / "Kurs 2"
    monkeypatch.chdir(course)
    assert cli.main(["new", "--assignment", "hinge"]) == 0
    assert cli.main(["new", "--assignment", "hinge"]) == options.COULD_NOT_WORK
    assert cli.main(["new", "--assignment", "no name"]) == options.COULD_NOT_WORK
    assert release_gate.faults_of_source(Course(course), "hinge") == []


def test_a_rubric_that_cannot_add_up_is_named(tmp_path):
    course = TinyCourse(tmp_path / "course")
    cells = [
        *CELLS[:-1],
        cell("explain", "* 1: once\n* 2: twice", points=4, kind="markdown", solution=True),
    ]
    course.add("tiny", cells, GRADERS, stubs=STUBS)
    [fault] = release_gate.faults_of_rubrics(course.course, "tiny")
    assert fault == (
        "the rubric of explain: its items (1 + 2) cannot add up to the 4 points of the cell"
    )
    course.add("tiny", CELLS, GRADERS, stubs=STUBS)
    assert release_gate.faults_of_rubrics(course.course, "tiny") == []
