"""From scores to masks: exactly k weights go, and ties are broken by position."""

from __future__ import annotations

import math
from enum import Enum
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import torch

from fpgaprune.errors import InputError, suggest
from fpgaprune.prune.checks import fraction, number
from fpgaprune.prune.masks import Masks
from fpgaprune.prune.shrinkage import Shrinkage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from torch import Tensor


class Scope(Enum):
    """Where weights compete: in the whole model, or each tensor by itself."""

    GLOBAL = "global"
    LAYER = "layer"


def select(
    scores: Mapping[str, Tensor],
    sparsity: float,
    *,
    scope: Scope = Scope.GLOBAL,
    layers: Mapping[str, float] | None = None,
    previous: Masks | None = None,
    removed: Mapping[str, int] | None = None,
) -> Masks:
    """Return the masks that prune exactly ``pruned_count(sparsity, count)`` weights, those with the lowest scores.

    Of equal scores the one first in the order of tensors, then by flat index, is pruned first. ``layers`` maps
    tensors or modules to sparsities of their own; each tensor that they cover leaves the common pool, and the
    longest name that covers a tensor decides. What ``previous`` pruned or cut out stays pruned and counts, even when
    it is more than was asked for; ``removed`` says for each name what was cut out, by default as ``previous`` knows.

    Raises:
        InputError: a sparsity is outside [0, 1], a name is unknown, or a score is NaN or infinite.
    """
    fraction("sparsity", sparsity)
    own = resolve_layers(scores, layers or {})
    values = {name: ranked(name, scores[name], previous) for name in scores}
    if removed is None:
        removed = {name: previous.removed(name) if previous else 0 for name in scores}
    kept: dict[str, Tensor] = {}
    for names, target in _pools(scores, sparsity, scope, own):
        pool = {name: values[name] for name in names}
        kept |= _select_pool(pool, target, sum(removed[name] for name in names))
    return Masks({name: kept[name] for name in scores}, previous.shrinkage if previous else Shrinkage())


def below(scores: Mapping[str, Tensor], threshold: float, previous: Masks | None = None) -> Masks:
    """Return the masks that prune every weight whose score is at most ``threshold``, and what ``previous`` pruned.

    Scores of any type are compared as the numbers that they are, without rounding the threshold to their type.

    Raises:
        InputError: the threshold is no finite number, or a score is NaN or infinite.
    """
    number("threshold", threshold)
    kept = {name: ranked(name, values, previous).double() > threshold for name, values in scores.items()}
    return Masks(kept, previous.shrinkage if previous else Shrinkage())


def pruned_count(sparsity: float, count: int) -> int:
    """Return ``sparsity * count`` rounded to the nearest integer, halves up, for the decimal that was written.

    >>> pruned_count(0.145, 100)  # in binary arithmetic, 14.499999999999998
    15
    """
    return math.floor(Fraction(repr(float(sparsity))) * count + Fraction(1, 2))


def resolve_layers(tensors: Iterable[str], layers: Mapping[str, float]) -> dict[str, float]:
    """Return tensor name → sparsity for each tensor that an entry of ``layers`` (tensor or module) covers.

    Raises:
        InputError: an entry covers no tensor, or its sparsity is outside [0, 1].
    """
    names = list(tensors)
    resolved: dict[str, float] = {}
    for key in sorted(layers, key=len):
        value = fraction(f"layers.{key}", layers[key])
        covered = [name for name in names if name == key or name.startswith(f"{key}.")]
        if not covered:
            msg = f"layers.{key} names no prunable tensor or module{_suggested(key, _tensors_and_modules(names))}"
            raise InputError(msg)
        resolved |= dict.fromkeys(covered, value)
    return resolved


def _suggested(key: str, known: list[str]) -> str:
    """Return the known name that is meant, or all of them, where none is near."""
    return suggest(key, known) or f"; there are {', '.join(known)}"


def _tensors_and_modules(names: list[str]) -> list[str]:
    prefixes = {name.rsplit(".", depth)[0] for name in names for depth in range(1, name.count(".") + 1)}
    return [*names, *sorted(prefixes)]


def _pools(
    scores: Mapping[str, Tensor], sparsity: float, scope: Scope, own: Mapping[str, float]
) -> list[tuple[list[str], float]]:
    single = [([name], target) for name, target in own.items()]
    rest = [name for name in scores if name not in own]
    if scope is Scope.GLOBAL:
        return [*single, (rest, sparsity)] if rest else single
    return [*single, *(([name], sparsity) for name in rest)]


def ranked(name: str, scores: Tensor, previous: Masks | None) -> Tensor:
    """Return the scores on the CPU, with those of weights that ``previous`` pruned at minus infinity.

    Raises:
        InputError: a score is NaN or infinite, or there is no mask of the scores' shape.
    """
    values = scores.detach().cpu()
    if values.dtype.itemsize < 4 or not values.is_floating_point():
        values = values.double()
    if not bool(values.isfinite().all()):
        msg = f"the scores of {name!r} hold NaN or infinite values, so its weights cannot be ranked"
        raise InputError(msg)
    if previous is None:
        return values
    if name not in previous or previous[name].shape != values.shape:
        msg = f"the previous masks have none of shape {tuple(values.shape)} for {name!r}"
        raise InputError(msg)
    return values.masked_fill(~previous[name].cpu(), -math.inf)


def _select_pool(pool: Mapping[str, Tensor], sparsity: float, removed: int) -> dict[str, Tensor]:
    flat = torch.cat([values.flatten() for values in pool.values()])
    gone = int((flat == -math.inf).sum())
    kept = ~lowest(flat, max(gone, pruned_count(sparsity, len(flat) + removed) - removed))
    masks: dict[str, Tensor] = {}
    start = 0
    for name, values in pool.items():
        masks[name] = kept[start : start + values.numel()].reshape(values.shape)
        start += values.numel()
    return masks


def lowest(values: Tensor, k: int) -> Tensor:
    """Return a boolean tensor that is True at the ``k`` lowest of the flat ``values``, equal ones from the left.

    NumPy selects in linear time whatever the order of the values; ``Tensor.kthvalue`` is quadratic on sorted ones.
    """
    if not k:
        return torch.zeros_like(values, dtype=torch.bool)
    bound = float(np.partition(values.numpy(), k - 1)[k - 1])
    chosen = values < bound
    ties = torch.nonzero(values == bound).flatten()
    chosen[ties[: k - int(chosen.sum())]] = True
    return chosen
