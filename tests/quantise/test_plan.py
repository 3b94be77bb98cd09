"""Where quantisers stand, how wide they are, and whose widths are refused."""

from __future__ import annotations

import numpy as np
import pytest

from fpgaprune.capture import Add, Affine, Clip, InputLayer, Linear, Network, Reshape, trace
from fpgaprune.errors import InputError
from fpgaprune.fixed import Fixed, Overflow, Rounding
from fpgaprune.quantise import LayerBits, QuantiseRecipe
from fpgaprune.quantise.plan import make_plan, result_bits

RNG = np.random.default_rng(0)
BITS = QuantiseRecipe(activation_bits=6, input_bits=5)


def fc(name, source):
    return Linear(name, source, RNG.normal(size=(4, 4)), RNG.normal(size=4))


def relu(name, source):
    return Clip(name, source, (4,), 0.0, None)


def network(*layers):
    return Network((InputLayer("x", (4,)), *layers), layers[-1].name)


def plan_of(net, recipe=BITS):
    return make_plan(net, trace(net, RNG.normal(size=(50, 4))), recipe)


PLACES = {
    "after the relu": ((fc("a", "x"), relu("r", "a"), fc("b", "r")), {"r": 6}),
    "between two sums": ((fc("a", "x"), fc("b", "a")), {"a": 6}),
    "before a shared relu": ((fc("a", "x"), relu("r", "a"), Add("s", "r", "a", (4,)), fc("b", "s")), {"a": 6, "s": 6}),
    "after a residual's relu": (
        (fc("a", "x"), Add("s", "a", "x", (4,)), relu("r", "s"), fc("b", "r")),
        {"a": 6, "r": 6},
    ),
    "a clip of a clip": ((fc("a", "x"), relu("r", "a"), relu("q", "r"), fc("b", "q")), {"r": 6}),
    "a clip of the input": ((relu("r", "x"), fc("b", "r")), {}),
    "before a reshape": ((fc("a", "x"), Reshape("f", "a", (2, 2)), Reshape("g", "f", (4,)), fc("b", "g")), {"a": 6}),
    "at an affine": ((Affine("a", "x", np.ones(4), np.ones(4)), fc("b", "a")), {"a": 6}),
    "a relu at the end": ((fc("a", "x"), relu("r", "a")), {}),
    "a reshape at the end": ((fc("a", "x"), Reshape("f", "a", (2, 2)), Reshape("g", "f", (4, 1))), {}),
}


@pytest.mark.parametrize("name", PLACES)
def test_results_are_requantised_once(name):
    layers, expected = PLACES[name]
    assert result_bits(network(*layers), BITS) == {"x": 5, **expected}


@pytest.mark.parametrize("name", PLACES)
def test_the_output_is_requantised_only_where_it_is_asked_for(name):
    layers, expected = PLACES[name]
    last = {"a relu at the end": "r", "a reshape at the end": "a"}.get(name, "b")
    recipe = QuantiseRecipe(activation_bits=6, input_bits=5, output_bits=9)
    assert result_bits(network(*layers), recipe) == {"x": 5, **expected, last: 9}


def test_layers_have_widths_of_their_own():
    net = network(fc("a", "x"), relu("r", "a"), Affine("n", "r", np.ones(4), np.ones(4)), fc("b", "n"))
    own = {
        "a": LayerBits(3),
        "r": LayerBits(None, 4),
        "n": LayerBits(2, 7),
        "b": LayerBits(None, 11),
        "x": LayerBits(None, 3),
    }
    plan = plan_of(net, QuantiseRecipe(weight_bits=5, layers=own))
    assert {name: to.width for name, to in plan.results.items()} == {"x": 3, "r": 4, "n": 7, "b": 11}
    assert {name: to.width for name, to in plan.weights.items()} == {"a": 3, "b": 5}
    assert [to.width for to in plan.scales["n"]] == [2] * 4


