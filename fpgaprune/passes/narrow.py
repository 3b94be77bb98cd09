"""Give every tensor inside the design the narrowest format that holds its interval."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fpgaprune.intervals import analyse
from fpgaprune.ir import Graph, Input, Requantise
from fpgaprune.passes.drop_identities import follow_formats
from fpgaprune.passes.rewrite import making

if TYPE_CHECKING:
    from fpgaprune.intervals import Interval
    from fpgaprune.ir import Op


def narrow(graph: Graph) -> Graph:
    """Shrink formats to what interval analysis proves; inputs and requantised outputs keep the format they were given.

    A requantisation that can saturate at an end of its range still reaches that end, so its word keeps that end; one
    that can wrap has the whole range as its interval, so it is left alone.
    """
    intervals = analyse(graph)
    ops = follow_formats([_narrowed(op, graph, intervals[op.output.name]) for op in graph.ops])
    changed = any(new.output != old.output for new, old in zip(ops, graph.ops, strict=True))
    return Graph(ops, graph.outputs) if changed else graph


def _narrowed(op: Op, graph: Graph, interval: Interval) -> Op:
    fixed_interface = isinstance(op, Requantise) and op.output.name in graph.outputs
    if isinstance(op, Input) or fixed_interface:
        return op
    fmt = op.output.format.with_range(*interval.bounds)
    return making(op, replace(op.output, format=fmt)) if fmt.width < op.output.format.width else op
