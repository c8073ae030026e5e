"""What cross_entropy alone has: own logits for each student, and flags that cost nothing."""

import importlib.util
import itertools
import math
from pathlib import Path

import nbformat
import pytest
import torch
from conftest import SESSION_LIMITS

from proctor.course import Course, read_notebook
from proctor.grading.labelled import as_submission, with_answers
from proctor.grading.marking import mark
from proctor.sandbox.sessions import shared_sandbox

COURSE = Course(Path(__file__).parents[1])
STUDENTS = [f"student-{number:02}" for number in range(200)]


def notebook_own_logits():
    """`own_logits` as the release defines it for students."""
    release = nbformat.read(COURSE.release("cross_entropy"), as_version=4)
    [cell] = [cell for cell in release.cells if cell.id == "own_logits"]
    namespace = {}
    exec(f"import hashlib\n{cell.source}", namespace)  # noqa: S102
    return namespace["own_logits"]


def graders_own_logits():
    path = COURSE.graders("cross_entropy") / "test_own_numbers.py"
    spec = importlib.util.spec_from_file_location("own_numbers_graders", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.own_logits


def marks_of(sources, student="student-01"):
    notebook = with_answers(read_notebook(COURSE.reference("cross_entropy")), sources)
    return mark(
        as_submission(notebook),
        "cross_entropy",
        COURSE,
        student=student,
        sandbox=shared_sandbox(SESSION_LIMITS),
        figures=False,
    )


def score_of(marks, cell):
    return next(found.score for found in marks.cells if found.grade_id == cell)


def test_notebook_and_graders_make_the_same_logits():
    ids = [*STUDENTS, "", " Anna B. ", "ÄÖÜ", "12345", 12345]
    assert [notebook_own_logits()(each) for each in ids] == [graders_own_logits()(e) for e in ids]


def test_own_logits_are_three_floats_with_one_decimal():
    for student in STUDENTS:
        logits = notebook_own_logits()(student)
        assert [type(logit) for logit in logits] == [float] * 3
        assert logits == [round(logit, 1) for logit in logits]
    assert len({tuple(notebook_own_logits()(student)) for student in STUDENTS}) > 100


def test_spaces_and_capitals_of_an_id_do_not_matter():
    own_logits = notebook_own_logits()
    assert own_logits("  Student-01\n") == own_logits("student-01")


def test_no_usual_mistake_hits_the_right_loss_for_any_id():
    """The logits lie so that each of these formulas is off by more than the graders let pass."""
    for tenths in itertools.product(range(1, 10), range(11, 20), range(-29, -20)):
        logits = torch.tensor(tenths, dtype=torch.float64) / 10
        penalties = -logits.log_softmax(0)
        right = penalties[0].item()
        share = math.exp(-right)
        mistakes = [
            0.5514,
            share,
            1 - share,
            right / math.log(10),
            right / math.log(2),
            logits.logsumexp(0),
            *penalties[1:],
            penalties.mean(),
            penalties.sum(),
            -torch.softmax(penalties.neg().exp(), 0)[0].log(),
            logits[:2].logsumexp(0) - logits[0],
            math.log(3),
        ]
        assert all(abs(mistake - right) > 0.001 for mistake in mistakes), tenths


@pytest.mark.parametrize("student", ["student-02", "student-17"])
def test_right_arithmetic_for_another_students_numbers_earns_half(student):
    """The reference is answered for student-01; the id that counts is that of the submission."""
    assert score_of(marks_of({}, student), "own_numbers_loss") == 1
    wrong = 'student_id = "student-01"\nown_loss = 0.5514'
    assert score_of(marks_of({"own_numbers": wrong}, student), "own_numbers_loss") == 0
    own = f'student_id = "student-01"\nown_loss = {loss_of(student)}'  # the id typed is not asked
    assert score_of(marks_of({"own_numbers": own}, student), "own_numbers_loss") == 2


def test_without_a_real_id_the_typed_one_counts():
    own = f'student_id = "student-05"\nown_loss = {loss_of("student-05"):.4f}'
    assert score_of(marks_of({"own_numbers": own}, None), "own_numbers_loss") == 2
    own = f'student_id = "student-05"\nown_loss = {loss_of("student-06"):.4f}'
    assert score_of(marks_of({"own_numbers": own}, None), "own_numbers_loss") == 0


def loss_of(student):
    logits = torch.tensor(notebook_own_logits()(student), dtype=torch.float64)
    return -logits.log_softmax(0)[0].item()


READY_MADE = {
    "cross_entropy": {
        "cross_entropy": "cross_entropy = lambda z, y: torch.nn.functional.cross_entropy(z, y)",
        "CrossEntropyLoss": """
def cross_entropy(logits, targets):
    return torch.nn.CrossEntropyLoss()(logits, targets)
""",
        "log_softmax": """
import torch.nn.functional as F

def cross_entropy(logits, targets):
    return F.nll_loss(F.log_softmax(logits, dim=1), targets)
""",
    },
    "log_softmax": {
        "log_softmax": "log_softmax = lambda logits: logits.log_softmax(dim=-1)",
        "LogSoftmax": "log_softmax = torch.nn.LogSoftmax(dim=-1)",
    },
}


@pytest.mark.parametrize(
    ("cell", "name"), [(cell, name) for cell, names in READY_MADE.items() for name in names]
)
def test_ready_made_functions_cost_nothing_but_are_told(cell, name):
    marks = marks_of({cell: READY_MADE[cell][name]})
    assert marks.score == marks.max_score
    [incident] = marks.incidents
    assert incident.startswith(f"{cell} uses torch's own {name}")
    told = [check.hint for cell in marks.cells for check in cell.checks if check.hint]
    assert told == [f"This costs no points, but your instructor is told:  {incident}."]


def test_the_students_own_functions_and_comments_are_not_told():
    commented = """
def cross_entropy(logits, targets):
    # not torch.nn.functional.cross_entropy, but the same
    return -log_softmax(logits)[range(len(targets)), targets].mean()
"""
    assert marks_of({"cross_entropy": commented}).incidents == []
