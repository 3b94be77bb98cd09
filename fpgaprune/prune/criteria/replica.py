"""A copy of the model to measure on, so that the caller's own stays as it is."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel

from fpgaprune.errors import InputError
from fpgaprune.prune.checks import refuse_nonfinite
from fpgaprune.prune.criteria.rows import picked
from fpgaprune.prune.forward import copied, device_of, moved, run
from fpgaprune.prune.objectives import measured_loss, stepped_loss
from fpgaprune.prune.seeding import local_seed
from fpgaprune.several import as_tuple, mapped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fpgaprune.prune.criteria.context import Context, Weights
    from fpgaprune.prune.data import Batch, Data
    from fpgaprune.prune.forward import Tensors
    from fpgaprune.prune.objectives import Loss, TrainStep

#: What to do about derivatives that are not finite.
REMEDY = "check the loss and the scale of weights and data"


@dataclass(frozen=True)
class Replica:
    """A copy of the model in evaluation mode, pruned by the masks so far, with the batches to measure on.

    ``weights`` are those of the copy that are to be scored. The loss of all samples is the mean of the losses of the
    batches, weighted by their numbers of samples.
    """

    model: nn.Module
    weights: dict[str, nn.Parameter]
    batches: tuple[Batch, ...]
    loss_function: Loss
    train_step: TrainStep | None = None

    @property
    def samples(self) -> int:
        """Return how many samples the batches hold."""
        return sum(map(count, self.batches))

    def loss(self, batch: Batch, weights: Mapping[str, Tensor] | None = None) -> Tensor:
        """Return the loss of a batch as a scalar tensor, with other ``weights`` in the place of some."""
        if weights is None:
            return self._step(self.model, batch)
        within = {f"model.{name}": weight for name, weight in weights.items()}
        loss: Tensor = functional_call(_Stepped(self.model, self._step), within, batch)
        return loss

    def _step(self, model: nn.Module, batch: Batch) -> Tensor:
        if self.train_step is not None:
            return stepped_loss(self.train_step, model, batch)
        x, y = batch
        return measured_loss(self.loss_function, run(model, x), y)

    def forward(self, batch: Batch) -> None:
        """Run the model on a batch as training would."""
        if self.train_step is not None:
            self._step(self.model, batch)
        else:
            self.outputs(batch[0])

    def outputs(self, x: Tensors, weights: Mapping[str, Tensor] | None = None) -> Tensors:
        """Return the outputs for inputs of shape (batch, …), with other ``weights`` in the place of some."""
        return run(self.model if weights is None else partial(_called, self.model, weights), x)

    def gradients(self, batch: Batch, parameters: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Return the gradient of the loss of a batch with respect to each parameter; zeros where it has no part.

        Raises:
            InputError: the loss cannot be differentiated.
        """
        loss = self.loss(batch)
        if not loss.requires_grad:
            msg = "the loss does not depend on the weights by autograd; leave out detach and no_grad in model and loss"
            raise InputError(msg)
        return torch.autograd.grad(loss, parameters, materialize_grads=True)

    def mean_gradients(self, batches: Sequence[Batch] | None = None) -> dict[str, Tensor]:
        """Return the gradient of the loss of some or all batches for each weight, summed up in float64.

        Raises:
            InputError: the loss cannot be differentiated, or a gradient is NaN or infinite.
        """
        chosen = self.batches if batches is None else batches
        sums = zeros(self.weights)
        for batch in chosen:
            for total, gradient in zip(sums.values(), self.gradients(batch, list(self.weights.values())), strict=True):
                total += gradient.double() * count(batch)
        refuse_nonfinite(sums, "the gradient of the loss", REMEDY)
        return {name: total / sum(map(count, chosen)) for name, total in sums.items()}


class _Stepped(nn.Module):
    """A module whose output is the loss of a batch, so that functional_call replaces weights wherever it reads them."""

    def __init__(self, model: nn.Module, step: TrainStep) -> None:
        super().__init__()
        self.model, self.step = model, step

    def forward(self, x: Tensors, y: Tensors) -> Tensor:
        return self.step(self.model, (x, y))


@contextmanager
def replica(criterion: str, weights: Weights, context: Context, dtype: torch.dtype | None = None) -> Iterator[Replica]:
    """Yield a replica for ``criterion``, in ``dtype`` or the types of the model; equal arguments give equal batches.

    Within the block every operation can be differentiated and the global generators are seeded.

    Raises:
        InputError: there is no data, or it holds what is no batch.
    """
    data = context.needed_data(criterion)
    model = copied(context.model).eval()
    if context.masks is not None:
        context.masks.apply_(model)
    model = model if dtype is None else model.to(dtype)
    chosen = {name: model.get_parameter(name) for name in weights}
    for weight in chosen.values():
        weight.requires_grad_()
    with _differentiable(device_of(model)), local_seed(context.seed):
        batches = tuple(_on(device_of(model), dtype, batch) for batch in first_samples(data, context.samples))
        yield Replica(model, chosen, batches, context.loss, context.train_step)


def first_samples(data: Data, samples: int) -> Iterator[Batch]:
    """Yield the first training batches, the last one cut, until they hold ``samples`` samples or the data ends."""
    left = samples
    for x, y in data.train_batches():
        batch = picked(x, slice(left)), picked(y, slice(left))
        yield batch
        left -= count(batch)
        if not left:
            return


def count(batch: Batch) -> int:
    """Return the number of samples in a batch."""
    return len(as_tuple(batch[0])[0])


def zeros(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return sums in float64, of the shapes of the weights, that begin at zero."""
    return {name: torch.zeros_like(weight, dtype=torch.float64) for name, weight in weights.items()}


def _called(model: nn.Module, weights: Mapping[str, Tensor], *inputs: Tensor) -> object:
    return functional_call(model, dict(weights), inputs)


def _on(device: torch.device, dtype: torch.dtype | None, batch: Batch) -> Batch:
    def converted(tensor: Tensor) -> Tensor:
        return tensor.to(dtype) if tensor.is_floating_point() else tensor

    x, y = batch
    return mapped(converted, moved(x, device)), mapped(converted, moved(y, device))


@contextmanager
def _differentiable(device: torch.device) -> Iterator[None]:
    """Let autograd and vmap see every operation: no fused kernels of attention or of cuDNN, and no torch.autocast."""
    fused = torch.backends.mha.get_fastpath_enabled()
    with ExitStack() as stack:
        stack.enter_context(torch.enable_grad())
        stack.enter_context(torch.autocast(device.type, enabled=False))
        stack.enter_context(torch.backends.cudnn.flags(enabled=False))
        stack.enter_context(sdpa_kernel(SDPBackend.MATH))
        torch.backends.mha.set_fastpath_enabled(False)
        stack.callback(torch.backends.mha.set_fastpath_enabled, fused)
        yield
