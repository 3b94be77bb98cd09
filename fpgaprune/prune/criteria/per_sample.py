"""Second derivatives and squared gradients of the loss, summed over single samples."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor
from torch.func import grad, jacrev

from fpgaprune.errors import InputError
from fpgaprune.prune.checks import refuse_nonfinite
from fpgaprune.prune.criteria.replica import REMEDY, count, zeros
from fpgaprune.prune.criteria.rows import announce_loop, at_once, one_by_one, picked, refusal, rows_at_once
from fpgaprune.prune.objectives import measured_loss
from fpgaprune.several import as_tuple, one_or_more

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fpgaprune.prune.criteria.replica import Replica
    from fpgaprune.prune.data import Batch
    from fpgaprune.prune.forward import Tensors

#: (inputs, targets) of one sample, without the dimension of the batch → a tensor for each weight.
OfSample: TypeAlias = "Callable[[Tensors, Tensors], dict[str, Tensor]]"

#: The most outputs a sample that second derivatives are taken of.
MOST_OUTPUTS = 1024

_CLOSE = 1e-3  # of a loss in float32, whose sum over a batch is rounded


def squared_gradients(work: Replica, criterion: str) -> dict[str, Tensor]:
    """Return the mean over the samples of the squared gradient of the loss of each, of the weights' shapes, in float64.

    This is the diagonal of the empirical Fisher information (Kunstner et al. 2019, "Limitations of the empirical Fisher
    approximation").

    Raises:
        InputError: a gradient is NaN or infinite, or the loss of a batch is not the mean over its samples.
    """

    def squares(x: Tensors, y: Tensors) -> dict[str, Tensor]:
        gradients = grad(lambda weights: work.loss(_alone(x, y), weights))(dict(work.weights))
        return {name: gradient.double() ** 2 for name, gradient in gradients.items()}

    return _mean(work, criterion, squares, squares, outputs=1)


def hessian_diagonal(work: Replica, criterion: str) -> dict[str, Tensor]:
    """Return the second derivative of the loss for each weight, of the weights' shapes, in float64.

    It is the diagonal of Jᵀ·H·J, where J is the Jacobian of the outputs and H the Hessian of the loss for them
    (Gauss-Newton; LeCun et al. 1990, "Optimal Brain Damage", take the same). That is the diagonal of the whole
    Hessian wherever the outputs depend piecewise linearly on each single weight: ReLU, max and mean pooling,
    convolutions, batch norm in evaluation. Elsewhere the curvature of the activations is left out.

    Raises:
        InputError: a sample has more than `MOST_OUTPUTS` outputs, a derivative is NaN or infinite, the loss of a
            batch is not the mean over its samples, or there is a train_step.
    """
    outputs = _outputs(work, criterion)
    at_once_, one_by_one_ = (partial(_curvature, work, chunk) for chunk in (None, 1))
    # The backward pass of oneDNN's LSTM, which takes float32 alone, fails under jacrev; that of torch itself does not.
    with torch.backends.mkldnn.flags(enabled=False, deterministic=None, allow_tf32=None):
        return _mean(work, criterion, at_once_, one_by_one_, outputs)


def _curvature(work: Replica, chunk: int | None, x: Tensors, y: Tensors) -> dict[str, Tensor]:
    """Return the curvature for one sample; with a ``chunk`` of 1, jacrev does without vmap."""
    inputs, targets = _alone(x, y)
    with torch.no_grad():
        outputs = as_tuple(work.outputs(inputs))
    jacobian = jacrev(lambda weights: _flat(work.outputs(inputs, weights)), chunk_size=chunk)(dict(work.weights))

    def loss(flat: Tensor) -> Tensor:
        parts = zip(torch.split(flat, [part.numel() for part in outputs]), outputs, strict=True)
        return measured_loss(work.loss_function, one_or_more(part.view_as(like) for part, like in parts), targets)

    hessian = jacrev(grad(loss), chunk_size=chunk)(_flat(outputs)).double()
    return {name: _diagonal(matrix.double(), hessian) for name, matrix in jacobian.items()}


def _diagonal(jacobian: Tensor, hessian: Tensor) -> Tensor:
    """Return the diagonal of Jᵀ·H·J for J of shape (outputs, …) and H of shape (outputs, outputs)."""
    flat = jacobian.flatten(1)
    return (flat * (hessian @ flat)).sum(0).view(jacobian.shape[1:])


def _flat(outputs: Tensors) -> Tensor:
    return torch.cat([part.flatten() for part in as_tuple(outputs)])


def _alone(x: Tensors, y: Tensors) -> Batch:
    return picked(x, None), picked(y, None)


@torch.no_grad()
def _outputs(work: Replica, criterion: str) -> int:
    """Return how many outputs a sample has."""
    if work.train_step is not None:
        msg = f"the criterion {criterion!r} needs the loss of the outputs, not a train_step; use 'fisher' or 'taylor'"
        raise InputError(msg)
    batch = work.batches[0]
    outputs = sum(part.numel() for part in as_tuple(work.outputs(batch[0]))) // count(batch)
    if outputs > MOST_OUTPUTS:
        msg = (
            f"the criterion {criterion!r} takes second derivatives of at most {MOST_OUTPUTS} outputs a sample, and "
            f"the model has {outputs}; use 'fisher', 'taylor' or 'sensitivity-first'"
        )
        raise InputError(msg)
    return outputs


@torch.no_grad()  # the gradients within are those of torch.func
def _mean(work: Replica, criterion: str, mappable: OfSample, loopable: OfSample, outputs: int) -> dict[str, Tensor]:
    _refuse_no_mean(work, criterion)
    rows = rows_at_once(outputs * sum(weight.numel() for weight in work.weights.values()))
    reason = refusal(mappable, *next(_pieces(work.batches[0], 1)))
    if reason is not None:
        announce_loop("the samples", reason)
    sums = zeros(work.weights)
    for batch in work.batches:
        for piece in _pieces(batch, rows):
            found = at_once(mappable, *piece) if reason is None else one_by_one(loopable, *piece)
            for name, total in sums.items():
                total += found[name].sum(0)
    refuse_nonfinite(sums, "the sum of derivatives of the loss", REMEDY)
    return {name: total / work.samples for name, total in sums.items()}


def _pieces(batch: Batch, rows: int) -> Iterator[Batch]:
    x, y = batch
    for start in range(0, count(batch), rows):
        piece = slice(start, start + rows)
        yield picked(x, piece), picked(y, piece)


def _refuse_no_mean(work: Replica, criterion: str) -> None:
    batch = work.batches[0]
    whole = float(work.loss(batch))
    mean = sum(float(work.loss(piece)) for piece in _pieces(batch, 1)) / count(batch)
    if abs(whole - mean) > _CLOSE * max(abs(whole), abs(mean)):
        msg = (
            f"the criterion {criterion!r} takes the loss of a batch for the mean over its samples, but it is {whole:g} "
            f"on the first batch, whose samples alone have the mean {mean:g}; use 'taylor' or 'sensitivity-first'"
        )
        raise InputError(msg)
