"""The trainable network: gradients, masks, and its weights back as a network."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fpgaprune.capture import Add, Affine, Clip, InputLayer, Linear, Network, Reshape, trace
from fpgaprune.capture.records import Concat, Conv, Function, FunctionKind, Gather, MaxPool, Multiply, Scan
from fpgaprune.digits import signed_digits
from fpgaprune.fixed import Fixed, Overflow, Rounding
from fpgaprune.prune import Data, Masks, TrainSettings, prunable, train
from fpgaprune.quantise import QuantisedModel, QuantisedNetwork, QuantiseRecipe
from fpgaprune.quantise.freeze import freeze
from fpgaprune.quantise.plan import Plan, make_plan
from fpgaprune.quantise.report import LayerSparsity, sparsity_of
from fpgaprune.quantise.steps import keep_dead
from fpgaprune.windows import Windows
from tests.quantise.integers import integers

RNG = np.random.default_rng(0)
FINE = Fixed(True, 24, 16, Rounding.RND, Overflow.SAT)


def fine_network():
    """A network of every kind of layer, and formats so fine that it computes nearly real numbers."""
    weight = RNG.normal(size=(4, 6))
    weight[1:3] = 0
    network = Network(
        (
            InputLayer("x", (2, 3)),
            Reshape("flat", "x", (6,)),
            Linear("fc", "flat", weight, np.array([1.0, 0.0, 0.5, 0.0])),
            Clip("clip", "fc", (4,), -0.5, 2.0),
            Affine("affine", "clip", np.array([1.0, 0.0, -2.0, 0.5]), RNG.normal(size=4)),
            Add("sum", "affine", "clip", (4,)),
        ),
        ("sum",),
    )
    plan = Plan({"x": FINE, "clip": FINE, "affine": FINE}, {"fc": FINE}, {"affine": (FINE,) * 4})
    return network, plan


def test_on_fine_grids_it_computes_what_the_network_does():
    network, plan = fine_network()
    x = RNG.normal(size=(5, 2, 3))
    got = QuantisedNetwork(network, plan).trace(torch.tensor(x))
    for name, expected in trace(network, x).items():
        assert np.allclose(got[name].detach().numpy(), expected, atol=1e-3), name


def test_the_ends_of_a_clip_lie_on_the_grid_while_training_too():
    layers = (InputLayer("x", (1,)), Clip("clip", "x", (1,), -0.3, 0.8))
    coarse = Fixed(True, 6, 1, Rounding.RND, Overflow.SAT)
    module = QuantisedNetwork(Network(layers, ("clip",)), Plan({"x": coarse}))
    assert module(torch.tensor([[-5.0], [5.0]])).tolist() == [[-0.5], [1.0]]


def test_gradients_reach_every_parameter():
    network, plan = fine_network()
    module = QuantisedNetwork(network, plan).float()
    module(torch.randn(32, 2, 3)).square().sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in module.parameters())
    assert all(parameter.dtype == torch.float32 for parameter in module.parameters())


def test_masks_find_the_weights_of_linear_layers():
    module = QuantisedNetwork(*fine_network())
    assert list(prunable(module)) == ["steps.2.weight"]
    assert Masks.of_nonzeros(module).nonzeros("steps.2.weight") == 12


def test_dead_neurons_and_dead_scales_stay_dead():
    module = QuantisedNetwork(*fine_network())
    zero = keep_dead(module)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.fill_(1.0)
    zero(module)
    assert module.steps[2].bias.tolist() == [1, 0, 1, 1]  # 2 had a bias, 3 has inputs
    assert module.steps[4].scale.tolist() == [1, 0, 1, 1]


def test_weights_come_back_as_a_network():
    network, plan = fine_network()
    module = QuantisedNetwork(network, plan)
    with torch.no_grad():
        module.steps[2].weight.mul_(2)
        module.steps[4].bias.fill_(7.0)
    changed = module.network()
    assert np.array_equal(changed.by_name["fc"].weight, 2 * network.by_name["fc"].weight)
    assert changed.by_name["affine"].bias.tolist() == [7.0] * 4
    assert [layer.name for layer in changed.layers] == [layer.name for layer in network.layers]


def sparse(*shape):
    """Weights, half of which are zero, the first output among them."""
    weights = RNG.normal(size=shape) * (RNG.random(shape) < 0.5)
    weights[0] = 0
    return weights


def conv_network():
    """Two convolutions, max pooling, average pooling and a classifier of images (8, 8, 1)."""
    windows = Windows((3, 3), (1, 1), (1, 1), (1, 1), (1, 1))
    mean = np.full((4, 1, 2, 2), 0.25)
    layers = (
        InputLayer("x", (8, 8, 1), (1, 2, 0)),
        Conv("conv1", "x", sparse(4, 1, 3, 3), np.zeros(4), windows, 1, (8, 8)),
        Clip("relu1", "conv1", (8, 8, 4), 0.0, None),
        MaxPool("max", "relu1", Windows((2, 2), (2, 2), (1, 1), (0, 0), (0, 0)), (4, 4, 4)),
        Conv("conv2", "max", sparse(4, 2, 3, 3), np.zeros(4), windows, 2, (4, 4)),
        Clip("relu2", "conv2", (4, 4, 4), 0.0, None),
        Conv("mean", "relu2", mean, np.zeros(4), Windows((2, 2), (2, 2), (1, 1), (0, 0), (0, 0)), 4, (2, 2),
             trainable=False),
        Reshape("flat", "mean", (16,)),
        Linear("head", "flat", sparse(2, 16), np.zeros(2)),
    )  # fmt: skip
    return Network(layers, ("head",)), (1, 8, 8)


def lstm_network():
    """An LSTM of four units over five steps, and a classifier of its last state."""
    gates = ("i", "f", "g", "o")
    parts = [
        layer
        for number, gate in enumerate(gates)
        for layer in (
            Gather(gate, "sum", (4,), np.arange(4) + 4 * number),
            Clip(f"{gate}.index", gate, (4,), None, None),
            Function(f"{gate}.f", f"{gate}.index", (4,), FunctionKind.TANH if gate == "g" else FunctionKind.SIGMOID),
        )
    ]
    body = (
        InputLayer("step", (3,)), InputLayer("h", (4,)), InputLayer("c", (4,)),
        Concat("both", ("step", "h"), (7,)),
        Linear("gates", "both", sparse(16, 7), np.zeros(16)),
        Clip("sum", "gates", (16,), None, None),
        *parts,
        Multiply("kept", "f.f", "c", (4,)), Multiply("new", "i.f", "g.f", (4,)), Add("c'", "kept", "new", (4,)),
        Clip("c.index", "c'", (4,), None, None), Function("c.f", "c.index", (4,), FunctionKind.TANH),
        Multiply("h'", "o.f", "c.f", (4,)),
    )  # fmt: skip
    layers = (
        InputLayer("x", (5, 3)),
        Scan("lstm", "x", (5, 4), body, ("h", "c"), ("h'", "c'"), (np.zeros(4), np.zeros(4))),
        Gather("last", "lstm", (4,), np.arange(16, 20)),
        Linear("head", "last", sparse(2, 4), np.zeros(2)),
    )
    return Network(layers, ("head",)), (5, 3)


def classes(shape):
    x = RNG.normal(size=(128, *shape)).astype(np.float32)
    y = (x.reshape(len(x), -1)[:, 0] > 0).astype(np.int64)
    return Data.from_arrays(x, y, x, y, batch_size=32)


TRAINABLE = {conv_network: ["conv1", "conv2", "head"], lstm_network: ["gates", "head"]}


@pytest.mark.parametrize("build", TRAINABLE)
def test_training_on_the_grid_moves_weights_and_keeps_zeros_zero(build):
    network, shape = build()
    data = classes(shape)
    x = data.test_arrays()[0]
    plan = make_plan(network, trace(network, x), QuantiseRecipe())
    module = QuantisedNetwork(network, plan).float()
    settings = TrainSettings(epochs=2, learning_rate=1e-2)
    masks = Masks.of_nonzeros(module)
    history = train(module, data, settings, masks=masks, after_step=keep_dead(module), progress=False)
    trained = module.network()
    assert history.records[-1].loss < history.records[0].loss
    for name in TRAINABLE[build]:
        before, after = network.by_name[name], trained.by_name[name]
        assert not np.array_equal(before.weight, after.weight)
        assert not after.weight[before.weight == 0].any()
        assert after.bias[0] == 0
        assert after.bias[1] != 0
    for layer in network.every_layer:
        if not getattr(layer, "trainable", True):
            assert np.array_equal(layer.weight, trained.by_name[layer.name].weight)
    model = QuantisedModel(freeze(trained, plan), ("head",))
    expected = integers(model, model.quantise_input(x))
    assert all(np.array_equal(values, expected[name]) for name, values in model.mantissas(x).items())


@pytest.mark.parametrize("build", TRAINABLE)
def test_masks_and_reports_know_the_weights_of_convolutions_and_loops_alone(build):
    network, shape = build()
    plan = make_plan(network, trace(network, RNG.normal(size=(20, *shape))), QuantiseRecipe())
    names = TRAINABLE[build]
    weights = [network.by_name[name].weight for name in names]
    assert [mask.shape for mask in Masks.full(QuantisedNetwork(network, plan)).values()] == [w.shape for w in weights]
    layers = freeze(network, plan)
    after = QuantisedModel(layers, ("head",)).by_name
    assert sparsity_of(network, layers) == tuple(
        LayerSparsity(
            name,
            weight.size,
            np.count_nonzero(weight),
            np.count_nonzero(after[name].weight),
            signed_digits(after[name].weight).sum(),
        )
        for name, weight in zip(names, weights, strict=True)
    )


def test_the_gradient_of_a_table_is_that_of_its_function_where_the_result_does_not_saturate():
    layers = (InputLayer("x", (4,)), Function("f", "x", (4,), FunctionKind.EXP))
    fine, small = Fixed(True, 12, 8, Rounding.RND, Overflow.SAT), Fixed(False, 8, 6, Rounding.RND, Overflow.SAT)
    module = QuantisedNetwork(Network(layers, "f"), Plan({"x": fine, "f": small}))
    x = torch.tensor([[0.0, -1.0, 1.0, 3.0]], dtype=torch.float64, requires_grad=True)
    module(x).sum().backward()
    assert module(x).tolist() == [[1.0, 24 / 64, 174 / 64, 255 / 64]]
    assert torch.allclose(x.grad, torch.tensor([[1.0, np.exp(-1.0), np.exp(1.0), 0.0]], dtype=torch.float64))


def test_a_difference_is_taken_in_its_order():
    layers = (
        InputLayer("x", (2,)),
        Clip("relu", "x", (2,), 0.0, None),
        Add("d", "x", "relu", (2,), subtract=True),
    )
    module = QuantisedNetwork(Network(layers, "d"), Plan({"x": FINE}))
    assert module(torch.tensor([[-3.0, 2.0]])).tolist() == [[-3.0, 0.0]]
