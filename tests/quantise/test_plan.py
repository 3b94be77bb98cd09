"""Where quantisers stand, how wide they are, and whose widths are refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fpgaprune.capture import Add, Affine, Clip, InputLayer, Linear, Network, Reshape, trace
from fpgaprune.capture.records import (
    ArgMax,
    Concat,
    ConstantLayer,
    Conv,
    Function,
    FunctionKind,
    Gather,
    MatMul,
    Maximum,
    MaxPool,
    Multiply,
    Scan,
)
from fpgaprune.errors import InputError, UnsupportedError
from fpgaprune.fixed import Fixed, Overflow, Rounding
from fpgaprune.quantise import LayerBits, QuantiseRecipe
from fpgaprune.quantise.plan import make_plan, result_bits
from fpgaprune.windows import Windows

RNG = np.random.default_rng(0)
BITS = QuantiseRecipe(activation_bits=6, input_bits=5, function_bits=7)


def fc(name, source):
    return Linear(name, source, RNG.normal(size=(4, 4)), RNG.normal(size=4))


def relu(name, source):
    return Clip(name, source, (4,), 0.0, None)


def sigmoid(name, source):
    return Function(name, source, (4,), FunctionKind.SIGMOID)


def index(name, source):
    return Clip(name, source, (4,), None, None)


def loop(*body, new, states=("h",), initial=None):
    inputs = (InputLayer("step", (4,)), *(InputLayer(state, (4,)) for state in states))
    values = tuple(np.zeros(4) if initial is None else initial for _ in states)
    return Scan("scan", "seq", (1, 4), (*inputs, *body), states, new, values)


def sequence(*layers):
    return network(Reshape("seq", "x", (1, 4)), *layers)


def network(*layers):
    return Network((InputLayer("x", (4,)), *layers), (layers[-1].name,))


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
    "a convolution": (
        (
            Reshape("i", "x", (4, 1)),
            Conv("c", "i", np.ones((2, 1, 2)), np.ones(2), Windows.plain((2,)), 1, (3,)),
            Gather("g", "c", (4,), np.arange(4)),
            fc("b", "g"),
        ),
        {"c": 6},
    ),
    "products": (
        (
            Multiply("m", "x", "x", (4,)),
            Reshape("r", "m", (2, 2)),
            MatMul("p", "r", "r", (2, 2)),
            Reshape("f", "p", (4,)),
            fc("b", "f"),
        ),
        {"m": 6, "p": 6},
    ),
    "what a function reads": ((fc("a", "x"), index("i", "a"), sigmoid("f", "i"), fc("b", "f")), {"i": 7, "f": 6}),
    "a function of no sum": ((index("i", "x"), sigmoid("f", "i"), fc("b", "f")), {"i": 7, "f": 6}),
    "a constant": ((ConstantLayer("k", np.ones(4)), Add("s", "x", "k", (4,)), fc("b", "s")), {"k": 6, "s": 6}),
    "nothing that passes values on": (
        (
            Gather("g", "x", (2, 2), np.arange(4)),
            MaxPool("p", "g", Windows.plain((2,)), (1, 2)),
            Maximum("m", "p", (1, 1)),
            Concat("c", ("m", "m", "m", "m"), (1, 4)),
            Reshape("f", "c", (4,)),
            fc("b", "f"),
        ),
        {},
    ),
    "not before comparing at the end": ((fc("b", "x"), ArgMax("m", "b", (1,))), {}),
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
    recipe = replace(BITS, output_bits=9)
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
        ("fcc", LayerBits(3), r"layers\.fcc names no layer \(did you mean 'fc'\?\)"),
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


def test_loops_requantise_their_states_at_the_end_too():
    relu_state = loop(fc("ih", "step"), Add("s", "ih", "h", (4,)), relu("r", "s"), new=("r",))
    assert result_bits(sequence(relu_state), BITS) == {"x": 5, "ih": 6, "r": 6}
    mirrored = loop(fc("ih", "step"), Add("s", "ih", "h", (4,)), Gather("g", "s", (4,), np.arange(4)), new=("g",))
    assert result_bits(sequence(mirrored), BITS) == {"x": 5, "ih": 6, "s": 6}
    recipe = replace(BITS, output_bits=9, layers={"ih": LayerBits(None, 3)})
    assert result_bits(sequence(mirrored), recipe) == {"x": 5, "ih": 3, "s": 9}
    clipped = loop(fc("ih", "step"), sigmoid("f", "ih"), relu("r", "f"), new=("r",))
    assert result_bits(sequence(clipped), BITS) == {"x": 5, "ih": 6, "f": 6, "r": 6}


def test_the_parts_of_a_joined_output_have_its_width():
    joined = network(fc("a", "x"), sigmoid("f", "a"), fc("b", "x"), Concat("c", ("f", "b", "x"), (12,)))
    assert result_bits(joined, BITS) == {"x": 5, "a": 6, "f": 6, "b": 6}
    assert result_bits(joined, replace(BITS, output_bits=9)) == {"x": 5, "a": 6, "f": 9, "b": 9}


def test_a_function_at_the_end_has_the_width_of_the_output():
    net = network(fc("a", "x"), index("i", "a"), sigmoid("f", "i"))
    assert result_bits(net, BITS) == {"x": 5, "i": 7, "f": 6}
    assert result_bits(net, replace(BITS, output_bits=9)) == {"x": 5, "i": 7, "f": 9}


def test_states_have_the_format_of_what_becomes_them():
    initial = np.array([-3.0, 0, 0, 0])
    net = sequence(
        loop(fc("ih", "step"), relu("r", "ih"), Gather("g", "r", (4,), np.arange(4)), new=("g",), initial=initial)
    )
    plan = plan_of(net)
    assert plan.results["r"].signed  # of the state before the first step alone
    assert plan.word(net, "h") == plan.word(net, "g") == plan.word(net, "scan") == plan.results["r"]
    assert plan.word(net, "step") == plan.results["x"]
    assert plan.fraction(net, "scan") == plan.fraction(net, "h") == plan.results["r"].fraction


def test_fractions_of_products_joins_and_comparisons():
    net = network(
        fc("a", "x"), Multiply("m", "a", "x", (4,)), Concat("c", ("a", "x"), (8,)), ArgMax("i", "c", (1,)),
        Reshape("r", "m", (2, 2)), MatMul("p", "r", "r", (2, 2)), Maximum("q", "p", (2, 1)),
    )  # fmt: skip
    plan = plan_of(net)
    fractions = {name: to.fraction for name, to in plan.results.items()}
    assert plan.sum_fraction(net, "m") == fractions["a"] + fractions["x"]
    assert plan.fraction(net, "c") == max(fractions["a"], fractions["x"])
    assert plan.fraction(net, "i") == 0
    assert plan.fraction(net, "q") == plan.sum_fraction(net, "p") == 2 * fractions["m"]


@pytest.mark.parametrize(
    ("values", "bias", "signed", "width", "fraction"),
    [
        ([1.0, 1.0, 0.0, 1.0], 0.0, False, 1, 0),
        ([1.0, -1.0, 0.0, 1.0], 0.0, True, 2, 0),
        ([0.25, 0.25, 0.25, 0.25], 0.0, False, 1, 2),
        ([0.25, 4.0, 0.25, 0.25], 0.0, False, 5, 2),
        ([1 / 3, 1 / 3, 0.0, 1 / 3], 0.0, True, 12, 12),
        ([1.0, 1.0, 1.0, 1.0], 0.3, True, 12, 10),  # the bias needs the finer step
    ],
)
def test_weights_of_operations_are_exact_where_few_bits_will_do(values, bias, signed, width, fraction):
    fixed = Linear("a", "x", np.tile(values, (4, 1)), np.full(4, bias), trainable=False)
    scaled = Affine("s", "a", np.array(values), np.full(4, bias), trainable=False)
    plan = plan_of(network(fixed, scaled, fc("b", "s")), replace(BITS, weight_bits=3))
    expected = Fixed(signed, width, fraction, Rounding.RND_CONV, Overflow.SAT)
    assert plan.weights["a"] == plan.scales["s"][0] == expected
    assert plan.weights["b"].width == 3
    own = plan_of(network(fixed, fc("b", "a")), replace(BITS, layers={"a": LayerBits(4)}))
    assert own.weights["a"].width == min(width, 4)


def test_constants_have_a_format_of_their_values():
    net = network(ConstantLayer("k", np.array([0.1, 0.2, 0.0, 0.4])), Add("s", "x", "k", (4,)), fc("b", "s"))
    plan = plan_of(net, replace(BITS, calibration="minmax"))
    assert plan.results["k"] == Fixed(False, 6, 7, Rounding.RND, Overflow.SAT)


def test_what_a_function_reads_is_chosen_by_what_comes_out():
    huge = Affine("a", "x", np.array([1.0, 1.0, 1.0, 1e6]), np.zeros(4))
    net = network(huge, index("i", "a"), sigmoid("f", "i"), fc("b", "f"))
    by_result, by_input = (plan_of(net, replace(BITS, calibration=name)).results["i"] for name in ("mse", "minmax"))
    assert by_result.fraction >= 3
    assert by_input.fraction < -10


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ((loop(new=("step",)), fc("b", "x")), None),
        ((loop(new=("h",)),), "scan: a Scan cannot take 'h', whose values are not requantised; put a Clip after it"),
        (
            (loop(Concat("c", ("h",), (4,)), new=("c",)),),
            "scan: a Scan cannot take 'c', whose values are not requantised",
        ),
        (
            (Concat("c", ("x",), (4,)), sigmoid("f", "c")),
            "f: a Function cannot take 'c', whose values are not requantised; put a Clip after it",
        ),
    ],
)
def test_states_and_table_inputs_without_a_format_are_refused(layers, message):
    if message is None:
        assert plan_of(sequence(*layers)).results["x"].width == 5
    else:
        with pytest.raises(UnsupportedError, match=f"^{message}"):
            plan_of(sequence(*layers))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("c", "its result holds all of 'a', 'x' exactly; set it there"),
        ("g", "its result has the format of 'a'; set it there"),
        ("i", "its result is an index, as wide as the number of channels needs"),
        ("step", "its result has the format of 'x'; set it there"),
        ("h", "its result has the format of 'ih'; set it there"),
        ("scan", "its result has the format of 'ih'; set it there"),
    ],
)
def test_widths_that_other_layers_set_are_refused(name, message):
    net = sequence(
        fc("a", "x"), Concat("c", ("a", "x"), (8,)), Gather("g", "a", (4,), np.arange(4)), ArgMax("i", "g", (1,)),
        loop(fc("ih", "step"), new=("ih",)),
    )  # fmt: skip
    with pytest.raises(InputError, match=f"^layers.{name}.activation_bits must be left out: {message}"):
        plan_of(net, QuantiseRecipe(layers={name: LayerBits(None, 4)}))
