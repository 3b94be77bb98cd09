"""How much is left of each unit: levels a fixed factor apart, and the model pruned to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from fpgaprune.errors import InputError
from fpgaprune.prune.select import Scope, pruned_count
from fpgaprune.prune.structures import BankedLanes, Goal, Grouped, Lanes, Structure, Subject, Weights

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, nn

    from fpgaprune.budgeted.losses import LossOf
    from fpgaprune.budgeted.units import Unit
    from fpgaprune.prune.data import Data
    from fpgaprune.prune.masks import Masks
    from fpgaprune.prune.recipe import PruneRecipe

Levels: TypeAlias = tuple[int, ...]
"""For each unit a number: at level n, 2 ** (-n / `STEPS`) of its weights or groups are left."""

STEPS = 8
"""Levels between one share and its half."""

SPARSEST = 8 * STEPS
"""The last level: one of 256 is left."""


@dataclass(frozen=True, eq=False)
class Ground:
    """What levels are measured from: a model with the masks so far, and scores of its weights, of their shapes.

    ``scores`` say which weights of a tensor go first, ``loss_of`` what it costs that they go; ``counts`` holds for each
    tensor how many weights, or groups of the recipe's structure, it has, and ``least`` how many are left at least;
    ``fixed`` the sparsities that the recipe sets.
    """

    model: nn.Module
    masks: Masks
    data: Data
    recipe: PruneRecipe
    scores: Mapping[str, Tensor]
    loss_of: LossOf
    counts: Mapping[str, int]
    least: Mapping[str, int]
    fixed: Mapping[str, float]

    def sparsity(self, tensor: str, level: int) -> float:
        """Return the share of a tensor's weights or groups that goes at a level."""
        if tensor in self.fixed:
            return self.fixed[tensor]
        count = self.counts[tensor]
        return (count - self.kept(tensor, level)) / count

    def kept(self, tensor: str, level: int) -> int:
        """Return how many weights or groups of a tensor are left at a level: at least its least."""
        return max(self.least[tensor], round(self.counts[tensor] * 2 ** (-level / STEPS)))

    @property
    def most(self) -> int:
        """The most weights or groups that may be left, of all tensors without a sparsity of their own."""
        count = sum(each for name, each in self.counts.items() if name not in self.fixed)
        return count - pruned_count(self.recipe.final_sparsity, count)

    def allows(self, unit: Unit, level: int) -> bool:
        """Whether the recipe, where it gives each layer its sparsity, lets so many be left."""
        if self.recipe.scope is Scope.GLOBAL:
            return True
        floor = self.recipe.final_sparsity
        counts = {name: self.counts[name] for name in self.free(unit)}
        return all(self.kept(name, level) <= max(each - pruned_count(floor, each), 1) for name, each in counts.items())

    def free(self, unit: Unit) -> list[str]:
        """Return the tensors of a unit that the recipe gives no sparsity of their own."""
        return [name for name in unit.tensors if name not in self.fixed]

    def left(self, unit: Unit, level: int) -> int:
        """Return how many weights or groups of those are left at a level."""
        return sum(self.kept(name, level) for name in self.free(unit))

    def sparsities(self, units: tuple[Unit, ...], levels: Levels) -> dict[str, float]:
        """Return tensor → sparsity for units at these levels."""
        pairs = zip(units, levels, strict=True)
        return {tensor: self.sparsity(tensor, level) for unit, level in pairs for tensor in unit.tensors}

    def thinned(self, sparsities: Mapping[str, float] | None) -> Masks:
        """Return the masks of the model pruned to sparsities of its tensors, or with None as the recipe says."""
        recipe = self.recipe
        if sparsities is not None and not any(sparsities.values()):
            return self.masks
        layers = recipe.layers if sparsities is None else {**recipe.layers, **sparsities}
        goal = Goal(recipe.final_sparsity, recipe.scope, layers, recipe.group_score)
        return recipe.structure.prune_(Subject(self.model, self.masks, self.data), self.scores, goal)


def counts_of(structure: Structure, subject: Subject, layers: Mapping[str, float]) -> dict[str, int]:
    """Return tensor → how many weights, or groups of a structure, it has, for each tensor that the structure prunes.

    Raises:
        InputError: the structure spans several layers or fixes its sparsity, or a layer cannot take it.
    """
    targets = structure.targets(subject.model, layers)
    if isinstance(structure, (Weights, Lanes, BankedLanes)):
        return {target.name: subject.masks.count_of(target.name) for target in targets}
    names = {target.name for target in targets}
    groups = structure.groups(subject, targets) if isinstance(structure, Grouped) else ()
    spans = [group for group in groups if {name for name, _ in group.parts} != {group.owner}]
    if not groups or spans or not {group.owner for group in groups} <= names:
        msg = (
            f"a budget gives each layer a sparsity of its own, which the structure '{structure}' does not take; prune "
            "by it in a stage before ([[prune.first]]), and by weights, groups of one layer or lanes in the last one"
        )
        raise InputError(msg)
    return {group.owner: group.count for group in groups}
