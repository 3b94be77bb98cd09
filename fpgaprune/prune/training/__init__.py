"""Training that keeps pruned weights at zero and repeats exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fpgaprune.explained.history import History
from fpgaprune.prune.checks import refuse_no_module
from fpgaprune.prune.data import refuse_no_data
from fpgaprune.prune.split import split_validation
from fpgaprune.prune.training.diverged import DivergedError, TrainingWarning
from fpgaprune.prune.training.environment import on_device, usable_device
from fpgaprune.prune.training.hooks import AfterStep, Hooks, StepRecord
from fpgaprune.prune.training.resume import resumed_training
from fpgaprune.prune.training.trainer import Means, Trainer
from fpgaprune.prune.training.wiring import Wiring

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from torch import nn

    from fpgaprune.prune.data import Data
    from fpgaprune.prune.masks import Masks
    from fpgaprune.prune.objectives import Loss, Metric, TrainStep
    from fpgaprune.prune.settings import TrainSettings

__all__ = ["AfterStep", "DivergedError", "Hooks", "StepRecord", "TrainingWarning", "train"]


def train(
    model: nn.Module,
    data: Data,
    settings: TrainSettings,
    *,
    masks: Masks | None = None,
    after_step: AfterStep | None = None,
    loss: Loss | None = None,
    metric: Metric | None = None,
    train_step: TrainStep | None = None,
    hooks: Hooks | None = None,
    device: str | torch.device | None = None,
    checkpoint: Path | str | None = None,
    purpose: str = "",
    progress: bool = True,
    label: str = "training",
) -> History:
    """Train ``model`` in place and return one record an epoch; equal arguments give equal weights, bit for bit.

    With ``masks``, pruned weights get no gradient and are set to zero after each step, so neither momentum nor
    weight decay nor ``after_step`` revives them. ``train_step`` takes the place of the model's outputs and ``loss``.
    The model is on ``device`` while it is trained; ``auto`` is CUDA where there is one, and None where it is already.
    ``checkpoint`` is a folder that is kept up to date after each epoch; a call with the same arguments goes on from
    there. ``purpose`` is what else the training depends on, such as a recipe, so that one for another is refused.
    Where the data has a validation part, or the settings split one off, the weights are those of its best epoch in the
    end. The global random generators of torch are left as they were.

    Raises:
        DivergedError: the loss or a weight became NaN, infinite or far too large before any epoch was of use; the
            weights are those from before. After one, the best epoch's are put back, with a `TrainingWarning` and an
            event.
        InputError: the masks or the data do not fit the model, the device or the checkpoint cannot be used, or there is
            nothing to train.
    """
    refuse_no_module(model)
    refuse_no_data(data)
    with on_device(model, usable_device(device, model)):
        wiring = Wiring(model, masks, after_step)
        if not settings.epochs:
            return History()
        means = Means(loss, metric, train_step, hooks or Hooks(), progress)
        trainer = Trainer(model, split_validation(data, settings.validation), settings, wiring, means, label)
        return trainer.run() if checkpoint is None else resumed_training(trainer, checkpoint, purpose)
