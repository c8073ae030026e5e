"""logit_for_loss(loss, classes): the logit of the right class, all others 0, with that loss."""

import math

from proctor.authoring import as_number, grades

CLOSE_ENOUGH = 1e-4  # a search is fine, and so is float32


def assert_logit(student, loss, classes):
    found = as_number("logit_for_loss", student.logit_for_loss(loss, classes))
    expected = math.log((classes - 1) / math.expm1(loss))
    assert abs(found - expected) <= CLOSE_ENOUGH, (
        f"logit_for_loss({loss}, {classes}) should be {expected:.5f}, got {found:.5f}"
    )


@grades(
    "logit_for_loss_values",
    weight=3,
    hint="Go from the loss back to a probability, from there to an exponential, and count the"
    " classes that keep the logit 0. Then go forward again and compare.",
)
def test_logit_has_the_loss(student):
    """logit_for_loss finds the logit that has the loss, for any number of classes."""
    for loss in (0.3, 0.8, 1, 2, 2.6):
        for classes in (2, 3, 7, 50):
            assert_logit(student, loss, classes)


@grades(
    "logit_for_loss_values",
    requires="test_logit_has_the_loss",
    hint="Try a loss of 0.01, and one of 20: does your search begin with a range that is wide"
    " enough, and does it end only when it is close?",
)
def test_logit_of_small_and_large_losses(student):
    """logit_for_loss is right for small and for large losses, too."""
    for loss in (0.01, 0.04, 7.5, 20):
        for classes in (2, 5, 100):
            assert_logit(student, loss, classes)
