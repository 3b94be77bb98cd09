"""Which elements of a network's inputs are still read, and by how many weights, from the graph of a design."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from typing_extensions import assert_never

from fpgaprune.ir import (
    Add,
    ArgMax,
    Concat,
    Constant,
    Gather,
    Input,
    MatMul,
    MatVec,
    Maximum,
    Multiply,
    Requantise,
    Reshape,
    Scan,
    Table,
    Window,
)
from fpgaprune.passes.liveness import window_elements
from fpgaprune.windows import OUTSIDE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fpgaprune.ir import Graph, Op, Tensor

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class InputReads:
    """How often each element of an input is read, in row-major order; ``shape`` is the input's, channels last.

    An element that a matrix reads counts once for each non-zero weight of its column; what else reads it counts once.
    """

    name: str
    shape: tuple[int, ...]
    counts: tuple[int, ...]

    @property
    def alive(self) -> int:
        """The number of elements that are read at all."""
        return sum(count > 0 for count in self.counts)


def input_reads(graph: Graph) -> tuple[InputReads, ...]:
    """Return for each input of a graph how often its elements are read."""
    found = _reads(graph, {name: np.ones(graph.tensors[name].shape, dtype=np.int64) for name in graph.outputs})
    return tuple(
        InputReads(op.output.name, op.output.shape, tuple(found[op.output.name].reshape(-1).tolist()))
        for op in graph.inputs
    )


def _reads(graph: Graph, outputs: Mapping[str, Counts]) -> dict[str, Counts]:
    """Return how often the elements of each tensor are read, given how often those of the outputs are."""
    found = {name: np.zeros(tensor.shape, dtype=np.int64) for name, tensor in graph.tensors.items()}
    for name, counts in outputs.items():
        found[name] += counts
    for op in reversed(graph.ops):
        for source, counts in zip(op.inputs, _before(op, found[op.output.name], graph.tensors), strict=True):
            found[source] += counts.reshape(found[source].shape)
    return found


def _before(op: Op, counts: Counts, tensors: Mapping[str, Tensor]) -> tuple[Counts, ...]:
    """Return for each input of an op how often its elements are read, given how often those of its output are."""
    match op:
        case Input() | Constant():
            return ()
        case MatVec():
            used = np.count_nonzero(counts.reshape(-1, op.weights.shape[0]), axis=0) > 0
            columns = np.bincount(op.weights.column[used[op.weights.row]], minlength=op.weights.shape[1])
            return (np.broadcast_to(columns, tensors[op.input].shape),)
        case Requantise() | Table() | Reshape():
            return (counts,)
        case Add() | Multiply():
            return counts, counts
        case MatMul():
            return _any(counts, tensors[op.left]), _any(counts, tensors[op.right])
        case ArgMax():
            return (_any(counts, tensors[op.input]),)
        case Maximum():
            groups = tensors[op.input].channels // op.output.channels
            return (np.tile(counts, (*(1,) * (counts.ndim - 1), groups)),)
        case Concat():
            ends = np.cumsum([tensors[name].channels for name in op.sources])[:-1]
            return tuple(np.split(counts, ends, axis=-1))
        case Gather():
            return (_scattered(op.index, counts, tensors[op.input].size),)
        case Window():
            return (_windowed(op, counts, tensors[op.input]),)
        case Scan():
            return (_looped(op, counts),)
        case _:
            assert_never(op)


def _any(counts: Counts, source: Tensor) -> Counts:
    """Return that each element is read once if any of the results is."""
    return np.full(source.shape, int((counts > 0).any()), dtype=np.int64)


def _scattered(index: npt.NDArray[np.int64], counts: Counts, size: int) -> Counts:
    return np.bincount(index.reshape(-1), weights=counts.reshape(-1), minlength=size).astype(np.int64)[:size]


def _windowed(op: Window, counts: Counts, source: Tensor) -> Counts:
    positions = op.windows.index(source.positions)
    padding = math.prod(source.positions)
    places = np.where(positions == OUTSIDE, padding, positions)[:, :, np.newaxis] * source.channels
    flat = (places + np.arange(source.channels)).reshape(len(positions), -1)[:, window_elements(op, source.channels)]
    return _scattered(flat, counts, source.size)


def _looped(op: Scan, counts: Counts) -> Counts:
    """Return how often the elements of a sequence are read: by a loop that runs once a step, each step alike."""
    ones = {name: np.ones(op.body.tensors[name].shape, dtype=np.int64) for name in op.body.outputs}
    step = _reads(op.body, ones)[op.body.inputs[0].output.name]
    return np.broadcast_to(step if (counts > 0).any() else np.zeros_like(step), (len(counts), *step.shape))
