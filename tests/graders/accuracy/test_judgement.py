"""The constructed answer, and the statements to judge."""

import torch

from proctor.authoring import Claims, as_vector, grades

TARGETS = torch.tensor([1, 0, 0, 1, 1], dtype=torch.float64)
SMALLEST_GAIN = 0.1


def predictions_of(student, name):
    predictions = as_vector(name, getattr(student, name), len(TARGETS))
    assert ((predictions >= 0) & (predictions <= 1)).all(), (
        f"{name} should hold probabilities, got {predictions}"
    )
    return predictions


def right_answers(predictions):
    return int(((predictions > 0.5) == (TARGETS == 1)).sum())


@grades(
    "same_accuracy_check",
    hint="Count the right answers of both vectors, five probabilities each: on which side of 0.5 is"
    " each prediction, and on which should it be?",
)
def test_same_accuracy(student):
    """predictions_a and predictions_b have the same accuracy."""
    a, b = (right_answers(predictions_of(student, f"predictions_{name}")) for name in "ab")
    assert a == b, f"both should have as many right answers, got {a} and {b}"


@grades(
    "same_accuracy_check",
    weight=3,
    requires="test_same_accuracy",
    hint="Write the five distances of both models side by side and take the two means: how much"
    " nearer is b? Only movement towards a target counts.",
)
def test_b_is_the_better_model(student):
    """The mean distance of predictions_b is smaller by 0.1 or more, at the same accuracy."""
    a, b = (
        (predictions_of(student, f"predictions_{name}") - TARGETS).abs().mean() for name in "ab"
    )
    assert a - b >= SMALLEST_GAIN - 1e-6, f"b should be nearer by {SMALLEST_GAIN}, got {a} and {b}"


TRUTH = {
    "flat_almost_everywhere": True,
    "bigger_learning_rate": False,
    "zero_gradient": True,
    "only_this_accuracy": False,
    "good_to_report": True,
    "between_0_and_1": False,
    "rise_together": False,
}
# A statement earns nothing by itself: guessing would earn half of them. Each tells its hint.
CLAIMS = Claims("claims", TRUTH)


@grades(
    "claims_check",
    weight=0,
    hint="`claims` is a dict: the name of each statement, and True or False, not a text in quotes"
    " and not a list.",
)
def test_each_statement_is_judged(student):
    """Each statement has a judgement, True or False."""
    CLAIMS.assert_all_judged(student)


@grades(
    "claims_check",
    weight=0,
    hint="Put your finger on the staircase at a random place: what does a hair"
    " to the left and to the right look like?",
)
def test_claim_flat_almost_everywhere(student):
    """Your judgement of `flat_almost_everywhere`: the slope of accuracy at almost every place."""
    CLAIMS.assert_right(student, "flat_almost_everywhere")


@grades(
    "claims_check",
    weight=0,
    hint="Write the step down for a weight on a stair, with a small learning rate and"
    " with a large one: where does it lead?",
)
def test_claim_bigger_learning_rate(student):
    """Your judgement of `bigger_learning_rate`: what a bigger learning rate does."""
    CLAIMS.assert_right(student, "bigger_learning_rate")


@grades(
    "claims_check",
    weight=0,
    hint="Put a gradient of 0 into the step and work out the weight after it.",
)
def test_claim_zero_gradient(student):
    """Your judgement of `zero_gradient`: a weight whose gradient is 0."""
    CLAIMS.assert_right(student, "zero_gradient")


@grades(
    "claims_check",
    weight=0,
    hint="Move a weight by a hair: when does *any* count of right answers change?",
)
def test_claim_only_this_accuracy(student):
    """Your judgement of `only_this_accuracy`: other counts of right answers."""
    CLAIMS.assert_right(student, "only_this_accuracy")


@grades(
    "claims_check",
    weight=0,
    hint="Who reads a metric, and who needs a slope? What does each of them want to know?",
)
def test_claim_good_to_report(student):
    """Your judgement of `good_to_report`: accuracy as a number to report."""
    CLAIMS.assert_right(student, "good_to_report")


@grades(
    "claims_check",
    weight=0,
    hint="Invent a model that predicts something other than a probability: what can its"
    " distances be?",
)
def test_claim_between_0_and_1(student):
    """Your judgement of `between_0_and_1`: the range of a loss."""
    CLAIMS.assert_right(student, "between_0_and_1")


@grades(
    "claims_check",
    weight=0,
    hint="Think of two models with the same accuracy, and of the step from the worse to"
    " the better one.",
)
def test_claim_rise_together(student):
    """Your judgement of `rise_together`: the loss and accuracy together."""
    CLAIMS.assert_right(student, "rise_together")


@grades("claims_check", hint=CLAIMS.EACH_TELLS)
def test_five_judgements_are_right(student):
    """Five of the seven judgements are right: more than guessing gives."""
    CLAIMS.assert_right_ones(student, 5)


@grades("claims_check", hint=CLAIMS.EACH_TELLS)
def test_six_judgements_are_right(student):
    """Six of the seven judgements are right."""
    CLAIMS.assert_right_ones(student, 6)


@grades("claims_check", hint=CLAIMS.EACH_TELLS)
def test_seven_judgements_are_right(student):
    """All seven judgements are right."""
    CLAIMS.assert_right_ones(student, 7)
