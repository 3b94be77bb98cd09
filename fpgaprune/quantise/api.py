"""Quantisation as one function of a pruned model, data and a recipe."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING

import torch

from fpgaprune.capture.api import capture
from fpgaprune.capture.run import trace
from fpgaprune.explained import History, PruneReport
from fpgaprune.prune.objectives import evaluate_metric
from fpgaprune.prune.pruned import PrunedModel
from fpgaprune.prune.seeding import local_seed, mix
from fpgaprune.prune.split import split_validation
from fpgaprune.prune.torch_masks import baked_copy
from fpgaprune.prune.training.hooks import Hooks
from fpgaprune.prune.training.trainer import Means
from fpgaprune.quantise.course import Course
from fpgaprune.quantise.fold import fold_batch_norm
from fpgaprune.quantise.freeze import freeze
from fpgaprune.quantise.joint import compress
from fpgaprune.quantise.model import QuantisedModel
from fpgaprune.quantise.plan import Plan, make_plan, refuse_unfit_layers
from fpgaprune.quantise.report import QuantiseReport, sparsity_of
from fpgaprune.quantise.rounded import with_rounded_readers
from fpgaprune.quantise.steps import QuantisedNetwork, keep_dead
from fpgaprune.several import OneOrMore, as_tuple, one_or_more

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

    from fpgaprune.capture.network import Network
    from fpgaprune.capture.records import FloatArray
    from fpgaprune.explained import FoldReport
    from fpgaprune.prune.data import Data
    from fpgaprune.prune.objectives import Loss, Metric, TrainStep
    from fpgaprune.quantise.compression import Saved
    from fpgaprune.quantise.recipe import QuantiseRecipe


def quantise(
    pruned: PrunedModel | nn.Module,
    data: Data,
    recipe: QuantiseRecipe,
    *,
    progress: bool = True,
    loss: Loss | None = None,
    metric: Metric | None = None,
    train_step: TrainStep | None = None,
    hooks: Hooks | None = None,
    device: str | torch.device | None = None,
    checkpoint: Path | None = None,
) -> QuantisedModel:
    """Return ``pruned``, or a model that others pruned, in fixed point; equal arguments give equal models, bit for bit.

    Formats are chosen on the first samples of the training data. Weights that are zero stay zero while fine-tuning.
    ``loss``, ``metric``, ``train_step``, ``hooks`` and ``device`` are those of ``fpgaprune.prune.training.train``, for
    each training in fixed point; the model that a train step and hooks get has the inputs and outputs of ``pruned``,
    but not its layers. ``checkpoint`` is a folder that is kept up to date after each epoch of fine-tuning; a call with
    the same arguments goes on from there.

    Raises:
        DivergedError: a training diverged before any of its epochs was of use.
        InputError: the recipe does not fit the layers, the data does not fit the model, or the loss or the train step
            does not run.
        UnsupportedError: the model holds an operation that cannot be translated exactly.
        FormatError: a sum may exceed the 53 bits up to which the float64 reference is exact.
    """
    module, pruning = _taken(pruned)
    data = data if recipe.fine_tune is None else split_validation(data, recipe.fine_tune.validation)
    network, folds = _network(module, data)
    plan = make_plan(network, trace(network, _samples(data, recipe)), recipe)
    freeze(network, plan)  # refuses sums that are too wide before time goes into training
    means = Means(loss, metric, train_step, hooks or Hooks(), progress)
    course = _course(data, recipe, means, device, checkpoint)
    trained = _trained(network, plan, recipe, course)
    layers = freeze(trained.network, trained.plan)
    quantised = QuantisedModel(layers, network.outputs, recipe)
    report = QuantiseReport(
        folds,
        plan.choices,
        sparsity_of(network, layers),
        trained.history,
        trained.saved,
        metric_before=evaluate_metric(module, data, metric),
        metric_after=evaluate_metric(quantised.module, data, metric),
        pruning=pruning,
    )
    return replace(quantised, report=report)


def _taken(pruned: PrunedModel | nn.Module) -> tuple[nn.Module, PruneReport | None]:
    """Return what is quantised, without hooks, and what is known of how it was pruned."""
    if isinstance(pruned, PrunedModel):
        return pruned.module, pruned.report
    module, unbaked = baked_copy(pruned)
    return module, PruneReport(unbaked=unbaked) if unbaked else None


def check_layers(model: nn.Module, data: Data, recipe: QuantiseRecipe) -> None:
    """Refuse widths of layers that ``model`` has not, as ``quantise`` does, before it is pruned.

    Raises:
        InputError: the recipe has such.
        UnsupportedError: the model holds an operation that cannot be translated exactly.
    """
    if recipe.layers:
        network, _ = _network(baked_copy(model)[0], data)
        refuse_unfit_layers(network, recipe)


def _network(module: nn.Module, data: Data) -> tuple[Network, tuple[FoldReport, ...]]:
    """Return what is quantised, and what folding changed."""
    network, folds = fold_batch_norm(capture(module, data.example()))
    return with_rounded_readers(network), folds


def _samples(data: Data, recipe: QuantiseRecipe) -> OneOrMore[FloatArray]:
    """Return the inputs that formats are chosen on, (samples, …)."""
    count = recipe.calibration_samples
    with local_seed(recipe.seed):
        found: list[tuple[torch.Tensor, ...]] = []
        for x, _ in data.train_batches():
            found.append(as_tuple(x))
            if sum(len(parts[0]) for parts in found) >= count:
                break
    joined = (torch.cat(column)[:count] for column in zip(*found, strict=True))
    return one_or_more(column.double().cpu().numpy() for column in joined)


@dataclass(frozen=True)
class _Trained:
    network: Network
    plan: Plan
    history: History = field(default_factory=History)
    saved: Saved | None = None


def _course(
    data: Data,
    recipe: QuantiseRecipe,
    means: Means,
    device: str | torch.device | None,
    checkpoint: Path | None,
) -> Course | None:
    """Return how the network is fine-tuned; None where it is not."""
    if recipe.fine_tune is None:
        return None
    settings = replace(recipe.fine_tune, seed=mix(recipe.seed, recipe.fine_tune.seed))
    purpose = json.dumps(recipe.to_dict(), sort_keys=True)
    return Course(data, settings, means, device, checkpoint, purpose)


def _trained(network: Network, plan: Plan, recipe: QuantiseRecipe, course: Course | None) -> _Trained:
    if course is None:
        return _Trained(network, plan)
    if recipe.compress is not None:
        found = compress(network, plan, recipe.compress, course)
        return _Trained(found.network, found.plan, found.history, found.saved)
    module = QuantisedNetwork(network, plan).float()
    if not list(chain(module.parameters())):
        return _Trained(network, plan)
    history = course.train(module, keep_dead(module), "fine-tuning in fixed point")
    return _Trained(module.network(), plan, history)
