"""Kernels compute what evaluate computes, in words that hold every value."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fpgaprune import board
from fpgaprune.evaluate import evaluate
from fpgaprune.fixed import Fixed, Overflow, Rounding
from fpgaprune.intervals import analyse
from fpgaprune.ir import Graph, Input, MatVec, Requantise, Tensor
from fpgaprune.lower import MatVecKernel, Word, lower, run
from fpgaprune.schedule import Design, Interface, Multiply, schedule
from fpgaprune.sparse import SparseMatrix
from tests.graphs import random_graph, random_inputs

PYNQ = board.load("pynq-z2")


def unoptimised(graph):
    plans = {op.output.name: Multiply() for op in graph.ops if isinstance(op, MatVec)}
    return Design("net", graph, PYNQ, 10.0, Interface.PARALLEL, False, plans)


def outputs(lowered, inputs):
    flat = [values.reshape(len(values), -1) for values in inputs]
    known = run(lowered, *flat)
    return [known[output.port.name].reshape(len(inputs[0]), -1) for output in lowered.outputs]


@given(seed=st.integers(0, 2**32), optimised=st.booleans())
@settings(max_examples=200, deadline=None)
def test_kernels_compute_what_evaluate_computes(seed, optimised):
    graph = random_graph(seed)
    design = schedule(graph, PYNQ) if optimised else unoptimised(graph)
    inputs = random_inputs(graph, 30, seed)
    expected = [values.reshape(len(values), -1) for values in evaluate(graph, *inputs)]
    for got, want in zip(outputs(lower(design), inputs), expected, strict=True):
        assert np.array_equal(got, want)


def small(fmt, bias, *, low=None):
    weights = SparseMatrix.from_dense(np.array([[3, -2], [0, 1]]))
    wide = Fixed(True, 20, 4)
    return Graph(
        (
            Input(Tensor("x", (2,), Fixed(False, 4, 2))),
            MatVec(Tensor("fc", (2,), wide), "x", weights, Fixed(True, 4, 2), np.array(bias)),
            Requantise(Tensor("act", (2,), fmt), "fc", low),
        ),
        ("act",),
    )


def test_a_requantisation_joins_the_matrix_and_its_half_step_the_bias():
    fmt = Fixed(False, 4, 1, Rounding.RND, Overflow.SAT)
    (kernel,) = lower(unoptimised(small(fmt, [5, 7], low=0))).kernels
    assert isinstance(kernel, MatVecKernel)
    assert kernel.bias.tolist() == [5 + 4, 7 + 4]
    assert kernel.finish.rounding is Rounding.TRN
    assert kernel.finish.shift == 3
    assert (kernel.finish.low, kernel.finish.high) == (0, 15)


def test_limits_bind_only_where_the_interval_reaches_them():
    fmt = Fixed(False, 4, 1, Rounding.RND, Overflow.SAT)
    (kernel,) = lower(unoptimised(small(fmt, [5, 7], low=0))).kernels
    assert kernel.finish.binds_low.tolist() == [True, False]
    assert kernel.finish.binds_high.tolist() == [False, False]


@pytest.mark.parametrize("rounding", [Rounding.RND_CONV, Rounding.RND_INF, Rounding.RND_ZERO, Rounding.TRN_ZERO])
def test_a_half_step_that_depends_on_the_value_stays_in_the_finish(rounding):
    fmt = Fixed(False, 4, 1, rounding, Overflow.SAT)
    (kernel,) = lower(unoptimised(small(fmt, [5, 7]))).kernels
    assert kernel.bias.tolist() == [5, 7]
    assert kernel.finish.rounding is rounding


def test_accumulators_are_exactly_as_wide_as_the_interval_says():
    graph = small(Fixed(False, 4, 1), [5, 7])
    (kernel,) = lower(unoptimised(graph)).kernels
    sums = analyse(graph)["fc"]
    assert sums.low.tolist() == [5 - 2 * 15, 7]
    assert sums.high.tolist() == [5 + 3 * 15, 7 + 15]
    assert [kernel.accumulator(row) for row in range(2)] == [Word(True, 7), Word(False, 5)]


def test_a_word_that_is_too_narrow_is_noticed_by_the_interpreter():
    from dataclasses import replace

    from fpgaprune.errors import GraphError

    lowered = lower(unoptimised(small(Fixed(True, 12, 4), [5, 7])))
    (kernel,) = lowered.kernels
    broken = replace(lowered, kernels=(replace(kernel, bias=kernel.bias + 1),))
    with pytest.raises(GraphError, match="act: element 0 sums to 51, outside its interval -25…50"):
        run(broken, np.array([[15, 0]]))
