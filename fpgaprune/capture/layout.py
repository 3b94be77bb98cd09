"""Elements brought into the order in which an operation needs them: the only place that makes Gather and Reshape."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from fpgaprune.capture.origin import base_name, where
from fpgaprune.capture.reading import Reading, Result, Value
from fpgaprune.capture.records import Concat, ConstantLayer, Gather, Layer, Reshape, Where
from fpgaprune.capture.refusals import refused
from fpgaprune.windows import OUTSIDE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import fx

    from fpgaprune.capture.records import FloatArray
    from fpgaprune.windows import Axes, IndexArray


@dataclass(frozen=True)
class Place:
    """A call that is being read: where it is, and the name of the layer that bears its result."""

    reading: Reading
    node: fx.Node
    name: str

    @classmethod
    def of(cls, reading: Reading, node: fx.Node, operation: str) -> Place:
        """Return the place of a node, which takes a new name."""
        return cls(reading, node, reading.name_for(node, operation))

    @property
    def where(self) -> Where:
        """The module and the line of the call."""
        return where(self.node)

    @property
    def read_values(self) -> list[Value]:
        """What the tensors that the call reads stand for."""
        return [self.reading.values[source] for source in self.node.all_input_nodes]

    def part(self, suffix: str) -> str:
        """Return a new name for a layer that is a part of the operation."""
        return self.reading.names.take(f"{self.name}.{suffix}")

    def within(self, suffix: str) -> Place:
        """Return the place of an operation that is a part of this one."""
        return replace(self, name=self.part(suffix))

    def add(self, layer: Layer) -> str:
        """Append a layer and return its name."""
        return self.reading.add(layer)

    def shape(self, layer: str) -> Axes:
        """Return the shape of a layer."""
        return self.reading.layers[layer].shape


@dataclass(frozen=True)
class Rows:
    """A layer (*positions, channels) that holds a tensor: its positions are the axes ``outer``, its channels ``inner``.

    ``sizes`` are those of torch's axes.
    """

    layer: str
    shape: Axes
    sizes: Axes
    outer: Axes
    inner: Axes

    def result(self, layer: str, channels: Axes | None = None) -> Result:
        """Return what a layer (*positions, channels) stands for; ``channels`` are the sizes of the axes ``inner``."""
        inner = tuple(self.sizes[axis] for axis in self.inner) if channels is None else channels
        stored = np.arange(math.prod(self.sizes[axis] for axis in self.outer) * math.prod(inner), dtype=np.int64)
        sizes = (*(self.sizes[axis] for axis in self.outer), *inner)
        return Result(layer, stored.reshape(sizes).transpose(np.argsort((*self.outer, *self.inner))))


def whole(layer: str, shape: Axes) -> Result:
    """Return a tensor of the given shape whose elements are in the order of the layer."""
    return Result(layer, np.arange(math.prod(shape), dtype=np.int64).reshape(shape))


def one_sample(shape: Axes) -> Axes:
    """Return axes without that of the samples, the first one of size 1; all axes of size 1 are alike in memory."""
    place = shape.index(1) if 1 in shape else None
    return shape if place is None else (*shape[:place], *shape[place + 1 :])


def squeezed(shape: Axes) -> Axes:
    """Return a shape without its axes of size 1."""
    return tuple(size for size in shape if size != 1)


def by_storage(result: Result, axes: Iterable[int]) -> Axes:
    """Return the axes in the order that they have in memory, the one with the longest steps first."""
    return tuple(sorted(axes, key=lambda axis: -_step(result.index, axis)))


def stored(place: Place, result: Result, order: Axes, shape: Axes, name: str = "") -> str:
    """Return a layer of the given shape that holds the elements with torch's axes in the given order.

    A layer that must be made for it bears the given name or, where an operation moved the elements, that of it.
    """
    return _wired(place, result, result.index.transpose(order).reshape(-1), shape, name)


def in_rows(place: Place, result: Result, inner: Axes, outer: Axes | None = None) -> Rows:
    """Return a layer with the axes ``inner`` as its channels and the others as positions, as they are in memory."""
    sizes = result.shape
    inner = tuple(axis % len(sizes) for axis in inner)
    if outer is None:
        outer = by_storage(result, (axis for axis in range(len(sizes)) if axis not in inner))
    positions, channels = one_sample(tuple(sizes[axis] for axis in outer)), math.prod(sizes[axis] for axis in inner)
    present = place.shape(result.layer)
    if squeezed(positions) and squeezed(present[:-1]) == squeezed(positions) and present[-1:] == (channels,):
        positions = present[:-1]
    shape = (*positions, channels)
    return Rows(stored(place, result, (*outer, *inner), shape), shape, sizes, outer, inner)


def settled(place: Place, result: Result) -> Result:
    """Return the tensor as one that has every element of its layer, so that the layer's order is good for it."""
    if _covers(result, place.reading.size(result.layer)):
        return result
    return _spread_out(place, result)


