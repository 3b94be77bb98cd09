"""From real weights and a plan to integer mantissas with exact accumulators."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import assert_never

from fpgaprune.capture.records import (
    Add,
    Affine,
    ArgMax,
    BatchNorm,
    Clip,
    Concat,
    ConstantLayer,
    Conv,
    FloatArray,
    Function,
    Gather,
    InputLayer,
    Layer,
    Linear,
    MatMul,
    Maximum,
    MaxPool,
    Multiply,
    Reshape,
    Scan,
)
from fpgaprune.errors import FormatError
from fpgaprune.fixed import Fixed, IntArray, bounds, from_float
from fpgaprune.quantise.layers import (
    QuantisedAdd,
    QuantisedAffine,
    QuantisedArgMax,
    QuantisedClip,
    QuantisedConcat,
    QuantisedConstant,
    QuantisedConv,
    QuantisedFunction,
    QuantisedGather,
    QuantisedInput,
    QuantisedLayer,
    QuantisedLinear,
    QuantisedMatMul,
    QuantisedMaximum,
    QuantisedMaxPool,
    QuantisedMultiply,
    QuantisedReshape,
    QuantisedScan,
)
from fpgaprune.quantise.places import givers
from fpgaprune.quantise.recipe import MOST_TABLE_BITS

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
        FormatError: a sum may exceed 53 bits, beyond which the float64 reference is not exact, a table would be too
            long, or a constant is not finite.
    """
    return _all_frozen(network.layers, network, plan, {each.name: plan.results[each.name] for each in network.inputs})


def _all_frozen(
    layers: tuple[Layer, ...], network: Network, plan: Plan, formats: dict[str, Fixed]
) -> tuple[QuantisedLayer, ...]:
    """Return the frozen layers, whose formats join ``formats``; those of inputs are there already."""
    frozen = []
    for layer in layers:
        frozen.append(_frozen(layer, network, plan, formats))
        formats[layer.name] = frozen[-1].format
    return tuple(frozen)


def _frozen(layer: Layer, network: Network, plan: Plan, formats: dict[str, Fixed]) -> QuantisedLayer:
    result = plan.results.get(layer.name)
    match layer:
        case InputLayer():
            return QuantisedInput(layer.name, layer.shape, formats[layer.name], layer.axes)
        case ConstantLayer():
            return _constant(layer, plan.results[layer.name])
        case Linear():
            return _linear(layer, plan.weights[layer.name], formats[layer.source], result)
        case Conv():
            return _conv(layer, plan.weights[layer.name], formats[layer.source], result)
        case Affine():
            return _affine(layer, plan.scales[layer.name], formats[layer.source], result)
        case Clip():
            return _clip(layer, formats[layer.source], result)
        case Function():
            return _function(layer, network, plan, formats[layer.source])
        case Add():
            return _add(layer, formats[layer.left], formats[layer.right], result)
        case Multiply():
            accumulator = _products(layer.name, formats[layer.left], formats[layer.right], 1)
            return QuantisedMultiply(
                layer.name, layer.left, layer.right, layer.shape, accumulator, result or accumulator
            )
        case MatMul():
            count = network.by_name[layer.left].shape[-1]
            accumulator = _products(layer.name, formats[layer.left], formats[layer.right], count)
            return QuantisedMatMul(layer.name, layer.left, layer.right, layer.shape, accumulator, result or accumulator)
        case MaxPool():
            return QuantisedMaxPool(layer.name, layer.source, layer.windows, layer.shape, formats[layer.source])
        case Maximum():
            return QuantisedMaximum(layer.name, layer.source, layer.shape, formats[layer.source])
        case ArgMax():
            width = (network.by_name[layer.source].shape[-1] - 1).bit_length()
            return QuantisedArgMax(layer.name, layer.source, layer.shape, Fixed(False, max(width, 1), 0))
        case Reshape():
            return QuantisedReshape(layer.name, layer.source, layer.shape, formats[layer.source])
        case Gather():
            return QuantisedGather(layer.name, layer.source, layer.shape, layer.index, formats[layer.source])
        case Concat():
            return QuantisedConcat(layer.name, layer.parts, layer.shape, _common(layer, formats))
        case Scan():
            return _scan(layer, network, plan, formats)
        case BatchNorm():
            msg = f"{layer.name}: fold batch normalisation before quantising"
            raise TypeError(msg)
        case _:
            assert_never(layer)


def _constant(layer: ConstantLayer, to: Fixed) -> QuantisedConstant:
    if not np.isfinite(layer.values).all():
        msg = f"{layer.name}: a constant must be finite; write a number that is large enough instead of infinity"
        raise FormatError(msg)
    return QuantisedConstant(layer.name, from_float(layer.values, to), to)


def _linear(layer: Linear, to: Fixed, source: Fixed, result: Fixed | None) -> QuantisedLinear:
    weight, bias, accumulator = _weighted(layer, to, source)
    return QuantisedLinear(
        layer.name,
        layer.source,
        weight,
        to,
        bias,
        accumulator,
        result or accumulator,
        layer.positions,
        layer.trainable,
    )


