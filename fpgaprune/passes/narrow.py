"""Give every tensor inside the design the narrowest format that holds its interval."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fpgaprune.fixed import bounds
from fpgaprune.intervals import analyse
from fpgaprune.ir import Graph, Input, Requantise, Reshape, Scan, Table
from fpgaprune.passes.rewrite import following, making, pinned, rebuilt

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fpgaprune.intervals import Interval
    from fpgaprune.ir import Op


def narrow(graph: Graph) -> Graph:
    """Shrink formats to what interval analysis proves; inputs and requantised outputs keep the format they were given.

    A requantisation that can saturate at an end of its range still reaches that end, so its word keeps that end; one
    that can wrap has the whole range as its interval, so it is left alone. What a loop reads and makes has the formats
    that its body declares.
    """
    return _narrow(graph, (name for name in graph.outputs if isinstance(_maker(graph, name), (Requantise, Table))))


def narrow_body(graph: Graph) -> Graph:
    """Shrink formats inside the body of a loop, whose outputs, the states, all keep theirs."""
    return _narrow(graph, graph.outputs)


def _narrow(graph: Graph, ends: Iterable[str]) -> Graph:
    intervals, held = analyse(graph), pinned(graph, ends)
    made: dict[str, Op] = {}
    for op in graph.ops:
        name = op.output.name
        fixed = isinstance(op, (Input, Reshape, Scan)) or name in held
        made[name] = following(op if fixed else _narrowed(op, intervals[name]), made)
    return rebuilt(graph, made.values())


def _maker(graph: Graph, name: str) -> Op:
    """Return the op whose elements a tensor holds, perhaps reshaped."""
    op = graph.producers[name]
    return _maker(graph, op.input) if isinstance(op, Reshape) else op


def _narrowed(op: Op, interval: Interval) -> Op:
    ends = bounds(op.values) if isinstance(op, Table) else interval.bounds  # a table's word holds every entry
    fmt = op.output.format.with_range(*ends)
    return making(op, replace(op.output, format=fmt)) if fmt.width < op.output.format.width else op
