"""Criteria from the gradient of the loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from fpgaprune.prune.criteria.replica import replica

if TYPE_CHECKING:
    from fpgaprune.prune.criteria.context import Context, Scores, Weights


def sensitivity_first(weights: Weights, context: Context) -> Scores:
    """Return |g| for each weight: |ΔL|/|Δθ| to first order, as ΔL = -g·w where a connection w is removed.

    g is the gradient of the loss (Tartaglione et al. 2022, "LOBSTER: loss-based sensitivity regularization").
    A weight that is zero scores 0, since its removal changes nothing.

    Raises:
        InputError: there is no data, or a gradient is NaN or infinite.
    """
    with replica("sensitivity-first", weights, context) as work:
        gradients = work.mean_gradients()
        return {name: gradients[name].abs().masked_fill(weight == 0, 0) for name, weight in work.weights.items()}


def taylor(weights: Weights, context: Context) -> Scores:
    """Return |w·g| for each weight: |ΔL| to first order.

    Molchanov et al. 2017, "Pruning convolutional neural networks for resource efficient inference", for single weights.

    Raises:
        InputError: there is no data, or a gradient is NaN or infinite.
    """
    with replica("taylor", weights, context) as work:
        gradients = work.mean_gradients()
        return {name: (gradients[name] * weight.detach()).abs() for name, weight in work.weights.items()}


def snip(weights: Weights, context: Context) -> Scores:
    """Return |w·g| of the first batch, divided by its sum over all weights (Lee et al. 2019, "SNIP").

    Raises:
        InputError: there is no data, or a gradient is NaN or infinite.
    """
    with replica("snip", weights, context) as work:
        gradients = work.mean_gradients(work.batches[:1])
        products = {name: (gradients[name] * weight.detach()).abs() for name, weight in work.weights.items()}
    total = torch.stack([product.sum() for product in products.values()]).sum()
    return {name: product / total if total else product for name, product in products.items()}
