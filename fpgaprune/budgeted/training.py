"""What the trainings of a run to a budget share, and their three steps: prune, quantise, measure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

from fpgaprune.prune import evaluate_metric, prune
from fpgaprune.quantise import quantise

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import torch
    from torch import nn

    from fpgaprune.prune import Data, Hooks, Loss, Metric, PrunedModel, PruneRecipe, TrainStep
    from fpgaprune.quantise import QuantisedModel, QuantiseRecipe


PLACES = ("first", "dense", "round_*")
"""How the folders in a checkpoint are called, where * is the number of a round."""


class TrainingOptions(TypedDict, total=False):
    """What ``prune`` takes beside a model, data and a recipe."""

    progress: bool
    loss: Loss | None
    metric: Metric | None
    train_step: TrainStep | None
    hooks: Hooks | None
    device: str | torch.device | None
    checkpoint: Path | None
    explain: Sequence[float]


@dataclass(frozen=True, eq=False)
class Training:
    """The data of all trainings of a run and what ``prune`` and ``quantise`` take beside a recipe.

    In ``checkpoint`` each run of pruning and each of quantisation gets a folder of its own.
    """

    data: Data
    progress: bool = True
    loss: Loss | None = None
    metric: Metric | None = None
    train_step: TrainStep | None = None
    hooks: Hooks | None = None
    device: str | torch.device | None = None
    checkpoint: Path | None = None
    explain: Sequence[float] = ()

    def prune(self, model: nn.Module, recipe: PruneRecipe, name: str) -> PrunedModel:
        """Return the pruned and trained model; ``name`` is that of the run's checkpoint."""
        return prune(
            model,
            self.data,
            recipe,
            progress=self.progress,
            loss=self.loss,
            metric=self.metric,
            train_step=self.train_step,
            hooks=self.hooks,
            device=self.device,
            checkpoint=self._folder(name, "prune"),
            explain=self.explain,
        )

    def quantise(self, pruned: PrunedModel | nn.Module, recipe: QuantiseRecipe, name: str) -> QuantisedModel:
        """Return the model in fixed point, fine-tuned where the recipe asks for it; ``name`` is as in ``prune``."""
        return quantise(
            pruned,
            self.data,
            recipe,
            progress=self.progress,
            loss=self.loss,
            metric=self.metric,
            train_step=self.train_step,
            hooks=self.hooks,
            device=self.device,
            checkpoint=self._folder(name, "quantise"),
        )

    def _folder(self, *names: str) -> Path | None:
        return None if self.checkpoint is None else self.checkpoint.joinpath(*names)

    def measured(self, model: nn.Module) -> float:
        """Return the metric of a model on the test data."""
        return evaluate_metric(model, self.data, self.metric)
