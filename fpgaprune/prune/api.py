"""Pruning as one function of a model, data and a recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fpgaprune.errors import InputError
from fpgaprune.prune.checks import instance, refuse_broken_model, refuse_no_module
from fpgaprune.prune.data import refuse_no_data
from fpgaprune.prune.dead import dead_biases
from fpgaprune.prune.explain import sensitivity_curves
from fpgaprune.prune.explain.scores import spread
from fpgaprune.prune.masks import Masks, prunable
from fpgaprune.prune.pruned import PrunedModel
from fpgaprune.prune.recipe import PruneRecipe
from fpgaprune.prune.resume import resumed_run
from fpgaprune.prune.run import Run
from fpgaprune.prune.split import split_validation
from fpgaprune.prune.structures import Subject
from fpgaprune.prune.torch_masks import baked_copy
from fpgaprune.prune.training.environment import on_device, usable_device
from fpgaprune.prune.training.hooks import Hooks
from fpgaprune.prune.training.trainer import Means

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import torch
    from torch import nn

    from fpgaprune.explained import SensitivityCurves
    from fpgaprune.prune.data import Data
    from fpgaprune.prune.objectives import Loss, Metric, TrainStep
    from fpgaprune.prune.stage import Stage


def prune(
    model: nn.Module,
    data: Data | None,
    recipe: PruneRecipe,
    *,
    progress: bool = True,
    loss: Loss | None = None,
    metric: Metric | None = None,
    train_step: TrainStep | None = None,
    hooks: Hooks | None = None,
    device: str | torch.device | None = None,
    checkpoint: Path | str | None = None,
    explain: Sequence[float] = (),
) -> PrunedModel:
    """Return a pruned copy of ``model``, trained after each step; equal arguments give equal weights.

    The weights of ``model`` are those of a trained network, which is fine-tuned; with the schedules 'lottery' and
    'rigl' they are an initialisation, from which the network is trained. ``loss``, ``metric``, ``train_step``,
    ``hooks`` and ``device`` are those of ``train``, for each training of the run. Where a stage asks for a validation
    part, all of them keep the same samples out. Hooks of torch.nn.utils.prune are baked into the copy. ``data`` may be
    None where nothing is trained; the history is empty then. ``checkpoint`` is a folder that is kept up to date after
    each epoch; a call with the same arguments goes on from there, and ends with the same result, bit for bit.
    ``explain`` are sparsities at which each tensor is pruned alone beforehand, by the criterion of the last stage, for
    the ``curves`` of the result; the model runs on the test data once for each.

    Raises:
        DivergedError: a training diverged before any of its epochs was of use.
        InputError: the model has no prunable weights or holds NaN or infinities, the recipe names unknown layers,
            the data is missing, empty or does not fit the model, the device or the checkpoint cannot be used, or an
            argument is of another class.
    """
    _refuse_other_classes(model, data, recipe)
    copy, unbaked = _checked_copy(model, data, recipe.stages)
    if data is None and any(stage.fine_tune.epochs for stage in recipe.stages):
        msg = "there is no data to fine-tune on; give data, or set fine_tune.epochs to 0"
        raise InputError(msg)
    means = Means(loss, metric, train_step, hooks or Hooks(), progress)
    with on_device(copy, usable_device(device, copy)):
        curves = _curves(copy, data, recipe, explain, means)
        run = Run(copy, _split(data, recipe), recipe, means)
        state = run.all_turns() if checkpoint is None else resumed_run(run, checkpoint)
    masks, scores = state.masks, spread(state.scores, state.masks, copy)
    dead = dead_biases(copy, masks)
    return PrunedModel(copy.eval(), masks, recipe, state.history, dead, unbaked, scores, curves)


def _refuse_other_classes(model: object, data: object, recipe: object) -> None:
    refuse_no_module(model)
    if data is not None:
        refuse_no_data(data)
    instance(
        "recipe", recipe, PruneRecipe, "PruneRecipe(sparsity=0.5) is one, PruneRecipe.from_dict reads a dictionary"
    )


def _curves(
    model: nn.Module, data: Data | None, recipe: PruneRecipe, sparsities: Sequence[float], means: Means
) -> SensitivityCurves | None:
    if not sparsities:
        return None
    if data is None:
        msg = "sensitivity curves need data, on which the metric is measured; give data, or leave explain out"
        raise InputError(msg)
    return sensitivity_curves(
        model,
        data,
        sparsities,
        criterion=recipe.criterion,
        metric=means.metric,
        loss=means.loss,
        seed=recipe.seed,
        progress=means.progress,
    )


def _split(data: Data | None, recipe: PruneRecipe) -> Data | None:
    """Return the data without the samples that any stage keeps out of training, so that none trains on them."""
    share = max(stage.fine_tune.validation for stage in recipe.stages)
    return None if data is None else split_validation(data, share)


def check_stages(model: nn.Module, data: Data | None, stages: Sequence[Stage]) -> None:
    """Refuse stages that cannot prune ``model``, as ``prune`` does before it trains.

    Raises:
        InputError: as ``prune``.
    """
    _checked_copy(model, data, stages)


def _checked_copy(model: nn.Module, data: Data | None, stages: Sequence[Stage]) -> tuple[nn.Module, tuple[str, ...]]:
    """Return a baked copy that the stages can prune, and the tensors that were not baked."""
    copy, unbaked = baked_copy(model)
    refuse_broken_model(copy)
    if not prunable(copy):
        msg = "the model has no weights that can be pruned (Linear, Conv1d, Conv2d, RNN, LSTM, GRU, attention)"
        raise InputError(msg)
    for stage in stages:
        stage.structure.check(Subject(copy, Masks.full(copy), data), stage.layers)
    return copy, unbaked
