"""The last few weights that gradients left above a budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from fpgaprune.quantise.joint.cost import Priced


@torch.no_grad()
def trim_(priced: Priced, budget: float) -> None:
    """Set the smallest weights of all layers to zero, in place, as few as bring the cost down to the budget."""
    magnitudes = torch.cat([weight.abs().flatten() for weight in priced.grid(priced.weights).values()])
    order = magnitudes.argsort(stable=True)
    whole = [weight.clone() for weight in priced.weights.values()]
    low, high = 0, len(order)
    while low < high:  # the cost falls with each weight that goes
        middle = (low + high) // 2
        _keep(priced, whole, order, middle)
        if float(priced.total()) <= budget:
            high = middle
        else:
            low = middle + 1
    _keep(priced, whole, order, low)


def _keep(priced: Priced, whole: list[torch.Tensor], order: torch.Tensor, count: int) -> None:
    """Set the weights to what they were, without the first ``count`` of ``order``."""
    kept = torch.ones(len(order), dtype=torch.bool, device=order.device)
    kept[order[:count]] = False
    parts = torch.split(kept, [weight.numel() for weight in whole])
    for weight, before, part in zip(priced.weights.values(), whole, parts, strict=True):
        weight.copy_(before * part.reshape(before.shape))
