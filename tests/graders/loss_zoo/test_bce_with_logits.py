"""bce_with_logits(logits, targets): the mean binary cross-entropy, from -200 to 200."""

import torch

from proctor.authoring import (
    assert_close,
    assert_dtype,
    assert_inputs_unchanged,
    each,
    grades,
    gradients_of,
    sizes,
    two_sizes,
    whole_number,
)

FLOATS = (torch.float32, torch.float64)
COLUMNS, FLOATING = "test_bce_of_columns", "test_bce_with_floating_targets"
# How far from 0 the scores of a batch lie: the nearer ones by themselves, as the tolerance grows
# with the largest. From 20 to 40 torch's own softplus rounds by more than float64 would have to:
# that is no mistake.
RANGES = (((4, 9),), ((9, 16), (16, 19)), ((45, 90), (90, 140), (140, 200)))
SCORES_OF_A_BATCH = 18  # so many that chance leaves no part of a range out


def batch(generator, count, dtype=torch.float32):
    """Raw scores between -4 and 4, and targets of which one in three is 1."""
    logits = 8 * torch.rand(count, generator=generator, dtype=dtype) - 4
    return logits, (torch.rand(count, generator=generator) < 1 / 3).long()


def forms(logits, targets, passed):
    """The same batch as the notebook allows it, vectors and columns, two kinds of targets: those
    forms of which the values are right. What is wrong in a form is lost once."""
    for is_floating in (False, True):
        if is_floating and not passed(FLOATING):
            continue
        labels = targets.to(logits.dtype) if is_floating else targets
        yield logits, labels
        if passed(COLUMNS):
            yield logits[:, None], labels[:, None]


def mean_penalty(logits, targets):
    """The mean of log(1 + exp(s)), where s is the score that speaks against the label."""
    scores = logits.detach().double()
    against = torch.where(targets == 1, -scores, scores)
    return torch.logaddexp(against, torch.zeros_like(against)).mean()


def slopes(logits, targets):
    """What the model believes minus what is true, of N examples each."""
    probabilities = 1 / (1 + (-logits.detach().double()).exp())
    return (probabilities - targets.double()) / logits.numel()


def losses_of(student, batches):
    """Each of the batches, and its loss."""
    return zip(batches, each(student.bce_with_logits, batches), strict=True)


def assert_right(student, batches):
    for (logits, targets), loss in losses_of(student, batches):
        assert_close("bce_with_logits", loss, mean_penalty(logits, targets), logits)


def assert_slopes(student, batches):
    tracked = [(logits.clone().requires_grad_(), targets) for logits, targets in batches]
    losses = [loss for _, loss in losses_of(student, tracked)]
    found = gradients_of("bce_with_logits", losses, [logits for logits, _ in tracked])
    for (logits, targets), gradient in zip(batches, found, strict=True):
        assert_close("the gradient", gradient, slopes(logits, targets), logits)


def in_forms(generator, counts, passed, dtype=torch.float32):
    batches = [batch(generator, count, dtype) for count in counts]
    return [inputs for one in batches for inputs in forms(*one, passed)]


def ends(generator, dtype):
    """Scores far from 0, of both signs, each with both labels; and the ends themselves, alone."""
    return list(all_ends(generator, dtype))


def all_ends(generator, dtype):
    for ranges in RANGES:
        share = SCORES_OF_A_BATCH // len(ranges)
        far = [
            least + (most - least) * torch.rand(share, generator=generator)
            for least, most in ranges
        ]
        signs = torch.ones(SCORES_OF_A_BATCH, dtype=dtype)
        signs[::2] = -1
        logits = torch.cat(far).to(dtype) * signs
        for labels in (torch.zeros_like(logits), torch.ones_like(logits), logits < 0):
            yield logits, labels.long()
    for end in (-200, 200):
        for label in (0, 1):
            yield torch.tensor([end], dtype=dtype), torch.tensor([label])


@grades(
    "bce_values",
    weight=3,
    hint="Work out the penalties of a 3 and of a 7 by hand, for a score of 1 and of -1: the"
    " probability of the label, and minus its natural logarithm. Then take their mean.",
)
def test_bce_is_the_mean_penalty(student, generator):
    """bce_with_logits is one number, the mean penalty, for any batch."""
    batches = []
    for count in (3, *sizes(generator)):
        logits, targets = batch(generator, count)
        every = (targets, torch.ones_like(targets), torch.zeros_like(targets))
        batches += [(logits, labels) for labels in every]
    assert_right(student, batches)


@grades(
    "bce_values",
    weight=3,
    requires="test_bce_is_the_mean_penalty",
    after="test_bce_keeps_the_dtype",
    hint="Put scores of -200 and 200 into every step of your formula, for both labels: which step"
    " leaves the range of its type, rounds to 0, or is held up by a floor?",
)
def test_bce_at_both_ends(student, generator, passed):
    """bce_with_logits is right for very large and very small scores."""
    for dtype in FLOATS if passed("test_bce_keeps_the_dtype") else FLOATS[:1]:  # lost once
        assert_right(student, ends(generator, dtype))


