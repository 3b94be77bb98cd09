"""The cycles of each pattern of a mask: those with one are scheduled without padding."""

from __future__ import annotations

import numpy as np
import pytest

from fpgaprune.fixed import Fixed, Overflow, Rounding
from fpgaprune.ir import Graph, Input, MatVec, Requantise, Tensor
from fpgaprune.passes import optimise
from fpgaprune.schedule import Access, Folded
from fpgaprune.schedule.lanes import program
from fpgaprune.sparse import SparseMatrix

ROWS, COLUMNS = 64, 128
U8 = Fixed(False, 8, 8, Rounding.RND, Overflow.SAT)


def n_of_m(n, m):
    """Keep n of every m neighbours in a row."""
    rng = np.random.default_rng(n * m)
    order = rng.random((ROWS, COLUMNS // m, m)).argsort(axis=-1)
    return (order < n).reshape(ROWS, COLUMNS)


def blocks(rows, columns, share):
    """Keep a share of the blocks, the same number of them in each row of blocks."""
    rng = np.random.default_rng(rows * columns)
    across = COLUMNS // columns
    kept = rng.random((ROWS // rows, across)).argsort(axis=-1) < share * across
    return np.kron(kept, np.ones((rows, columns), dtype=bool))


def lane_balanced(banks, each):
    """Keep as many weights of each row in each bank of neighbouring columns."""
    rng = np.random.default_rng(banks)
    order = rng.random((ROWS, banks, COLUMNS // banks)).argsort(axis=-1)
    return (order < each).reshape(ROWS, COLUMNS)


def unstructured(share):
    rng = np.random.default_rng(7)
    return rng.random((ROWS, COLUMNS)) < share


def memories(banks, groups):
    return Folded(banks * groups, Access.MEMORIES, banks)


def matrix(mask):
    rng = np.random.default_rng(1)
    return SparseMatrix.from_dense(mask * rng.integers(1, 100, mask.shape))


CYCLES = {
    "2:4": (n_of_m(2, 4), {Folded(16): 256, Folded(64): 64, memories(4, 4): 256, memories(8, 8): 64}),
    "1:4": (n_of_m(1, 4), {Folded(16): 128, Folded(32): 64, memories(4, 4): 128, memories(8, 4): 64}),
    "1:8": (n_of_m(1, 8), {Folded(16): 64, Folded(128): 8, memories(4, 4): 64, memories(2, 8): 64}),
    "4x4 blocks, a quarter": (
        blocks(4, 4, 0.25),
        {Folded(16): 128, Folded(64): 32, memories(4, 4): 128, memories(8, 8): 32},
    ),
    "8x1 blocks, an eighth": (
        blocks(8, 1, 0.125),
        {Folded(16): 64, Folded(64): 16, memories(4, 4): 64, memories(8, 2): 64},
    ),
    "1x8 blocks, a quarter": (
        blocks(1, 8, 0.25),
        {Folded(16): 128, Folded(64): 32, memories(4, 4): 128, memories(8, 8): 32},
    ),
    "2x2 blocks, a quarter": (blocks(2, 2, 0.25), {Folded(16): 128, Folded(64): 32, memories(4, 4): 128}),
    "4 of each of 4 banks": (lane_balanced(4, 4), {Folded(16): 64, memories(4, 4): 64, memories(4, 16): 16}),
    "2 of each of 8 banks": (lane_balanced(8, 2), {Folded(16): 64, memories(8, 2): 64, memories(4, 8): 32}),
    "all": (np.ones((ROWS, COLUMNS), dtype=bool), {Folded(16): 512, memories(4, 4): 512, memories(8, 8): 128}),
}


@pytest.mark.parametrize(
    ("mask", "plan", "cycles"),
    [
        pytest.param(mask, plan, cycles, id=f"{name}, {plan.lanes} lanes, {plan.access.value}")
        for name, (mask, plans) in CYCLES.items()
        for plan, cycles in plans.items()
    ],
)
def test_patterns_are_scheduled_without_padding(mask, plan, cycles):
    weights = matrix(mask)
    found = program(weights, plan)
    assert found.slots == cycles
    assert found.slots * found.lanes == weights.nonzeros  # no lane ever waits


@pytest.mark.parametrize("name", ["2:4", "1:8", "4x4 blocks, a quarter", "2 of each of 8 banks", "all"])
def test_rows_of_a_pattern_stay_whole_in_registers(name):
    weights = matrix(CYCLES[name][0])
    assert len(program(weights, Folded(16)).part_row) == ROWS


@pytest.mark.parametrize(("plan", "most"), [(Folded(16), 0), (memories(4, 4), 1), (memories(8, 2), 1)])
def test_a_mask_without_pattern_waits_at_most_a_slot(plan, most):
    weights = matrix(unstructured(0.125))
    assert program(weights, plan).slots <= -(-weights.nonzeros // 16) + most


def test_rows_and_columns_that_are_gone_leave_a_smaller_dense_matrix():
    rng = np.random.default_rng(2)
    first, second = rng.integers(1, 100, (ROWS, COLUMNS)), rng.integers(1, 100, (8, ROWS))
    gone_inputs, gone_neurons = rng.permutation(COLUMNS)[:96], rng.permutation(ROWS)[:48]
    first[:, gone_inputs] = 0
    first[gone_neurons] = 0
    second[:, gone_neurons] = 0
    fmt, wide = Fixed(True, 8, 7), Fixed(True, 30, 15)
    ops = (
        Input(Tensor("x", (COLUMNS,), U8)),
        MatVec(Tensor("one", (ROWS,), wide), "x", SparseMatrix.from_dense(first), fmt, np.zeros(ROWS, int)),
        Requantise(Tensor("act", (ROWS,), U8), "one", 0),
        MatVec(Tensor("two", (8,), wide), "act", SparseMatrix.from_dense(second), fmt, np.zeros(8, int)),
    )
    whole, rest = (op for op in optimise(Graph(ops, ("two",))).ops if isinstance(op, MatVec))
    assert whole.weights.shape[0] == 16
    assert rest.weights.shape == (8, 16)
    assert whole.weights.nonzeros == 16 * 32
    assert rest.weights.nonzeros == 8 * 16
    dense = program(whole.weights, Folded(16))
    assert dense.slots == 32  # of 512 with all weights
    assert len(dense.part_row) == 16
    banked = program(whole.weights, memories(4, 4))
    assert (banked.slots, banked.banks.depth, banked.banks.rounds) == (32, 8, 4)
