"""Mantissas, exact accumulators, and sums that are too wide for the reference."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from fpgaprune.capture import Add, Affine, BatchNorm, Clip, InputLayer, Linear, Network, Reshape
from fpgaprune.errors import FormatError, GraphError
from fpgaprune.fixed import Fixed, Overflow, Rounding
from fpgaprune.quantise import QuantisedLinear
from fpgaprune.quantise.freeze import freeze
from fpgaprune.quantise.plan import Plan

X = InputLayer("x", (2,))
U2 = Fixed(False, 2, 1, Rounding.RND, Overflow.SAT)  # 0, 0.5, 1, 1.5
S3 = Fixed(True, 3, 1, Rounding.RND, Overflow.SAT)  # -2…1.5
W4 = Fixed(True, 4, 2, Rounding.RND_CONV, Overflow.SAT)  # -2…1.75


def frozen(*layers, results=None, weights=None, scales=None):
    plan = Plan({"x": U2} | (results or {}), weights or {}, scales or {})
    return {layer.name: layer for layer in freeze(Network((X, *layers), layers[-1].name), plan)}


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
    ],
    ids=["linear", "bias", "affine", "clip"],
)
def test_sums_beyond_53_bits_are_refused(layers, name):
    with pytest.raises(FormatError, match=f"^{name}: its sums may need .* exact up to 53; lower the weight_bits of '"):
        frozen(*layers, results={"x": WIDE}, weights={"fc": WIDE}, scales={"fc": (WIDE, WIDE)})


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
