"""From ops to kernels: a requantisation joins the op whose result it alone reads."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import assert_never

from fpgaprune.fixed import add, as_mantissas, clip, requantise
from fpgaprune.intervals import Interval, analyse, analyse_body
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
from fpgaprune.lower.finishing import finish_of
from fpgaprune.lower.kernels import (
    AccumulateKernel,
    ArgMaxKernel,
    BufferKernel,
    ConstantKernel,
    ElementKernel,
    Finish,
    Kernel,
    Lowered,
    MatMulKernel,
    MatVecKernel,
    MaximumKernel,
    Output,
    Port,
    ProductKernel,
    ScanKernel,
    State,
    TableKernel,
    WindowKernel,
    WireKernel,
)
from fpgaprune.lower.simulate import fifo_depths
from fpgaprune.lower.streams import with_forks
from fpgaprune.schedule.sums import is_summed, summed_matrix, summed_words, sums_tensor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fpgaprune.schedule import Design
    from fpgaprune.sparse import Int64Array

_JOINED = (MatVec, Add, Multiply, MatMul)
"""Ops whose exact result a requantisation can finish in the same kernel."""


def lower(design: Design) -> Lowered:
    """Return the kernels of a design; what each computes is what `evaluate` computes for its tensor."""
    graph = design.graph
    lowering = _Lowering(design, graph, analyse(graph), streaming=design.is_by_position)
    kernels = lowering.all_kernels()
    inputs = tuple(lowering.port(op.output.name) for op in graph.inputs)
    outputs = tuple(Output(name, lowering.port(name)) for name in graph.outputs)
    if not design.is_dataflow:
        return Lowered(design, inputs, kernels, outputs, {})
    forked, leaving = with_forks(inputs, kernels, outputs)
    return Lowered(design, inputs, forked, leaving, fifo_depths(inputs, forked, leaving))


class _Lowering:
    def __init__(self, design: Design, graph: Graph, intervals: Mapping[str, Interval], *, streaming: bool) -> None:
        self._design = design
        self._graph = graph
        self._intervals = intervals
        self._streaming = streaming

    def all_kernels(self) -> tuple[Kernel, ...]:
        return tuple(kernel for op in self._graph.ops for kernel in self._kernels(op))

    def port(self, name: str) -> Port:
        """A reshape that keeps the beats is the same words, so its port is that of its source."""
        op = self._graph.producers[name]
        if isinstance(op, Window) and self._is_summed(op):
            return self._sums(op)
        own = self._own_port(op.output)
        if isinstance(op, Reshape):
            source = self.port(op.input)
            if (source.beats, source.size) == (own.beats, own.size):
                return source
        return own

    def _own_port(self, tensor: Tensor) -> Port:
        if self._streaming:
            return Port(tensor.name, tensor.channels, tensor.format, math.prod(tensor.positions))
        return Port(tensor.name, tensor.size, tensor.format)

    def _interval(self, name: str) -> Interval:
        """Return the interval of each word of a tensor's beats."""
        size = self._own_port(self._graph.tensors[name]).size
        found = self._intervals[name]
        return Interval(found.low.reshape(-1, size).min(axis=0), found.high.reshape(-1, size).max(axis=0))

    def _kernels(self, op: Op) -> tuple[Kernel, ...]:
        name = op.output.name
        match op:
            case Input():
                return ()
            case Reshape():
                return self._reshape(op)
            case Constant():
                return (ConstantKernel(name, self.port(name), op.values.reshape(-1)),)
            case Requantise():
                return () if self._joins(op) else (self._elementwise(op, (0,), op),)
            case MatVec():
                return (self._matvec(op),)
            case Add():
                return (self._add(op),)
            case Multiply():
                return (self._multiply(op),)
            case MatMul():
                return (self._matmul(op),)
            case Table():
                return (self._table(op),)
            case Maximum():
                return (MaximumKernel(name, self.port(op.input), self.port(name)),)
            case ArgMax():
                return (ArgMaxKernel(name, self.port(op.input), self.port(name)),)
            case Concat():
                return (self._concat(op),)
            case Gather():
                return (self._gather(op),)
            case Window():
                return (self._accumulate(op) if self._is_summed(op) else self._window(op),)
            case Scan():
                return (self._scan(op),)
            case _:
                assert_never(op)

    def _joins(self, op: Requantise) -> bool:
        source = self._graph.producers[op.input]
        return isinstance(source, _JOINED) and self._graph.only_consumer(op.input) is op

    def _follower(self, op: Op) -> Requantise | None:
        reader = self._graph.only_consumer(op.output.name)
        return reader if isinstance(reader, Requantise) else None

    def _finished(self, op: Op, sums: Interval) -> tuple[str, Finish | None]:
        """Return the tensor that an op's kernel makes, and the finish that makes it, if any."""
        follower = self._follower(op)
        if follower is None:
            return op.output.name, None
        return follower.output.name, finish_of(follower, op.output.format.fraction, sums, merge=False)[0]

    def _reshape(self, op: Reshape) -> tuple[Kernel, ...]:
        source, result = self.port(op.input), self.port(op.output.name)
        if source == result:
            return ()
        count = op.output.size
        return (BufferKernel(op.output.name, source, result, np.arange(count), np.zeros(count, dtype=np.int64)),)

    def _matvec(self, op: MatVec) -> MatVecKernel | ConstantKernel:
        if not op.weights.nonzeros:
            return self._constant_rows(op)
        before = self._graph.producers[op.input]
        if isinstance(before, Window) and self._is_summed(before):
            op = summed_matrix(op, before)
        sums = self._interval(op.output.name)
        follower = self._follower(op)
        result = (follower or op).output.name
        finish, half = None, 0
        if follower is not None:
            finish, half = finish_of(follower, op.output.format.fraction, sums, merge=True)
        return MatVecKernel(
            result,
            op.layer,
            self._design.plans[op.output.name],
            self.port(op.input),
            self.port(result),
            op.weights,
            add(op.bias, np.array(half)),
            Interval(add(sums.low, np.array(half)), add(sums.high, np.array(half))),
            finish,
        )

    def _constant_rows(self, op: MatVec) -> ConstantKernel:
        """A matrix without weights is its bias, finished, at every position."""
        follower = self._follower(op)
        values = op.bias
        if follower is not None:
            limited = clip(op.bias, follower.low, follower.high)
            values = requantise(limited, op.output.format.fraction, follower.output.format)
        result = self.port((follower or op).output.name)
        return ConstantKernel(result.name, result, np.tile(values, op.output.size // max(len(op.bias), 1)))

    def _add(self, op: Add) -> ElementKernel:
        shifts = tuple(op.output.format.fraction - self._graph.tensors[name].format.fraction for name in op.inputs)
        return self._elementwise(op, shifts, self._follower(op))

    def _elementwise(self, op: Add | Requantise, shifts: tuple[int, ...], then: Requantise | None) -> ElementKernel:
        exact = op.output.name if isinstance(op, Add) else op.input
        sums, fraction = self._interval(exact), self._graph.tensors[exact].format.fraction
        result = (then or op).output.name
        finish = None if then is None else finish_of(then, fraction, sums, merge=False)[0]
        ports = tuple(self.port(source) for source in op.inputs)
        subtract = isinstance(op, Add) and op.subtract
        return ElementKernel(result, ports, shifts, subtract, self.port(result), sums, finish)

    def _multiply(self, op: Multiply) -> ProductKernel:
        products = self._interval(op.output.name)
        result, finish = self._finished(op, products)
        return ProductKernel(result, self.port(op.left), self.port(op.right), self.port(result), products, finish)

    def _matmul(self, op: MatMul) -> MatMulKernel:
        low, high = self._intervals[op.output.name].bounds
        sums = Interval(as_mantissas([low]), as_mantissas([high]))
        result, finish = self._finished(op, sums)
        *batch, rows, columns = op.output.shape
        inner = self._graph.tensors[op.left].channels
        ports = (self.port(op.left), self.port(op.right), self.port(result))
        return MatMulKernel(result, *ports, math.prod(batch), rows, columns, inner, sums, finish)

    def _table(self, op: Table) -> TableKernel:
        """The part of the table that can be reached."""
        low, high = self._intervals[op.input].bounds
        values = op.values[low - op.low : high - op.low + 1]
        return TableKernel(op.output.name, self.port(op.input), self.port(op.output.name), values, low)

    def _concat(self, op: Concat) -> WireKernel:
        fraction = op.output.format.fraction
        parts = [self._graph.tensors[name] for name in op.sources]
        shift = np.concatenate([np.full(part.channels, fraction - part.format.fraction) for part in parts])
        ports = tuple(self.port(name) for name in op.sources)
        return WireKernel(op.output.name, ports, self.port(op.output.name), np.arange(len(shift)), shift)

    def _gather(self, op: Gather) -> WireKernel | BufferKernel:
        source, result = self.port(op.input), self.port(op.output.name)
        wires = _wires_of_each_beat(op, source, result)
        if wires is None:
            return BufferKernel(op.output.name, source, result, op.index, op.shift)
        return WireKernel(op.output.name, (source,), result, *wires)

    def _window(self, op: Window) -> WindowKernel:
        source = self._graph.tensors[op.input]
        kept = np.arange(op.windows.taps * source.channels) if op.kept is None else op.kept
        name = op.output.name
        return WindowKernel(name, self.port(op.input), self.port(name), source.positions, op.windows, op.fill, kept)

    def _is_summed(self, op: Window) -> bool:
        return self._streaming and is_summed(op, self._graph)

    def _sums(self, op: Window) -> Port:
        words, source = summed_words(op, self._graph), self._interval(op.input)
        tensor = sums_tensor(op, int(source.low[words].min()), int(source.high[words].max()))
        return Port(tensor.name, tensor.size, tensor.format)

    def _accumulate(self, op: Window) -> AccumulateKernel:
        result, words = self._sums(op), summed_words(op, self._graph)
        assert words is not None  # noqa: S101  # only such windows become sums
        return AccumulateKernel(result.name, self.port(op.input), result, words)

    def _scan(self, op: Scan) -> ScanKernel:
        intervals = analyse_body(op, self._intervals[op.input])
        inner = _Lowering(self._design, op.body, intervals, streaming=False)
        step, *before = (inner.port(each.output.name) for each in op.body.inputs)
        after = [inner.port(name) for name in op.body.outputs]
        initial = [tuple(int(value) for value in values.reshape(-1)) for values in op.initial]
        states = tuple(State(*parts) for parts in zip(before, after, initial, strict=True))
        ports = (self.port(op.input), self.port(op.output.name))
        return ScanKernel(op.output.name, *ports, step, inner.all_kernels(), states, op.result)


def _wires_of_each_beat(op: Gather, source: Port, result: Port) -> tuple[Int64Array, Int64Array] | None:
    """Return index and shift of each word, where every beat of the result is wired alike to its own of the source."""
    if source.beats != result.beats or not result.size:
        return None
    own = np.arange(result.beats)[:, np.newaxis] * source.size
    index, shift = op.index.reshape(result.beats, -1) - own, op.shift.reshape(result.beats, -1)
    inside = index.min() >= 0 and index.max() < source.size
    if not inside or (index != index[0]).any() or (shift != shift[0]).any():
        return None
    return index[0], shift[0]
