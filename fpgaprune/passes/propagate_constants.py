"""Compute at compile time what does not depend on the input."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from fpgaprune.fixed import add
from fpgaprune.intervals import analyse, over_positions
from fpgaprune.ir import Constant, Graph, Input, MatVec, Requantise
from fpgaprune.passes.rewrite import rebuilt
from fpgaprune.sparse import SparseMatrix

if TYPE_CHECKING:
    from fpgaprune.intervals import Interval
    from fpgaprune.ir import Op


def propagate_constants(graph: Graph) -> Graph:
    """Move every constant element into the bias of the matrices that read it; a constant tensor becomes a constant.

    An element is constant where its interval is one value: a neuron that lost its inputs, one that ReLU always
    stops, one that always saturates. A channel that a matrix reads must be the same constant at every position. A row
    whose requantised result is constant loses its weights.
    """
    intervals = analyse(graph)
    return rebuilt(graph, (_simplify(op, graph, intervals) for op in graph.ops))


def _simplify(op: Op, graph: Graph, intervals: dict[str, Interval]) -> Op:
    if isinstance(op, (Input, Constant)):
        return op
    made = intervals[op.output.name]
    if bool((made.low == made.high).all()):
        return Constant(op.output, made.low)
    if not isinstance(op, MatVec):
        return op
    moved = _into_bias(op, over_positions(intervals[op.input]))
    reader = graph.only_consumer(op.output.name)
    if not isinstance(reader, Requantise):
        return moved
    return _settled(moved, over_positions(made), over_positions(intervals[reader.output.name]))


def _into_bias(op: MatVec, source: Interval) -> MatVec:
    constant = source.low == source.high
    known = constant[op.weights.column]
    if not known.any():
        return op
    weights = op.weights
    rest = SparseMatrix.from_terms(weights.shape, weights.row[~known], weights.column[~known], weights.weight[~known])
    moved = SparseMatrix.from_terms(weights.shape, weights.row[known], weights.column[known], weights.weight[known])
    return replace(op, weights=rest, bias=add(op.bias, moved.multiply(np.where(constant, source.low, 0))))


def _settled(op: MatVec, made: Interval, read: Interval) -> MatVec:
    """Return the op without the weights of rows that are ``read`` as one value whatever of ``made`` they are."""
    rows = read.low == read.high
    weights, gone = op.weights, rows[op.weights.row]
    if not gone.any():
        return op
    rest = SparseMatrix.from_terms(weights.shape, weights.row[~gone], weights.column[~gone], weights.weight[~gone])
    return replace(op, weights=rest, bias=np.where(rows, made.low, op.bias))
