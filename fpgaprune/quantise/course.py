"""One training of a quantised network: on what, how, and by what it is judged."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fpgaprune.errors import InputError
from fpgaprune.prune.masks import Masks
from fpgaprune.prune.training import train

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from torch import nn

    from fpgaprune.explained.history import History, Record
    from fpgaprune.prune.data import Data
    from fpgaprune.prune.settings import TrainSettings
    from fpgaprune.prune.training import AfterStep
    from fpgaprune.prune.training.trainer import Means
    from fpgaprune.quantise.steps import QuantisedNetwork


@dataclass(frozen=True)
class Course:
    """The data and the settings of a training, what the caller brings along, and where it runs.

    ``checkpoint`` is the folder that it is kept up to date in, and ``purpose`` what else it depends on.
    """

    data: Data
    settings: TrainSettings
    means: Means
    device: str | torch.device | None = None
    checkpoint: Path | None = None
    purpose: str = ""

    def train(self, module: QuantisedNetwork, after_step: AfterStep, label: str) -> History:
        """Train ``module`` in place, weights that are zero excepted, and return one record an epoch.

        Raises:
            InputError: as `fpgaprune.prune.training.train`, or a train_step reads what only the caller's model has.
        """
        means = self.means
        try:
            return train(
                module,
                self.data,
                self.settings,
                masks=Masks.of_nonzeros(module),
                after_step=after_step,
                loss=means.loss,
                metric=means.metric,
                train_step=means.train_step,
                hooks=means.hooks,
                device=self.device,
                checkpoint=self.checkpoint,
                purpose=self.purpose,
                progress=means.progress,
                label=label,
            )
        except InputError as error:
            if means.train_step is None or type(module).__name__ not in str(error.__cause__):
                raise
            msg = f"{error}; the network in fixed point has none of the model's layers, so call it as a whole"
            raise InputError(msg) from error

    def at_step(self, step: int) -> Course:
        """Return the course with hooks that are told records as those of ``step`` of the history."""
        hooks = self.means.hooks
        told = hooks.on_epoch_end
        if told is None:
            return self

        def on_epoch_end(model: nn.Module, record: Record) -> bool | None:
            return told(model, replace(record, step=step))

        return replace(self, means=replace(self.means, hooks=replace(hooks, on_epoch_end=on_epoch_end)))
