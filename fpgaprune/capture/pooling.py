"""Pooling, and reductions over any axes: largest, mean and sum."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import reduce
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from fpgaprune.capture import parts
from fpgaprune.capture.elementwise import product, with_numbers
from fpgaprune.capture.layout import Place, by_storage, in_rows, settled, stored, whole
from fpgaprune.capture.products import from_image, image, spread, with_padding
from fpgaprune.capture.reading import Arguments, Reading, Result, Value
from fpgaprune.capture.records import ArgMax, MaxPool
from fpgaprune.windows import OUTSIDE, Windows

if TYPE_CHECKING:
    from torch import fx

    from fpgaprune.capture.records import FloatArray
    from fpgaprune.windows import Axes, IndexArray

Reader: TypeAlias = Callable[[Reading, "fx.Node", Arguments], Value]


def max_pool(rank: int) -> Reader:
    """Return the reader of max pooling over so many axes."""

    def read(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
        place, source = Place.of(reading, node, "max_pool"), arguments.result("self")
        windows = _windows(arguments, rank, source.shape[-rank:])
        found = _largest_in(place, source, windows)
        return (found,) if isinstance(node.meta["val"], (tuple, list)) else found

    return read


def average_pool(rank: int) -> Reader:
    """Return the reader of average pooling over so many axes."""

    def read(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
        place, source = Place.of(reading, node, "avg_pool"), arguments.result("self")
        sizes = source.shape[-rank:]
        windows = _windows(arguments, rank, sizes)
        divisors = _divisors(arguments, windows, sizes)
        if (divisors == divisors.flat[0]).all():
            return _sums(place, source, windows, 1 / divisors.flat[0])
        mean = _sums(place.within("mean"), source, windows, 1 / windows.taps)
        return product(place, mean, windows.taps / divisors)

    return read


def _windows(arguments: Arguments, rank: int, sizes: Axes) -> Windows:
    """Return the windows of a pooling; its last ones reach beyond the padding if that is how sizes are rounded up."""
    kernel = spread(arguments.plain("kernel_size"), rank)
    stride = spread(arguments.plain("stride") or kernel, rank)
    padding = spread(arguments.plain("padding"), rank)
    dilation = spread(arguments.plain("dilation") or 1, rank)
    after = padding
    if arguments.plain("ceil_mode"):
        after = tuple(map(_after, sizes, kernel, stride, padding, dilation))
    return Windows(kernel, stride, dilation, padding, after)


def _after(size: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    """Return the padding behind an axis with which the number of windows is rounded up.

    A last window that would begin in the padding behind the axis is left out, as in torch.
    """
    reach = dilation * (kernel - 1) + 1
    last = -((size + 2 * padding - reach) // -stride)
    if last * stride >= size + padding:
        last -= 1
    return max(padding, last * stride + reach - size - padding)


def _divisors(arguments: Arguments, windows: Windows, sizes: Axes) -> FloatArray:
    """Return what the sum in each window is divided by."""
    counted = windows.positions(sizes)
    if arguments.plain("divisor_override"):
        return np.full(counted, float(arguments.plain("divisor_override")))
    axes = []
    for axis, (size, count) in enumerate(zip(sizes, counted, strict=True)):
        padding = windows.before[axis]
        first, last = (-padding, size + padding) if arguments.plain("count_include_pad") else (0, size)
        starts = np.arange(count) * windows.stride[axis] - padding
        axes.append(np.minimum(starts + windows.kernel[axis], last) - np.maximum(starts, first))
    counts: FloatArray = reduce(np.multiply.outer, axes).astype(np.float64)
    return counts


def _largest_in(place: Place, source: Result, windows: Windows) -> Result:
    source, windows = with_padding(source, windows, -math.inf)
    layer = image(place, source, len(windows.kernel))
    *sizes, channels = place.shape(layer)
    positions = windows.positions(tuple(sizes))
    name = place.add(MaxPool(place.name, layer, windows, (*positions, channels), place.where))
    return from_image(name, positions, channels, source)


def _sums(place: Place, source: Result, windows: Windows, factor: float) -> Result:
    source, windows = with_padding(source, windows, 0.0)
    layer = image(place, source, len(windows.kernel))
    *sizes, channels = place.shape(layer)
    name = parts.window_sums(place, place.name, layer, windows, factor)
    return from_image(name, windows.positions(tuple(sizes)), channels, source)


def adaptive_max_pool(rank: int) -> Reader:
    """Return the reader of adaptive max pooling over so many axes."""

    def read(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
        place, source = Place.of(reading, node, "adaptive_max_pool"), arguments.result("self")
        adapted = _adapted(place, arguments, source, rank, repeat=True)
        return (_largest_in(place, adapted.source, adapted.windows) if adapted.windows.taps > 1 else adapted.source,)

    return read


def adaptive_average_pool(rank: int) -> Reader:
    """Return the reader of adaptive average pooling over so many axes."""

    def read(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
        place, source = Place.of(reading, node, "adaptive_avg_pool"), arguments.result("self")
        adapted = _adapted(place, arguments, source, rank, repeat=False)
        taps = adapted.windows.taps
        if taps == 1:
            return adapted.source
        if (adapted.counts == taps).all():
            return _sums(place, adapted.source, adapted.windows, 1 / taps)
        mean = _sums(place.within("mean"), adapted.source, adapted.windows, 1 / taps)
        return product(place, mean, taps / adapted.counts)

    return read


@dataclass(frozen=True)
class _Adapted:
    """A source over which windows of one size slide, and how many elements of it each window counts."""

    source: Result
    windows: Windows
    counts: FloatArray


def _adapted(place: Place, arguments: Arguments, source: Result, rank: int, *, repeat: bool) -> _Adapted:
    """Return what windows of one size see as adaptive pooling's windows, which may differ in size by one.

    Where they do, each window gets a stretch of the source of its own, filled up with its last element again
    (``repeat``, which no maximum notices) or with zeros.
    """
    given = arguments.plain("output_size")
    wanted = [given] * rank if isinstance(given, int) else (list(given) * rank)[:rank]
    kernel, stride, lengths = [], [], []
    for axis, count in enumerate(wanted):
        at = source.index.ndim - rank + axis
        size = source.shape[at]
        starts, stops = _adaptive_ends(size, size if count is None else count)
        steps = {*np.diff(starts)} or {1}
        most = int((stops - starts).max())
        lengths.append(stops - starts)
        if len({*lengths[-1]}) != 1 or len(steps) != 1 or most == 1:
            source, steps = _stretched(place, source, at, starts, stops, repeat=repeat), {most}
        kernel.append(most)
        stride.append(int(steps.pop()))
    zeros = (0,) * rank
    counts = reduce(np.multiply.outer, lengths).astype(np.float64)
    return _Adapted(source, Windows(tuple(kernel), tuple(stride), (1,) * rank, zeros, zeros), counts)


def _stretched(
    place: Place, source: Result, axis: int, starts: IndexArray, stops: IndexArray, *, repeat: bool
) -> Result:
    """Return the source with, along an axis, the elements of each window one after the other."""
    offsets = np.arange((stops - starts).max())
    lengths = (stops - starts)[:, np.newaxis]
    places = (starts[:, np.newaxis] + np.minimum(offsets, lengths - 1)).reshape(-1)
    beyond = (offsets >= lengths).reshape(-1)
    if repeat or not beyond.any():
        return replace(source, index=np.take(source.index, places, axis=axis), moved=place.node)
    whole_source = settled(place, source) if (source.index == OUTSIDE).any() else source
    index = np.moveaxis(np.take(whole_source.index, places, axis=axis), axis, 0).copy()
    index[beyond] = OUTSIDE
    return replace(whole_source, index=np.moveaxis(index, 0, axis), fill=0.0, moved=place.node)


def _adaptive_ends(size: int, count: int) -> tuple[IndexArray, IndexArray]:
    place = np.arange(count)
    return place * size // count, -((place + 1) * size // -count)


def mean(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
    """Read the mean over any axes."""
    place, source = Place.of(reading, node, "mean"), arguments.result("self")
    axes = _axes(arguments, source)
    factor = 1 / math.prod(source.shape[axis] for axis in axes)
    return _shaped(node, _reduced_sum(place, source, axes, factor))


def total(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
    """Read the sum over any axes."""
    place, source = Place.of(reading, node, "sum"), arguments.result("self")
    return _shaped(node, _reduced_sum(place, source, _axes(arguments, source), 1.0))


def largest(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
    """Read the largest element over any axes."""
    place, source = Place.of(reading, node, "max"), arguments.result("self")
    found = _reduced_largest(place, source, _axes(arguments, source))
    several = isinstance(node.meta["val"], (tuple, list))  # max over one axis tells where it is as well
    return (_shaped(node, found),) if several else _shaped(node, found)


def smallest(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
    """Read the smallest element over any axes."""
    place, source = Place.of(reading, node, "min"), arguments.result("self")
    negative = with_numbers(place.within("negative"), source, scale=np.array(-1.0))
    found = _reduced_largest(place.within("max"), negative, _axes(arguments, source))
    result = _shaped(node, with_numbers(place, found, scale=np.array(-1.0)))
    return (result,) if isinstance(node.meta["val"], (tuple, list)) else result


def place_of_largest(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
    """Read argmax."""
    place, source = Place.of(reading, node, "argmax"), arguments.result("self")
    axes = _axes(arguments, source)
    rows = in_rows(place, source, axes)
    name = place.add(ArgMax(place.name, rows.layer, (*rows.shape[:-1], 1), place.where))
    return _shaped(node, rows.result(name, (1,) * len(axes)))


def _axes(arguments: Arguments, source: Result) -> Axes:
    given = arguments.plain("dim")
    rank = source.index.ndim
    listed = [given] if isinstance(given, int) else given
    return tuple(axis % rank for axis in listed) if listed else tuple(range(rank))


def _shaped(node: fx.Node, result: Result) -> Result:
    """Return a reduced tensor, which still has all axes, in the shape that torch sees."""
    value = node.meta["val"]
    first = value[0] if isinstance(value, (tuple, list)) else value
    return replace(result, index=result.index.reshape(tuple(first.shape)))


def _reduced_sum(place: Place, source: Result, axes: Axes, factor: float) -> Result:
    kept = _kept_if_last(source, axes)
    if kept is not None:
        layer, windows = _whole_image(place, source, axes, kept)
        return _reduced(parts.window_sums(place, place.name, layer, windows, factor), source, kept)
    rows = in_rows(place, source, axes)
    return rows.result(parts.summed(place, place.name, rows.layer, factor), (1,) * len(axes))


def _reduced_largest(place: Place, source: Result, axes: Axes) -> Result:
    kept = _kept_if_last(source, axes)
    if kept is not None:
        layer, windows = _whole_image(place, source, axes, kept)
        shape = (*(1 for _ in windows.kernel), place.shape(layer)[-1])
        return _reduced(place.add(MaxPool(place.name, layer, windows, shape, place.where)), source, kept)
    rows = in_rows(place, source, axes)
    return rows.result(parts.largest(place, place.name, rows.layer), (1,) * len(axes))


def _kept_if_last(source: Result, axes: Axes) -> Axes | None:
    """Return the axes that a reduction keeps, in their order in memory, where they come last in it; else None."""
    order = [axis for axis in by_storage(source, range(source.index.ndim)) if source.shape[axis] != 1]
    kept = tuple(axis for axis in order if axis not in axes)
    return kept if kept and len(kept) < len(order) and tuple(order[-len(kept) :]) == kept else None


def _whole_image(place: Place, source: Result, axes: Axes, kept: Axes) -> tuple[str, Windows]:
    """Return a layer (*reduced, kept) and one window that sees all of it; more than two reduced axes become one."""
    ordered = by_storage(source, axes)
    sizes = tuple(source.shape[axis] for axis in ordered)
    sizes = tuple(size for size in sizes if size != 1) if len(sizes) > 2 else sizes
    sizes = sizes if len(sizes) <= 2 else (math.prod(sizes),)
    rest = tuple(axis for axis in range(source.index.ndim) if axis not in axes and axis not in kept)
    shape = (*sizes, math.prod(source.shape[axis] for axis in kept))
    return stored(place, source, (*rest, *ordered, *kept), shape), Windows.plain(sizes)


def _reduced(layer: str, source: Result, kept: Axes) -> Result:
    others = tuple(axis for axis in range(source.index.ndim) if axis not in kept)
    shape = (*(1 for _ in others), *(source.shape[axis] for axis in kept))
    return Result(layer, whole(layer, shape).index.transpose(np.argsort((*others, *kept))))
