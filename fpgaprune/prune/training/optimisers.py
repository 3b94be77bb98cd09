"""The optimiser of a training run, and its state as tensors."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from typing_extensions import assert_never

from fpgaprune.errors import InputError
from fpgaprune.prune.settings import Optimiser

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

    from fpgaprune.prune.settings import TrainSettings


def make_optimiser(model: nn.Module, settings: TrainSettings) -> torch.optim.Optimizer:
    """Return an optimiser of torch over the parameters of ``model`` that require gradients.

    Raises:
        InputError: there is no such parameter.
    """
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not parameters:
        msg = "the model has no parameter that can be trained (requires_grad); set epochs to 0 or unfreeze some"
        raise InputError(msg)
    rate, decay = settings.learning_rate, settings.weight_decay
    fused = True if all(map(_fusible, parameters)) else None
    if settings.optimiser is Optimiser.ADAM:
        return torch.optim.Adam(parameters, lr=rate, weight_decay=decay, fused=fused)
    if settings.optimiser is Optimiser.ADAMW:
        return torch.optim.AdamW(parameters, lr=rate, weight_decay=decay, fused=fused)
    if settings.optimiser is Optimiser.SGD:
        return torch.optim.SGD(parameters, lr=rate, momentum=settings.momentum, weight_decay=decay)
    assert_never(settings.optimiser)


def _fusible(parameter: nn.Parameter) -> bool:
    """Return whether torch computes a step of Adam on such parameters in one kernel."""
    return parameter.is_floating_point() and parameter.device.type in ("cpu", "cuda")


def update(optimiser: torch.optim.Optimizer) -> None:
    """Do what ``step`` does within what tells a profiler of it and calls hooks: for small networks, that takes long.

    Fused steps leave the versions of parameters as they were; what is remembered of parameters goes by these.
    """
    with torch.no_grad():
        inspect.unwrap(type(optimiser).step)(optimiser)
    for group in optimiser.param_groups:
        torch.autograd.graph.increment_version(group["params"])


def clear_gradients(optimiser: torch.optim.Optimizer) -> None:
    """Do what ``zero_grad`` does within what tells a profiler of it."""
    for group in optimiser.param_groups:
        for parameter in group["params"]:
            parameter.grad = None


def state_of(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return the state of ``optimiser`` as tensors under ``NUMBER.NAME``, the number being that of the parameter.

    What is no tensor is left out: an entry of None, as of momentum before its first step, means the same as none.
    """
    entries: dict[int, dict[str, Any]] = optimiser.state_dict()["state"]
    return {
        f"{number}.{name}": value
        for number, values in entries.items()
        for name, value in values.items()
        if isinstance(value, Tensor)
    }


def restore_state(optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Give ``optimiser`` copies of the state that ``state_of`` returned; memory of a file may be aligned otherwise."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        number, name = key.split(".", 1)
        state.setdefault(int(number), {})[name] = value.clone()
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})


@torch.no_grad()
def forget(optimiser: torch.optim.Optimizer, weight: nn.Parameter, places: Tensor) -> None:
    """Set what ``optimiser`` remembers of ``weight`` to zero where the boolean tensor ``places`` is True."""
    for value in optimiser.state.get(weight, {}).values():
        if isinstance(value, Tensor) and value.shape == places.shape:
            value.masked_fill_(places, 0)
