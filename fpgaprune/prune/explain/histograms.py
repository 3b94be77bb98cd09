"""How the scores of kept and of pruned weights are spread."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fpgaprune.errors import InputError, suggest
from fpgaprune.explained import Histogram, Histograms
from fpgaprune.prune.checks import integer, refuse_nonfinite

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from torch import Tensor

    from fpgaprune.prune.masks import Masks


def histograms(scores: Mapping[str, Tensor], masks: Masks, bins: int = 50) -> Histograms:
    """Return for each tensor of ``scores`` how many kept and pruned weights score how much, in ``bins`` equal bins.

    The bins of a tensor span its own scores. There is a single one around scores that are all alike, and fewer than
    ``bins`` where floats are too coarse to tell so many apart.

    Raises:
        InputError: a score is NaN or infinite, a mask is missing or of another shape, or ``bins`` is no positive
            integer.
    """
    integer("bins", bins, low=1)
    refuse_nonfinite({name: each.detach().double() for name, each in scores.items()}, "the scores", "rank them anew")
    return Histograms({name: _spread(name, each, masks, bins) for name, each in scores.items()})


def _spread(name: str, scores: Tensor, masks: Masks, bins: int) -> Histogram:
    if name not in masks or masks[name].shape != scores.shape:
        msg = f"the masks have none of shape {tuple(scores.shape)} for {name!r}{suggest(name, masks)}"
        raise InputError(msg)
    values, mask = scores.detach().cpu().double().numpy().ravel(), masks[name].cpu().numpy().ravel()
    edges = _edges(values, bins)
    kept, pruned = (np.histogram(values[chosen], edges)[0] for chosen in (mask, ~mask))
    return Histogram(tuple(edges.tolist()), tuple(kept.tolist()), tuple(pruned.tolist()))


def _edges(values: NDArray[np.float64], bins: int) -> NDArray[np.float64]:
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 0.0)
    if low == high:
        margin = max(0.5, abs(low) / 2)
        return np.array([low - margin, high + margin])
    return np.unique(np.linspace(low, high, bins + 1))
