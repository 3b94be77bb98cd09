"""Networks refuse what does not fit together."""

from __future__ import annotations

import numpy as np
import pytest

from fpgaprune.capture import (
    Add,
    Affine,
    ArgMax,
    BatchNorm,
    Clip,
    Concat,
    ConstantLayer,
    Conv,
    Function,
    FunctionKind,
    Gather,
    InputLayer,
    Linear,
    MatMul,
    Maximum,
    MaxPool,
    Multiply,
    Network,
    Reshape,
    Scan,
    Where,
    trace,
)
from fpgaprune.errors import GraphError
from fpgaprune.windows import Windows

X = InputLayer("x", (3,))
IMAGE = InputLayer("x", (4, 4, 2))
PAIRS = Windows.plain((2, 2))
FC = Linear("fc", "x", np.arange(6.0).reshape(2, 3), np.ones(2))


STEPS = InputLayer("x", (4, 2))


def ones(size):
    return np.ones(size)


def conv(weight, positions=(3, 3), groups=1):
    return Conv("c", "x", weight, ones(len(weight)), PAIRS, groups, positions)


def scan(**changes):
    """A sum of all steps so far, each clipped at zero."""
    body = (
        InputLayer("step", (2,)),
        InputLayer("h", (2,)),
        Clip("positive", "step", (2,), 0.0, None),
        Add("new", "positive", "h", (2,)),
    )
    fields = {"shape": (4, 2), "state_names": ("h",), "new_states": ("new",), "initial": (np.array([10.0, 20.0]),)}
    return Scan("s", "x", body=body, **{**fields, **changes})


@pytest.mark.parametrize(
    ("layers", "output", "message"),
    [
        ((X, X), "x", "x: two layers have this name"),
        ((X, Clip("c", "y", (3,), 0, None)), "c", "c: reads 'y', which is no earlier layer"),
        ((Clip("c", "c", (3,), 0, None), X), "x", "c: reads 'c', which is no earlier layer"),
        ((X, FC, InputLayer("y", (3,))), "x", "must have at least one input, and its inputs as its first layers"),
        ((X, FC), "fd", "the network's output 'fd' is no layer"),
        ((InputLayer("x", (0,)),), "x", r"x: a InputLayer of shape \(0,\)"),
        ((X, Linear("f", "x", np.ones((2, 4)), ones(2))), "f", r"f: a Linear of shape \(2,\) cannot read \(3,\)"),
        ((X, Linear("f", "x", np.ones((2, 3)), ones(3))), "f", "f: a Linear"),
        ((X, BatchNorm("b", "x", ones(3), ones(3), ones(3), ones(2), 1e-5)), "b", "b: a BatchNorm"),
        ((X, Affine("a", "x", ones(3), ones(2))), "a", "a: a Affine"),
        ((X, FC, Clip("c", "fc", (3,), 0, None)), "c", r"c: a Clip of shape \(3,\) cannot read \(2,\)"),
        ((X, FC, Add("a", "x", "fc", (3,))), "a", r"a: a Add of shape \(3,\) cannot read \(3,\), \(2,\)"),
        ((X, Reshape("r", "x", (2, 2))), "r", r"r: a Reshape of shape \(2, 2\) cannot read \(3,\)"),
        ((InputLayer("x", (2, 3), (0, 0)),), "x", r"x: a InputLayer of shape \(2, 3\)"),
        ((X, ConstantLayer("c", np.ones((0, 3)))), "x", "c: a ConstantLayer"),
        ((IMAGE, Linear("f", "x", np.ones((2, 2)), ones(2), positions=(2, 8))), "f", "f: a Linear"),
        ((IMAGE, conv(np.ones((2, 1, 2, 2)))), "c", r"c: a Conv of shape \(3, 3, 2\) cannot read \(4, 4, 2\)"),
        ((IMAGE, conv(np.ones((2, 2, 2, 3)))), "c", "c: a Conv"),
        ((IMAGE, conv(np.ones((2, 2, 2, 2)), positions=(4, 3))), "c", "c: a Conv"),
        ((IMAGE, conv(np.ones((3, 1, 2, 2)), groups=2)), "c", "c: a Conv"),
        ((X, conv(np.ones((2, 3, 2, 2)))), "c", "c: a Conv"),
        ((IMAGE, MaxPool("m", "x", PAIRS, (2, 2, 2))), "m", "m: a MaxPool"),
        ((IMAGE, MaxPool("m", "x", PAIRS, (3, 3, 1))), "m", "m: a MaxPool"),
        ((IMAGE, Maximum("m", "x", (4, 4, 2))), "m", "m: a Maximum"),
        ((IMAGE, ArgMax("m", "x", (4, 1))), "m", "m: a ArgMax"),
        ((IMAGE, Function("f", "x", (4, 4), FunctionKind.EXP)), "f", "f: a Function"),
        ((X, FC, Multiply("m", "x", "fc", (3,))), "m", "m: a Multiply"),
        ((IMAGE, MatMul("m", "x", "x", (4, 4, 2))), "m", "m: a MatMul"),
        ((X, MatMul("m", "x", "x", (1,))), "m", "m: a MatMul"),
        ((X, Gather("g", "x", (2,), np.array([0, 3]))), "g", "g: a Gather"),
        ((X, Gather("g", "x", (2,), np.array([0, -1]))), "g", "g: a Gather"),
        ((X, Gather("g", "x", (2,), np.array([0]))), "g", "g: a Gather"),
        ((X, FC, Concat("c", ("x", "fc"), (4,))), "c", "c: a Concat"),
        ((X, Reshape("r", "x", (3, 1)), Concat("c", ("r", "x"), (3, 4))), "c", "c: a Concat"),
        ((STEPS, scan(new_states=("y",))), "s", "s: the inputs of its body must be one step and its states"),
        ((STEPS, scan(state_names=("z",))), "s", "s: the inputs of its body must be one step and its states"),
        ((STEPS, scan(initial=(ones(3),))), "s", r"s: a Scan of shape \(4, 2\) with states"),
        ((STEPS, scan(shape=(3, 2))), "s", r"s: a Scan of shape \(3, 2\) with states .* cannot read \(4, 2\)"),
        ((STEPS, scan(result=1)), "s", "s: a Scan"),
        ((X, scan()), "s", "s: a Scan"),
        ((STEPS, Clip("h", "x", (4, 2), None, None), scan()), "s", "h: two layers have this name"),
        ((STEPS, scan(), scan()), "s", "two layers have this name"),
        ((STEPS, scan(), Clip("c", "new", (2,), 0, None)), "c", "c: reads 'new', which is no earlier layer"),
    ],
)
def test_networks_that_do_not_fit_are_refused(layers, output, message):
    with pytest.raises(GraphError, match=message):
        Network(layers, (output,))


