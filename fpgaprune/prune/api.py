"""Pruning as one function of a model, data and a recipe."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fpgaprune.errors import InputError
from fpgaprune.prune.checks import refuse_broken_model
from fpgaprune.prune.criteria import CRITERIA, Context
from fpgaprune.prune.dead import DeadBias, dead_biases, zeroing
from fpgaprune.prune.history import History, Record
from fpgaprune.prune.masks import Masks, prunable
from fpgaprune.prune.objectives import Loss, Metric, default_loss, evaluate_metric
from fpgaprune.prune.pruned import PrunedModel
from fpgaprune.prune.schedule import targets
from fpgaprune.prune.seeding import mix
from fpgaprune.prune.select import select
from fpgaprune.prune.torch_masks import baked_copy
from fpgaprune.prune.training import train

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torch import nn

    from fpgaprune.prune.data import Data
    from fpgaprune.prune.recipe import PruneRecipe
    from fpgaprune.prune.stage import Stage


def prune(
    model: nn.Module,
    data: Data | None,
    recipe: PruneRecipe,
    *,
    progress: bool = True,
    loss: Loss | None = None,
    metric: Metric | None = None,
) -> PrunedModel:
    """Return a pruned copy of ``model``, fine-tuned after each step; equal arguments give equal weights.

    ``loss`` and ``metric`` default to those of ``train``. Hooks of torch.nn.utils.prune are baked into the copy.
    ``data`` may be None where nothing is fine-tuned; the history is empty then.

    Raises:
        InputError: the model has no prunable weights or holds NaN or infinities, the recipe names unknown layers,
            or the data is missing, empty or does not fit the model.
    """
    copy, unbaked = baked_copy(model)
    refuse_broken_model(copy)
    if not prunable(copy):
        msg = "the model has no weights that can be pruned (Linear, Conv1d, Conv2d, RNN, LSTM, GRU, attention)"
        raise InputError(msg)
    if data is None and any(stage.fine_tune.epochs for stage in recipe.stages):
        msg = "there is no data to fine-tune on; give data, or set fine_tune.epochs to 0"
        raise InputError(msg)
    run = _Run(copy, data, recipe, progress, loss, metric)
    masks, history = run.all_steps()
    return PrunedModel(copy.eval(), masks, recipe, history, dead_biases(copy, masks), unbaked)


@dataclass(frozen=True)
class _Run:
    model: nn.Module
    data: Data | None
    recipe: PruneRecipe
    progress: bool
    loss: Loss | None
    metric: Metric | None

    def all_steps(self) -> tuple[Masks, History]:
        masks = Masks.of_nonzeros(self.model) if self.recipe.keep_pruned else Masks.full(self.model)
        history, step = self._measured(0, masks), 0
        for stage in self.recipe.stages:
            for target, layers in _plan(stage, masks.sparsity):
                step += 1
                masks = self._pruned(stage, masks, target, layers)
                history += self._fine_tuned(stage, step, masks)
        return masks, history

    def _pruned(self, stage: Stage, masks: Masks, target: float, layers: Mapping[str, float]) -> Masks:
        loss, seed = self.loss or default_loss, self.recipe.seed
        context = Context(self.model, self.data, loss, seed, masks, progress=self.progress)
        scores = CRITERIA[stage.criterion](prunable(self.model), context)
        return select(scores, target, scope=stage.scope, layers=layers, previous=masks)

    def _fine_tuned(self, stage: Stage, step: int, masks: Masks) -> History:
        biases = dead_biases(self.model, masks) if self.recipe.dead_bias is DeadBias.ZERO else {}
        zero_biases = zeroing(self.model, biases)
        masks.apply_(self.model)
        zero_biases(self.model)
        history = self._measured(step, masks)
        if self.data is None:
            return history
        settings = stage.fine_tune
        trained = train(
            self.model,
            self.data,
            replace(settings, seed=mix(self.recipe.seed, settings.seed, step)),
            masks=masks,
            after_step=zero_biases,
            loss=self.loss,
            metric=self.metric,
            progress=self.progress,
            label=f"fine-tuning at sparsity {masks.sparsity:.1%}",
        )
        return history + trained.at_step(step)

    def _measured(self, step: int, masks: Masks) -> History:
        if self.data is None:
            return History()
        metric = evaluate_metric(self.model, self.data, self.metric)
        return History((Record(step, 0, masks.sparsity, None, metric),))


def _plan(stage: Stage, sparsity: float) -> Iterator[tuple[float, dict[str, float]]]:
    """Yield for each step its target and those of the layers that have their own, from a given sparsity on."""
    own = {name: dict(targets(stage.schedule, final, stage.steps)) for name, final in stage.layers.items()}
    initial = min(sparsity, stage.sparsity)
    for step, target in targets(stage.schedule, stage.sparsity, stage.steps, initial):
        yield target, {name: ramp[step] for name, ramp in own.items()}
