"""The graders, graded: right answers get full marks, wrong ones lose exactly where they must."""

import ast
import functools
import os
import re
from collections import Counter
from pathlib import Path

import pytest

from proctor.classroom.workers import Job, MarkingSettings, Workers
from proctor.course import Course, read_notebook
from proctor.grading import intake
from proctor.grading.labelled import as_submission, load_answers, with_answers
from proctor.grading.marking import mark
from proctor.sandbox.sessions import shared_sandbox
from proctor.settings import TimeLimits

ROOT = Path(__file__).parents[1]
COURSE = Course(ROOT)
ASSIGNMENTS = sorted(path.stem for path in (ROOT / "tests" / "answers").glob("*.py"))
ANSWERS = {assignment: load_answers(COURSE, assignment) for assignment in ASSIGNMENTS}
STUDENT = "student-01"  # whose own numbers the answers hold
SEEDS = (1, 2)  # beside the seed that comes from the submission, for a sample of the answers

each_assignment = pytest.mark.parametrize("assignment", ASSIGNMENTS)


def all_answers():
    return [
        pytest.param(assignment, answer, id=f"{assignment}-{answer.cell}-{answer.name}")
        for assignment, answers in ANSWERS.items()
        for answer in answers
    ]


def marks_of(assignment, sources, seed=None):
    """The marks of the reference with other answers to some exercises."""
    return mark(
        submission_of(assignment, sources),
        assignment,
        COURSE,
        student=STUDENT,
        sandbox=shared_sandbox(),
        figures=False,
        seed=seed,
    )


def submission_of(assignment, sources):
    notebook = read_notebook(COURSE.reference(assignment))
    return as_submission(with_answers(notebook, sources))


@functools.cache
def marks_of_all_answers(assignment):
    """The marks of every labelled answer, by cell and name: marked side by side, as a class is.

    Wrong answers are handed in with other variable names and another layout.
    """
    jobs = {
        Job(STUDENT, assignment, functools.partial(submission_of, assignment, handed_in(answer))): (
            answer
        )
        for answer in ANSWERS[assignment]
    }
    settings = MarkingSettings(ROOT, False, TimeLimits())
    with Workers(os.cpu_count(), shared_sandbox(), settings) as pool:
        outcomes = {jobs[outcome.job]: outcome for outcome in pool.mark(jobs)}
    assert [outcome.error for outcome in outcomes.values() if outcome.error] == []
    return {(answer.cell, answer.name): outcome.marks for answer, outcome in outcomes.items()}


def handed_in(answer):
    return {answer.cell: answer.source if answer.is_right else rewritten(answer.source)}


def rewritten(source):
    """The same code with other names for what is local, without comments, laid out anew."""
    tree = ast.parse(source)
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.Lambda):
            RenameLocals(function).visit(function)
    return "# my answer\n\n" + ast.unparse(ast.fix_missing_locations(tree)) + "\n"


class RenameLocals(ast.NodeTransformer):
    """Gives the arguments of a function, and what it assigns, other names."""

    def __init__(self, function):
        names = {node.arg for node in ast.walk(function) if isinstance(node, ast.arg)}
        names |= {
            node.id
            for node in ast.walk(function)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        }
        outer = [node for node in ast.walk(function) if isinstance(node, ast.Global | ast.Nonlocal)]
        self.names = names - {name for node in outer for name in node.names} - {"self"}

    def visit_Name(self, node):
        if node.id in self.names:
            node.id = f"my_{node.id}"
        return node

    def visit_arg(self, node):
        if node.arg in self.names:
            node.arg = f"my_{node.arg}"
        return node


def automatic_cells(marks):
    return [cell for cell in marks.cells if not cell.needs_manual_grade]


def losses(marks):
    """Graded cells with lost marks, and the checks that failed there."""
    return {
        cell.grade_id: [check.name for check in cell.checks if not check.passed]
        for cell in automatic_cells(marks)
        if cell.score < cell.max_score
    }


def assert_as_labelled(answer, marks):
    assert marks.status == "graded", marks.error
    lost = losses(marks)
    assert set(lost) == answer.loses, (
        f"{answer.name!r} should lose in {sorted(answer.loses) or 'no cell'}, it loses in {lost}"
    )


@pytest.mark.parametrize(("assignment", "answer"), all_answers())
def test_an_answer_is_marked_as_labelled(assignment, answer):
    marks = marks_of_all_answers(assignment)[answer.cell, answer.name]
    assert_as_labelled(answer, marks)
    told = [cell.diagnosis for cell in marks.cells if cell.diagnosis]
    if answer.is_right:
        assert marks.score == marks.max_score
        assert marks.incidents == []
        assert told == []
    else:
        assert all(answer.hint in text for text in told), told


