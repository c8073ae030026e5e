"""The five steps by hand, for the logits [1, 0, 0] and class 0. Each counts by itself."""

import torch

from proctor.authoring import Foreign, as_number, as_vector, grades

FOUR_DECIMALS = 5e-4
WITH_A_ROUNDED_E = 2e-3  # 2.72 is accepted

LOGITS = torch.tensor([1, 0, 0], dtype=torch.float64)
EXPONENTIALS = LOGITS.exp()
PROBABILITIES = LOGITS.softmax(dim=0)


def answer_to(student, name):
    """The answer as the notebook kept it: further down the same name may mean something else."""
    kept = student.derived if student.has("derived") else {}
    if isinstance(kept, dict) and not isinstance(kept.get(name, Foreign("")), Foreign):
        return kept[name]
    return getattr(student, name)


def assert_numbers(student, name, expected, within):
    numbers = as_vector(name, answer_to(student, name), len(expected))
    assert ((numbers - expected).abs() <= within).all(), (
        f"{name} should be {expected.tolist()}, got {numbers.tolist()}"
    )


def assert_number(student, name, expected, within):
    number = as_number(name, answer_to(student, name))
    assert abs(number - expected) <= within, f"{name} should be {expected:.4f}, got {number:.4f}"


@grades(
    "derivation_steps",
    hint="One exponential for each logit, in order: which number to the power of which, and what is"
    " a number to the power 0?",
)
def test_exponentials(student):
    """exp_logits holds the exponentials of the three logits."""
    assert_numbers(student, "exp_logits", EXPONENTIALS, WITH_A_ROUNDED_E)


@grades(
    "derivation_steps",
    hint="How many terms does the sum have, and is each of them an exponential?",
)
def test_total(student):
    """total is the sum of the three exponentials."""
    assert_number(student, "total", EXPONENTIALS.sum().item(), WITH_A_ROUNDED_E)


@grades(
    "derivation_steps",
    hint="Each class gets its share of the total, so the three together make 1: divide once more,"
    " and keep four decimals.",
)
def test_probabilities(student):
    """probabilities holds the shares of the three classes."""
    assert_numbers(student, "probabilities", PROBABILITIES, FOUR_DECIMALS)


@grades(
    "derivation_steps",
    hint="To which power must e be raised to get the probability of the right class? Is that power"
    " above or below 0?",
)
def test_log_probability(student):
    """log_probability is the natural logarithm of the right class's probability."""
    assert_number(student, "log_probability", PROBABILITIES[0].log().item(), FOUR_DECIMALS)


@grades(
    "derivation_steps",
    hint="The loss is a penalty: 0 if the right class had all of the probability, larger the less"
    " it has. How does it follow from the step before?",
)
def test_loss(student):
    """loss is the penalty for the probability that the right class has."""
    assert_number(student, "loss", -PROBABILITIES[0].log().item(), FOUR_DECIMALS)
