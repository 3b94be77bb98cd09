"""The operations of a matrix at interval 1: exact rows, exact intervals, and none that is not needed."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fpgaprune.digits import signed_digits
from fpgaprune.errors import GraphError
from fpgaprune.fixed import Fixed
from fpgaprune.intervals import Interval
from fpgaprune.lower import MatVecKernel, Port
from fpgaprune.lower.operations import NOTHING, operations
from fpgaprune.schedule import AdderGraph, Adders, Folded, Multiply
from fpgaprune.schedule.adders import adder_graph
from fpgaprune.sparse import SparseMatrix
from tests.nets import sparse_weights

U2 = Fixed(False, 2, 0)


def kernel_of(weights, bias, fmt, *, adders):
    """Return the kernel of a matrix, of which nothing but the operations is looked at."""
    rows, columns = weights.shape
    plan = Adders(adder_graph(weights, fmt.low, fmt.high)) if adders else Multiply()
    nothing = np.zeros(rows, dtype=np.int64)
    source, result = Port("x", columns, fmt), Port("y", rows, Fixed(True, 200, 0))
    sums = Interval(nothing, nothing)
    return MatVecKernel("y", "fc", plan, source, result, weights, np.array(bias), sums, None)


def made_of(matrix, bias=None, fmt=U2, *, adders=False):
    weights = SparseMatrix.from_dense(np.array(matrix))
    return operations(kernel_of(weights, [0] * len(matrix) if bias is None else bias, fmt, adders=adders))


def values_of(made, vectors):
    """Return every value (values, n), worked out one by one in Python integers."""
    values = [np.array(row, dtype=object) for row in vectors]
    for left, right, left_shift, right_shift, factor in zip(
        made.left.tolist(),
        made.right.tolist(),
        made.left_shift.tolist(),
        made.right_shift.tolist(),
        made.factor.tolist(),
        strict=True,
    ):
        if left == NOTHING:
            values.append(np.full(vectors.shape[1], factor, dtype=object))
        elif right == NOTHING:
            values.append(values[left] * factor)
        else:
            values.append((values[left] << left_shift) + factor * (values[right] << right_shift))
    return np.array(values)


FORMATS = st.sampled_from([Fixed(False, 2, 0), Fixed(True, 2, 0), Fixed(False, 1, 0), Fixed(True, 1, 0)])


@settings(max_examples=60)
@given(st.integers(0, 2**32), st.integers(1, 5), st.integers(1, 5), st.integers(2, 9), FORMATS, st.booleans())
def test_rows_intervals_and_low_zeros_are_exact(seed, rows, columns, bits, fmt, adders):
    rng = np.random.default_rng(seed)
    weights = sparse_weights(rng, rows, columns, rng.choice([0, 0.4, 0.8, 1]), bits)
    bias = rng.integers(-40, 40, rows) * rng.choice([0, 1, 4], rows)
    made = operations(kernel_of(weights, bias, fmt, adders=adders))
    vectors = np.array(list(product(range(fmt.low, fmt.high + 1), repeat=columns))).T
    values = values_of(made, vectors)
    assert np.array_equal(made.low, values.min(axis=1))
    assert np.array_equal(made.high, values.max(axis=1))
    common = [int(np.bitwise_or.reduce(np.abs(value.astype(np.int64)))) for value in values]
    assert [zeros for zeros, bits in zip(made.zeros, common, strict=True) if bits] == [
        (bits & -bits).bit_length() - 1 for bits in common if bits
    ]
    wanted = weights.dense() @ vectors + bias[:, np.newaxis]
    assert np.array_equal(values[made.row] << made.row_shift[:, np.newaxis], wanted)
    assert np.array_equal(made.compute(vectors), wanted)


@settings(max_examples=30)
@given(st.integers(0, 2**32), st.booleans(), st.sampled_from([8, 61, 90]))
def test_rows_of_every_width_are_exact(seed, adders, width):
    rng = np.random.default_rng(seed)
    weights = sparse_weights(rng, 6, 9, 0.4, 24 if adders else 60)
    bias = np.array([int(number) << 80 if width == 90 else int(number) for number in rng.integers(-99, 99, 6)], object)
    fmt = Fixed(True, width, 0)
    made = operations(kernel_of(weights, bias, fmt, adders=adders))
    vectors = np.array([[fmt.low, fmt.high, int(rng.integers(-99, 99))] for _ in range(9)], dtype=object)
    assert np.array_equal(made.compute(vectors), weights.dense().astype(object) @ vectors + bias[:, np.newaxis])


def test_products_have_two_digits_or_more_and_are_made_once():
    made = made_of([[3, 4, 0, -8], [3, 1, 12, 11], [5, 3, 12, 0]])
    products = [(int(left), int(factor)) for left, factor in zip(made.left, made.factor, strict=True)]
    products = [each for each, flag in zip(products, made.products, strict=True) if flag]
    assert sorted(products) == [(0, 3), (0, 5), (1, 3), (2, 12), (3, 11)]
    assert (signed_digits(np.array([factor for _, factor in products])) >= 2).all()


def test_trees_are_balanced_and_the_bias_is_a_term_of_them():
    assert made_of([[1] * 9]).depth == 4
    assert made_of([[1] * 8]).depth == 3
    assert made_of([[1] * 7], [3]).depth == 3
    assert made_of([[3] * 8]).depth == 4  # products are a level of their own


def test_negative_wires_are_subtracted_and_only_a_row_of_nothing_else_from_zero():
    made = made_of([[-1, 2], [-1, -2]])
    assert made.factor[made.sums].tolist() == [-1, 1, -1]  # 2 y - x; x + 2 y; zero minus that
    assert made.factor[made.constants].tolist() == [0]
    assert made_of([[-1, -2]], [5]).constants.sum() == 1
    assert made_of([[-1, -2]], [5]).sums.sum() == 2


def test_wires_of_one_shift_are_added_before_it():
    made = made_of([[4, 8]])
    assert (made.left_shift.tolist(), made.right_shift.tolist(), made.row_shift.tolist()) == ([0], [1], [2])
    assert made.high[-1] == 9


@pytest.mark.parametrize("adders", [False, True])
def test_rows_without_weights_are_their_bias(adders):
    made = made_of([[0, 0], [0, 0], [0, 2], [0, 0]], [0, -6, 0, -6], adders=adders)
    assert made.compute(np.array([[1], [3]])).reshape(-1).tolist() == [0, -6, 6, -6]
    assert not made.sums.any()


def test_equal_rows_of_a_graph_are_ended_once():
    made = made_of([[3, 5], [6, 10], [3, 5]], [8, 16, 8], adders=True)
    assert made.row[0] == made.row[2]
    assert made.sums[made.row[:2] - 2].all()
    assert made.constants.sum() == 1  # 8 above x, 16 above 2 x: the same sum, shifted
    assert made.row[0] == made.row[1]


def test_intervals_of_shared_operands_are_those_of_what_they_are_together():
    # 5 x - (x << 2) is x again: the operands alone could give -12…15
    graph = AdderGraph(1, [0, 1], [0, 0], [2, 0], [0, 2], [1, -1], [2, 1], [0, 0], [1, 1])
    weights = SparseMatrix.from_dense(np.array([[1], [5]]))
    kernel = replace(kernel_of(weights, [0, 0], U2, adders=False), plan=Adders(graph))
    made = operations(kernel)
    assert (made.low.tolist(), made.high.tolist()) == ([0, 0, 0], [3, 15, 3])


def test_a_graph_of_another_matrix_is_refused():
    kernel = kernel_of(SparseMatrix.from_dense(np.array([[3, 5]])), [0], U2, adders=True)
    other = replace(kernel, weights=SparseMatrix.from_dense(np.array([[3, 7]])))
    with pytest.raises(GraphError, match=r"fc: an adder graph does not compute column 1 .* plan this matrix again"):
        operations(other)


def test_a_folded_matrix_has_no_operations():
    kernel = kernel_of(SparseMatrix.from_dense(np.array([[3, 5]])), [0], U2, adders=False)
    with pytest.raises(GraphError, match="has lanes"):
        operations(replace(kernel, plan=Folded(1)))


def test_the_operations_of_a_kernel_are_made_once():
    kernel = kernel_of(SparseMatrix.from_dense(np.array([[3, 5]])), [0], U2, adders=False)
    assert operations(kernel) is operations(kernel)


def test_a_value_that_leaves_its_interval_is_found():
    made = made_of([[3, 5]])
    narrow = replace(made, high=np.append(made.high[:-1], made.high[-1] - 1))
    with pytest.raises(GraphError, match=r"value 4 .* leaves its interval 0…23"):
        narrow.compute(np.array([[3], [3]]))
    with pytest.raises(GraphError, match="value 0"):
        made.compute(np.array([[4], [3]]))
