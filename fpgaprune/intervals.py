"""Interval analysis: the exact range of every element, from the formats of the inputs and the actual weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import assert_never

from fpgaprune.errors import GraphError
from fpgaprune.fixed import IntArray, Overflow, add, as_mantissas, bounds, clip, rescale, shift_left
from fpgaprune.ir import Add, Constant, Gather, Graph, Input, MatVec, Op, Requantise, Reshape

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fpgaprune.fixed import Fixed
    from fpgaprune.sparse import SparseMatrix


@dataclass(frozen=True, eq=False)
class Interval:
    """The smallest and largest mantissa of each element of a tensor, in the tensor's shape."""

    low: IntArray
    high: IntArray

    @property
    def bounds(self) -> tuple[int, int]:
        """The smallest and largest mantissa over all elements; (0, 0) of an empty tensor."""
        return bounds(self.low)[0], bounds(self.high)[1]


def analyse(graph: Graph) -> dict[str, Interval]:
    """Return the interval of every tensor by its name.

    Intervals hold for any input in its format. They are exact for a layer that reads independent elements, and an
    outer bound where elements depend on one another, wrap around, or are set to zero by an overflow.
    """
    known: dict[str, Interval] = {}
    for op in graph.ops:
        known[op.output.name] = _transfer(op, graph, known)
    return known


def verify(graph: Graph) -> None:
    """Check that every format holds every value that can reach it.

    Raises:
        GraphError: a constant or an accumulator that does not fit, with the width that it needs.
    """
    intervals = analyse(graph)
    for op in graph.ops:
        low, high = intervals[op.output.name].bounds
        if not op.output.format.holds(low, high):
            needed = op.output.format.with_range(low, high)
            msg = (
                f"{op.output.name}: values {low}…{high} need {needed.width} bits"
                f"{' signed' if needed.signed else ''}, the format {op.output.format} has {op.output.format.width};"
                " widen it or leave it to 'auto'"
            )
            raise GraphError(msg)


def _transfer(op: Op, graph: Graph, known: Mapping[str, Interval]) -> Interval:
    match op:
        case Input():
            return full(op.output.shape, op.output.format)
        case Constant():
            values = as_mantissas(op.values)
            return Interval(values, values)
        case MatVec():
            return matvec_interval(op.weights, op.bias, known[op.input])
        case Requantise():
            return _requantised(op, graph.tensors[op.input].format.fraction, known[op.input])
        case Add():
            left, right = known[op.left], known[op.right]
            shifts = [op.output.format.fraction - graph.tensors[name].format.fraction for name in op.inputs]
            return Interval(
                add(shift_left(left.low, shifts[0]), shift_left(right.low, shifts[1])),
                add(shift_left(left.high, shifts[0]), shift_left(right.high, shifts[1])),
            )
        case Reshape():
            source = known[op.input]
            return Interval(source.low.reshape(op.output.shape), source.high.reshape(op.output.shape))
        case Gather():
            source = known[op.input]
            return Interval(shift_left(source.low[op.index], op.shift), shift_left(source.high[op.index], op.shift))
        case _:
            assert_never(op)


def full(shape: tuple[int, ...], fmt: Fixed) -> Interval:
    """Return the interval of a tensor whose elements can take every value of the format."""
    dtype = np.int64 if fmt.in_int64 else object
    return Interval(np.full(shape, fmt.low, dtype=dtype), np.full(shape, fmt.high, dtype=dtype))


def matvec_interval(weights: SparseMatrix, bias: IntArray, source: Interval) -> Interval:
    """Return the exact interval of ``weights @ x + bias`` (outputs,) for independent elements of x."""
    low, high = products(weights, source)
    return Interval(add(_row_sums(weights, low), bias), add(_row_sums(weights, high), bias))


def products(weights: SparseMatrix, source: Interval) -> tuple[IntArray, IntArray]:
    """Return the smallest and largest product of each stored weight with its element of the input."""
    low, high = source.low[weights.column], source.high[weights.column]
    largest = max((abs(value) for value in source.bounds), default=0)
    if weights.magnitude(largest) >= 1 << 62:
        low, high = low.astype(object), high.astype(object)
    positive = weights.weight > 0
    return weights.weight * np.where(positive, low, high), weights.weight * np.where(positive, high, low)


def _row_sums(weights: SparseMatrix, terms: IntArray) -> IntArray:
    total = np.zeros(weights.shape[0], dtype=terms.dtype)
    filled = np.diff(weights.row_start) > 0
    if filled.any():
        total[filled] = np.add.reduceat(terms, weights.row_start[:-1][filled])
    return total


def _requantised(op: Requantise, fraction: int, source: Interval) -> Interval:
    """Map end to end, as rounding, clipping and saturation are monotone; where another mode overflows, take it all."""
    to = op.output.format
    low, high = (
        rescale(clip(end, op.low, op.high), fraction - to.fraction, to.rounding) for end in (source.low, source.high)
    )
    everything = full(op.output.shape, to)
    if to.overflow in (Overflow.SAT, Overflow.SAT_SYM):
        return Interval(clip(low, to.low, to.high), clip(high, to.low, to.high))
    inside = (low >= to.low) & (high <= to.high)
    return Interval(np.where(inside, low, everything.low), np.where(inside, high, everything.high))
