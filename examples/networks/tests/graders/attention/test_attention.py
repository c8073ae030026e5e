"""The hidden graders of attention. Students see titles and hints, never what is asserted."""

import torch
from torch.nn.functional import scaled_dot_product_attention

from proctor.authoring import assert_close, assert_same_on_device, grades, gradient_of


def inputs(generator, *lead):
    sizes = ((3, 4), (5, 4), (5, 2))
    return [torch.randn(*lead, *size, generator=generator) for size in sizes]


@grades("attention_values", hint="Which dimension do the weights of one query lie in?")
def test_values(student, generator):
    """Each query gets the weighted mean of the values."""
    query, key, value = inputs(generator)
    expected = scaled_dot_product_attention(query, key, value)
    assert_close("the result", student.attention(query, key, value), expected, query, key, value)


@grades("attention_values", hint="Only the last two dimensions belong to the product.")
def test_leading_dimensions(student, generator):
    """Heads and batches are treated alike."""
    query, key, value = inputs(generator, 2, 3)
    expected = scaled_dot_product_attention(query, key, value)
    assert_close("the result", student.attention(query, key, value), expected, query, key, value)


@grades(
    "attention_mask", hint="Is the weight of a hidden place really 0, and do the others sum to 1?"
)
def test_mask(student, generator):
    """Where the mask is False, no query looks."""
    query, key, value = inputs(generator, 2)
    mask = torch.ones(3, 5, dtype=torch.bool).tril()
    expected = scaled_dot_product_attention(query, key, value, attn_mask=mask)
    result = student.attention(query, key, value, mask)
    assert_close("the masked result", result, expected, query, key, value)


@grades("attention_gradient", requires="test_values", hint="Is every step one of torch's?")
def test_gradient(student, generator):
    """The gradient reaches queries, keys and values."""
    ours = [tensor.requires_grad_() for tensor in inputs(generator)]
    result = student.attention(*ours)
    expected = scaled_dot_product_attention(*ours)
    for name, tensor in zip(("queries", "keys", "values"), ours, strict=True):
        (wanted,) = torch.autograd.grad(-2 * expected.sum(), tensor, retain_graph=True)
        found = gradient_of(f"the gradient of the {name}", result, tensor)
        assert_close(f"the gradient of the {name}", found, wanted / -2, tensor)


@grades(
    "attention_device", requires="test_values", hint="Where is a tensor that you make yourself?"
)
def test_device(student, generator):
    """On an accelerator all stays there."""
    mask = torch.ones(3, 5, dtype=torch.bool).tril()
    assert_same_on_device(student, "attention", *inputs(generator), mask)
