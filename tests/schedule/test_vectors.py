"""Positions and steps as hardware side by side, and loops as streams build them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fpgaprune.errors import InputError
from fpgaprune.evaluate import evaluate
from fpgaprune.fixed import Fixed
from fpgaprune.intervals import verify
from fpgaprune.ir import Graph, Input, MatVec, Requantise, Reshape, Scan, Tensor, Window
from fpgaprune.schedule import Interface, schedule
from fpgaprune.schedule.loops import forward_loops
from fpgaprune.schedule.vectors import TERMS_LIMIT, as_vectors, products_of
from fpgaprune.sparse import SparseMatrix
from fpgaprune.windows import Windows
from tests.graphs import random_graph, random_inputs, random_network_graph
from tests.nets import PYNQ

U4 = Fixed(False, 4, 2)


@given(seed=st.integers(0, 2**32))
@settings(max_examples=150, deadline=None)
def test_vectors_compute_the_same(seed):
    graph = random_network_graph(seed)
    vectors = as_vectors(graph)
    verify(vectors)
    inputs = random_inputs(graph, 7, seed)
    for got, want in zip(evaluate(vectors, *inputs), evaluate(graph, *inputs), strict=True):
        assert np.array_equal(got, want)
    assert not any(isinstance(op, (Window, Scan)) for op in vectors.ops)


@given(seed=st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_loops_that_a_stream_can_build_compute_the_same(seed):
    graph = random_network_graph(seed)
    forward = forward_loops(graph)
    inputs = random_inputs(graph, 7, seed)
    for got, want in zip(evaluate(forward, *inputs), evaluate(graph, *inputs), strict=True):
        assert np.array_equal(got, want)
    for op in forward.ops:
        if isinstance(op, Scan):
            assert not op.reverse
            assert len(op.output.shape) == len(forward.tensors[op.input].shape) == 2


def test_a_graph_of_vectors_stays_as_it_is():
    graph = random_graph(3)
    assert as_vectors(graph) is graph


def image(side, outputs=4):
    windows = Windows((3, 3), (1, 1), (1, 1), (1, 1), (1, 1))
    weights = SparseMatrix.from_dense(np.ones((outputs, 9), dtype=np.int64))
    return Graph(
        (
            Input(Tensor("x", (side, side, 1), U4)),
            Window(Tensor("w", (side, side, 9), U4), "x", windows),
            MatVec(Tensor("y", (side, side, outputs), Fixed(False, 8, 4)), "w", weights, U4, np.zeros(outputs, int)),
        ),
        ("y",),
    )


def test_padding_with_zeros_costs_nothing_in_a_parallel_design():
    (matrix,) = (op for op in as_vectors(image(4)).ops if isinstance(op, MatVec))
    assert matrix.weights.nonzeros == 4 * (4 * 9 + 8 * 6 + 4 * 4)  # inner positions see 9 taps, edges 6, corners 4


def test_a_network_too_large_to_be_built_side_by_side_is_sent_to_the_stream_interface():
    graph = image(64)
    assert products_of(graph) > TERMS_LIMIT
    with pytest.raises(InputError, match=f"{products_of(graph)} products .*--io stream"):
        as_vectors(graph)
    with pytest.raises(InputError, match=r"16384 elements .*--io stream"):
        schedule(graph, PYNQ)
    assert schedule(graph, PYNQ, interface=Interface.STREAM).graph.tensors["y"].shape == (64, 64, 4)


def test_a_vector_too_long_for_registers_is_sent_to_the_stream_interface():
    with pytest.raises(InputError, match=r"y\S*: 4900 elements are more than the 4096 .*--io stream"):
        schedule(image(35), PYNQ)


def test_a_beat_too_wide_for_a_stream_is_refused():
    graph = Graph((Input(Tensor("x", (5000,), U4)), Reshape(Tensor("y", (5000,), U4), "x")), ("y",))
    with pytest.raises(InputError, match="x: 5000 words side by side are more than the 4096"):
        schedule(graph, PYNQ, interface=Interface.STREAM)


def test_a_port_wider_than_the_vendor_tool_builds_is_refused():
    wide = Fixed(False, 8, 2)
    graph = Graph((Input(Tensor("x", (784,), wide)), Reshape(Tensor("y", (28, 28), wide), "x")), ("y",))
    with pytest.raises(InputError, match="x: a beat of 784 words of 8 bits is wider than a port, which has 4096"):
        schedule(graph, PYNQ, interface=Interface.STREAM)


def loop(step, state, made, fmt=U4):
    """A loop that hands on its step."""
    body = (
        Input(Tensor(step, (2,), fmt)),
        Input(Tensor(state, (2,), fmt)),
        Requantise(Tensor(made, (2,), fmt), step, 1),
    )
    return Graph(body, (made,))


def test_names_that_a_body_shares_with_what_is_outside_or_with_derived_names_mix_nothing_up():
    zeros = np.zeros(2, int)
    weights = SparseMatrix.from_dense(np.array([[1, 2], [3, 4]]))
    graph = Graph(
        (
            Input(Tensor("x", (3, 2), U4)),
            Input(Tensor("v", (2,), U4)),
            Scan(Tensor("scan", (3, 2), U4), "x", loop("v", "s", "n"), (zeros,)),
            Scan(Tensor("x_flat", (3, 2), U4), "scan", loop("v", "s", "n"), (zeros,), 0, True),
            MatVec(Tensor("y", (2,), Fixed(False, 12, 4)), "v", weights, U4, np.zeros(2, int)),
        ),
        ("x_flat", "y"),
    )
    inputs = random_inputs(graph, 9)
    want = evaluate(graph, *inputs)
    for rewritten in (as_vectors(graph), forward_loops(graph)):
        for got, expected in zip(evaluate(rewritten, *inputs), want, strict=True):
            assert np.array_equal(got, expected)
