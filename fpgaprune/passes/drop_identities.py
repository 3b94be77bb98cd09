"""Remove requantisations that change no value."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fpgaprune.intervals import analyse
from fpgaprune.ir import Graph, Requantise, Reshape
from fpgaprune.passes.rewrite import making, reading

if TYPE_CHECKING:
    from fpgaprune.intervals import Interval
    from fpgaprune.ir import Op, Tensor


def drop_identities(graph: Graph) -> Graph:
    """Let readers of a requantisation read its source where neither clip, step nor range alters any value."""
    intervals = analyse(graph)
    renamed: dict[str, str] = {}
    ops: list[Op] = []
    for op in graph.ops:
        kept = reading(op, renamed)
        if (
            isinstance(kept, Requantise)
            and op.output.name not in graph.outputs
            and _is_identity(kept, graph, intervals)
        ):
            renamed[op.output.name] = kept.input
        else:
            ops.append(kept)
    return Graph(follow_formats(ops), graph.outputs) if renamed else graph


def follow_formats(ops: list[Op]) -> tuple[Op, ...]:
    """Return the ops with each reshape in the format of its source, which may have changed."""
    tensors: dict[str, Tensor] = {}
    result: list[Op] = []
    for op in ops:
        kept = op
        if isinstance(op, Reshape):
            kept = making(op, replace(op.output, format=tensors[op.input].format))
        tensors[kept.output.name] = kept.output
        result.append(kept)
    return tuple(result)


def _is_identity(op: Requantise, graph: Graph, intervals: dict[str, Interval]) -> bool:
    low, high = intervals[op.input].bounds
    inside_clip = (op.low is None or op.low <= low) and (op.high is None or high <= op.high)
    same_step = graph.tensors[op.input].format.fraction == op.output.format.fraction
    return same_step and inside_clip and op.output.format.holds(low, high)
