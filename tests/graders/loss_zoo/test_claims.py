"""The statements to judge. What guessing earns is worth nothing."""

from proctor.authoring import Claims, grades

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
# A statement earns nothing by itself: guessing would earn half of them. Each tells its hint.
CLAIMS = Claims("zoo_claims", TRUTH)


@grades(
    "zoo_claims_check",
    weight=0,
    hint="`zoo_claims` is a dict: the name of each statement, and True or False, not a text in"
    " quotes and not a list.",
)
def test_each_statement_is_judged(student):
    """Each statement has a judgement, True or False."""
    CLAIMS.assert_all_judged(student)


@grades(
    "zoo_claims_check",
    weight=0,
    hint="Write down one step with a loss, and one with minus that loss and the other sign of the"
    " learning rate: where do they lead?",
)
def test_claim_small_is_good(student):
    """Your judgement of `small_is_good`: whether a loss has to be small to be good."""
    CLAIMS.assert_right(student, "small_is_good")


@grades(
    "zoo_claims_check",
    weight=0,
    hint="Follow the dashed curve in the figure of the slopes from right to left: where does it lie"
    " deepest?",
)
def test_claim_steepest_when_most_wrong(student):
    """Your judgement of `steepest_when_most_wrong`: where mnist_loss is steepest."""
    CLAIMS.assert_right(student, "steepest_when_most_wrong")


@grades(
    "zoo_claims_check",
    weight=0,
    hint="Divide one of the two slopes below the figure by the other.",
)
def test_claim_bce_speaks_up(student):
    """Your judgement of `bce_speaks_up`: the slope of BCE where the model is sure and wrong."""
    CLAIMS.assert_right(student, "bce_speaks_up")


@grades(
    "zoo_claims_check",
    weight=0,
    hint="A loss sees the label and the raw score, never the image: at which end of the figure does"
    " this example sit?",
)
def test_claim_wrong_label(student):
    """Your judgement of `wrong_label`: which loss a wrong label bends more."""
    CLAIMS.assert_right(student, "wrong_label")


@grades(
    "zoo_claims_check",
    weight=0,
    hint="In the figure with the mistyped price: how far apart are the two marks on the left, and"
    " on the right?",
)
def test_claim_outlier_bends_mse(student):
    """Your judgement of `outlier_bends_mse`: an outlier under mse and under mae."""
    CLAIMS.assert_right(student, "outlier_bends_mse")


@grades(
    "zoo_claims_check",
    weight=0,
    hint="Of two positive numbers the larger one has the larger root. What does that mean for the"
    " place where a curve is lowest?",
)
def test_claim_root_tames_outliers(student):
    """Your judgement of `root_tames_outliers`: an outlier under rmse and under mse."""
    CLAIMS.assert_right(student, "root_tames_outliers")


@grades(
    "zoo_claims_check",
    weight=0,
    hint="Measure one and the same model with both losses: do they agree?",
)
def test_claim_smaller_number_wins(student):
    """Your judgement of `smaller_number_wins`: comparing numbers of two different losses."""
    CLAIMS.assert_right(student, "smaller_number_wins")


@grades(
    "zoo_claims_check",
    weight=0,
    hint="What must a number have to be a loss, and what to be a metric? Ask both of `mae` for"
    " prices of houses.",
)
def test_claim_loss_or_metric(student):
    """Your judgement of `loss_or_metric`: whether a number can be both."""
    CLAIMS.assert_right(student, "loss_or_metric")


@grades(
    "zoo_claims_check",
    weight=0,
    hint="Compare what the sigmoid is given with what every loss here is given.",
)
def test_claim_sigmoid_is_a_loss(student):
    """Your judgement of `sigmoid_is_a_loss`: what the sigmoid is for."""
    CLAIMS.assert_right(student, "sigmoid_is_a_loss")


@grades("zoo_claims_check", hint=CLAIMS.EACH_TELLS)
def test_seven_judgements_are_right(student):
    """Seven of the nine judgements are right: more than guessing gives."""
    CLAIMS.assert_right_ones(student, 7)


@grades("zoo_claims_check", hint=CLAIMS.EACH_TELLS)
def test_eight_judgements_are_right(student):
    """Eight of the nine judgements are right."""
    CLAIMS.assert_right_ones(student, 8)


@grades("zoo_claims_check", hint=CLAIMS.EACH_TELLS)
def test_nine_judgements_are_right(student):
    """All nine judgements are right."""
    CLAIMS.assert_right_ones(student, 9)
