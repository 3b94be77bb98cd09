"""Multiply a sum once instead of each of its terms, where the weights of a row have a factor in common."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from fpgaprune.digits import signed_digits, trailing_zeros
from fpgaprune.fixed import Fixed, bounds
from fpgaprune.intervals import Interval, matvec_interval, over_positions
from fpgaprune.ir import Graph, MatVec, Tensor
from fpgaprune.passes.rewrite import all_names, fresh_name, rebuilt
from fpgaprune.sparse import SparseMatrix

if TYPE_CHECKING:
    from fpgaprune.ir import Op
    from fpgaprune.sparse import Int64Array


def factor_rows(graph: Graph) -> Graph:
    """Split a matrix into powers of two and one factor a row, where that leaves fewer signed digits.

    A mean over n positions is of this kind: n additions and one multiplication by 1/n.
    """
    names = all_names(graph)
    ops: list[Op] = []
    for op in graph.ops:
        ops += _factored(op, graph.tensors[op.input], names) if isinstance(op, MatVec) else [op]
    return rebuilt(graph, ops)


def _factored(op: MatVec, source: Tensor, names: set[str]) -> list[Op]:
    factor = _factors(op.weights)
    if (factor == 1).all():
        return [op]
    whole = op.weights.weight // factor[op.weights.row]
    diagonal = np.where(np.diff(op.weights.row_start) > 0, factor, 1)
    digits = signed_digits(whole).sum() + signed_digits(diagonal).sum()
    if digits >= signed_digits(op.weights.weight).sum():
        return [op]
    sums = SparseMatrix.from_terms(op.weights.shape, op.weights.row, op.weights.column, whole)
    return [*_both(op, source, sums, diagonal, fresh_name(f"{op.output.name}_terms", names))]


def _both(op: MatVec, source: Tensor, sums: SparseMatrix, diagonal: Int64Array, name: str) -> tuple[MatVec, MatVec]:
    rows = op.weights.shape[0]
    nothing = np.zeros(rows, dtype=np.int64)
    reached = matvec_interval(sums, nothing, over_positions(_whole(source)))
    exact = Fixed(True, 1, source.format.fraction).with_range(*reached.bounds)
    terms = Tensor(name, op.output.shape, exact)
    first = replace(
        op,
        output=terms,
        weights=sums,
        weight_format=replace(op.weight_format, fraction=0).with_range(*bounds(sums.weight)),
        bias=nothing,
    )
    places = np.arange(rows)
    scales = SparseMatrix.from_terms((rows, rows), places, places, diagonal)
    scale_format = op.weight_format.with_range(*bounds(diagonal))
    return first, replace(op, input=name, weights=scales, weight_format=scale_format)


def _whole(source: Tensor) -> Interval:
    low, high = source.format.low, source.format.high
    return Interval(np.full((1, source.channels), low, dtype=object), np.full((1, source.channels), high, dtype=object))


def _factors(weights: SparseMatrix) -> Int64Array:
    """Return, for each row, the odd part that all its weights share in magnitude; 1 where they share none."""
    factors = np.ones(weights.shape[0], dtype=np.int64)
    filled = np.diff(weights.row_start) > 1
    if filled.any():
        odd = np.abs(weights.weight) >> trailing_zeros(weights.weight)
        starts = weights.row_start[:-1][np.diff(weights.row_start) > 0]
        least, most = np.minimum.reduceat(odd, starts), np.maximum.reduceat(odd, starts)
        shared = np.where(least == most, least, 1)
        factors[np.diff(weights.row_start) > 0] = shared
        factors[~filled] = 1
    return factors
