"""From real weights and a plan to integer mantissas with exact accumulators."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import assert_never

from fpgaprune.capture.records import Add, Affine, BatchNorm, Clip, FloatArray, InputLayer, Layer, Linear, Reshape
from fpgaprune.errors import FormatError
from fpgaprune.fixed import Fixed, IntArray, bounds, from_float
from fpgaprune.quantise.layers import (
    QuantisedAdd,
    QuantisedAffine,
    QuantisedClip,
    QuantisedInput,
    QuantisedLayer,
    QuantisedLinear,
    QuantisedReshape,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fpgaprune.capture.network import Network
    from fpgaprune.quantise.plan import Plan

EXACT_BITS = 53
"""Integers up to 2**53 are exact in float64 (IEEE 754), so every order of additions gives the same sum."""


def freeze(network: Network, plan: Plan) -> tuple[QuantisedLayer, ...]:
    """Return the layers with weights and biases rounded onto their grids and saturated.

    Accumulators are as wide as the actual weights need for any input of its format.

    Raises:
        FormatError: a sum may exceed 53 bits, beyond which the float64 reference is not exact.
    """
    formats: dict[str, Fixed] = {}
    layers = []
    for layer in network.layers:
        layers.append(_frozen(layer, plan, formats))
        formats[layer.name] = layers[-1].format
    return tuple(layers)


def _frozen(layer: Layer, plan: Plan, formats: Mapping[str, Fixed]) -> QuantisedLayer:
    result = plan.results.get(layer.name)
    match layer:
        case InputLayer():
            return QuantisedInput(layer.name, layer.shape, plan.results[layer.name])
        case Linear():
            return _linear(layer, plan.weights[layer.name], formats[layer.source], result)
        case Affine():
            return _affine(layer, plan.scales[layer.name], formats[layer.source], result)
        case Clip():
            return _clip(layer, formats[layer.source], result)
        case Add():
            return _add(layer, formats[layer.left], formats[layer.right], result)
        case Reshape():
            return QuantisedReshape(layer.name, layer.source, layer.shape, formats[layer.source])
        case BatchNorm():
            msg = f"{layer.name}: fold batch normalisation before quantising"
            raise TypeError(msg)
        case _:
            assert_never(layer)


def _linear(layer: Linear, to: Fixed, source: Fixed, result: Fixed | None) -> QuantisedLinear:
    weight, bias = from_float(layer.weight, to), _bias(layer.name, layer.bias, source.fraction + to.fraction)
    positive, negative = (part.sum(axis=1, dtype=np.int64) for part in (weight.clip(min=0), weight.clip(max=0)))
    accumulator = _accumulator(layer.name, positive, negative, bias, source, to.fraction)
    return QuantisedLinear(layer.name, layer.source, weight, to, bias, accumulator, result or accumulator)


def _affine(layer: Affine, scales: tuple[Fixed, ...], source: Fixed, result: Fixed | None) -> QuantisedAffine:
    fractions = np.array([to.fraction for to in scales])
    finest = int(fractions.max())
    whole = from_float(np.ldexp(layer.scale, fractions), replace(scales[0], fraction=0))
    scale: IntArray = whole << (finest - fractions)
    to = replace(scales[0], fraction=finest).with_range(*bounds(scale))
    bias = _bias(layer.name, layer.bias, source.fraction + finest)
    accumulator = _accumulator(layer.name, scale.clip(min=0), scale.clip(max=0), bias, source, finest)
    return QuantisedAffine(layer.name, layer.source, scale, to, bias, accumulator, result or accumulator)


def _bias(name: str, values: FloatArray, fraction: int) -> IntArray:
    scaled = np.rint(np.ldexp(values, fraction))
    if np.abs(scaled).max(initial=0.0) > 2.0**EXACT_BITS:
        _refuse(name, int(np.abs(scaled).max()))
    return scaled.astype(np.int64)


def _accumulator(
    name: str, positive: IntArray, negative: IntArray, bias: IntArray, source: Fixed, fraction: int
) -> Fixed:
    """Return the format that holds every sum; ``positive`` and ``negative`` are the sums of such weights (outputs,)."""
    positive, negative, bias = (part.astype(object) for part in (positive, negative, bias))
    low = positive * source.low + negative * source.high + bias
    high = positive * source.high + negative * source.low + bias
    largest = (positive - negative) * max(-source.low, source.high) + abs(bias)
    _refuse(name, bounds(largest)[1])
    return Fixed(True, 1, source.fraction + fraction).with_range(bounds(low)[0], bounds(high)[1])


def _clip(layer: Clip, source: Fixed, result: Fixed | None) -> QuantisedClip:
    low, high = (_end(end, source.fraction) for end in (layer.low, layer.high))
    low = None if low is not None and low < -(1 << EXACT_BITS) else low  # no sum is as low
    high = None if high is not None and high > 1 << EXACT_BITS else high  # or as high
    reached = [_limited(end, low, high) for end in (source.low, source.high)]
    _refuse(layer.name, max(-reached[0], reached[1]))
    to = result or source.with_range(*reached)
    requantises = result is not None
    return QuantisedClip(layer.name, layer.source, layer.shape, source.fraction, low, high, requantises, to)


def _end(end: float | None, fraction: int) -> int | None:
    """Return the end of a clip as a mantissa of its input, rounded to nearest, half to even."""
    return None if end is None else round(math.ldexp(end, fraction))


def _limited(value: int, low: int | None, high: int | None) -> int:
    value = value if low is None else max(value, low)
    return value if high is None else min(value, high)


def _add(layer: Add, left: Fixed, right: Fixed, result: Fixed | None) -> QuantisedAdd:
    fraction = max(left.fraction, right.fraction)
    ends = [[end << (fraction - side.fraction) for end in (side.low, side.high)] for side in (left, right)]
    low, high = ends[0][0] + ends[1][0], ends[0][1] + ends[1][1]
    _refuse(layer.name, max(-low, high))
    accumulator = Fixed(True, 1, fraction).with_range(low, high)
    return QuantisedAdd(layer.name, layer.left, layer.right, layer.shape, accumulator, result or accumulator)


def _refuse(name: str, largest: int) -> None:
    if largest > 1 << EXACT_BITS:
        msg = (
            f"{name}: its sums may need {largest.bit_length() + 1} bits, but the float64 reference is exact up to"
            f" {EXACT_BITS}; lower the weight_bits of {name!r}, or the activation_bits of what it reads"
        )
        raise FormatError(msg)
