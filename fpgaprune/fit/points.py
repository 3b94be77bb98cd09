"""The ways to build one matrix that are worth choosing from."""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from fpgaprune.digits import signed_digits
from fpgaprune.errors import InputError
from fpgaprune.fabric import CLOCK_SHARE, FABRICS
from fpgaprune.fit.problem import Point
from fpgaprune.resources import AMOUNTS
from fpgaprune.resources.costs import costs
from fpgaprune.schedule import Access, Adders, Folded, Multiply
from fpgaprune.schedule.adders import adder_graph
from fpgaprune.schedule.lanes import START_UP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from fpgaprune.board import Board
    from fpgaprune.fabric import Fabric
    from fpgaprune.fit.budget import Amounts
    from fpgaprune.lower import MatVecKernel
    from fpgaprune.resources import LayerResources
    from fpgaprune.schedule import Plan
    from fpgaprune.sparse import SparseMatrix

STEP = 1.3
"""The factor between two intervals of the ladder on which folded matrices are tried."""

COARSE_STEP = 2.2
"""The factor where many networks are to be told apart rather than one to be built best."""

FINER = (1.0, 0.9, 0.8, 0.7)
"""Shares of a chosen interval at which folded matrices are tried once more."""

_LUT, _DSP = AMOUNTS.index("lut"), AMOUNTS.index("dsp")

_LEAST_LANE_LUT = 20
"""Look-up tables that no lane without a DSP slice is smaller than: an assumption that only saves time."""

_SHARED = 0.5
"""The share of additions that is left where rows share most: an assumption that only saves time."""

_MOST_DIGITS = 12_000
"""Signed digits of a matrix from which on nobody waits for its adder graph."""


@dataclass(frozen=True)
class Pricing:
    """What turns a plan into costs: the fabric, and the usable part of the clock period in ns.

    Matrices that would take more than ``longest`` cycles a sample need not be priced; with a coarse ``step`` few of
    the others are.
    """

    fabric: Fabric
    period_ns: float
    longest: float = math.inf
    step: float = STEP

    @classmethod
    def of(cls, board: Board, clock_ns: float, longest: float = math.inf, step: float = STEP) -> Pricing:
        """Return the pricing of the estimate."""
        return cls(FABRICS[board.family], clock_ns * CLOCK_SHARE, longest, step)

    def point(self, kernel: MatVecKernel) -> Point:
        """Return what a matrix takes, built as its kernel's plan says."""
        (cost,) = costs(kernel, self.fabric, self.period_ns)
        return Point(kernel.plan, amounts_of(cost), kernel.interval, cost.latency_cycles)


Pricer: TypeAlias = "Callable[[MatVecKernel, Pricing, Amounts], tuple[Point, ...]]"
"""Makes the points of one matrix, for what a whole board has of each resource."""


def priced(kernel: MatVecKernel, pricing: Pricing, room: Amounts) -> tuple[Point, ...]:  # noqa: ARG001  # a pricer
    """Return the point of the plan that a matrix has already."""
    return (pricing.point(kernel),)


def amounts_of(cost: LayerResources) -> Amounts:
    """Return the counts of one layer in the order of `AMOUNTS`."""
    return tuple(int(getattr(cost, name)) for name in AMOUNTS)


def points(kernel: MatVecKernel, pricing: Pricing, room: Amounts) -> tuple[Point, ...]:
    """Return the points of which no other is as good in every resource, the interval and the latency."""
    longest = pricing.longest / kernel.result.beats
    plans = [plan for plan in ladder(kernel.weights, longest, pricing.step) if _may_fit(plan, room)]
    return pareto([*unrolled_points(kernel, pricing, room), *folded_points(kernel, plans, pricing)])


def unrolled_points(kernel: MatVecKernel, pricing: Pricing, room: Amounts) -> tuple[Point, ...]:
    """Return those points of interval 1 of which no other is as good."""
    return pareto([pricing.point(replace(kernel, plan=plan)) for plan in unrolled(kernel, room)])


