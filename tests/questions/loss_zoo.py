"""Questions to students about their own answers to loss_zoo."""

import torch

from proctor.authoring import Question, Statements, asks, draw, draw_targets, shown

TEXTS = {
    "bce_speaks_up": "BCE pulls hard at a confidently wrong prediction, where mnist_loss does not.",
    "outlier_bends_mse": "One outlier bends a fit by mse more than a fit by mae.",
    "root_tames_outliers": "The root makes rmse less prone to outliers than mse.",
    "smaller_number_wins": "Of two different losses, the one with the smaller number is better.",
    "sigmoid_is_a_loss": "The sigmoid is a loss.",
}
STATEMENTS = Statements("zoo_claims", TEXTS)


def whole_numbers(generator, count):
    """Predictions and targets that a person can subtract, [count] each, float64."""
    return draw(generator, count, 1, 9, 1), draw(generator, count, 1, 9, 1)


@asks("mse")
def what_mse_is(student, generator):
    predictions, targets = whole_numbers(generator, 2)
    return Question(
        f"Your `mse` gets the predictions {shown(predictions)} and the targets {shown(targets)}. "
        "What does it return?",
        lambda student: student.mse(predictions, targets),
    )


@asks("mse")
def how_errors_twice_as_large_count(student, generator):
    [error] = draw(generator, 1, 1, 9, 1).tolist()

    def ratio(student):
        zero = torch.zeros(2, dtype=torch.float64)
        return student.mse(zero + 2 * error, zero) / student.mse(zero + error, zero)

    return Question(
        f"Every error is {shown(error)}; then every error is twice that. How many times as large "
        "does your `mse` become?",
        ratio,
    )


@asks("rmse")
def what_rmse_of_equal_errors_is(student, generator):
    [error] = draw(generator, 1, 1, 9, 1).tolist()
    zero = torch.zeros(3, dtype=torch.float64)
    return Question(
        f"All three predictions are {shown(error)} too large. What does your `rmse` return?",
        lambda student: student.rmse(zero + error, zero),
    )


@asks("rmse")
def how_a_perfect_prediction_is_pulled(student, generator):
    level = draw(generator, 1, 1, 9, 1)

    def gradient(student):
        predictions = level.clone().requires_grad_()
        student.rmse(predictions, level).backward()
        return predictions.grad[0]

    return Question(
        "A prediction hits its target exactly. Your `rmse` is called and then `backward()`. What "
        "is the gradient of the prediction?",
        gradient,
    )


@asks("mae")
def what_mae_is(student, generator):
    predictions, targets = whole_numbers(generator, 2)
    return Question(
        f"Your `mae` gets the predictions {shown(predictions)} and the targets {shown(targets)}. "
        "What does it return?",
        lambda student: student.mae(predictions, targets),
    )


@asks("mae")
def what_an_outlier_adds(student, generator):
    [far] = draw(generator, 1, 10, 90, 10).tolist()
    zero = torch.zeros(10, dtype=torch.float64)
    hit = zero.clone()
    hit[0] = far
    return Question(
        f"Of ten predictions nine are perfect, and one is {shown(far)} too large. What does your "
        "`mae` return?",
        lambda student: student.mae(hit, zero),
    )


@asks("bce_with_logits")
def what_a_logit_of_nothing_costs(student, generator):
    targets = draw_targets(generator, 3)
    return Question(
        f"Your `bce_with_logits` gets the logits [0, 0, 0] and the targets {shown(targets)}. What "
        "does it return? (A pocket calculator is allowed.)",
        lambda student: student.bce_with_logits(torch.zeros(3, dtype=torch.float64), targets),
    )


@asks("bce_with_logits")
def what_being_surely_wrong_costs(student, generator):
    [logit] = draw(generator, 1, 20, 90, 10).tolist()
    return Question(
        f"One logit is {shown(logit)}, and its target is 0. About how large is your "
        "`bce_with_logits`?",
        lambda student: student.bce_with_logits(
            torch.tensor([logit], dtype=torch.float64), torch.tensor([0])
        ),
    )


@asks("zoo_claims")
def what_you_said_of_a_statement(student, generator):
    return STATEMENTS.why_true(generator)


@asks("zoo_claims")
def what_you_said_of_another_statement(student, generator):
    return STATEMENTS.why_false(generator)