@pytest.mark.parametrize(
    ("name", "own", "message"),
    [
        ("fcc", LayerBits(3), r"the recipe has widths for 'fcc', which is no layer \(did you mean 'fc'\?\)"),
        ("r", LayerBits(3), "layers.r.weight_bits must be left out: a Clip has no weights"),
        (
            "fc",
            LayerBits(3, 4),
            "layers.fc.activation_bits must be left out: its result is requantised after 'r'; set it",
        ),
        (
            "q",
            LayerBits(None, 4),
            "layers.q.activation_bits must be left out: its result has the format of 'r'; set it th",
        ),
    ],
)
def test_widths_that_nothing_would_use_are_refused(name, own, message):
    net = network(fc("fc", "x"), relu("r", "fc"), relu("q", "r"), fc("b", "q"))
    with pytest.raises(InputError, match=f"^{message}"):
        plan_of(net, QuantiseRecipe(layers={name: own}))


def test_results_are_signed_only_where_negative_values_occur():
    plan = plan_of(network(fc("a", "x"), relu("r", "a"), fc("b", "r"), fc("c", "b")))
    assert {name: to.signed for name, to in plan.results.items()} == {"x": True, "r": False, "b": True}
    positive = network(fc("a", "x"))
    plan = make_plan(positive, trace(positive, RNG.random((50, 4))), BITS)
    assert not plan.results["x"].signed


def test_modes_are_those_of_the_recipe_and_weights_round_to_even():
    plan = plan_of(
        network(fc("a", "x"), fc("b", "a")), QuantiseRecipe(rounding=Rounding.TRN, overflow=Overflow.SAT_SYM)
    )
    assert {(to.rounding, to.overflow) for to in plan.results.values()} == {(Rounding.TRN, Overflow.SAT_SYM)}
    assert {(to.rounding, to.overflow) for to in plan.weights.values()} == {(Rounding.RND_CONV, Overflow.SAT)}


def test_pruned_weights_have_no_say_in_their_format():
    weight = np.zeros((4, 4))
    weight[0, 0] = 1.0
    recipe = QuantiseRecipe(calibration="percentile", percentile=90)
    sparse = network(Linear("a", "x", weight, np.zeros(4)))
    assert plan_of(sparse, recipe).weights["a"].fraction == 6


def test_scales_of_different_size_keep_their_digits():
    scale = np.array([300.0, 1.0, -0.01, 0.0])
    net = network(Affine("a", "x", scale, np.zeros(4)), fc("b", "a"))
    formats = plan_of(net, QuantiseRecipe(weight_bits=6)).scales["a"]
    assert [to.fraction for to in formats] == [-4, 4, 11, 5]
    assert plan_of(network(Affine("a", "x", scale * 0, scale), fc("b", "a"))).scales["a"][0].fraction == 7
    tiny = network(Affine("a", "x", np.array([300.0, 1.0, 1e-9, 1.0]), np.zeros(4)), fc("b", "a"))
    assert plan_of(tiny, QuantiseRecipe(weight_bits=6)).scales["a"][2].fraction == -4 + 16
    dead = network(Affine("a", "x", np.array([1e-9, 0.0, 0.0, 0.0]), np.zeros(4)), fc("b", "a"))
    assert plan_of(dead, QuantiseRecipe(weight_bits=6)).scales["a"][0].fraction == 34


def test_the_fractions_of_exact_results_follow_from_what_they_are_made_of():
    net = network(
        fc("a", "x"), relu("r", "a"), Affine("n", "r", np.array([4.0, 1, 1, 1]), np.ones(4)), Add("s", "n", "x", (4,)),
        relu("q", "s"), Reshape("f", "q", (2, 2)),
    )  # fmt: skip
    plan = plan_of(net)
    assert (
        plan.sum_fraction(net, "a")
        == plan.fraction(net, "a")
        == plan.results["x"].fraction + plan.weights["a"].fraction
    )
    assert plan.sum_fraction(net, "r") == plan.fraction(net, "a")
    assert plan.fraction(net, "r") == plan.results["r"].fraction
    assert plan.sum_fraction(net, "n") == plan.results["r"].fraction + 6
    assert plan.sum_fraction(net, "s") == max(plan.results["n"].fraction, plan.results["x"].fraction)
    assert plan.fraction(net, "f") == plan.fraction(net, "q") == plan.fraction(net, "s")


def test_choices_name_layer_tensor_and_format():
    plan = plan_of(network(fc("a", "x"), relu("r", "a"), fc("b", "r")))
    assert [(choice.layer, choice.tensor) for choice in plan.choices] == [
        ("a", "weight"),
        ("b", "weight"),
        ("x", "result"),
        ("r", "result"),
    ]
    assert isinstance(plan.choices[0].format, Fixed)
