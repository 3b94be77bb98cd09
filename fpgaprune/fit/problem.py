"""The choice among plans as numbers: points to choose from, what they may add up to, and when things happen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fpgaprune.fit.budget import Aim

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fpgaprune.fit.budget import Amounts
    from fpgaprune.schedule import Plan

LATENCY = "latency"
"""The time at which a sample's result has left."""

INTERVAL = "interval"
"""The cycles from one sample to the next."""


@dataclass(frozen=True)
class Point:
    """One way to build a matrix: what it takes, its cycles a beat, and its latency in cycles.

    Where weights are still to be pruned, ``level`` numbers how many of them are left, and ``loss`` is what that costs.
    """

    plan: Plan
    amounts: Amounts
    interval: int
    latency: int
    level: int = 0
    loss: float = 0.0


@dataclass(frozen=True)
class Bound:
    """A time that is at least a sum: ``cycles``, earlier times, and cycles of the point that a layer gets.

    ``after`` has the earlier times with their factors; of the point of ``layer`` the interval counts ``intervals``
    times and the latency ``latencies`` times. No factor is negative.
    """

    target: str
    cycles: float = 0
    after: tuple[tuple[str, float], ...] = ()
    layer: str = ""
    intervals: int = 0
    latencies: int = 0

    def value(self, times: Mapping[str, float], chosen: Mapping[str, Point]) -> float:
        """Return the sum, of times that are known and chosen points."""
        total = self.cycles + sum(factor * times.get(name, 0.0) for name, factor in self.after)
        if self.layer:
            point = chosen[self.layer]
            total += self.intervals * point.interval + self.latencies * point.latency
        return total


@dataclass(frozen=True, eq=False)
class Problem:
    """One point for each layer, such that ``fixed`` and what the points take stay within ``limits``.

    Each time is the largest of its bounds, which are in the order in which they can be computed. ``price`` weighs
    resources against each other where area is compared. Layers that are ``together`` get points of one level.
    """

    choices: Mapping[str, tuple[Point, ...]]
    bounds: tuple[Bound, ...]
    fixed: Amounts
    limits: Amounts
    price: tuple[float, ...]
    aim: Aim = Aim.INTERVAL
    most: Mapping[str, float] = field(default_factory=dict)  # of `LATENCY`, of `INTERVAL`
    together: tuple[tuple[str, ...], ...] = ()

    def times(self, chosen: Mapping[str, Point]) -> dict[str, float]:
        """Return every time, for chosen points."""
        times: dict[str, float] = {}
        for bound in self.bounds:
            times[bound.target] = max(times.get(bound.target, 0.0), bound.value(times, chosen))
        return times

    def amounts(self, chosen: Mapping[str, Point]) -> Amounts:
        """Return what the design takes, for chosen points."""
        return tuple(sum(each) for each in zip(self.fixed, *(point.amounts for point in chosen.values()), strict=True))

    def area(self, chosen: Mapping[str, Point]) -> float:
        """Return what the points take, weighed by price."""
        return sum(self.cost(point) for point in chosen.values())

    def cost(self, point: Point) -> float:
        """Return what one point takes, weighed by price."""
        return sum(price * count for price, count in zip(self.price, point.amounts, strict=True))
