"""The answers worked out by hand, for targets [1, 0, 1] and predictions [0.9, 0.4, 0.2]."""

import torch

from proctor.authoring import as_vector, grades

TARGETS = torch.tensor([1, 0, 1])
PREDICTIONS = torch.tensor([0.9, 0.4, 0.2], dtype=torch.float64)
SMALLEST_CHANGE = 1e-4
FOUR_DECIMALS = 5e-4


def changed_prediction(student, name):
    """The number of the one prediction that a vector changes, and its new value."""
    vector = as_vector(name, getattr(student, name), 3)
    assert ((vector >= 0) & (vector <= 1)).all(), f"{name} should hold probabilities, got {vector}"
    changed = (vector - PREDICTIONS).abs() > SMALLEST_CHANGE
    assert changed.sum() == 1, f"{name} should change one prediction, got {vector}"
    number = int(changed.int().argmax())
    return number, vector[number]


@grades(
    "three_ways_check",
    hint="What must a prediction be to count as a 3? Change the image that is wrong, and no other.",
)
def test_more_right(student):
    """more_right: the third image becomes right, and nothing else changes."""
    number, prediction = changed_prediction(student, "more_right")
    assert number == 2, f"more_right should change the third prediction, changed number {number}"
    assert prediction > 0.5, f"more_right should make the third image right, got {prediction}"


@grades(
    "three_ways_check",
    hint="Pick an image that the model gets right: which prediction would be perfect for it? Move"
    " only this one, and in that direction.",
)
def test_surer_when_right(student):
    """surer_when_right: one right prediction moves nearer to its target, nothing else changes."""
    number, prediction = changed_prediction(student, "surer_when_right")
    assert number != 2, "surer_when_right should change a right prediction, changed the third one"
    before, after = ((p - TARGETS[number]).abs() for p in (PREDICTIONS[number], prediction))
    assert after < before, f"surer_when_right should move nearer to its target, got {prediction}"


@grades(
    "three_ways_check",
    hint="The third image is a 3. Let its prediction rise, but where must it stop so that the"
    " answer is still a 7?",
)
def test_less_sure_when_wrong(student):
    """less_sure_when_wrong: the third prediction rises, its answer stays wrong."""
    number, prediction = changed_prediction(student, "less_sure_when_wrong")
    assert number == 2, f"less_sure_when_wrong should change the third one, changed {number}"
    assert PREDICTIONS[2] < prediction <= 0.5, (
        f"less_sure_when_wrong should rise and stay wrong, got {prediction}"
    )


def slopes():
    """Each distance is a third of the mean, and shrinks where the prediction should be 1."""
    return (1 - 2 * TARGETS.double()) / 3


@grades(
    "hand_gradient_values",
    hint="Raise one prediction a little: does its distance from the target grow or shrink? That is"
    " the sign of its slope.",
)
def test_hand_gradient_points_the_right_way(student):
    """Each slope points the right way: up where the loss rises, down where it falls."""
    gradient = as_vector("gradient", student.gradient, 3)
    assert (gradient.sign() == slopes().sign()).all(), (
        f"the slopes should have the signs of {slopes()}, got {gradient}"
    )


@grades(
    "hand_gradient_values",
    weight=2,
    requires="test_hand_gradient_points_the_right_way",
    hint="Raise one prediction by 0.01 and work out the whole loss, the mean, before and after.",
)
def test_hand_gradient_is_as_steep_as_the_mean(student):
    """Each slope says how far the mean of the three distances moves."""
    gradient = as_vector("gradient", student.gradient, 3)
    assert ((gradient - slopes()).abs() <= FOUR_DECIMALS).all(), (
        f"gradient should be {slopes()}, got {gradient}"
    )