def alike(place: Place, left: Result, right: Result) -> tuple[str, str, Result]:
    """Return two layers of one shape that hold both tensors, broadcast, in one order, and what the left one stands for.

    The order is that of the left tensor, where it needs no broadcasting, else that of the right one.
    """
    shape = np.broadcast_shapes(left.shape, right.shape)
    wide = [_broadcast(each, shape) for each in (left, right)]
    leads = [_is_bijective(each, place.reading.size(each.layer)) for each in wide]
    if not any(leads):
        larger = 0 if left.index.size >= right.index.size else 1
        wide[larger] = _spread_out(place, wide[larger])
        leads[larger] = True
    lead, follow = wide if leads[0] else reversed(wide)
    order = np.argsort(lead.index, axis=None)
    layer = _wired(place, follow, follow.index.reshape(-1)[order], place.shape(lead.layer))
    layers = (lead.layer, layer) if leads[0] else (layer, lead.layer)
    return *layers, Result(lead.layer, lead.index)


def in_storage_order(place: Place, result: Result, values: FloatArray) -> tuple[Result, FloatArray]:
    """Return the tensor, broadcast, and the values in the order and shape of its layer."""
    shape = np.broadcast_shapes(result.shape, values.shape)
    wide = _broadcast(result, shape)
    if not _is_bijective(wide, place.reading.size(wide.layer)):
        wide = _spread_out(place, wide)
    order = np.argsort(wide.index, axis=None)
    flat = np.broadcast_to(values, shape).reshape(-1)[order]
    return wide, flat.reshape(place.shape(wide.layer))


def _spread_out(place: Place, result: Result) -> Result:
    """Return the tensor from a layer that has each of its elements once."""
    order = by_storage(result, range(result.index.ndim))
    sizes = tuple(result.shape[axis] for axis in order)
    layer = stored(place, result, order, one_sample(sizes) or (1,))
    return Result(layer, whole(layer, sizes).index.transpose(np.argsort(order)))


def _broadcast(result: Result, shape: Axes) -> Result:
    return result if result.shape == shape else replace(result, index=np.broadcast_to(result.index, shape))


def _covers(result: Result, size: int) -> bool:
    """Whether the tensor has every element of its layer, and nothing else."""
    flat = result.index.reshape(-1)
    return bool((flat >= 0).all()) and bool(np.bincount(flat, minlength=size).all())


def _is_bijective(result: Result, size: int) -> bool:
    return result.index.size == size and _covers(result, size)


def _step(index: IndexArray, axis: int) -> float:
    """Return how far apart neighbours along an axis are in memory; what is repeated stands as if farthest apart."""
    if index.shape[axis] == 1:
        return np.inf
    moved = np.moveaxis(index, axis, 0).reshape(index.shape[axis], -1)
    inside = (moved[1:] != OUTSIDE) & (moved[:-1] != OUTSIDE)
    steps = np.abs(np.diff(moved, axis=0))[inside]
    return float(steps[0]) if steps.size and steps[0] else np.inf


def _wired(place: Place, result: Result, flat: IndexArray, shape: Axes, name: str = "") -> str:
    """Return a layer of the given shape whose element i is the element ``flat[i]`` of the result's layer."""
    reading, source = place.reading, result.layer
    if (flat == OUTSIDE).any():
        source, flat = _extended(place, result, flat)
    source, flat = _origin(reading, source, flat)
    if place.shape(source) == shape and _is_in_order(flat, reading.size(source)):
        return source
    key = (source, flat.tobytes(), shape)
    if key not in reading.rewired:
        reading.rewired[key] = _rewired(place, result.moved, source, flat, shape, name)
    return reading.rewired[key]


def _rewired(place: Place, moved: fx.Node | None, source: str, flat: IndexArray, shape: Axes, name: str) -> str:
    """Add a Reshape or a Gather; it bears the name of the operation that moved the elements, if one did."""
    if moved is not None:
        operation = str(moved.target).removeprefix("aten.").partition(".")[0].strip("_")
        name = place.reading.names.take(base_name(moved, operation))
    name = name or place.part("input")
    origin = place.where if moved is None else where(moved)
    if _is_in_order(flat, place.reading.size(source)):
        return place.add(Reshape(name, source, shape, origin))
    return place.add(Gather(name, source, shape, flat, origin))


def _origin(reading: Reading, source: str, flat: IndexArray) -> tuple[str, IndexArray]:
    """Return the layer that elements come from in the end, behind what only moves them, and their places there."""
    layer = reading.layers[source]
    match layer:
        case Reshape():
            return _origin(reading, layer.source, flat)
        case Gather():
            return _origin(reading, layer.source, layer.index[flat])
        case Concat():
            positions, channels = np.divmod(flat, layer.shape[-1])
            start = 0
            for part in layer.parts:
                width = reading.layers[part].shape[-1]
                if ((channels >= start) & (channels < start + width)).all():
                    return _origin(reading, part, positions * width + channels - start)
                start += width
    return source, flat


def _is_in_order(flat: IndexArray, size: int) -> bool:
    return flat.size == size and bool((flat == np.arange(size)).all())


def _extended(place: Place, result: Result, flat: IndexArray) -> tuple[str, IndexArray]:
    """Return a vector that ends with the fill, and the index into it."""
    if not np.isfinite(result.fill):
        refused(place.node, f"a tensor that is masked with {result.fill} here", "mask right before a softmax only")
    size = place.reading.size(result.layer)
    vector = _wired(place, whole(result.layer, (size,)), np.arange(size, dtype=np.int64), (size,))
    fill = place.add(ConstantLayer(place.part("fill"), np.array([result.fill]), place.where))
    joined = place.add(Concat(place.part("filled"), (vector, fill), (size + 1,), place.where))
    return joined, np.where(flat == OUTSIDE, size, flat)
