"""Operations whose result has elements of several tensors."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from fpgaprune.capture import parts
from fpgaprune.capture.layout import Place, by_storage, one_sample, stored, whole
from fpgaprune.capture.moves import covered
from fpgaprune.capture.reading import Arguments, Constant, Reading, Result, Value, as_array, shape_of
from fpgaprune.capture.records import Concat
from fpgaprune.capture.refusals import refused

if TYPE_CHECKING:
    from torch import fx

    from fpgaprune.windows import Axes


def concatenated(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
    """Read cat along any axis."""
    place = Place.of(reading, node, "cat")
    tensors = [as_result(place, value) for value in _listed(reading, arguments)]
    full = [tensor for tensor in tensors if tensor.index.size]  # torch lets cat read empty tensors of any rank
    return join(place, full, int(arguments.plain("dim")))


def stacked(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
    """Read stack: a cat along a new axis."""
    place = Place.of(reading, node, "stack")
    axis = int(arguments.plain("dim")) % len(shape_of(node))
    tensors = [as_result(place, value) for value in _listed(reading, arguments)]
    return join(place, [replace(each, index=np.expand_dims(each.index, axis)) for each in tensors], axis)


def join(place: Place, tensors: list[Result], axis: int) -> Result:
    """Return the tensors one after the other along an axis, in the order in memory of the first one."""
    if len(tensors) == 1:
        return tensors[0]
    shape = list(tensors[0].shape)
    axis %= len(shape)
    order = by_storage(tensors[0], range(len(shape)))
    outer, inner = order[: order.index(axis)], order[order.index(axis) :]
    positions = one_sample(tuple(shape[each] for each in outer))
    widths = [math.prod(tensor.shape[each] for each in inner) for tensor in tensors]
    layers = [stored(place, tensor, order, (*positions, width)) for tensor, width in zip(tensors, widths, strict=True)]
    shape[axis] = sum(tensor.shape[axis] for tensor in tensors)
    sizes = tuple(shape[each] for each in order)
    natural, joined = one_sample(sizes), (*positions, sum(widths))
    name = place.name if natural == joined else place.part("joined")
    layer = place.add(Concat(name, tuple(layers), joined, place.where))
    together = Result(layer, whole(layer, sizes).index.transpose(np.argsort(order)))
    return replace(together, layer=stored(place, together, order, natural, place.name))


def chosen(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
    """Read `where` with a constant condition: each element comes from one of two tensors."""
    if not isinstance(arguments.value("condition"), Constant):
        refused(node, "torch.where on a condition that depends on the input", "use torch.relu, clamp or maximum")
    condition = arguments.constant("condition").tensor
    one, two = (_operand(arguments, name) for name in ("self", "other"))
    if isinstance(one, Result) and isinstance(two, float):
        return covered(reading, node, one, ~condition, two)
    if isinstance(two, Result) and isinstance(one, float):
        return covered(reading, node, two, condition, one)
    place, shape = Place.of(reading, node, "where"), shape_of(node)
    flat = [_flat(place, value, shape) for value in (one, two)]
    both = join(place, flat, 0)
    index = both.index.reshape(2, *shape)
    return replace(both, index=np.where(np.broadcast_to(condition.numpy(), shape), index[0], index[1]))


def _listed(reading: Reading, arguments: Arguments) -> list[Value]:
    return [reading.values[source] for source in arguments.nodes("tensors")]


def as_result(place: Place, value: Value) -> Result:
    """Return a tensor as one that has a layer; a constant becomes a ConstantLayer.

    Raises:
        UnsupportedError: the constant is not float32 or float64, or not finite.
    """
    if isinstance(value, Constant):
        values = as_array(place.node, value)
        return whole(parts.constant(place, place.part("constant"), values), values.shape)
    assert isinstance(value, Result)  # noqa: S101  # an operation's argument is never several tensors
    return value


def _operand(arguments: Arguments, name: str) -> Value | float:
    value = arguments.value(name)
    if isinstance(value, Constant) and torch.unique(value.tensor).numel() == 1:
        return float(value.tensor.reshape(-1)[0])
    return float(arguments.plain(name)) if value is None else value


def _flat(place: Place, value: Value | float, shape: Axes) -> Result:
    assert not isinstance(value, float)  # noqa: S101  # the caller saw to it
    result = as_result(place, value)
    return replace(result, index=np.broadcast_to(result.index, shape).reshape(-1))
