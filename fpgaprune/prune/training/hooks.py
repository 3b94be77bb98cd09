"""What a caller may plug into a training run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from torch import Tensor, nn

if TYPE_CHECKING:
    from fpgaprune.explained.history import Record

#: Called with the model after each optimiser step; pruned weights are set to zero once more after it.
AfterStep: TypeAlias = Callable[[nn.Module], None]


@dataclass(frozen=True)
class StepRecord:
    """One optimiser step: ``epoch`` and ``step`` count from 1, the step through all epochs of the run.

    ``loss`` is a scalar tensor on the model's device, so that reading it is left to who needs it.
    """

    epoch: int
    step: int
    loss: Tensor
    learning_rate: float


@dataclass(frozen=True)
class Hooks:
    """Functions that training calls; one that returns True ends the run that it is called in.

    ``on_step_end`` gets the model, its pruned weights at zero, after each step; ``on_epoch_end`` after each epoch is
    measured. What they change in the model is theirs to answer for: they are meant to look.
    """

    on_step_end: Callable[[nn.Module, StepRecord], bool | None] | None = None
    on_epoch_end: Callable[[nn.Module, Record], bool | None] | None = None