@each_assignment
def test_nine_of_ten_wrong_answers_are_recognised(assignment):
    """By what they do, as their names and layout were changed; the others are told nothing."""
    marked = marks_of_all_answers(assignment)
    wrong = [answer for answer in ANSWERS[assignment] if not answer.is_right]
    silent = [
        (answer.cell, answer.name)
        for answer in wrong
        if not any(cell.diagnosis for cell in marked[answer.cell, answer.name].cells)
    ]
    assert len(silent) <= 0.1 * len(wrong), silent


@pytest.mark.parametrize(("assignment", "answer"), all_answers()[::40])
def test_other_random_inputs_change_no_verdict(assignment, answer):
    for seed in SEEDS:
        assert_as_labelled(answer, marks_of(assignment, {answer.cell: answer.source}, seed))


@each_assignment
def test_the_reference_gets_full_marks(assignment):
    marks = marks_of(assignment, {})
    assert losses(marks) == {}
    assert marks.score == marks.max_score > 0


@each_assignment
def test_the_release_gets_no_marks(assignment):
    release = read_notebook(COURSE.release(assignment))
    marks = mark(as_submission(release), assignment, COURSE, figures=False)
    assert {cell.grade_id: cell.score for cell in automatic_cells(marks) if cell.score} == {}


@each_assignment
def test_each_graded_cell_has_graders_and_each_grader_a_cell(assignment):
    release = read_notebook(COURSE.release(assignment))
    graded = intake.graded_cells(release).values()
    marked = {cell.grade_id for cell in graded if cell.kind == "graded"}
    sources = [path.read_text() for path in COURSE.graders(assignment).glob("test_*.py")]
    named = Counter(re.findall(r'@grades\(\s*"(\w+)"', "\n".join(sources)))
    assert set(named) == marked
    assert sum(named.values()) == sum(source.count("@grades(") for source in sources)


@each_assignment
def test_titles_and_hints_are_for_students(assignment):
    """Hints are sentences, and no text holds a number with decimals, as an answer has."""
    unanswered = marks_of(assignment, dict.fromkeys(cells_to_answer(assignment), ""))
    checks = [check for cell in unanswered.cells for check in cell.checks]
    hints = [check.hint for check in checks]
    assert all(hints)
    for hint in hints:
        assert re.search(r"[.?!]$", hint), f"not a sentence: {hint!r}"
    for text in [check.title for check in checks] + hints:
        numbers = re.findall(r"-?\d+\.\d{2,}", text)
        assert set(numbers) <= {"0.01"}, f"{text!r} may give an answer away"


def cells_to_answer(assignment):
    release = read_notebook(COURSE.release(assignment))
    graded = intake.graded_cells(release).values()
    return [cell.grade_id for cell in graded if cell.kind == "solution"]


@each_assignment
def test_feedback_shows_no_hidden_number(assignment):
    """Of all that graders found out about the labelled answers, students are told no number that
    does not stand in their notebook, and none with decimals, as a result has."""
    release = read_notebook(COURSE.release(assignment))
    public = numbers("\n".join(cell.source for cell in release.cells))
    marked = marks_of_all_answers(assignment).values()
    checks = [check for marks in marked for cell in marks.cells for check in cell.checks]
    hidden = numbers("\n".join(check.detail for check in checks)) - public
    assert hidden, "details for instructors show inputs and expected values"
    for text in set().union(*map(told, marked)):
        shown = numbers(text)
        assert shown <= public, f"{text!r} shows what only graders know"
        assert {number for number in shown if re.search(r"\.\d\d", number)} <= {"0.01", "0.001"}


def told(marks):
    """All that a student reads about a submission."""
    texts = set(marks.incidents)
    for cell in marks.cells:
        texts |= {text for check in cell.checks for text in (check.title, check.hint)}
        texts.add(cell.diagnosis)
    return texts - {None}


def numbers(text):
    """The numbers in a text, but for small whole ones, which count and name things."""
    return set(re.findall(r"(?<![\w.])(?:\d+\.\d+|\d\d+)", text))


@each_assignment
def test_each_exercise_has_right_and_wrong_answers(assignment):
    verdicts = {(answer.cell, answer.is_right) for answer in ANSWERS[assignment]}
    expected = {(cell, right) for cell in cells_to_answer(assignment) for right in (True, False)}
    assert verdicts == expected


@each_assignment
def test_each_graded_cell_is_lost_by_a_wrong_answer(assignment):
    lost = set().union(*(answer.loses for answer in ANSWERS[assignment]))
    assert lost == {cell.grade_id for cell in automatic_cells(marks_of(assignment, {}))}


@each_assignment
def test_labelled_answers_differ(assignment):
    answers = ANSWERS[assignment]
    for what in ("name", "source"):
        counted = Counter((answer.cell, getattr(answer, what)) for answer in answers)
        assert [key for key, count in counted.items() if count > 1] == []
