"""Fold a per-channel scale (a batch norm that stood alone) into the matrix before or after it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fpgaprune.digits import signed_digits
from fpgaprune.fixed import add, bounds
from fpgaprune.ir import Graph, MatVec
from fpgaprune.sparse import SparseMatrix

if TYPE_CHECKING:
    from fpgaprune.ir import Op

_SAFE = 1 << 60
"""Products of weights are kept below this, where signed digits can be counted and int64 cannot overflow."""


def fold_affine(graph: Graph) -> Graph:
    """Make one matrix of two that follow each other exactly, where one is diagonal and no signed digit is added.

    Nothing is rounded between the two, so the product matrix computes the same. Folding an 8-bit scale into many 8-bit
    weights would make them 16-bit; it pays where the digits of the product are no more than those of the two.
    """
    for op in graph.ops:
        follower = graph.only_consumer(op.output.name)
        if isinstance(op, MatVec) and isinstance(follower, MatVec):
            folded = _fold(op, follower)
            if folded is not None:
                return fold_affine(_replaced(graph, op, folded))
    return graph


def _replaced(graph: Graph, first: MatVec, folded: MatVec) -> Graph:
    ops: list[Op] = [folded if op.output.name == folded.output.name else op for op in graph.ops if op is not first]
    return Graph(tuple(ops), graph.outputs)


def _fold(first: MatVec, second: MatVec) -> MatVec | None:
    if not (_is_diagonal(first.weights) or _is_diagonal(second.weights)):
        return None
    largest = second.weights.magnitude(max(abs(end) for end in bounds(first.weights.weight)))
    if largest >= _SAFE:
        return None
    weights = _product(second.weights, first.weights)
    if _digits(weights) > _digits(first.weights) + _digits(second.weights):
        return None
    return replace(
        second,
        input=first.input,
        weights=weights,
        weight_format=replace(
            first.weight_format, fraction=first.weight_format.fraction + second.weight_format.fraction
        ).with_range(*bounds(weights.weight)),
        bias=add(second.weights.multiply(first.bias), second.bias),
        layer=second.layer if _is_diagonal(first.weights) else first.layer,
    )


def _is_diagonal(weights: SparseMatrix) -> bool:
    return weights.shape[0] == weights.shape[1] and bool((weights.row == weights.column).all())


def _product(left: SparseMatrix, right: SparseMatrix) -> SparseMatrix:
    product = (left.csr @ right.csr).tocoo()
    return SparseMatrix.from_terms(product.shape, product.row, product.col, product.data)


def _digits(weights: SparseMatrix) -> int:
    return int(signed_digits(weights.weight).sum())
