"""What every design computes: exact accumulation, one requantisation, on integer mantissas.

This is the definition that C-simulation, RTL simulation and the quantised torch model are compared with for equality.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from typing_extensions import assert_never

from fpgaprune.errors import FormatError, GraphError, InputError
from fpgaprune.fixed import IntArray, add, as_mantissas, bounds, clip, multiply, requantise, shift_left
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
from fpgaprune.windows import OUTSIDE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fpgaprune.sparse import Int64Array, SparseMatrix

_CHUNK = 2048
"""Samples computed at a time, at most: large enough for BLAS, small enough to bound the memory of wide layers."""

_ELEMENTS = 1 << 24
"""Elements of the largest tensor computed at a time, unless one sample alone has more."""

_DENSE_LIMIT = 1 << 24
"""Matrix entries up to which a dense BLAS product is taken; beyond, the sparse product needs less memory."""


def evaluate(graph: Graph, *inputs: IntArray) -> tuple[IntArray, ...]:
    """Return the mantissas of each output (samples, *shape) for the mantissas of each input (samples, *shape).

    Raises:
        InputError: wrong number of inputs, wrong shape, not integers, or out of the range of their format.
        GraphError: a table ends before a value that it is to look up, as `verify` would have told.
    """
    samples, chunk = check_inputs(graph, inputs), _chunk(graph)
    compute = _Evaluator(graph)
    parts = [
        [known[name] for name in graph.outputs]
        for known in (compute(_slice(inputs, start, chunk)) for start in range(0, max(samples, 1), chunk))
    ]
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))


def trace(graph: Graph, *inputs: IntArray) -> dict[str, IntArray]:
    """Return the mantissas of every tensor by its name (samples, *shape); for finding where two executors part.

    Those of a loop's body are (samples, steps, *shape), each at the place of its step.
    """
    check_inputs(graph, inputs)
    return _Evaluator(graph, everything=True)(inputs)


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


def _chunk(graph: Graph) -> int:
    return max(1, min(_CHUNK, _ELEMENTS // max(_largest(graph), 1)))


def _largest(graph: Graph) -> int:
    """Return the size of the largest tensor, those inside loops among them."""
    bodies = (_largest(op.body) for op in graph.ops if isinstance(op, Scan))
    return max(*(op.output.size for op in graph.ops), *bodies, 0)


def _slice(inputs: tuple[IntArray, ...], start: int, count: int) -> tuple[IntArray, ...]:
    return tuple(values[start : start + count] for values in inputs)


class _Evaluator:
    """A graph made ready to compute: each matrix in the arithmetic that is exact for it and fastest.

    It returns every tensor by its name, or, unless ``everything`` is set, only those that are still needed at the end.
    """

    def __init__(self, graph: Graph, *, everything: bool = False) -> None:
        self._graph = graph
        self._everything = everything
        self._products: dict[str, _Product] = {}
        self._places: dict[str, Int64Array] = {}
        self._bodies: dict[str, _Evaluator] = {}
        for op in graph.ops:
            self._prepare(op)
        self._spent = {} if everything else _spent(graph)

    def _prepare(self, op: Op) -> None:
        name = op.output.name
        if isinstance(op, MatVec):
            self._products[name] = _Product(op.weights, self._graph.tensors[op.input])
        if isinstance(op, Window):
            self._places[name] = _places(op, self._graph.tensors[op.input])
        if isinstance(op, Scan):
            self._bodies[name] = _Evaluator(op.body, everything=self._everything)

    def __call__(self, inputs: tuple[IntArray, ...]) -> dict[str, IntArray]:
        samples = len(inputs[0])
        known = {op.output.name: as_mantissas(values) for op, values in zip(self._graph.inputs, inputs, strict=True)}
        for op in self._graph.ops:
            name = op.output.name
            if isinstance(op, Scan):
                steps = self._scan(op, known[op.input])
                known[name] = steps[op.body.outputs[op.result]]
                known |= steps if self._everything else {}
            elif not isinstance(op, Input):
                known[name] = self._step(op, known, samples)
            for spent in self._spent.get(name, ()):
                del known[spent]
        return known

    def _step(self, op: Op, known: Mapping[str, IntArray], samples: int) -> IntArray:
        tensors, name = self._graph.tensors, op.output.name
        match op:
            case Input() | Scan():
                return known[name]
            case Constant():
                return np.broadcast_to(as_mantissas(op.values), (samples, *op.output.shape))
            case MatVec():
                vectors = samples * math.prod(op.output.positions), op.weights.shape[1]
                sums = self._products[name](known[op.input].reshape(vectors))
                return add(sums, op.bias).reshape(samples, *op.output.shape)
            case Requantise():
                source = clip(known[op.input], op.low, op.high)
                return requantise(source, tensors[op.input].format.fraction, op.output.format)
            case Add():
                left, right = (_aligned(known[part], tensors[part], op.output) for part in op.inputs)
                return add(left, multiply(right, np.array(-1)) if op.subtract else right)
            case Multiply():
                return multiply(known[op.left], known[op.right])
            case MatMul():
                return _matmul(known[op.left], known[op.right])
            case Table():
                return _looked_up(op, known[op.input])
            case Window():
                return _windowed(op, known[op.input], self._places[name])
            case Maximum():
                groups = tensors[op.input].channels // op.output.channels, op.output.channels
                largest: IntArray = known[op.input].reshape(samples, *op.output.positions, *groups).max(axis=-2)
                return largest
            case ArgMax():
                return as_mantissas(known[op.input].argmax(axis=-1, keepdims=True))
            case Reshape():
                return known[op.input].reshape(samples, *op.output.shape)
            case Concat():
                return np.concatenate([_aligned(known[part], tensors[part], op.output) for part in op.sources], axis=-1)
            case Gather():
                wires = known[op.input].reshape(samples, tensors[op.input].size)[:, op.index]
                return shift_left(wires, op.shift).reshape(samples, *op.output.shape)
            case _:
                assert_never(op)

    def _scan(self, op: Scan, sequence: IntArray) -> dict[str, IntArray]:
        """Return what the body computes at each step, by the tensor's name (samples, steps, *shape)."""
        samples, count = sequence.shape[:2]
        states = [np.broadcast_to(as_mantissas(values), (samples, *values.shape)) for values in op.initial]
        steps: list[dict[str, IntArray]] = []
        for step in reversed(range(count)) if op.reverse else range(count):
            steps.append(self._bodies[op.output.name]((sequence[:, step], *states)))
            states = [steps[-1][name] for name in op.body.outputs]
        in_place = steps[::-1] if op.reverse else steps
        return {name: np.stack([made[name] for made in in_place], axis=1) for name in steps[0]}


