"""Every pass keeps what a graph computes; each does its own work on a small example."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fpgaprune.digits import signed_digits
from fpgaprune.evaluate import evaluate
from fpgaprune.fixed import Fixed, Overflow, Rounding
from fpgaprune.intervals import verify
from fpgaprune.ir import (
    Add,
    Constant,
    Gather,
    Graph,
    Input,
    MatVec,
    Requantise,
    Scan,
    Tensor,
)
from fpgaprune.passes import PIPELINE, optimise
from fpgaprune.passes.absorb_wires import absorb_wires
from fpgaprune.passes.drop_dead import drop_dead
from fpgaprune.passes.drop_identities import drop_identities
from fpgaprune.passes.fold_affine import fold_affine
from fpgaprune.passes.merge_rows import merge_rows
from fpgaprune.passes.narrow import narrow
from fpgaprune.passes.propagate_constants import propagate_constants
from fpgaprune.schedule.design import matrices
from fpgaprune.sparse import SparseMatrix
from tests.graphs import random_graph, random_inputs, random_network_graph

U4 = Fixed(False, 4, 0)
S8 = Fixed(True, 8, 0)
WIDE = Fixed(True, 40, 0)


def same(left, right):
    inputs = random_inputs(left, 40)
    return all(np.array_equal(a, b) for a, b in zip(evaluate(left, *inputs), evaluate(right, *inputs), strict=True))


def dense(name, source, weights, bias, fmt=WIDE):
    weights = np.array(weights)
    return MatVec(Tensor(name, (len(weights),), fmt), source, SparseMatrix.from_dense(weights), S8, np.array(bias))


def relu(name, source, size, fmt=U4):
    saturating = Fixed(fmt.signed, fmt.width, fmt.fraction, Rounding.RND, Overflow.SAT)
    return Requantise(Tensor(name, (size,), saturating), source, 0)


def find(graph, name):
    return graph.producers[name]


@pytest.mark.parametrize("draw", [random_graph, random_network_graph])
@pytest.mark.parametrize("step", PIPELINE, ids=lambda step: step.__name__)
@given(seed=st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_each_pass_keeps_the_outputs_and_a_valid_graph(step, draw, seed):
    graph = draw(seed)
    changed = step(graph)
    verify(changed)
    assert interface(changed) == interface(graph)
    assert same(graph, changed)


@pytest.mark.parametrize("draw", [random_graph, random_network_graph])
@given(seed=st.integers(0, 2**32))
@settings(max_examples=120, deadline=None)
def test_the_pipeline_keeps_the_outputs_and_settles(draw, seed):
    graph = draw(seed, length=8)
    changed = optimise(graph, debug=True)
    assert interface(changed) == interface(graph)
    assert same(graph, changed)
    assert optimise(changed) is changed
    assert digits_of(changed) <= digits_of(graph)
    assert names_of(changed) == sorted(set(names_of(changed))), "names differ inside loops and out"


def interface(graph):
    """What a user sees of a graph: the inputs, and the names and shapes of the outputs."""
    return [op.output for op in graph.inputs], [(name, graph.tensors[name].shape) for name in graph.outputs]


def names_of(graph):
    inner = [name for op in graph.ops if isinstance(op, Scan) for name in names_of(op.body)]
    return sorted([*graph.tensors, *inner])


def digits_of(graph):
    """Signed digits of all weights: what multiplications cost; a shared factor adds a weight to save digits."""
    return sum(int(signed_digits(op.weights.weight).sum()) for op in matrices(graph))


def weights_of(graph):
    inner = sum(weights_of(op.body) for op in graph.ops if isinstance(op, Scan))
    return inner + sum(op.weights.nonzeros for op in graph.ops if isinstance(op, MatVec))


def test_a_scale_without_extra_digits_folds_into_its_neighbour():
    graph = Graph(
        (
            Input(Tensor("x", (2,), U4)),
            dense("fc", "x", [[1, 2], [3, 0]], [1, 1]),
            dense("scale", "fc", [[4, 0], [0, -1]], [5, 6]),
        ),
        ("scale",),
    )
    folded = fold_affine(graph)
    assert [op.output.name for op in folded.ops] == ["x", "scale"]
    assert find(folded, "scale").weights.dense().tolist() == [[4, 8], [-3, 0]]
    assert find(folded, "scale").bias.tolist() == [9, 5]
    assert same(graph, folded)


def test_a_scale_that_would_add_digits_stays_apart():
    graph = Graph(
        (
            Input(Tensor("x", (4,), U4)),
            dense("fc", "x", [[1, 1, 1, 1]], [0]),
            dense("scale", "fc", [[11]], [0]),
        ),
        ("scale",),
    )
    assert fold_affine(graph) is graph


def test_a_neuron_without_inputs_moves_into_the_next_bias_through_its_activation():
    graph = Graph(
        (
            Input(Tensor("x", (2,), U4)),
            dense("fc1", "x", [[0, 0], [1, 1]], [9, 0]),
            relu("act", "fc1", 2),
            dense("fc2", "act", [[3, 1]], [1]),
        ),
        ("fc2",),
    )
    moved = propagate_constants(graph)
    assert find(moved, "fc2").bias.tolist() == [1 + 3 * 9]
    assert find(moved, "fc2").weights.dense().tolist() == [[0, 1]]
    assert same(graph, moved)


def test_a_tensor_that_is_constant_throughout_becomes_a_constant():
    graph = Graph((Input(Tensor("x", (2,), U4)), dense("fc", "x", [[0, 0]], [-5]), relu("act", "fc", 1)), ("act",))
    assert isinstance(find(propagate_constants(graph), "act"), Constant)


def test_a_row_that_its_reader_always_stops_loses_its_weights():
    graph = Graph(
        (
            Input(Tensor("x", (2,), U4)),
            dense("fc", "x", [[1, 1], [1, 2], [5, 1]], [-31, 0, 15]),
            relu("act", "fc", 3),
        ),
        ("act",),
    )
    moved = propagate_constants(graph)
    assert find(moved, "fc").weights.dense().tolist() == [[0, 0], [1, 2], [0, 0]]
    assert propagate_constants(moved) is moved
    assert same(graph, moved)


def test_a_row_whose_sum_is_an_output_keeps_its_weights():
    ops = (Input(Tensor("x", (2,), U4)), dense("fc", "x", [[1, 1]], [-31]), relu("act", "fc", 1))
    assert find(propagate_constants(Graph(ops, ("act", "fc"))), "fc").weights.nonzeros == 2


def test_a_neuron_that_no_one_reads_is_dropped_with_what_only_it_read():
    graph = Graph(
        (
            Input(Tensor("x", (3,), U4)),
            dense("fc1", "x", [[1, 0, 0], [0, 1, 0], [0, 0, 1]], [0, 0, 0]),
            relu("act", "fc1", 3),
            dense("fc2", "act", [[0, 2, 0]], [0]),
        ),
        ("fc2",),
    )
    dropped = drop_dead(graph)
    assert find(dropped, "fc1").weights.dense().tolist() == [[0, 1, 0]]
    assert find(dropped, "act").output.shape == (1,)
    assert find(dropped, "fc2").weights.dense().tolist() == [[2]]
    assert find(dropped, "x").output.shape == (3,)
    assert same(graph, dropped)


def test_a_residual_that_needs_fewer_elements_than_its_sibling_is_wired_down():
    graph = Graph(
        (
            Input(Tensor("x", (2,), U4)),
            dense("fc", "x", [[1, 1], [1, 2]], [0, 0]),
            relu("act", "fc", 2),
            dense("all", "act", [[1, 1]], [0]),
            Add(Tensor("add", (2,), WIDE), "act", "fc"),
            dense("one", "add", [[1, 0]], [0]),
        ),
        ("all", "one"),
    )
    dropped = drop_dead(graph)
    assert find(dropped, "add").output.shape == (1,)
    assert same(graph, dropped)


def test_rows_equal_up_to_a_power_of_two_are_computed_once():
    graph = Graph(
        (Input(Tensor("x", (2,), U4)), dense("fc", "x", [[4, -12], [1, -3], [2, 5], [1, -3]], [8, 2, 0, 2])), ("fc",)
    )
    merged = merge_rows(graph)
    assert find(merged, "fc_rows").weights.dense().tolist() == [[1, -3], [2, 5]]
    assert find(merged, "fc").index.tolist() == [0, 0, 1, 0]
    assert find(merged, "fc").shift.tolist() == [2, 0, 0, 0]
    assert same(graph, merged)


def test_equal_neurons_become_one_neuron_with_summed_outgoing_weights():
    graph = Graph(
        (
            Input(Tensor("x", (2,), U4)),
            dense("fc1", "x", [[1, 2], [1, 2], [3, 0]], [1, 1, 0]),
            relu("act", "fc1", 3),
            dense("fc2", "act", [[5, -2, 1], [1, -1, 0]], [0, 0]),
        ),
        ("fc2",),
    )
    best = optimise(graph, debug=True)
    assert find(best, "fc2").weights.dense().tolist() == [[3, 1], [0, 0]] or weights_of(best) == 5
    assert weights_of(best) == 5
    assert same(graph, best)


def test_wires_that_repeat_elements_are_requantised_once():
    zero = np.zeros(3, dtype=np.int64)
    graph = Graph(
        (
            Input(Tensor("x", (2,), U4)),
            Gather(Tensor("wires", (3,), U4), "x", np.array([1, 0, 1]), zero),
            relu("act", "wires", 3),
        ),
        ("act",),
    )
    once = drop_dead(absorb_wires(graph))
    assert find(once, "act_distinct").output.shape == (2,)
    assert same(graph, once)


def test_a_relu_of_what_is_never_negative_is_dropped():
    graph = Graph(
        (Input(Tensor("x", (1,), U4)), relu("act", "x", 1, Fixed(False, 5, 0)), dense("fc", "act", [[3]], [0])), ("fc",)
    )
    assert [op.output.name for op in drop_identities(graph).ops] == ["x", "fc"]


def test_formats_shrink_to_the_interval_but_the_interface_keeps_its_own():
    graph = Graph(
        (Input(Tensor("x", (1,), U4)), dense("fc", "x", [[3]], [0]), relu("act", "fc", 1, Fixed(False, 20, 0))),
        ("act",),
    )
    narrowed = narrow(graph)
    assert find(narrowed, "fc").output.format == Fixed(False, 6, 0)
    assert find(narrowed, "act").output.format.width == 20


def test_a_pass_with_nothing_to_do_returns_the_graph_itself():
    graph = Graph((Input(Tensor("x", (1,), U4)), dense("fc", "x", [[3]], [0], Fixed(False, 6, 0))), ("fc",))
    assert all(step(graph) is graph for step in PIPELINE)
