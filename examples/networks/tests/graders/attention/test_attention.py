"""The hidden tests of attention. Students see titles and hints, never the assertions."""

import torch
from torch.nn.functional import scaled_dot_product_attention as expected

from proctor.authoring import assert_gradients_like, assert_like, assert_same_on_device, grades

MASK = torch.ones(3, 5, dtype=torch.bool).tril()


def inputs(generator, *lead):
    return [torch.randn(*lead, *size, generator=generator) for size in ((3, 4), (5, 4), (5, 2))]


@grades("attention_values", hint="Which dimension do the weights of one query lie in?")
def test_values(student, generator):
    """Each query gets the weighted mean of the values."""
    assert_like(expected, student.attention, *inputs(generator))


@grades("attention_values", hint="Only the last two dimensions belong to the product.")
def test_leading_dimensions(student, generator):
    """Heads and batches are treated alike."""
    assert_like(expected, student.attention, *inputs(generator, 2, 3))


@grades("attention_mask", hint="Is the weight of a hidden place really 0? Do the others sum to 1?")
def test_mask(student, generator):
    """Where the mask is False, no query looks."""
    assert_like(expected, student.attention, *inputs(generator, 2), MASK)


@grades("attention_gradient", requires="test_values", hint="Is every step a torch operation?")
def test_gradient(student, generator):
    """The gradient reaches queries, keys and values."""
    assert_gradients_like(expected, student.attention, *inputs(generator))


@grades(
    "attention_device", requires="test_values", hint="Where is a tensor that you make yourself?"
)
def test_device(student, generator):
    """On an accelerator, everything stays there."""
    assert_same_on_device(student, "attention", *inputs(generator), MASK)
