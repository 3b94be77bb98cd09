"""Remove ops that change no value."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fpgaprune.intervals import analyse
from fpgaprune.ir import Add, Concat, Gather, Graph, Maximum, Requantise, Reshape, Window
from fpgaprune.passes.rewrite import following, is_every_wire, pinned, reading, rebuilt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fpgaprune.intervals import Interval
    from fpgaprune.ir import Op, Tensor


def drop_identities(graph: Graph) -> Graph:
    """Let readers of an op read its source where the op alters neither a value nor the shape.

    Such are requantisations where neither clip, step nor range alters a value, sums with zero, windows of one tap,
    and wires and joins that keep everything. Wires that alter the shape alone become a reshape.
    """
    intervals, held = analyse(graph), pinned(graph, graph.outputs)
    renamed: dict[str, str] = {}
    made: dict[str, Op] = {}
    for op in graph.ops:
        name, source = op.output.name, _same_as(op, graph, intervals)
        target = None if source is None else made[renamed.get(source, source)].output
        if target is not None and name not in graph.outputs and (target.format == op.output.format or name not in held):
            renamed[name] = target.name
        else:
            made[name] = following(_as_reshape(reading(op, renamed), made, held), made)
    return rebuilt(graph, made.values())


def _same_as(op: Op, graph: Graph, intervals: Mapping[str, Interval]) -> str | None:
    """Return the tensor that the op only repeats, or None."""
    source = graph.tensors[op.inputs[0]] if op.inputs else op.output
    match op:
        case Requantise():
            same = _keeps_values(op, source, intervals[op.input])
        case Add():
            return _other_than_zero(op, graph, intervals)
        case Window():
            same = _sees_one_tap(op, source)
        case Concat():
            same = len(op.sources) == 1
        case Maximum() | Reshape():
            same = source.shape == op.output.shape
        case Gather():
            same = source.shape == op.output.shape and is_every_wire(op, source)
        case _:
            same = False
    return source.name if same else None


def _keeps_values(op: Requantise, source: Tensor, interval: Interval) -> bool:
    low, high = interval.bounds
    inside_clip = (op.low is None or op.low <= low) and (op.high is None or high <= op.high)
    same_step = source.format.fraction == op.output.format.fraction
    return same_step and inside_clip and op.output.format.holds(low, high)


def _other_than_zero(op: Add, graph: Graph, intervals: Mapping[str, Interval]) -> str | None:
    for zero, other in ((op.right, op.left), (op.left, op.right))[: 1 if op.subtract else 2]:
        same_step = graph.tensors[other].format.fraction == op.output.format.fraction
        if same_step and intervals[zero].bounds == (0, 0):
            return other
    return None


def _sees_one_tap(op: Window, source: Tensor) -> bool:
    windows = op.windows
    moves = windows.taps == 1 and set(windows.stride) == {1} and not np.any([windows.before, windows.after])
    return moves and source.shape == op.output.shape


def _as_reshape(op: Op, made: Mapping[str, Op], held: set[str]) -> Op:
    """Return wires that keep every element in its place as a reshape, and a reshape of a reshape as one."""
    if isinstance(op, Reshape):
        source = made[op.input]
        return Reshape(op.output, source.input) if isinstance(source, Reshape) else op
    if not isinstance(op, Gather):
        return op
    tensor = made[op.input].output
    may_follow = tensor.format == op.output.format or op.output.name not in held
    return Reshape(op.output, op.input) if may_follow and is_every_wire(op, tensor) else op
