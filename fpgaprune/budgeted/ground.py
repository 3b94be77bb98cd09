"""Where levels are measured from: the model before the last stage of its recipe, and the scores of its weights."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from typing import TYPE_CHECKING

from fpgaprune.budgeted.levels import Ground, counts_of
from fpgaprune.budgeted.losses import LOSSES, losses_by
from fpgaprune.errors import InputError
from fpgaprune.prune import CRITERIA, Context, PruneRecipe, Schedule, TrainSettings, default_loss, prunable, prune
from fpgaprune.prune.checks import word
from fpgaprune.prune.structures import Subject

if TYPE_CHECKING:
    from torch import Tensor, nn

    from fpgaprune.budgeted.training import Training
    from fpgaprune.prune import PrunedModel, Stage

_SCHEDULES = (Schedule.ONE_SHOT, Schedule.CUBIC)


def check_recipe(recipe: PruneRecipe, loss_by: str) -> None:
    """Refuse recipes that leave a budget nothing to decide, and criteria whose scores do not add up.

    Raises:
        InputError: the last stage has a threshold or a schedule that trains from scratch, or the criterion is no
            change of the loss.
    """
    word("loss_by", loss_by, LOSSES)
    if recipe.threshold is not None:
        msg = "a budget decides how much is pruned; give the last stage sparsity = 0 in place of its threshold"
        raise InputError(msg)
    for stage in recipe.stages:
        if stage.schedule not in _SCHEDULES:
            msg = (
                f"a budget prunes a trained network, but the schedule {stage.schedule.value!r} trains one from "
                "scratch; use 'cubic' or 'one-shot'"
            )
            raise InputError(msg)


def ground_of(model: nn.Module, recipe: PruneRecipe, loss_by: str, training: Training) -> Ground:
    """Return the ground of the last stage of a recipe, for a trained model.

    Raises:
        InputError: the model, the data or the structure of the stage cannot be used.
    """
    before = _before(model, recipe, training)
    subject = Subject(before.module, before.masks, training.data)
    recipe.structure.check(subject, recipe.layers)
    targets = recipe.structure.targets(before.module, recipe.layers)
    context = Context(
        before.module,
        training.data,
        training.loss or default_loss,
        recipe.seed,
        before.masks,
        recipe.samples,
        training.progress,
        training.train_step,
    )
    scores = CRITERIA[recipe.criterion](prunable(before.module), context)
    counts = counts_of(recipe.structure, subject, recipe.layers)
    return Ground(
        before.module,
        before.masks,
        training.data,
        recipe,
        scores,
        losses_by(loss_by, context),
        counts,
        {name: _least(before.module.get_parameter(name), count) for name, count in counts.items()},
        {target.name: target.sparsity for target in targets if target.sparsity is not None},
    )


def _before(model: nn.Module, recipe: PruneRecipe, training: Training) -> PrunedModel:
    """Return the model after the stages that come first, or as it is, with its own zeros if they are kept."""
    if recipe.first:
        return training.prune(model, _whole(recipe, recipe.first), "first")
    untrained = PruneRecipe(sparsity=0.0, fine_tune=TrainSettings(epochs=0))
    return prune(model, None, replace(untrained, keep_pruned=recipe.keep_pruned, dead_bias=recipe.dead_bias))


def _whole(recipe: PruneRecipe, stages: tuple[Stage, ...]) -> PruneRecipe:
    """Return a recipe of these stages alone, with what else a recipe says."""
    *first, last = stages
    own = {item.name: getattr(last, item.name) for item in fields(last)}
    return PruneRecipe(
        **own, first=tuple(first), seed=recipe.seed, dead_bias=recipe.dead_bias, keep_pruned=recipe.keep_pruned
    )


def _least(weight: Tensor, count: int) -> int:
    """Return how many of so many weights or groups of a tensor are left at least: a weight for each output.

    With fewer, layers would collapse: sums of scores hardly tell the last weights of a layer from others.
    """
    return max(1, math.ceil(len(weight) * count / weight.numel()))
