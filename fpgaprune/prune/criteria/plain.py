"""Criteria that need the weights alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from fpgaprune.prune.seeding import generator

if TYPE_CHECKING:
    from fpgaprune.prune.criteria.context import Context, Scores, Weights


def magnitude(weights: Weights, context: Context) -> Scores:  # noqa: ARG001  # every criterion has this signature
    """Return |w| for each weight (Han et al. 2015, "Learning both Weights and Connections")."""
    return {name: weight.detach().abs() for name, weight in weights.items()}


def random(weights: Weights, context: Context) -> Scores:
    """Return a uniform number for each weight, the same ones for the same seed: the baseline to beat."""
    source = generator(context.seed)
    return {name: torch.rand(weight.shape, generator=source, dtype=torch.float64) for name, weight in weights.items()}
