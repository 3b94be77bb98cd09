"""The ways to build one matrix: which are tried, and which are kept."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from fpgaprune.fit.fit import kernels_of
from fpgaprune.fit.points import Pricing, finer, folded, ladder, pareto, points
from fpgaprune.fit.problem import Point
from fpgaprune.lower import lower
from fpgaprune.resources import estimate
from fpgaprune.schedule import Access, Adders, Folded, Multiply, schedule
from fpgaprune.schedule.lanes import START_UP
from fpgaprune.sparse import SparseMatrix
from tests.nets import PYNQ, mlp, sparse_weights

PRICING = Pricing.of(PYNQ, PYNQ.clock_ns)
ROOM = (53200, 106400, 220, 280, 0)


def kernel(rows=24, columns=40, sparsity=0.6, seed=1):
    weights = sparse_weights(np.random.default_rng(seed), rows, columns, sparsity)
    graph = mlp((columns, rows), weights=[weights])
    return kernels_of(lower(schedule(graph, PYNQ)))["fc1"]


def measures(point):
    return (*point.amounts, point.interval, point.latency)


def test_pareto_keeps_what_nothing_else_is_as_good_as_in_everything():
    rng = np.random.default_rng(0)
    every = [
        Point(Multiply(), tuple(rng.integers(0, 4, 5).tolist()), *rng.integers(1, 4, 2).tolist()) for _ in range(80)
    ]
    kept = pareto(every)
    for point in every:
        better = [one for one in kept if all(a <= b for a, b in zip(measures(one), measures(point), strict=True))]
        assert better
        assert (point in kept) == (better == [point])
    assert len({measures(point) for point in kept}) == len(kept)
    assert pareto([]) == ()


def test_every_strategy_and_access_is_among_the_points():
    found = points(kernel(), PRICING, ROOM)
    plans = [point.plan for point in found]
    assert any(isinstance(plan, Adders) for plan in plans)
    folds = [plan for plan in plans if isinstance(plan, Folded)]
    assert {plan.access for plan in folds} == set(Access)
    assert {plan.fabric for plan in folds} == {False, True}
    assert min(plan.lanes for plan in folds) == 1
    assert pareto(found) == found


def test_a_point_is_what_the_estimate_says_of_the_design():
    one = kernel()
    for point in points(one, PRICING, ROOM)[::5]:
        graph = mlp((40, 24), weights=[one.weights])
        lowered = lower(schedule(graph, PYNQ, planner=lambda _op, _source, plan=point.plan: plan))
        resources = estimate(lowered)
        assert resources.total("dsp") == point.amounts[2]
        assert resources.total("bram_18k") == point.amounts[3]
        assert lowered.interval == point.interval


def test_multipliers_of_tables_and_of_slices_have_the_same_lanes():
    one = kernel()
    found = {point.plan: point for point in points(one, PRICING, ROOM) if isinstance(point.plan, Folded)}
    for plan, point in found.items():
        assert point == PRICING.point(replace(one, plan=plan))
    pairs = [
        (found[plan], found[twin]) for plan in found if (twin := replace(plan, fabric=True)) in found and plan != twin
    ]
    assert pairs
    assert all(own.interval == twin.interval and twin.amounts[2] == 0 for own, twin in pairs)


@pytest.mark.parametrize("interval", [1, 2, 7, 40, 10_000])
def test_plans_for_an_interval_have_lanes_in_whole_banks_and_room_for_columns_and_rows(interval):
    weights = kernel().weights
    registers, *others = folded(weights, interval)
    assert registers == Folded(math.ceil(weights.nonzeros / interval))
    assert bool(others) == (interval > START_UP)
    for plan in others:
        turns = interval - START_UP
        assert plan.access is Access.MEMORIES
        assert plan.lanes >= math.ceil(weights.nonzeros / turns)
        assert math.ceil(weights.shape[1] / plan.banks) <= turns
        assert math.ceil(weights.shape[0] / plan.groups) <= turns


def test_the_ladder_reaches_from_two_cycles_to_one_lane():
    weights = kernel().weights
    lanes = [plan.lanes for plan in ladder(weights) if plan.access is Access.REGISTERS]
    assert lanes[0] == math.ceil(weights.nonzeros / 2)
    assert lanes[-1] == 1
    assert lanes == sorted(lanes, reverse=True)
    assert all(one <= 1.5 * other + 1 for one, other in pairwise(lanes))


def test_a_matrix_of_one_weight_is_not_folded_into_less():
    one = SparseMatrix.from_dense(np.array([[0, 11]]))
    assert {plan.lanes for plan in ladder(one)} == {1}


def test_adder_graphs_without_hope_of_room_and_of_wide_weights_are_not_solved():
    assert not any(isinstance(point.plan, Adders) for point in points(kernel(), PRICING, (100, 100, 9, 9, 0)))
    wide = replace(kernel(), weights=SparseMatrix.from_dense(np.full((24, 1), (1 << 25) + 1)))
    assert not any(isinstance(point.plan, Adders) for point in points(wide, PRICING, (10**9,) * 5))


def test_finer_points_are_at_the_interval_and_below():
    one = kernel()
    found = points(one, PRICING, ROOM)
    more = finer(one, 11.6, found, PRICING)
    added = {point.interval for point in more} - {point.interval for point in found}
    assert added <= set(range(2, 13))
    assert 11 in {point.interval for point in more}
    assert pareto([*found, *more]) == pareto(more)
