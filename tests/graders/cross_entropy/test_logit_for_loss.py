"""logit_for_loss(loss, classes): the logit of the right class, all others 0, with that loss."""

import math

import torch

from proctor.authoring import as_number, grades, whole_number

# Either will do: the notebook asks for a logit, and its own check looks at the loss.
CLOSE_LOGIT, CLOSE_LOSS = 1e-4, 2e-4


def loss_of(logit, classes):
    """The logarithm of the total of all exponentials, relative to the right class's own."""
    return math.log1p((classes - 1) * math.exp(-logit))


def a_loss(generator, least, most):
    return round(least + (most - least) * torch.rand((), generator=generator).item(), 4)


def assert_logit(student, loss, classes):
    found = as_number("logit_for_loss", student.logit_for_loss(loss, classes))
    expected = math.log((classes - 1) / math.expm1(loss))
    near = abs(found - expected)
    assert near <= CLOSE_LOGIT or (
        near < 1 and abs(loss_of(found, classes) - loss) <= CLOSE_LOSS
    ), f"logit_for_loss({loss}, {classes}) should be {expected:.5f}, got {found:.5f}"


# Few calls: whoever searches step by step has the time of one submission, too.


@grades(
    "logit_for_loss_values",
    weight=3,
    hint="Go from the loss back to a probability, from there to an exponential, and count the"
    " classes that keep the logit 0. Then go forward again and compare.",
)
def test_logit_has_the_loss(student, generator):
    """logit_for_loss finds the logit that has the loss, for any number of classes."""
    some = whole_number(generator, 4, 12)
    for classes, least, most in ((3, 0.3, 0.9), (2, 1, 2), (some, 1.2, 2.6), (50, 0.3, 2.6)):
        assert_logit(student, a_loss(generator, least, most), classes)
    assert_logit(student, whole_number(generator, 1, 2), some + 1)


@grades(
    "logit_for_loss_values",
    requires="test_logit_has_the_loss",
    hint="Try a loss of 0.01, and one of 20: does your search begin with a range that is wide"
    " enough, and does it end only when it is close?",
)
def test_logit_of_small_and_large_losses(student, generator):
    """logit_for_loss is right for small and for large losses, too."""
    assert_logit(student, a_loss(generator, 0.01, 0.02), whole_number(generator, 100, 1000))
    assert_logit(student, a_loss(generator, 0.01, 0.02), 2)
    assert_logit(student, a_loss(generator, 7, 12), whole_number(generator, 2, 100))
    assert_logit(student, a_loss(generator, 18, 20), 2)
    # The largest logit that the exercise asks for, and the smallest: whether a search gets there
    # is not left to chance.
    assert_logit(student, 0.01, 1000)
    assert_logit(student, 20, 2)
