"""The hidden tests of Network."""

import torch

from proctor.authoring import grades, train


@grades("network_shape", hint="One number for each example.")
def test_shape(student, generator):
    """One number for each example."""
    result = student.Network(3, 8)(torch.randn(5, 3, generator=generator))
    assert result.shape == (5, 1), f"5 examples should give [5, 1], got {list(result.shape)}"


@grades("network_shape", requires="test_shape", hint="Count the numbers of each layer.")
def test_size(student):
    """Every layer is there, with its parameters."""
    sizes = sorted(value.numel() for value in student.Network(3, 8).parameters())
    assert sizes == [1, 8, 8, 8, 8, 24], f"the parameters have {sizes} numbers"


@grades(
    "network_learns",
    requires="test_shape",
    builds_on="test_values",
    hint="What could stop a gradient?",
)
def test_learns(student, generator):
    """It learns a curve that no line fits."""
    x = 2 * torch.rand(64, 3, generator=generator) - 1
    y = (x[:, :1] * x[:, 1:2]).sign()
    student.remote(torch.manual_seed, 0)
    network = student.Network(3, 32)
    losses = train(network, x, y, steps=200, optimizer=torch.optim.Adam, lr=0.02)
    left = torch.nn.functional.mse_loss(network(x), y)
    assert left < 0.2, f"after 200 steps the loss should be below 0.2, went {losses[0]} to {left}"
