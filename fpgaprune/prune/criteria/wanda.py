"""Weights by the size of what they are multiplied with."""

from __future__ import annotations

import inspect
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from fpgaprune.errors import InputError
from fpgaprune.prune.checks import refuse_nonfinite
from fpgaprune.prune.criteria.inputs import observer
from fpgaprune.prune.criteria.replica import replica, zeros

if TYPE_CHECKING:
    from collections.abc import Callable

    from fpgaprune.prune.criteria.context import Context, Scores, Weights
    from fpgaprune.prune.criteria.inputs import Observer, Squares
    from fpgaprune.prune.criteria.replica import Replica


def wanda(weights: Weights, context: Context) -> Scores:
    """Return |w|·‖x‖₂ for each weight, x all that it is multiplied with.

    The norm runs over the samples and, in convolutions and sequences, over the positions that the weight sees, with
    padding as it is; of a weight that several modules share it takes the inputs of all. Sun et al. 2024, "A simple and
    effective pruning approach for large language models".

    Raises:
        InputError: there is no data, an input is NaN or infinite, or a weight is used without its module.
    """
    with replica("wanda", weights, context) as work, torch.no_grad():
        sums = _sums_of_squares(work)
        refuse_nonfinite(sums, "the sums of squared inputs", "check the scale of weights and data")
        return {name: weight.detach().abs() * sums[name].sqrt() for name, weight in work.weights.items()}


def _sums_of_squares(work: Replica) -> dict[str, Tensor]:
    sums, seen = zeros(work.weights), set()
    names = {id(weight): name for name, weight in work.weights.items()}

    def add(squares: Squares) -> None:
        for parameter, found in squares:
            if name := names.get(id(parameter)):
                sums[name] += found
                seen.add(name)

    with ExitStack() as hooks:
        for module in work.model.modules():
            if (observe := observer(module)) is not None:
                handle = module.register_forward_pre_hook(_hook(observe, add), with_kwargs=True)
                hooks.callback(handle.remove)
        for batch in work.batches:
            work.forward(batch)
    _refuse_unseen(sums, seen)
    return sums


def _hook(observe: Observer, add: Callable[[Squares], None]) -> Callable[..., None]:
    def hook(module: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        bound = inspect.signature(module.forward).bind(*arguments, **named)
        bound.apply_defaults()
        add(observe(*bound.args))

    return hook


def _refuse_unseen(sums: dict[str, Tensor], seen: set[str]) -> None:
    for name in sums:
        if name not in seen:
            msg = f"'wanda' saw no input of {name!r}, as no module that holds it is called; use 'taylor' or 'magnitude'"
            raise InputError(msg)
