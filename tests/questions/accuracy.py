"""Questions to students about their own answers to accuracy."""

import torch

from proctor.authoring import Question, Statements, asks, draw, draw_targets, shown

TARGETS = torch.tensor([1, 0, 0, 1, 1])
TEXTS = {
    "flat_almost_everywhere": "The slope of accuracy is 0 almost everywhere.",
    "bigger_learning_rate": "A bigger learning rate repairs a slope of 0.",
    "zero_gradient": "A weight whose gradient is 0 does not move.",
    "only_this_accuracy": "Only this kind of accuracy has flat slopes; top-3 accuracy does not.",
    "good_to_report": "Accuracy is a good number to report.",
    "between_0_and_1": "A loss has to lie between 0 and 1.",
    "rise_together": "Whenever the loss falls, accuracy rises.",
}
STATEMENTS = Statements("claims", TEXTS)


def sides(generator, count):
    """Predictions of which none is 0.5, and targets."""
    return draw(generator, count, 0.15, 0.95), draw_targets(generator, count)


@asks("accuracy")
def what_share_is_right(student, generator):
    predictions, targets = sides(generator, 4)
    return Question(
        f"Your `accuracy` gets the predictions {shown(predictions)} and the targets "
        f"{shown(targets)}. What does it return?",
        lambda student: student.accuracy(predictions, targets),
    )


@asks("accuracy")
def what_a_small_move_changes(student, generator):
    predictions, targets = sides(generator, 4)
    place = int(torch.randint(0, 4, (), generator=generator))
    moved = predictions.clone()
    moved[place] = 1 - moved[place]
    return Question(
        f"The predictions are {shown(predictions)}, the targets {shown(targets)}. Then number "
        f"{place + 1} becomes {shown(round(moved[place].item(), 2))}. By how much does your "
        "`accuracy` change? (A fall is negative.)",
        lambda student: student.accuracy(moved, targets) - student.accuracy(predictions, targets),
    )


@asks("slope")
def what_the_slope_of_a_square_is(student, generator):
    low, high = sorted(draw(generator, 2, 1, 9, 1).tolist())
    return Question(
        f"Your `slope` gets the function x² and the points {shown(low)} and {shown(high)}. What "
        "does it return?",
        lambda student: student.slope(student.source("lambda x: x ** 2"), low, high),
    )


@asks("slope")
def what_the_slope_of_a_stair_is(student, generator):
    [low] = draw(generator, 1, 1.1, 1.9).tolist()
    return Question(
        f"The function f drops what stands behind the point: f(1.7) is 1. Your `slope` gets f and "
        f"the points {shown(round(low, 1))} and {shown(round(low + 2, 1))}. What does it return?",
        lambda student: student.slope(
            student.source("lambda x: float(int(x))"), round(low, 1), round(low + 2, 1)
        ),
    )


@asks("flat_fraction")
def what_share_of_stairs_is_flat(student, generator):
    xs = draw(generator, 4, 0.25, 2.75, 0.5)
    return Question(
        "The function f drops what stands behind the point: f(1.7) is 1. Your `flat_fraction` gets "
        f"f, the points {shown(xs)} and a step of 0.5. What does it return?",
        lambda student: student.flat_fraction(student.source("lambda x: float(int(x))"), xs, 0.5),
    )


@asks("flat_fraction")
def what_share_of_a_bent_line_is_flat(student, generator):
    xs = draw(generator, 5, -4.5, 4.5, 1.0)
    return Question(
        "The function f is 0 for every x below 0, and x itself from there on. Your `flat_fraction` "
        f"gets f, the points {shown(xs)} and a step of 0.25. What does it return?",
        lambda student: student.flat_fraction(student.source("lambda x: max(x, 0 * x)"), xs, 0.25),
    )


@asks("same_accuracy")
def how_many_model_b_has_right(student, generator):
    return Question(
        "The targets are [1, 0, 0, 1, 1]. What does your own `accuracy` say of your "
        "`predictions_b`?",
        lambda student: student.accuracy(student.predictions_b.double(), TARGETS),
    )


@asks("same_accuracy")
def by_how_much_model_b_is_nearer(student, generator):
    return Question(
        "The targets are [1, 0, 0, 1, 1]. How far are your `predictions_b` from them, on average?",
        lambda student: (student.predictions_b.double() - TARGETS).abs().mean(),
    )


@asks("claims")
def what_you_said_of_a_statement(student, generator):
    return STATEMENTS.why_true(generator)


@asks("claims")
def what_you_said_of_another_statement(student, generator):
    return STATEMENTS.why_false(generator)
