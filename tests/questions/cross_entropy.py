"""Questions to students about their own answers to cross_entropy."""

import math

import torch

from proctor.authoring import Question, asks, draw, shown


@asks("derivation")
def what_probabilities_add_up_to(student, generator):
    return Question(
        "What do your three `probabilities` add up to?",
        lambda student: sum(float(p) for p in student.probabilities),
    )


@asks("derivation")
def how_much_likelier_the_right_class_is(student, generator):
    return Question(
        "By your `probabilities`, how many times as likely as the second class is the first one?",
        lambda student: float(student.probabilities[0]) / float(student.probabilities[1]),
        within=0.05,
    )


@asks("own_numbers")
def what_the_own_loss_is(student, generator):
    return Question(
        "What did you get for your own three logits, as `own_loss`?",
        lambda student: float(student.own_loss),
    )


@asks("own_numbers")
def how_sure_the_own_logits_are(student, generator):
    return Question(
        "Which probability of the right class belongs to your `own_loss`? (A pocket calculator is "
        "allowed.)",
        lambda student: math.exp(-float(student.own_loss)),
    )


@asks("log_softmax")
def what_equal_logits_give(student, generator):
    [level] = draw(generator, 1, 1, 9, 1).tolist()
    return Question(
        f"Your `log_softmax` gets the logits [{shown(level)}, {shown(level)}]. What does it "
        "return?",
        lambda student: student.log_softmax(torch.tensor([level, level], dtype=torch.float64)),
    )


@asks("log_softmax")
def what_a_shift_changes(student, generator):
    logits, shift = draw(generator, 3, 1, 9, 1), draw(generator, 1, 2, 9, 1)
    return Question(
        f"Your `log_softmax` gets {shown(logits)}; then {shown(shift.item())} is added to each of "
        "the three logits. By how much do the results change?",
        lambda student: student.log_softmax(logits + shift) - student.log_softmax(logits),
    )


@asks("cross_entropy")
def what_knowing_nothing_costs(student, generator):
    classes = int(torch.randint(2, 6, (), generator=generator))
    target = int(torch.randint(0, classes, (), generator=generator))
    return Question(
        f"All {classes} logits of one image are 0, and its class is {target}. What does your "
        "`cross_entropy` return? (A pocket calculator is allowed.)",
        lambda student: student.cross_entropy(
            torch.zeros(1, classes, dtype=torch.float64), torch.tensor([target])
        ),
    )


@asks("cross_entropy")
def what_being_surely_wrong_costs(student, generator):
    [logit] = draw(generator, 1, 10, 30, 5).tolist()
    return Question(
        f"The logits of one image are [{shown(logit)}, 0], and its class is 1. About how large is "
        "your `cross_entropy`?",
        lambda student: student.cross_entropy(
            torch.tensor([[logit, 0.0]], dtype=torch.float64), torch.tensor([1])
        ),
    )


@asks("cross_entropy")
def what_is_averaged(student, generator):
    [logit] = draw(generator, 1, 10, 30, 5).tolist()
    return Question(
        f"Two images have the logits [{shown(logit)}, 0] both; the class of the first is 0, that "
        "of the second 1. About how large is your `cross_entropy` for the two?",
        lambda student: student.cross_entropy(
            torch.tensor([[logit, 0.0]] * 2, dtype=torch.float64), torch.tensor([0, 1])
        ),
    )


@asks("logit_for_loss")
def which_logit_costs_as_much_as_guessing(student, generator):
    classes = int(torch.randint(2, 11, (), generator=generator))
    return Question(
        f"Who guesses among {classes} classes has the loss ln {classes}. Which logit does your "
        "`logit_for_loss` give for that loss?",
        lambda student: float(student.logit_for_loss(math.log(classes), classes)),
    )


@asks("logit_for_loss")
def which_loss_needs_the_larger_logit(student, generator):
    low, high = sorted(draw(generator, 2, 0.1, 0.9).tolist())
    return Question(
        f"There are 3 classes. Does your `logit_for_loss` give a larger logit for the loss "
        f"{shown(round(low, 1))} than for {shown(round(high, 1))}?",
        lambda student: (
            float(student.logit_for_loss(round(low, 1), 3))
            > float(student.logit_for_loss(round(high, 1), 3))
        ),
    )
