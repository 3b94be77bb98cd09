"""Compute equal rows of a matrix once, also those that differ by a power of two."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from fpgaprune.digits import trailing_zeros
from fpgaprune.ir import Gather, Graph, MatVec, Tensor
from fpgaprune.passes.rewrite import all_names, fresh_name

if TYPE_CHECKING:
    from fpgaprune.fixed import IntArray
    from fpgaprune.ir import Op
    from fpgaprune.sparse import Int64Array


def merge_rows(graph: Graph) -> Graph:
    """Keep one row of each set of rows that are equal up to a power of two, and wire its sum to the others' places.

    A matrix that runs at many positions is left alone: it would need wires at each of them.
    """
    names = all_names(graph)
    ops: list[Op] = []
    for op in graph.ops:
        if isinstance(op, MatVec) and not op.output.positions:
            ops.extend(_merged(op, names))
        else:
            ops.append(op)
    return Graph(tuple(ops), graph.outputs) if len(ops) > len(graph.ops) else graph


def _merged(op: MatVec, names: set[str]) -> tuple[Op, ...]:
    scale = _scales(op)
    chosen = _representatives(op, scale)
    kept = chosen == np.arange(len(chosen))
    if kept.all():
        return (op,)
    name = fresh_name(f"{op.output.name}_rows", names)
    rows = replace(
        op,
        output=Tensor(name, (int(kept.sum()),), op.output.format),
        weights=op.weights.select_rows(kept),
        bias=op.bias[kept],
    )
    return rows, Gather(op.output, name, (np.cumsum(kept) - 1)[chosen], scale - scale[chosen])


def _scales(op: MatVec) -> Int64Array:
    """Return how many low zero bits all weights and the bias of each row share; 0 for a row without weights."""
    weights = op.weights
    scale = np.array([_low_zeros(int(value)) for value in op.bias], dtype=np.int64)
    np.minimum.at(scale, weights.row, trailing_zeros(weights.weight))
    return np.where(np.diff(weights.row_start) > 0, scale, 0)


def _low_zeros(value: int) -> int:
    return (value & -value).bit_length() - 1 if value else 63


def _representatives(op: MatVec, scale: Int64Array) -> Int64Array:
    """Return, for each row, the row with the same digits and the smallest scale (the first of several)."""
    first: dict[tuple[bytes, bytes, int], int] = {}
    chosen = np.arange(op.weights.shape[0])
    for row in np.argsort(scale, kind="stable"):
        key = _digits_of(op, int(row), int(scale[row]))
        if key is not None:
            chosen[row] = first.setdefault(key, int(row))
    return chosen


def _digits_of(op: MatVec, row: int, scale: int) -> tuple[bytes, bytes, int] | None:
    """Return what rows must share to be merged; a row without weights is a constant, which costs nothing to repeat."""
    start, stop = op.weights.row_start[row : row + 2]
    if start == stop:
        return None
    column: IntArray = op.weights.column[start:stop]
    return column.tobytes(), (op.weights.weight[start:stop] >> scale).tobytes(), int(op.bias[row]) >> scale
