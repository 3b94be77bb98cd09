"""Models with several inputs and several outputs."""

# ruff: noqa: ARG005  # every forward pass takes the module and all inputs, whether or not it needs them
from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from fpgaprune.capture import Affine, InputLayer, Linear, Network, capture, trace
from fpgaprune.errors import GraphError, InputError, UnsupportedError


class Written(nn.Module):
    """A few modules, and a function that says how they are used."""

    def __init__(self, written) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.fc, self.head = nn.Linear(6, 4), nn.Linear(4, 3)
        self.conv = nn.Conv2d(3, 2, 3)
        self.written = written

    def forward(self, x, *others):
        return self.written(self, x, *others)


class Named(nn.Module):
    def forward(self, image, scale, bias=None):
        return image.mean((2, 3)) * scale + (0 if bias is None else bias)


VECTOR, OTHER, IMAGE = torch.randn(3, 6), torch.randn(3, 4), torch.randn(3, 3, 5, 5)


def outputs_of(network, x):
    """Return what the captured network computes for inputs of any type."""
    known = trace(network, tuple(part.double().numpy() for part in x))
    return [known[name] for name in network.outputs]


def check(module, *x):
    """Capture a module and compare each output, for other inputs than it was read with."""
    network = capture(module.eval(), x)
    rest = tuple(torch.randn(5, *part.shape[1:]) for part in x)
    with torch.no_grad():
        wanted = module.double()(*(part.double() for part in rest))
    tensors = [each for each in torch.utils._pytree.tree_leaves(wanted) if each is not None]
    for got, want in zip(outputs_of(network, rest), tensors, strict=True):
        assert got.shape == want.shape
        assert np.allclose(got, want.numpy(), atol=1e-9)
    return network


def test_inputs_bear_the_names_of_the_parameters_in_the_order_of_the_call():
    network = check(Named(), IMAGE, torch.randn(3, 3), torch.randn(3, 1))
    assert [layer.name for layer in network.inputs] == ["image", "scale", "bias"]
    assert network.layers[:3] == network.inputs
    assert [layer.name for layer in check(Named(), IMAGE, torch.randn(3, 3)).inputs] == ["image", "scale"]


def test_inputs_without_names_are_numbered():
    network = check(Written(lambda m, x, *more: m.fc(x) - more[0] * more[1]), VECTOR, OTHER, OTHER)
    assert [layer.name for layer in network.inputs] == ["x", "others_0", "others_1"]


def test_weights_keep_their_names_with_several_inputs():
    network = check(Written(lambda m, x, y: m.head(m.fc(x) + y)), VECTOR, OTHER)
    linear = [layer for layer in network.layers if isinstance(layer, Linear)]
    assert [(layer.name, layer.weight_name, layer.bias_name) for layer in linear] == [
        ("fc", "fc.weight", "fc.bias"),
        ("head", "head.weight", "head.bias"),
    ]
    assert linear[0].where.file == __file__


def test_each_input_has_its_own_order_in_memory():
    network = check(Written(lambda m, x, y: (m.conv(x), m.fc(y))), IMAGE, VECTOR)
    assert [(layer.shape, layer.axes) for layer in network.inputs] == [((5, 5, 3), (1, 2, 0)), ((6,), ())]


def test_an_input_that_nothing_reads_stays():
    network = check(Written(lambda m, x, unread, y: m.fc(x) + y), VECTOR, IMAGE, OTHER)
    assert [layer.shape for layer in network.inputs] == [(6,), (3, 5, 5), (4,)]
    assert not network.consumers["others_0"]


OUTPUTS = {
    "tuple": lambda m, x: (m.fc(x), x * 2.0),
    "list": lambda m, x: [m.fc(x), m.head(m.fc(x))],
    "dict": lambda m, x: {"z": m.fc(x), "nothing": None, "a": x + 1.0},
    "nested": lambda m, x: (m.fc(x), [None, {"b": m.fc(x).relu()}]),
    "twice": lambda m, x: (lambda y: (y, y))(m.fc(x)),
    "view of another": lambda m, x: (lambda y: (y, y.reshape(-1, 2, 2), y.flip(1)))(m.fc(x)),
    "input": lambda m, x: (m.fc(x), x),
    "read inside": lambda m, x: (lambda y: (y, m.head(y)))(m.fc(x)),
    "with a constant": lambda m, x: (lambda y: (y, y + m.head.weight[0], y * 3.0))(m.fc(x)),
    "scaled twice": lambda m, x: (lambda y: (y, y * 3.0, (y * 3.0) + 1.0))(x * 2.0),
    "class": lambda m, x: (lambda y: {"scores": y, "class": y.argmax(1)})(m.fc(x)),
    "masked": lambda m, x: (lambda y: (y, y.softmax(1)))(m.fc(x)),
}


