"""The hidden graders of LayerNorm. Students see titles and hints, never what is asserted."""

import torch
from torch.nn.functional import layer_norm

from proctor.authoring import assert_close, grades, is_instance


@grades(
    "layer_norm_values", hint="The variance is the mean of the squared distances: over how many?"
)
def test_values(student, generator):
    """Each vector is normalised by itself."""
    x = 3 * torch.randn(2, 4, 5, generator=generator) + 1
    assert_close("the result", student.LayerNorm(5)(x), layer_norm(x, (5,)), x, within=1e-4)


@grades("layer_norm_values", requires="test_parameters", hint="Where do weight and bias come in?")
def test_weight_and_bias(student, generator):
    """Weight and bias scale and shift."""
    x, weight, bias = torch.randn(3, 4, generator=generator)
    layer = student.LayerNorm(4)
    layer.load_state_dict({"weight": weight, "bias": bias})
    expected = layer_norm(x, (4,), weight, bias)
    assert_close("the result", layer(x), expected, x, within=1e-4)


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
    x = torch.randn(6, 4, generator=generator, requires_grad=True)
    ours = [torch.ones(4, requires_grad=True), torch.zeros(4, requires_grad=True)]
    (expected,) = torch.autograd.grad(layer_norm(x, (4,), *ours)[:, 0].sum(), x, retain_graph=True)
    layer = student.LayerNorm(4)
    layer(x)[:, 0].sum().backward()
    layer_norm(x.detach(), (4,), *ours)[:, 0].sum().backward()
    assert_close("the gradient of x", x.grad, expected, x, within=1e-4)
    assert_close("the gradient of weight", layer.weight.grad, ours[0].grad, x, within=1e-4)
    assert_close("the gradient of bias", layer.bias.grad, ours[1].grad, x)
