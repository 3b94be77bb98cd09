"""What readers of hls4ml's layers and of quantised records build a Graph with: exact ops, then one requantisation."""

from __future__ import annotations

from itertools import chain, count
from typing import TYPE_CHECKING

import numpy as np

from fpgaprune.fixed import Fixed
from fpgaprune.intervals import full, matvec_interval
from fpgaprune.ir import (
    Add,
    Concat,
    Gather,
    Graph,
    MatMul,
    MatVec,
    Maximum,
    Multiply,
    Op,
    Requantise,
    Scan,
    Tensor,
    Window,
)
from fpgaprune.paths import identifier
from fpgaprune.sparse import SparseMatrix

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from fpgaprune.fixed import IntArray
    from fpgaprune.windows import Windows


class Builder:
    """The ops of a graph, or of a loop's body, half built.

    ``names`` maps the layers that users know to names of tensors; ``taken`` are the names that no other tensor may
    have, shared by a graph and the bodies of its loops.
    """

    def __init__(self, names: Mapping[str, str], taken: set[str]) -> None:
        self.ops: list[Op] = []
        self._names = names
        self._taken = taken

    def body(self) -> Builder:
        """Return a builder for the body of a loop."""
        return Builder(self._names, self._taken)

    def append(self, op: Op) -> Tensor:
        """Append an op and return the tensor that it makes."""
        self.ops.append(op)
        return op.output

    def name_of(self, layer: str) -> str:
        """Return the name of the tensor for a layer that users know by ``layer``."""
        return self._names[layer] if layer in self._names else self.fresh(layer)

    def fresh(self, stem: str) -> str:
        """Return a name that no other tensor has."""
        name = unused(stem, self._taken)
        self._taken.add(name)
        return name

    def inner(self, stem: str, shape: tuple[int, ...], fraction: int, ends: tuple[int, int]) -> Tensor:
        """Return a tensor of its own name that holds the mantissas of ``ends`` exactly."""
        return Tensor(self.fresh(stem), shape, Fixed(True, 1, fraction).with_range(*ends))

    def exact(self, result: Tensor, fraction: int, ends: tuple[int, int]) -> Tensor:
        """Return the tensor for a layer's exact values: its result where that holds them, else one of its own."""
        if result.format.fraction == fraction and result.format.holds(*ends):
            return result
        return self.inner(f"{result.name}_sum", result.shape, fraction, ends)

    def unchanged(self, result: Tensor, source: Tensor) -> Tensor:
        """Return the tensor for values that come from ``source`` as they are: the result, or one of its own."""
        return self.exact(result, source.format.fraction, (source.format.low, source.format.high))

    def settle(self, result: Tensor, exact: Tensor) -> None:
        """Requantise a layer's exact values to its result, where they are not the result."""
        if exact.name != result.name:
            self.append(Requantise(result, exact.name))


def unused(name: str, taken: Collection[str]) -> str:
    """Return ``name`` as an identifier, or the first of ``name_2``, … that is not taken, whatever its case."""
    lower, stem = {each.lower() for each in taken}, identifier(name)
    numbered = (f"{stem}_{number}" for number in count(2))
    return next(each for each in chain([stem], numbered) if each.lower() not in lower)


def every_tensor(graph: Graph) -> Iterator[Tensor]:
    """Yield the tensors of a graph and of the bodies of its loops."""
    for op in graph.ops:
        yield op.output
        if isinstance(op, Scan):
            yield from every_tensor(op.body)


def diagonal(values: IntArray) -> SparseMatrix:
    """Return the square matrix with the mantissas (size,) on its diagonal, zeros left out."""
    (places,) = np.nonzero(values)
    return SparseMatrix.from_terms((len(values), len(values)), places, places, values[places])


def append_product(
    builder: Builder, result: Tensor, source: Tensor, matrix: SparseMatrix, to: Fixed, bias: IntArray, title: str
) -> None:
    """Append a matrix, with weights in the format ``to``, times the channels at every position."""
    fraction = source.format.fraction + to.fraction
    ends = matvec_interval(matrix, bias, full((matrix.shape[1],), source.format)).bounds
    exact = builder.exact(result, fraction, ends)
    builder.append(MatVec(exact, source.name, matrix, to, bias, title))
    builder.settle(result, exact)


