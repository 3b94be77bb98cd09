"""What training minimises and what testing measures."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

import torch
from torch import Tensor
from torch.nn import functional

from fpgaprune.errors import FpgapruneError, InputError
from fpgaprune.prune.checks import one_line
from fpgaprune.prune.forward import Tensors, described, device_of, mode, moved, run
from fpgaprune.prune.misfit import misfitting_classes
from fpgaprune.several import as_tuple, mapped, one_or_more

if TYPE_CHECKING:
    from torch import nn

    from fpgaprune.prune.data import Batch, Data

_Value = TypeVar("_Value")

#: (model, batch on its device) → the loss as a scalar tensor: what a caller may give in place of a loss.
TrainStep: TypeAlias = "Callable[[nn.Module, Batch], Tensor]"
#: (outputs, targets) → a scalar tensor to minimise; a model of several outputs gives a tuple, as several targets do.
Loss: TypeAlias = Callable[[Any, Any], Tensor]
#: (all outputs, all targets) of the test data → a number, better when higher; tuples as in a loss.
Metric: TypeAlias = Callable[[Any, Any], "float | Tensor"]


def default_loss(outputs: Tensors, targets: Tensors) -> Tensor:
    """Return the cross-entropy for integer targets, with classes in dimension 1, else the mean squared error.

    Of several outputs with a target each it is the sum.

    Raises:
        InputError: there is not one target an output, or a shape differs.
    """
    losses = [_default_loss(*pair) for pair in _pairs(outputs, targets)]
    return losses[0] if len(losses) == 1 else torch.stack(losses).sum()


def default_metric(outputs: Tensors, targets: Tensors) -> Tensor:
    """Return the accuracy for integer targets, with classes in dimension 1, else the negative mean squared error.

    Of several outputs with a target each it is the mean.

    Raises:
        InputError: there is not one target an output, or a shape differs.
    """
    return torch.stack([_default_metric(*pair) for pair in _pairs(outputs, targets)]).mean()


def _pairs(outputs: Tensors, targets: Tensors) -> list[tuple[Tensor, Tensor]]:
    counts = len(as_tuple(outputs)), len(as_tuple(targets))
    if counts[0] != counts[1]:
        msg = f"the model has {counts[0]} outputs and the data {counts[1]} targets; give `loss` and `metric` that fit"
        raise InputError(msg)
    return list(zip(as_tuple(outputs), as_tuple(targets), strict=True))


def _default_loss(outputs: Tensor, targets: Tensor) -> Tensor:
    if targets.is_floating_point():
        return functional.mse_loss(_like(outputs, targets), targets)
    try:
        return functional.cross_entropy(outputs, targets.long())
    except (RuntimeError, IndexError, ValueError) as error:
        why = misfitting_classes(outputs, targets)
        if not why:
            raise
        raise InputError(why) from error


def _default_metric(outputs: Tensor, targets: Tensor) -> Tensor:
    if targets.is_floating_point():
        return -functional.mse_loss(_like(outputs, targets), targets)
    if why := misfitting_classes(outputs, targets):
        raise InputError(why)
    classes = outputs.argmax(dim=1)
    return (_like(classes, targets) == targets).double().mean()


def measured_loss(loss: Loss, outputs: Tensors, targets: Tensors) -> Tensor:
    """Return ``loss`` of one batch as a scalar tensor.

    Raises:
        InputError: the loss fails on these shapes, or returns no scalar.
    """
    return _scalar("loss", _called(loss, "loss", "outputs", outputs, targets))


def stepped_loss(train_step: TrainStep, model: nn.Module, batch: Batch) -> Tensor:
    """Return what the caller's ``train_step`` makes of one batch as a scalar tensor.

    Raises:
        InputError: it fails on this batch, or returns no scalar.
    """
    return _scalar("train_step", _called(lambda x, y: train_step(model, (x, y)), "train_step", "inputs", *batch))


def _scalar(what: str, value: object) -> Tensor:
    if not isinstance(value, Tensor) or value.ndim:
        given = f"one of {described(value)}" if isinstance(value, Tensor) else type(value).__name__
        msg = f"the {what} must return a scalar tensor, not {given}"
        raise InputError(msg)
    return value


@torch.no_grad()
def evaluate_metric(
    model: nn.Module, data: Data, metric: Metric | None = None, *, part: Literal["test", "validation"] = "test"
) -> float:
    """Return ``metric`` of ``model`` in evaluation mode over all test data; by default accuracy or negative MSE.

    With ``part`` it is measured on the validation part instead. No torch.autocast reaches it.

    Raises:
        InputError: the model or the metric does not run on the data, the metric is not finite, or there is no such
            part.
    """
    device = device_of(model)
    outputs, targets = [], []
    batches = data.test_batches() if part == "test" else data.validation_batches()
    with mode(model, training=False), torch.autocast(device.type, enabled=False):
        for x, y in batches:
            outputs.append(mapped(Tensor.cpu, run(model, moved(x, device))))
            targets.append(mapped(Tensor.cpu, y))
    measure, of = metric or default_metric, (_joined(outputs), _joined(targets))
    value = _called(lambda y, target: float(measure(y, target)), "metric", "outputs", *of)
    if not math.isfinite(value):
        msg = f"the metric of the model on the {part} data is {value}; check the scale of weights and data"
        raise InputError(msg)
    return value


def _like(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the outputs in the shape of the targets: (n, 1) becomes (n,); any other difference is refused."""
    if outputs.shape == (*targets.shape, 1):
        return outputs.squeeze(-1)
    if outputs.shape != targets.shape:
        msg = (
            f"predictions of shape {tuple(outputs.shape)} cannot be compared with targets of {described(targets)}; "
            "make the last layer give what the targets hold (labels of classes must be integers), or give `loss` and "
            "`metric`"
        )
        raise InputError(msg)
    return outputs


def _called(function: Callable[[Any, Any], _Value], what: str, kind: str, values: Tensors, targets: Tensors) -> _Value:
    try:
        return function(values, targets)
    except FpgapruneError:
        raise
    except Exception as error:
        on = f"{kind} of {described(values)} and targets of {described(targets)}"
        msg = f"the {what} does not run on {on}: {one_line(error)}"
        raise InputError(msg) from error


def _joined(batches: list[Tensors]) -> Tensors:
    return one_or_more(_stacked(list(column)) for column in zip(*map(as_tuple, batches), strict=True))


def _stacked(tensors: list[Tensor]) -> Tensor:
    try:
        return torch.cat(tensors)
    except RuntimeError as error:
        shapes = sorted({tuple(tensor.shape[1:]) for tensor in tensors})
        msg = f"the test batches have different shapes: {', '.join(map(str, shapes))}"
        raise InputError(msg) from error
