"""What several passes need to rebuild a graph: renaming inputs, replacing output formats, telling wires apart."""

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
    Window,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Mapping

    from fpgaprune.ir import Tensor
    from fpgaprune.sparse import Int64Array


def reading(op: Op, renamed: Mapping[str, str]) -> Op:
    """Return the op with each input tensor that ``renamed`` knows read under its new name."""
    if not any(name in renamed for name in op.inputs):
        return op
    match op:
        case Input() | Constant():
            return op
        case MatVec() | Requantise() | Table() | Window() | Maximum() | ArgMax() | Reshape() | Gather() | Scan():
            return replace(op, input=renamed.get(op.input, op.input))
        case Add() | Multiply() | MatMul():
            return replace(op, left=renamed.get(op.left, op.left), right=renamed.get(op.right, op.right))
        case Concat():
            return replace(op, sources=tuple(renamed.get(name, name) for name in op.sources))
        case _:
            assert_never(op)


def making(op: Op, tensor: Tensor) -> Op:
    """Return the op with another output tensor."""
    return op if tensor == op.output else replace(op, output=tensor)


def fresh_name(stem: str, taken: Container[str]) -> str:
    """Return ``stem``, numbered where a tensor of that name exists."""
    name, number = stem, 2
    while name in taken:
        name, number = f"{stem}_{number}", number + 1
    return name


def take_name(stem: str, taken: set[str]) -> str:
    """Return a name as `fresh_name` does, and add it to those that are taken."""
    name = fresh_name(stem, taken)
    taken.add(name)
    return name


def all_names(graph: Graph) -> set[str]:
    """Return the names of all tensors, those inside loops among them, all of which differ."""
    names = set(graph.tensors)
    return names.union(*(all_names(op.body) for op in graph.ops if isinstance(op, Scan)))


def rebuilt(graph: Graph, ops: Iterable[Op]) -> Graph:
    """Return a graph of these ops with the same outputs; the graph itself where they are its own."""
    new = tuple(ops)
    same = len(new) == len(graph.ops) and all(one is other for one, other in zip(new, graph.ops, strict=True))
    return graph if same else Graph(new, graph.outputs)


def map_bodies(graph: Graph, change: Callable[[Graph], Graph]) -> Graph:
    """Return the graph with the body of each loop changed; the graph itself where no body is."""
    return rebuilt(graph, (_with_body(op, change(op.body)) if isinstance(op, Scan) else op for op in graph.ops))


def _with_body(op: Scan, body: Graph) -> Scan:
    return op if body is op.body else replace(op, body=body)


def following(op: Op, made: Mapping[str, Op]) -> Op:
    """Return a reshape in the format of its source, which may have changed; any other op as it is."""
    if not isinstance(op, Reshape):
        return op
    return making(op, replace(op.output, format=made[op.input].output.format))


def pinned(graph: Graph, ends: Iterable[str] = ()) -> set[str]:
    """Return the tensors whose format must stay: those of ``ends``, those that loops read, and reshapes on their way.

    A loop's body declares the format of the step that it reads, so that its own states and results stay what they are.
    """
    held = {*ends, *(op.input for op in graph.ops if isinstance(op, Scan))}
    for op in reversed(graph.ops):
        if isinstance(op, Reshape) and op.output.name in held:
            held.add(op.input)
    return held


def is_every_wire(op: Gather, source: Tensor) -> bool:
    """Whether the wires are all elements of the source in their order, unshifted."""
    return len(op.index) == source.size and not op.shift.any() and bool((np.diff(op.index) == 1).all())


def channel_wires(op: Gather, source: Tensor) -> tuple[Int64Array, Int64Array] | None:
    """Return (index, shift) of each channel where the wires do the same to the channels of every position, else None.

    A vector is one position.
    """
    if not source.shape or op.output.positions != source.positions or not op.output.size:
        return None
    index = op.index.reshape(-1, op.output.channels)
    shift = op.shift.reshape(index.shape)
    same = index == index[0] + np.arange(len(index))[:, np.newaxis] * source.channels
    inside = index[0].max() < source.channels
    return (index[0], shift[0]) if inside and same.all() and (shift == shift[0]).all() else None