@pytest.mark.parametrize("name", OUTPUTS)
def test_every_output_comes_out_in_the_order_of_the_model(name):
    check(Written(OUTPUTS[name]), VECTOR)


def test_an_output_is_not_changed_for_what_reads_it():
    network = check(Written(OUTPUTS["with a constant"]), VECTOR)
    assert network.outputs[0] == "fc"
    assert [type(layer) for layer in network.layers] == [InputLayer, Linear, Affine, Affine]


def test_equal_outputs_are_one_layer():
    assert check(Written(OUTPUTS["twice"]), VECTOR).outputs == ("fc", "fc")
    assert check(Written(OUTPUTS["input"]), VECTOR).outputs == ("fc", "x")


def test_a_layer_made_for_an_output_bears_its_key():
    module = Written(lambda m, x: {"first": m.conv(x), "more": [m.conv(x)[:, 0], m.conv(x)[:, 1]]})
    assert check(module, IMAGE).outputs == ("first", "select", "select_2")
    assert check(Written(lambda m, x: (m.conv(x), m.conv(x).relu())), IMAGE).outputs == ("output_0", "output_1")


def test_one_output_in_a_tuple_is_the_only_one():
    network = check(Written(lambda m, x: (m.fc(x), None)), VECTOR)
    assert network.output == "fc"


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (lambda m, x: (m.fc(x), m.fc.weight.new_ones(2, 3)), "the output_1 of the model does not depend on its input"),
        (lambda m, x: {"a": m.fc(x), "b": torch.ones(2)}, "the b of the model does not depend on its input"),
        (lambda m, x: (m.fc(x), x.sum()), r"must return one result a sample, not shape \(\) for 2 samples"),
        (lambda m, x: (m.fc(x), x - x.mean(0)), "the captured network differs from the model"),
    ],
)
def test_each_output_must_be_fit_for_hardware(written, message):
    with pytest.raises(UnsupportedError, match=message):
        capture(Written(written), VECTOR)


@pytest.mark.parametrize(
    ("example", "message"),
    [
        ((VECTOR, OTHER.long()), r"^the example's input 1 must be a tensor of floats .* type int64; convert"),
        ((VECTOR, [1.0]), r"^the example's input 1 must be a tensor of floats .* not list"),
        ((VECTOR, OTHER[:0]), r"^the example's input 1 must hold at least one sample"),
        ((VECTOR, OTHER[:2]), r"^the inputs of the example must have one number of samples, not 3, 2"),
        ((VECTOR, IMAGE), r"does not run on inputs of shape \(2, 6\) and type float32; shape \(2, 3, 5, 5\)"),
        (VECTOR, r"missing 1 required positional argument"),
    ],
)
def test_inputs_that_do_not_fit_are_named(example, message):
    with pytest.raises(InputError, match=message):
        capture(Written(lambda m, x, y: m.fc(x) + y), example) if isinstance(example, tuple) else capture(
            nn.Bilinear(6, 6, 2), example
        )


def test_a_wrong_output_is_named(monkeypatch):
    from fpgaprune.capture import api

    def wrong(network, x):
        return {name: values + (name == "head") for name, values in trace(network, x).items()}

    monkeypatch.setattr(api, "trace", wrong)
    with pytest.raises(UnsupportedError, match=r"^the captured network differs from the model by 1 in 'head'; either"):
        capture(Written(OUTPUTS["read inside"]), VECTOR)


X, Y = InputLayer("x", (3,)), InputLayer("y", (2,))
FC = Linear("fc", "x", np.ones((2, 3)), np.zeros(2))


def test_a_network_knows_its_inputs_and_outputs():
    network = Network((X, Y, FC), ("fc", "y", "fc"))
    assert network.inputs == (X, Y)
    assert network.leaving == {"fc", "y"}
    with pytest.raises(GraphError, match=r"the network has 2 inputs, not one; use `inputs`"):
        _ = network.input
    with pytest.raises(GraphError, match=r"the network has 3 outputs, not one; use `outputs`"):
        _ = network.output


@pytest.mark.parametrize(
    ("layers", "outputs", "message"),
    [
        ((X, FC, Y), ("fc",), "must have at least one input, and its inputs as its first layers"),
        ((X, FC), (), "must have at least one output"),
        ((X, FC), ("fc", "fd"), "the network's output 'fd' is no layer"),
    ],
)
def test_networks_without_ends_are_refused(layers, outputs, message):
    with pytest.raises(GraphError, match=message):
        Network(layers, outputs)