@grades(
    "bce_values",
    requires="test_bce_is_the_mean_penalty",
    hint="Print the shapes of everything inside your function when both inputs are columns.",
)
def test_bce_of_columns(student, generator):
    """bce_with_logits of columns, shape [N, 1], is the same single number."""
    batches = [batch(generator, count) for count in sizes(generator)]
    assert_right(student, [tuple(one[:, None] for one in inputs) for inputs in batches])


@grades(
    "bce_values",
    requires="test_bce_is_the_mean_penalty",
    hint="Targets may come as 0.0 and 1.0: does one of your steps need them to be whole numbers?",
)
def test_bce_with_floating_targets(student, generator):
    """bce_with_logits takes targets of the scores' own floating type, too."""
    batches = []
    for count in two_sizes(generator):
        logits, targets = batch(generator, count)
        batches += [(logits, labels.float()) for labels in (targets, 1 - targets)]
    assert_right(student, batches)


@grades(
    "bce_values",
    requires="test_bce_is_the_mean_penalty",
    after=(COLUMNS, FLOATING),
    hint="Call your function with float64 scores and print the dtype of every step.",
)
def test_bce_keeps_the_dtype(student, generator, passed):
    """bce_with_logits keeps float32 and float64, and all their digits."""
    batches = []
    for dtype in FLOATS:
        batches += in_forms(generator, two_sizes(generator), passed, dtype)
    for (logits, targets), loss in losses_of(student, batches):
        assert_dtype("bce_with_logits", loss, logits.dtype)
        assert_close("bce_with_logits", loss, mean_penalty(logits, targets), logits)


@grades(
    "bce_values",
    requires="test_bce_is_the_mean_penalty",
    after=(COLUMNS, FLOATING, "test_bce_at_both_ends"),
    hint="Print scores and targets before and after a call: which line writes into them?",
)
def test_bce_leaves_its_inputs_alone(student, generator, passed):
    """bce_with_logits leaves its inputs as they were."""
    scales = (1, 30) if passed("test_bce_at_both_ends") else (1,)  # lost once
    batches = []
    for count in (1, *two_sizes(generator)):
        logits, targets = batch(generator, count)
        for scale in scales:
            batches += forms(scale * logits, targets, passed)
    for (logits, targets), loss in losses_of(student, batches):
        assert_inputs_unchanged("bce_with_logits", student.last_call)
        assert_close("bce_with_logits", loss, mean_penalty(logits, targets), logits)


@grades(
    "bce_gradient",
    weight=3,
    hint="Compare the sigmoid of a score with its target: what should the slope be when they are"
    " nearly the same, and what when they are not? Then look for a step that cuts the graph.",
)
def test_bce_slopes(student, generator):
    """Each raw score pulls by what the model believes minus what is true."""
    batches = []
    for count in sizes(generator):
        logits, targets = batch(generator, count)
        batches += [(logits, labels) for labels in (targets, 1 - targets)]
    assert_slopes(student, batches)


@grades(
    "bce_gradient",
    requires="test_bce_slopes",
    hint="Try backward with columns, and with targets 0.0 and 1.0: does each score still get one"
    " slope, and the same as before?",
)
def test_bce_gradient_in_every_form(student, generator):
    """The gradient of bce_with_logits is the same for columns and for floating targets."""
    assert_slopes(student, in_forms(generator, two_sizes(generator), lambda name: True))


@grades(
    "bce_gradient",
    requires="test_bce_slopes",
    after="test_bce_slopes_at_both_ends",
    hint="Call backward with float64 scores and print the dtype of every step: does one of them"
    " turn to float32?",
)
def test_bce_slopes_in_float64(student, generator, passed):
    """The gradient of bce_with_logits has all digits of float64, too."""
    counts = (whole_number(generator, 5, 7), *two_sizes(generator))  # 1/5 has no end in bits
    batches = [batch(generator, count, torch.float64) for count in counts]
    if passed("test_bce_slopes_at_both_ends"):  # lost once
        batches += ends(generator, torch.float64)
    assert_slopes(student, batches)


@grades(
    "bce_gradient",
    requires="test_bce_slopes",
    hint="A score of exactly 0 is where many models start: does one of your steps have a kink"
    " there, where torch has to pick a slope?",
)
def test_bce_slope_at_zero(student):
    """The gradient of bce_with_logits is right at a score of exactly 0."""
    logits = torch.tensor([0.0, 1, 0, -1])
    every = (torch.tensor([0, 0, 1, 1]), torch.tensor([1, 0, 1, 0]))
    assert_slopes(student, [(logits, targets) for targets in every])


@grades(
    "bce_gradient",
    weight=2,
    requires="test_bce_slopes",
    hint="Where the model is sure and wrong, the loss is a straight line. Which step on the way is"
    " not finite there, or flat? The gradient passes through branches not taken, too.",
)
def test_bce_slopes_at_both_ends(student, generator):
    """The gradient of bce_with_logits still speaks up at both ends."""
    assert_slopes(student, ends(generator, torch.float32))
