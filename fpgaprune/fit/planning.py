"""One strategy for every matrix, as the user asks for it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from typing_extensions import assert_never

from fpgaprune.errors import InputError
from fpgaprune.fit.fit import prices
from fpgaprune.fit.points import Pricing, folded, folded_points
from fpgaprune.intervals import full, matvec_interval
from fpgaprune.lower import MatVecKernel, Port
from fpgaprune.schedule import Folded, Strategy, multiply
from fpgaprune.schedule.adders import adders_planner
from fpgaprune.schedule.lanes import START_UP

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fpgaprune.board import Board
    from fpgaprune.fit.problem import Point
    from fpgaprune.ir import MatVec, Tensor
    from fpgaprune.schedule import Plan, Planner


SLOWER = 0.1
"""The share of cycles by which lanes with memories may be slower than as many lanes with registers."""


def planner(
    strategy: Strategy,
    *,
    board: Board,
    clock_ns: float | None = None,
    reuse: int | None = None,
    lanes: int | None = None,
) -> Planner:
    """Return the planner of one strategy for all matrices.

    Folded matrices take at most ``reuse`` cycles a vector with as few lanes as that needs, or at most ``lanes`` lanes:
    then `SLOWER` of the cycles may be added where lanes with memories are smaller. How the lanes get at the input and
    what multiplies is what is smallest by the estimate.

    Raises:
        InputError: reuse or lanes that are not positive, both, neither where matrices are folded, or one where they
            are not.
    """
    _check(strategy, reuse, lanes)
    match strategy:
        case Strategy.MULTIPLY:
            return multiply
        case Strategy.ADDERS:
            return adders_planner
        case Strategy.FOLDED:
            pricing = Pricing.of(board, board.clock_ns if clock_ns is None else clock_ns)
            return _Folding(board, pricing, reuse, lanes)
        case _:
            assert_never(strategy)


def _check(strategy: Strategy, reuse: int | None, lanes: int | None) -> None:
    for name, value in (("--reuse", reuse), ("--lanes", lanes)):
        if value is not None and strategy is not Strategy.FOLDED:
            msg = f"{name} is for folded matrices; add --strategy folded, or leave it out"
            raise InputError(msg)
        if value is not None and value < 1:
            msg = f"{name} must be at least 1, not {value}"
            raise InputError(msg)
    if reuse is not None and lanes is not None:
        msg = "--reuse and --lanes both say how long a folded matrix may take: give one of them, not both"
        raise InputError(msg)
    if strategy is Strategy.FOLDED and reuse is None and lanes is None:
        msg = (
            "folded matrices need either --reuse, the most cycles a vector, or --lanes, the multipliers of each "
            "matrix; --strategy auto chooses for each matrix"
        )
        raise InputError(msg)


class _Folding:
    """The planner of folded matrices."""

    def __init__(self, board: Board, pricing: Pricing, reuse: int | None, lanes: int | None) -> None:
        self._board = board
        self._pricing = pricing
        self._reuse = reuse
        self._lanes = lanes

    def __call__(self, op: MatVec, source: Tensor) -> Plan:
        nonzeros = op.weights.nonzeros
        if self._lanes is None:
            most = min(self._reuse or 1, nonzeros + START_UP)
            return self._smallest(op, source, list(folded(op.weights, most)), most)
        slots = math.ceil(nonzeros / self._lanes)
        _, *memories = folded(op.weights, slots + START_UP)
        plans = [Folded(math.ceil(nonzeros / slots)), *(plan for plan in memories if plan.lanes <= self._lanes)]
        return self._smallest(op, source, plans, math.floor((1 + SLOWER) * slots))

    def _smallest(self, op: MatVec, source: Tensor, plans: Sequence[Folded], most: int) -> Plan:
        """Return the smallest plan of at most so many cycles; the first plan, registers, always is one."""
        every = folded_points(_kernel(op, source, plans[0]), plans, self._pricing)
        return min((point for point in every if point.interval <= most), key=self._area).plan

    def _area(self, point: Point) -> float:
        return sum(price * count for price, count in zip(prices(self._board), point.amounts, strict=True))


def _kernel(op: MatVec, source: Tensor, plan: Folded) -> MatVecKernel:
    """Return the kernel of a matrix by itself: any input that its format holds, sums that nothing finishes."""
    name, weights, bias = op.output.name, op.weights, op.bias
    rows, columns = weights.shape
    sums = matvec_interval(weights, bias, full((columns,), source.format))
    beats = source.size // columns
    ports = Port(source.name, columns, source.format, beats), Port(name, rows, op.output.format, beats)
    return MatVecKernel(name, op.layer, plan, *ports, weights, bias, sums, None)
