"""Every kind of layer through hls4ml and back: integers equal float64 torch, layer by layer, step by step."""

from __future__ import annotations

import numpy as np
import pytest

from fpgaprune.capture.records import (
    Add,
    Affine,
    ArgMax,
    Clip,
    Concat,
    ConstantLayer,
    Function,
    FunctionKind,
    Gather,
    InputLayer,
    Linear,
    MatMul,
    Maximum,
    MaxPool,
    Multiply,
    Reshape,
    Scan,
)
from fpgaprune.errors import MismatchError
from fpgaprune.evaluate import evaluate
from fpgaprune.fixed import Overflow
from fpgaprune.frontend import check, convert, layer_list
from fpgaprune.frontend.record_ops import BUILDERS
from fpgaprune.ir import Graph
from fpgaprune.quantise.layers import LAYERS, QuantisedInput
from tests.frontend.nets import (
    CLOCK_NS,
    PART,
    conv,
    quantised,
    samples_of,
    signed,
    sparse,
    unsigned,
    windows,
)

S6, U5 = signed(6, 3), unsigned(5, 2)
SYMMETRIC = signed(4, 1, overflow=Overflow.SAT_SYM)
RNG = np.random.default_rng(0)


def exact(model, rng=None):
    """Convert a model, which compares every layer, and compare the outputs once more."""
    samples = samples_of(model, rng or np.random.default_rng(1))
    converted = convert(model, PART, CLOCK_NS, samples)
    (got,) = evaluate(converted.graph, model.quantise_input(samples))
    wanted = model.mantissas(samples)[model.output]
    assert np.array_equal(got, wanted)
    assert len(np.unique(wanted)) > 1
    assert set(converted.names) == set(model.by_name)
    return converted.graph


def kinds(graph):
    return [type(op).__name__ for op in graph.ops]


def classes(model):
    return [each["class_name"] for each in layer_list(model).layers[1:]]


def test_every_kind_of_record_has_a_builder():
    assert {*BUILDERS, QuantisedInput} == set(LAYERS)


CONVS = {
    "image": ((5, 6, 2), windows((3, 2), (2, 1), (1, 1)), 2, 3, 1, "Conv2D"),
    "uneven padding": ((5, 6, 2), windows((2, 3), None, (1, 0), after=(0, 2)), 2, 3, 1, "Conv2D"),
    "sequence": ((7, 3), windows((3,), (2,), (2,)), 3, 2, 1, "Conv1D"),
    "depthwise image": ((4, 5, 3), windows((2, 2), None, (1, 1)), 3, 3, 3, "DepthwiseConv2D"),
    "depthwise sequence": ((6, 2), windows((3,), None, (1,)), 2, 2, 2, "DepthwiseConv1D"),
    "pointwise image": ((3, 4, 3), windows((1, 1)), 3, 2, 1, "Conv2D"),
    "pointwise steps": ((5, 3), windows((1,), (2,)), 3, 2, 1, "Conv1D"),
    "dilated": ((7, 6, 1), windows((3, 2), None, (1, 0), dilation=(2, 3)), 1, 2, 1, "FpgapruneLayer"),
    "groups": ((4, 4, 4), windows((2, 2)), 4, 6, 2, "FpgapruneLayer"),
    "several a channel": ((4, 4, 2), windows((2, 2)), 2, 4, 2, "FpgapruneLayer"),
    "cropped": ((6, 5, 2), windows((2, 2), None, (-1, 0), after=(0, -2)), 2, 2, 1, "FpgapruneLayer"),
}


@pytest.mark.parametrize("requantised", [True, False])
@pytest.mark.parametrize("name", CONVS)
def test_convolutions(name, requantised):
    shape, over, inputs, outputs, groups, kind = CONVS[name]
    layer = conv(RNG, "block.conv", "x", inputs, outputs, over, shape[:-1], groups)
    model = quantised(layer, shape=shape, results={"block.conv": S6} if requantised else {})
    assert classes(model) == [kind]
    graph = exact(model)
    window = [] if name == "pointwise image" else ["Window"]
    assert kinds(graph) == ["Input", *window, "MatVec", *["Requantise"] * requantised]
    (product,) = (op for op in graph.ops if type(op).__name__ == "MatVec")
    assert product.layer == "block.conv"
    assert product.weights.nonzeros == np.count_nonzero(model.by_name["block.conv"].weight)


