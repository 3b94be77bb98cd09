"""Random networks through hls4ml and back: integers equal float64 torch, layer by layer."""

from __future__ import annotations

import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from fpgaprune.capture import Add, InputLayer, Linear, Network, Reshape
from fpgaprune.errors import MismatchError
from fpgaprune.evaluate import evaluate
from fpgaprune.fixed import Fixed, Overflow, Rounding
from fpgaprune.frontend import convert, layer_list, model_graph, snapshot
from fpgaprune.ir import Graph, MatVec
from fpgaprune.prune import Data, PruneRecipe, TrainSettings, prune
from fpgaprune.quantise import QuantisedModel, QuantiseRecipe, quantise
from fpgaprune.quantise.freeze import freeze
from fpgaprune.quantise.plan import Plan
from tests.quantise.nets import random_model

PART, CLOCK_NS = "xcu250-figd2104-2L-e", 5.0


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=150)
def test_any_network_computes_the_same_in_integers(seed):
    model, samples = random_model(seed)
    converted = convert(model, PART, CLOCK_NS, samples)
    (got,) = evaluate(converted.graph, model.quantise_input(samples))
    assert np.array_equal(got, model.mantissas(samples)[model.output])
    assert set(converted.names) == set(model.by_name)
    assert all(op.weights.nonzeros == np.count_nonzero(op.weights.dense()) for op in matvecs(converted.graph))


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 20), max_size=4))
@settings(max_examples=60)
def test_any_layers_can_be_outputs(seed, picked):
    """Inputs, what other layers read, reshapes, and the same one twice."""
    single, samples = random_model(seed)
    names = [layer.name for layer in single.layers]
    model = replace(single, outputs=(*(names[place % len(names)] for place in picked), single.output))
    graph = convert(model, PART, CLOCK_NS, samples).graph
    wanted = model.mantissas(samples)
    for name, got in zip(model.outputs, evaluate(graph, model.quantise_input(samples)), strict=True):
        assert np.array_equal(got, wanted[name])
    assert not set(graph.outputs) & {op.output.name for op in graph.inputs}


def test_inputs_stay_in_their_order_and_one_that_nothing_reads_stays():
    to = Fixed(True, 6, 3, Rounding.RND, Overflow.SAT)
    layers = (
        InputLayer("z", (2, 3)),
        InputLayer("unread", (4,)),
        InputLayer("a", (6,)),
        Reshape("flat", "z", (6,)),
        Add("sum", "flat", "a", (6,)),
        Reshape("square", "sum", (3, 2)),
    )
    outputs = ("square", "flat", "z", "sum")
    plan = Plan(dict.fromkeys(("z", "unread", "a"), to))
    model = QuantisedModel(freeze(Network(layers, outputs), plan), outputs)
    samples = tuple(np.random.default_rng(0).normal(size=(20, *layer.shape)) for layer in model.inputs)
    graph = convert(model, PART, CLOCK_NS, samples).graph
    assert [op.output.name for op in graph.inputs] == ["z", "unread", "a"]
    assert [graph.tensors[name].shape for name in graph.outputs] == [(3, 2), (6,), (2, 3), (6,)]
    wanted = model.mantissas(samples)
    for name, got in zip(outputs, evaluate(graph, *model.quantise_input(samples)), strict=True):
        assert np.array_equal(got, wanted[name])


def matvecs(graph):
    return [op for op in graph.ops if isinstance(op, MatVec)]


class Net(nn.Module):
    """Every kind of layer that a module can be captured from."""

    def __init__(self):
        super().__init__()
        self.bn0 = nn.BatchNorm1d(12)
        self.fc1 = nn.Linear(12, 10)
        self.bn1 = nn.BatchNorm1d(10)
        self.fc2 = nn.Linear(10, 10, bias=False)
        self.bn2 = nn.BatchNorm1d(10)
        self.act = nn.Hardtanh(-0.3, 1.2)
        self.head = nn.Linear(10, 4)

    def forward(self, x):
        x = self.bn0(x.flatten(1))
        x = torch.relu(self.bn1(self.fc1(x)))
        x = self.act(self.fc2(x) + x)
        x = self.bn2(torch.nn.functional.relu6(x @ self.fc2.weight.t())) + x
        return self.head(x).unflatten(1, (2, 2))


