"""The turns of a pruning run: what is pruned, rewound and trained, in which order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fpgaprune.prune.schedule import Schedule, targets

if TYPE_CHECKING:
    from fpgaprune.prune.recipe import PruneRecipe
    from fpgaprune.prune.stage import Stage


@dataclass(frozen=True)
class Turn:
    """One training and what comes before it.

    ``step`` numbers the pruning steps of all stages and ``within`` those of its stage, from 1 on; 0 is the training
    of all weights that the first round of a lottery prunes after.
    """

    stage: Stage
    step: int
    within: int

    @property
    def prunes(self) -> bool:
        """Whether weights are pruned before the training."""
        return self.within > 0

    @property
    def rewinds(self) -> bool:
        """Whether the weights that are left go back to earlier values before the training."""
        return self.prunes and self.stage.schedule is Schedule.LOTTERY

    @property
    def opens(self) -> bool:
        """Whether this is the first turn of its stage."""
        return self.within == (0 if self.stage.schedule is Schedule.LOTTERY else 1)

    def target(self, initial: float) -> tuple[float, dict[str, float]]:
        """Return the sparsity after this turn, and those of layers with their own, from the stage's initial one on."""
        stage = self.stage
        own = {
            name: dict(targets(stage.schedule, final, stage.steps))[self.within] for name, final in stage.layers.items()
        }
        final = stage.final_sparsity
        return dict(targets(stage.schedule, final, stage.steps, min(initial, final)))[self.within], own


def turns(recipe: PruneRecipe) -> tuple[Turn, ...]:
    """Return the turns of a recipe in their order."""
    found: list[Turn] = []
    for stage in recipe.stages:
        done = found[-1].step if found else 0
        first = 0 if stage.schedule is Schedule.LOTTERY else 1
        found += [Turn(stage, done + within, within) for within in range(first, stage.steps + 1)]
    return tuple(found)