@pytest.mark.parametrize("positions", [(4,), (2, 3), (2, 2, 2)])
def test_matrices_and_scales_at_positions(positions):
    fc = Linear("fc", "x", sparse(RNG, 4, 3), RNG.normal(size=4), positions=positions)
    bn = Affine("bn", "fc", np.array([0.5, -1.25, 0.0, 2.0]), RNG.normal(size=4), positions=positions)
    model = quantised(fc, bn, shape=(*positions, 3), results={"fc": S6, "bn": S6})
    assert classes(model) == ["FpgapruneLayer" if len(positions) > 2 else "Dense", "BatchNormalization"]
    assert kinds(exact(model)) == ["Input", "MatVec", "Requantise", "MatVec", "Requantise"]


POOLS = {
    "image": ((4, 6, 2), windows((2, 3), (2, 1)), S6, "MaxPooling2D"),
    "padded": ((5, 4, 2), windows((3, 2), (2, 2), (1, 1), after=(1, 0)), S6, "MaxPooling2D"),
    "sequence": ((7, 3), windows((2,), (2,), (1,)), S6, "MaxPooling1D"),
    "padded and unsigned": ((5, 4, 2), windows((2, 2), None, (1, 1)), U5, "FpgapruneLayer"),
    "padded and symmetric": ((4, 2), windows((2,), None, (1,)), SYMMETRIC, "FpgapruneLayer"),
    "dilated": ((7, 2), windows((3,), None, (0,), dilation=(2,)), S6, "FpgapruneLayer"),
}  # fmt: skip


@pytest.mark.parametrize("name", POOLS)
def test_max_pooling(name):
    shape, over, to, kind = POOLS[name]
    pool = MaxPool("pool", "act", over, (*over.positions(shape[:-1]), shape[-1]))
    model = quantised(Clip("act", "x", shape, None, 3.0), pool, shape=shape, results={"act": to})
    assert classes(model)[-1] == kind
    assert kinds(exact(model)) == ["Input", "Requantise", "Window", "Maximum"]


PAIRS = {
    "sum": (lambda: Add("pair", "act", "x", (3, 2)), "Add", "Merge"),
    "difference": (lambda: Add("pair", "act", "x", (3, 2), subtract=True), "Add", "Merge"),
    "difference of one": (lambda: Add("pair", "x", "act", (3, 2), subtract=True), "Add", "Merge"),
    "product": (lambda: Multiply("pair", "act", "x", (3, 2)), "Multiply", "Merge"),
    "square": (lambda: Multiply("pair", "x", "x", (3, 2)), "Multiply", "Merge"),
    "matrices": (lambda: MatMul("pair", "act", "x", (3, 3)), "MatMul", "FpgapruneLayer"),
}


@pytest.mark.parametrize("to", [None, signed(7, 2)])
@pytest.mark.parametrize("name", PAIRS)
def test_pairs(name, to):
    make, op, kind = PAIRS[name]
    act = Clip("act", "x", (3, 2), 0.0, None)
    model = quantised(act, make(), shape=(3, 2), results={"act": U5} | ({"pair": to} if to else {}))
    assert classes(model)[-1] == kind
    assert kinds(exact(model))[2:] == [op, *(["Requantise"] if to else [])]


def test_tables_constants_and_joined_tensors():
    model = quantised(
        Function("tanh", "x", (3, 2), FunctionKind.TANH),
        ConstantLayer("place", RNG.normal(size=(3, 2))),
        Add("shifted", "tanh", "place", (3, 2)),
        Concat("two", ("shifted", "x"), (3, 4)),
        Concat("three", ("two", "x", "two"), (3, 10)),
        shape=(3, 2),
        results={"tanh": signed(7, 6), "place": signed(5, 2), "shifted": signed(8, 4)},
    )
    assert classes(model) == ["FpgapruneLayer"] * 2 + ["Merge", "Concatenate", "FpgapruneLayer"]
    graph = exact(model)
    assert kinds(graph) == ["Input", "Table", "Constant", "Add", "Requantise", "Concat", "Concat"]


