"""A small training loop that keeps pruned weights at zero and repeats exactly."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor, nn

from fpgaprune.errors import InputError
from fpgaprune.prune.checks import refuse_broken_model
from fpgaprune.prune.data import Data, batch_count
from fpgaprune.prune.forward import device_of, mode, moved, run
from fpgaprune.prune.history import History, Record
from fpgaprune.prune.masks import fill_zeros_
from fpgaprune.prune.objectives import Loss, Metric, default_loss, evaluate_metric, measured_loss
from fpgaprune.prune.progress import progress_bar
from fpgaprune.prune.seeding import local_seed, mix
from fpgaprune.prune.settings import Optimiser, TrainSettings
from fpgaprune.several import as_tuple

if TYPE_CHECKING:
    from fpgaprune.prune.forward import Tensors
    from fpgaprune.prune.masks import Masks

#: Called with the model after each optimiser step; pruned weights are set to zero once more after it.
AfterStep: TypeAlias = Callable[[nn.Module], None]


def train(
    model: nn.Module,
    data: Data,
    settings: TrainSettings,
    *,
    masks: Masks | None = None,
    after_step: AfterStep | None = None,
    loss: Loss | None = None,
    metric: Metric | None = None,
    progress: bool = True,
    label: str = "training",
) -> History:
    """Train ``model`` in place and return one record an epoch; equal arguments give equal weights, bit for bit.

    With ``masks``, pruned weights get no gradient and are set to zero after each step, so neither momentum nor
    weight decay nor ``after_step`` revives them. The global random generators of torch are left as they were.

    Raises:
        InputError: the masks or the data do not fit the model, it has nothing to train, or the loss or a weight
            becomes NaN or infinite.
    """
    holes = masks.holes(model) if masks is not None else ()
    sparsity = masks.sparsity if masks is not None else 0.0
    fill_zeros_(holes)
    if not settings.epochs:
        return History()
    batches = batch_count(data.train)
    records = []
    with (
        mode(model, training=True),
        local_seed(settings.seed),
        torch.enable_grad(),
        progress_bar(label, settings.epochs * (batches or 1), show=progress) as advance,
    ):
        loop = _Loop(model, settings, batches, _optimiser(model, settings), holes, after_step, loss or default_loss)
        for epoch in range(settings.epochs):
            mean_loss = loop.epoch(epoch, data, advance)
            value = evaluate_metric(model, data, metric)
            records.append(Record(step=0, epoch=epoch + 1, sparsity=sparsity, loss=mean_loss, metric=value))
        model.zero_grad(set_to_none=True)
    return History(tuple(records))


@dataclass(frozen=True)
class _Loop:
    model: nn.Module
    settings: TrainSettings
    batches: int | None
    optimiser: torch.optim.Optimizer
    holes: tuple[tuple[nn.Parameter, Tensor], ...]
    after_step: AfterStep | None
    loss: Loss

    def epoch(self, number: int, data: Data, advance: Callable[[], None]) -> float:
        total, samples = 0.0, 0
        for index, (x, y) in enumerate(data.train_batches(mix(self.settings.seed, number))):
            rate = cosine(self.settings.learning_rate, self._done(number, index))
            count = len(as_tuple(x)[0])
            total += self._step(x, y, rate, number + 1) * count
            samples += count
            advance()
        refuse_broken_model(self.model, self._calmer())
        return total / samples

    def _done(self, epoch: int, index: int) -> float:
        """Return the fraction of the run that is done; within an epoch of unknown length it stands still."""
        within = min(index / self.batches, 1.0) if self.batches else 0.0
        return (epoch + within) / self.settings.epochs

    def _step(self, x: Tensors, y: Tensors, rate: float, epoch: int) -> float:
        device = device_of(self.model)
        self.optimiser.zero_grad(set_to_none=True)
        loss = measured_loss(self.loss, run(self.model, moved(x, device)), moved(y, device))
        value = loss.item()
        if not math.isfinite(value):
            msg = f"the training loss became {value} in epoch {epoch}; {self._calmer()}"
            raise InputError(msg)
        torch.autograd.backward(loss)
        self._update(rate)
        return value

    def _calmer(self) -> str:
        return f"lower learning_rate (it is {self.settings.learning_rate:g}) or check the scale of the data"

    def _update(self, rate: float) -> None:
        for weight, hole in self.holes:
            if weight.grad is not None:
                weight.grad.masked_fill_(hole, 0)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.step()
        if self.after_step is not None:
            with torch.no_grad():
                self.after_step(self.model)
        fill_zeros_(self.holes)


def cosine(learning_rate: float, done: float) -> float:
    """Return the learning rate when the fraction ``done`` of the run is over (Loshchilov & Hutter 2017, eq. 5)."""
    return learning_rate * (1 + math.cos(math.pi * done)) / 2


def _optimiser(model: nn.Module, settings: TrainSettings) -> torch.optim.Optimizer:
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not parameters:
        msg = "the model has no parameter that can be trained (requires_grad); set epochs to 0 or unfreeze some"
        raise InputError(msg)
    rate, decay = settings.learning_rate, settings.weight_decay
    if settings.optimiser is Optimiser.ADAM:
        return torch.optim.Adam(parameters, lr=rate, weight_decay=decay)
    if settings.optimiser is Optimiser.ADAMW:
        return torch.optim.AdamW(parameters, lr=rate, weight_decay=decay)
    return torch.optim.SGD(parameters, lr=rate, momentum=settings.momentum, weight_decay=decay)
