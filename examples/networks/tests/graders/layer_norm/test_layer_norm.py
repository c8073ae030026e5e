"""The hidden tests of LayerNorm. Students see titles and hints, never the assertions."""

import torch
from torch.nn.functional import layer_norm

from proctor.authoring import assert_close, assert_gradients_like, assert_like, grades, is_instance


def expected(x):
    return layer_norm(x, x.shape[-1:])


@grades("layer_norm_values", hint="The variance is a mean of squared distances: over how many?")
def test_values(student, generator):
    """Each vector is normalised by itself."""
    x = 3 * torch.randn(2, 4, 5, generator=generator) + 1
    assert_like(expected, student.LayerNorm(5), x, within=1e-4)


@grades("layer_norm_values", requires="test_parameters", hint="Where do weight and bias come in?")
def test_weight_and_bias(student, generator):
    """Weight and bias scale and shift."""
    x, weight, bias = torch.randn(3, 4, generator=generator)
    layer = student.LayerNorm(4)
    layer.load_state_dict({"weight": weight, "bias": bias})
    assert_like(lambda x: expected(x) * weight + bias, layer, x, within=1e-4)


@grades("layer_norm_parameters", hint="What makes a tensor a parameter of a module?")
def test_parameters(student):
    """The layer learns a weight and a bias."""
    layer = student.LayerNorm(4)
    assert is_instance(layer, torch.nn.Module), "LayerNorm should be a Module"
    shapes = {name: tuple(value.shape) for name, value in layer.named_parameters()}
    assert shapes == {"weight": (4,), "bias": (4,)}, f"the parameters are {shapes}"


@grades("layer_norm_parameters", requires="test_parameters", hint="Does the gradient get through?")
def test_gradients(student, generator):
    """Gradients reach the parameters and the input."""
    x, layer = torch.randn(6, 4, generator=generator), student.LayerNorm(4)
    assert_gradients_like(expected, student.LayerNorm(4), x, within=1e-4)
    layer(x)[:, 0].sum().backward()
    column = torch.tensor([1.0, 0, 0, 0])
    weight_gradient = expected(x).sum(dim=0) * column
    assert_close("the gradient of weight", layer.weight.grad, weight_gradient, x, within=1e-4)
    assert_close("the gradient of bias", layer.bias.grad, 6 * column, x)