def test_the_largest_and_its_place():
    largest = quantised(Maximum("most", "x", (4, 1)), shape=(4, 5))
    assert kinds(exact(largest)) == ["Input", "Maximum"]
    place = quantised(ArgMax("where", "x", (1,)), shape=(5,))
    graph = exact(place)
    assert kinds(graph) == ["Input", "ArgMax"]
    assert graph.tensors["where"].format == unsigned(3, 0, *graph_modes(graph, "where"))


def graph_modes(graph, name):
    to = graph.tensors[name].format
    return to.rounding, to.overflow


GATHERS = {
    "axes": ((2, 3, 4), (4, 2, 3), lambda places: places.transpose(2, 0, 1), ["Transpose"]),
    "two axes": ((3, 4), (4, 3), lambda places: places.T, ["Transpose"]),
    "joined axes": ((2, 3, 4), (24,), lambda places: places.transpose(2, 0, 1), ["Transpose", "FpgapruneReshape"]),
    "slice": ((4, 3), (2, 3), lambda places: places[::2], ["FpgapruneLayer"]),
    "flip": ((4, 3), (4, 3), lambda places: places[::-1], ["FpgapruneLayer"]),
    "repeat": ((2, 3), (4, 3), lambda places: np.tile(places, (2, 1)), ["FpgapruneLayer"]),
}


@pytest.mark.parametrize("name", GATHERS)
def test_wires(name):
    source, shape, moved, kind = GATHERS[name]
    index = moved(np.arange(np.prod(source)).reshape(source)).ravel()
    model = quantised(
        Gather("wires", "x", shape, index), Clip("act", "wires", shape, 0.0, None), shape=source, results={"act": U5}
    )
    assert classes(model) == [*kind, "Activation"]
    assert kinds(exact(model))[1] == "Gather"


def test_wires_at_the_end_and_of_one_channel_are_not_left_to_hls4ml():
    index = np.arange(24).reshape(2, 3, 4).transpose(2, 0, 1).ravel()
    last = quantised(Gather("wires", "x", (24,), index), Reshape("again", "wires", (4, 6)), shape=(2, 3, 4))
    assert classes(last) == ["FpgapruneLayer"]
    exact(last)
    single = quantised(
        Gather("wires", "x", (4, 1, 3), np.arange(12).reshape(1, 3, 4).transpose(2, 0, 1).ravel()), shape=(1, 3, 4)
    )
    assert classes(single) == ["FpgapruneLayer"]
    exact(single)


def test_a_network_for_images_in_the_order_of_its_user():
    rng = np.random.default_rng(3)
    over, pool = windows((3, 3), None, (1, 1)), windows((2, 2), (2, 2))
    flat = np.arange(27).reshape(3, 3, 3).transpose(2, 0, 1).ravel()  # as torch flattens
    model = quantised(
        conv(rng, "conv", "x", 2, 3, over, (6, 6)), Clip("act", "conv", (6, 6, 3), 0.0, None),
        MaxPool("pool", "act", pool, (3, 3, 3)), Gather("flat", "pool", (27,), flat),
        Linear("fc", "flat", sparse(rng, 4, 27), rng.normal(size=4)),
        shape=(6, 6, 2), results={"act": U5}, axes=(1, 2, 0),
    )  # fmt: skip
    samples = samples_of(model, rng)
    assert samples.shape[1:] == (2, 6, 6)
    converted = convert(model, PART, CLOCK_NS, samples)
    (got,) = evaluate(converted.graph, model.quantise_input(samples))
    assert np.array_equal(got, model.mantissas(samples)["fc"])
    assert converted.graph.tensors["flat"].shape == (27,)


