"""Matrix products and convolutions."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from fpgaprune.capture.elementwise import numbers_of, times, total
from fpgaprune.capture.joins import as_result
from fpgaprune.capture.layout import Place, in_rows, one_sample, stored, whole
from fpgaprune.capture.reading import Arguments, Constant, Reading, Result, Value, as_array
from fpgaprune.capture.records import Conv, FloatArray, Linear, MatMul
from fpgaprune.capture.refusals import refused
from fpgaprune.windows import OUTSIDE, Windows

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import fx

    from fpgaprune.windows import Axes


def linear(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
    """Read linear; its weight may depend on the input, as in a product of two results."""
    place = Place.of(reading, node, "linear")
    if isinstance(arguments.value("weight"), Result) or isinstance(arguments.value("input"), Constant):
        transposed = _transposed(arguments, "weight")
        return _biased(place, product(place, _factor(arguments, "input"), transposed), arguments)
    weight, bias = arguments.constant("weight"), arguments.optional("bias")
    return _linear(place, arguments.result("input"), weight.name, arguments.array("weight"), bias)


def _biased(place: Place, result: Result, arguments: Arguments) -> Result:
    bias = arguments.optional("bias")
    return result if bias is None else total(place.within("bias"), result, numbers_of(place, bias))


def _transposed(arguments: Arguments, name: str) -> Result | Constant:
    value = _factor(arguments, name)
    if isinstance(value, Constant):
        return replace(value, tensor=value.tensor.mT)
    return replace(value, index=value.index.swapaxes(-1, -2))


def _factor(arguments: Arguments, name: str) -> Result | Constant:
    value = arguments.value(name)
    assert isinstance(value, (Result, Constant))  # noqa: S101  # torch multiplies tensors only
    return value


def add_product(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
    """Read ``beta * self + alpha * left @ right``."""
    place = Place.of(reading, node, "linear")
    left, right = ("mat1", "mat2") if "mat1" in arguments else ("batch1", "batch2")
    alpha, beta = float(arguments.plain("alpha")), float(arguments.plain("beta"))
    summand = arguments.value("self")
    first, second = (_factor(arguments, name) for name in (left, right))
    row = isinstance(summand, Constant) and alpha == beta == 1 and math.prod(summand.tensor.shape[:-1]) == 1
    if row and isinstance(summand, Constant) and isinstance(first, Result) and isinstance(second, Constant):
        return _linear(place, first, second.name, as_array(node, second).T, summand)
    multiplied = times(place, product(place.within("product"), first, second), alpha)
    added = numbers_of(place, summand) if isinstance(summand, Constant) else summand
    assert isinstance(multiplied, Result)  # noqa: S101  # a product of constants is a constant
    assert added is not None  # noqa: S101  # torch adds a tensor
    assert not isinstance(added, tuple)  # noqa: S101  # and one only
    return total(place, multiplied, times(place, added, beta))


def matmul(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
    """Read a product of matrices or vectors, batched or not."""
    place = Place.of(reading, node, "linear" if _has_constant(arguments) else "matmul")
    right = "mat2" if "mat2" in arguments else "other"
    return product(place, _factor(arguments, "self"), _factor(arguments, right))


def _has_constant(arguments: Arguments) -> bool:
    return any(isinstance(arguments.value(name), Constant) for name in ("self", "mat2", "other"))


def product(place: Place, left: Result | Constant, right: Result | Constant) -> Result:
    """Return ``left @ right`` as torch.matmul defines it; a constant matrix makes it a Linear."""
    if isinstance(left, Result) and isinstance(right, Constant) and _is_matrix(right, left):
        return _from_right(place, left, right)
    if isinstance(left, Constant) and isinstance(right, Result) and _is_matrix(left, right):
        return _from_left(place, left, right)
    one, two = (as_result(place, each) for each in (left, right))
    if one.index.ndim < 2 or two.index.ndim < 2:
        return _vectors(place, one, two)
    return matrices(place, one, replace(two, index=two.index.swapaxes(-1, -2)))


def _is_matrix(constant: Constant, other: Result) -> bool:
    """Whether a factor is one matrix or vector for all matrices of the other."""
    shape = constant.tensor.shape
    return math.prod(shape[:-2]) == 1 and len(shape) <= max(2, other.index.ndim)


def _from_right(place: Place, left: Result, right: Constant) -> Result:
    values = as_array(place.node, right)
    matrix = values[np.newaxis] if values.ndim == 1 else values.reshape(values.shape[-2:]).T
    flat = _linear(place, left, right.name, matrix, None)
    return replace(flat, index=flat.index[..., 0]) if values.ndim == 1 else flat


def _from_left(place: Place, left: Constant, right: Result) -> Result:
    """Return ``left @ right`` as the transposed product of the transposed factors."""
    values = as_array(place.node, left)
    columns = right.index[:, np.newaxis] if right.index.ndim == 1 else right.index
    matrix = np.atleast_2d(values).reshape(-1, values.shape[-1])
    flat = _linear(place, replace(right, index=columns.swapaxes(-1, -2)), left.name, matrix, None)
    index = flat.index.swapaxes(-1, -2)
    index = index[..., 0] if right.index.ndim == 1 else index
    return replace(flat, index=index[..., 0, :] if values.ndim == 1 and right.index.ndim > 1 else index)


def _vectors(place: Place, left: Result, right: Result) -> Result:
    one = replace(left, index=left.index[np.newaxis]) if left.index.ndim == 1 else left
    two = replace(right, index=right.index[:, np.newaxis]) if right.index.ndim == 1 else right
    found = matrices(place, one, replace(two, index=two.index.swapaxes(-1, -2)))
    index = found.index[..., 0, :] if left.index.ndim == 1 else found.index
    return replace(found, index=index[..., 0] if right.index.ndim == 1 else index)


def matrices(place: Place, left: Result, right: Result) -> Result:
    """Return the products of matrices (…, n, k) and transposed matrices (…, m, k)."""
    batch = np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
    layers = []
    for each in (left, right):
        wide = replace(each, index=np.broadcast_to(each.index, (*batch, *each.shape[-2:])))
        axes = tuple(range(len(wide.shape)))
        layers.append(stored(place, wide, axes, (*one_sample(batch), *each.shape[-2:])))
    sizes = (left.shape[-2], right.shape[-2])
    name = place.add(MatMul(place.name, layers[0], layers[1], (*one_sample(batch), *sizes), place.where))
    return whole(name, (*batch, *sizes))


def _linear(place: Place, source: Result, weight_name: str, matrix: FloatArray, bias: Constant | None) -> Result:
    rows = in_rows(place, source, (-1,))
    offset = np.zeros(len(matrix)) if bias is None else as_array(place.node, bias).reshape(-1)
    layer = Linear(
        place.name,
        rows.layer,
        matrix,
        np.broadcast_to(offset, (len(matrix),)),
        weight_name,
        "" if bias is None else bias.name,
        place.where,
        rows.shape[:-1],
    )
    return rows.result(place.add(layer), (len(matrix),))


def convolution(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
    """Read a convolution over one axis or two, with its padding in numbers or in words."""
    place, weight = Place.of(reading, node, "conv"), arguments.array("weight")
    rank = weight.ndim - 2
    if rank > 2:
        refused(node, f"a convolution over {rank} axes", "use nn.Conv1d or nn.Conv2d")
    stride, dilation = (spread(arguments.plain(name), rank) for name in ("stride", "dilation"))
    before, after = _padding(arguments.plain("padding"), weight.shape[2:], dilation)
    windows = Windows(weight.shape[2:], stride, dilation, before, after)
    source, windows = with_padding(arguments.result("input"), windows, 0.0)
    layer = image(place, source, rank)
    bias = arguments.optional("bias")
    outputs, positions = len(weight), windows.positions(place.shape(layer)[:-1])
    name = place.add(
        Conv(
            place.name,
            layer,
            weight,
            np.zeros(outputs) if bias is None else arguments.array("bias"),
            windows,
            int(arguments.plain("groups")),
            positions,
            arguments.constant("weight").name,
            "" if bias is None else bias.name,
            place.where,
        )
    )
    return from_image(name, positions, outputs, source)


def spread(value: Any, rank: int) -> Axes:  # noqa: ANN401  # torch takes a number or a list
    """Return an argument as one entry an axis."""
    entries = [value] if isinstance(value, int) else list(value)
    return tuple(int(entry) for entry in (entries if len(entries) == rank else entries * rank))


def _padding(value: Any, kernel: Axes, dilation: Axes) -> tuple[Axes, Axes]:  # noqa: ANN401  # numbers or a word
    if value == "valid":
        return (0,) * len(kernel), (0,) * len(kernel)
    if value == "same":
        totals = [step * (size - 1) for size, step in zip(kernel, dilation, strict=True)]
        before = tuple(total // 2 for total in totals)
        return before, tuple(total - first for total, first in zip(totals, before, strict=True))
    both = spread(value, len(kernel))
    return both, both


def with_padding(source: Result, windows: Windows, fill: float) -> tuple[Result, Windows]:
    """Return the tensor without the rows of its fill at its ends, which the windows see as padding instead."""
    if source.fill != fill or not (source.index == OUTSIDE).any():
        return source, windows
    rank, index = len(windows.kernel), source.index
    before, after = list(windows.before), list(windows.after)
    for axis in range(rank):
        at = index.ndim - rank + axis
        inside = np.flatnonzero((np.moveaxis(index, at, 0) != OUTSIDE).any(axis=tuple(range(1, index.ndim))))
        if not inside.size:
            return source, windows
        before[axis] += int(inside[0])
        after[axis] += index.shape[at] - int(inside[-1]) - 1
        index = np.take(index, range(inside[0], inside[-1] + 1), axis=at)
    if (index == OUTSIDE).any():
        return source, windows
    return replace(source, index=index), replace(windows, before=tuple(before), after=tuple(after))


def image(place: Place, source: Result, rank: int) -> str:
    """Return a layer (*positions, channels) of a tensor (samples, channels, *positions)."""
    _refuse_images(place, source.shape[: -rank - 1])
    first = source.index.ndim - rank
    order = (*range(first - 1), *range(first, source.index.ndim), first - 1)
    return stored(place, source, order, (*source.shape[first:], source.shape[first - 1]))


def _refuse_images(place: Place, leading: Iterable[int]) -> None:
    count = math.prod(leading)
    if count != 1:
        refused(place.node, f"windows over {count} images of one sample", "treat the images one after the other")


def from_image(layer: str, positions: Axes, channels: int, source: Result) -> Result:
    """Return what a layer (*positions, channels) stands for, with the leading axes of the source in front."""
    index = np.moveaxis(whole(layer, (*positions, channels)).index, -1, 0)
    leading = (1,) * (source.index.ndim - len(positions) - 1)
    return Result(layer, index.reshape(*leading, *index.shape))
