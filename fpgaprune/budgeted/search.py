"""The levels that lose least among those whose design, before training, is within so many times the limits."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from fpgaprune.budgeted.knapsack import Knapsack
from fpgaprune.budgeted.levels import SPARSEST, STEPS
from fpgaprune.prune.progress import progress_bar

if TYPE_CHECKING:
    from fpgaprune.budgeted.levels import Levels
    from fpgaprune.budgeted.probe import Probe, Prober

COARSE = range(0, SPARSEST + 1, STEPS)
"""The levels that each unit is measured at first."""

FINER = (4, 2, 1)
"""How far from the levels that were chosen those are that are measured next."""

_AGAIN = 3
"""Times that it is measured anew what layers take, beside those that were chosen."""

_CHOICES = 16
"""Choices that are made for one target at most."""

_CLOSE = 0.97
"""The share of what is wanted from which on nothing denser is looked for."""

_NARROW = 1.003
"""By how much what did not fit must be above what did for another choice to be worth it."""

CAUTION = 1.01
"""How much more than it was too low a forecast is corrected."""

_SLOW = 1.25
"""How much a forecast is corrected where no design was fast enough, whatever it takes, or nothing was left of it."""


def corrected(bias: float, found: float, forecast: float) -> float:
    """Return how many times as much as it was thought to a design takes, after the last time was so many times."""
    return found / forecast if found and forecast and math.isfinite(found) else bias * _SLOW


@dataclass(frozen=True)
class Bracket:
    """What is known of a quantity that must not be too large: the most that was not, the least that was."""

    good: float = 0.0
    bad: float = math.inf

    def after(self, value: float, *, fits: bool) -> Bracket:
        """Return the bracket with one more value known."""
        return Bracket(max(self.good, value), self.bad) if fits else Bracket(self.good, min(self.bad, value))

    @property
    def is_closed(self) -> bool:
        """Whether nothing worth trying is left between what was good and what was not."""
        return self.bad < self.good * _NARROW

    def inside(self, wanted: float) -> float:
        """Return a value to try next: the one that is wanted if it is inside, else the middle, or a bit beyond."""
        if self.good < wanted < self.bad:
            return wanted
        if self.good and math.isfinite(self.bad):
            return math.sqrt(self.good * self.bad)
        return self.good * CAUTION if self.good else self.bad / CAUTION


@dataclass(frozen=True, eq=False)
class Search:
    """A search for levels by a knapsack, whose entries are measured as they are needed.

    ``tried`` are the networks that were chosen so far.
    """

    probe: Prober
    progress: bool = True
    tried: dict[Levels, Probe] = field(default_factory=dict)

    @cached_property
    def sparsest(self) -> Probe:
        """The network at the last level at which its outputs still depend on its inputs."""
        for level in reversed(COARSE):
            if (probe := self.probe(self._uniform(level))).is_alive:
                return probe
        return self.probe.dense

    @cached_property
    def own(self) -> Probe:
        """The network as the recipe says, without a budget."""
        recipe = self.probe.ground.recipe
        return self.probe.own() if recipe.final_sparsity or recipe.layers else self.probe.dense

    def sparsities(self, probe: Probe) -> dict[str, float] | None:
        """Return the sparsity of each tensor of a network, or None for what the recipe says itself."""
        return None if probe is self.own else self.probe.ground.sparsities(self.probe.units, probe.levels)

    def within(self, target: float) -> Probe | None:
        """Return the best network found whose design takes at most ``target`` of its scarcest limit.

        None where even the sparsest one does not. What a layer takes is measured beside whole layers first, and then
        beside those that were chosen: fewer weights elsewhere leave it rows that nothing reads.
        """
        if self.sparsest.tightness > target:
            return None
        best = self._chosen(self._uniform(0), target)
        for _ in range(_AGAIN):
            again = self._chosen(best.levels, target)
            if again is best:
                break
            best = again
        return best

    def _chosen(self, beside: Levels, target: float) -> Probe:
        """Return the best network known after choices by what each unit takes beside others at these levels."""
        offered, bracket, scale = self._offered(beside), Bracket(), target
        for number in range(_CHOICES):
            taken = Knapsack(self.probe, offered, beside).choose(scale)
            if taken is None:
                bracket = bracket.after(scale, fits=True)
                scale = bracket.inside(2 * scale)
                continue
            is_new = taken.levels not in self.tried
            found = self.tried.setdefault(taken.levels, self.probe(taken.levels))
            fits = found.is_alive and found.tightness <= target
            bracket = bracket.after(scale, fits=fits)
            if (fits and number >= len(FINER) - 1 and found.tightness >= _CLOSE * target) or bracket.is_closed:
                break
            offered = self._finer(offered, taken.levels, FINER[min(number, len(FINER) - 1)])
            bias = corrected(target / scale, found.tightness, taken.forecast) * (1.0 if fits else CAUTION)
            scale = bracket.inside(target / bias if is_new else scale)
        return self._best(target)

    def _best(self, target: float) -> Probe:
        """Return what loses least of all that takes no more than the target; of equals what takes least."""
        alive = [probe for probe in self.tried.values() if probe.is_alive and probe.tightness <= target]
        return min((self.sparsest, *alive), key=lambda probe: (probe.loss, probe.tightness))

    def _uniform(self, level: int) -> Levels:
        return (level,) * len(self.probe.units)

    def _offered(self, beside: Levels) -> list[list[int]]:
        """Return the first levels of each unit that the recipe allows, all of them measured beside others."""
        ground, units = self.probe.ground, self.probe.units
        offered = [[level for level in COARSE if ground.allows(unit, level)] for unit in units]
        label = "what each layer takes, and loses, at each share of its weights"
        with progress_bar(label, sum(map(len, offered)), show=self.progress) as advance:
            for place, levels in enumerate(offered):
                for level in levels:
                    self.probe.beside(beside, place, level)
                    advance()
        return offered

    def _finer(self, offered: list[list[int]], levels: Levels, step: int) -> list[list[int]]:
        """Return the levels that are offered with those beside the ones that were chosen."""
        ground, units = self.probe.ground, self.probe.units
        found = []
        for unit, known, level in zip(units, offered, levels, strict=True):
            beside = {max(level - step, 0), min(level + step, SPARSEST)}
            found.append(sorted({*known, *(each for each in beside if ground.allows(unit, each))}))
        return found
