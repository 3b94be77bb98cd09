"""Shared additions in C-simulation: large matrices, wide words, and rows that are nothing but a sign or a bias."""

from __future__ import annotations

import numpy as np
import pytest

from fpgaprune.fixed import Fixed, Overflow, Rounding
from fpgaprune.schedule import Interface
from fpgaprune.schedule.adders import adders_planner
from fpgaprune.sparse import SparseMatrix
from tests.nets import mlp, sparse_weights
from tests.sim.test_random_nets import exact, mismatches


def one_row(columns):
    return mlp((columns, 1), weights=[sparse_weights(np.random.default_rng(columns), 1, columns, 0)], biases=[[5]])


def plain_rows():
    """Rows of one weight, of either sign, and of none, with and without a bias."""
    weights = SparseMatrix.from_dense(np.array([[4, 0], [0, -2], [0, 0], [0, -2], [8, 0], [0, 0], [-3, 5], [6, -10]]))
    return mlp((2, 8), weights=[weights], biases=[[0, 0, -9, 1 << 70, 0, 0, 3, 0]])


@pytest.mark.needs("g++")
def test_matrices_of_every_size_and_width_are_exact(tmp_path):
    wide = Fixed(True, 40, 30, Rounding.RND_CONV, Overflow.SAT_SYM)
    bit = Fixed(False, 1, 1, Rounding.TRN, Overflow.WRAP)
    graphs = {
        0: plain_rows(),
        1: one_row(2100),  # more values than an array holds
        2: mlp((300, 40, 3), 0.6),  # several groups of rows
        3: mlp((9, 7, 5, 3), 0.3, activation=wide, bits=24),  # sums beyond 64 bits
        4: mlp((12, 9, 4), 0.3, activation=bit, bits=2),
        5: mlp((16, 32, 16, 5), 0),
        6: mlp((16, 12, 10), 0.97),
    }
    assert mismatches(tmp_path, graphs, Interface.PARALLEL, planner=adders_planner) == exact(graphs)
