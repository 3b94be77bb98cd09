"""Outputs stay exact sums, whatever reads them inside; what is read inside is rounded."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from fpgaprune.capture import Add, Clip, InputLayer, Linear, Network, Reshape, trace
from fpgaprune.capture.records import ArgMax, Concat, Function, FunctionKind, Maximum
from fpgaprune.prune import Data
from fpgaprune.quantise import LayerBits, QuantiseRecipe, quantise
from fpgaprune.quantise.freeze import freeze
from fpgaprune.quantise.model import QuantisedModel
from fpgaprune.quantise.plan import make_plan, result_bits
from fpgaprune.quantise.rounded import with_rounded_readers

RNG = np.random.default_rng(0)
BITS = QuantiseRecipe(activation_bits=6, input_bits=5, function_bits=7)
X = InputLayer("x", (4,))


def fc(name, source):
    return Linear(name, source, RNG.normal(size=(4, 4)), RNG.normal(size=4))


def clip(name, source, low=0.0):
    return Clip(name, source, (4,), low, None)


def sources(network):
    return {layer.name: layer.sources for layer in network.layers[1:]}


def widths(outputs, *layers, recipe=BITS):
    """Return what reads what, and the widths of what is rounded, without those of the input."""
    network = with_rounded_readers(Network((X, *layers), outputs))
    return sources(network), {name: bits for name, bits in result_bits(network, recipe).items() if name != "x"}


def test_one_output_changes_nothing():
    network = Network((X, fc("a", "x"), clip("r", "a"), fc("b", "r"), Reshape("s", "b", (2, 2))), ("s",))
    assert with_rounded_readers(network) is network


def test_a_sum_that_is_read_inside_is_rounded_there():
    read, rounded = widths(("a", "b"), fc("a", "x"), fc("b", "a"))
    assert read == {"a": ("x",), "a.rounded": ("a",), "b": ("a.rounded",)}
    assert rounded == {"a.rounded": 6}


def test_a_clip_that_is_read_inside_is_rounded_there():
    read, rounded = widths(("r", "c"), fc("a", "x"), clip("r", "a"), fc("b", "r"), Add("c", "r", "b", (4,)))
    assert read["b"] == ("r.rounded",)
    assert read["c"] == ("r.rounded", "b")
    assert rounded == {"r.rounded": 6, "b": 6}


def test_a_clip_rounds_an_output_by_itself():
    read, rounded = widths(("a", "b"), fc("a", "x"), clip("r", "a"), fc("b", "r"))
    assert read == {"a": ("x",), "r": ("a",), "b": ("r",)}
    assert rounded == {"r": 6}


def test_an_output_of_an_output_stays_exact_too():
    read, rounded = widths(("a", "r", "p"), fc("a", "x"), clip("r", "a"), ArgMax("p", "r", (1,)))
    assert read == {"a": ("x",), "r": ("a",), "p": ("r",)}
    assert rounded == {}


def test_a_function_has_a_word_to_look_up():
    function = Function("f", "s", (2, 2), FunctionKind.SIGMOID)
    read, rounded = widths(("s", "f"), fc("a", "x"), Reshape("s", "a", (2, 2)), function)
    assert read == {"a": ("x",), "s": ("a",), "s.rounded": ("s",), "f": ("s.rounded",)}
    assert rounded == {"s.rounded": 7, "f": 6}


def test_what_comes_after_an_index_is_no_sum():
    layers = fc("a", "x"), ArgMax("p", "a", (1,)), Maximum("m", "a", (1,)), Add("c", "p", "m", (1,))
    read, rounded = widths(("p", "c"), *layers)
    assert read["c"] == ("p", "m")
    assert read["m"] == ("a.rounded",)
    assert rounded == {"a.rounded": 6}


def test_parts_of_a_joined_output_are_outputs_of_their_own_or_rounded():
    layers = fc("a", "x"), fc("b", "x"), Concat("c", ("a", "b"), (8,))
    read, rounded = widths(("a", "c"), *layers)
    assert read["c"] == ("a.rounded", "b")
    assert rounded == {"a.rounded": 6, "b": 6}


def test_what_is_rounded_already_is_left_alone():
    layers = (clip("r", "x"), Function("f", "r", (4,), FunctionKind.TANH), fc("a", "f"), fc("b", "r"))
    read, _ = widths(("r", "f", "a", "b"), *layers)
    assert read == {"r": ("x",), "f": ("r",), "a": ("f",), "b": ("r",)}


def test_the_recipe_sets_the_outputs_and_what_is_read_inside_apart():
    recipe = QuantiseRecipe(
        activation_bits=6, output_bits=12, layers={"a": LayerBits(None, 9), "a.rounded": LayerBits(None, 4)}
    )
    _, rounded = widths(("a", "b"), fc("a", "x"), fc("b", "a"), recipe=recipe)
    assert rounded == {"a": 9, "a.rounded": 4, "b": 12}


def test_names_stay_apart():
    read, _ = widths(("a", "b"), fc("a", "x"), clip("a.rounded", "a"), fc("b", "a"), Add("c", "b", "a.rounded", (4,)))
    assert read["b"] == ("a.rounded_2",)


def test_the_outputs_are_the_exact_sums():
    network = with_rounded_readers(Network((X, fc("a", "x"), fc("b", "a")), ("a", "b")))
    x = RNG.normal(size=(50, 4))
    model = QuantisedModel(freeze(network, make_plan(network, trace(network, x), BITS)), network.outputs)
    for name in model.outputs:
        assert model.by_name[name].format == model.by_name[name].accumulator
    assert model.by_name["a.rounded"].format.width == 6


class Both(nn.Module):
    """Logits and what a softmax makes of them."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 3)

    def forward(self, x):
        logits = self.fc(x)
        return logits, logits.softmax(1), None


@pytest.mark.parametrize("output_bits", [None, 10])
def test_logits_and_their_softmax(output_bits):
    torch.manual_seed(0)
    x, y = torch.randn(64, 4), (torch.randint(0, 3, (64,)), torch.rand(64, 3))
    recipe = QuantiseRecipe(output_bits=output_bits)
    model = quantise(Both(), Data.from_arrays(x, y, x, y), recipe, progress=False)
    logits, shares = model.forward(x.numpy())
    fc = model.by_name["fc"]
    assert fc.format.width == (output_bits or fc.accumulator.width)
    assert np.abs(shares.sum(1) - 1).max() < 0.1
    assert np.array_equal(logits, model.trace(x.numpy())["fc"])