def cell(rng, size, *, swap=False):
    """Return an Elman cell with two states, the second of which remembers the first of the step before."""
    states = ("h", "past")
    body = (
        InputLayer("step", (2,)),
        InputLayer("h", (size,)),
        InputLayer("past", (size,)),
        Linear("cell.ih", "step", sparse(rng, size, 2), rng.normal(size=size)),
        Linear("cell.hh", "h", sparse(rng, size, size), np.zeros(size)),
        Add("both", "cell.ih", "cell.hh", (size,)),
        Add("all", "both", "past", (size,), subtract=True),
        Clip("now", "all", (size,), -1.0, 1.0),
    )
    initial = (rng.normal(size=size), rng.normal(size=size))
    return body, states, (("h", "now") if swap else ("now", "h")), initial


RESULTS = {"cell.ih": signed(7, 4), "cell.hh": signed(7, 4), "now": signed(6, 4), "both": signed(8, 4)}


def loop(rng, result=0, *, reverse=False):
    body, states, news, initial = cell(rng, 3)
    return Scan("rnn", "x", (5, 3), body, states, news, initial, result, reverse)


@pytest.mark.parametrize("result", [0, 1])
@pytest.mark.parametrize("reverse", [False, True])
def test_loops(result, reverse):
    model = quantised(loop(np.random.default_rng(4), result, reverse=reverse), shape=(5, 2), results=RESULTS)
    assert classes(model) == ["FpgapruneLayer"]
    graph = exact(model)
    body = graph.producers["rnn"].body
    assert [op.output.name for op in body.inputs] == ["step", "h", "past"]
    assert body.outputs == ("now", "h_state")  # an input that becomes a state is copied
    assert [op.layer for op in body.ops if type(op).__name__ == "MatVec"] == ["cell.ih", "cell.hh"]
    assert {"cell_ih", "cell_hh", "both"} <= set(body.tensors)


def test_one_tensor_can_become_two_states():
    body, states, _, initial = cell(np.random.default_rng(5), 3)
    scan = Scan("rnn", "x", (4, 3), body, states, ("now", "now"), initial)
    graph = exact(quantised(scan, shape=(4, 2), results=RESULTS))
    assert graph.producers["rnn"].body.outputs == ("now", "now_state")


def test_a_loop_inside_a_loop_and_names_that_meet():
    rng = np.random.default_rng(6)
    inner = (InputLayer("in.step", (2,)), InputLayer("in.h", (2,)), Add("in.sum", "in.step", "in.h", (2,)))
    body = (
        InputLayer("step", (3, 2)), InputLayer("rnn_sum", (2,)),
        Scan("in.rnn", "step", (3, 2), inner, ("in.h",), ("in.sum",), (np.ones(2),)),
        Gather("last", "in.rnn", (2,), np.array([4, 5])), Add("in_sum", "last", "rnn_sum", (2,)),
    )  # fmt: skip
    scan = Scan("rnn", "x", (4, 2), body, ("rnn_sum",), ("in_sum",), (rng.normal(size=2),))
    graph = exact(quantised(scan, shape=(4, 3, 2), results={"in.sum": signed(8, 3), "in_sum": signed(9, 3)}))
    nested = graph.producers["rnn"].body.producers["in_rnn"].body
    assert set(nested.tensors).isdisjoint(graph.producers["rnn"].body.tensors)


def test_what_differs_inside_a_loop_is_named():
    rng = np.random.default_rng(4)
    model = quantised(loop(rng), shape=(5, 2), results=RESULTS)
    samples = samples_of(model, rng)
    converted = convert(model, PART, CLOCK_NS, samples)
    scan = converted.graph.producers["rnn"]
    object.__setattr__(scan.body.producers["cell_hh_sum"], "bias", np.array([1, 0, 0]))
    broken = Graph(converted.graph.ops, converted.graph.outputs)
    with pytest.raises(MismatchError, match=r"^cell\.hh: neuron \d+ of sample \d+ is"):
        check(model, broken, samples, converted.names)
