"""The best point for each layer, exactly: a mixed-integer linear program for HiGHS."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

from fpgaprune.fit.budget import Aim
from fpgaprune.fit.problem import INTERVAL, LATENCY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fpgaprune.fit.problem import Point, Problem

_NODES = 20_000
"""Nodes of the search tree after which the best so far is taken: a limit that gives the same result each time."""

_SLACK = 1e-6
"""What rounding may add to a time of fractions of a cycle."""

_LARGEST_LOSS = 1e4
"""What the solver takes the largest loss for: its tolerances are absolute, whatever losses are counted in."""

_EXCESS = "excess"
_INFEASIBLE = 2
"""The status of `scipy.optimize.milp` for a problem without a solution."""

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Choice:
    """The chosen point of each layer and the times that follow; ``proven`` is whether the search went to its end."""

    points: Mapping[str, Point]
    interval: float
    latency: float
    area: float
    proven: bool

    @property
    def loss(self) -> float:
        """The sum of what the points lose."""
        return sum(point.loss for point in self.points.values())


def optimise(problem: Problem) -> Choice | None:
    """Return the best choice, the smallest of equally good ones; None where no choice is within the limits."""
    model = _Model(problem)
    if problem.aim is Aim.AREA:
        return _choice(problem, *model.solve(model.area()))
    name = INTERVAL if problem.aim is Aim.INTERVAL else LATENCY
    points, proven = model.solve(model.time(name))
    if points is None:
        return None
    best = problem.times(points)[name]
    tight = replace(problem, most={**problem.most, name: best + _SLACK})
    smallest, also_proven = _Model(tight).solve(model.area())
    return _choice(problem, smallest or points, proven and also_proven)


def least_excess(problem: Problem) -> Choice | None:
    """Return the choice whose largest excess over the limits is the smallest share of a limit; it may be negative.

    None where no choice is fast enough, whatever it takes.
    """
    model = _Model(problem, elastic=True)
    return _choice(problem, *model.solve(model.time(_EXCESS)))


def least_loss(problem: Problem) -> Choice | None:
    """Return the choice within the limits that loses least; None where there is none."""
    model = _Model(problem)
    return _choice(problem, *model.solve(model.loss()))


def nearest(problem: Problem) -> Choice | None:
    """Return the choice whose largest share of a limit is the smallest; None where no choice is fast enough.

    What must not be taken at all is not, where every layer can do without.
    """
    return least_excess(_sparing(problem)) or least_excess(problem)


def tightness(problem: Problem, choice: Choice) -> float:
    """Return the largest share of a limit that a choice takes: 1 where one is reached, infinity of one of nothing."""
    used = problem.amounts(choice.points)
    return max(_share(count, limit) for count, limit in zip(used, problem.limits, strict=True))


def _share(count: int, limit: int) -> float:
    return count / limit if limit else math.inf if count else 0.0


def _sparing(problem: Problem) -> Problem:
    """Return the problem without points that take what is forbidden altogether, where every layer has others.

    A few of what must not be taken at all are no small excess, as they would be of a limit of many.
    """
    for place, limit in enumerate(problem.limits):
        spared = {
            layer: tuple(point for point in points if not point.amounts[place])
            for layer, points in problem.choices.items()
        }
        if limit == 0 and all(spared.values()):
            problem = replace(problem, choices=spared)
    return problem


def _choice(problem: Problem, points: dict[str, Point] | None, proven: bool) -> Choice | None:
    if points is None:
        return None
    times = problem.times(points)
    return Choice(points, times.get(INTERVAL, 0.0), times.get(LATENCY, 0.0), problem.area(points), proven)


class _Model:
    """A problem in the columns of a linear program: a 0-1 variable for each point, one for each time."""

    def __init__(self, problem: Problem, *, elastic: bool = False) -> None:
        self._problem = problem
        self._elastic = elastic
        self._first: dict[str, int] = {}
        count = 0
        for layer, points in problem.choices.items():
            self._first[layer] = count
            count += len(points)
        self._binaries = count
        names = dict.fromkeys([*(bound.target for bound in problem.bounds), INTERVAL, LATENCY, _EXCESS])
        self._column = {name: count + place for place, name in enumerate(names)}
        self._size = count + len(names)

    def time(self, name: str) -> FloatArray:
        """Return the objective that is one of the times."""
        objective = np.zeros(self._size)
        objective[self._column[name]] = 1.0
        return objective

    def area(self) -> FloatArray:
        """Return the objective that is the area."""
        objective = np.zeros(self._size)
        for column, point in self._points():
            objective[column] = self._problem.cost(point)
        return objective

    def loss(self) -> FloatArray:
        """Return the objective that is what the points lose, the largest of them scaled to `_LARGEST_LOSS`."""
        objective = np.zeros(self._size)
        for column, point in self._points():
            objective[column] = point.loss
        return objective * (_LARGEST_LOSS / (np.abs(objective).max() or 1.0))

    def solve(self, objective: FloatArray) -> tuple[dict[str, Point] | None, bool]:
        """Return the points of a solution, if there is one, and whether nothing is better."""
        if any(not points for points in self._problem.choices.values()):
            return None, True
        integral = np.arange(self._size) < self._binaries
        lower = np.zeros(self._size)
        lower[self._column[_EXCESS]] = -1.0 if self._elastic else 0.0
        upper = np.where(integral, 1.0, np.inf)
        for name, most in self._problem.most.items():
            upper[self._column[name]] = most
        found = milp(
            objective,
            integrality=integral.astype(np.int64),
            bounds=Bounds(lower, upper),
            constraints=self._constraints(),
            options={"mip_rel_gap": 0.0, "node_limit": _NODES},
        )
        if found.x is None:
            return None, found.status == _INFEASIBLE
        return self._chosen(found.x), bool(found.status == 0)

    def _chosen(self, solution: FloatArray) -> dict[str, Point]:
        return {
            layer: points[int(np.argmax(solution[self._first[layer] : self._first[layer] + len(points)]))]
            for layer, points in self._problem.choices.items()
        }

    def _points(self) -> Iterable[tuple[int, Point]]:
        for layer, points in self._problem.choices.items():
            yield from enumerate(points, start=self._first[layer])

    def _constraints(self) -> LinearConstraint:
        rows = _Rows(self._size)
        for layer, points in self._problem.choices.items():
            rows.add({self._first[layer] + place: 1.0 for place in range(len(points))}, 1.0, 1.0)
        self._add_levels(rows)
        self._add_limits(rows)
        self._add_bounds(rows)
        return rows.constraint()

    def _add_levels(self, rows: _Rows) -> None:
        """Each layer gets a point of the level that the first of those together with it gets."""
        for first, *others in self._problem.together:
            for layer in others:
                known = {point.level for each in (first, layer) for point in self._problem.choices[each]}
                for level in sorted(known):
                    row = self._of_level(first, level, 1.0) | self._of_level(layer, level, -1.0)
                    rows.add(row, 0.0, 0.0)

    def _of_level(self, layer: str, level: int, factor: float) -> dict[int, float]:
        columns = enumerate(self._problem.choices[layer], start=self._first[layer])
        return {column: factor for column, point in columns if point.level == level}

    def _add_limits(self, rows: _Rows) -> None:
        for place, (fixed, limit) in enumerate(zip(self._problem.fixed, self._problem.limits, strict=True)):
            row = {column: float(point.amounts[place]) for column, point in self._points()}
            if self._elastic and not (limit or fixed or any(row.values())):
                continue  # what nothing takes is no share of nothing
            if self._elastic:
                row[self._column[_EXCESS]] = -float(max(limit, 1))
            rows.add(row, -np.inf, limit - fixed)

    def _add_bounds(self, rows: _Rows) -> None:
        for bound in self._problem.bounds:
            row = {self._column[bound.target]: 1.0}
            for name, factor in bound.after:
                if name in self._column:
                    row[self._column[name]] = row.get(self._column[name], 0.0) - factor
            for place, point in enumerate(self._problem.choices.get(bound.layer, ())):
                cycles = bound.intervals * point.interval + bound.latencies * point.latency
                row[self._first[bound.layer] + place] = -float(cycles)
            rows.add(row, bound.cycles, np.inf)


class _Rows:
    """Rows of a sparse linear constraint."""

    def __init__(self, columns: int) -> None:
        self._columns = columns
        self._terms: list[tuple[int, int, float]] = []
        self._low: list[float] = []
        self._high: list[float] = []

    def add(self, row: Mapping[int, float], low: float, high: float) -> None:
        number = len(self._low)
        self._terms += [(number, column, value) for column, value in row.items() if value]
        self._low.append(low)
        self._high.append(high)

    def constraint(self) -> LinearConstraint:
        row, column, value = zip(*self._terms, strict=True)
        matrix = csr_array((value, (row, column)), shape=(len(self._low), self._columns))
        return LinearConstraint(matrix, self._low, self._high)
