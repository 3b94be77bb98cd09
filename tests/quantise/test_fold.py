"""Folding leaves the function as it is and tells what became of the zeros."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fpgaprune.capture import Add, Affine, BatchNorm, Clip, InputLayer, Linear, Network, trace
from fpgaprune.capture.records import Concat, Conv
from fpgaprune.quantise import FoldReport, fold_batch_norm
from fpgaprune.windows import Windows

RNG = np.random.default_rng(0)


def batch_norm(name, source, size=3, gamma=None):
    values = RNG.normal(size=(3, size))
    return BatchNorm(name, source, values[0] if gamma is None else gamma, values[1], values[2], RNG.random(size), 1e-5)


def linear(name, source, weight=None, bias=None):
    return Linear(
        name,
        source,
        RNG.normal(size=(3, 3)) if weight is None else weight,
        RNG.normal(size=3) if bias is None else bias,
        "w",
        "b",
    )


def network(*layers):
    return Network((InputLayer("x", (3,)), *layers), (layers[-1].name,))


def same_function(before, after):
    x = RNG.normal(size=(10, 3))
    return np.allclose(trace(before, x)[before.output], trace(after, x)[after.output], rtol=1e-12, atol=1e-12)


def test_a_batch_norm_goes_into_the_linear_before_it():
    before = network(
        linear("fc", "x"), batch_norm("bn", "fc"), Clip("relu", "bn", (3,), 0.0, None), linear("out", "relu")
    )
    after, reports = fold_batch_norm(before)
    assert [layer.name for layer in after.layers] == ["x", "fc", "relu", "out"]
    assert after.by_name["relu"].source == "fc"
    assert after.by_name["fc"].weight_name == "w"
    assert same_function(before, after)
    assert reports == (FoldReport("fc", "bn", 9, 9, 3, 3),)
    assert not reports[0].changes_sparsity


def test_a_batch_norm_at_the_end_hands_on_being_the_output():
    before = network(linear("fc", "x"), batch_norm("bn", "fc"))
    after, _ = fold_batch_norm(before)
    assert after.output == "fc"
    assert same_function(before, after)


def test_zeros_that_come_and_go_are_reported():
    weight, bias = np.eye(3), np.array([0.0, 0.0, 1.0])
    gamma = np.array([1.0, 0.0, 2.0])
    before = network(linear("fc", "x", weight, bias), batch_norm("bn", "fc", gamma=gamma))
    after, (report,) = fold_batch_norm(before)
    assert report == FoldReport("fc", "bn", 3, 2, 1, 3)
    assert report.changes_sparsity
    assert same_function(before, after)
    assert FoldReport("fc", "bn", 3, 3, 1, 2).changes_sparsity


def test_what_cannot_be_folded_becomes_an_affine_of_the_same_name():
    shared = network(linear("fc", "x"), batch_norm("bn", "fc"), Clip("relu", "fc", (3,), 0.0, None))
    at_input = network(batch_norm("bn", "x"))
    after_clip = network(linear("fc", "x"), Clip("relu", "fc", (3,), 0.0, None), batch_norm("bn", "relu"))
    twice = network(linear("fc", "x"), batch_norm("one", "fc"), batch_norm("bn", "one"))
    for before in (shared, at_input, after_clip, twice):
        after, reports = fold_batch_norm(before)
        assert isinstance(after.by_name["bn"], Affine)
        assert len(reports) == (before is twice)
        assert same_function(before, after)


def test_a_linear_that_is_the_output_keeps_its_own_result():
    layers = (InputLayer("x", (3,)), linear("fc", "x"), batch_norm("bn", "fc"))
    after, reports = fold_batch_norm(Network(layers, ("fc",)))
    assert not reports
    assert isinstance(after.by_name["bn"], Affine)


def test_a_batch_norm_goes_into_a_convolution_and_all_its_readers_are_renamed():
    weight = RNG.normal(size=(3, 2, 2))
    weight[1] = 0
    image = (
        InputLayer("x", (5, 2)),
        Conv("conv", "x", weight, RNG.normal(size=3), Windows.plain((2,)), 1, (4,)),
        replace(batch_norm("bn", "conv"), positions=(4,)),
        Concat("both", ("bn", "bn"), (4, 6)),
        replace(batch_norm("late", "both", size=6), positions=(4,)),
        Add("sum", "late", "late", (4, 6)),
    )
    before = Network(image, ("sum",))
    after, (report,) = fold_batch_norm(before)
    assert [layer.name for layer in after.layers] == ["x", "conv", "both", "late", "sum"]
    assert after.by_name["both"].parts == ("conv", "conv")
    assert report == FoldReport("conv", "bn", 8, 8, 3, 3)
    x = RNG.normal(size=(3, 5, 2))
    assert np.allclose(trace(before, x)["sum"], trace(after, x)["sum"], rtol=1e-12, atol=1e-12)


def test_weights_that_are_part_of_an_operation_take_in_nothing():
    mean = Linear("mean", "x", np.full((3, 3), 1 / 3), np.zeros(3), trainable=False)
    after, reports = fold_batch_norm(network(mean, batch_norm("bn", "mean")))
    assert not reports
    assert isinstance(after.by_name["bn"], Affine)
