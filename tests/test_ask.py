"""`proctor ask`: the key is what the student's own function gives, and no wrong option is right."""

import csv
import json
import os
import shutil
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch
from typed import typed

from proctor import cli
from proctor.course import Course, read_notebook
from proctor.grading.asking import (
    Asked,
    Asking,
    Sheet,
    assert_own_answer,
    read_sheet,
    too_near,
    write_sheet,
)
from proctor.grading.diagnosis import defines_names
from proctor.grading.labelled import (
    as_submission,
    load_answers,
    reference_answers,
    with_answers,
)
from proctor.grading.modules import Submission
from proctor.grading.questions import alike, draw, load_questions, settled, shown, told
from proctor.grading.records import answered_questions
from proctor.pages.questions import gift, sheets_page
from proctor.settings import TimeLimits

ROOT = Path(__file__).parent.parent
COURSE = Course(ROOT)
ASSIGNMENTS = ("accuracy", "mnist_loss", "cross_entropy", "loss_zoo")
# Each takes a fork of a session: `make answers` tries all of them.
EVERY_ANSWER = bool(os.environ.get("EVERY_ANSWER"))
STEP = 1 if EVERY_ANSWER else 10
SEEDS = (1, 2) if EVERY_ANSWER else (1,)
LIMITS = TimeLimits(cell=1.0, call=0.5, repeated_call=0.2, submission=20.0, questions=8.0)


def copied(argument, kept):
    """A copy; gradients still reach the original. A leaf of a graph stays one: torch itself keeps
    functions from writing into it, here as in the sandbox."""
    if not isinstance(argument, torch.Tensor) or any(argument is each for each in kept):
        return argument
    return argument if argument.is_leaf and argument.requires_grad else argument.clone()


class Kept:
    def __init__(self, value):
        self.value = value


class Here:
    """What questions take for `student`, with names of this process: no sandbox in between."""

    def __init__(self, names):
        self._names = names
        self._kept = []

    def __getattr__(self, name):
        found = self._names[name]
        if not callable(found):  # NumPy arrays arrive as tensors
            return torch.from_numpy(found) if isinstance(found, np.ndarray) else found
        # What a function writes into its arguments stays where it runs, unless they were kept.
        return lambda *given: found(*(copied(each, self._kept) for each in given))

    def source(self, text):
        return eval(text, {"torch": torch})  # noqa: S307 - a question's own

    def keep(self, tensor, requires_grad=False):
        self._kept.append(tensor.clone().requires_grad_(requires_grad))
        return self._kept[-1]

    def read(self, kept):
        return Kept(kept.detach())


def run_here(sources, names):
    for source in sources:
        exec(source, names)  # noqa: S102 - the course's own code
    return names


def answer_here(question, names):
    """The answer, computed here; None where there is none."""
    try:
        return settled(question.call(Here(names)))
    except Exception:  # noqa: BLE001 - a wrong answer may do anything
        return None


@pytest.fixture(scope="module")
def asking(sandbox):
    """`asking("accuracy")`: makes sheets of an assignment."""
    made = {}

    def get(assignment):
        if assignment not in made:
            made[assignment] = Asking(COURSE, assignment, sandbox, LIMITS)
        return made[assignment]

    yield get
    for each in made.values():
        each.__exit__(None, None, None)


def submission(assignment, **sources):
    reference = read_notebook(COURSE.reference(assignment))
    answers = {**reference_answers(reference), **sources}
    notebook = with_answers(read_notebook(COURSE.release(assignment)), answers)
    return Submission(as_submission(notebook))


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_the_key_of_every_labelled_answer_is_what_it_computes(assignment, asking):
    """In the sandbox as here, where it is run as plain Python."""
    cells = [c for c in read_notebook(COURSE.reference(assignment)).cells if defines_names(c)]
    places = [cell.metadata.nbgrader.grade_id for cell in cells]
    written = {}
    for question in load_questions(COURSE, assignment):
        written.setdefault(question.exercise, []).append(question)
    before = {
        exercise: run_here([cell.source for cell in cells[: places.index(exercise)]], {})
        for exercise in written
    }
    compared = 0
    for number, answer in enumerate(load_answers(COURSE, assignment)):
        if number % STEP or answer.cell not in written or "while True" in answer.source:
            continue
        asked = written[answer.cell][number % len(written[answer.cell])]
        question = asked.author(None, torch.Generator().manual_seed(number))
        after = [cell.source for cell in cells[places.index(answer.cell) + 1 :]]
        names = dict(before[answer.cell])
        try:
            run_here([answer.source, *after], names)
        except Exception:  # noqa: BLE001 - what the notebook would show as an error
            continue
        expected = answer_here(question, names)
        found = asking(assignment)._answer_of(answer, question)
        if expected is None:
            assert found is None, (answer.cell, answer.name, question.text, found)
        else:
            assert found is not None, (answer.cell, answer.name, question.text, expected)
            assert alike(settled(found), expected, 1e-4), (answer.cell, answer.name, question.text)
            compared += 1
    assert compared > 50 / STEP


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_every_exercise_has_two_questions_that_can_be_asked(assignment, asking):
    exercises = reference_answers(read_notebook(COURSE.reference(assignment)))
    written = [question.exercise for question in load_questions(COURSE, assignment)]
    assert {exercise: written.count(exercise) >= 2 for exercise in exercises} == dict.fromkeys(
        exercises, True
    )
    for seed in SEEDS:
        sheet = asking(assignment).sheet("student-01", submission(assignment), 99, seed)
        assert [asked.name for asked in sheet.questions].sort() == written.sort()
        assert len(sheet.questions) == len(written)
        for asked in sheet.questions:
            assert asked.accepts(asked.key)
            if asked.options:
                assert asked.options.count(asked.right) == 1
                assert len(set(asked.options)) == len(asked.options)


