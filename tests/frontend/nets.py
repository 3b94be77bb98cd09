"""Small quantised models of any kinds of layers."""

from __future__ import annotations

from fpgaprune.capture.network import Network
from fpgaprune.capture.records import Affine, Conv, InputLayer, Linear, Scan
from fpgaprune.fixed import Fixed, Overflow, Rounding
from fpgaprune.quantise import QuantisedModel
from fpgaprune.quantise.freeze import freeze
from fpgaprune.quantise.plan import Plan
from fpgaprune.windows import Windows

PART, CLOCK_NS = "xcu250-figd2104-2L-e", 5.0
WEIGHT = Fixed(True, 5, 3, Rounding.RND_CONV, Overflow.SAT)
SCALE = (1, 2, 4, 3)
"""Fractions of the scales of an Affine, one a channel, again and again."""


def signed(width, fraction, rounding=Rounding.RND, overflow=Overflow.SAT):
    return Fixed(True, width, fraction, rounding, overflow)


def unsigned(width, fraction, rounding=Rounding.RND, overflow=Overflow.SAT):
    return Fixed(False, width, fraction, rounding, overflow)


def quantised(*layers, shape, results=None, axes=()):
    """Return a model of layers that begin at the input ``x``; all weights have the format `WEIGHT`."""
    network = Network((InputLayer("x", shape, axes), *layers), (layers[-1].name,))
    every = list(_every(network.layers))
    weights = {layer.name: WEIGHT for layer in every if isinstance(layer, (Linear, Conv))}
    scales = {layer.name: _scales(layer) for layer in every if isinstance(layer, Affine)}
    plan = Plan({"x": signed(6, 3)} | (results or {}), weights, scales)
    return QuantisedModel(freeze(network, plan), network.outputs)


def _every(layers):
    for layer in layers:
        yield layer
        if isinstance(layer, Scan):
            yield from _every(layer.body)


def _scales(layer):
    return tuple(signed(5, SCALE[place % len(SCALE)], Rounding.RND_CONV) for place in range(len(layer.scale)))


def windows(kernel, stride=None, padding=None, after=None, dilation=None):
    ones, zeros = (1,) * len(kernel), (0,) * len(kernel)
    before = padding or zeros
    return Windows(tuple(kernel), stride or ones, dilation or ones, before, after or before)


def sparse(rng, *shape, density=0.6):
    return rng.normal(size=shape) * (rng.random(shape) < density)


def conv(rng, name, source, inputs, outputs, over, positions, groups=1):
    """Return a convolution of ``inputs`` channels at ``positions`` to ``outputs`` with sparse random weights."""
    weight = sparse(rng, outputs, inputs // groups, *over.kernel)
    return Conv(name, source, weight, rng.normal(size=outputs), over, groups, over.positions(positions))


def samples_of(model, rng, count=40):
    """Return real inputs in the user's order that reach beyond the range of the input's format."""
    layer = model.input
    shape = (
        tuple(layer.shape[layer.axes.index(axis)] for axis in range(len(layer.shape))) if layer.axes else layer.shape
    )
    return rng.normal(size=(count, *shape)) * 3
