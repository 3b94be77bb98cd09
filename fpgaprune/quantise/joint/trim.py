"""The last few weights that gradients left above a budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from fpgaprune.quantise.joint.cost import total

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fpgaprune.quantise.compression import Cost
    from fpgaprune.quantise.joint.cost import Priced


@torch.no_grad()
def trim_(layers: Sequence[Priced], cost: Cost, budget: float) -> None:
    """Set the smallest weights of all layers to zero, in place, as few as bring the cost down to the budget."""
    sizes = [layer.weight.numel() for layer in layers]
    magnitudes = torch.cat([layer.grid(layer.weight).abs().flatten() for layer in layers])
    order = magnitudes.argsort(stable=True)
    whole = [layer.weight.clone() for layer in layers]
    low, high = 0, len(order)
    while low < high:  # the cost falls with each weight that goes
        middle = (low + high) // 2
        _keep(layers, whole, order, middle, sizes)
        if float(total(layers, cost)) <= budget:
            high = middle
        else:
            low = middle + 1
    _keep(layers, whole, order, low, sizes)


def _keep(
    layers: Sequence[Priced], whole: Sequence[torch.Tensor], order: torch.Tensor, count: int, sizes: list[int]
) -> None:
    """Set the weights to what they were, without the first ``count`` of ``order``."""
    kept = torch.ones(len(order), dtype=torch.bool, device=order.device)
    kept[order[:count]] = False
    for layer, weight, part in zip(layers, whole, torch.split(kept, sizes), strict=True):
        layer.weight.copy_(weight * part.reshape(weight.shape))
