"""From hls4ml's ModelGraph, after its ``vitis:ip`` flow, to a Graph: integers, exact sums, zeros gone."""

from __future__ import annotations

from itertools import chain, count
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from fpgaprune.errors import UnsupportedError, suggest
from fpgaprune.fixed import MAX_WIDTH, Fixed, IntArray, Rounding, from_float, rescale
from fpgaprune.frontend.clip_layer import CLIP
from fpgaprune.frontend.precision import to_fixed
from fpgaprune.intervals import Interval, full, matvec_interval
from fpgaprune.ir import Add, Graph, Input, MatVec, Op, Requantise, Reshape, Tensor
from fpgaprune.paths import identifier
from fpgaprune.sparse import SparseMatrix

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from fpgaprune.capture.records import FloatArray

Node: TypeAlias = Any
"""A layer of hls4ml, which has no types."""


def snapshot(model_graph: Any, titles: Mapping[str, str] | None = None) -> Graph:  # noqa: ANN401  # hls4ml has no types
    """Return a ModelGraph as a Graph whose tensors have the names of hls4ml's.

    Whatever hls4ml's accumulator type is, sums are exact and rounded once, to the layer's result type. ``titles``
    maps hls4ml's names to those that users know their layers by.

    Raises:
        UnsupportedError: a layer, an activation or a type that has no exact counterpart.
    """
    nodes = list(model_graph.get_layers())
    reading = _Reading(titles or {}, {name for node in nodes for name in node.outputs})
    for node in nodes:
        kind = node.class_name
        if kind not in READERS:
            msg = f"{node.name}: hls4ml's layer {kind} is not supported{suggest(kind, READERS)}; {_REMEDY}"
            raise UnsupportedError(msg)
        READERS[kind](reading, node)
    return Graph(tuple(reading.ops), tuple(model_graph.outputs))


_REMEDY = "this version reads Dense, relu, BatchNormalization, add and Reshape"


class _Reading:
    """A graph half read; ``taken`` are the names of all tensors of hls4ml."""

    def __init__(self, titles: Mapping[str, str], taken: set[str]) -> None:
        self.ops: list[Op] = []
        self._titles = titles
        self._taken = taken
        self._tensors: dict[str, Tensor] = {}

    def source(self, node: Node, index: int = 0) -> Tensor:
        """Return a tensor that a layer reads."""
        return self._tensors[node.inputs[index]]

    def result(self, node: Node) -> Tensor:
        """Return the tensor that a layer makes, in hls4ml's type."""
        variable = node.get_output_variable()
        return Tensor(node.outputs[0], tuple(variable.shape), to_fixed(variable.type.precision, node.name))

    def title(self, node: Node) -> str:
        """Return the name that users know a layer by."""
        return self._titles.get(node.name, node.name)

    def append(self, op: Op) -> None:
        """Append an op."""
        self.ops.append(op)
        self._tensors[op.output.name] = op.output

    def exact(self, node: Node, fraction: int, interval: Interval) -> Tensor:
        """Return the tensor for a layer's exact sums: its result where that holds them, else one of its own."""
        result = self.result(node)
        low, high = interval.bounds
        if result.format.fraction == fraction and result.format.holds(low, high):
            return result
        fits = Fixed(True, 1, fraction).with_range(low, high)
        return Tensor(unused(f"{result.name}_sum", self._taken), result.shape, fits)

    def settle(self, node: Node, exact: Tensor) -> None:
        """Requantise a layer's exact sums to its result, where they are not the result."""
        result = self.result(node)
        if exact.name != result.name:
            self.append(Requantise(result, exact.name))


def unused(name: str, taken: Collection[str]) -> str:
    """Return ``name`` as an identifier, or the first of ``name_2``, … that is not taken, whatever its case."""
    lower, stem = {each.lower() for each in taken}, identifier(name)
    numbered = (f"{stem}_{number}" for number in count(2))
    return next(each for each in chain([stem], numbered) if each.lower() not in lower)


def _input(reading: _Reading, node: Node) -> None:
    reading.append(Input(reading.result(node)))


def _dense(reading: _Reading, node: Node) -> None:
    source = reading.source(node)
    if len(source.shape) != 1:
        msg = f"{node.name}: a Dense on a tensor of shape {source.shape} is not supported; flatten it first"
        raise UnsupportedError(msg)
    weight = node.weights["weight"].data
    columns, rows = np.nonzero(weight)
    shape = (int(node.get_attr("n_out")), int(node.get_attr("n_in")))
    _append_matvec(reading, node, "weight", shape, (rows, columns, weight[columns, rows]))


def _batch_norm(reading: _Reading, node: Node) -> None:
    """Read a BatchNormalization or an ApplyAlpha as a diagonal matrix."""
    source, scale = reading.source(node), node.weights["scale"].data
    if source.shape != scale.shape:
        msg = (
            f"{node.name}: a scale of shape {scale.shape} on a tensor of shape {source.shape} is not supported;"
            " flatten the tensor and give one scale an element"
        )
        raise UnsupportedError(msg)
    (places,) = np.nonzero(scale)
    _append_matvec(reading, node, "scale", (source.size, source.size), (places, places, scale[places]))


