"""How the scores of kept and of pruned weights are spread."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from fpgaprune.errors import InputError, suggest
from fpgaprune.prune.checks import integer, refuse_nonfinite, table
from fpgaprune.prune.explain.values import counts, entries, rising

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from torch import Tensor

    from fpgaprune.prune.masks import Masks


@dataclass(frozen=True)
class Histogram:
    """How many scores of one tensor lie in [edges[i], edges[i+1]) for each i, the last bin with its upper edge.

    Raises:
        InputError: the edges do not rise, or there is not one count of each kind a bin.
    """

    edges: tuple[float, ...]
    kept: tuple[int, ...]
    pruned: tuple[int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "edges", rising("edges", self.edges))
        for name in ("kept", "pruned"):
            found = counts(name, getattr(self, name))
            if len(found) + 1 != len(self.edges):
                msg = f"{name} has {len(found)} counts for {len(self.edges)} edges"
                raise InputError(msg)
            object.__setattr__(self, name, found)


@dataclass(frozen=True)
class Histograms:
    """Tensor name → histogram of its scores.

    Raises:
        InputError: an entry is no histogram.
    """

    tensors: Mapping[str, Histogram]

    def __post_init__(self) -> None:
        for name, histogram in table("tensors", self.tensors).items():
            if not isinstance(histogram, Histogram):
                msg = f"tensors.{name} must be a Histogram, not {histogram!r}"
                raise InputError(msg)

    def to_dict(self) -> dict[str, object]:
        """Return name → lists of edges and counts for JSON; ``from_dict`` reads them back."""
        names = [field.name for field in fields(Histogram)]
        return {name: {part: list(getattr(each, part)) for part in names} for name, each in self.tensors.items()}

    @classmethod
    def from_dict(cls, values: object) -> Histograms:
        """Return the histograms that ``to_dict`` made.

        Raises:
            InputError: a field is missing, unknown or unusable; the message names the tensor.
        """
        return cls({name: _histogram(name, value) for name, value in table("histograms", values).items()})


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


def _histogram(name: str, value: object) -> Histogram:
    try:
        given = entries(name, value, [field.name for field in fields(Histogram)])
        return Histogram(**given)  # type: ignore[arg-type]  # __post_init__ checks each value
    except InputError as error:
        msg = f"histograms.{name}: {error}"
        raise InputError(msg) from error
