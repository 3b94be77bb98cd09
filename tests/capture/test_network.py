"""Networks refuse what does not fit together."""

from __future__ import annotations

import numpy as np
import pytest

from fpgaprune.capture import Add, Affine, BatchNorm, Clip, InputLayer, Linear, Network, Reshape, Where, trace
from fpgaprune.errors import GraphError

X = InputLayer("x", (3,))
FC = Linear("fc", "x", np.arange(6.0).reshape(2, 3), np.ones(2))


def ones(size):
    return np.ones(size)


@pytest.mark.parametrize(
    ("layers", "output", "message"),
    [
        ((X, X), "x", "x: two layers have this name"),
        ((X, Clip("c", "y", (3,), 0, None)), "c", "c: reads 'y', which is no earlier layer"),
        ((Clip("c", "c", (3,), 0, None), X), "x", "c: reads 'c', which is no earlier layer"),
        ((X, InputLayer("y", (3,))), "x", "must have one input, as its first layer, not 2"),
        ((X, FC), "fd", "the network's output 'fd' is no layer"),
        ((InputLayer("x", (0,)),), "x", r"x: a InputLayer of shape \(0,\)"),
        ((X, Linear("f", "x", np.ones((2, 4)), ones(2))), "f", r"f: a Linear of shape \(2,\) cannot read \(3,\)"),
        ((X, Linear("f", "x", np.ones((2, 3)), ones(3))), "f", "f: a Linear"),
        ((X, BatchNorm("b", "x", ones(3), ones(3), ones(3), ones(2), 1e-5)), "b", "b: a BatchNorm"),
        ((X, Affine("a", "x", ones(3), ones(2))), "a", "a: a Affine"),
        ((X, FC, Clip("c", "fc", (3,), 0, None)), "c", r"c: a Clip of shape \(3,\) cannot read \(2,\)"),
        ((X, FC, Add("a", "x", "fc", (3,))), "a", r"a: a Add of shape \(3,\) cannot read \(3,\), \(2,\)"),
        ((X, Reshape("r", "x", (2, 2))), "r", r"r: a Reshape of shape \(2, 2\) cannot read \(3,\)"),
    ],
)
def test_networks_that_do_not_fit_are_refused(layers, output, message):
    with pytest.raises(GraphError, match=message):
        Network(layers, output)


def test_consumers_count_a_layer_once_and_the_output_as_none():
    network = Network((X, FC, Add("twice", "fc", "fc", (2,)), Clip("c", "twice", (2,), 0, None)), "c")
    assert [layer.name for layer in network.consumers["fc"]] == ["twice"]
    assert network.only_consumer("fc") is network.layers[2]
    assert network.only_consumer("c") is None
    assert Network((X, FC, Clip("c", "fc", (2,), 0, None)), "fc").only_consumer("fc") is None


def test_every_layer_computes_what_it_says():
    network = Network(
        (
            X,
            FC,
            BatchNorm(
                "bn", "fc", np.array([2.0, 3.0]), np.array([0.5, 0.0]), np.array([1.0, 2.0]), np.array([3, 0]), 1
            ),
            Affine("affine", "bn", np.array([1.0, -1.0]), np.array([0.0, 10.0])),
            Clip("clip", "affine", (2,), -2.0, 4.5),
            Add("add", "clip", "affine", (2,)),
            Reshape("reshape", "add", (2, 1)),
        ),
        "reshape",
    )
    known = trace(network, np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]]))
    assert known["fc"].tolist() == [[1, 4], [4, 10]]
    assert known["bn"].tolist() == [[0.5, 6], [3.5, 24]]
    assert known["affine"].tolist() == [[0.5, 4], [3.5, -14]]
    assert known["clip"].tolist() == [[0.5, 4], [3.5, -2]]
    assert known["add"].tolist() == [[1, 8], [7, -16]]
    assert known["reshape"].tolist() == [[[1], [8]], [[7], [-16]]]


def test_open_ends_of_a_clip_do_not_limit():
    network = Network((X, Clip("low", "x", (3,), 0.0, None), Clip("high", "x", (3,), None, 0.0)), "low")
    known = trace(network, np.array([[-1.0, 0.0, 2.0]]))
    assert known["low"].tolist() == [[0, 0, 2]]
    assert known["high"].tolist() == [[-1, 0, 0]]


def test_a_place_is_told_with_the_file_name_alone():
    assert str(Where("block.fc", "/home/me/model.py", 12)) == "block.fc (model.py:12)"
    assert str(Where()) == "the model itself"


def test_weights_are_copied_and_cannot_be_written():
    weight = np.ones((2, 3))
    layer = Linear("fc", "x", weight, ones(2))
    weight[:] = 7
    assert layer.weight.max() == 1
    with pytest.raises(ValueError, match=r"read-only"):
        layer.weight[0, 0] = 2
