"""Training that went astray: a loss, a weight or a metric became NaN or infinite."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from fpgaprune.errors import InputError
from fpgaprune.prune.checks import refuse_broken_model

if TYPE_CHECKING:
    from torch import nn

    from fpgaprune.prune.settings import TrainSettings


class DivergedError(InputError):
    """The loss, a weight or a metric became NaN or infinite, and no epoch before was of use."""


class TrainingWarning(UserWarning):
    """Training went astray and returned to the best epoch before."""


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
