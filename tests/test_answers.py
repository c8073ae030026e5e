"""The graders, graded: right answers get full marks, wrong ones lose exactly where they must."""

import os
import re
from collections import Counter
from pathlib import Path

import pytest

from proctor import intake
from proctor.answers import as_submission, load_answers, with_answers
from proctor.course import Course, read_notebook
from proctor.examination import TimeLimits
from proctor.marking import mark, shared_sandbox
from proctor.workers import Job, MarkingSettings, Workers

ROOT = Path(__file__).parents[1]
COURSE = Course(ROOT)
ASSIGNMENTS = sorted(path.stem for path in (ROOT / "tests" / "answers").glob("*.py"))
ANSWERS = {assignment: load_answers(COURSE, assignment) for assignment in ASSIGNMENTS}
SEEDS = (1, 2)  # beside the seed that comes from the submission, for a sample of the answers

each_assignment = pytest.mark.parametrize("assignment", ASSIGNMENTS)


def all_answers():
    return [
        pytest.param(assignment, answer, id=f"{assignment}-{answer.cell}-{answer.name}")
        for assignment, answers in ANSWERS.items()
        for answer in answers
    ]


def submission(assignment, sources):
    """The reference with other answers to some exercises."""
    return as_submission(with_answers(read_notebook(COURSE.reference(assignment)), sources))


def marks_of(assignment, sources, seed=None):
    return mark(
        submission(assignment, sources),
        assignment,
        COURSE,
        student="student-01",
        sandbox=shared_sandbox(),
        figures=False,
        seed=seed,
    )


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


@pytest.fixture(scope="module")
def outcomes(request):
    """The outcome of each answer that is tested in this run, marked side by side."""
    jobs = {
        item.callspec.id: job_of(**item.callspec.params)
        for item in request.session.items
        if getattr(item, "originalname", None) == "test_an_answer_is_marked_as_labelled"
    }
    settings = MarkingSettings(ROOT, figures=False, limits=TimeLimits())
    with Workers(os.cpu_count(), shared_sandbox(), settings) as workers:
        found = {id(outcome.job): outcome for outcome in workers.mark(jobs.values())}
    return {name: found[id(job)] for name, job in jobs.items()}


def job_of(assignment, answer):
    data = submission(assignment, {answer.cell: answer.source})
    return Job("student-01", assignment, lambda: data)


@pytest.mark.parametrize(("assignment", "answer"), all_answers())
def test_an_answer_is_marked_as_labelled(assignment, answer, outcomes, request):
    outcome = outcomes[request.node.callspec.id]
    assert outcome.error is None
    marks = outcome.marks
    assert_as_labelled(answer, marks)
    if answer.is_right:
        assert marks.score == marks.max_score
        assert not marks.incidents


@pytest.mark.parametrize(("assignment", "answer"), all_answers()[::6])
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
