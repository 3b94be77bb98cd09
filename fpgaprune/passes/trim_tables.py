"""Cut tables to the entries that can be looked up."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fpgaprune.intervals import analyse
from fpgaprune.ir import Graph, Table
from fpgaprune.passes.rewrite import rebuilt

if TYPE_CHECKING:
    from fpgaprune.intervals import Interval


def trim_tables(graph: Graph) -> Graph:
    """Drop the entries at both ends of a table that no value of its input reaches."""
    intervals = analyse(graph)
    return rebuilt(graph, (_trimmed(op, intervals[op.input]) if isinstance(op, Table) else op for op in graph.ops))


def _trimmed(op: Table, source: Interval) -> Table:
    low, high = source.bounds
    start, stop = max(low - op.low, 0), min(high - op.low + 1, len(op.values))
    if start >= stop or stop - start == len(op.values):
        return op
    return replace(op, values=op.values[start:stop], low=op.low + start)
