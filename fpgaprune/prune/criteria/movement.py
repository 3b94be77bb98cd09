"""Movement pruning: which weights training moves away from zero."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from fpgaprune.prune.checks import refuse_nonfinite
from fpgaprune.prune.criteria.replica import REMEDY, replica, zeros
from fpgaprune.prune.masks import fill_zeros_

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fpgaprune.prune.criteria.context import Context, Scores, Weights

#: The learning rate of the short training that the scores are gathered in.
LEARNING_RATE = 0.01


def movement(weights: Weights, context: Context) -> Scores:
    """Return Σ -g·w over steps of training: above zero where w moves away from zero (Sanh et al. 2020).

    The steps are those of plain SGD at `LEARNING_RATE` on a copy of the model, one for each batch of the samples, under
    the masks so far, with g and w taken before the step. What was trained is thrown away.

    Raises:
        InputError: there is no data, or a gradient is NaN or infinite.
    """
    with replica("movement", weights, context) as work:
        holes = context.masks.holes(work.model) if context.masks is not None else ()
        parameters = {name: each for name, each in work.model.named_parameters() if each.requires_grad}
        scores = zeros(work.weights)
        for batch in work.batches:
            gradients = work.gradients(batch, list(parameters.values()))
            refuse_nonfinite(dict(zip(parameters, gradients, strict=True)), "the gradient of the loss", REMEDY)
            by_parameter = dict(zip(map(id, parameters.values()), gradients, strict=True))
            for name, weight in work.weights.items():
                scores[name] -= by_parameter[id(weight)].double() * weight.detach()
            _step(list(parameters.values()), gradients)
            fill_zeros_(holes)
    return scores


@torch.no_grad()
def _step(parameters: Sequence[Tensor], gradients: Sequence[Tensor]) -> None:
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.sub_(gradient, alpha=LEARNING_RATE)
