from __future__ import annotations

import pytest
import torch
from torch import nn

from fpgaprune.errors import InputError
from fpgaprune.prune.structures.output_layers import output_layers
from tests.structured import Attention, Residual, Sequence, mlp


class Branches(nn.Module):
    """Three layers: one in the middle, two whose results reach the output, one of them by a detour."""

    def __init__(self, forward):
        super().__init__()
        self.inner, self.one, self.two = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4)
        self._forward = forward

    def forward(self, x):
        return self._forward(self, x)


@pytest.mark.parametrize(
    ("forward", "found"),
    [
        (lambda m, x: m.one(m.inner(x)) + m.two(x), {"one", "two"}),
        (lambda m, x: torch.cat([m.one(m.inner(x)), m.two(x).relu()], 1), {"one", "two"}),
        (lambda m, x: (m.one(m.inner(x)), {"two": [m.two(x)]}), {"one", "two"}),
        (lambda m, x: m.two(m.one(m.inner(x)).relu_()), {"two"}),
        (lambda m, x: m.inner(x) + m.two(m.one(m.inner(x))), {"inner", "two"}),
        (lambda m, x: m.one(m.inner(x)).softmax(1), {"one"}),
        (lambda m, x: m.one(m.inner(x)).reshape(-1, 2, 2).transpose(1, 2).mean(2), {"one"}),
        (lambda m, x: m.one(m.inner(x)).add_(1), {"one"}),
        (lambda m, x: (m.one(x), x), {"one"}),
    ],
)
def test_layers_whose_results_reach_the_output_are_found(forward, found):
    model = Branches(forward)
    model.one.weight.requires_grad_(False)
    assert output_layers(model, torch.randn(2, 4)) == found
    assert not model.one.weight.requires_grad
    assert not model.inner._forward_hooks


def test_real_models():
    assert output_layers(mlp(), torch.randn(2, 8)) == {"4"}
    assert output_layers(Residual(), torch.randn(2, 3, 8, 8)) == {"out"}
    assert output_layers(Sequence(nn.GRU).rnn, torch.randn(2, 5, 6)) == {""}
    attention = nn.Sequential(Attention().attention)
    assert output_layers(_Self(attention[0]), torch.randn(2, 5, 16)) == {"attention", "attention.out_proj"}


class _Self(nn.Module):
    def __init__(self, attention):
        super().__init__()
        self.attention = attention

    def forward(self, x):
        return self.attention(x, x, x)[0]


def test_outputs_that_gradients_do_not_reach_are_refused():
    with pytest.raises(InputError, match="no layer with weights gives the model's output"):
        output_layers(Branches(lambda m, x: m.one(x).argmax(1)), torch.randn(2, 4))
