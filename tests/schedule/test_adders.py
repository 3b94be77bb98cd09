"""Shared additions compute their matrix exactly, are few, and are refused where they cannot be exact."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fpgaprune.errors import GraphError, InputError
from fpgaprune.fixed import Fixed
from fpgaprune.ir import MatVec, Tensor
from fpgaprune.schedule import AdderGraph, Adders, adders
from fpgaprune.schedule.adder_graph import NOTHING
from fpgaprune.schedule.adders import adder_graph, adders_planner
from fpgaprune.sparse import SparseMatrix
from tests.nets import sparse_weights


def matrix(rows, columns, sparsity=0.5, bits=8, seed=0):
    return sparse_weights(np.random.default_rng(seed), rows, columns, sparsity, bits)


def arrays(graph):
    return {field.name: getattr(graph, field.name).tolist() for field in fields(graph)[1:]}


@given(
    st.integers(0, 2**32),
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    st.sampled_from([0, 0.3, 0.7, 0.95, 1]),
    st.integers(2, 24),
    st.sampled_from([(0, 1), (0, 255), (-1, 0), (-128, 127), (-(2**90), 2**90 - 1)]),
)
def test_additions_make_every_row_of_the_matrix(seed, shape, sparsity, bits, ends):
    weights = matrix(*shape, sparsity, bits, seed)
    graph = adder_graph(weights, *ends)
    vectors = np.random.default_rng(seed).integers(-(2**30), 2**30, (shape[1], 5))
    assert np.array_equal(graph.apply(vectors), weights.dense() @ vectors)


@pytest.mark.parametrize("shape", [(1, 1300), (300, 20), (20, 150)])
def test_matrices_larger_than_a_group_are_exact(shape):
    weights = matrix(*shape, 0.5)
    vectors = np.random.default_rng(0).integers(0, 256, (shape[1], 3))
    assert np.array_equal(adder_graph(weights, 0, 255).apply(vectors), weights.dense() @ vectors)


def test_rows_that_differ_by_a_power_of_two_or_a_sign_share_everything():
    graph = adder_graph(SparseMatrix.from_dense(np.array([[3, 5], [-6, -10], [0, 0], [0, 4], [12, 20]])), 0, 15)
    assert len(set(graph.row[[0, 1, 4]])) == 1
    assert (graph.row_shift - graph.row_shift[0])[[1, 4]].tolist() == [1, 2]
    assert graph.row_sign.tolist() == [graph.row_sign[0], -graph.row_sign[0], 1, 1, graph.row_sign[0]]
    assert (graph.row[2], graph.row[3], graph.row_shift[3]) == (NOTHING, 1, 2)


def test_no_addition_is_dead_and_none_is_made_twice():
    graph = adder_graph(matrix(24, 30, 0.6), -128, 127)
    read = {*graph.left.tolist(), *graph.right.tolist(), *graph.row.tolist()}
    assert set(range(30, 30 + graph.additions)) <= read
    forms = graph.coefficients(range(30))
    powers = [int(np.gcd.reduce(form)) & -int(np.gcd.reduce(form)) for form in forms]
    odd = [
        tuple((form // power * np.sign(form[form != 0][0])).tolist()) for form, power in zip(forms, powers, strict=True)
    ]
    assert len(set(odd)) == len(odd)


def test_the_same_matrix_gives_the_same_graph_and_progress_reaches_the_last_row():
    weights, told = matrix(12, 60, 0.2, seed=4), []
    first = adder_graph(weights, 0, 255, progress=lambda *rows: told.append(rows))
    assert told[-1] == (12, 12)
    adders._kept.clear()
    again = adder_graph(matrix(12, 60, 0.2, seed=4), 0, 255)
    assert again is not first
    assert arrays(again) == arrays(first)
    assert adder_graph(weights, 0, 255) is again


def test_levels_can_be_limited():
    weights = matrix(4, 200, 0.5)
    free, limited = adder_graph(weights, 0, 255), adder_graph(weights, 0, 255, deeper=0)
    assert limited.depth.max() < free.depth.max()
    assert limited.additions > free.additions


def test_weights_of_24_bits_are_the_widest():
    widest = np.array([[(1 << 23) - 1, -(1 << 23) + 1], [3, (1 << 23) - 2]])
    assert np.array_equal(adder_graph(SparseMatrix.from_dense(widest), 0, 1).coefficients(range(2)).shape[1:], (2,))
    wide = SparseMatrix.from_dense(np.array([[1 << 23, 1]]))
    op = MatVec(Tensor("y", (1,), Fixed(True, 40, 0)), "x", wide, Fixed(True, 25, 0), np.zeros(1, int), layer="fc7")
    with pytest.raises(InputError, match=r"fc7: the weights reach .* use 'multiply'"):
        adders_planner(op, Tensor("x", (2,), Fixed(False, 8, 0)))


def test_the_planner_takes_the_weights_of_its_matrix():
    weights = matrix(3, 4)
    op = MatVec(Tensor("y", (3,), Fixed(True, 40, 0)), "x", weights, Fixed(True, 8, 0), np.zeros(3, int))
    plan = adders_planner(op, Tensor("x", (4,), Fixed(True, 8, 0)))
    assert isinstance(plan, Adders)
    plan.graph.check(weights)


# --- the graph itself ---


def small():
    """(x0 << 2) + x1, and four times that minus x0."""
    return AdderGraph(2, [0, 2], [1, 0], [2, 2], [0, 0], [1, -1], [2, 3, NOTHING], [0, 1, 0], [-1, 1, 1])


def test_a_graph_knows_its_forms_and_checks_them_against_a_matrix():
    graph = small()
    assert graph.coefficients(range(2)).tolist() == [[1, 0], [0, 1], [4, 1], [15, 4]]
    positive, negative, zeros = graph.reach
    assert (positive.tolist(), negative.tolist(), zeros.tolist()) == ([1, 1, 5, 19], [0, 0, 0, 0], [0, 0, 0, 0])
    graph.check(SparseMatrix.from_dense(np.array([[-4, -1], [30, 8], [0, 0]])))
    for wrong in ([[-4, -1], [30, 7], [0, 0]], [[-4, -1], [30, 8], [0, 1]]):
        with pytest.raises(GraphError, match="does not compute column 1"):
            graph.check(SparseMatrix.from_dense(np.array(wrong)))
    with pytest.raises(GraphError, match="3 rows and 2 inputs"):
        graph.check(SparseMatrix.from_dense(np.array([[1, 2]])))


def test_forms_beyond_64_bits_are_exact():
    graph = AdderGraph(1, [0, 1], [0, 1], [100, 100], [0, 0], [1, -1], [2], [0], [1])
    value = (1 << 100) + 1
    assert graph.coefficients(range(1)).reshape(-1).tolist() == [1, value, (value << 100) - value]
    assert graph.reach[0].tolist() == [1, value, (value << 100) - value]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"left": [0, 3]}, "come before it"),
        ({"left": [0]}, "as many operands"),
        ({"row": [2, 4, NOTHING]}, "one of its values"),
        ({"sign": [1, 0]}, "signs of 1 or -1"),
        ({"left_shift": [-1, 0]}, "shifts in 0"),
    ],
)
def test_a_graph_that_cannot_be_is_refused(change, message):
    with pytest.raises(GraphError, match=message):
        replace(small(), **change)
