"""A graph that differs anywhere is refused, and the message says where."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fpgaprune.capture import Clip, InputLayer, Linear, Network
from fpgaprune.errors import InputError, MismatchError
from fpgaprune.fixed import Fixed, Overflow, Rounding
from fpgaprune.frontend import check, convert
from fpgaprune.ir import Graph
from fpgaprune.quantise import QuantisedModel
from fpgaprune.quantise.freeze import freeze
from fpgaprune.quantise.plan import Plan
from fpgaprune.sparse import SparseMatrix

INPUT = Fixed(True, 6, 3, Rounding.RND, Overflow.SAT)
WEIGHT = Fixed(True, 5, 3, Rounding.RND_CONV, Overflow.SAT)
RESULT = Fixed(False, 5, 2, Rounding.RND, Overflow.SAT)
RNG = np.random.default_rng(0)
SAMPLES = RNG.normal(size=(50, 3))


@pytest.fixture(scope="module")
def model():
    layers = (
        InputLayer("x", (3,)),
        Linear("fc1", "x", RNG.normal(size=(4, 3)), RNG.normal(size=4)),
        Clip("relu", "fc1", (4,), 0.0, None),
        Linear("fc2", "relu", RNG.normal(size=(2, 4)), RNG.normal(size=2)),
    )
    network = Network(layers, ("fc2",))
    plan = Plan({"x": INPUT, "relu": RESULT}, {"fc1": WEIGHT, "fc2": WEIGHT})
    return QuantisedModel(freeze(network, plan), ("fc2",))


@pytest.fixture(scope="module")
def graph(model):
    return convert(model, "xcu250-figd2104-2L-e", 5.0, SAMPLES).graph


def changed(graph, name, **fields):
    return Graph(tuple(replace(op, **fields) if op.output.name == name else op for op in graph.ops), graph.outputs)


def test_an_equal_graph_passes(model, graph):
    check(model, graph, SAMPLES)


def test_outputs_are_compared_in_their_order(model, graph):
    both = replace(model, outputs=("fc2", "relu"))
    check(both, Graph(graph.ops, ("fc2", "relu")), SAMPLES)
    with pytest.raises(MismatchError, match=r"^fc2: the quantised model has the format"):
        check(both, Graph(graph.ops, ("relu", "fc2")), SAMPLES)
    with pytest.raises(MismatchError, match=r"^the quantised model has 2 outputs, the graph 1$"):
        check(both, graph, SAMPLES)


def perturbed_weight(graph):
    weights = graph.producers["fc2"].weights
    more = weights.weight.copy()
    more[0] += 1
    return changed(graph, "fc2", weights=SparseMatrix(weights.shape, weights.row_start, weights.column, more))


def moved_weight(graph):
    dense = graph.producers["fc1"].weights.dense()
    return changed(graph, "fc1", weights=SparseMatrix.from_dense(dense[:, [1, 0, 2]]))


def perturbed_bias(graph):
    bias = graph.producers["fc1"].bias.copy()
    bias[2] += 1
    return changed(graph, "fc1", bias=bias)


MUTATIONS = {
    "weight": (perturbed_weight, r"^fc2: neuron 0 of sample \d+ is"),
    "column": (moved_weight, "^fc1: neuron 0 of sample 0 is"),
    "bias": (perturbed_bias, "^fc1: neuron 2 of sample 0 is"),
    "clip": (lambda graph: changed(graph, "relu", low=1 << 6), "^relu: neuron"),
    "no clip": (lambda graph: changed(graph, "relu", low=None, high=0), "^relu: neuron"),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_the_first_layer_that_differs_is_named(model, graph, name):
    mutate, message = MUTATIONS[name]
    with pytest.raises(MismatchError, match=message):
        check(model, mutate(graph), SAMPLES)


def test_both_values_are_told_as_mantissa_and_number(model, graph):
    x = np.zeros((1, 3))
    wanted = int(model.mantissas(x)["fc1"][0, 2])
    step = model.formats["fc1"].step
    text = rf"is {wanted} \({wanted * step:g}\) in torch, but {wanted + 1} \({(wanted + 1) * step:g}\) in the graph$"
    with pytest.raises(MismatchError, match=text):
        check(model, perturbed_bias(graph), x)


@pytest.mark.parametrize("rounding", [Rounding.TRN, Rounding.RND_CONV])
def test_another_rounding_mode_is_another_format(model, graph, rounding):
    op = graph.producers["relu"]
    other = replace(op.output, format=replace(RESULT, rounding=rounding))
    with pytest.raises(
        MismatchError, match=rf"^relu: the quantised model has the format .*AP_RND,.* graph .*{rounding.value},"
    ):
        check(model, changed(graph, "relu", output=other), SAMPLES)


def test_layers_that_are_missing_are_noticed(model, graph):
    with pytest.raises(MismatchError, match=r"^relu: the graph has no tensor for this layer"):
        check(model, graph, SAMPLES, {"relu": "gone"})


def test_layers_of_another_size_are_noticed(model, graph):
    with pytest.raises(MismatchError, match=r"^fc1: the quantised model has"):
        check(model, graph, SAMPLES, {"fc1": "fc2"})


def test_samples_that_do_not_fit_are_refused(model, graph):
    with pytest.raises(InputError, match=r"x: the input must have the shape \(samples, 3\)"):
        check(model, graph, SAMPLES[:, :2])
    with pytest.raises(InputError, match=r"checked on at least one sample, not on none"):
        check(model, graph, SAMPLES[:0])
