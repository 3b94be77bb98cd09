"""A model that hls4ml's own Keras frontend reads arrives exactly."""

from __future__ import annotations

import os

import numpy as np
import pytest

from fpgaprune.evaluate import evaluate
from fpgaprune.fixed import Fixed, from_float, requantise
from fpgaprune.frontend import snapshot
from fpgaprune.frontend.quiet import quiet
from fpgaprune.intervals import verify

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # in Keras itself

WEIGHT, BIAS = Fixed.parse("ap_fixed<6,2,AP_RND,AP_SAT>"), Fixed.parse("ap_fixed<8,3,AP_RND,AP_SAT>")
ACTIVATION, LOGITS = Fixed.parse("ap_ufixed<6,3,AP_RND,AP_SAT>"), Fixed.parse("ap_fixed<10,5,AP_RND,AP_SAT>")
INPUT = Fixed.parse("ap_fixed<7,3>")


@pytest.fixture(scope="module")
def keras():
    os.environ.setdefault("KERAS_BACKEND", "torch")  # Keras asks once, when it is imported
    return pytest.importorskip("keras")


@pytest.fixture(scope="module")
def model(keras):
    keras.utils.set_random_seed(0)
    layers = keras.layers
    return keras.Sequential([
        layers.Input((6, 6, 2), name="x"),
        layers.Conv2D(3, 3, strides=2, padding="same", activation="relu", name="conv", bias_initializer="normal"),
        layers.MaxPooling2D(2, strides=1, name="pool"),
        layers.Flatten(name="flat"),
        layers.Dense(4, name="fc", bias_initializer="normal"),
    ])  # fmt: skip


@pytest.fixture(scope="module")
def graph(model):
    from hls4ml.converters import convert_from_keras_model  # after Keras

    weights = {"weight": str(WEIGHT), "bias": str(BIAS), "result": "ap_fixed<24,12>"}
    types = {"x": {"result": str(INPUT)}, "conv": weights, "conv_relu": {"result": str(ACTIVATION)}}
    types |= {"pool": {"result": str(ACTIVATION)}, "flat": {"result": str(ACTIVATION)}}
    types["fc"] = weights | {"result": str(LOGITS)}
    names = {name: {"Precision": each} for name, each in types.items()}
    config = {"Model": {"Precision": "ap_fixed<16,6>", "ReuseFactor": 1}, "LayerName": names}
    with quiet():
        return snapshot(convert_from_keras_model(model, hls_config=config, backend="Vitis", output_dir="unwritten"))


def test_a_keras_model_computes_the_same_integers(model, graph):
    verify(graph)
    rng = np.random.default_rng(0)
    x = rng.integers(INPUT.low, INPUT.high + 1, (50, 6, 6, 2))
    (got,) = evaluate(graph, x)
    assert np.array_equal(got, expected(model, x))
    assert len(np.unique(got)) > 20


def expected(model, x):
    (kernel, bias), (matrix, offset) = (
        (from_float(weight, WEIGHT), from_float(bias, BIAS))
        for weight, bias in (model.get_layer(name).get_weights() for name in ("conv", "fc"))
    )
    padded = np.pad(x, ((0, 0), (0, 1), (0, 1), (0, 0)))  # Keras pads the end first
    taps = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))[:, ::2, ::2]
    sums = np.einsum("srcmkl,klmo->srco", taps, kernel) + (bias << (INPUT.fraction + WEIGHT.fraction - BIAS.fraction))
    acts = requantise(sums.clip(min=0), INPUT.fraction + WEIGHT.fraction, ACTIVATION)
    pooled = np.lib.stride_tricks.sliding_window_view(acts, (2, 2), axis=(1, 2)).max(axis=(-2, -1))
    shift = ACTIVATION.fraction + WEIGHT.fraction - BIAS.fraction
    return requantise(pooled.reshape(len(x), -1) @ matrix + (offset << shift), shift + BIAS.fraction, LOGITS)
