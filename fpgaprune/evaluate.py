"""What every design computes: exact accumulation, one requantisation, on integer mantissas.

This is the definition that C-simulation, RTL simulation and the quantised torch model are compared with for equality.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from typing_extensions import assert_never

from fpgaprune.errors import FormatError, InputError
from fpgaprune.fixed import IntArray, add, as_mantissas, bounds, clip, requantise, shift_left
from fpgaprune.ir import Add, Constant, Gather, Graph, Input, MatVec, Op, Requantise, Reshape, Tensor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fpgaprune.sparse import SparseMatrix

_CHUNK = 2048
"""Samples computed at a time: large enough for BLAS, small enough to bound the memory of wide layers."""

_DENSE_LIMIT = 1 << 24
"""Matrix entries up to which a dense BLAS product is taken; beyond, the sparse product needs less memory."""


def evaluate(graph: Graph, *inputs: IntArray) -> tuple[IntArray, ...]:
    """Return the mantissas of each output (samples, *shape) for the mantissas of each input (samples, *shape).

    Raises:
        InputError: wrong number of inputs, wrong shape, not integers, or out of the range of their format.
    """
    samples = check_inputs(graph, inputs)
    compute = _Evaluator(graph)
    parts = [
        [known[name] for name in graph.outputs]
        for known in (compute(_slice(inputs, start)) for start in range(0, max(samples, 1), _CHUNK))
    ]
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))


def trace(graph: Graph, *inputs: IntArray) -> dict[str, IntArray]:
    """Return the mantissas of every tensor by its name (samples, *shape); for finding where two executors part."""
    check_inputs(graph, inputs)
    return _Evaluator(graph)(inputs)


def check_inputs(graph: Graph, inputs: tuple[IntArray, ...]) -> int:
    """Return the number of samples of inputs that fit the graph.

    Raises:
        InputError: as `evaluate`.
    """
    wanted = [op.output for op in graph.inputs]
    if len(inputs) != len(wanted):
        names = ", ".join(tensor.name for tensor in wanted)
        msg = f"the graph has {len(wanted)} inputs ({names}), {len(inputs)} were given"
        raise InputError(msg)
    for tensor, values in zip(wanted, inputs, strict=True):
        _check_input(tensor, values)
    counts = {len(values) for values in inputs}
    if len(counts) != 1:
        msg = f"the inputs must have one number of samples, not {sorted(counts)}"
        raise InputError(msg)
    return counts.pop()


def _check_input(tensor: Tensor, values: IntArray) -> None:
    if values.ndim != len(tensor.shape) + 1 or values.shape[1:] != tensor.shape:
        shape = ", ".join(("samples", *map(str, tensor.shape)))
        msg = f"{tensor.name}: the input must have shape ({shape}), not {values.shape}"
        raise InputError(msg)
    try:
        low, high = bounds(as_mantissas(values))
    except FormatError as error:
        msg = f"{tensor.name}: {error}; give mantissas of {tensor.format}"
        raise InputError(msg) from error
    if not tensor.format.holds(low, high):
        msg = f"{tensor.name}: mantissas {low}…{high} are out of the range of {tensor.format}"
        raise InputError(msg)


def _slice(inputs: tuple[IntArray, ...], start: int) -> tuple[IntArray, ...]:
    return tuple(values[start : start + _CHUNK] for values in inputs)


class _Evaluator:
    """A graph made ready to compute: each matrix in the arithmetic that is exact for it and fastest."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._products = {
            op.output.name: _Product(op.weights, graph.tensors[op.input]) for op in graph.ops if isinstance(op, MatVec)
        }

    def __call__(self, inputs: tuple[IntArray, ...]) -> dict[str, IntArray]:
        samples = len(inputs[0])
        known = {op.output.name: as_mantissas(values) for op, values in zip(self._graph.inputs, inputs, strict=True)}
        for op in self._graph.ops:
            if not isinstance(op, Input):
                known[op.output.name] = self._step(op, known, samples)
        return known

    def _step(self, op: Op, known: Mapping[str, IntArray], samples: int) -> IntArray:
        tensors = self._graph.tensors
        match op:
            case Input():
                return known[op.output.name]
            case Constant():
                return np.broadcast_to(as_mantissas(op.values), (samples, *op.output.shape))
            case MatVec():
                return add(self._products[op.output.name](known[op.input]), op.bias)
            case Requantise():
                source = clip(known[op.input], op.low, op.high)
                return requantise(source, tensors[op.input].format.fraction, op.output.format)
            case Add():
                left, right = (
                    shift_left(known[name], op.output.format.fraction - tensors[name].format.fraction)
                    for name in op.inputs
                )
                return add(left, right)
            case Reshape():
                return known[op.input].reshape(samples, *op.output.shape)
            case Gather():
                return shift_left(known[op.input][:, op.index], op.shift)
            case _:
                assert_never(op)


class _Product:
    """``x @ weights.T`` in the cheapest arithmetic in which every partial sum is exact.

    A float32 holds integers up to 2**24 and a float64 up to 2**53 exactly, so while the sum of magnitudes stays below,
    BLAS gives the exact result in whatever order it adds.
    """

    def __init__(self, weights: SparseMatrix, source: Tensor) -> None:
        largest = max(-source.format.low, source.format.high)
        bound = max(largest, weights.magnitude(largest))
        dense = weights.shape[0] * weights.shape[1] <= _DENSE_LIMIT
        self._weights = weights
        self._matrix: npt.NDArray[np.floating] | None = None
        if dense and bound <= 1 << 53:
            real = np.float32 if bound <= 1 << 24 else np.float64
            self._matrix = np.ascontiguousarray(weights.dense().T.astype(real))
        self._wide = bound >= 1 << 63

    def __call__(self, vectors: IntArray) -> IntArray:
        if self._matrix is not None:
            real = vectors.astype(self._matrix.dtype) @ self._matrix
            return as_mantissas(real.astype(np.int64))
        if not self._wide and vectors.dtype != object:
            product: IntArray = (self._weights.csr @ vectors.T).T
            return product
        return np.array([self._weights.multiply(vector) for vector in vectors], dtype=object).reshape(
            len(vectors), self._weights.shape[0]
        )
