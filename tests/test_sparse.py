"""A sparse matrix stores no zero, refuses malformed arrays by name, and multiplies exactly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fpgaprune.errors import GraphError
from fpgaprune.sparse import SparseMatrix, frozen

DENSE = np.array([[0, 3, 0, -1], [0, 0, 0, 0], [5, 0, 0, 2], [0, 0, 0, 0]])
SHAPES = [(0, 0), (0, 3), (3, 0), (1, 1), (1, 4), (4, 1)]


def int64(*values):
    return np.array(values, dtype=np.int64)


@st.composite
def matrices(draw, *, bits=8, most=6):
    """Dense integer matrices, often with empty rows and columns."""
    rows, columns = draw(st.integers(0, most)), draw(st.integers(0, most))
    mantissa = st.just(0) | st.integers(-(1 << bits - 1), (1 << bits - 1) - 1)
    values = draw(st.lists(mantissa, min_size=rows * columns, max_size=rows * columns))
    return np.array(values, dtype=np.int64).reshape(rows, columns)


# --- what is stored ---


def test_only_the_non_zeros_are_stored_row_by_row():
    matrix = SparseMatrix.from_dense(DENSE)
    assert matrix.shape == (4, 4)
    assert matrix.row_start.tolist() == [0, 2, 2, 4, 4]
    assert matrix.row.tolist() == [0, 0, 2, 2]
    assert matrix.column.tolist() == [1, 3, 0, 3]
    assert matrix.weight.tolist() == [3, -1, 5, 2]
    assert matrix.nonzeros == 4
    assert matrix.sparsity == 0.75


@pytest.mark.parametrize("shape", SHAPES)
def test_an_all_zero_matrix_of_any_shape_stores_nothing(shape):
    matrix = SparseMatrix.from_dense(np.zeros(shape, dtype=int))
    assert matrix.shape == shape
    assert matrix.nonzeros == 0
    assert matrix.sparsity == (1.0 if 0 not in shape else 0.0)
    assert matrix.row_start.tolist() == [0] * (shape[0] + 1)
    assert matrix.dense().tolist() == np.zeros(shape, dtype=int).tolist()
    assert matrix.multiply(np.full(shape[1], 7)).tolist() == [0] * shape[0]
    assert matrix.magnitude(1000) == 0


@given(matrices())
def test_dense_to_sparse_and_back_loses_nothing(dense):
    matrix = SparseMatrix.from_dense(dense)
    assert (matrix.dense() == dense).all()
    assert matrix.dense().shape == dense.shape
    assert matrix.nonzeros == np.count_nonzero(dense)
    assert (matrix.weight != 0).all()


@pytest.mark.parametrize("field", ["row_start", "column", "weight", "row"])
def test_the_arrays_are_read_only(field):
    array = getattr(SparseMatrix.from_dense(DENSE), field)
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 1


def test_the_arrays_are_copies():
    weight = int64(3)
    matrix = SparseMatrix((1, 1), int64(0, 1), int64(0), weight)
    weight[0] = 0
    assert matrix.weight.tolist() == [3]


def test_frozen_copies_and_closes():
    array = np.array([1, 2])
    copy = frozen(array)
    array[0] = 9
    assert copy.tolist() == [1, 2]
    assert not copy.flags.writeable


# --- what is refused ---


def test_a_stored_zero_is_refused_with_its_place():
    with pytest.raises(GraphError, match="must store no zero, but row 2, column 3 is one"):
        SparseMatrix((3, 4), int64(0, 1, 1, 3), int64(0, 1, 3), int64(7, 8, 0))


GOOD = {"shape": (3, 4), "row_start": int64(0, 1, 1, 3), "column": int64(0, 1, 3), "weight": int64(7, 8, 9)}


@pytest.mark.parametrize(
    ("field", "bad", "message"),
    [
        ("row_start", np.array([0, 1, 1, 3], np.int32), "row_start must be a vector of int64, not int32"),
        ("column", np.array([0.0, 1.0, 3.0]), "column must be a vector of int64, not float64"),
        ("weight", np.array([7, 8, 9], object), "weight must be a vector of int64, not object"),
        ("weight", int64(7, 8, 9)[:, None], r"weight must be a vector of int64, not int64 of shape \(3, 1\)"),
        ("row_start", int64(0, 1, 3), r"row_start must have 4 entries for shape \(3, 4\), not 3"),
        ("row_start", int64(), "row_start must have 4 entries"),
        ("row_start", int64(1, 1, 1, 3), "row_start must rise from 0 to the 3 stored weights"),
        ("row_start", int64(0, 1, 1, 2), "row_start must rise"),
        ("row_start", int64(0, 1, 1, 4), "row_start must rise"),
        ("row_start", int64(0, 2, 1, 3), "row_start must rise"),
        ("row_start", int64(0, 1 << 62, -(1 << 62) - 1, 3), "row_start must rise"),
        ("column", int64(0, 1), "3 weights but 2 columns"),
        ("column", int64(0, 1, 4), "column outside 0…3"),
        ("column", int64(-1, 1, 3), "column outside 0…3"),
        ("column", int64(0, 3, 1), "columns must rise within each row"),
        ("column", int64(0, 3, 3), "columns must rise within each row, without repeats"),
        ("shape", (2, 4), "row_start must have 3 entries"),
        ("shape", (3, 3), "column outside 0…2"),
        ("shape", (3, 0), "column outside"),
        ("shape", (3, -1), r"shape must not be negative, as \(3, -1\) is"),
        ("shape", (-1, 4), r"shape must not be negative, as \(-1, 4\) is"),
    ],
)  # fmt: skip
def test_a_malformed_array_is_refused_by_name(field, bad, message):
    SparseMatrix(**GOOD)
    with pytest.raises(GraphError, match=message):
        SparseMatrix(**{**GOOD, field: bad})


@pytest.mark.parametrize("values", [np.zeros(3, int), np.zeros((2, 3, 4), int), np.int64(3)], ids=str)
def test_a_weight_matrix_has_two_axes(values):
    with pytest.raises(GraphError, match="must have two axes, not shape"):
        SparseMatrix.from_dense(values)


def test_a_weight_beyond_64_bits_is_refused():
    assert SparseMatrix.from_dense(np.array([[-(1 << 63)]], object)).weight.tolist() == [-(1 << 63)]
    with pytest.raises(GraphError, match="must fit in 64 bits"):
        SparseMatrix.from_dense(np.array([[1 << 63]], object))


# --- terms ---


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4), st.integers(-3, 3)), max_size=12))
def test_terms_of_one_place_are_added_in_any_order(terms):
    dense = np.zeros((4, 5), dtype=np.int64)
    for row, column, weight in terms:
        dense[row, column] += weight
    columns = [np.array(column, dtype=np.int64) for column in zip(*terms, strict=True)] or [int64()] * 3
    assert (SparseMatrix.from_terms((4, 5), *columns).dense() == dense).all()


def test_terms_that_cancel_leave_no_zero():
    matrix = SparseMatrix.from_terms((2, 2), int64(1, 0, 1), int64(0, 1, 0), int64(5, 2, -5))
    assert matrix.weight.tolist() == [2]


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0)])
def test_no_terms_make_an_empty_matrix(shape):
    assert SparseMatrix.from_terms(shape, int64(), int64(), int64()).shape == shape


@pytest.mark.parametrize(("row", "column"), [(2, 0), (-1, 0), (0, 3), (0, -1)])
def test_a_term_outside_the_shape_is_refused(row, column):
    with pytest.raises(GraphError, match=r"a term lies outside the shape \(2, 3\)"):
        SparseMatrix.from_terms((2, 3), int64(row), int64(column), int64(1))


def test_terms_whose_sum_leaves_64_bits_are_refused():
    half = 1 << 62
    assert SparseMatrix.from_terms((1, 1), int64(0, 0), int64(0, 0), int64(half, half - 1)).nonzeros == 1
    with pytest.raises(GraphError, match="must fit in 64 bits"):
        SparseMatrix.from_terms((1, 1), int64(0, 0), int64(0, 0), int64(half, half))


def test_terms_add_exactly_where_a_float_would_round():
    matrix = SparseMatrix.from_terms((1, 1), int64(0, 0, 0), int64(0, 0, 0), int64(1 << 53, 1, 1))
    assert matrix.weight.tolist() == [(1 << 53) + 2]


# --- selection ---


@given(matrices(), st.data())
def test_selection_equals_that_of_the_dense_matrix(dense, data):
    rows, columns = (
        np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)), dtype=bool) for n in dense.shape
    )
    matrix = SparseMatrix.from_dense(dense)
    assert (matrix.select_rows(rows).dense() == dense[rows]).all()
    assert (matrix.select_columns(columns).dense() == dense[:, columns]).all()
    assert matrix.select_rows(rows).shape == dense[rows].shape
    assert matrix.select_columns(columns).shape == dense[:, columns].shape


# --- products ---


@given(matrices(bits=64, most=4), st.sampled_from([1, 8, 31, 40, 63, 64, 100]), st.data())
def test_multiply_is_exact_at_every_width(dense, bits, data):
    entry = st.integers(-(1 << bits - 1), (1 << bits - 1) - 1)
    vector = np.array(data.draw(st.lists(entry, min_size=dense.shape[1], max_size=dense.shape[1])), dtype=object)
    expected = [sum(int(w) * x for w, x in zip(row, vector, strict=True)) for row in dense]
    matrix = SparseMatrix.from_dense(dense)
    assert matrix.multiply(vector).tolist() == expected
    if bits <= 64:
        assert matrix.multiply(vector.astype(np.int64)).tolist() == expected


@pytest.mark.parametrize("columns", [1, 2, 3])
def test_multiply_is_exact_across_the_edge_of_int64(columns):
    matrix = SparseMatrix.from_dense(np.full((1, columns), 1 << 31))
    for value in ((1 << 32) - 1, 1 << 32, -(1 << 32)):
        assert matrix.multiply(np.full(columns, value)).tolist() == [columns * value << 31]


@given(matrices(bits=64, most=4), st.sampled_from([0, 1, 127, 1 << 40, 1 << 63, 1 << 100]))
def test_magnitude_bounds_the_sum_of_magnitudes(dense, largest):
    sums = [sum(abs(int(w)) for w in row) for row in dense]
    assert SparseMatrix.from_dense(dense).magnitude(largest) >= max(sums, default=0) * largest


@given(matrices(), st.integers(0, 1 << 40))
def test_magnitude_is_exact_while_int64_holds_it(dense, largest):
    sums = np.abs(dense).sum(axis=1).tolist()
    assert SparseMatrix.from_dense(dense).magnitude(largest) == max(sums, default=0) * largest
