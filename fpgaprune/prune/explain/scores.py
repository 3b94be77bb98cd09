"""The scores by which weights went or stayed, over all steps of a stage."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from fpgaprune.prune.explain.histograms import histograms
from fpgaprune.prune.masks import Masks, prunable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, nn

    from fpgaprune.explained import Histograms


def noted(
    known: Mapping[str, Tensor], scores: Mapping[str, Tensor], masks: Masks, model: nn.Module
) -> dict[str, Tensor]:
    """Return the scores known so far with those of the weights that ``masks`` keep, before they are pruned further.

    Results are vectors: the weights that each tensor had at first, row by row, in float32; NaN was never scored.
    """
    places = masks.shrinkage.places(prunable(model), model)
    return {name: _with(known.get(name), score, places[name], masks, name) for name, score in scores.items()}


def spread(known: Mapping[str, Tensor], masks: Masks, model: nn.Module) -> Histograms:
    """Return the histograms of what `noted` returned last, given the masks at the end; weights cut out were pruned."""
    places = masks.shrinkage.places(prunable(model), model)
    ordered = {name: known[name] for name in masks if name in known}  # what a checkpoint gives back has another order
    scored = {name: ~values.isnan() for name, values in ordered.items()}
    kept = {name: _kept(values, places[name], masks[name]) for name, values in ordered.items()}
    found = {name: values[scored[name]] for name, values in ordered.items() if bool(scored[name].any())}
    return histograms(found, Masks({name: kept[name][scored[name]] for name in found}))


def _with(known: Tensor | None, score: Tensor, places: Tensor, masks: Masks, name: str) -> Tensor:
    size = masks.count_of(name)
    values = torch.full((size,), torch.nan) if known is None else known.clone()
    alive = masks[name].cpu().flatten()
    values[places.flatten()[alive]] = score.detach().float().cpu().flatten()[alive]
    return values


def _kept(values: Tensor, places: Tensor, mask: Tensor) -> Tensor:
    kept = torch.zeros_like(values, dtype=torch.bool)
    kept[places.flatten()] = mask.cpu().flatten()
    return kept
