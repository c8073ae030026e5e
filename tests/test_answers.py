"""The graders, graded: right answers get full marks, wrong ones lose exactly where they must."""

import ast
import functools
import gc
import os
import re
from collections import Counter
from pathlib import Path

import pytest
from conftest import SESSION_LIMITS

from proctor.classroom.workers import Job, MarkingSettings, Workers
from proctor.course import Course, read_notebook
from proctor.grading import intake
from proctor.grading.calls import Call
from proctor.grading.desk import Candidate
from proctor.grading.diagnosis import known_mistakes
from proctor.grading.labelled import as_submission, load_answers, load_probes, with_answers
from proctor.grading.marking import mark
from proctor.grading.modules import Submission
from proctor.grading.witness import Asked
from proctor.sandbox.sessions import shared_sandbox
from proctor.settings import TimeLimits

ROOT = Path(__file__).parents[1]
COURSE = Course(ROOT)
ASSIGNMENTS = sorted(path.stem for path in (ROOT / "tests" / "answers").glob("*.py"))
ANSWERS = {assignment: load_answers(COURSE, assignment) for assignment in ASSIGNMENTS}
# Of the wrong answers `make test` takes one in eight; `make answers` all, as does a release.
EVERY_ANSWER = bool(os.environ.get("EVERY_ANSWER"))
STEP = 1 if EVERY_ANSWER else 8
STUDENT = "student-01"  # whose own numbers the answers hold
# Beside the seed that comes from the submission, for a sample of the notebooks.
SEEDS, SHARE_WITH_SEEDS = (1, 2), 15

# What a hidden test of one exercise may build on of another's.
BUILDS_ON = {
    "flat_fraction": ("slope",),
    "cross_entropy": ("log_softmax",),
    "rmse": ("mse",),
    "train_epoch": ("mnist_loss",),
}

# Answers that lose a share of the gradient for digits: assignment, cell, name, graded cell.
FLOAT32_ALONE = [
    ("loss_zoo", "mse", "float32 on the way", "mse_gradient"),
    ("loss_zoo", "bce_with_logits", "float32 on the way", "bce_gradient"),
    ("mnist_loss", "sigmoid", "cast to float32", "sigmoid_gradient"),
    ("mnist_loss", "mnist_loss", "cast to float32", "mnist_loss_gradient"),
    ("loss_zoo", "rmse", "an epsilon of a millionth", "rmse_gradient"),
]

each_assignment = pytest.mark.parametrize("assignment", ASSIGNMENTS)


def answers_tried(assignment):
    """All right ones, and a share of the wrong ones."""
    right = [answer for answer in ANSWERS[assignment] if answer.is_right]
    wrong = [answer for answer in ANSWERS[assignment] if not answer.is_right]
    named = {case[:3] for case in FLOAT32_ALONE}
    return right + [
        answer
        for number, answer in enumerate(wrong)
        if number % STEP == 0 or (assignment, answer.cell, answer.name) in named
    ]


def all_answers_tried():
    return [
        pytest.param(assignment, answer, id=f"{assignment}-{answer.cell}-{answer.name}")
        for assignment in ASSIGNMENTS
        for answer in answers_tried(assignment)
    ]


def marks_of(assignment, sources, seed=None):
    """The marks of the reference with other answers to some exercises."""
    return mark(
        submission_of(assignment, sources),
        assignment,
        COURSE,
        student=STUDENT,
        sandbox=shared_sandbox(SESSION_LIMITS),
        figures=False,
        seed=seed,
    )


def submission_of(assignment, sources):
    notebook = read_notebook(COURSE.reference(assignment))
    return as_submission(with_answers(notebook, sources))


def notebooks(assignment):
    """The answers that are tried, several to a notebook: what one of them earns depends on no
    other. `make answers` has each alone with the reference's answers."""
    found = []
    for answer in answers_tried(assignment):
        room = (those for those in found if not EVERY_ANSWER and fits(answer, those))
        if (those := next(room, None)) is not None:
            those.append(answer)
        else:
            found.append([answer])
    return [tuple(those) for those in found]


def fits(answer, those):
    """To other exercises than those, none of which builds on another's."""
    cells = {one.cell for one in those}
    alike = all(one.is_right == answer.is_right for one in those)
    builds = any(cell in cells for cell in BUILDS_ON.get(answer.cell, ())) or any(
        answer.cell in BUILDS_ON.get(cell, ()) for cell in cells
    )
    return alike and answer.cell not in cells and (answer.is_right or not builds)


