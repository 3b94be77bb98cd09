"""Readers of hls4ml's layers that work at each position or on each element: matrices, scales, activations, merges."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from fpgaprune.errors import UnsupportedError, suggest
from fpgaprune.fixed import Fixed, IntArray, from_float, requantise
from fpgaprune.frontend.building import (
    append_concat,
    append_multiply,
    append_product,
    append_sum,
    append_wires,
    diagonal,
)
from fpgaprune.frontend.precision import to_fixed
from fpgaprune.frontend.reading import mantissas, matrix, real_weights
from fpgaprune.ir import Constant, Input, Requantise, Reshape, Table, Tensor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fpgaprune.frontend.reading import Node, Reading

AS_A_MODULE = "give the model to fpgaprune as a PyTorch module, which makes this exact"


def read_input(reading: Reading, node: Node, result: Tensor) -> None:  # noqa: ARG001  # a reader
    """Read an input."""
    reading.builder.append(Input(result))


def read_constant(reading: Reading, node: Node, result: Tensor) -> None:
    """Read a constant, rounded to its type."""
    values = from_float(np.asarray(node.get_attr("value"), dtype=np.float64), result.format)
    reading.builder.append(Constant(result, values.reshape(result.shape)))


def read_dense(reading: Reading, node: Node, result: Tensor) -> None:
    """Read a matrix that is applied to the last axis."""
    source, weight = reading.source(node), real_weights(node)
    columns, rows = np.nonzero(weight)
    shape = (weight.shape[1], weight.shape[0])
    product = matrix(node, source, "weight", shape, (rows, columns, weight[columns, rows]))
    append_product(reading.builder, result, source, *product, reading.title(node))


def read_batch_norm(reading: Reading, node: Node, result: Tensor) -> None:
    """Read a BatchNormalization or an ApplyAlpha as a diagonal matrix over the channels, or over all elements."""
    source, scale = reading.source(node), np.ravel(node.weights["scale"].data)
    if scale.size == source.channels:
        _append_scales(reading, node, result, source, scale)
        return
    if scale.size != source.size:
        msg = (
            f"{node.name}: {scale.size} scales on a tensor of shape {source.shape} are not supported;"
            " give one scale a channel, or one an element"
        )
        raise UnsupportedError(msg)
    flat = Tensor(reading.builder.fresh(f"{result.name}_flat"), (source.size,), result.format)
    _append_scales(reading, node, flat, reading.reshaped(source, flat.shape), scale)
    reading.builder.append(Reshape(result, flat.name))


def _append_scales(reading: Reading, node: Node, result: Tensor, source: Tensor, scale: IntArray) -> None:
    (places,) = np.nonzero(scale)
    product = matrix(node, source, "scale", (scale.size, scale.size), (places, places, scale[places]))
    append_product(reading.builder, result, source, *product, reading.title(node))


def read_activation(reading: Reading, node: Node, result: Tensor) -> None:
    """Read an activation that is a clip."""
    kind = node.get_attr("activation")
    if kind not in ACTIVATIONS:
        msg = (
            f"{node.name}: the activation {kind!r} is not supported{suggest(kind, ACTIVATIONS)}; use relu or a clip,"
            f" or {AS_A_MODULE}"
        )
        raise UnsupportedError(msg)
    source = reading.source(node)
    ends = (_end(node, end, source.format.fraction) for end in ACTIVATIONS[kind])
    reading.builder.append(Requantise(result, source.name, *ends))


ACTIVATIONS: Mapping[str, tuple[float | None, float | None]] = {
    "linear": (None, None),
    "relu": (0.0, None),
    "relu1": (0.0, 1.0),
    "relu6": (0.0, 6.0),
}
"""hls4ml's activation → the ends that it clips to."""


def _end(node: Node, end: float | None, fraction: int) -> int | None:
    """Return the end of a clip as a mantissa of its input."""
    if end is None:
        return None
    scaled = float(np.ldexp(end, fraction))
    if not scaled.is_integer():
        msg = (
            f"{node.name}: the end {end} of a clip must be a multiple of {2.0**-fraction}; give its input a finer step"
        )
        raise UnsupportedError(msg)
    return int(scaled)


def read_parametrised(reading: Reading, node: Node, result: Tensor) -> None:
    """Read a LeakyReLU or a ThresholdedReLU."""
    kind = str(node.get_attr("activation")).lower().replace("_", "")
    to = to_fixed(node.get_attr("param_t").precision, f"{node.name}.param")
    parameter = from_float(np.array([node.get_attr("activ_param")], dtype=np.float64), to)
    source = reading.source(node)
    if kind == "leakyrelu":
        _append_leaky(reading, node, result, np.repeat(parameter, source.channels), to)
    elif kind == "thresholdedrelu":
        _append_threshold(reading, node, result, int(parameter[0]), to)
    else:
        msg = f"{node.name}: the activation {kind!r} is not supported; use relu, leaky_relu or a clip, or {AS_A_MODULE}"
        raise UnsupportedError(msg)


