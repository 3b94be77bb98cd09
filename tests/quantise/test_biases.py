"""Biases of several layers on their steps."""

import torch

from fpgaprune.prune.grid import to_step
from fpgaprune.quantise.biases import BiasGrid

SIZES, FRACTIONS = [3, 1, 200], [2, -1, 40]


def test_each_bias_is_rounded_to_its_step_and_the_gradient_passes():
    torch.manual_seed(0)
    biases = [(torch.randn(size, dtype=torch.float64) * 5).requires_grad_() for size in SIZES]
    biases[0].data[:2] = torch.tensor([0.125, 0.375])  # halves of steps go to the even one
    found = BiasGrid(SIZES, FRACTIONS)(biases)
    for bias, fraction, rounded in zip(biases, FRACTIONS, found, strict=True):
        assert torch.equal(rounded, to_step(bias, fraction))
        assert not torch.equal(rounded, bias)
    assert found[0][:2].tolist() == [0.0, 0.5]
    torch.stack([(each * number).sum() for number, each in enumerate(found, 1)]).sum().backward()
    assert [bias.grad.unique().tolist() for bias in biases] == [[1.0], [2.0], [3.0]]


def test_biases_stay_as_they_are():
    bias = torch.tensor([0.3])
    BiasGrid([1], [1]).float()([bias])
    assert bias == torch.tensor([0.3])