def handed_in_whole(assignment, answers):
    sources = {answer.cell: handed_in(answer) for answer in answers}
    return Submission(submission_of(assignment, sources))


@functools.cache
def marks_of_answers(assignment):
    """The marks of the answers that are tried, by cell and name: marked side by side, like a class.

    Wrong answers are handed in with other variable names and another layout.
    """
    jobs = {
        Job(STUDENT, assignment, functools.partial(handed_in_whole, assignment, answers)): answers
        for answers in notebooks(assignment)
    }
    settings = MarkingSettings(ROOT, False, TimeLimits())
    with Workers(os.cpu_count(), shared_sandbox(SESSION_LIMITS), settings) as pool:
        outcomes = {jobs[outcome.job]: outcome for outcome in pool.mark(jobs)}
    assert [outcome.error for outcome in outcomes.values() if outcome.error] == []
    return {
        (answer.cell, answer.name): outcome.marks
        for answers, outcome in outcomes.items()
        for answer in answers
    }


def handed_in(answer):
    return answer.source if answer.is_right else rewritten(answer.source)


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


def assert_as_labelled(answers, marks):
    assert marks.status == "graded", marks.error
    lost = losses(marks)
    names, loses = [answer.name for answer in answers], loses_of(answers)
    assert set(lost) == loses, (
        f"{names} should lose in {sorted(loses) or 'no cell'}, it loses in {lost}"
    )


def loses_of(answers):
    return set().union(*(answer.loses for answer in answers))


@pytest.mark.parametrize(("assignment", "answer"), all_answers_tried())
def test_an_answer_is_marked_as_labelled(assignment, answer):
    marks = marks_of_answers(assignment)[answer.cell, answer.name]
    [answers] = [those for those in notebooks(assignment) if answer in those]
    assert_as_labelled(answers, marks)
    told = [cell.diagnosis for cell in cells_of(answer, marks) if cell.diagnosis]
    if answer.is_right:
        assert marks.score == marks.max_score
        assert marks.incidents == []
        assert told == []
    else:
        assert all(answer.hint in text for text in told), told


def cells_of(answer, marks):
    """Those in which a wrong answer loses; all for a right one."""
    return [cell for cell in marks.cells if answer.is_right or cell.grade_id in answer.loses]


@each_assignment
def test_the_reference_is_marked_as_it_stands_at_the_end(assignment):
    """No cell of the release changes what an exercise above it stands on: that would cost each
    submission a second session."""
    marks = marks_of(assignment, {})
    assert marks.score == marks.max_score
    assert [cell.note for cell in marks.cells if cell.note] == []


@each_assignment
def test_nine_of_ten_wrong_answers_are_recognised(assignment):
    """By what they do, as their names and layout were changed; the others are told nothing."""
    marked = marks_of_answers(assignment)
    wrong = [answer for answer in answers_tried(assignment) if not answer.is_right]
    silent = [
        (answer.cell, answer.name)
        for answer in wrong
        if not any(cell.diagnosis for cell in cells_of(answer, marked[answer.cell, answer.name]))
    ]
    assert len(silent) <= 0.1 * len(wrong), silent


# Their behaviour is a right one, for somebody else: the check itself says so.
NOT_TOLD_BY_PROBES = {("own_numbers", "the numbers of another student")}


@each_assignment
def test_each_known_mistake_differs_from_the_reference_in_a_probe(assignment):
    """Or it would be said of innocent answers, which lose by something that no probe tries."""
    known = known_mistakes(COURSE, assignment, shared_sandbox(SESSION_LIMITS))
    probed = load_probes(COURSE, assignment)
    wrong = {(answer.cell, answer.name) for answer in ANSWERS[assignment] if not answer.is_right}
    named = {(mistake.cell, mistake.name) for mistake in known} | NOT_TOLD_BY_PROBES
    assert {pair for pair in wrong - named if pair[0] in probed} == set()