def test_consumers_count_a_layer_once_and_the_output_as_none():
    network = Network((X, FC, Add("twice", "fc", "fc", (2,)), Clip("c", "twice", (2,), 0, None)), ("c",))
    assert [layer.name for layer in network.consumers["fc"]] == ["twice"]
    assert network.only_consumer("fc") is network.layers[2]
    assert network.only_consumer("c") is None
    assert Network((X, FC, Clip("c", "fc", (2,), 0, None)), ("fc",)).only_consumer("fc") is None


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
        ("reshape",),
    )
    known = trace(network, np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]]))
    assert known["fc"].tolist() == [[1, 4], [4, 10]]
    assert known["bn"].tolist() == [[0.5, 6], [3.5, 24]]
    assert known["affine"].tolist() == [[0.5, 4], [3.5, -14]]
    assert known["clip"].tolist() == [[0.5, 4], [3.5, -2]]
    assert known["add"].tolist() == [[1, 8], [7, -16]]
    assert known["reshape"].tolist() == [[[1], [8]], [[7], [-16]]]


def test_open_ends_of_a_clip_do_not_limit():
    network = Network((X, Clip("low", "x", (3,), 0.0, None), Clip("high", "x", (3,), None, 0.0)), ("low",))
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


def test_a_scan_keeps_its_state_and_shows_every_step():
    network = Network((STEPS, scan()), ("s",))
    x = np.array([[[1.0, -1.0], [2.0, 0.0], [-3.0, 4.0], [0.0, 5.0]], np.zeros((4, 2))])
    known = trace(network, x)
    assert known["s"][0].tolist() == [[11, 20], [13, 20], [13, 24], [13, 29]]
    assert known["s"][1].tolist() == [[10, 20]] * 4
    assert known["new"].tolist() == [*known["s"][0].tolist(), *known["s"][1].tolist()]
    assert known["step"].tolist() == [*x[0].tolist(), *x[1].tolist()]
    assert known["h"][:4].tolist() == [[10, 20], [11, 20], [13, 20], [13, 24]]


def test_a_scan_in_reverse_leaves_results_at_their_places():
    known = trace(Network((STEPS, scan(reverse=True)), ("s",)), np.array([[[1.0, 0], [2, 0], [3, 0], [4, 0]]]))
    assert known["s"][0, :, 0].tolist() == [20, 19, 17, 14]


def test_layers_in_bodies_belong_to_the_network():
    network = Network((STEPS, scan(), Reshape("flat", "s", (8,))), ("flat",))
    assert [layer.name for layer in network.every_layer] == ["x", "step", "h", "positive", "new", "s", "flat"]
    assert network.by_name["positive"] is network.every_layer[3]
    assert [layer.name for layer in network.consumers["step"]] == ["positive"]
    assert network.only_consumer("positive").name == "new"
    assert network.only_consumer("new") is None
    assert network.leaving == {"flat", "new"}


def test_the_users_order_of_axes_becomes_that_of_the_input():
    network = Network((InputLayer("x", (2, 4, 3), (1, 2, 0)), Gather("last", "x", (1,), np.array([23]))), ("last",))
    x = np.arange(24.0).reshape(1, 3, 2, 4)
    known = trace(network, x)
    assert np.array_equal(known["x"], x.transpose(0, 2, 3, 1))
    assert known["last"].tolist() == [[23]]


def test_windows_crop_and_pad_as_they_say():
    windows = Windows((2,), (1,), (2,), (-1,), (1,))
    layers = (
        InputLayer("x", (4, 1)),
        Conv("sum", "x", np.ones((1, 1, 2)), np.array([0.5]), windows, 1, (2,)),
        MaxPool("max", "x", windows, (2, 1)),
    )
    known = trace(Network(layers, ("sum",)), np.array([[[-8.0], [-1.0], [-2.0], [-4.0]]]))
    assert known["sum"].tolist() == [[[-4.5], [-1.5]]]
    assert known["max"].tolist() == [[[-1], [-2]]]
