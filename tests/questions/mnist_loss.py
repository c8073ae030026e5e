"""Questions to students about their own answers to mnist_loss."""

import torch

from proctor.authoring import Question, asks, draw, draw_targets, shown

TARGETS = torch.tensor([1, 0, 1])
START = torch.tensor([0.9, 0.4, 0.2], dtype=torch.float64)
THIRD = ("the first", "the second", "the third")


@asks("where_by_hand")
def what_is_picked(student, generator):
    a = draw_targets(generator, 3).bool()
    b, c = draw(generator, 6, 1, 9, 1).split(3)
    return Question(
        f"Your `where_by_hand` gets `a = {shown(a)}`, `b = {shown(b)}` and `c = {shown(c)}`. "
        "What does it return?",
        lambda student: student.where_by_hand(a, b, c),
    )


@asks("where_by_hand")
def what_is_picked_when_all_flips(student, generator):
    a = draw_targets(generator, 4).bool()
    b, c = draw(generator, 8, 1, 9, 1).split(4)
    return Question(
        f"Your `where_by_hand` gets `b = {shown(b)}` and `c = {shown(c)}`, and as `a` the opposite "
        f"of {shown(a)} in every place. What do the four results add up to?",
        lambda student: student.where_by_hand(~a, b, c).sum(),
    )


@asks("mnist_loss")
def what_the_loss_is(student, generator):
    predictions = draw(generator, 2)
    return Question(
        f"Your `mnist_loss` gets the predictions {shown(predictions)} and the targets [1, 1]. "
        "What does it return?",
        lambda student: student.mnist_loss(predictions, torch.tensor([1, 1])),
    )


@asks("mnist_loss")
def what_one_step_of_a_prediction_changes(student, generator):
    predictions, targets = draw(generator, 4, 0.2, 0.7), draw_targets(generator, 4)
    moved = predictions.clone()
    moved[1] += 0.2
    return Question(
        f"The predictions are {shown(predictions)}, the targets {shown(targets)}. Then the second "
        f"prediction rises to {shown(moved[1].item())}. By how much does your `mnist_loss` change? "
        "(A fall is negative.)",
        lambda student: (
            student.mnist_loss(moved, targets) - student.mnist_loss(predictions, targets)
        ),
    )


@asks("mnist_loss")
def how_a_prediction_is_pulled(student, generator):
    predictions, targets = draw(generator, 4), draw_targets(generator, 4)

    def gradient(student):
        pulled = predictions.clone().requires_grad_()
        student.mnist_loss(pulled, targets).backward()
        return pulled.grad[0]

    return Question(
        f"The predictions are {shown(predictions)}, the targets {shown(targets)}. Your "
        "`mnist_loss` is called and then `backward()`. What is the gradient of the first "
        "prediction?",
        gradient,
    )


@asks("three_ways")
def what_the_first_way_costs(student, generator):
    return Question(
        "What does your own `mnist_loss` say of your `more_right`, for the targets [1, 0, 1]?",
        lambda student: student.mnist_loss(student.more_right.double(), TARGETS),
    )


@asks("three_ways")
def which_prediction_became_surer(student, generator):
    def moved(student):
        change = (student.surer_when_right.double() - START).abs()
        return THIRD[int(change.argmax())]

    return Question(
        "The predictions were [0.9, 0.4, 0.2]. Which of them does your `surer_when_right` move?",
        moved,
        choices=THIRD,
    )


@asks("hand_gradient")
def where_a_step_leads(student, generator):
    lr = shown(draw(generator, 1, 0.3, 0.9, 0.3).item())
    return Question(
        f"The predictions are [0.9, 0.4, 0.2]. Take one step against your `gradient`, with the "
        f"learning rate {lr}. Where is the second prediction then?",
        lambda student: 0.4 - float(lr) * student.gradient[1].item(),
    )


@asks("hand_gradient")
def what_two_gradients_differ_by(student, generator):
    return Question(
        "In your `gradient`, by how much is the first number larger than the second?",
        lambda student: student.gradient[0] - student.gradient[1],
    )


@asks("sigmoid")
def what_two_mirrored_scores_give(student, generator):
    x = draw(generator, 1, 1, 9, 1)
    return Question(
        f"What do your `sigmoid` of {shown(x.item())} and your `sigmoid` of {shown(-x.item())} add "
        "up to?",
        lambda student: student.sigmoid(torch.cat([x, -x])).sum(),
    )


@asks("sigmoid")
def what_a_score_of_nothing_gives(student, generator):
    far = draw(generator, 1, 100, 900, 100)
    return Question(
        f"Your `sigmoid` gets the scores [0, {shown(far.item())}]. What does it return?",
        lambda student: student.sigmoid(torch.cat([torch.zeros_like(far), far])),
    )


@asks("train_epoch")
def what_an_epoch_returns(student, generator):
    target = int(torch.randint(0, 2, (), generator=generator))

    def first_loss(student):
        weights = student.keep(torch.zeros(2), requires_grad=True)
        bias = student.keep(torch.tensor(0.0), requires_grad=True)
        return student.train_epoch(weights, bias, torch.ones(1, 2), torch.tensor([target]), 1.0)

    return Question(
        "Weights and bias are all 0, and there is one image with the pixels [1, 1] and the target "
        f"{target}. What does your `train_epoch` return, with a learning rate of 1?",
        first_loss,
    )


@asks("train_epoch")
def which_way_the_weights_go(student, generator):
    target = int(torch.randint(0, 2, (), generator=generator))
    ways = ("they rise", "they fall", "they stay")

    def way(student):
        weights = student.keep(torch.zeros(2), requires_grad=True)
        bias = student.keep(torch.tensor(0.0), requires_grad=True)
        student.train_epoch(weights, bias, torch.ones(1, 2), torch.tensor([target]), 1.0)
        found = student.read(weights).value[0].item()
        return ways[0] if found > 0 else ways[1] if found < 0 else ways[2]

    return Question(
        "Weights and bias are all 0, and there is one image with the pixels [1, 1] and the target "
        f"{target}. After one call of your `train_epoch`: what became of the weights?",
        way,
        choices=ways,
    )