def test_numbers_differ_per_student_and_the_seed_gives_them_again(asking):
    mine, theirs, again = (
        asking("mnist_loss").sheet("student-01", submission("mnist_loss"), 3, seed)
        for seed in (1, 2, 1)
    )
    assert mine.questions != theirs.questions
    assert mine.questions == again.questions
    assert len({asked.exercise for asked in mine.questions}) == 3


def test_the_key_is_the_students_own_even_where_it_is_wrong(asking):
    source = "def mnist_loss(predictions, targets):\n    return predictions.sum() * 0 + 7"
    sheet = asking("mnist_loss").sheet("s", submission("mnist_loss", mnist_loss=source), 99, 3)
    asked = next(asked for asked in sheet.questions if asked.name == "what_the_loss_is")
    assert asked.key == 7
    assert asked.options.count("7.00") == 1


@pytest.mark.parametrize(
    "source",
    [
        "def mnist_loss(predictions, targets):\n    while True: pass",
        "import os\ndef mnist_loss(predictions, targets): os._exit(0)",
        "def mnist_loss(predictions, targets): return float('nan')",
        "def mnist_loss(predictions, targets): return torch.zeros(1_000_000)",
        "def mnist_loss(predictions, targets): return object()",
        "raise SystemExit",
    ],
)
def test_a_function_that_gives_no_answer_costs_its_own_questions(source, asking):
    each = len({question.exercise for question in load_questions(COURSE, "mnist_loss")})
    asked = asking("mnist_loss").sheet("s", submission("mnist_loss", mnist_loss=source), each, 3)
    exercises = {question.exercise for question in asked.questions}
    assert "mnist_loss" not in exercises
    assert "sigmoid" in exercises


def test_a_blank_notebook_is_not_asked(asking):
    blank = Submission(as_submission(read_notebook(COURSE.release("accuracy"))))
    sheet = asking("accuracy").sheet("s", blank, 3, 1)
    assert sheet.reason == "no exercise of this notebook can be asked about"


def test_what_counts_as_the_same_answer():
    asked = Asked("n", "e", "t", 0.45, 0.005)
    assert asked.accepts(0.4549)
    assert asked.accepts(torch.tensor(0.45))
    assert not asked.accepts(0.456)
    assert not asked.accepts("0.45")
    assert not asked.accepts([0.45])
    assert Asked("n", "e", "t", [1.0, 2.0], 0.1).accepts(torch.tensor([1.05, 2.0]))
    assert Asked("n", "e", "t", True, 0).accepts(True)
    assert not Asked("n", "e", "t", True, 0).accepts(1)
    assert too_near(0.454, 0.446, 0.005)
    assert told(-0.0001, 0.005) == "0.00"
    assert told([0.5, 1 / 3], 0.05) == "[0.5, 0.3]"
    assert shown(torch.tensor([0.5, 2.0])) == "[0.5, 2]"
    drawn = draw(torch.Generator().manual_seed(0), 9, 0.15, 0.95)
    assert sorted(round(x, 6) for x in drawn.tolist()) == [
        0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 0.95,
    ]  # fmt: skip


EVIL = Sheet(
    "<b>student</b>",
    5,
    "",
    (
        Asked("n", "e", "What is `x` = {1}: ~ <script>alert(1)</script>?", 0.5, 0.005),
        Asked("n", "e", "Which?", "a=b", 0.0, ("a=b", "~c")),
    ),
)


