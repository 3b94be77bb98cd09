"""The float64 network computes on the grids that the integer layers say, and takes only inputs that fit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fpgaprune.capture import Add, Clip, InputLayer, Linear, Network
from fpgaprune.capture.records import Function, FunctionKind, Reshape, Scan
from fpgaprune.errors import GraphError, InputError
from fpgaprune.fixed import Fixed, Overflow, Rounding, to_float
from fpgaprune.quantise import QuantisedModel
from fpgaprune.quantise.freeze import freeze
from fpgaprune.quantise.plan import Plan
from tests.quantise.nets import random_model

INPUT = Fixed(True, 4, 2, Rounding.RND, Overflow.SAT)
WEIGHT = Fixed(True, 4, 1, Rounding.RND_CONV, Overflow.SAT)
RESULT = Fixed(False, 3, 0, Rounding.RND, Overflow.SAT)


def small():
    weight = np.array([[1.0, -0.5], [3.0, 2.0]])
    layers = (
        InputLayer("x", (2,)),
        Linear("fc", "x", weight, np.array([0.125, 0.0])),
        Clip("relu", "fc", (2,), 0.0, None),
        Add("sum", "relu", "x", (2,)),
    )
    network = Network(layers, ("sum",))
    return QuantisedModel(freeze(network, Plan({"x": INPUT, "relu": RESULT}, {"fc": WEIGHT})), ("sum",))


def test_results_are_those_of_a_calculation_by_hand():
    model = small()
    x = np.array([[0.3, 1.9], [-5.0, 1.0], [1.0, 1.0]])
    trace = model.trace(x)
    assert trace["x"].tolist() == [[0.25, 1.75], [-2, 1], [1, 1]]
    assert trace["fc"].tolist() == [[-0.5, 4.25], [-2.375, -4], [0.625, 5]]
    assert trace["relu"].tolist() == [[0, 4], [0, 0], [1, 5]]
    assert trace["sum"].tolist() == [[0.25, 5.75], [-2, 1], [2, 6]]
    assert np.array_equal(model.forward(x), trace["sum"])
    assert model.mantissas(x)["fc"].tolist() == [[-4, 34], [-19, -32], [5, 40]]
    assert model.quantise_input(x).tolist() == [[1, 7], [-8, 4], [4, 4]]


def test_the_module_is_the_model_for_torch():
    model = small()
    x = torch.tensor([[0.3, 1.9]])
    assert np.array_equal(model.module(x).detach().numpy(), model.forward(x.numpy()))
    assert model.module(x).dtype == torch.float64
    assert not model.module.training


@pytest.mark.parametrize("samples", [0, 1, 4097])
def test_any_number_of_samples_is_taken_in_chunks(samples):
    x = np.random.default_rng(0).normal(size=(samples, 2))
    results = small().trace(x)
    assert all(len(values) == samples for values in results.values())
    assert np.array_equal(results["x"], to_float(small().quantise_input(x), 2))


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.ones((3, 3)), r"x: the input must have the shape \(samples, 2\), not \(3, 3\)"),
        (np.ones(2), r"the shape \(samples, 2\), not \(2,\)"),
        (np.float64(1), r"the shape \(samples, 2\), not \(\)"),
        (np.array([[1.0, np.nan]]), "x: the input must be finite; remove or replace samples"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(x, message):
    for use in (small().forward, small().quantise_input):
        with pytest.raises(InputError, match=message):
            use(x)


def several():
    """Two inputs of different shapes; an input, a sum and a sum of that are outputs, one of them twice."""
    layers = (
        InputLayer("image", (2, 1, 3), (1, 2, 0)),
        InputLayer("vector", (6,)),
        Reshape("flat", "image", (6,)),
        Add("sum", "flat", "vector", (6,)),
        Add("more", "sum", "vector", (6,), subtract=True),
    )
    outputs = ("more", "vector", "sum", "more")
    return QuantisedModel(freeze(Network(layers, outputs), Plan({"image": INPUT, "vector": INPUT})), outputs)


def test_several_inputs_and_outputs_are_tuples_in_their_order():
    model = several()
    rng = np.random.default_rng(0)
    image, vector = rng.integers(-8, 8, size=(5000, 3, 2, 1)) / 4, rng.integers(-8, 8, size=(5000, 6)) / 4
    assert [layer.name for layer in model.inputs] == ["image", "vector"]
    words = model.quantise_input((image, vector))
    flat = image.transpose(0, 2, 3, 1)
    assert np.array_equal(words[0], flat * 4)
    assert np.array_equal(words[1], vector * 4)
    more, given, total, again = model.forward((image, vector))
    assert np.array_equal(total, flat.reshape(-1, 6) + vector)
    assert np.array_equal(given, vector)
    assert np.array_equal(more, total - vector)
    assert np.array_equal(again, more)
    assert model.mantissas((image, vector)).keys() == {"image", "vector", "flat", "sum", "more"}


def test_one_input_may_come_in_a_tuple():
    x = np.array([[0.25, 1.0]])
    assert np.array_equal(small().forward((x,)), small().forward(x))
    (words,) = small().quantise_input((x,))
    assert np.array_equal(words, small().quantise_input(x))


IMAGE, VECTOR = np.zeros((2, 3, 2, 1)), np.zeros((2, 6))


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (VECTOR, r"the model has 2 inputs \(image, vector\), not 1; several are given as a tuple"),
        ((IMAGE, VECTOR, VECTOR), r"the model has 2 inputs \(image, vector\), not 3"),
        ((VECTOR, IMAGE), r"image: the input must have the shape \(samples, 3, 2, 1\), not \(2, 6\)"),
        ((IMAGE, VECTOR[:1]), r"vector: 1 samples, but 2 of image; give as many"),
        ((IMAGE, VECTOR + np.inf), r"vector: the input must be finite"),
    ],
)
def test_several_inputs_that_do_not_fit_are_named(x, message):
    for use in (several().forward, several().quantise_input, several().trace):
        with pytest.raises(InputError, match=message):
            use(x)


def test_what_has_several_has_no_single_one():
    with pytest.raises(GraphError, match=r"the network has 2 inputs, not one; use `inputs`"):
        _ = several().input
    with pytest.raises(GraphError, match=r"the network has 4 outputs, not one; use `outputs`"):
        _ = several().output


def test_layers_that_do_not_fit_are_refused():
    with pytest.raises(GraphError, match=r"fc: reads 'x', which is no earlier layer"):
        QuantisedModel(small().layers[1:], ("sum",))
    with pytest.raises(GraphError, match=r"the network's output 'nothing' is no layer"):
        QuantisedModel(small().layers, ("nothing",))


def test_inputs_come_in_the_user_s_order_of_axes():
    layers = (InputLayer("x", (2, 4, 3), (1, 2, 0)), Clip("relu", "x", (2, 4, 3), 0.0, None))
    model = QuantisedModel(freeze(Network(layers, ("relu",)), Plan({"x": INPUT})), ("relu",))
    x = np.random.default_rng(0).integers(-8, 8, size=(5, 3, 2, 4)) / 4
    assert np.array_equal(model.quantise_input(x), x.transpose(0, 2, 3, 1) * 4)
    assert np.array_equal(model.forward(x), x.transpose(0, 2, 3, 1).clip(min=0))
    with pytest.raises(InputError, match=r"x: the input must have the shape \(samples, 3, 2, 4\), not \(5, 2, 4, 3\)"):
        model.forward(x.transpose(0, 2, 3, 1))


def recurrent():
    body = (InputLayer("step", (2,)), InputLayer("h", (2,)), Add("s", "step", "h", (2,)))
    scan = Scan("scan", "seq", (2, 2), body, ("h",), ("s",), (np.array([1.0, 0.0]),), reverse=True)
    return Network((InputLayer("x", (4,)), Reshape("seq", "x", (2, 2)), scan), ("scan",))


def test_the_layers_of_a_loop_have_results_for_each_step():
    model = QuantisedModel(freeze(recurrent(), Plan({"x": INPUT, "s": RESULT})), ("scan",))
    trace = model.trace(np.array([[1.0, 0.5, 1.75, -1.0]]))
    assert trace["step"].tolist() == [[[1, 0.5], [1.75, -1]]]
    assert trace["h"].tolist() == [[[3, 0], [1, 0]]]
    assert trace["s"].tolist() == trace["scan"].tolist() == [[[4, 1], [3, 0]]]
    assert model.by_name["s"].format == RESULT
    assert model.formats.keys() == trace.keys() == model.mantissas(np.ones((1, 4))).keys()


def test_a_state_that_changes_its_format_is_refused():
    scan = freeze(recurrent(), Plan({"x": INPUT, "s": RESULT}))[-1]
    body = (scan.body[0], replace(scan.body[1], format=INPUT), scan.body[2])
    layers = (*freeze(recurrent(), Plan({"x": INPUT, "s": RESULT}))[:-1], replace(scan, body=body))
    with pytest.raises(GraphError, match=r"scan: the state 'h' has the format ap_fixed<4.*>, 's' ap_ufixed<3"):
        QuantisedModel(layers, ("scan",))


def test_a_table_that_misses_words_is_refused():
    network = Network((InputLayer("x", (2,)), Function("f", "x", (2,), FunctionKind.TANH)), ("f",))
    first, last = freeze(network, Plan({"x": INPUT, "f": RESULT}))
    for wrong in (replace(last, values=last.values[1:]), replace(last, low=0)):
        with pytest.raises(GraphError, match=r"f: the table must reach from -8 to 7, the word of 'x', not from"):
            QuantisedModel((first, wrong), ("f",))


def test_a_table_is_looked_up_as_it_is_stored():
    network = Network((InputLayer("x", (2,)), Function("f", "x", (2,), FunctionKind.TANH)), ("f",))
    first, last = freeze(network, Plan({"x": INPUT, "f": RESULT}))
    model = QuantisedModel((first, replace(last, values=np.arange(16) % 8)), ("f",))
    assert model.mantissas(np.array([[-2.0, 0.25]]))["f"].tolist() == [[0, 1]]


def test_models_are_equal_by_value():
    assert small() == small()
    assert small() != QuantisedModel(small().layers, ("relu",))
    assert small().formats == {layer.name: layer.format for layer in small().layers}


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=60)
def test_every_result_lies_on_its_grid_and_in_its_range(seed):
    model, samples = random_model(seed)
    for name, values in model.trace(samples).items():
        to = model.formats[name]
        scaled = np.ldexp(values, to.fraction)
        assert np.array_equal(scaled, np.rint(scaled)), name
        assert to.holds(int(scaled.min()), int(scaled.max())), name