@pytest.fixture(scope="module")
def trained():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 3, 4)).astype(np.float32)
    y = rng.normal(size=(200, 2, 2)).astype(np.float32)
    data = Data.from_arrays(x, y, x, y)
    torch.manual_seed(0)
    once = TrainSettings(epochs=1)
    pruned = prune(Net(), data, PruneRecipe(sparsity=0.8, fine_tune=once), progress=False)
    recipe = QuantiseRecipe(weight_bits=5, activation_bits=6, fine_tune=once)
    return pruned, quantise(pruned, data, recipe, progress=False), x


def test_a_pruned_module_arrives_whole(trained):
    pruned, model, x = trained
    converted = convert(model, PART, CLOCK_NS, x)
    (got,) = evaluate(converted.graph, model.quantise_input(x))
    assert got.shape == (200, 2, 2)
    assert np.array_equal(got, model.mantissas(x)[model.output])
    assert converted.names["head"] == "head"
    assert converted.graph.outputs == ("head_out",)
    stored = {op.layer: op.weights.nonzeros for op in matvecs(converted.graph)}
    assert list(stored) == ["bn0", "fc1", "fc2", "linear", "bn2", "head"]
    for name in ("fc1", "fc2", "head"):
        assert 0 < stored[name] <= pruned.masks.nonzeros(f"{name}.weight")


def test_nothing_comes_out_of_a_graph_that_failed(trained, monkeypatch):
    _, model, x = trained

    def broken(*arguments):
        graph = snapshot(*arguments)
        op = next(op for op in matvecs(graph) if op.layer == "fc2")
        return Graph(tuple(replace(op, bias=op.bias + 1) if each is op else each for each in graph.ops), graph.outputs)

    monkeypatch.setattr(sys.modules[convert.__module__], "snapshot", broken)
    with pytest.raises(MismatchError, match=r"^fc2: neuron \d+ of sample \d+ is"):
        convert(model, PART, CLOCK_NS, x)


def test_stdout_stays_clean(trained, capfd):
    _, model, x = trained
    convert(model, PART, CLOCK_NS, x)
    assert capfd.readouterr() == ("", "")


def test_a_model_is_converted_twice_to_the_same_graph(trained):
    _, model, x = trained
    first, second = (convert(model, PART, CLOCK_NS, x).graph for _ in range(2))
    assert [op.output for op in first.ops] == [op.output for op in second.ops]
    for ours, theirs in zip(matvecs(first), matvecs(second), strict=True):
        assert np.array_equal(ours.weights.dense(), theirs.weights.dense())
        assert np.array_equal(ours.bias, theirs.bias)


def test_ten_million_places_with_a_million_weights_take_seconds():
    rng = np.random.default_rng(0)
    size = 3200
    weight = np.zeros(size * size)
    weight[rng.choice(size * size, 1_000_000, replace=False)] = rng.normal(size=1_000_000)
    network = Network(
        (InputLayer("x", (size,)), Linear("fc", "x", weight.reshape(size, size), np.zeros(size))),
        ("fc",),
    )
    to = Fixed(True, 8, 4, Rounding.RND_CONV, Overflow.SAT)
    model = QuantisedModel(freeze(network, Plan({"x": to}, {"fc": to})), ("fc",))
    start = time.process_time()
    graph = snapshot(model_graph(layer_list(model), PART, CLOCK_NS))
    assert time.process_time() - start < 10
    assert graph.ops[1].weights.nonzeros == np.count_nonzero(model.by_name["fc"].weight)