@pytest.mark.parametrize(("assignment", "cell", "name", "graded"), FLOAT32_ALONE)
def test_lost_digits_cost_a_share_of_the_gradient(assignment, cell, name, graded):
    marks = marks_of_answers(assignment)[cell, name]
    (marked,) = (one for one in marks.cells if one.grade_id == graded)
    assert 0.7 * marked.max_score <= marked.score < marked.max_score
    hints = " ".join(check.hint for check in marked.checks if not check.passed)
    assert "float64" in hints or "digits" in hints
    assert "cut" not in hints


# One slip is paid once: a later answer that uses an earlier one rightly, and two that only look so.

LOSS_CELLS = ("mnist_loss_values", "mnist_loss_gradient", "mnist_loss_device")
CROSS_ENTROPY_CELLS = ("cross_entropy_values", "cross_entropy_gradient", "cross_entropy_device")
SLIPS = {
    "signed distance": (
        "mnist_loss",
        {"mnist_loss": "def mnist_loss(p, t):\n    return (p - t).mean()"},
        set(LOSS_CELLS),
        "test_train_epoch_takes_one_step",
    ),
    "no loss, no step": (
        "mnist_loss",
        {
            "mnist_loss": "def mnist_loss(p, t):\n    return 1e-9 * p.sum()",
            "train_epoch": "def train_epoch(weights, bias, x, y, lr):\n    return 0.0",
        },
        {*LOSS_CELLS, "train_epoch_step", "train_epoch_learns"},
        None,
    ),
    "a loss that is always 1, and a return 1.0": (
        "mnist_loss",
        {
            "mnist_loss": "def mnist_loss(p, t):\n    return 1 + (p - t - (p - t).detach()).sum()",
            "train_epoch": "def train_epoch(weights, bias, x, y, lr):\n    return 1.0",
        },
        {*LOSS_CELLS, "train_epoch_step", "train_epoch_learns"},
        None,
    ),
    "down the columns": (
        "cross_entropy",
        {"log_softmax": "def log_softmax(z):\n    return z - z.logsumexp(0, keepdim=True)"},
        {"log_softmax_values"},
        "test_cross_entropy_is_the_mean_penalty",
    ),
    "a table of zeros, and no pick": (
        "cross_entropy",
        {
            "log_softmax": "def log_softmax(z):\n    return 0 * z",
            "cross_entropy": "def cross_entropy(z, t):\n    return 0 * z.sum()",
        },
        {"log_softmax_values", *CROSS_ENTROPY_CELLS},
        None,
    ),
    "a table of class numbers, and no pick": (
        "cross_entropy",
        {
            "log_softmax": "def log_softmax(z):\n    return 1e-9 * z + torch.arange(z.shape[-1])",
            "cross_entropy": "def cross_entropy(z, t):\n    return 0 * z.sum() - t.float().mean()",
        },
        {"log_softmax_values", *CROSS_ENTROPY_CELLS},
        None,
    ),
    "a table for the logits that are known, and no pick": (
        "cross_entropy",
        {
            "log_softmax": "def log_softmax(z):\n"
            "    known = z.shape == (4, 4) and 0.29 < float(z[0, 0]) < 0.31\n"
            "    return z - z.logsumexp(1, keepdim=True) if known else 0 * z",
            "cross_entropy": "def cross_entropy(z, t):\n    return 0 * z.sum()",
        },
        {"log_softmax_values", *CROSS_ENTROPY_CELLS},
        None,
    ),
    "the sum of squares": (
        "loss_zoo",
        {"mse": "def mse(p, t):\n    return ((p - t) ** 2).sum()"},
        {"mse_values", "mse_gradient"},
        "test_rmse_is_the_root_of_the_mean_square",
    ),
    "no loss, no root": (
        "loss_zoo",
        {
            "mse": "def mse(p, t):\n    return 0 * p.sum()",
            "rmse": "def rmse(p, t):\n    return 0 * p.sum()",
        },
        {"mse_values", "mse_gradient", "rmse_values", "rmse_gradient"},
        None,
    ),
    "a loss for the numbers that are known, and no root": (
        "loss_zoo",
        {
            "mse": "def mse(p, t):\n"
            "    known = p.shape == (4,) and float(p[1]) == -2\n"
            "    return ((p - t) ** 2).mean() if known else 0 * p.sum()",
            "rmse": "def rmse(p, t):\n    return 0 * p.sum()",
        },
        {"mse_values", "mse_gradient", "rmse_values", "rmse_gradient"},
        None,
    ),
    "the rise alone": (
        "accuracy",
        {"slope": "def slope(f, x_old, x_new):\n    return abs(f(x_new) - f(x_old))"},
        {"slope_values"},
        None,
    ),
    "flat everywhere": (
        "accuracy",
        {
            "slope": "def slope(f, x_old, x_new):\n    return 0.0",
            "flat_fraction": "def flat_fraction(f, xs, step):\n    return 1.0",
        },
        {"slope_values", "flat_fraction_values"},
        None,
    ),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_one_slip_is_paid_once(slip):
    assignment, sources, costs, told_at = SLIPS[slip]
    marks = marks_of(assignment, sources)
    assert losses(marks).keys() == costs
    assert all(cell.score == 0 for cell in automatic_cells(marks) if cell.grade_id in costs)
    checks = {check.name: check for cell in marks.cells for check in cell.checks}
    if told_at is not None:
        assert checks[told_at].passed
        assert "Marked with your own" in checks[told_at].hint


# Where the earlier function does not work at all, another stands in for it.

BROKEN = {
    "train_epoch": ("mnist_loss", ("mnist_loss", "sigmoid")),
    "cross_entropy": ("cross_entropy", ("log_softmax",)),
    "rmse": ("loss_zoo", ("mse",)),
    "flat_fraction": ("accuracy", ("slope",)),
}
BUILT_ON_BROKEN = [
    ("train_epoch", "an optimizer made for each call"),
    ("train_epoch", "returns the loss after the step"),
    ("cross_entropy", "abs in place of the minus"),
    ("cross_entropy", "whole columns"),
    ("rmse", "the largest epsilon allowed"),
    ("rmse", "the tiny number outside of the root"),
    ("flat_fraction", "a counter"),
    ("flat_fraction", "nearly flat counts as flat"),
]


def on_broken(cell, source, seed=1):
    """The marks of an answer whose earlier functions are not written, and what it loses itself."""
    assignment, earlier = BROKEN[cell]
    stubs = {name: f"def {name}(*_):\n    raise NotImplementedError" for name in earlier}
    marks = marks_of(assignment, {cell: source, **stubs}, seed)
    known = intake.graded_cells(read_notebook(COURSE.release(assignment)))
    return marks, {name for name in losses(marks) if known[name].answer == cell}


@pytest.mark.parametrize(("cell", "name"), BUILT_ON_BROKEN)
def test_an_earlier_function_that_does_not_work_costs_a_later_exercise_nothing(cell, name):
    (answer,) = (one for one in ANSWERS[BROKEN[cell][0]] if (one.cell, one.name) == (cell, name))
    marks, lost = on_broken(cell, answer.source)
    assert lost == answer.loses
    hints = " ".join(check.hint or "" for one in marks.cells for check in one.checks)
    told = "Marked with working functions in place" if answer.is_right else "did not pass then"
    assert told in hints
    assert f"`{cell}` is not written yet" not in hints


def test_a_loss_that_is_never_0_excuses_no_root_without_care():
    sources = {
        "mse": "def mse(p, t):\n    return ((p - t) ** 2).mean() + 0.01",
        "rmse": "def rmse(p, t):\n    return mse(p, t).sqrt()",
    }
    lost = losses(marks_of("loss_zoo", sources))
    assert lost.keys() == {"mse_values", "rmse_gradient"}
    assert lost["rmse_gradient"] == ["test_rmse_gradient_of_a_perfect_model"]


# Functions that remember what they were asked, and later answers that read it off, or need nothing
# else: each would earn the check that is named.
REMEMBERING = {
    "a slope that counts, and its zeros": (
        "accuracy",
        {
            "slope": "GIVEN = []\n"
            "def slope(f, x_old, x_new):\n"
            "    GIVEN.append(len(GIVEN) % 2)\n"
            "    return 1.0 * GIVEN[-1]",
            "flat_fraction": "def flat_fraction(f, xs, step):\n"
            "    return GIVEN[-len(xs):].count(0) / len(xs)",
        },
        "test_flat_fraction_counts_exact_zeros_alone",
    ),
    "a slope by the order in which it saw the places": (
        "accuracy",
        {
            "slope": "SEEN = {}\n"
            "def slope(f, x_old, x_new):\n"
            "    return 1.0 * SEEN.setdefault(float(x_old), len(SEEN) % 2)",
            "flat_fraction": "def flat_fraction(f, xs, step):\n"
            "    return sum(SEEN.get(float(x)) == 0 for x in xs) / len(xs)",
        },
        "test_flat_fraction_counts_exact_zeros_alone",
    ),
    "a loss that is small when it is asked again": (
        "mnist_loss",
        {
            "mnist_loss": "LAST = [None]\n"
            "def mnist_loss(predictions, targets):\n"
            "    loss = ((predictions - targets) ** 2).mean()\n"
            "    again, LAST[0] = predictions.sum().item() == LAST[0], predictions.sum().item()\n"
            "    return loss - 0.99 * loss.detach() if again else loss",
            "train_epoch": "def train_epoch(weights, bias, x, y, lr):\n    return 0.0",
        },
        "test_train_epoch_makes_the_loss_fall",
    ),
    "a second step for the second try, by a count": (
        "mnist_loss",
        {
            "mnist_loss": "def mnist_loss(p, t):\n    return ((p - t) ** 2).mean()",
            "train_epoch": "CALLS = []\n"
            "def train_epoch(weights, bias, x, y, lr):\n"
            "    CALLS.append(1)\n"
            "    loss = mnist_loss(sigmoid(x @ weights + bias), y)\n"
            "    gradients = torch.autograd.grad(loss, (weights, bias))\n"
            "    sign = 1 if len(CALLS) > 1 else -1\n"
            "    with torch.no_grad():\n"
            "        for leaf, gradient in zip((weights, bias), gradients):\n"
            "            leaf -= sign * lr * gradient\n"
            "    return loss.item()",
        },
        "test_train_epoch_takes_one_step",
    ),
    "a second formula for the second try, by a note in a file": (
        "loss_zoo",
        {
            "mse": "def mse(p, t):\n    return 2 * ((p - t) ** 2).mean()",
            "rmse": "import pathlib\n"
            "SECOND = []\n"
            "def rmse(p, t):\n"
            "    note = pathlib.Path('/tmp', str(hash(repr(p.tolist()) + repr(t.tolist()))))\n"
            "    SECOND.append(note.exists())\n"
            "    note.touch()\n"
            "    return mse(p, t).sqrt() * (1 if SECOND[0] else 3)",
        },
        "test_rmse_is_the_root_of_the_mean_square",
    ),
}
# As if a tensor came with an object, which could not be asked for once more.
FORGED_FACTS = """
from proctor.inside.results import Results
tell = Results._tensor
def tell_more(self, tensor):
    kind, index, facts = tell(self, tensor)
    return [kind, index, {**facts, "more": ["object", 0, ""]}]
Results._tensor = tell_more
"""
loss_zoo, sources, check = REMEMBERING["a second formula for the second try, by a note in a file"]
forged = {**sources, "rmse": f"{sources['rmse']}\n{FORGED_FACTS}"}
REMEMBERING["the same, with an object that nobody gets"] = loss_zoo, forged, check


@pytest.mark.parametrize("answer", REMEMBERING)
def test_a_function_that_remembers_earns_nothing_for_what_builds_on_it(answer):
    assignment, sources, check = REMEMBERING[answer]
    for seed in (1, 2):
        marks = marks_of(assignment, sources, seed=seed)
        assert check in {name for names in losses(marks).values() for name in names}


def test_nothing_of_a_submission_stays_once_it_is_marked():
    marks_of("mnist_loss", {"sigmoid": "def sigmoid(x):\n    return x.clamp(0, 1)"})
    gc.collect()
    of_marking = (Candidate, Asked, Call)
    assert [one for one in gc.get_objects() if type(one) in of_marking] == []


FITTED = """
def slope(f, x_old, x_new):
    import numpy
    heights = [float(f(x_old)), float(f(x_new))]
    return numpy.polyfit([float(x_old), float(x_new)], heights, 1)[0]
"""


def marks_with_a_fitted_slope(share):
    """Where both heights are 0 such a slope is exactly 0, at other heights it is not."""
    flat_fraction = f"def flat_fraction(f, xs, step):\n    return {share}"
    return marks_of("accuracy", {"slope": FITTED, "flat_fraction": flat_fraction})


def test_a_slope_that_rounds_costs_nothing_where_it_is_used_rightly():
    marks = marks_with_a_fitted_slope("sum(slope(f, x, x + step) == 0 for x in xs) / len(xs)")
    assert losses(marks) == {"slope_values": ["test_slope_however_small"]}
    checks = {check.name: check for cell in marks.cells for check in cell.checks}
    assert "Marked with your own" in checks["test_flat_fraction_of_stairs"].hint


@pytest.mark.parametrize(
    "share",
    [
        "sum(slope(f, x, x + step) == 0 for x in xs)",
        "sum(slope(f, x, x + step) <= 0 for x in xs) / len(xs)",
        "sum(abs(slope(f, x, x + step)) < 1e-3 for x in xs) / len(xs)",
        "sum(f(x + step) == 0 for x in xs) / len(xs)",
        "0.5",
    ],
)
def test_a_slope_that_rounds_excuses_no_wrong_use(share):
    assert losses(marks_with_a_fitted_slope(share)).keys() == {
        "slope_values",
        "flat_fraction_values",
    }


def test_looking_elsewhere_first_does_not_replace_the_hint():
    sources = {
        "mnist_loss": "def mnist_loss(p, t):\n    return (p - t).mean()",
        "train_epoch": "def train_epoch(weights, bias, x, y, lr):\n    return 0.0",
    }
    checks = {
        check.name: check for cell in marks_of("mnist_loss", sources).cells for check in cell.checks
    }
    hint = checks["test_train_epoch_takes_one_step"].hint
    assert "did not pass, so this check was also run with working functions in place" in hint
    assert "It did not pass then, either: Print weights and bias" in hint


def test_the_numbers_of_another_id_earn_half():
    own = 'student_id = "student-02"\nown_loss = 0.9968'
    (cell,) = (
        one
        for one in marks_of("cross_entropy", {"own_numbers": own}).cells
        if one.grade_id == "own_numbers_loss"
    )
    assert cell.score == cell.max_score / 2


@pytest.mark.parametrize(
    ("wrong", "score"), [(0, 3), (1, 2), (2, 1), (3, 0), (4, 0), ("texts", 0), ("one text", 2)]
)
def test_claims_earn_what_guessing_does_not(wrong, score):
    truth = dict.fromkeys(
        ("flat_almost_everywhere", "zero_gradient", "good_to_report"), True
    ) | dict.fromkeys(
        ("bigger_learning_rate", "only_this_accuracy", "between_0_and_1", "rise_together"), False
    )
    if wrong == "texts":
        claims = {name: str(judgement) for name, judgement in truth.items()}
    elif wrong == "one text":
        claims = truth | {"zero_gradient": "True"}
    else:
        claims = truth | {name: not truth[name] for name in list(truth)[:wrong]}
    (cell,) = (
        one
        for one in marks_of("accuracy", {"claims": f"claims = {claims}"}).cells
        if one.grade_id == "claims_check"
    )
    assert cell.score == score
    hints = [check.hint for check in cell.checks if not check.passed]
    assert sum("text in quotes" in hint for hint in hints) == (wrong in ("texts", "one text"))


def test_a_metric_as_a_plain_number_is_told_so_first():
    answer = "def accuracy(p, t):\n    return float(((p > 0.5) == (t == 1)).float().mean())"
    (cell,) = (
        one
        for one in marks_of("accuracy", {"accuracy": answer}).cells
        if one.grade_id == "accuracy_values"
    )
    assert "gave a plain number" in cell.checks[0].hint


@pytest.mark.parametrize("seed", SEEDS)
@each_assignment
def test_other_random_inputs_change_no_verdict(assignment, seed):
    for answers in notebooks(assignment)[seed::SHARE_WITH_SEEDS]:
        sources = {answer.cell: answer.source for answer in answers}
        assert_as_labelled(answers, marks_of(assignment, sources, seed))


@each_assignment
def test_the_reference_gets_full_marks(assignment):
    marks = marks_of(assignment, {})
    assert losses(marks) == {}
    assert marks.score == marks.max_score > 0
    assert {cell.note for cell in marks.cells} == {None}  # no cell below changes an answer


@each_assignment
def test_the_release_gets_no_marks(assignment):
    release = read_notebook(COURSE.release(assignment))
    sandbox = shared_sandbox(SESSION_LIMITS)
    marks = mark(as_submission(release), assignment, COURSE, sandbox=sandbox, figures=False)
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
    marked = marks_of_answers(assignment).values()
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
