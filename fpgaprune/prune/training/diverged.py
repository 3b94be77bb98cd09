"""Training that went astray: a loss, a weight or a metric became NaN or infinite, or loss and weights ran away."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from fpgaprune.errors import InputError
from fpgaprune.prune.checks import refuse_broken_model

if TYPE_CHECKING:
    from torch import nn

    from fpgaprune.prune.settings import TrainSettings

LOSS_FACTOR = 100
"""How many times its size before training the loss may rise by while the weights grow so far."""

WEIGHT_FACTOR = 10
"""How many times its size before training the norm of the weights may reach while the loss rises so far."""


class DivergedError(InputError):
    """The loss, a weight or a metric became NaN, infinite or far too large, and no epoch before was of use."""


class TrainingWarning(UserWarning):
    """Training went astray and returned to the best epoch before."""


@dataclass(frozen=True)
class Start:
    """What training began with: the loss of its first batch before any step, and the L2 norm of all parameters."""

    loss: float
    norm: float


def remedy(settings: TrainSettings) -> str:
    """Return what helps against divergence."""
    return f"lower learning_rate (it is {settings.learning_rate:g}) or check the scale of the data"


def check_loss(value: float, epoch: int, settings: TrainSettings) -> None:
    """Refuse a loss that is NaN or infinite.

    Raises:
        DivergedError: it is.
    """
    if not math.isfinite(value):
        msg = f"the training loss became {value} in epoch {epoch}; {remedy(settings)}"
        raise DivergedError(msg)


def check_growth(loss: float, model: nn.Module, start: Start, epoch: int, settings: TrainSettings) -> None:
    """Refuse a mean loss far above the one that training began with, where the weights ran away as well.

    Both are asked for: a loss rises on purpose where weights, digits or bits go, or where it was near zero, but its
    weights do not grow then; weights that begin small grow while the loss falls.

    Raises:
        DivergedError: the loss rose by `LOSS_FACTOR` times its size and the weights grew `WEIGHT_FACTOR` fold.
    """
    if loss - start.loss <= LOSS_FACTOR * abs(start.loss):
        return
    norm = norm_of(model)
    if norm > WEIGHT_FACTOR * start.norm:
        msg = (
            f"the mean training loss rose from {start.loss:.3g} to {loss:.3g} in epoch {epoch}, and the L2 norm of the "
            f"weights from {start.norm:.3g} to {norm:.3g}; {remedy(settings)}"
        )
        raise DivergedError(msg)


@torch.no_grad()
def norm_of(model: nn.Module) -> float:
    """Return the L2 norm of all parameters of ``model`` together, in float64."""
    norms = [parameter.detach().double().norm() for parameter in model.parameters()]
    return float(torch.stack(norms).norm()) if norms else 0.0


@torch.no_grad()
def check_weights(model: nn.Module, epoch: int, settings: TrainSettings) -> None:
    """Refuse weights that are NaN or infinite.

    Raises:
        DivergedError: one is; the message names its tensor.
    """
    try:
        refuse_broken_model(model, f"they broke in epoch {epoch}; {remedy(settings)}")
    except InputError as error:
        raise DivergedError(str(error)) from error
