"""Random networks and plans for property tests, drawn from a seed so that one number repeats a failure."""

from __future__ import annotations

import numpy as np

from fpgaprune.capture import Add, Affine, Clip, InputLayer, Linear, Network, Reshape
from fpgaprune.capture.records import Conv
from fpgaprune.fixed import Fixed, Overflow, Rounding
from fpgaprune.quantise.freeze import freeze
from fpgaprune.quantise.model import QuantisedModel
from fpgaprune.quantise.plan import Plan, result_bits
from fpgaprune.quantise.recipe import QuantiseRecipe

CLIPS = ((0.0, None), (0.0, 6.0), (0.0, 1.0), (-1.0, 1.0), (-0.3, 0.8), (None, 0.5), (0.25, None), (None, None))


def random_weights(rng, shape):
    """Weights of any sparsity, some rows and columns all zero, some layers empty."""
    weights = rng.normal(size=shape) * (rng.random(shape) < rng.choice([0.0, 0.2, 0.6, 1.0]))
    weights[rng.random(shape[0]) < 0.2] = 0
    if len(shape) == 2:
        weights[:, rng.random(shape[1]) < 0.2] = 0
    return weights


class Builder:
    """Grows a network layer by layer."""

    def __init__(self, rng):
        self.rng = rng
        shape = tuple(int(size) for size in rng.integers(1, 5, size=rng.integers(1, 3)))
        self.layers = [InputLayer("x", shape)]

    def add(self, kind):
        """Append a layer of a kind to the last one, or to another of the same shape."""
        rng, last, name = self.rng, self.layers[-1], f"{kind}.{len(self.layers)}"
        if kind in ("fc", "affine") and len(last.shape) != 1:
            kind = "reshape"
        size = int(np.prod(last.shape))
        if kind == "fc":
            shape = (int(rng.integers(1, 7)), size)
            layer = Linear(name, last.name, random_weights(rng, shape), random_weights(rng, shape[:1]))
        elif kind == "affine":
            layer = Affine(
                name, last.name, random_weights(rng, (size,)) * 2.0 ** rng.integers(-6, 6), rng.normal(size=size)
            )
        elif kind == "clip":
            layer = Clip(name, last.name, last.shape, *CLIPS[rng.integers(len(CLIPS))])
        elif kind == "add":
            same = [layer.name for layer in self.layers if layer.shape == last.shape]
            layer = Add(name, last.name, str(rng.choice(same)), last.shape)
        else:
            layer = Reshape(name, last.name, (size,) if len(last.shape) > 1 else (1, size))
        self.layers.append(layer)


def random_network(rng):
    """Up to eight layers, the last of which is the output."""
    builder = Builder(rng)
    for kind in rng.choice(["fc", "fc", "clip", "clip", "affine", "add", "reshape"], size=rng.integers(1, 9)):
        builder.add(str(kind))
    return Network(tuple(builder.layers), (builder.layers[-1].name,))


def random_format(rng, signed):
    width = int(rng.integers(1, 9))
    overflow = rng.choice([Overflow.SAT, Overflow.SAT_SYM])
    return Fixed(signed, width, int(rng.integers(-2, width + 3)), rng.choice(list(Rounding)), overflow)


def random_plan(rng, network):
    """Formats of any width, fraction and mode in the places where a plan has them."""
    places = result_bits(network, QuantiseRecipe(output_bits=8 if rng.integers(2) else None))
    results = {name: random_format(rng, bool(rng.integers(2))) for name in places}
    weighted = [layer for layer in network.every_layer if isinstance(layer, (Linear, Conv))]
    weights = {layer.name: random_format(rng, True) for layer in weighted}
    scales = {}
    for layer in network.every_layer:
        if isinstance(layer, Affine):
            one = random_format(rng, True)
            fractions = one.fraction + rng.integers(0, 4, size=len(layer.scale))
            scales[layer.name] = tuple(
                Fixed(True, one.width, int(fraction), one.rounding, one.overflow) for fraction in fractions
            )
    return Plan(results, weights, scales)


def random_model(seed):
    """A quantised model and inputs that reach beyond the range of its input."""
    rng = np.random.default_rng(seed)
    network = random_network(rng)
    plan = random_plan(rng, network)
    quantised = QuantisedModel(freeze(network, plan), network.outputs)
    step = quantised.input.format.step
    samples = rng.normal(size=(20, *network.input.shape)) * step * 2.0 ** rng.integers(0, 9)
    return quantised, samples