def _spent(graph: Graph) -> dict[str, list[str]]:
    """Return, by the name of an op, the tensors that nothing needs any more once it has been computed."""
    last = {op.output.name: op.output.name for op in graph.ops}
    last |= {name: op.output.name for op in graph.ops for name in op.inputs}
    spent: dict[str, list[str]] = {}
    for name, reader in last.items():
        if name not in graph.outputs:
            spent.setdefault(reader, []).append(name)
    return spent


def _aligned(values: IntArray, source: Tensor, result: Tensor) -> IntArray:
    return shift_left(values, result.format.fraction - source.format.fraction)


def _exact_real(bound: int) -> type[np.float32 | np.float64] | None:
    """Return the float in which sums stay exact whose partial sums are at most ``bound``, or None.

    A float32 holds integers up to 2**24 and a float64 up to 2**53 exactly, so while the sum of magnitudes stays below,
    BLAS gives the exact result in whatever order it adds.
    """
    if bound > 1 << 53:
        return None
    return np.float32 if bound <= 1 << 24 else np.float64


def _magnitude(values: IntArray) -> int:
    return max(abs(end) for end in bounds(values))


class _Product:
    """``x @ weights.T`` in the cheapest arithmetic in which every partial sum is exact."""

    def __init__(self, weights: SparseMatrix, source: Tensor) -> None:
        largest = max(-source.format.low, source.format.high)
        bound = max(largest, weights.magnitude(largest))
        dense = weights.shape[0] * weights.shape[1] <= _DENSE_LIMIT
        self._weights = weights
        self._matrix: npt.NDArray[np.floating] | None = None
        real = _exact_real(bound)
        if dense and real is not None:
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


def _matmul(left: IntArray, right: IntArray) -> IntArray:
    """``left @ right.T`` in the cheapest arithmetic that is exact for these values."""
    largest = _magnitude(left), _magnitude(right)
    bound = max(*largest, largest[0] * largest[1] * max(left.shape[-1], 1))
    transposed = np.swapaxes(right, -1, -2)
    real = _exact_real(bound)
    if real is not None:
        return as_mantissas((left.astype(real) @ transposed.astype(real)).astype(np.int64))
    if bound >= 1 << 63:
        left, transposed = left.astype(object), transposed.astype(object)
    product: IntArray = left @ transposed
    return product


def _looked_up(op: Table, source: IntArray) -> IntArray:
    low, high = bounds(source)
    first, last = op.low, op.low + len(op.values) - 1
    if source.size and (low < first or high > last):
        msg = f"{op.output.name}: the table reaches {first}…{last}, not {low}…{high}; extend it or clip what it reads"
        raise GraphError(msg)
    place = add(source, np.array(-op.low)).astype(np.int64)
    return as_mantissas(op.values)[place]


def _places(op: Window, source: Tensor) -> Int64Array:
    """Return where each element of each window lies in the flat tensor followed by one position of padding."""
    positions = op.windows.index(source.positions)
    positions = np.where(positions == OUTSIDE, math.prod(source.positions), positions)
    places = positions[:, :, np.newaxis] * source.channels + np.arange(source.channels)
    flat = places.reshape(len(positions), op.windows.taps * source.channels)
    return flat if op.kept is None else flat[:, op.kept]


def _windowed(op: Window, source: IntArray, places: Int64Array) -> IntArray:
    flat = source.reshape(len(source), math.prod(source.shape[1:]))
    if places.size and places.max() >= flat.shape[1]:
        fill = as_mantissas(np.full((len(source), source.shape[-1]), op.fill, dtype=object))
        flat = np.concatenate([flat, fill], axis=1)
    return np.take(flat, places, axis=1).reshape(len(source), *op.output.shape)
