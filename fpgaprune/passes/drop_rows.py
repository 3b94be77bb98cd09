"""Drop entries of the first axis that no output depends on: pruned heads of attention, steps that nobody reads.

What `drop_dead` does for channels this does for the first axis of positions, which tensors without positions do not
have.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import assert_never

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
from fpgaprune.passes.rewrite import all_names, reading, rebuilt, take_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fpgaprune.fixed import IntArray
    from fpgaprune.passes.liveness import Flags


def drop_rows(graph: Graph) -> Graph:
    """Keep only the entries of first axes that reach an output; inputs and outputs keep their shape."""
    picked = pick_rows(graph, _can_shrink)
    return rebuilt(picked, _Builder(picked, _liveness(picked)).ops())


def pick_rows(graph: Graph, where: Callable[[Reshape, Graph], bool]) -> Graph:
    """Let a matrix after a flattening read only the rows that it has weights for, at the flattenings that are said."""
    changed: dict[str, Op] = {}
    for op in graph.ops:
        reader = graph.only_consumer(op.output.name)
        if isinstance(op, Reshape) and isinstance(reader, MatVec) and where(op, graph):
            read = np.isin(np.arange(op.output.size), reader.weights.column)
            kept = _elements(op.output, _touched(np.flatnonzero(read), graph.tensors[op.input]))
            if not kept.all():
                places = np.flatnonzero(kept)
                flat = replace(op.output, shape=(len(places),))
                changed[flat.name] = Gather(flat, op.input, places, np.zeros(len(places), dtype=np.int64))
                changed[reader.output.name] = replace(reader, weights=reader.weights.select_columns(kept))
    return rebuilt(graph, (changed.get(op.output.name, op) for op in graph.ops))


def _can_shrink(op: Reshape, graph: Graph) -> bool:
    source = graph.producers[op.input]
    made_whole = isinstance(source, (Input, Window, Scan, Reshape))
    return len(op.output.shape) == 1 and not made_whole and graph.only_consumer(op.input) is op


def _rows(tensor: Tensor) -> int:
    """Entries of the first axis of positions; a vector is one."""
    return tensor.shape[0] if len(tensor.shape) > 1 else 1


def _liveness(graph: Graph) -> dict[str, Flags]:
    live = {name: np.full(_rows(tensor), name in graph.outputs) for name, tensor in graph.tensors.items()}
    for op in reversed(graph.ops):
        flags = live[op.output.name]
        if flags.any() and (isinstance(op, (Input, Window, Scan)) or not op.output.size):
            flags[:] = True  # these are made whole
        for name, wanted in zip(op.inputs, _wanted(op, flags, graph.tensors), strict=True):
            live[name] |= wanted
    return live


def _wanted(op: Op, flags: Flags, tensors: Mapping[str, Tensor]) -> tuple[Flags, ...]:
    """Return for each input the rows that an op needs for those of its output in ``flags``."""
    if not flags.any():
        return tuple(np.zeros(_rows(tensors[name]), dtype=bool) for name in op.inputs)
    match op:
        case Input() | Constant():
            return ()
        case MatVec() | Requantise() | Table() | Maximum() | ArgMax():
            return (flags,)
        case Add() | Multiply() | Concat():
            return tuple(flags for _ in op.inputs)
        case MatMul():
            whole = len(op.output.shape) == 2
            return flags, np.ones(_rows(tensors[op.right]), dtype=bool) if whole else flags
        case Reshape() | Gather():
            return (_touched(_index(op)[_elements(op.output, flags)], tensors[op.input]),)
        case Window() | Scan():
            return (np.ones(_rows(tensors[op.input]), dtype=bool),)
        case _:
            assert_never(op)


def _index(op: Reshape | Gather) -> IntArray:
    return op.index if isinstance(op, Gather) else np.arange(op.output.size)


def _elements(tensor: Tensor, flags: Flags) -> Flags:
    """Return the flag of each element's row."""
    return np.repeat(flags, tensor.size // len(flags))


def _touched(index: IntArray, source: Tensor) -> Flags:
    flags = np.zeros(_rows(source), dtype=bool)
    flags[index // max(source.size // len(flags), 1)] = True
    return flags


class _Builder:
    """The new ops, and which rows of each tensor they still carry."""

    def __init__(self, graph: Graph, carried: Mapping[str, Flags]) -> None:
        whole = {op.output.name: np.ones(_rows(op.output), dtype=bool) for op in graph.inputs}
        self._graph = graph
        self._carried = {**carried, **whole}
        self._names = all_names(graph)
        self._ops: list[Op] = []

    def ops(self) -> tuple[Op, ...]:
        for op in self._graph.ops:
            if self._carried[op.output.name].any():
                self._ops.append(self._kept(op))
        return tuple(self._ops)

    def _kept(self, op: Op) -> Op:
        flags = self._carried[op.output.name]
        tensor = _shrunk(op.output, flags)
        match op:
            case Input():
                return op
            case Constant():
                return op if flags.all() else Constant(tensor, op.values[flags])
            case Reshape() | Gather():
                return self._wires(op, flags, tensor)
            case (
                MatVec()
                | Requantise()
                | Table()
                | Maximum()
                | ArgMax()
                | Add()
                | Multiply()
                | Concat()
                | MatMul()
                | Window()
                | Scan()
            ):
                needs = zip(op.inputs, _wanted(op, flags, self._graph.tensors), strict=True)
                read = _reading(op, [self._wired_down(name, rows) for name, rows in needs])
                return read if tensor == op.output else replace(read, output=tensor)
            case _:
                assert_never(op)

    def _wires(self, op: Reshape | Gather, flags: Flags, tensor: Tensor) -> Op:
        carried, source = self._carried[op.input], self._graph.tensors[op.input]
        if flags.all() and carried.all():
            return op
        kept = _elements(op.output, flags)
        places = np.cumsum(_elements(source, carried)) - 1
        index = places[_index(op)[kept]]
        everything = len(index) == _elements(source, carried).sum()
        if isinstance(op, Reshape) and everything:
            return Reshape(tensor, op.input)
        shift = op.shift[kept] if isinstance(op, Gather) else np.zeros(len(index), dtype=np.int64)
        return Gather(tensor, op.input, index, shift)

    def _wired_down(self, name: str, rows: Flags) -> str:
        carried = self._carried[name]
        if np.array_equal(carried, rows):
            return name
        source = self._graph.tensors[name]
        wired = _shrunk(replace(source, name=take_name(f"{name}_rows", self._names)), rows)
        index = (np.cumsum(_elements(source, carried)) - 1)[_elements(source, rows)]
        self._ops.append(Gather(wired, name, index, np.zeros(len(index), dtype=np.int64)))
        return wired.name


def _reading(op: Op, names: list[str]) -> Op:
    """Return the op reading its inputs under these names; the two factors of a product may be one tensor's rows."""
    if isinstance(op, MatMul):
        same = (op.left, op.right) == tuple(names)
        return op if same else replace(op, left=names[0], right=names[1])
    return reading(op, {old: new for old, new in zip(op.inputs, names, strict=True) if old != new})


def _shrunk(tensor: Tensor, flags: Flags) -> Tensor:
    return tensor if flags.all() else replace(tensor, shape=(int(flags.sum()), *tensor.shape[1:]))
