"""How often inputs are read: counted in the graph, whatever stands between them and the first matrix."""

from __future__ import annotations

import numpy as np

from fpgaprune.evaluate import evaluate
from fpgaprune.fixed import Fixed
from fpgaprune.ir import Gather, Graph, Input, MatVec, Requantise, Reshape, Tensor, Window
from fpgaprune.report.inputs import input_reads
from fpgaprune.sparse import SparseMatrix
from fpgaprune.windows import Windows
from tests.graphs import random_graph, random_inputs, random_network_graph
from tests.nets import U8, mlp

WEIGHTS = np.array([[1, 0, 2, 0], [3, 0, 0, 0], [0, 0, 5, 0]])


def test_non_zeros_of_each_column_are_counted():
    weights = [SparseMatrix.from_dense(WEIGHTS), SparseMatrix.from_dense(np.ones((2, 3), dtype=int))]
    (found,) = input_reads(mlp((4, 3, 2), weights=weights))
    assert (found.name, found.shape, found.counts, found.alive) == ("x", (4,), (2, 0, 2, 0), 2)


def test_rows_that_nothing_reads_do_not_count():
    weights = [SparseMatrix.from_dense(WEIGHTS), SparseMatrix.from_dense(np.array([[0, 1, 0], [0, 0, 7]]))]
    (found,) = input_reads(mlp((4, 3, 2), weights=weights))
    assert found.counts == (1, 0, 1, 0)


def matvec(name, source, matrix):
    weights = SparseMatrix.from_dense(matrix)
    output = Tensor(name, (*source.shape[:-1], len(matrix)), Fixed(True, 30, source.format.fraction + 3))
    return MatVec(output, source.name, weights, Fixed(True, 4, 3), np.zeros(len(matrix), dtype=int))


def test_what_only_moves_or_rounds_is_seen_through():
    x = Input(Tensor("x", (2, 2), U8))
    flat = Reshape(Tensor("flat", (4,), U8), "x")
    wires = Gather(Tensor("wires", (4,), U8), "flat", np.array([3, 2, 1, 1]), np.zeros(4, dtype=int))
    rounded = Requantise(Tensor("rounded", (4,), U8), "wires", 0)
    (found,) = input_reads(Graph((x, flat, wires, rounded, matvec("fc", rounded.output, WEIGHTS)), ("fc",)))
    assert found.counts == (0, 2, 0, 2)


def test_windows_count_each_place_that_they_see():
    x = Input(Tensor("x", (4, 1), U8))
    windows = Windows((2,), (1,), (1,), (1,), (0,))
    seen = Window(Tensor("seen", (4, 2), U8), "x", windows)
    (found,) = input_reads(Graph((x, seen, matvec("conv", seen.output, np.array([[1, 2]]))), ("conv",)))
    assert found.counts == (2, 2, 2, 1)


def test_an_element_that_is_not_read_changes_nothing():
    random, dead_ones = np.random.default_rng(0), 0
    for seed in range(150):
        graph = random_network_graph(seed) if seed % 2 else random_graph(seed)
        inputs = random_inputs(graph, 3, seed)
        before = evaluate(graph, *inputs)
        for place, read in enumerate(input_reads(graph)):
            dead = np.array(read.counts).reshape(read.shape) == 0
            dead_ones += int(dead.sum())
            changed = [each.copy() for each in inputs]
            changed[place][:, dead] = random.permuted(changed[place][:, dead], axis=0)
            assert all(map(np.array_equal, before, evaluate(graph, *changed)))
    assert dead_ones > 20
