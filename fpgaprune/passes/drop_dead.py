"""Drop the channels of tensors, the elements of vectors, and the ops, that no output depends on."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import assert_never

from fpgaprune.fixed import Fixed
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
from fpgaprune.passes.liveness import body_liveness, liveness, split_channels, wanted, window_elements
from fpgaprune.passes.rewrite import all_names, making, reading, rebuilt, take_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fpgaprune.fixed import IntArray
    from fpgaprune.passes.liveness import Flags


def drop_dead(graph: Graph) -> Graph:
    """Keep only the neurons that reach an output; inputs and outputs, the design's interface, keep their shape.

    A channel is kept or dropped at all positions together. Hidden units of a loop go where neither the loop itself
    nor what follows it reads them.
    """
    live = liveness(graph)
    whole = {op.output.name: np.ones(op.output.channels, dtype=bool) for op in graph.inputs}
    return rebuilt(graph, _Builder(graph, live | whole, all_names(graph)).ops())


class _Builder:
    """The new ops, and which channels of each tensor they still carry."""

    def __init__(self, graph: Graph, carried: Mapping[str, Flags], names: set[str]) -> None:
        self._graph = graph
        self._carried = dict(carried)
        self._names = names
        self._made: dict[str, Op] = {}

    def ops(self) -> tuple[Op, ...]:
        for op in self._graph.ops:
            if self._carried[op.output.name].any() or not op.output.size:
                if isinstance(op, Reshape) and op.output.name not in self._graph.outputs:
                    self._carry_on(op)
                self._append(self._kept(op))
        return tuple(self._made.values())

    def _carry_on(self, op: Reshape) -> None:
        """Let a reshape that joins positions carry all that its source does: its readers take what they need."""
        source = self._carried[op.input]
        if op.output.size and op.output.channels % len(source) == 0:
            self._carried[op.output.name] = np.tile(source, op.output.channels // len(source))

    def _append(self, op: Op) -> str:
        self._made[op.output.name] = op
        return op.output.name

    def _kept(self, op: Op) -> Op:
        flags = self._carried[op.output.name]
        tensor = _shrunk(op.output, flags)
        if not op.output.size:
            return op if isinstance(op, Constant) else Constant(tensor, np.zeros(tensor.shape, dtype=np.int64))
        match op:
            case Input():
                return making(op, tensor)
            case Constant():
                return op if flags.all() else Constant(tensor, _chosen(op.values, flags))
            case MatVec():
                return self._rows(op, flags, tensor)
            case Requantise() | Table() | Add() | Multiply() | Maximum() | Reshape():
                return making(self._reading_what_it_needs(op, flags), tensor)
            case MatMul() | ArgMax():
                return op
            case Window():
                return self._taps(op, flags, tensor)
            case Concat():
                return self._parts(op, flags, tensor)
            case Gather():
                return self._wires(op, flags, tensor)
            case Scan():
                return self._loop(op, flags, tensor)
            case _:
                assert_never(op)

    def _rows(self, op: MatVec, flags: Flags, tensor: Tensor) -> Op:
        """The live rows; with no weight among them nothing is read, and the input may be gone."""
        carried = self._carried[op.input]
        rows = op.weights if flags.all() else op.weights.select_rows(flags)
        if not rows.nonzeros:
            return Constant(tensor, np.broadcast_to(op.bias[flags], tensor.shape))
        if flags.all() and carried.all():
            return op
        return replace(op, output=tensor, weights=rows.select_columns(carried), bias=op.bias[flags])

    def _taps(self, op: Window, flags: Flags, tensor: Tensor) -> Window:
        carried = self._carried[op.input]
        if flags.all() and carried.all():
            return op
        tap, channel = np.divmod(window_elements(op, len(carried))[flags], len(carried))
        channels = int(carried.sum())
        kept = tap * channels + _places(carried)[channel]
        return replace(op, output=tensor, kept=None if kept.size == op.windows.taps * channels else kept)

    def _wires(self, op: Gather, flags: Flags, tensor: Tensor) -> Gather:
        carried = self._carried[op.input]
        if flags.all() and carried.all():
            return op
        chosen = np.broadcast_to(flags, op.output.shape or (1,)).reshape(-1)
        position, channel = np.divmod(op.index[chosen], len(carried))
        return Gather(tensor, op.input, position * carried.sum() + _places(carried)[channel], op.shift[chosen])

    def _parts(self, op: Concat, flags: Flags, tensor: Tensor) -> Concat:
        parts = [
            self._wired_down(name, part)
            for name, part in zip(op.sources, split_channels(op, flags, self._graph.tensors), strict=True)
            if part.any()
        ]
        if flags.all() and tuple(parts) == op.sources:
            return op
        return Concat(tensor, self._as_fine(parts, tensor))

    def _as_fine(self, parts: list[str], tensor: Tensor) -> tuple[str, ...]:
        """Where the part with the finest step went, give another one that step, which costs nothing."""
        first, fraction = self._made[parts[0]].output, tensor.format.fraction
        if fraction == max(self._made[name].output.format.fraction for name in parts):
            return tuple(parts)
        fine = Fixed(first.format.signed, first.format.width + fraction - first.format.fraction, fraction)
        aligned = replace(first, name=take_name(f"{first.name}_aligned", self._names), format=fine)
        return self._append(Requantise(aligned, first.name)), *parts[1:]

    def _loop(self, op: Scan, flags: Flags, tensor: Tensor) -> Scan:
        """Shrink the body; a state that nothing depends on goes."""
        live = body_liveness(op, flags)
        states = [live[state.output.name] for state in op.body.inputs[1:]]
        alive = [number for number, state in enumerate(states) if state.any()]
        ops = _Builder(op.body, live, self._names).ops()
        source = self._wired_down(op.input, wanted(op, flags, self._graph.tensors)[0])
        outputs = tuple(op.body.outputs[number] for number in alive)
        if source == op.input and outputs == op.body.outputs and rebuilt(op.body, ops) is op.body:
            return op
        initial = tuple(_chosen(op.initial[number], states[number]) for number in alive)
        return Scan(tensor, source, Graph(ops, outputs), initial, alive.index(op.result), op.reverse)

    def _reading_what_it_needs(self, op: Op, flags: Flags) -> Op:
        """An input that another op keeps more of is first wired down to the channels that this one needs."""
        needs = dict(zip(op.inputs, wanted(op, flags, self._graph.tensors), strict=True))
        wired = {name: self._wired_down(name, channels) for name, channels in needs.items()}
        return reading(op, {name: new for name, new in wired.items() if new != name})

    def _wired_down(self, name: str, channels: Flags) -> str:
        carried = self._carried[name]
        if np.array_equal(carried, channels):
            return name
        source = self._graph.tensors[name]
        wired = _shrunk(replace(source, name=take_name(f"{name}_live", self._names)), channels)
        starts = np.arange(math.prod(source.positions)) * carried.sum()
        index = (starts[:, np.newaxis] + _places(carried)[channels]).reshape(-1)
        return self._append(Gather(wired, name, index, np.zeros(len(index), dtype=np.int64)))


def _places(carried: Flags) -> IntArray:
    """Return the new number of each channel that is carried."""
    return np.cumsum(carried) - 1


def _shrunk(tensor: Tensor, flags: Flags) -> Tensor:
    return tensor if flags.all() else replace(tensor, shape=(*tensor.positions, int(flags.sum())))


def _chosen(values: IntArray, flags: Flags) -> IntArray:
    """Return the channels in ``flags`` of an array that may have no axis."""
    return values[..., flags] if values.ndim else values
