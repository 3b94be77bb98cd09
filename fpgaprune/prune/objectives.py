"""What training minimises and what testing measures."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import torch
from torch import Tensor
from torch.nn import functional

from fpgaprune.errors import FpgapruneError, InputError
from fpgaprune.prune.checks import one_line
from fpgaprune.prune.forward import described, device_of, mode, run

if TYPE_CHECKING:
    from torch import nn

    from fpgaprune.prune.data import Data

_Value = TypeVar("_Value")

#: (outputs, targets) → a scalar tensor to minimise.
Loss: TypeAlias = Callable[[Tensor, Tensor], Tensor]
#: (all outputs, all targets) of the test data → a number, better when higher.
Metric: TypeAlias = Callable[[Tensor, Tensor], "float | Tensor"]


def default_loss(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the cross-entropy for integer targets, with classes in dimension 1, else the mean squared error."""
    if targets.is_floating_point():
        return functional.mse_loss(_like(outputs, targets), targets)
    return functional.cross_entropy(outputs, targets.long())


def default_metric(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the accuracy for integer targets, with classes in dimension 1, else the negative mean squared error."""
    if targets.is_floating_point():
        return -functional.mse_loss(_like(outputs, targets), targets)
    classes = outputs.argmax(dim=1)
    return (_like(classes, targets) == targets).double().mean()


def measured_loss(loss: Loss, outputs: Tensor, targets: Tensor) -> Tensor:
    """Return ``loss`` of one batch as a scalar tensor.

    Raises:
        InputError: the loss fails on these shapes, or returns no scalar.
    """
    value = _called(loss, "loss", outputs, targets)
    if not isinstance(value, Tensor) or value.ndim:
        given = f"one of {described(value)}" if isinstance(value, Tensor) else type(value).__name__
        msg = f"the loss must return a scalar tensor, not {given}"
        raise InputError(msg)
    return value


@torch.no_grad()
def evaluate_metric(model: nn.Module, data: Data, metric: Metric | None = None) -> float:
    """Return ``metric`` of ``model`` in evaluation mode over all test data; by default accuracy or negative MSE.

    Raises:
        InputError: the model or the metric does not run on the test data, or the metric is not finite.
    """
    device = device_of(model)
    outputs, targets = [], []
    with mode(model, training=False):
        for x, y in data.test_batches():
            outputs.append(run(model, x.to(device)).cpu())
            targets.append(y.cpu())
    measure = metric or default_metric
    value = _called(lambda y, target: float(measure(y, target)), "metric", _joined(outputs), _joined(targets))
    if not math.isfinite(value):
        msg = f"the metric of the model on the test data is {value}; check the scale of weights and data"
        raise InputError(msg)
    return value


def _like(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the outputs in the shape of the targets: (n, 1) becomes (n,); any other difference is refused."""
    if outputs.shape == (*targets.shape, 1):
        return outputs.squeeze(-1)
    if outputs.shape != targets.shape:
        msg = f"predictions of shape {tuple(outputs.shape)} cannot be compared with targets of {described(targets)}"
        raise InputError(msg)
    return outputs


def _called(function: Callable[[Tensor, Tensor], _Value], what: str, outputs: Tensor, targets: Tensor) -> _Value:
    try:
        return function(outputs, targets)
    except FpgapruneError:
        raise
    except Exception as error:
        msg = (
            f"the {what} does not run on outputs of {described(outputs)} "
            f"and targets of {described(targets)}: {one_line(error)}"
        )
        raise InputError(msg) from error


def _joined(tensors: list[Tensor]) -> Tensor:
    try:
        return torch.cat(tensors)
    except RuntimeError as error:
        shapes = sorted({tuple(tensor.shape[1:]) for tensor in tensors})
        msg = f"the test batches have different shapes: {', '.join(map(str, shapes))}"
        raise InputError(msg) from error
