"""Criteria from the curvature of the loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fpgaprune.prune.criteria.per_sample import hessian_diagonal, squared_gradients
from fpgaprune.prune.criteria.replica import replica

if TYPE_CHECKING:
    from fpgaprune.prune.criteria.context import Context, Scores, Weights


def sensitivity_second(weights: Weights, context: Context) -> Scores:
    """Return |ΔL|/|Δθ| to second order for each weight: |½·h·w² - g·w| / |w|, as `sensitivity` measures it exactly.

    g is the gradient of the loss and h the diagonal of its Hessian, as `hessian_diagonal` takes it. A weight that is
    zero scores 0.

    Raises:
        InputError: there is no data, or as `hessian_diagonal`.
    """
    with replica("sensitivity-second", weights, context) as work:
        gradients, curvatures = work.mean_gradients(), hessian_diagonal(work, "sensitivity-second")
        return {
            name: (curvatures[name] * weight.detach() / 2 - gradients[name]).abs().masked_fill(weight == 0, 0)
            for name, weight in work.weights.items()
        }


def obd(weights: Weights, context: Context) -> Scores:
    """Return ½·h·w² for each weight, h the diagonal of the Hessian (LeCun et al. 1990, "Optimal Brain Damage").

    Raises:
        InputError: there is no data, or as `hessian_diagonal`.
    """
    with replica("obd", weights, context) as work:
        curvatures = hessian_diagonal(work, "obd")
        return {name: curvatures[name] * weight.detach() ** 2 / 2 for name, weight in work.weights.items()}


def fisher(weights: Weights, context: Context) -> Scores:
    """Return ½·F·w² for each weight, F the mean of the squared gradients of single samples.

    Theis et al. 2018, "Faster gaze prediction with dense networks and Fisher pruning".

    Raises:
        InputError: there is no data, or as `squared_gradients`.
    """
    with replica("fisher", weights, context) as work:
        information = squared_gradients(work, "fisher")
        return {name: information[name] * weight.detach() ** 2 / 2 for name, weight in work.weights.items()}