def _conv(layer: Conv, to: Fixed, source: Fixed, result: Fixed | None) -> QuantisedConv:
    weight, bias, accumulator = _weighted(layer, to, source)
    return QuantisedConv(
        layer.name,
        layer.source,
        weight,
        to,
        bias,
        accumulator,
        result or accumulator,
        layer.windows,
        layer.groups,
        layer.positions,
        layer.trainable,
    )


def _weighted(layer: Linear | Conv, to: Fixed, source: Fixed) -> tuple[IntArray, IntArray, Fixed]:
    """Return weights, biases and the accumulator of sums of products; every format holds the zeros of padding."""
    weight, bias = from_float(layer.weight, to), _bias(layer.name, layer.bias, source.fraction + to.fraction)
    rows = weight.reshape(len(weight), -1)
    positive, negative = (part.sum(axis=1, dtype=np.int64) for part in (rows.clip(min=0), rows.clip(max=0)))
    return weight, bias, _accumulator(layer.name, positive, negative, bias, source, to.fraction)


def _affine(layer: Affine, scales: tuple[Fixed, ...], source: Fixed, result: Fixed | None) -> QuantisedAffine:
    fractions = np.array([to.fraction for to in scales])
    finest = int(fractions.max())
    whole = from_float(np.ldexp(layer.scale, fractions), replace(scales[0], fraction=0))
    scale: IntArray = whole << (finest - fractions)
    to = replace(scales[0], fraction=finest).with_range(*bounds(scale))
    bias = _bias(layer.name, layer.bias, source.fraction + finest)
    accumulator = _accumulator(layer.name, scale.clip(min=0), scale.clip(max=0), bias, source, finest)
    return QuantisedAffine(
        layer.name,
        layer.source,
        scale,
        to,
        bias,
        accumulator,
        result or accumulator,
        layer.positions,
        layer.trainable,
    )


def _bias(name: str, values: FloatArray, fraction: int) -> IntArray:
    scaled: FloatArray = np.rint(np.ldexp(values, fraction))
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
    second = [-ends[1][1], -ends[1][0]] if layer.subtract else ends[1]
    accumulator = _exact(layer.name, fraction, ends[0][0] + second[0], ends[0][1] + second[1])
    return QuantisedAdd(
        layer.name, layer.left, layer.right, layer.shape, accumulator, result or accumulator, layer.subtract
    )


def _products(name: str, left: Fixed, right: Fixed, count: int) -> Fixed:
    """Return the format that holds every sum of ``count`` products."""
    corners = [one * other * count for one in (left.low, left.high) for other in (right.low, right.high)]
    return _exact(name, left.fraction + right.fraction, min(corners), max(corners))


def _common(layer: Concat, formats: Mapping[str, Fixed]) -> Fixed:
    """Return the format that holds all parts exactly: theirs, where they have one."""
    parts = [formats[name] for name in layer.parts]
    if len(set(parts)) == 1:
        return parts[0]
    fraction = max(part.fraction for part in parts)
    ends = [end << (fraction - part.fraction) for part in parts for end in (part.low, part.high)]
    return _exact(layer.name, fraction, min(ends), max(ends))


def _exact(name: str, fraction: int, low: int, high: int) -> Fixed:
    """Return the format of the mantissas ``low``…``high``."""
    _refuse(name, max(-low, high))
    return Fixed(True, 1, fraction).with_range(low, high)


def _function(layer: Function, network: Network, plan: Plan, source: Fixed) -> QuantisedFunction:
    if source.width > MOST_TABLE_BITS:
        msg = (
            f"{layer.name}: a table for the {source.width} bits of {layer.source!r} would be too long;"
            f" lower the activation_bits of {layer.source!r} to {MOST_TABLE_BITS} or less"
        )
        raise FormatError(msg)
    table = plan.table(network, layer)
    return QuantisedFunction(
        layer.name,
        layer.source,
        layer.shape,
        layer.kind,
        layer.parameter,
        table.values,
        table.low,
        plan.results[layer.name],
    )


def _scan(layer: Scan, network: Network, plan: Plan, formats: dict[str, Fixed]) -> QuantisedScan:
    for name in givers(layer):
        formats[name] = formats[layer.source] if name not in layer.state_names else plan.word(network, name)
    body = _all_frozen(layer.body, network, plan, formats)
    initial = zip(layer.initial, layer.state_names, strict=True)
    return QuantisedScan(
        layer.name,
        layer.source,
        layer.shape,
        body,
        layer.state_names,
        layer.new_states,
        tuple(from_float(values, formats[name]) for values, name in initial),
        layer.result,
        layer.reverse,
        formats[layer.new_states[layer.result]],
    )


def _refuse(name: str, largest: int) -> None:
    if largest > 1 << EXACT_BITS:
        msg = (
            f"{name}: its sums may need {largest.bit_length() + 1} bits, but the float64 reference is exact up to"
            f" {EXACT_BITS}; lower the weight_bits of {name!r}, or the activation_bits of what it reads"
        )
        raise FormatError(msg)
