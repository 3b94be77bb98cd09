"""Mantissas, exact accumulators, and sums that are too wide for the reference."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from fpgaprune.capture import Add, Affine, BatchNorm, Clip, InputLayer, Linear, Network, Reshape
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
from fpgaprune.errors import FormatError, GraphError
from fpgaprune.fixed import Fixed, Overflow, Rounding
from fpgaprune.quantise import QuantisedLinear
from fpgaprune.quantise.freeze import freeze
from fpgaprune.quantise.plan import Plan
from fpgaprune.windows import Windows

X = InputLayer("x", (2,))
U2 = Fixed(False, 2, 1, Rounding.RND, Overflow.SAT)  # 0, 0.5, 1, 1.5
S3 = Fixed(True, 3, 1, Rounding.RND, Overflow.SAT)  # -2…1.5
W4 = Fixed(True, 4, 2, Rounding.RND_CONV, Overflow.SAT)  # -2…1.75


def frozen(*layers, results=None, weights=None, scales=None):
    plan = Plan({"x": U2} | (results or {}), weights or {}, scales or {})
    return {layer.name: layer for layer in freeze(Network((X, *layers), (layers[-1].name,)), plan)}


def test_weights_round_to_even_and_saturate_and_biases_align_with_the_products():
    weight = np.array([[0.375, -9.0], [0.125, 0.874]])
    layer = frozen(Linear("fc", "x", weight, np.array([0.3, -5.0])), weights={"fc": W4})["fc"]
    assert layer.weight.tolist() == [[2, -8], [0, 3]]
    assert layer.bias.tolist() == [2, -40]  # in eighths: one bit of the input, two of the weights
    assert layer.accumulator.fraction == 3
    assert layer.format == layer.accumulator
    assert not layer.requantises


@pytest.mark.parametrize("source", [U2, S3])
def test_accumulators_are_as_wide_as_the_reachable_sums_need(source):
    weight, bias = np.array([[1.75, -0.5], [0.0, 0.0], [-2.0, -2.0]]), np.array([0.25, -3.0, 0.0])
    layers = frozen(Linear("fc", "x", weight, bias), results={"x": source}, weights={"fc": W4})
    layer = layers["fc"]
    inputs = itertools.product(range(source.low, source.high + 1), repeat=2)
    sums = [layer.weight @ np.array(x) + layer.bias for x in inputs]
    low, high = int(np.min(sums)), int(np.max(sums))
    assert layer.accumulator == Fixed(True, 1, 3).with_range(low, high)


def test_scales_have_a_step_of_their_own_in_one_wide_format():
    scales = tuple(Fixed(True, 3, fraction, Rounding.RND_CONV, Overflow.SAT) for fraction in (4, 0))
    layer = frozen(Affine("a", "x", np.array([0.19, 2.6]), np.array([1.0, 0.0])), scales={"a": scales})["a"]
    assert layer.scale.tolist() == [3, 3 << 4]
    assert layer.scale_format.fraction == 4
    assert layer.scale_format.holds(3, 48)
    assert layer.bias.tolist() == [32, 0]
    assert layer.accumulator == Fixed(False, 8, 5)  # 32…41 and 0…144


@pytest.mark.parametrize(
    ("low", "high", "mantissas", "reached"),
    [
        (0.0, None, (0, None), (0, 7)),
        (-0.3, 0.8, (-1, 2), (-1, 2)),
        (-0.25, 0.75, (0, 2), (0, 2)),  # half to even
        (0.25, 0.25, (0, 0), (0, 0)),
        (3.0, None, (6, None), (6, 7)),
        (9.0, None, (18, None), (18, 18)),
        (-1e30, 1e30, (None, None), (-7, 7)),
    ],
)
def test_the_ends_of_a_clip_lie_on_the_grid_of_its_input(low, high, mantissas, reached):
    source = Fixed(True, 4, 1, Rounding.RND, Overflow.SAT_SYM)  # -7…7
    layer = frozen(Clip("c", "x", (2,), low, high), results={"x": source})["c"]
    assert (layer.low, layer.high) == mantissas
    assert layer.format == source.with_range(*reached)
    assert not layer.requantises


def test_a_result_of_its_own_makes_a_clip_requantise():
    layer = frozen(Clip("c", "x", (2,), 0.0, None), results={"c": U2})["c"]
    assert layer.requantises
    assert layer.format == U2


def test_sums_align_to_the_finer_step_and_reshapes_keep_the_format():
    coarse = Fixed(True, 3, -1, Rounding.RND, Overflow.SAT)
    layers = frozen(
        Linear("fc", "x", np.eye(2), np.zeros(2)), Add("s", "fc", "x", (2,)), Reshape("r", "s", (2, 1)),
        results={"fc": coarse}, weights={"fc": W4},
    )  # fmt: skip
    assert layers["fc"].requantises
    assert layers["s"].accumulator == Fixed(True, 1, 1).with_range((-4 << 2) + 0, (3 << 2) + 3)
    assert layers["r"].format == layers["s"].format


WIDE = Fixed(True, 32, 0, Rounding.RND, Overflow.SAT)


@pytest.mark.parametrize(
    ("layers", "name"),
    [
        ((Linear("fc", "x", np.full((1, 2), 2.0**30), np.zeros(1)),), "fc"),
        ((Linear("fc", "x", np.zeros((1, 2)), np.full(1, 2.0**60)),), "fc"),
        ((Affine("fc", "x", np.full(2, 2.0**30), np.zeros(2)),), "fc"),
        ((Clip("c", "x", (2,), 1e30, None),), "c"),
        ((Multiply("m", "x", "x", (2,)),), "m"),
        ((Reshape("r", "x", (1, 2)), MatMul("p", "r", "r", (1, 1))), "p"),
    ],
    ids=["linear", "bias", "affine", "clip", "product", "products"],
)
def test_sums_beyond_53_bits_are_refused(layers, name):
    with pytest.raises(FormatError, match=f"^{name}: its sums may need .* exact up to 53; lower the weight_bits of '"):
        frozen(*layers, results={"x": WIDE}, weights={"fc": WIDE}, scales={"fc": (WIDE, WIDE)})


def test_differences_reach_as_far_as_both_sides():
    layer = frozen(
        Linear("fc", "x", np.eye(2), np.zeros(2)), Add("s", "x", "fc", (2,), subtract=True),
        results={"fc": S3}, weights={"fc": W4},
    )["s"]  # fmt: skip
    assert layer.subtract
    assert layer.accumulator == Fixed(True, 1, 1).with_range(0 - 3, 3 + 4)


@pytest.mark.parametrize(("source", "low", "high"), [(U2, 0, 9), (S3, -12, 16)])
def test_products_reach_the_corners_of_both_formats(source, low, high):
    layers = frozen(
        Multiply("m", "x", "x", (2,)), Reshape("r", "x", (1, 2)), MatMul("p", "r", "r", (1, 1)), results={"x": source}
    )
    assert layers["m"].accumulator == layers["m"].format == Fixed(True, 1, 2).with_range(low, high)
    assert layers["p"].accumulator == layers["p"].format == Fixed(True, 1, 2).with_range(2 * low, 2 * high)
    mixed = frozen(
        Linear("fc", "x", np.eye(2), np.zeros(2)),
        Multiply("m", "x", "fc", (2,)),
        results={"fc": S3},
        weights={"fc": W4},
    )
    assert mixed["m"].accumulator == Fixed(True, 1, 2).with_range(3 * -4, 3 * 3)


def test_a_convolution_accumulates_the_taps_of_its_group():
    weight = np.array([[[1.0, -0.5]], [[0.25, 0.0]]])  # two groups of one channel
    windows = Windows((2,), (1,), (1,), (1,), (0,))
    layers = frozen(
        Reshape("r", "x", (1, 2)), Conv("c", "r", weight, np.array([0.0, 0.125]), windows, 2, (1,)), weights={"c": W4}
    )
    conv = layers["c"]
    assert conv.weight.tolist() == [[[4, -2]], [[1, 0]]]
    assert conv.matrix.tolist() == [[4, 0, -2, 0], [0, 1, 0, 0]]
    assert conv.accumulator == Fixed(True, 1, 3).with_range(-2 * 3, 4 * 3)
    assert (conv.windows, conv.groups, conv.positions) == (windows, 2, (1,))


def test_layers_that_pass_values_on_keep_the_format():
    layers = frozen(
        Gather("g", "x", (3, 2), np.array([0, 1, 1, 0, 0, 0])), MaxPool("p", "g", Windows.plain((2,)), (2, 2)),
        Maximum("m", "p", (2, 1)), ArgMax("i", "p", (2, 1)), ArgMax("one", "m", (2, 1)),
    )  # fmt: skip
    assert layers["g"].format == layers["p"].format == layers["m"].format == U2
    assert layers["i"].format == layers["one"].format == Fixed(False, 1, 0)
    wide = frozen(Gather("g", "x", (9,), np.zeros(9, np.int64)), ArgMax("i", "g", (1,)))
    assert wide["i"].format == Fixed(False, 4, 0)


def test_joined_tensors_have_a_format_for_all():
    coarse = Fixed(True, 3, -1, Rounding.RND, Overflow.SAT)
    layers = frozen(
        Linear("fc", "x", np.eye(2), np.zeros(2)), Concat("same", ("x", "x"), (4,)), Concat("both", ("x", "fc"), (4,)),
        results={"fc": coarse}, weights={"fc": W4},
    )  # fmt: skip
    assert layers["same"].format == U2
    assert layers["both"].format == Fixed(True, 1, 1).with_range(-4 << 2, 3 << 2)


def test_constants_saturate_and_must_be_finite():
    layers = frozen(ConstantLayer("k", np.array([0.3, -9.0])), Add("s", "x", "k", (2,)), results={"k": S3})
    assert layers["k"].values.tolist() == [1, -4]
    with pytest.raises(FormatError, match=r"^k: a constant must be finite; write a number that is large enough"):
        frozen(ConstantLayer("k", np.array([0.0, -np.inf])), Add("s", "x", "k", (2,)), results={"k": S3})


def test_a_function_has_a_table_of_the_whole_word():
    symmetric = Fixed(True, 3, 1, Rounding.RND, Overflow.SAT_SYM)
    for source, low in ((S3, -4), (symmetric, -3), (U2, 0)):
        layer = frozen(Function("f", "x", (2,), FunctionKind.TANH), results={"x": source, "f": W4})["f"]
        assert layer.low == low
        assert layer.values.tolist() == [round(np.tanh(m / 2) * 4) for m in range(low, source.high + 1)]
    with pytest.raises(
        FormatError, match=r"^f: a table for the 17 bits of 'x' would be too long; lower the activation"
    ):
        frozen(Function("f", "x", (2,), FunctionKind.TANH), results={"x": Fixed(True, 17, 0), "f": W4})


def test_a_state_has_the_format_of_what_becomes_it():
    body = (
        InputLayer("step", (2,)),
        InputLayer("h", (2,)),
        Add("s", "step", "h", (2,)),
        Gather("mirror", "s", (2,), np.array([1, 0])),
    )
    scan = Scan("scan", "r", (1, 2), body, ("h",), ("mirror",), (np.array([9.0, -0.5]),), reverse=True)
    layer = frozen(Reshape("r", "x", (1, 2)), scan, results={"s": S3})["scan"]
    assert [inner.format for inner in layer.body] == [U2, S3, S3, S3]
    assert layer.body[2].accumulator == Fixed(True, 1, 1).with_range(0 - 4, 3 + 3)
    assert layer.initial[0].tolist() == [3, -1]
    assert layer.format == S3
    assert layer.reverse


def test_sums_that_reach_far_apart_are_refused():
    fine = Fixed(True, 8, 50, Rounding.RND, Overflow.SAT)
    with pytest.raises(FormatError, match=r"^s: its sums may need"):
        frozen(
            Linear("fc", "x", np.eye(2), np.zeros(2)), Add("s", "fc", "x", (2,)),
            results={"x": WIDE, "fc": fine}, weights={"fc": W4},
        )  # fmt: skip


def test_exactly_53_bits_are_taken():
    weight = np.full((1, 2), 2.0**21)
    to = Fixed(True, 23, 0, Rounding.RND_CONV, Overflow.SAT)
    layer = frozen(Linear("fc", "x", weight, np.zeros(1)), results={"x": WIDE}, weights={"fc": to})["fc"]
    assert layer.accumulator.width == 54  # -2**53 … 2**53 - 2**22
    with pytest.raises(FormatError, match=r"^fc: its sums may need 55 bits"):
        frozen(Linear("fc", "x", weight, -np.ones(1)), results={"x": WIDE}, weights={"fc": to})


def test_a_batch_norm_must_be_folded_before():
    ones = np.ones(2)
    with pytest.raises(TypeError, match=r"bn: fold batch normalisation before quantising"):
        frozen(BatchNorm("bn", "x", ones, ones, ones, ones, 1e-5))


def test_records_refuse_arrays_that_do_not_fit():
    good = {"weight": np.ones((2, 2), np.int64), "bias": np.ones(2, np.int64)}
    for wrong in ({"weight": np.ones((2, 2))}, {"bias": np.ones(3, np.int64)}):
        arrays = good | wrong
        with pytest.raises(GraphError, match=f"^{next(iter(wrong))} must hold int64 of shape"):
            QuantisedLinear("fc", "x", arrays["weight"], W4, arrays["bias"], W4, W4)


def test_records_are_equal_by_value():
    first, second = (frozen(Linear("fc", "x", np.eye(2), np.ones(2)), weights={"fc": W4})["fc"] for _ in range(2))
    other = frozen(Linear("fc", "x", np.eye(2), np.zeros(2)), weights={"fc": W4})["fc"]
    assert first == second
    assert first != other
    assert first != frozen(Clip("fc", "x", (2,), 0.0, None))["fc"]
    assert not first.weight.flags.writeable
