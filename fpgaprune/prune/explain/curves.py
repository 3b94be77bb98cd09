"""Accuracy against sparsity, one tensor at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from fpgaprune.errors import InputError
from fpgaprune.explained import SensitivityCurves
from fpgaprune.explained.curves import rising_sparsities
from fpgaprune.prune.checks import refuse_broken_model, word
from fpgaprune.prune.criteria import CRITERIA, Context
from fpgaprune.prune.masks import Masks, prunable
from fpgaprune.prune.objectives import default_loss, evaluate_metric
from fpgaprune.prune.progress import progress_bar
from fpgaprune.prune.seeding import local_seed
from fpgaprune.prune.select import select
from fpgaprune.prune.torch_masks import baked_copy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor, nn

    from fpgaprune.prune.data import Data
    from fpgaprune.prune.objectives import Loss, Metric


SENSITIVITY_LEVELS = (0.25, 0.5, 0.75, 0.9, 0.95, 0.98)
"""Sparsities at which curves are measured where nobody says others."""


def sensitivity_curves(
    model: nn.Module,
    data: Data,
    sparsities: Sequence[float],
    *,
    criterion: str = "magnitude",
    metric: Metric | None = None,
    loss: Loss | None = None,
    seed: int = 0,
    progress: bool = True,
) -> SensitivityCurves:
    """Return the metric of the test data with each prunable tensor pruned alone, to exactly k at each sparsity.

    The other tensors stay as they are, nothing is trained, and ``model`` is left alone. ``metric`` and ``loss`` default
    to those of ``train``. A weight that is zero beforehand counts as pruned.

    Raises:
        InputError: a sparsity is outside [0, 1] or they do not rise, the criterion is unknown or cannot score the
            model, the model has nothing to prune, or it does not run on the data.
    """
    levels, score = rising_sparsities(sparsities), CRITERIA[word("criterion", criterion, CRITERIA)]
    copy, _ = baked_copy(model)
    refuse_broken_model(copy)
    weights = prunable(copy)
    if not weights:
        msg = "the model has no weights that can be pruned, so that there is nothing to draw"
        raise InputError(msg)
    scores = score(weights, Context(copy, data, loss or default_loss, seed, progress=progress))

    def measure() -> float:
        with local_seed(seed):
            return evaluate_metric(copy, data, metric)

    with progress_bar("pruning one tensor at a time", len(weights) * len(levels), show=progress) as advance:
        curves = {
            name: tuple(_curve(weight, scores[name], levels, measure, advance)) for name, weight in weights.items()
        }
    return SensitivityCurves(criterion, levels, measure(), curves)


@torch.no_grad()
def _curve(
    weight: nn.Parameter,
    scores: Tensor,
    sparsities: tuple[float, ...],
    measure: Callable[[], float],
    advance: Callable[[], None],
) -> list[float]:
    """Return the metric at each sparsity of one tensor, which is put back at the end."""
    values, found = weight.clone(), []
    alive = Masks({"weight": values != 0})
    try:
        for sparsity in sparsities:
            kept = select({"weight": scores}, sparsity, previous=alive)["weight"]
            weight.copy_(values.masked_fill(~kept.to(weight.device), 0))
            found.append(measure())
            advance()
    finally:
        weight.copy_(values)
    return found
