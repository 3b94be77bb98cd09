"""One epoch of training: forward, backward, step, with pruned weights at zero throughout."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from fpgaprune.errors import InputError
from fpgaprune.prune.checks import one_line
from fpgaprune.prune.forward import moved, run
from fpgaprune.prune.objectives import measured_loss, stepped_loss
from fpgaprune.prune.seeding import mix
from fpgaprune.prune.training.diverged import Start, check_growth, check_loss, check_weights, norm_of
from fpgaprune.prune.training.hooks import StepRecord
from fpgaprune.prune.training.optimisers import clear_gradients, update
from fpgaprune.prune.training.rates import learning_rate
from fpgaprune.several import as_tuple, mapped

if TYPE_CHECKING:
    from collections.abc import Callable

    from fpgaprune.prune.data import Batch, Data
    from fpgaprune.prune.objectives import Loss, TrainStep
    from fpgaprune.prune.settings import TrainSettings
    from fpgaprune.prune.training.hooks import Hooks
    from fpgaprune.prune.training.wiring import Wiring

CHECK_EVERY = 50
"""Steps between looks at the loss; each look waits for the device to finish."""


@dataclass
class Loop:
    """The parts of a run that its epochs share; ``steps`` counts steps so far, ``start`` is from before the first."""

    model: nn.Module
    settings: TrainSettings
    wiring: Wiring
    optimiser: torch.optim.Optimizer
    loss: Loss
    train_step: TrainStep | None
    hooks: Hooks
    device: torch.device
    batches: int | None
    steps: int = 0
    start: Start | None = None

    def epoch(self, number: int, data: Data, advance: Callable[[], None]) -> tuple[float, bool]:
        """Train for epoch ``number``, from 0 on, and return the mean loss and whether a hook asked to stop.

        Raises:
            DivergedError: the loss or a weight became NaN or infinite, or both far larger than at the start.
            InputError: the model or the loss does not run on the data.
        """
        losses, asked = _Losses(), False
        for index, batch in enumerate(data.train_batches(mix(self.settings.seed, number))):
            loss, asked = self._step(number, index, batch)
            losses.add(loss, len(as_tuple(batch[0])[0]))
            advance()
            if asked:
                break
            if index % CHECK_EVERY == CHECK_EVERY - 1:
                self._check(losses.mean(), number + 1)
        self._check(losses.mean(), number + 1)
        check_weights(self.model, number + 1, self.settings)
        self.wiring.fill()
        return losses.mean(), asked

    def _check(self, mean: float, epoch: int) -> None:
        check_loss(mean, epoch, self.settings)
        if self.start is not None:
            check_growth(mean, self.model, self.start, epoch, self.settings)

    def _step(self, epoch: int, index: int, batch: Batch) -> tuple[Tensor, bool]:
        self.steps += 1
        clear_gradients(self.optimiser)
        loss = self._loss((moved(batch[0], self.device), moved(batch[1], self.device)))
        if self.start is None:
            self.start = Start(float(loss.detach()), norm_of(self.model))
        _backward(loss)
        within, width = self._place(index)
        rate = learning_rate(self.settings, epoch + within, width)
        if not self.wiring.rewire((epoch + within) / self.settings.epochs, self.steps, self.optimiser):
            self._update(rate)
        loss = loss.detach()
        hook = self.hooks.on_step_end
        return loss, hook is not None and bool(hook(self.model, StepRecord(epoch + 1, self.steps, loss, rate)))

    def _place(self, index: int) -> tuple[float, float]:
        """Return which share of the epoch is over before a step, and which share it takes.

        In an epoch of unknown length time stands still, and one step takes all of it.
        """
        return (min(index / self.batches, 1.0), 1 / self.batches) if self.batches else (0.0, 1.0)

    def _loss(self, batch: Batch) -> Tensor:
        if not self.settings.amp:
            return self._plain_loss(batch)
        torch.clear_autocast_cache()  # of weights before the last step; only the outermost block clears it by itself
        with torch.autocast(self.device.type, dtype=torch.bfloat16):
            if self.train_step is not None:
                return stepped_loss(self.train_step, self.model, batch)
            outputs = run(self.model, batch[0])
        return measured_loss(self.loss, mapped(_widened, outputs), batch[1])

    def _plain_loss(self, batch: Batch) -> Tensor:
        if self.train_step is not None:
            return stepped_loss(self.train_step, self.model, batch)
        return measured_loss(self.loss, run(self.model, batch[0]), batch[1])

    def _update(self, rate: float) -> None:
        self.wiring.silence()
        if self.settings.clip_norm:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.clip_norm)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        update(self.optimiser)
        self.wiring.settle()


@dataclass
class _Losses:
    """The mean loss over samples; the losses stay on their device until it is asked for."""

    total: float = 0.0
    samples: int = 0
    waiting: list[Tensor] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)

    def add(self, loss: Tensor, samples: int) -> None:
        """Add the loss of a batch."""
        self.waiting.append(loss)
        self.counts.append(samples)

    def mean(self) -> float:
        """Return the mean so far."""
        if self.waiting:
            values = torch.stack(self.waiting).tolist()
            self.total += sum(value * count for value, count in zip(values, self.counts, strict=True))
            self.samples += sum(self.counts)
            self.waiting, self.counts = [], []
        return self.total / self.samples


def _widened(outputs: Tensor) -> Tensor:
    return outputs.float() if outputs.dtype is torch.bfloat16 else outputs


def _backward(loss: Tensor) -> None:
    try:
        torch.autograd.backward(loss)
    except RuntimeError as error:
        remedy = "; set deterministic to false to allow it" if "deterministic" in str(error) else ""
        msg = f"the loss has no gradient: {one_line(error)}{remedy}"
        raise InputError(msg) from error