def read_prelu(reading: Reading, node: Node, result: Tensor) -> None:
    """Read a PReLU, which has one slope an element."""
    slopes, to = mantissas(node, "param", np.ravel(node.weights["param"].data))
    size = reading.source(node).size
    if slopes.size != size:
        msg = f"{node.name}: {slopes.size} slopes for {size} elements are not supported; share no axes"
        raise UnsupportedError(msg)
    _append_leaky(reading, node, result, slopes, to)


def _append_leaky(reading: Reading, node: Node, result: Tensor, slopes: IntArray, to: Fixed) -> None:
    """Append ``max(x, 0) + slope * min(x, 0)``, with one slope a channel, or one an element."""
    builder, before = reading.builder, reading.source(node)
    source = before if slopes.size == before.channels else reading.reshaped(before, (before.size,))
    flat = Tensor(builder.fresh(f"{result.name}_flat"), source.shape, result.format) if source != before else result
    positive = builder.inner(f"{result.name}_above", source.shape, source.format.fraction, (0, source.format.high))
    negative = builder.inner(f"{result.name}_below", source.shape, source.format.fraction, (source.format.low, 0))
    builder.append(Requantise(positive, source.name, 0, None))
    builder.append(Requantise(negative, source.name, None, 0))
    steep = max(abs(int(slopes.min())), abs(int(slopes.max()))) * -source.format.low
    scaled = builder.inner(f"{result.name}_scaled", source.shape, source.format.fraction + to.fraction, (-steep, steep))
    none = np.zeros(slopes.size, dtype=np.int64)
    append_product(builder, scaled, negative, diagonal(slopes), to, none, reading.title(node))
    append_sum(builder, flat, positive, scaled)
    if flat is not result:
        builder.append(Reshape(result, flat.name))


def _append_threshold(reading: Reading, node: Node, result: Tensor, threshold: int, to: Fixed) -> None:
    """Append ``x if x > threshold else 0``, which is a ReLU at the threshold zero, and a table above it."""
    source = reading.source(node)
    if threshold == 0:
        reading.builder.append(Requantise(result, source.name, 0, None))
        return
    if source.format.width > _TABLE_BITS:
        msg = f"{node.name}: a threshold on {source.format.width} bits is not supported; give its input {_TABLE_BITS}"
        raise UnsupportedError(msg)
    x = np.arange(source.format.low, source.format.high + 1)
    above = np.ldexp(x, -source.format.fraction) > np.ldexp(float(threshold), -to.fraction)
    values = requantise(np.where(above, x, 0), source.format.fraction, result.format)
    reading.builder.append(Table(result, source.name, values, source.format.low))


_TABLE_BITS = 16


def read_merge(reading: Reading, node: Node, result: Tensor) -> None:
    """Read a sum, a difference, a product or a mean of two tensors of one shape."""
    op, (left, right) = str(node.get_attr("op")).lower(), reading.sources(node)
    if op not in MERGES or left.shape != right.shape:
        msg = (
            f"{node.name}: merging {left.shape} and {right.shape} by {op!r} is not supported;"
            f" {', '.join(MERGES)} tensors of equal shapes, or {AS_A_MODULE}"
        )
        raise UnsupportedError(msg)
    MERGES[op](reading, result, left, right)


def _add(reading: Reading, result: Tensor, left: Tensor, right: Tensor) -> None:
    append_sum(reading.builder, result, left, right)


def _subtract(reading: Reading, result: Tensor, left: Tensor, right: Tensor) -> None:
    append_sum(reading.builder, result, left, right, subtract=True)


def _multiply(reading: Reading, result: Tensor, left: Tensor, right: Tensor) -> None:
    append_multiply(reading.builder, result, left, right)


MERGES = {"add": _add, "subtract": _subtract, "multiply": _multiply}
"""What hls4ml merges by → what appends it."""


def read_concatenate(reading: Reading, node: Node, result: Tensor) -> None:
    """Read tensors joined along any axis, through a matrix whose columns begin at that axis."""
    parts, axis = reading.sources(node), int(node.get_attr("axis"))
    place = axis - 1 if axis > 0 else axis % len(result.shape)  # hls4ml counts the batch, but not from the end
    outer = result.shape[:place] if place == len(result.shape) - 1 else (math.prod(result.shape[:place]),)
    flat = [reading.reshaped(part, (*outer, math.prod(part.shape[place:]))) for part in parts]
    shape = (*outer, math.prod(result.shape[place:]))
    if shape == result.shape:
        append_concat(reading.builder, result, flat)
        return
    joined = Tensor(reading.builder.fresh(f"{result.name}_joined"), shape, result.format)
    append_concat(reading.builder, joined, flat)
    reading.builder.append(Reshape(result, joined.name))


def read_reshape(reading: Reading, node: Node, result: Tensor) -> None:
    """Read a reshape, or a repacked stream, that keeps the format."""
    source = reading.source(node)
    if result.format != source.format:
        msg = f"{node.name}: a reshape from {source.format} to {result.format} is not supported; give both one format"
        raise UnsupportedError(msg)
    reading.builder.append(Reshape(result, source.name))


def read_transpose(reading: Reading, node: Node, result: Tensor) -> None:
    """Read a permutation of axes."""
    source = reading.source(node)
    index = np.arange(source.size).reshape(source.shape).transpose(node.get_attr("perm")).ravel()
    append_wires(reading.builder, result, source, index)