def append_window(builder: Builder, stem: str, source: Tensor, windows: Windows, fill: int = 0) -> Tensor:
    """Append the taps of each window and return their tensor."""
    shape = (*windows.positions(source.positions), windows.taps * source.channels)
    return builder.append(Window(Tensor(builder.fresh(stem), shape, source.format), source.name, windows, fill))


def append_convolution(
    builder: Builder,
    result: Tensor,
    source: Tensor,
    windows: Windows,
    matrix: SparseMatrix,
    to: Fixed,
    bias: IntArray,
    title: str,
) -> None:
    """Append a matrix (outputs, taps * channels) times each window; one tap at every position needs no window."""
    if windows != type(windows).plain((1,) * len(source.positions)):
        source = append_window(builder, f"{result.name}_window", source, windows)
    append_product(builder, result, source, matrix, to, bias, title)


def append_max_pool(builder: Builder, result: Tensor, source: Tensor, windows: Windows) -> None:
    """Append the largest element of each channel in each window, padding left out."""
    taps = append_window(builder, f"{result.name}_window", source, windows, source.format.low)
    exact = builder.unchanged(result, source)
    builder.append(Maximum(exact, taps.name))
    builder.settle(result, exact)


def append_sum(builder: Builder, result: Tensor, left: Tensor, right: Tensor, *, subtract: bool = False) -> None:
    """Append the sum or difference of two tensors of one shape."""
    fraction, ((low, high), (least, most)) = _aligned((left, right))
    ends = (low - most, high - least) if subtract else (low + least, high + most)
    exact = builder.exact(result, fraction, ends)
    builder.append(Add(exact, left.name, right.name, subtract))
    builder.settle(result, exact)


def append_multiply(builder: Builder, result: Tensor, left: Tensor, right: Tensor) -> None:
    """Append the product of two tensors, element by element."""
    exact = builder.exact(result, left.format.fraction + right.format.fraction, _products(left, right))
    builder.append(Multiply(exact, left.name, right.name))
    builder.settle(result, exact)


def append_matmul(builder: Builder, result: Tensor, left: Tensor, right: Tensor) -> None:
    """Append the product of two matrices, the right one transposed."""
    low, high = _products(left, right)
    ends = (low * left.channels, high * left.channels)
    exact = builder.exact(result, left.format.fraction + right.format.fraction, ends)
    builder.append(MatMul(exact, left.name, right.name))
    builder.settle(result, exact)


def append_concat(builder: Builder, result: Tensor, parts: Sequence[Tensor]) -> None:
    """Append tensors one after the other along the channels."""
    fraction, ranges = _aligned(parts)
    ends = (min(low for low, _ in ranges), max(high for _, high in ranges))
    exact = builder.exact(result, fraction, ends)
    builder.append(Concat(exact, tuple(part.name for part in parts)))
    builder.settle(result, exact)


def append_wires(builder: Builder, result: Tensor, source: Tensor, index: IntArray) -> None:
    """Append a tensor whose element i is element ``index[i]`` of the source."""
    exact = builder.unchanged(result, source)
    builder.append(Gather(exact, source.name, index, np.zeros_like(index)))
    builder.settle(result, exact)


def _aligned(tensors: Sequence[Tensor]) -> tuple[int, list[tuple[int, int]]]:
    """Return the finest fraction, and the range of mantissas of each tensor at that fraction."""
    fraction = max(tensor.format.fraction for tensor in tensors)
    formats = [tensor.format for tensor in tensors]
    return fraction, [(to.low << (fraction - to.fraction), to.high << (fraction - to.fraction)) for to in formats]


def _products(left: Tensor, right: Tensor) -> tuple[int, int]:
    """Return the range of products of an element of each."""
    sides = [(tensor.format.low, tensor.format.high) for tensor in (left, right)]
    corners = [one * other for one in sides[0] for other in sides[1]]
    return min(corners), max(corners)
