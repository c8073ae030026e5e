"""The statements to judge: each counts by itself."""

from proctor.authoring import grades


def judgement_of(student, name):
    claims = student.zoo_claims
    assert isinstance(claims, dict), f"zoo_claims should be a dict, got {claims!r}"
    assert name in claims, f"zoo_claims should judge {name!r}, got {list(claims)}"
    judgement = claims[name]
    assert judgement in (True, False), f"{name} should be True or False, got {judgement!r}"
    return bool(judgement)


@grades(
    "zoo_claims_check",
    hint="Write down one step with a loss, and one with minus that loss and the other sign of the"
    " learning rate: where do they lead?",
)
def test_claim_small_is_good(student):
    """Your judgement of `small_is_good`: whether a loss has to be small to be good."""
    assert judgement_of(student, "small_is_good") is True


@grades(
    "zoo_claims_check",
    hint="Follow the dashed curve in the figure of the slopes from right to left: where does it lie"
    " deepest?",
)
def test_claim_steepest_when_most_wrong(student):
    """Your judgement of `steepest_when_most_wrong`: where mnist_loss is steepest."""
    assert judgement_of(student, "steepest_when_most_wrong") is False


@grades(
    "zoo_claims_check",
    hint="Divide the two slopes that stand under the figure by each other.",
)
def test_claim_bce_speaks_up(student):
    """Your judgement of `bce_speaks_up`: the slope of BCE where the model is sure and wrong."""
    assert judgement_of(student, "bce_speaks_up") is True


@grades(
    "zoo_claims_check",
    hint="A loss sees the label and the raw score, never the image: at which end of the figure does"
    " this example sit?",
)
def test_claim_wrong_label(student):
    """Your judgement of `wrong_label`: which loss a wrong label bends more."""
    assert judgement_of(student, "wrong_label") is True


@grades(
    "zoo_claims_check",
    hint="In the figure with the mistyped price: how far apart are the two marks on the left, and"
    " on the right?",
)
def test_claim_outlier_bends_mse(student):
    """Your judgement of `outlier_bends_mse`: an outlier under mse and under mae."""
    assert judgement_of(student, "outlier_bends_mse") is True


@grades(
    "zoo_claims_check",
    hint="Of two positive numbers the larger one has the larger root. What does that mean for the"
    " place where a curve is lowest?",
)
def test_claim_root_tames_outliers(student):
    """Your judgement of `root_tames_outliers`: an outlier under rmse and under mse."""
    assert judgement_of(student, "root_tames_outliers") is False


@grades(
    "zoo_claims_check",
    hint="Measure one and the same model with both losses: do they agree?",
)
def test_claim_smaller_number_wins(student):
    """Your judgement of `smaller_number_wins`: comparing numbers of two different losses."""
    assert judgement_of(student, "smaller_number_wins") is False


@grades(
    "zoo_claims_check",
    hint="What must a number have to be a loss, and what to be a metric? Ask both of `mae` for"
    " prices of houses.",
)
def test_claim_loss_or_metric(student):
    """Your judgement of `loss_or_metric`: whether a number can be both."""
    assert judgement_of(student, "loss_or_metric") is False


@grades(
    "zoo_claims_check",
    hint="Compare what the sigmoid is given with what every loss here is given.",
)
def test_claim_sigmoid_is_a_loss(student):
    """Your judgement of `sigmoid_is_a_loss`: what the sigmoid is for."""
    assert judgement_of(student, "sigmoid_is_a_loss") is False
