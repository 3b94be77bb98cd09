"""Classifiers that give out logits, the class, or probabilities."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from fpgaprune.errors import InputError
from fpgaprune.heads import Head
from fpgaprune.prune import Data
from fpgaprune.quantise import QuantiseRecipe, quantise
from fpgaprune.quantise.head import logits, with_head
from fpgaprune.quantise.layers import QuantisedArgMax, QuantisedFunction


def quantised(*end):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 5), *end)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(64, 6)).astype(np.float32), rng.integers(0, 5, 64)
    return quantise(model, Data.from_arrays(x, y, x, y), QuantiseRecipe(fine_tune=None), progress=False), x.astype(
        float
    )


@pytest.mark.parametrize("end", [nn.Softmax(-1), nn.LogSoftmax(-1)], ids=["softmax", "log_softmax"])
def test_a_softmax_at_the_end_is_found_and_taken_away(end):
    model, x = quantised(end)
    assert logits(model, model.output) == "2"
    short = with_head(model, Head.LOGITS)
    assert short.outputs == ("2",)
    assert not any(isinstance(layer, QuantisedFunction) for layer in short.layers)
    assert np.array_equal(short.forward(x), model.trace(x)["2"])
    assert with_head(model, Head.SOFTMAX) is model


@pytest.mark.parametrize("end", [(), (nn.Softmax(-1),)], ids=["logits", "softmax"])
def test_the_class_is_the_index_of_the_largest_logit(end):
    model, x = quantised(*end)
    classes = with_head(model, Head.ARGMAX)
    assert isinstance(classes.layers[-1], QuantisedArgMax)
    assert classes.layers[-1].format.width == 3
    wanted = model.mantissas(x)["2"].argmax(axis=1)
    assert np.array_equal(classes.mantissas(x)[classes.output].reshape(-1), wanted)


def test_logits_stay_what_they_are():
    model, _ = quantised()
    assert with_head(model, Head.LOGITS) is model


def test_probabilities_that_the_model_does_not_make_are_refused():
    model, _ = quantised()
    with pytest.raises(InputError, match=r"2: the model does not end in a softmax; add nn\.Softmax"):
        with_head(model, Head.SOFTMAX)


class Scaled(nn.Module):
    """Products and differences that look like a softmax from afar."""

    def forward(self, x):
        return torch.exp(x) * torch.reciprocal(x.exp().sum(-1, keepdim=True))


def test_only_a_softmax_is_taken_for_one():
    model, _ = quantised(Scaled())
    assert logits(model, model.output) is None