def test_pages_show_no_key_and_run_nothing():
    page = sheets_page("mnist_loss", [EVIL], with_key=False)
    assert "<script>alert" not in page
    assert "&lt;b&gt;student" in page
    assert "0.50" not in page
    assert "0.50" in sheets_page("mnist_loss", [EVIL], with_key=True)


def test_gift_escapes_its_own_signs():
    text = gift("mnist_loss", [EVIL])
    assert "\\{1\\}\\: \\~" in text
    assert "{#0.5:0.005}" in text
    assert "=a\\=b ~\\~c" in text


@pytest.fixture
def course(tmp_path, monkeypatch):
    for name in ("source", "tests", "release"):
        shutil.copytree(
            ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("test_*.py", "__pycache__")
        )
    shutil.copytree(
        ROOT / "tests/graders/mnist_loss", tmp_path / "tests/graders/mnist_loss", dirs_exist_ok=True
    )
    shutil.copy(ROOT / "nbgrader_config.py", tmp_path)
    contents = {"student-01": submission("mnist_loss").notebook, "student-02": b"{"}
    for student, content in contents.items():
        folder = tmp_path / "submitted" / student / "mnist_loss"
        folder.mkdir(parents=True)
        (folder / "mnist_loss.ipynb").write_bytes(content)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_whole_way_from_sheet_to_marks(course, capsys):
    assert cli.main(["ask", "mnist_loss", "--gift", "--notebook", "--questions", "2"]) == 0
    assert "sheets: 1; students who cannot be asked: 1" in capsys.readouterr().out
    sheet = read_sheet(Course(course), "student-01", "mnist_loss")
    assert len(sheet.questions) == 2
    assert (
        sheet.questions[0].right
        not in (course / "reports/mnist_loss-questions.html").read_text().split("<ol")[0]
    )
    # the follow-up notebook is an assignment like any other
    name = "mnist_loss-questions"
    made = typed("nbgrader", ["generate_assignment", name], course)
    assert made.returncode == 0, made.stderr
    notebook = nbformat.read(course / "asked/student-01" / name / f"{name}.ipynb", 4)
    for cell in notebook.cells:
        grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
        if grade_id == "answer_1":
            cell.source = f"answer_1 = {sheet.questions[0].key!r}"
        if grade_id == "answer_2":
            cell.source = "answer_2 = 'something else'"
    handed_in = course / "submitted/student-01" / name / f"{name}.ipynb"
    handed_in.parent.mkdir()
    nbformat.write(notebook, handed_in)
    graded = typed("proctor", ["grade", name, "-j", "1"], course)
    assert graded.returncode == 0, graded.stdout + graded.stderr
    record = json.loads((course / "records/student-01" / f"{name}.json").read_text())
    assert [cell["score"] for cell in record["cells"]] == [1, 0]
    # and what came of a talk is kept
    results = course / "results.csv"
    results.write_text("student,right\nstudent-01,2\n")
    assert cli.main(["ask", "mnist_loss", "--results", str(results)]) == 0
    assert read_sheet(Course(course), "student-01", "mnist_loss").answered_right == 2
    assert answered_questions(Course(course), "student-01", "mnist_loss") == "2 of 2"
    assert answered_questions(Course(course), "student-09", "mnist_loss") == ""


def test_whom_to_ask(course, capsys):
    among = course / "pairs.csv"
    with among.open("w") as file:
        csv.writer(file).writerows([["one", "other"], ["student-01", "student-09"]])
    assert cli.main(["ask", "mnist_loss", "--among", str(among)]) == 0
    assert "sheets: 1; students who cannot be asked: 0" in capsys.readouterr().out
    assert cli.main(["ask", "mnist_loss", "--share", "2"]) == 2
    assert "is not a share" in capsys.readouterr().err
    assert cli.main(["ask", "mnist_loss", "--student", "student-77"]) == 2
    bad = course / "bad.csv"
    bad.write_text("student,right\nstudent-01,9\n")
    assert cli.main(["ask", "mnist_loss", "--results", str(bad)]) == 2
    assert "line 2" in capsys.readouterr().err


def test_a_follow_up_answer_is_compared_with_the_right_students_sheet(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sheet = Sheet("student-01", 5, "", (Asked("n", "e", "t", 0.5, 0.005),))
    write_sheet(Course(tmp_path), "mnist_loss", sheet)
    assert_own_answer("mnist_loss", "student-01", 1, 0.501)
    for student, number, answer in (
        ("student-01", 1, 0.6),
        ("student-01", 2, 0.5),
        ("student-02", 1, 0.5),
        (None, 1, 0.5),
    ):
        with pytest.raises(AssertionError):
            assert_own_answer("mnist_loss", student, number, answer)
