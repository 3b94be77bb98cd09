"""A graph as vectors alone, for designs that take all elements in one cycle: positions and steps become hardware."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import assert_never

from fpgaprune.errors import InputError
from fpgaprune.fixed import add
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
    Tensor,
    Window,
)
from fpgaprune.passes.rewrite import all_names, take_name
from fpgaprune.sparse import SparseMatrix
from fpgaprune.windows import OUTSIDE

if TYPE_CHECKING:
    from fpgaprune.sparse import Int64Array

TERMS_LIMIT = 1 << 17
"""Products of one parallel design; a compiler takes minutes for more, and no supported part holds them."""


def as_vectors(graph: Graph, taken: set[str] | None = None) -> Graph:
    """Return a graph that computes the same on vectors; inputs and outputs keep their shapes through reshapes.

    A matrix at several positions becomes one matrix with a block for each, a loop one copy of its body for each step.
    New tensors get names that are not ``taken`` (by default those of the graph), and are added to these.

    Raises:
        InputError: more products than `TERMS_LIMIT`.
    """
    if all(_is_vector(op) for op in graph.ops):
        return graph
    _refuse_large(graph)
    builder = _Builder(all_names(graph) if taken is None else taken)
    for op in graph.ops:
        builder.append(op)
    return Graph(tuple(builder.finish(graph)), graph.outputs)


def products_of(graph: Graph) -> int:
    """Return the products of two numbers for one sample, positions and steps included."""
    total = 0
    for op in graph.ops:
        if isinstance(op, MatVec):
            total += op.weights.nonzeros * math.prod(op.output.positions)
        elif isinstance(op, MatMul):
            total += op.output.size * graph.tensors[op.left].channels
        elif isinstance(op, Multiply):
            total += op.output.size
        elif isinstance(op, Scan):
            total += products_of(op.body) * op.output.shape[0]
    return total


def _refuse_large(graph: Graph) -> None:
    total = products_of(graph)
    if total > TERMS_LIMIT:
        msg = (
            f"a parallel design would hold {total} products side by side, more than {TERMS_LIMIT}; "
            "use the stream interface (--io stream), which builds each layer once"
        )
        raise InputError(msg)


def _is_vector(op: Op) -> bool:
    if isinstance(op, (Window, Scan)):
        return False
    return isinstance(op, (Input, Constant, Reshape)) or len(op.output.shape) == 1


@dataclass(frozen=True, eq=False)
class _Windows:
    """Windows that nobody has built yet: which element of a vector each of their elements is."""

    name: str
    source: str
    index: Int64Array  # (windows, kept), OUTSIDE in the padding
    fill: int


class _Builder:
    """The new ops; ``shape``d outputs of the old graph are vectors here until the end."""

    def __init__(self, taken: set[str]) -> None:
        self._taken = taken
        self._ops: list[Op] = []
        self._tensors: dict[str, Tensor] = {}
        self._renamed: dict[str, str] = {}
        self._windows: dict[str, _Windows] = {}
        self._old: dict[str, Tensor] = {}

    def finish(self, graph: Graph) -> list[Op]:
        """Give the outputs their names and shapes back."""
        for name in graph.outputs:
            vector = self._read(name)
            shape = graph.tensors[name].shape
            if name not in self._tensors:
                self._add(Reshape(Tensor(name, shape, self._tensors[vector].format), vector))
        return self._ops

    def append(self, op: Op, rename: str = "") -> None:
        """Append an op of the old graph, ``rename`` added to the names of a loop's copies."""
        self._old[op.output.name] = op.output
        flat = Tensor(self._name(op, rename), (op.output.size,), op.output.format)
        match op:
            case Input():
                self._add(op)
                self._renamed[op.output.name] = self._flat(op.output)
                return
            case Constant():
                self._add(Constant(flat, op.values.reshape(-1)))
            case MatVec():
                self._add(self._matrix(op, flat))
            case Requantise() | Table():
                self._add(replace(op, output=flat, input=self._read(op.input)))
            case Add() | Multiply():
                self._add(replace(op, output=flat, left=self._read(op.left), right=self._read(op.right)))
            case MatMul():
                self._matmul(op, flat)
            case Window():
                self._windows[op.output.name] = self._window(op, flat.name)
                return
            case Maximum():
                self._maximum(op, flat)
            case ArgMax():
                self._argmax(op, flat)
            case Reshape():
                self._renamed[op.output.name] = self._read(op.input)
                return
            case Concat():
                self._concat(op, flat)
            case Gather():
                self._add(Gather(flat, self._read(op.input), op.index, op.shift))
            case Scan():
                self._scan(op, flat, rename)
            case _:
                assert_never(op)
        self._renamed[op.output.name] = flat.name

    def _name(self, op: Op, rename: str) -> str:
        """Vectors keep their name; what gets another shape gets another name, as an output needs the old one."""
        if len(op.output.shape) == 1 and not rename:
            return op.output.name
        return take_name(f"{op.output.name}{rename}{'' if len(op.output.shape) == 1 else '_flat'}", self._taken)

    def _add(self, op: Op) -> None:
        self._ops.append(op)
        self._tensors[op.output.name] = op.output

    def _flat(self, tensor: Tensor) -> str:
        if len(tensor.shape) == 1:
            return tensor.name
        name = take_name(f"{tensor.name}_flat", self._taken)
        self._add(Reshape(Tensor(name, (tensor.size,), tensor.format), tensor.name))
        return name

    def _read(self, name: str) -> str:
        """Return the vector that stands for a tensor of the old graph, built now if it is windows."""
        if name in self._windows:
            self._renamed[name] = self._built(self._windows.pop(name))
        return self._renamed[name]

    def _built(self, windows: _Windows) -> str:
        """Return a vector of all elements of windows; the padding is a constant."""
        source = self._tensors[windows.source]
        index = windows.index.reshape(-1)
        if (index == OUTSIDE).any():
            fill = Tensor(take_name(f"{windows.name}_fill", self._taken), (1,), source.format)
            padded = Tensor(take_name(f"{windows.name}_padded", self._taken), (source.size + 1,), source.format)
            self._add(Constant(fill, np.array([windows.fill])))
            self._add(Concat(padded, (source.name, fill.name)))
            index, source = np.where(index == OUTSIDE, source.size, index), padded
        flat = Tensor(windows.name, (index.size,), source.format)
        self._add(Gather(flat, source.name, index, np.zeros(index.size, dtype=np.int64)))
        return flat.name

    def _window(self, op: Window, name: str) -> _Windows:
        source = self._old[op.input]
        taps = op.windows.index(source.positions)
        channels = np.arange(source.channels)
        inside = taps[:, :, np.newaxis] * source.channels + channels
        index = np.where(taps[:, :, np.newaxis] == OUTSIDE, OUTSIDE, inside).reshape(len(taps), -1)
        kept = index if op.kept is None else index[:, op.kept]
        return _Windows(name, self._read(op.input), kept, op.fill)

    def _matrix(self, op: MatVec, flat: Tensor) -> MatVec:
        """A block for each position; what multiplies padding goes into the bias."""
        windows = self._windows.get(op.input)
        if windows is None:
            source = self._old[op.input]
            places = np.arange(source.size).reshape(-1, source.channels)
            windows = _Windows("", self._read(op.input), places, 0)
        weights, count = op.weights, len(windows.index)
        rows = (np.arange(count)[:, np.newaxis] * weights.shape[0] + weights.row).reshape(-1)
        columns = windows.index[:, weights.column].reshape(-1)
        values = np.tile(weights.weight, count)
        inside = columns != OUTSIDE
        shape = (count * weights.shape[0], self._tensors[windows.source].size)
        matrix = SparseMatrix.from_terms(shape, rows[inside], columns[inside], values[inside])
        bias = np.tile(op.bias, count)
        if windows.fill and not inside.all():
            padding = np.zeros(len(bias), dtype=object)
            np.add.at(padding, rows[~inside], values[~inside].astype(object) * windows.fill)
            bias = add(bias, padding)
        low, high = (int(matrix.weight.min()), int(matrix.weight.max())) if matrix.nonzeros else (0, 0)
        holds = op.weight_format.holds(low, high)  # windows may see one element twice, and its weights are then summed
        weight_format = op.weight_format if holds else op.weight_format.with_range(low, high)
        return replace(op, output=flat, input=windows.source, weights=matrix, bias=bias, weight_format=weight_format)

    def _matmul(self, op: MatMul, flat: Tensor) -> None:
        shaped = [self._shaped(name) for name in op.inputs]
        product = Tensor(take_name(f"{flat.name}_product", self._taken), op.output.shape, op.output.format)
        self._add(MatMul(product, *shaped))
        self._add(Reshape(flat, product.name))

    def _shaped(self, name: str) -> str:
        """Return the vector of an old tensor under its old shape again."""
        vector, shape = self._read(name), self._old[name].shape
        shaped = Tensor(take_name(f"{vector}_shaped", self._taken), shape, self._tensors[vector].format)
        self._add(Reshape(shaped, vector))
        return shaped.name

    def _maximum(self, op: Maximum, flat: Tensor) -> None:
        """Order the elements of all positions so that what is compared lies ``flat.size`` apart."""
        windows = self._windows.get(op.input)
        source = self._old[op.input]
        if windows is None or not _drops_padding(windows, op, source):
            places = np.arange(source.size).reshape(-1, source.channels)
            windows = _Windows("", self._read(op.input), places, 0)
        compared = windows.index.reshape(len(windows.index), -1, op.output.channels)
        groups = _without_padding(compared).swapaxes(0, 1).reshape(-1)
        ordered = Tensor(take_name(f"{flat.name}_ordered", self._taken), (groups.size,), source.format)
        self._add(Gather(ordered, windows.source, groups, np.zeros(groups.size, dtype=np.int64)))
        self._add(Maximum(flat, ordered.name))

    def _argmax(self, op: ArgMax, flat: Tensor) -> None:
        source, vector = self._old[op.input], self._read(op.input)
        parts = []
        for position in range(flat.size):
            index = np.arange(source.channels) + position * source.channels
            picked = Tensor(take_name(f"{flat.name}_{position}_of", self._taken), (source.channels,), source.format)
            part = Tensor(take_name(f"{flat.name}_{position}", self._taken), (1,), flat.format)
            self._add(Gather(picked, vector, index, np.zeros(len(index), dtype=np.int64)))
            self._add(ArgMax(part, picked.name))
            parts.append(part.name)
        self._add(Concat(flat, tuple(parts)))

    def _concat(self, op: Concat, flat: Tensor) -> None:
        joined = Tensor(take_name(f"{flat.name}_joined", self._taken), flat.shape, flat.format)
        self._add(Concat(joined, tuple(self._read(name) for name in op.sources)))
        sizes = [self._old[name].size for name in op.sources]
        starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        rows = math.prod(op.output.positions)
        places = [start + np.arange(size).reshape(rows, -1) for start, size in zip(starts, sizes, strict=True)]
        index = np.concatenate(places, axis=1).reshape(-1)
        self._add(Gather(flat, joined.name, index, np.zeros(index.size, dtype=np.int64)))

    def _scan(self, op: Scan, flat: Tensor, rename: str) -> None:
        """One copy of the body for each step, in the order in which the loop takes them."""
        source, vector = self._old[op.input], self._read(op.input)
        states = self._initial(op, flat.name)
        results: dict[int, str] = {}
        steps = range(source.shape[0])
        size = source.size // len(steps)
        for step in reversed(steps) if op.reverse else steps:
            picked = Tensor(take_name(f"{flat.name}_in{step}", self._taken), (size,), source.format)
            self._add(Gather(picked, vector, np.arange(size) + step * size, np.zeros(size, dtype=np.int64)))
            states = self._copy(op, f"{rename}_t{step}", [picked.name, *states])
            results[step] = states[op.result]
        self._add(Concat(flat, tuple(results[step] for step in steps)))

    def _initial(self, op: Scan, name: str) -> list[str]:
        names = []
        for number, values in enumerate(op.initial):
            fmt = op.body.inputs[number + 1].output.format
            names.append(take_name(f"{name}_initial{number}", self._taken))
            self._add(Constant(Tensor(names[-1], (values.size,), fmt), values.reshape(-1)))
        return names

    def _copy(self, op: Scan, rename: str, entering: list[str]) -> list[str]:
        """Append one copy of the body and return the vectors of its new states; its names hold inside alone."""
        outside = dict(self._renamed), dict(self._windows), dict(self._old)
        for source, vector in zip(op.body.inputs, entering, strict=True):
            self._old[source.output.name] = source.output
            self._renamed[source.output.name] = vector
        for inner in op.body.ops:
            if not isinstance(inner, Input):
                self.append(inner, rename)
        states = [self._read(name) for name in op.body.outputs]
        self._renamed, self._windows, self._old = outside
        return states


def _drops_padding(windows: _Windows, op: Maximum, source: Tensor) -> bool:
    """Whether padding is never the largest, and no comparison is among padding alone."""
    compared = windows.index.reshape(len(windows.index), -1, op.output.channels)
    return windows.fill == source.format.low and bool((compared != OUTSIDE).any(axis=1).all())


def _without_padding(groups: Int64Array) -> Int64Array:
    """Return (windows, taps, channels) with each tap in the padding replaced by another: it is never the largest."""
    inside = groups != OUTSIDE
    first = np.take_along_axis(groups, inside.argmax(axis=1)[:, np.newaxis], axis=1)
    return np.where(inside, groups, first)
