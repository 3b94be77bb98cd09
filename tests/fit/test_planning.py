"""One strategy for all matrices: lanes by reuse or by number."""

from __future__ import annotations

import math

import pytest

from fpgaprune.errors import InputError
from fpgaprune.fit import planner
from fpgaprune.lower import MatVecKernel, lower
from fpgaprune.resources import estimate
from fpgaprune.schedule import Access, Adders, Folded, Multiply, Strategy, schedule
from tests.nets import PYNQ, mlp

NET = mlp((40, 24, 4), 0.5)


def lowered(strategy=Strategy.FOLDED, **settings):
    return lower(schedule(NET, PYNQ, planner=planner(strategy, board=PYNQ, **settings)))


def matrices(design):
    return [kernel for kernel in design.every_kernel if isinstance(kernel, MatVecKernel)]


@pytest.mark.parametrize("reuse", [1, 2, 5, 16, 100, 10**6])
def test_reuse_is_the_most_cycles_and_lanes_are_as_few_as_that_needs(reuse):
    for kernel in matrices(lowered(reuse=reuse)):
        assert kernel.interval <= reuse
        fewest = max(1, math.ceil(kernel.weights.nonzeros / reuse))
        assert kernel.plan.lanes == fewest or kernel.plan.access is Access.MEMORIES


@pytest.mark.parametrize("lanes", [1, 3, 7, 16, 10**6])
def test_lanes_are_as_many_as_asked_for_where_there_are_non_zeros(lanes):
    for kernel in matrices(lowered(lanes=lanes)):
        nonzeros = kernel.weights.nonzeros
        slots = math.ceil(nonzeros / min(lanes, nonzeros))
        assert kernel.plan.lanes <= lanes
        if kernel.plan.access is Access.REGISTERS:
            assert kernel.interval == slots
            assert kernel.plan.lanes == math.ceil(nonzeros / slots)
        else:
            assert kernel.interval <= 1.1 * slots


def test_more_reuse_takes_less():
    found = [estimate(lowered(reuse=reuse)) for reuse in (2, 8, 32, 128)]
    tables = [resources.total("lut") for resources in found]
    assert tables == sorted(tables, reverse=True)


def test_the_access_is_the_smallest_that_keeps_the_interval():
    reuse = 64
    chosen = matrices(lowered(reuse=reuse))[0]
    own = estimate(lowered(reuse=reuse))
    plain = lower(schedule(NET, PYNQ, planner=lambda op, _: Folded(math.ceil(op.weights.nonzeros / reuse))))
    assert chosen.plan != Folded(chosen.plan.lanes)
    assert sum(own.utilisation(PYNQ).values()) < sum(estimate(plain).utilisation(PYNQ).values())


def test_the_other_strategies_need_no_numbers():
    assert all(isinstance(kernel.plan, Multiply) for kernel in matrices(lowered(Strategy.MULTIPLY)))
    assert all(isinstance(kernel.plan, Adders) for kernel in matrices(lowered(Strategy.ADDERS)))


@pytest.mark.parametrize(
    ("strategy", "settings", "message"),
    [
        (Strategy.FOLDED, {}, "either --reuse"),
        (Strategy.FOLDED, {"reuse": 2, "lanes": 3}, "not both"),
        (Strategy.FOLDED, {"reuse": 0}, "--reuse must be at least 1, not 0"),
        (Strategy.FOLDED, {"lanes": -4}, "--lanes must be at least 1, not -4"),
        (Strategy.MULTIPLY, {"reuse": 2}, "add --strategy folded"),
        (Strategy.ADDERS, {"lanes": 2}, "add --strategy folded"),
    ],
)
def test_numbers_that_do_not_go_together_are_refused(strategy, settings, message):
    with pytest.raises(InputError, match=message):
        planner(strategy, board=PYNQ, **settings)
