"""The trainable network: gradients, masks, and its weights back as a network."""

from __future__ import annotations

import numpy as np
import torch

from fpgaprune.capture import Add, Affine, Clip, InputLayer, Linear, Network, Reshape, trace
from fpgaprune.fixed import Fixed, Overflow, Rounding
from fpgaprune.prune import Masks, prunable
from fpgaprune.quantise import QuantisedNetwork
from fpgaprune.quantise.plan import Plan
from fpgaprune.quantise.steps import keep_dead

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
        "sum",
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
    module = QuantisedNetwork(Network(layers, "clip"), Plan({"x": coarse}))
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
