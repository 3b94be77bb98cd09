"""One training of a quantised network: on what, how, and by what it is judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fpgaprune.prune.masks import Masks
from fpgaprune.prune.training import train

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from fpgaprune.explained.history import History
    from fpgaprune.prune.data import Data
    from fpgaprune.prune.objectives import Loss, Metric
    from fpgaprune.prune.settings import TrainSettings
    from fpgaprune.prune.training import AfterStep
    from fpgaprune.quantise.steps import QuantisedNetwork


@dataclass(frozen=True)
class Course:
    """The data, the settings and the objectives of a training, whether it shows its progress, and where it runs.

    ``checkpoint`` is the folder that it is kept up to date in, and ``purpose`` what else it depends on.
    """

    data: Data
    settings: TrainSettings
    loss: Loss | None
    metric: Metric | None
    progress: bool
    device: str | torch.device | None = None
    checkpoint: Path | None = None
    purpose: str = ""

    def train(self, module: QuantisedNetwork, after_step: AfterStep, label: str) -> History:
        """Train ``module`` in place, weights that are zero excepted, and return one record an epoch.

        Raises:
            InputError: as `fpgaprune.prune.training.train`.
        """
        return train(
            module,
            self.data,
            self.settings,
            masks=Masks.of_nonzeros(module),
            after_step=after_step,
            loss=self.loss,
            metric=self.metric,
            device=self.device,
            checkpoint=self.checkpoint,
            purpose=self.purpose,
            progress=self.progress,
            label=label,
        )