def finer(kernel: MatVecKernel, interval: float, found: Sequence[Point], pricing: Pricing) -> tuple[Point, ...]:
    """Return the best points of those that were found and of folded ones somewhat faster than an interval."""
    wanted = sorted({max(2, math.floor(interval * share)) for share in FINER}, reverse=True)
    known = {point.plan for point in found}
    plans = dict.fromkeys(plan for each in wanted for plan in folded(kernel.weights, each) if plan not in known)
    return pareto([*found, *folded_points(kernel, list(plans), pricing)])


def folded_points(kernel: MatVecKernel, plans: Iterable[Folded], pricing: Pricing) -> Iterator[Point]:
    """Yield the point of each plan, and where it takes DSP slices also the one with multipliers of tables."""
    for plan in plans:
        lanes = replace(kernel, plan=plan)
        own = pricing.point(lanes)
        yield own
        if own.amounts[_DSP] and not plan.fabric:
            twin = replace(kernel, plan=replace(plan, fabric=True))
            vars(twin)["program"] = lanes.program  # the same, whatever multiplies; balancing lanes takes a while
            yield pricing.point(twin)


def unrolled(kernel: MatVecKernel, room: Amounts) -> Iterator[Plan]:
    """Yield the plans of interval 1; additions are shared only where there is hope that they find room."""
    yield Multiply()
    digits = int(signed_digits(kernel.weights.weight).sum())
    rows = int((np.diff(kernel.weights.row_start) > 0).sum())
    bits = _SHARED * (digits - rows) * kernel.source.word.width
    if digits <= _MOST_DIGITS and bits <= room[_LUT]:
        ends = kernel.source.format.low, kernel.source.format.high
        with contextlib.suppress(InputError):  # weights that are too wide to share additions
            yield Adders(adder_graph(kernel.weights, *ends))
            yield Adders(adder_graph(kernel.weights, *ends, deeper=0))  # a few more additions, fewer registers


def ladder(weights: SparseMatrix, longest: float = math.inf, step: float = STEP) -> list[Folded]:
    """Return folded plans from an interval of two cycles to one lane, or to the longest that is wanted.

    Memories are slow to balance, so they are tried half as often.
    """
    slowest = math.floor(min(weights.nonzeros + START_UP, longest))
    if slowest < 2:
        return []
    plans: dict[Folded, None] = {}
    wanted, number = 2.0, 0
    while wanted < slowest:
        each = list(folded(weights, math.floor(wanted)))
        plans.update(dict.fromkeys(each[:1] if number % 2 else each))
        wanted, number = wanted * step, number + 1
    return list(plans | dict.fromkeys(folded(weights, slowest)))


def _may_fit(plan: Folded, room: Amounts) -> bool:
    """Whether lanes without a DSP slice could find room."""
    return plan.lanes <= room[_DSP] + room[_LUT] // _LEAST_LANE_LUT


def folded(weights: SparseMatrix, interval: int) -> Iterator[Folded]:
    """Yield plans that aim at an interval with the fewest lanes: registers, then memories of few and of many banks."""
    yield Folded(math.ceil(weights.nonzeros / interval))
    if interval > START_UP:
        yield from _with_memories(weights, interval - START_UP)


def _with_memories(weights: SparseMatrix, turns: int) -> Iterator[Folded]:
    """Yield plans whose loops should take no more turns each."""
    lanes = math.ceil(weights.nonzeros / turns)
    columns, rows = len(np.unique(weights.column)), int((np.diff(weights.row_start) > 0).sum())
    fewest, groups = math.ceil(columns / turns), math.ceil(rows / turns)
    most = max(fewest, lanes // groups)
    for banks in dict.fromkeys((fewest, round(math.sqrt(fewest * most)), most)):
        yield Folded(banks * max(groups, math.ceil(lanes / banks)), Access.MEMORIES, banks)


def pareto(candidates: Sequence[Point]) -> tuple[Point, ...]:
    """Return the points that no other one is as good as in everything; of equals the first."""
    if not candidates:
        return ()
    measures = np.array([(*point.amounts, point.interval, point.latency) for point in candidates])
    kept: list[int] = []
    for place in np.lexsort((np.arange(len(candidates)), measures.sum(axis=1))).tolist():
        if not (measures[kept] <= measures[place]).all(axis=1).any():
            kept.append(place)
    return tuple(candidates[place] for place in sorted(kept))
