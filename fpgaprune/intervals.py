"""Interval analysis: the exact range of every element, from the formats of the inputs and the actual weights."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import assert_never

from fpgaprune.errors import GraphError
from fpgaprune.fixed import IntArray, Overflow, add, as_mantissas, bounds, clip, multiply, rescale, shift_left, total
from fpgaprune.ir import (
    Add,
    ArgMax,
    Concat,
    Constant,
    Gather,
    Graph,
    Input,
    MatMul,
    MatVec,
    Maximum,
    Multiply,
    Op,
    Requantise,
    Reshape,
    Scan,
    Table,
    Window,
)
from fpgaprune.windows import OUTSIDE, Windows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import numpy.typing as npt

    from fpgaprune.fixed import Fixed
    from fpgaprune.ir import Tensor
    from fpgaprune.sparse import Int64Array, SparseMatrix


@dataclass(frozen=True, eq=False)
class Interval:
    """The smallest and largest mantissa of each element of a tensor, in the tensor's shape; not to be written to.

    Where all positions have the same interval the arrays are views that repeat it.
    """

    low: IntArray
    high: IntArray

    @property
    def bounds(self) -> tuple[int, int]:
        """The smallest and largest mantissa over all elements; (0, 0) of an empty tensor."""
        return bounds(_compact(self.low))[0], bounds(_compact(self.high))[1]


def analyse(graph: Graph) -> dict[str, Interval]:
    """Return the interval of every tensor by its name; those inside a loop come from `analyse_body`.

    Intervals hold for any input in its format. They are exact for a layer that reads independent elements, and an
    outer bound where elements depend on one another, wrap around, or are set to zero by an overflow. A matrix, a
    window and a product of matrices are the same hardware at every position, so their intervals, channel by channel,
    hold at all positions.
    """
    return _analyse(graph, {op.output.name: full(op.output.shape, op.output.format) for op in graph.inputs})


def analyse_body(op: Scan, source: Interval) -> dict[str, Interval]:
    """Return the interval, over all steps, of every tensor of a loop's body, given that of the sequence it reads.

    The states take their whole format.
    """
    step, *states = (each.output for each in op.body.inputs)
    given = {state.name: full(state.shape, state.format) for state in states}
    return _analyse(op.body, given | {step.name: _any_step(source, step)})


def verify(graph: Graph) -> None:
    """Check that every format holds every value that can reach it, and every table reaches every value it can read.

    Raises:
        GraphError: a constant or an accumulator that does not fit, with the width that it needs; or a short table.
    """
    _verify(graph, analyse(graph))


def _verify(graph: Graph, intervals: Mapping[str, Interval]) -> None:
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
        if isinstance(op, Table) and op.output.size:
            _check_reach(op, *intervals[op.input].bounds)
        if isinstance(op, Scan):
            _verify(op.body, analyse_body(op, intervals[op.input]))


def _check_reach(op: Table, low: int, high: int) -> None:
    first, last = op.low, op.low + len(op.values) - 1
    if low < first or high > last:
        msg = (
            f"{op.output.name}: the table reaches {first}…{last}, but {op.input} takes {low}…{high};"
            " extend the table or clip what it reads"
        )
        raise GraphError(msg)


def _analyse(graph: Graph, given: Mapping[str, Interval]) -> dict[str, Interval]:
    known: dict[str, Interval] = {}
    for op in graph.ops:
        name = op.output.name
        known[name] = given[name] if isinstance(op, Input) else _transfer(op, graph, known)
    return known


def _transfer(op: Op, graph: Graph, known: Mapping[str, Interval]) -> Interval:
    tensors, read = graph.tensors, [known[name] for name in op.inputs]
    match op:
        case Input():
            return full(op.output.shape, op.output.format)
        case Constant():
            values = as_mantissas(op.values)
            return Interval(values, values)
        case MatVec():
            return _spread(matvec_interval(op.weights, op.bias, over_positions(read[0])), op.output)
        case Requantise():
            return _spread(_requantised(op, tensors[op.input].format.fraction, _small(read[0])), op.output)
        case Add():
            left, right = (_aligned(_small(known[name]), tensors[name], op.output) for name in op.inputs)
            return _spread(_difference(left, right) if op.subtract else _sum(left, right), op.output)
        case Multiply():
            product = _product(_small(read[0]), _small(read[1]))
            return _spread(_square(product) if op.left == op.right else product, op.output)
        case MatMul():
            return _spread(_inner(over_positions(read[0]), over_positions(read[1])), op.output)
        case Table():
            return _spread(_looked_up(op, _small(read[0])), op.output)
        case Window():
            return _spread(_windowed(op, over_positions(read[0]), tensors[op.input]), op.output)
        case Maximum():
            return _spread(_largest(_by_channel(read[0]), op.output.channels), op.output)
        case ArgMax():
            return _spread(_winners(_by_channel(read[0])), op.output)
        case Reshape():
            return _reshaped(read[0], op.output)
        case Concat():
            parts = [_aligned(_by_channel(known[name]), tensors[name], op.output) for name in op.sources]
            return _spread(
                Interval(_joined(part.low for part in parts), _joined(part.high for part in parts)), op.output
            )
        case Gather():
            low, high = (shift_left(end.reshape(-1)[op.index], op.shift) for end in (read[0].low, read[0].high))
            return Interval(low.reshape(op.output.shape), high.reshape(op.output.shape))
        case Scan():
            return _spread(_small(analyse_body(op, read[0])[op.body.outputs[op.result]]), op.output)
        case _:
            assert_never(op)


# --- positions that share an interval ---


def full(shape: tuple[int, ...], fmt: Fixed) -> Interval:
    """Return the interval of a tensor whose elements can take every value of the format."""
    low, high = (np.array(end, dtype=np.int64 if fmt.in_int64 else object) for end in (fmt.low, fmt.high))
    return Interval(np.broadcast_to(low, shape), np.broadcast_to(high, shape))


def over_positions(interval: Interval) -> Interval:
    """Return the interval of each channel (channels,) over all positions; that of a vector is its own."""
    channels = interval.low.shape[-1] if interval.low.ndim else 1
    low, high = (_compact(end) for end in (interval.low, interval.high))
    if not low.size:
        nothing = np.zeros(channels, dtype=np.int64)
        return Interval(nothing, nothing)
    low, high = low.reshape(-1, low.shape[-1]).min(axis=0), high.reshape(-1, high.shape[-1]).max(axis=0)
    return Interval(np.broadcast_to(low, channels), np.broadcast_to(high, channels))


def _any_step(source: Interval, step: Tensor) -> Interval:
    if not source.low.size:
        return full(step.shape, step.format)
    low, high = _compact(source.low).min(axis=0), _compact(source.high).max(axis=0)
    return _spread(Interval(np.atleast_1d(low), np.atleast_1d(high)), step)


def _compact(values: IntArray) -> IntArray:
    """Return an array with one axis or more that repeats to the given one: an axis that repeats shrinks to one."""
    once = values[tuple(slice(0, 1) if stride == 0 else slice(None) for stride in values.strides)]
    return np.atleast_1d(once)


def _small(interval: Interval) -> Interval:
    return Interval(_compact(interval.low), _compact(interval.high))


def _spread(interval: Interval, tensor: Tensor) -> Interval:
    """Repeat an interval of fewer positions, or of one element, to the shape of a tensor."""
    low, high = (np.broadcast_to(end, tensor.shape or (1,)) for end in (interval.low, interval.high))
    return Interval(low, high) if tensor.shape else Interval(low.reshape(()), high.reshape(()))


def _by_channel(interval: Interval) -> Interval:
    """Return the interval with all its channels, but only once where all positions of an axis share it."""
    channels = interval.low.shape[-1] if interval.low.ndim else 1
    low, high = (
        np.broadcast_to(end, (*end.shape[:-1], channels)) for end in (_compact(interval.low), _compact(interval.high))
    )
    return Interval(low, high)


def _reshaped(source: Interval, output: Tensor) -> Interval:
    """Positions that share an interval still do where the new channels are whole groups of the old ones."""
    once = _by_channel(source)
    channels = once.low.shape[-1]
    if once.low.size == once.high.size == channels > 0 and output.channels % channels == 0:
        groups = output.channels // channels
        return _spread(Interval(np.tile(once.low.ravel(), groups), np.tile(once.high.ravel(), groups)), output)
    return Interval(source.low.reshape(output.shape), source.high.reshape(output.shape))


# --- matrices ---


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
    sums = np.zeros(weights.shape[0], dtype=terms.dtype)
    filled = np.diff(weights.row_start) > 0
    if filled.any():
        sums[filled] = np.add.reduceat(terms, weights.row_start[:-1][filled])
    return sums


def _inner(left: Interval, right: Interval) -> Interval:
    """Return the interval of the sum over channels of products."""
    terms = _product(left, right)
    return Interval(total(terms.low, axis=0).reshape(1), total(terms.high, axis=0).reshape(1))


# --- element by element ---


def _aligned(interval: Interval, source: Tensor, result: Tensor) -> Interval:
    shift = result.format.fraction - source.format.fraction
    return Interval(shift_left(interval.low, shift), shift_left(interval.high, shift))


def _sum(left: Interval, right: Interval) -> Interval:
    return Interval(add(left.low, right.low), add(left.high, right.high))


def _difference(left: Interval, right: Interval) -> Interval:
    minus = np.array(-1)
    return _sum(left, Interval(multiply(right.high, minus), multiply(right.low, minus)))


def _product(left: Interval, right: Interval) -> Interval:
    corners = [multiply(one, other) for one in (left.low, left.high) for other in (right.low, right.high)]
    return Interval(reduce(np.minimum, corners), reduce(np.maximum, corners))


def _square(product: Interval) -> Interval:
    """A number times itself is not negative; it can be zero only where its interval holds zero."""
    return Interval(np.maximum(product.low, 0), product.high)


def _requantised(op: Requantise, fraction: int, source: Interval) -> Interval:
    """Map end to end, as rounding, clipping and saturation are monotone; where another mode overflows, take it all."""
    to = op.output.format
    low, high = (
        rescale(clip(end, op.low, op.high), fraction - to.fraction, to.rounding) for end in (source.low, source.high)
    )
    everything = full((), to)
    if to.overflow in (Overflow.SAT, Overflow.SAT_SYM):
        return Interval(clip(low, to.low, to.high), clip(high, to.low, to.high))
    inside = (low >= to.low) & (high <= to.high)
    return Interval(np.where(inside, low, everything.low), np.where(inside, high, everything.high))


# --- tables ---


def _looked_up(op: Table, source: Interval) -> Interval:
    """Return the range of the entries that each element can reach; `verify` tells of a table that ends too soon."""
    values, last = as_mantissas(op.values), len(op.values) - 1
    ends = np.broadcast_arrays(source.low, source.high)
    start, stop = (clip(add(end, np.array(-op.low)), 0, last).astype(np.int64) for end in ends)
    return Interval(_extreme(np.minimum, values, start, stop), _extreme(np.maximum, values, start, stop))


def _extreme(
    smaller: Callable[[IntArray, IntArray], IntArray], values: IntArray, start: Int64Array, stop: Int64Array
) -> IntArray:
    """Return the smallest (or largest) of ``values[start:stop + 1]`` for each element of start and stop.

    Any range is two overlapping ones whose length is a power of two; ``reach`` holds those of every start.
    """
    count = stop - start + 1
    result = np.empty(start.shape, dtype=values.dtype)
    reach, length = values, 1
    while True:
        here = (count >= length) & (count < 2 * length)
        result[here] = smaller(reach[start[here]], reach[stop[here] - length + 1])
        if 2 * length > count.max(initial=0):
            return result
        reach, length = smaller(reach[:-length], reach[length:]), 2 * length


# --- windows and comparisons ---


def _windowed(op: Window, channels: Interval, source: Tensor) -> Interval:
    """Return the interval of each element of a window: that of its channel, and the padding where its tap meets it."""
    inside, outside = _meets(op.windows, source.positions)
    fill = as_mantissas(np.array(op.fill, dtype=object))

    def ends(end: IntArray, smaller: Callable[[IntArray, IntArray], IntArray]) -> IntArray:
        taps = np.where(inside[:, np.newaxis], end, fill)
        filled = np.where(outside[:, np.newaxis], smaller(taps, fill), taps).reshape(-1)
        return filled if op.kept is None else filled[op.kept]

    return Interval(ends(channels.low, np.minimum), ends(channels.high, np.maximum))


def _meets(windows: Windows, shape: tuple[int, ...]) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Return for each tap whether some window has it inside the tensor, and whether some has it in the padding.

    Axes are independent, so what holds for a tap follows from its place along each of them.
    """
    some, every = np.ones(1, dtype=bool), np.ones(1, dtype=bool)
    for size, *parts in zip(
        shape, windows.kernel, windows.stride, windows.dilation, windows.before, windows.after, strict=True
    ):
        inside = Windows(*((part,) for part in parts)).index((size,)) != OUTSIDE
        some = np.logical_and.outer(some, inside.any(axis=0)).reshape(-1)
        every = np.logical_and.outer(every, inside.all(axis=0)).reshape(-1)
    return some, ~every


def _joined(parts: Iterable[IntArray]) -> IntArray:
    ends = list(parts)
    positions = np.broadcast_shapes(*(end.shape[:-1] for end in ends))
    joined: IntArray = np.concatenate([np.broadcast_to(end, (*positions, end.shape[-1])) for end in ends], axis=-1)
    return joined


def _largest(source: Interval, groups: int) -> Interval:
    low, high = (end.reshape(*end.shape[:-1], -1, groups).max(axis=-2) for end in (source.low, source.high))
    return Interval(low, high)


def _winners(source: Interval) -> Interval:
    """Return the first and the last channel that can be the largest: none that always lies below another."""
    possible = source.high >= source.low.max(axis=-1, keepdims=True)
    first = possible.argmax(axis=-1)
    last = possible.shape[-1] - 1 - possible[..., ::-1].argmax(axis=-1)
    return Interval(first[..., np.newaxis], last[..., np.newaxis])
