"""What makes a weight worth keeping: each criterion scores all weights of a model, low scores go first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor, nn

from fpgaprune.prune.seeding import generator

if TYPE_CHECKING:
    from fpgaprune.prune.data import Data
    from fpgaprune.prune.objectives import Loss

#: State-dict name → weight, as ``prunable`` returns them.
Weights: TypeAlias = Mapping[str, nn.Parameter]
#: State-dict name → scores of the weight's shape.
Scores: TypeAlias = dict[str, Tensor]


@dataclass(frozen=True)
class Context:
    """What a criterion may look at besides the weights: the model they are part of, data, a loss, a seed."""

    model: nn.Module
    data: Data | None
    loss: Loss
    seed: int = 0


Criterion: TypeAlias = Callable[[Weights, Context], Scores]


def magnitude(weights: Weights, context: Context) -> Scores:  # noqa: ARG001  # every criterion has this signature
    """Return |w| for each weight (Han et al. 2015, "Learning both Weights and Connections")."""
    return {name: weight.detach().abs() for name, weight in weights.items()}


def random(weights: Weights, context: Context) -> Scores:
    """Return a uniform number for each weight, the same ones for the same seed: the baseline to beat."""
    source = generator(context.seed)
    return {name: torch.rand(weight.shape, generator=source, dtype=torch.float64) for name, weight in weights.items()}


CRITERIA: dict[str, Criterion] = {"magnitude": magnitude, "random": random}
