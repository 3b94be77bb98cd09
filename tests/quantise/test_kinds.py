"""Every kind of layer: the float64 module equals integer arithmetic, and a stored model comes back the same."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fpgaprune.capture import Network, trace
from fpgaprune.capture.records import Clip, Function, FunctionKind, InputLayer, Linear, Scan
from fpgaprune.fixed import Overflow
from fpgaprune.quantise import QuantisedModel, QuantiseRecipe, load, save
from fpgaprune.quantise.freeze import freeze
from fpgaprune.quantise.layers import LAYERS
from fpgaprune.quantise.plan import make_plan
from tests.quantise.integers import integers
from tests.quantise.kinds import KINDS, random_inputs, random_model_of_every_kind, random_network
from tests.quantise.nets import random_plan


def same_integers(model, x):
    expected = integers(model, model.quantise_input(x))
    got = model.mantissas(x)
    assert got.keys() == expected.keys() == model.formats.keys()
    for name, values in got.items():
        assert np.array_equal(values, expected[name]), name
    assert np.array_equal(model.forward(x), model.trace(x)[model.output])


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=60)
def test_the_module_computes_what_integers_do(seed):
    same_integers(*random_model_of_every_kind(seed))


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_alone_computes_what_integers_do(kind):
    for seed in range(8):
        rng = np.random.default_rng(seed)
        network = random_network(rng, (kind,))
        model = QuantisedModel(freeze(network, random_plan(rng, network)), network.outputs)
        same_integers(model, random_inputs(rng, model))


def test_the_random_networks_are_of_every_kind():
    layers = (layer for seed in range(40) for layer in random_model_of_every_kind(seed)[0].by_name.values())
    assert set(Counter(type(layer) for layer in layers)) == set(LAYERS)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_stored_model_comes_back_the_same(tmp_path, seed):
    model, x = random_model_of_every_kind(seed)
    save(model, tmp_path / "model", force=True)
    loaded = load(tmp_path / "model")
    save(loaded, tmp_path / "again", force=True)
    for path in (tmp_path / "model").iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()
    for name, layer in loaded.by_name.items():
        if hasattr(layer, "initial"):  # tuples of arrays have no == of their own
            assert all(map(np.array_equal, layer.initial, model.by_name[name].initial))
        else:
            assert layer == model.by_name[name]
    assert np.array_equal(loaded.forward(x), model.forward(x))


@pytest.mark.parametrize("overflow", [Overflow.SAT, Overflow.SAT_SYM])
def test_a_planned_recurrent_net_is_exact_and_close(overflow):
    model, network, x = recurrent(
        QuantiseRecipe(weight_bits=12, input_bits=12, function_bits=12, output_bits=10, overflow=overflow)
    )
    same_integers(model, x)
    expected = trace(network, x)
    assert np.abs(model.forward(x) - expected["scan"]).max() < 0.01
    assert model.formats["scan"].width == model.formats["f"].width == model.formats["h"].width == 10
    assert model.formats["index"].width == 12


def recurrent(recipe):
    rng = np.random.default_rng(0)
    body = (
        InputLayer("step", (6,)),
        InputLayer("h", (3,)),
        Linear("ih", "step", rng.normal(size=(3, 6)), np.zeros(3)),
        Clip("index", "ih", (3,), None, None),
        Function("f", "index", (3,), FunctionKind.TANH),
    )
    scan = Scan("scan", "x", (4, 3), body, ("h",), ("f",), (np.array([-1.0, 0.0, 0.5]),))
    network = Network((InputLayer("x", (4, 6)), scan), ("scan",))
    x = rng.normal(size=(50, 4, 6))
    return QuantisedModel(freeze(network, make_plan(network, trace(network, x), recipe)), ("scan",)), network, x
