"""The statements to judge. What guessing earns is worth nothing."""

import torch

from proctor.authoring import Fault, grades

TRUTH = {
    "small_is_good": True,
    "steepest_when_most_wrong": False,
    "bce_speaks_up": True,
    "wrong_label": True,
    "outlier_bends_mse": True,
    "root_tames_outliers": False,
    "smaller_number_wins": False,
    "loss_or_metric": False,
    "sigmoid_is_a_loss": False,
}


def judgements(student):
    """The student's dict; what is no judgement, such as a text in quotes, is left out."""
    claims = student.zoo_claims
    assert isinstance(claims, dict), f"zoo_claims should be a dict, got {claims!r}"
    found = {name: as_plain(claims[name]) for name in TRUTH if name in claims}
    return {name: bool(value) for name, value in found.items() if value in (True, False)}


def as_plain(value):
    """A judgement that torch has worked out is one, too."""
    is_one = isinstance(value, torch.Tensor) and value.numel() == 1
    return value.item() if is_one else value if isinstance(value, bool | int | float) else None


def assert_judged(student, name):
    judged = judgements(student)
    if name not in judged:
        raise Fault(
            f"{name} should be judged, got {student.zoo_claims.get(name)!r}",
            "Not judged: there is no True or False for this statement.",
        )
    assert judged[name] is TRUTH[name], f"{name} should be {TRUTH[name]}, got {judged[name]}"


def assert_right_judgements(student, least):
    judged = judgements(student)
    right = [name for name in TRUTH if judged.get(name) is TRUTH[name]]
    assert len(right) >= least, f"{least} judgements should be right, got {len(right)}: {right}"


# A statement earns nothing by itself: guessing would earn half of them. Each tells its hint.
EACH_TELLS = "Each statement above that is not judged rightly has a hint of its own."


@grades(
    "zoo_claims_check",
    weight=0,
    hint="`zoo_claims` is a dict: the name of each statement, and True or False, not a text in"
    " quotes and not a list.",
)
def test_each_statement_is_judged(student):
    """Each statement has a judgement, True or False."""
    judged = judgements(student)
    missing = [name for name in TRUTH if name not in judged]
    assert not missing, f"zoo_claims should judge {missing}, got {student.zoo_claims!r}"


@grades(
    "zoo_claims_check",
    weight=0,
    hint="Write down one step with a loss, and one with minus that loss and the other sign of the"
    " learning rate: where do they lead?",
)
def test_claim_small_is_good(student):
    """Your judgement of `small_is_good`: whether a loss has to be small to be good."""
    assert_judged(student, "small_is_good")


@grades(
    "zoo_claims_check",
    weight=0,
    hint="Follow the dashed curve in the figure of the slopes from right to left: where does it lie"
    " deepest?",
)
def test_claim_steepest_when_most_wrong(student):
    """Your judgement of `steepest_when_most_wrong`: where mnist_loss is steepest."""
    assert_judged(student, "steepest_when_most_wrong")


@grades(
    "zoo_claims_check",
    weight=0,
    hint="Divide the two slopes that stand under the figure by each other.",
)
def test_claim_bce_speaks_up(student):
    """Your judgement of `bce_speaks_up`: the slope of BCE where the model is sure and wrong."""
    assert_judged(student, "bce_speaks_up")


@grades(
    "zoo_claims_check",
    weight=0,
    hint="A loss sees the label and the raw score, never the image: at which end of the figure does"
    " this example sit?",
)
def test_claim_wrong_label(student):
    """Your judgement of `wrong_label`: which loss a wrong label bends more."""
    assert_judged(student, "wrong_label")


@grades(
    "zoo_claims_check",
    weight=0,
    hint="In the figure with the mistyped price: how far apart are the two marks on the left, and"
    " on the right?",
)
def test_claim_outlier_bends_mse(student):
    """Your judgement of `outlier_bends_mse`: an outlier under mse and under mae."""
    assert_judged(student, "outlier_bends_mse")


@grades(
    "zoo_claims_check",
    weight=0,
    hint="Of two positive numbers the larger one has the larger root. What does that mean for the"
    " place where a curve is lowest?",
)
def test_claim_root_tames_outliers(student):
    """Your judgement of `root_tames_outliers`: an outlier under rmse and under mse."""
    assert_judged(student, "root_tames_outliers")


@grades(
    "zoo_claims_check",
    weight=0,
    hint="Measure one and the same model with both losses: do they agree?",
)
def test_claim_smaller_number_wins(student):
    """Your judgement of `smaller_number_wins`: comparing numbers of two different losses."""
    assert_judged(student, "smaller_number_wins")


@grades(
    "zoo_claims_check",
    weight=0,
    hint="What must a number have to be a loss, and what to be a metric? Ask both of `mae` for"
    " prices of houses.",
)
def test_claim_loss_or_metric(student):
    """Your judgement of `loss_or_metric`: whether a number can be both."""
    assert_judged(student, "loss_or_metric")


@grades(
    "zoo_claims_check",
    weight=0,
    hint="Compare what the sigmoid is given with what every loss here is given.",
)
def test_claim_sigmoid_is_a_loss(student):
    """Your judgement of `sigmoid_is_a_loss`: what the sigmoid is for."""
    assert_judged(student, "sigmoid_is_a_loss")


@grades("zoo_claims_check", hint=EACH_TELLS)
def test_seven_judgements_are_right(student):
    """Seven of the nine judgements are right: more than guessing gives."""
    assert_right_judgements(student, 7)


@grades("zoo_claims_check", hint=EACH_TELLS)
def test_eight_judgements_are_right(student):
    """Eight of the nine judgements are right."""
    assert_right_judgements(student, 8)


@grades("zoo_claims_check", hint=EACH_TELLS)
def test_nine_judgements_are_right(student):
    """All nine judgements are right."""
    assert_right_judgements(student, 9)
