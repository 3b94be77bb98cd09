"""Formats that a model itself gives, from torch to integers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from fpgaprune.errors import InputError
from fpgaprune.fixed import Fixed, Overflow, Rounding
from fpgaprune.prune import Data, FixedPoint, PruneRecipe, prune
from fpgaprune.prune.grid import to_grid
from fpgaprune.prune.settings import TrainSettings
from fpgaprune.quantise import LayerBits, QuantiseRecipe, quantise

X = torch.randn(64, 6, generator=torch.Generator().manual_seed(0))
DATA = Data.from_arrays(X[:48], X[:48, :3].argmax(1), X[48:], X[48:, :3].argmax(1))
IN = Fixed(True, 7, 4, Rounding.RND_INF, Overflow.SAT_SYM)
MIDDLE = Fixed(False, 5, 3, Rounding.TRN_ZERO, Overflow.SAT)
OUT = Fixed(True, 9, 4, Rounding.RND_CONV, Overflow.SAT)


class Several(nn.Module):
    """Two readers of one sum, a ReLU and a pool on the way, and an output of a format."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.into, self.one, self.other, self.out = (FixedPoint(to) for to in (IN, MIDDLE, IN, OUT))
        self.first, self.last = nn.Linear(6, 8), nn.Linear(8, 3)
        for parameter in self.parameters():
            parameter.data = torch.round(parameter.data * 32) / 32

    def forward(self, x):
        y = self.first(self.into(x))
        return self.out(self.last(self.one(torch.relu(y)) + self.other(y)))


def test_integers_are_what_the_model_computes():
    model = Several()
    quantised = quantise(model, DATA, QuantiseRecipe(exact_weights=True, activation_bits=9), progress=False)
    assert quantised.input.format == IN
    assert quantised.formats[quantised.output] == OUT
    assert MIDDLE in quantised.formats.values()
    inputs = X[:48].double()  # what the sum of both readers was calibrated on
    assert np.array_equal(quantised.forward(inputs.numpy()), model.double()(inputs).detach().numpy())


def test_widths_of_layers_with_a_format_are_refused():
    for name in ("x", "one.fixed"):
        recipe = QuantiseRecipe(layers={name: LayerBits(activation_bits=4)})
        with pytest.raises(
            InputError, match=rf"layers\.{name}\.activation_bits must be left out: the model itself gives"
        ):
            quantise(Several(), DATA, recipe, progress=False)


def test_gradients_and_batches_of_batches_are_those_of_the_grid():
    x = torch.linspace(-6, 6, 24).reshape(4, 6).requires_grad_()
    module = FixedPoint(IN)
    (own,) = torch.autograd.grad(module(x).square().sum(), x)
    (expected,) = torch.autograd.grad(to_grid(x, IN).square().sum(), x)
    assert torch.equal(own, expected)
    assert torch.equal(torch.func.vmap(module)(x), module(x))
    assert "ap_fixed<7,3" in str(module)


def test_pruning_trains_through_formats_and_measures_sensitivity():
    recipe = PruneRecipe(0.5, criterion="sensitivity", fine_tune=TrainSettings(epochs=1))
    pruned = prune(Several(), DATA, recipe, progress=False)
    assert pruned.sparsity == 0.5
    assert pruned.module.one.format == MIDDLE


def test_formats_that_cannot_be_built_are_refused():
    with pytest.raises(InputError, match="AP_SAT or AP_SAT_SYM, not AP_WRAP"):
        FixedPoint(Fixed(True, 8, 4))
    with pytest.raises(InputError, match="at most 32 bits, not 33"):
        FixedPoint(Fixed(True, 33, 4, overflow=Overflow.SAT))


def test_exact_weights_keep_their_values_or_are_refused():
    model = nn.Sequential(nn.Linear(6, 3))
    model[0].weight.data = torch.arange(18.0).reshape(3, 6) * 24
    quantised = quantise(model, DATA, QuantiseRecipe(weight_bits=2, exact_weights=True), progress=False)
    assert quantised.by_name["0"].weight.tolist() == torch.arange(18).reshape(3, 6).mul(3).tolist()
    assert quantised.by_name["0"].weight_format.fraction == -3
    model[0].weight.data[0, 0] = 1e-7
    with pytest.raises(InputError, match=r"0: exact_weights needs weights on a grid of at most 32 bits"):
        quantise(model, DATA, QuantiseRecipe(exact_weights=True), progress=False)
    own = QuantiseRecipe(exact_weights=True, layers={"0": LayerBits(weight_bits=5)})
    assert quantise(model, DATA, own, progress=False).by_name["0"].weight_format.width == 5
