"""The value that pruning returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fpgaprune.errors import InputError
from fpgaprune.explained import Histograms, History, PruneReport, SensitivityCurves
from fpgaprune.prune.checks import refuse_broken_model
from fpgaprune.prune.masks import prunable
from fpgaprune.rows import html_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

    from fpgaprune.prune.masks import Masks
    from fpgaprune.prune.recipe import PruneRecipe


@dataclass(frozen=True, eq=False)
class PrunedModel:
    """A model with its pruned weights at exactly zero and without pruning hooks.

    Where channels were cut out, ``module`` is smaller than the model that was pruned: ``masks.shrinkage`` says which.
    ``scores`` are those by which the last stage chose, ``curves`` the sensitivity of the model before it was pruned.
    ``dead_biases`` names, by bias, the entries that belong to neurons, or to candidates of hidden units, without a
    surviving input: they are zero unless ``recipe`` keeps them or there is no recipe. ``unbaked`` names the tensors
    that came with hooks of torch.nn.utils.prune.

    Raises:
        InputError: the masks do not belong to the module, a pruned weight is not zero, or a weight is NaN or infinite.
    """

    module: nn.Module
    masks: Masks
    recipe: PruneRecipe | None = None
    history: History = field(default_factory=History)
    dead_biases: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    unbaked: tuple[str, ...] = ()
    scores: Histograms = field(default_factory=Histograms)
    curves: SensitivityCurves | None = None

    def __post_init__(self) -> None:
        refuse_broken_model(self.module)
        self.masks.check(self.module)
        for name, weight in prunable(self.module).items():
            alive = int((weight * ~self.masks[name].to(weight.device)).count_nonzero())
            if alive:
                msg = f"{name} is not zero in {alive} places that its mask prunes"
                raise InputError(msg)

    @property
    def sparsity(self) -> float:
        """Return the fraction of the prunable weights that is pruned, of those that the model had at first."""
        return self.masks.sparsity

    @property
    def report(self) -> PruneReport:
        """What a report tells of the pruning."""
        recipe = self.recipe
        words = ("", "", "") if recipe is None else (recipe.criterion, recipe.schedule.value, str(recipe.structure))
        seed = None if recipe is None else recipe.seed
        return PruneReport(
            *words,
            history=self.history,
            scores=self.scores,
            curves=self.curves,
            kept_biases=self.kept_biases,
            unbaked=self.unbaked,
            emptied=self.emptied,
            all_empty=len(self.emptied) == len(self.masks),
            seed=seed,
        )

    @property
    def emptied(self) -> tuple[str, ...]:
        """Return the names of the tensors of which no weight is left."""
        return tuple(name for name in self.masks if not self.masks.nonzeros(name))

    @property
    def kept_biases(self) -> dict[str, int]:
        """Return name of a bias → how many of its entries that belong to dead neurons are not zero, if any are."""
        entries = {name: self.module.get_parameter(name)[list(dead)] for name, dead in self.dead_biases.items()}
        found = {name: int(values.count_nonzero()) for name, values in entries.items()}
        return {name: count for name, count in found.items() if count}

    def _repr_html_(self) -> str:
        """Return how much of each tensor is left, for a notebook."""
        masks = self.masks
        rows = [(name, masks.count_of(name), masks.nonzeros(name), masks.sparsity_of(name)) for name in masks]
        total = ("all", masks.count, masks.kept, masks.sparsity)
        return html_table(("tensor", "weights", "kept", "sparsity"), [*rows, total])

    @property
    def dead_bias_count(self) -> int:
        """Return how many entries of biases belong to dead neurons."""
        return sum(len(entries) for entries in self.dead_biases.values())
