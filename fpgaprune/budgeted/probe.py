"""What it takes to build a network that is pruned so far: in integers and lowered, but not trained."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from fpgaprune.fit import Memory, kernels_of, nearest, tightness

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fpgaprune.budgeted.build import Site
    from fpgaprune.budgeted.levels import Ground, Levels
    from fpgaprune.budgeted.units import Unit
    from fpgaprune.budgeted.whole import Whole
    from fpgaprune.fit import Situation
    from fpgaprune.prune import Masks


@dataclass(frozen=True, eq=False)
class Probe:
    """A network at the levels of its units: what each of them loses, and what there is to choose from to build it.

    The one that its recipe asks for has no levels. ``kept`` is how many weights are left in all.
    """

    levels: Levels
    losses: tuple[float, ...]
    kept: int
    situations: tuple[Situation, ...]

    @property
    def loss(self) -> float:
        """What all units lose."""
        return sum(self.losses)

    @property
    def is_alive(self) -> bool:
        """Whether outputs still depend on inputs: without any matrix the network is a constant."""
        return bool(kernels_of(self.situations[-1].lowered))

    @cached_property
    def tightness(self) -> float:
        """The least share of the scarcest limit that a design takes; infinity where none is fast enough."""
        problems = [each.problem for each in self.situations]
        found = [tightness(problem, choice) for problem in problems if (choice := nearest(problem)) is not None]
        return min(found, default=math.inf)


@dataclass(frozen=True, eq=False)
class Prober:
    """Measures networks at levels of their units, each once."""

    ground: Ground
    whole: Whole
    units: tuple[Unit, ...]
    site: Site
    memory: Memory = field(default_factory=Memory)
    known: dict[Levels, Probe] = field(default_factory=dict)
    losses: dict[tuple[int, int], float] = field(default_factory=dict)

    def __call__(self, levels: Levels) -> Probe:
        """Return what it takes to build the network at these levels."""
        if levels not in self.known:
            self.known[levels] = self._measured(levels, self.ground.sparsities(self.units, levels))
        return self.known[levels]

    @property
    def dense(self) -> Probe:
        """The network with all the weights that the stages before leave."""
        return self((0,) * len(self.units))

    def beside(self, levels: Levels, place: int, level: int) -> Probe:
        """Return what it takes to build the network with one unit at a level, and all others at these levels."""
        return self((*levels[:place], level, *levels[place + 1 :]))

    def own(self) -> Probe:
        """Return what it takes to build the network as its recipe says."""
        return self._measured((), None)

    def in_full(self, probe: Probe) -> tuple[Situation, ...]:
        """Return what there is to choose from to build a network, also what is slower than the budget allows."""
        masks = self.ground.thinned(self.ground.sparsities(self.units, probe.levels))
        return self.site.situations(self.whole.thinned(masks), self.whole.samples)

    def _measured(self, levels: Levels, sparsities: Mapping[str, float] | None) -> Probe:
        masks = self.ground.thinned(sparsities)
        situations = self.site.situations(self.whole.thinned(masks), self.whole.samples, self.memory)
        return Probe(levels, tuple(self._losses(levels, masks)), masks.kept, situations)

    def _losses(self, levels: Levels, masks: Masks) -> Iterator[float]:
        for place, unit in enumerate(self.units):
            key = (place, levels[place]) if levels else None
            loss = self.losses[key] if key in self.losses else self.ground.loss_of(unit.tensors, masks)
            if key is not None:
                self.losses[key] = loss
            yield loss
