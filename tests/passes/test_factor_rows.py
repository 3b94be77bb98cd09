"""A factor that all weights of a row share is multiplied once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fpgaprune.evaluate import evaluate
from fpgaprune.fixed import Fixed
from fpgaprune.intervals import verify
from fpgaprune.ir import Graph, Input, MatVec, Tensor
from fpgaprune.lower import lower, pipeline
from fpgaprune.lower.operations import operations
from fpgaprune.passes import optimise
from fpgaprune.passes.factor_rows import factor_rows
from fpgaprune.schedule import schedule
from fpgaprune.sparse import SparseMatrix
from tests.graphs import random_inputs
from tests.nets import PYNQ

S8 = Fixed(True, 8, 4)


def dense(weights, bias=None, shape=()):
    weights = np.array(weights)
    rows, columns = weights.shape
    bias = np.zeros(rows, int) if bias is None else np.array(bias)
    return Graph(
        (
            Input(Tensor("x", (*shape, columns), S8)),
            MatVec(
                Tensor("y", (*shape, rows), Fixed(True, 40, 10)),
                "x",
                SparseMatrix.from_dense(weights),
                Fixed(True, 13, 6),
                bias,
            ),
        ),
        ("y",),
    )


def matrices(graph):
    return [op.weights.dense().tolist() for op in graph.ops if isinstance(op, MatVec)]


def test_a_mean_is_a_sum_and_one_product():
    graph = dense([[205] * 20], bias=[7])
    factored = factor_rows(graph)
    assert matrices(factored) == [[[1] * 20], [[205]]]
    kernels = lower(schedule(graph, PYNQ)).kernels
    assert sum(pipeline.multipliers(operations(kernel)) for kernel in kernels) == 1


def test_signs_and_powers_of_two_stay_with_the_terms():
    graph = dense([[11, -22, 44], [3, 5, 0]], shape=(2,))
    assert matrices(factor_rows(graph)) == [[[1, -2, 4], [3, 5, 0]], [[11, 0], [0, 1]]]


@pytest.mark.parametrize("weights", [[[4, -8, 16]], [[11, 13, 11]], [[11, 0, 0]], [[3, 0], [0, 5]], [[0, 0]]])
def test_what_saves_no_digit_stays(weights):
    graph = dense(weights)
    assert factor_rows(graph) is graph


def test_the_two_matrices_stay_apart():
    graph = optimise(dense([[205] * 20]))
    assert optimise(graph) is graph
    assert len(matrices(graph)) == 2


@given(seed=st.integers(0, 2**32))
@settings(max_examples=80, deadline=None)
def test_the_result_is_the_same(seed):
    rng = np.random.default_rng(seed)
    rows, columns = int(rng.integers(1, 5)), int(rng.integers(1, 9))
    odd = rng.choice([1, 3, 11, 13, 85], (rows, 1))
    weights = odd * rng.choice([-4, -1, 0, 1, 2], (rows, columns))
    graph = dense(weights, rng.integers(-50, 50, rows), (3,) * int(rng.integers(0, 3)))
    factored = factor_rows(graph)
    verify(factored)
    inputs = random_inputs(graph, 20, seed)
    assert np.array_equal(evaluate(factored, *inputs)[0], evaluate(graph, *inputs)[0])
