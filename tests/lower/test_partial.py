"""The exact intervals of partial sums, against every sum worked out one by one."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fpgaprune import board
from fpgaprune.fixed import Fixed
from fpgaprune.ir import Graph, Input, MatVec, Tensor
from fpgaprune.lower import lower
from fpgaprune.lower.partial import partial_sums
from fpgaprune.schedule import Access, Folded, schedule
from fpgaprune.sparse import SparseMatrix


def kernel(dense, plan, source):
    rows, columns = dense.shape
    wide = Fixed(True, source.width + 80, source.fraction)
    weights = SparseMatrix.from_dense(dense)
    matrix = MatVec(Tensor("y", (rows,), wide), "x", weights, Fixed(True, 60, 0), np.arange(rows))
    graph = Graph((Input(Tensor("x", (columns,), source)), matrix), ("y",))
    (found,) = lower(schedule(graph, board.load("pynq-z2"), planner=lambda _op, _source: plan)).kernels
    return found


@given(
    seed=st.integers(0, 2**32),
    plan=st.sampled_from([Folded(1), Folded(4), Folded(99), Folded(6, Access.MEMORIES, 2), Folded(4, Access.MEMORIES)]),
    signed=st.booleans(),
    width=st.sampled_from([1, 8, 40, 62]),
    large=st.booleans(),
)
def test_parts_and_every_sum_on_the_way_to_them_are_within_their_exact_intervals(seed, plan, signed, width, large):
    rng = np.random.default_rng(seed)
    dense = rng.integers(-(1 << 50), 1 << 50, (5, 9)) if large else rng.integers(-9, 10, (5, 9))
    dense[rng.random((5, 9)) < 0.4] = 0
    dense[:, 0] = 3  # no row and no column is empty, so that the clean-up leaves all as it is
    dense[0] = np.arange(1, 10)
    dense[np.arange(1, 5), np.arange(1, 5)] = np.arange(11, 15)  # no two rows alike
    source = Fixed(signed, width + signed, 0)
    found = kernel(dense, plan, source)
    lanes, sums = found.program, partial_sums(found)
    ends = {lane: [] for lane in range(lanes.lanes)}
    products = {lane: [] for lane in range(lanes.lanes)}
    for part, lane in enumerate(lanes.part_lane.tolist()):
        weights = [int(weight) for weight in lanes.weight[lanes.part == part]]
        pairs = [sorted((weight * source.low, weight * source.high)) for weight in weights]
        prefixes = [tuple(map(sum, zip(*pairs[: count + 1], strict=True))) for count in range(len(pairs))]
        assert (sums.part_low[part], sums.part_high[part]) == prefixes[-1]
        ends[lane] += prefixes
        products[lane] += pairs
    for lane in range(lanes.lanes):
        weights = lanes.weight[lanes.lane == lane].tolist() or [0]
        assert (sums.lane_weight_low[lane], sums.lane_weight_high[lane]) == (min(weights), max(weights))
        for each, low, high in (
            (ends, sums.lane_low, sums.lane_high),
            (products, sums.lane_product_low, sums.lane_product_high),
        ):
            lows, highs = zip(*(each[lane] or [(0, 0)]), strict=True)
            assert (low[lane], high[lane]) == (min(lows), max(highs))
