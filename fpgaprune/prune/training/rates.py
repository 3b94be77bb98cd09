"""The learning rate of each optimiser step."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from typing_extensions import assert_never

from fpgaprune.prune.settings import Rate

if TYPE_CHECKING:
    from fpgaprune.prune.settings import TrainSettings


def learning_rate(settings: TrainSettings, done: float, step: float) -> float:
    """Return the rate of an optimiser step before which ``done`` epochs are over, and which takes ``step`` of one.

    During warm-up it is the share that will be over after the step, so that the first step moves as well; what comes
    after begins at the full rate.
    """
    if done < settings.warm_up:
        return settings.learning_rate * min((done + step) / settings.warm_up, 1.0)
    return settings.learning_rate * _factor(settings, done - settings.warm_up, settings.epochs - settings.warm_up)


def _factor(settings: TrainSettings, done: float, epochs: int) -> float:
    if settings.rate is Rate.COSINE:
        return (1 + math.cos(math.pi * done / epochs)) / 2
    if settings.rate is Rate.CONSTANT:
        return 1.0
    if settings.rate is Rate.STEP:
        return settings.step_factor ** math.floor(done / settings.step_epochs)
    assert_never(settings.rate)
