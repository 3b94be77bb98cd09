"""The static schedule of folded matrices."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fpgaprune.schedule import Access, Folded
from fpgaprune.schedule.lanes import START_UP, program
from fpgaprune.sparse import SparseMatrix


def random_matrix(seed, rows, columns, density):
    rng = np.random.default_rng(seed)
    dense = rng.integers(1, 128, (rows, columns)) * rng.choice([-1, 1], (rows, columns))
    dense[rng.random((rows, columns)) >= density] = 0
    if not dense.any():
        dense[rng.integers(rows), rng.integers(columns)] = 5
    return SparseMatrix.from_dense(dense)


def check(lanes, weights):
    """Every rule of `LaneProgram`, and the product of the matrix with random vectors."""
    row = lanes.part_row[lanes.part]
    terms = sorted(zip(row.tolist(), lanes.column.tolist(), lanes.weight.tolist(), strict=True))
    expected = zip(weights.row.tolist(), weights.column.tolist(), weights.weight.tolist(), strict=True)
    assert terms == list(expected)
    per_lane = np.bincount(lanes.lane, minlength=lanes.lanes)
    assert len(per_lane) == lanes.lanes
    assert per_lane.max() == lanes.slots
    assert lanes.slot.tolist() == [slot for count in per_lane for slot in range(count)]
    assert (np.diff(lanes.lane) >= 0).all()
    parts = list(zip(lanes.part_row.tolist(), lanes.part_lane.tolist(), strict=True))
    assert parts == sorted(set(parts))
    for part in range(len(parts)):
        mine = np.flatnonzero(lanes.part == part)
        assert set(lanes.lane[mine]) == {lanes.part_lane[part]}
        assert lanes.slot[mine].tolist() == list(range(lanes.part_start[part], lanes.part_end[part] + 1))
    rng = np.random.default_rng(len(parts))
    vectors = rng.integers(-1000, 1000, (weights.shape[1], 3))
    wanted = weights.dense() @ vectors
    assert np.array_equal(lanes.apply(vectors, weights.shape[0]), wanted)
    huge = vectors.astype(object) << 70
    assert np.array_equal(lanes.apply(huge, weights.shape[0]), wanted.astype(object) << 70)


def check_banks(lanes, weights, plan):
    banks = lanes.banks
    assert lanes.lanes == plan.lanes
    read = np.bincount(weights.column, minlength=weights.shape[1]) > 0
    assert (banks.bank[~read] == -1).all()
    assert (banks.address[~read] == -1).all()
    places = list(zip(banks.bank[read].tolist(), banks.address[read].tolist(), strict=True))
    rows = list(zip(banks.group.tolist(), banks.position.tolist(), strict=True))
    assert len(set(places)) == len(places)
    assert len(set(rows)) == len(rows)
    assert banks.bank.max() < plan.banks
    assert 0 <= banks.group.min() <= banks.group.max() < plan.groups
    assert banks.depth == -(-int(read.sum()) // plan.banks)
    assert banks.rounds == -(-weights.shape[0] // plan.groups)
    row = lanes.part_row[lanes.part]
    assert np.array_equal(lanes.lane, banks.bank[lanes.column] * plan.groups + banks.group[row])
    same_lane = np.diff(lanes.lane) == 0
    assert (np.diff(banks.position[row])[same_lane] >= 0).all()
    turns = (lanes.slots, banks.depth, banks.rounds)
    assert lanes.interval(1) == max(turns) + START_UP
    assert lanes.turns == max(lanes.slots, max(banks.depth, banks.rounds) + START_UP)
    for vectors in (2, 9):  # the first step only fills, the last only adds up
        assert lanes.interval(vectors) == -(-(vectors + 2) * lanes.turns // vectors)
    assert lanes.latency_bound(1) == sum(turns) + 3 * START_UP
    assert lanes.latency_bound(2) == 3 * lanes.turns + START_UP


shapes = st.tuples(st.integers(1, 20), st.integers(1, 20))
densities = st.sampled_from([0.0, 0.1, 0.3, 0.7, 1.0])


@given(seed=st.integers(0, 2**32), shape=shapes, density=densities, lanes=st.integers(1, 60))
def test_lanes_in_registers_compute_the_matrix_in_as_few_slots_as_there_can_be(seed, shape, density, lanes):
    weights = random_matrix(seed, *shape, density)
    found = program(weights, Folded(lanes))
    check(found, weights)
    assert found.slots == found.interval(1) == found.interval(7) == -(-weights.nonzeros // lanes)
    assert found.lanes <= min(lanes, weights.nonzeros)
    assert (np.bincount(found.lane) > 0).all()
    assert found.banks is None


@given(seed=st.integers(0, 2**32), shape=shapes, density=densities, banks=st.integers(1, 7), groups=st.integers(1, 7))
def test_lanes_with_memories_compute_the_matrix(seed, shape, density, banks, groups):
    weights = random_matrix(seed, *shape, density)
    plan = Folded(banks * groups, Access.MEMORIES, banks)
    found = program(weights, plan)
    check(found, weights)
    check_banks(found, weights, plan)


@pytest.mark.parametrize("plan", [Folded(1), Folded(10**6), Folded(1, Access.MEMORIES)])
def test_one_lane_takes_a_slot_a_term_and_a_lane_a_term_takes_one(plan):
    weights = random_matrix(1, 9, 13, 0.4)
    found = program(weights, plan)
    check(found, weights)
    assert found.slots * found.lanes == weights.nonzeros


def test_rows_are_split_only_where_that_makes_the_longest_lane_shorter():
    equal = SparseMatrix.from_dense(np.ones((6, 4), dtype=int))
    assert len(program(equal, Folded(3)).part_row) == 6
    assert len(program(equal, Folded(6)).part_row) == 6
    assert len(program(equal, Folded(12)).part_row) == 12  # each row halved
    assert len(program(equal, Folded(4)).part_row) == 8  # two of the three cuts are inside rows, one between
    lengths = [3, 3, 5, 5]  # two lanes of eight, but not of neighbours
    mixed = SparseMatrix.from_dense(np.arange(5) < np.array(lengths)[:, np.newaxis])
    found = program(mixed, Folded(2))
    check(found, mixed)
    assert found.slots == 8
    assert len(found.part_row) == 4


def test_a_lane_that_shortens_nothing_is_left_out():
    ten = SparseMatrix.from_dense(np.ones((5, 2), dtype=int))
    assert program(ten, Folded(6)).lanes == 5  # two slots either way


UNSTRUCTURED = [
    *((128, 784, 0.1, banks, groups) for banks, groups in [(4, 4), (14, 8), (2, 8), (8, 2), (1, 16), (16, 1), (28, 4)]),
    *((64, 576, 0.1, banks, groups) for banks, groups in [(4, 4), (15, 1), (3, 5), (8, 8)]),
    *((128, 128, 0.1, banks, groups) for banks, groups in [(2, 2), (4, 4), (8, 4)]),
    *((10, 128, 0.5, banks, groups) for banks, groups in [(4, 2), (8, 1)]),
    *((32, 288, 0.1, banks, groups) for banks, groups in [(4, 4), (8, 2)]),
    (1024, 1024, 0.1, 8, 8),
]


@pytest.mark.parametrize(("rows", "columns", "density", "banks", "groups"), UNSTRUCTURED)
@pytest.mark.parametrize("seed", [0, 1])
def test_unstructured_masks_are_balanced_over_memories(rows, columns, density, banks, groups, seed):
    weights = random_matrix(seed, rows, columns, density)
    plan = Folded(banks * groups, Access.MEMORIES, banks)
    found = program(weights, plan)
    check_banks(found, weights, plan)
    assert weights.nonzeros >= 500
    assert found.slots <= -(-weights.nonzeros // plan.lanes) + 1
    vectors = np.random.default_rng(seed).integers(-99, 99, (columns, 2))
    assert np.array_equal(found.apply(vectors, rows), weights.csr @ vectors)


@pytest.mark.parametrize(
    ("shape", "banks", "groups"), [((128, 784), 28, 7), ((200, 400), 8, 6), ((1024, 1024), 32, 32)]
)
def test_rows_that_cannot_be_shared_out_equally_cost_a_few_slots(shape, banks, groups):
    weights = random_matrix(1, *shape, 0.3)
    average = weights.nonzeros / (banks * groups)
    assert program(weights, Folded(banks * groups, Access.MEMORIES, banks)).slots < 1.05 * average + 1


def test_rows_and_columns_of_very_different_size_are_balanced_over_memories():
    rng = np.random.default_rng(3)
    score = rng.random((64, 256)) * np.exp(rng.normal(0, 0.5, (64, 1)) + rng.normal(0, 0.5, (1, 256)))
    weights = SparseMatrix.from_dense((score < np.quantile(score, 0.1)).astype(int))
    counts = np.bincount(weights.column, minlength=256)
    assert counts.max() > 4 * np.median(counts)
    assert program(weights, Folded(16, Access.MEMORIES, 4)).slots <= -(-weights.nonzeros // 16) + 1


@pytest.mark.parametrize("plan", [Folded(12), Folded(64, Access.MEMORIES, 8)])
def test_equal_weights_and_plans_give_equal_schedules(plan):
    one, other = (program(random_matrix(5, 60, 90, 0.2), plan) for _ in range(2))
    for name in ("lane", "slot", "column", "weight", "part_row", "part_lane", "part_start", "part_end"):
        assert np.array_equal(getattr(one, name), getattr(other, name))


@pytest.mark.parametrize("plan", [Folded(220), Folded(256, Access.MEMORIES, 16)])
def test_a_million_weights_are_scheduled_in_seconds(plan):
    rng = np.random.default_rng(0)
    weights = SparseMatrix.from_dense(rng.integers(1, 100, (1024, 1024)))
    start = time.process_time()
    found = program(weights, plan)
    assert time.process_time() - start < 20  # about one; a machine may be busy
    assert found.slots == -(-weights.nonzeros // plan.lanes)
    vectors = rng.integers(-9, 9, (1024, 1))
    assert np.array_equal(found.apply(vectors, 1024), weights.csr @ vectors)
