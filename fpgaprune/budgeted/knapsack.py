"""One level for each unit, and a plan for each of its matrices: least loss within the limits, by HiGHS."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fpgaprune.fit import Point, Problem, kernels_of, least_loss, nearest, tightness
from fpgaprune.schedule import Multiply

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fpgaprune.budgeted.levels import Levels
    from fpgaprune.budgeted.probe import Prober
    from fpgaprune.budgeted.units import Unit
    from fpgaprune.fit import Situation
    from fpgaprune.fit.budget import Amounts
    from fpgaprune.fit.problem import Bound


@dataclass(frozen=True)
class Taken:
    """The levels that lose least, and the share of the scarcest limit that they are thought to take."""

    levels: Levels
    loss: float
    forecast: float


@dataclass(frozen=True, eq=False)
class Knapsack:
    """What each unit loses and what its matrices take at the levels offered for it, others at those of ``beside``."""

    probe: Prober
    offered: Sequence[Iterable[int]]
    beside: Levels

    def choose(self, scale: float) -> Taken | None:
        """Return the best levels within so many times the limits; None where there are none."""
        found = [taken for problem in self._problems() if (taken := self._chosen(problem, scale)) is not None]
        return min(found, key=lambda taken: taken.loss, default=None)

    def forecast(self, levels: Levels) -> float:
        """Return the share of the scarcest limit that levels, all of which are offered, are thought to take."""
        return min(_tightness(_at(problem, levels)) for problem in self._problems())

    def _chosen(self, problem: Problem, scale: float) -> Taken | None:
        *limits, most = problem.limits
        choice = least_loss(replace(problem, limits=(*(math.floor(limit * scale) for limit in limits), most)))
        if choice is None:
            return None
        levels = tuple(choice.points[unit.name].level for unit in self.probe.units)
        return Taken(levels, choice.loss, _tightness(_at(problem, levels)))

    def _problems(self) -> list[Problem]:
        """Return a problem for each way to build the network, in which units are layers as well.

        As such they take what the rest of the design takes more or less than beside, such as windows without taps that
        are read; and of one more resource the weights, or groups, that the recipe leaves few of.
        """
        return [self._problem(way) for way in range(1, len(self.probe(self.beside).situations) + 1)]

    def _problem(self, way: int) -> Problem:
        whole = self.probe(self.beside).situations[-way]
        own, names = whole.problem, _names(whole)
        pruned = frozenset().union(*(unit.layers for unit in self.probe.units))
        others = {name: points for name, points in _points(whole).items() if _layer(name) not in pruned}
        choices = {name: _extended(points) for name, points in others.items()}
        together = []
        for place, unit in enumerate(self.probe.units):
            probes = {level: self.probe.beside(self.beside, place, level) for level in self.offered[place]}
            able = {level: probe for level, probe in probes.items() if len(probe.situations) >= way}
            matrices = _matrices(unit, {level: _points(probe.situations[-way]) for level, probe in able.items()})
            rest = {level: probe.situations[-way].problem.fixed for level, probe in able.items()}
            choices |= {unit.name: self._unit(place, rest, own.fixed), **matrices}
            together.append((unit.name, *matrices))
        return Problem(
            choices,
            tuple(_renamed(bound, names, choices) for bound in own.bounds),
            (*own.fixed, 0),
            (*own.limits, self.probe.ground.most),
            (*own.price, 0.0),
            own.aim,
            own.most,
            tuple(together),
        )

    def _unit(self, place: int, rest: Mapping[int, Amounts], beside: Amounts) -> tuple[Point, ...]:
        """Return the points of a unit as a layer, where ``rest`` is what all takes at a level that is no matrix."""
        unit, ground = self.probe.units[place], self.probe.ground
        found = []
        for level, amounts in rest.items():
            more = (one - other for one, other in zip(amounts, beside, strict=True))
            loss = self.probe.beside(self.beside, place, level).losses[place]
            found.append(Point(Multiply(), (*more, ground.left(unit, level)), 0, 0, level, loss))
        return tuple(found)


def _matrices(unit: Unit, levels: Mapping[int, Mapping[str, tuple[Point, ...]]]) -> dict[str, tuple[Point, ...]]:
    """Return the points of each matrix of a unit at each level; one that is gone at a level takes nothing."""
    names = dict.fromkeys(name for points in levels.values() for name in points if _layer(name) in unit.layers)
    sizes = {len(point.amounts) for points in levels.values() for each in points.values() for point in each}
    gone = (Point(Multiply(), (0,) * max(sizes, default=0), 0, 0),)
    return {
        name: tuple(
            replace(point, level=level)
            for level, points in levels.items()
            for point in _extended(points.get(name, gone))
        )
        for name in names
    }


def _at(problem: Problem, levels: Levels) -> Problem:
    """Return the problem with these levels alone."""
    choices = dict(problem.choices)
    for level, layers in zip(levels, problem.together, strict=True):
        for layer in layers:
            choices[layer] = tuple(point for point in choices[layer] if point.level == level)
    return replace(problem, choices=choices)


def _tightness(problem: Problem) -> float:
    """Return the least share of the scarcest limit of the board: how much is left is none of these."""
    *limits, _ = problem.limits
    kept = sum(max(point.amounts[-1] for point in points) for points in problem.choices.values() if points)
    board = replace(problem, limits=(*limits, _UNBOUNDED * max(kept, 1)))
    choice = nearest(board)
    return math.inf if choice is None else tightness(board, choice)


_UNBOUNDED = 10**9


def _renamed(bound: Bound, names: Mapping[str, str], choices: Mapping[str, object]) -> Bound:
    """Return a bound of a matrix under the name that it has here; one without points takes no time."""
    name = names.get(bound.layer, "")
    return replace(bound, layer=name if name in choices else "")


def _extended(points: Iterable[Point]) -> tuple[Point, ...]:
    """Return points that keep no weights: their units do."""
    return tuple(replace(point, amounts=(*point.amounts, 0)) for point in points)


def _points(situation: Situation) -> dict[str, tuple[Point, ...]]:
    """Return the points of each matrix, under a name that is the same in networks that are pruned differently."""
    names = _names(situation)
    return {names[tensor]: points for tensor, points in situation.problem.choices.items()}


def _names(situation: Situation) -> dict[str, str]:
    """Return tensor → the layer that its matrix is of, and its number among those of the layer."""
    found: dict[str, str] = {}
    counts: dict[str, int] = {}
    for tensor, kernel in kernels_of(situation.lowered).items():
        counts[kernel.layer] = counts.get(kernel.layer, -1) + 1
        found[tensor] = f"{kernel.layer}{_NUMBER}{counts[kernel.layer]}"
    return found


_NUMBER = "\0"
"""What is between a layer and the number of its matrix: nothing that a user's name could hold."""


def _layer(name: str) -> str:
    return name.rpartition(_NUMBER)[0]