def _append_matvec(
    reading: _Reading, node: Node, name: str, shape: tuple[int, int], terms: tuple[IntArray, IntArray, FloatArray]
) -> None:
    """Append the product of the weights (rows, columns, values) with a layer's input, and its requantisation."""
    source = reading.source(node)
    rows, columns, values = terms
    weight, weight_format = _mantissas(node, name, values)
    bias, bias_format = _mantissas(node, "bias", np.asarray(node.weights["bias"].data))
    products = source.format.fraction + weight_format.fraction
    finer = max(0, _used_fraction(bias, bias_format) - products)
    offset = rescale(bias, bias_format.fraction - products - finer, Rounding.TRN)  # shifts out zeros alone
    matrix = SparseMatrix.from_terms(shape, rows, columns, weight << finer)
    exact = reading.exact(node, products + finer, matvec_interval(matrix, offset, full(source.shape, source.format)))
    reading.append(MatVec(exact, source.name, matrix, _finer(weight_format, finer), offset, reading.title(node)))
    reading.settle(node, exact)


def _mantissas(node: Node, name: str, values: FloatArray) -> tuple[IntArray, Fixed]:
    """Return weights in the format of their type, rounded and saturated as it says."""
    to = to_fixed(node.weights[name].type.precision, f"{node.name}.{name}")
    if to.width > _WIDEST:
        msg = f"{node.name}.{name}: weights of {to.width} bits are not supported; use at most {_WIDEST}"
        raise UnsupportedError(msg)
    return from_float(np.asarray(values, dtype=np.float64), to), to


_WIDEST = 62
"""The widest weight and bias, for mantissas in int64."""


def _used_fraction(mantissas: IntArray, to: Fixed) -> int:
    """Return the fraction bits without the zeros that all mantissas end in."""
    used = int(np.bitwise_or.reduce(mantissas, initial=0))
    return to.fraction - ((used & -used).bit_length() - 1) if used else -MAX_WIDTH


def _finer(to: Fixed, bits: int) -> Fixed:
    """Return the format with ``bits`` zeros below its last bit, for a bias that has a finer step than the products."""
    return Fixed(to.signed, to.width + bits, to.fraction + bits, to.rounding, to.overflow)


def _activation(reading: _Reading, node: Node) -> None:
    kind = node.get_attr("activation")
    if kind not in ACTIVATIONS:
        msg = f"{node.name}: the activation {kind!r} is not supported{suggest(kind, ACTIVATIONS)}; use relu or a clip"
        raise UnsupportedError(msg)
    _append_clip(reading, node, *ACTIVATIONS[kind])


ACTIVATIONS: Mapping[str, tuple[float | None, float | None]] = {
    "linear": (None, None),
    "relu": (0.0, None),
    "relu1": (0.0, 1.0),
    "relu6": (0.0, 6.0),
}
"""hls4ml's activation → the ends that it clips to."""


def _clip(reading: _Reading, node: Node) -> None:
    _append_clip(reading, node, node.get_attr("low"), node.get_attr("high"))


def _append_clip(reading: _Reading, node: Node, low: float | None, high: float | None) -> None:
    source = reading.source(node)
    ends = (_end(node, end, source.format.fraction) for end in (low, high))
    reading.append(Requantise(reading.result(node), source.name, *ends))


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


def _merge(reading: _Reading, node: Node) -> None:
    op = node.get_attr("op")
    left, right = reading.source(node, 0), reading.source(node, 1)
    if op != "add" or left.shape != right.shape:
        msg = f"{node.name}: merging {left.shape} and {right.shape} by {op!r} is not supported; add equal shapes"
        raise UnsupportedError(msg)
    fraction = max(left.format.fraction, right.format.fraction)
    low = sum(side.format.low << (fraction - side.format.fraction) for side in (left, right))
    high = sum(side.format.high << (fraction - side.format.fraction) for side in (left, right))
    ends = (np.array([end], dtype=object) for end in (low, high))
    exact = reading.exact(node, fraction, Interval(*ends))
    reading.append(Add(exact, left.name, right.name))
    reading.settle(node, exact)


def _reshape(reading: _Reading, node: Node) -> None:
    source, result = reading.source(node), reading.result(node)
    if result.format != source.format:
        msg = f"{node.name}: a reshape from {source.format} to {result.format} is not supported; give both one format"
        raise UnsupportedError(msg)
    reading.append(Reshape(result, source.name))


READERS: Mapping[str, Callable[[_Reading, Node], None]] = {
    "Input": _input,
    "Dense": _dense,
    "BatchNormalization": _batch_norm,
    "ApplyAlpha": _batch_norm,
    "Activation": _activation,
    CLIP: _clip,
    "Merge": _merge,
    "Reshape": _reshape,
}
"""One reader for each of hls4ml's layer classes."""
