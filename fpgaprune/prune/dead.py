"""Dead neurons: outputs without a surviving input, which are constants made of their bias alone."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from fpgaprune.prune.masks import joined, prunable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from fpgaprune.prune.masks import Masks

#: The modules whose outputs are the rows of ``weight`` plus ``bias``, each with nothing else.
ROWWISE: tuple[type[nn.Module], ...] = (nn.Linear, nn.Conv1d, nn.Conv2d)


class DeadBias(Enum):
    """What becomes of the bias of a dead neuron."""

    ZERO = "zero"
    KEEP = "keep"


def dead_outputs(model: nn.Module, masks: Masks) -> dict[str, tuple[int, ...]]:
    """Return module name → its outputs without a surviving input, for each module that has any.

    Raises:
        InputError: the masks do not belong to the model.
    """
    return {name: _indices(dead) for name, _, dead in _rows(model, masks) if bool(dead.any())}


def dead_biases(model: nn.Module, masks: Masks) -> dict[str, tuple[int, ...]]:
    """Return state-dict name of a bias → its entries that belong to dead neurons, for each bias that has any.

    An entry that modules share counts only if it is dead in all of them.

    Raises:
        InputError: the masks do not belong to the model.
    """
    found: dict[int, tuple[str, Tensor]] = {}
    for name, module, dead in _rows(model, masks):
        if isinstance(module.bias, Tensor):
            first, shared = found.get(id(module.bias), (joined(name, "bias"), dead))
            found[id(module.bias)] = (first, shared & dead)
    return {name: _indices(dead) for name, dead in found.values() if bool(dead.any())}


def zeroing(model: nn.Module, biases: Mapping[str, tuple[int, ...]]) -> Callable[[nn.Module], None]:
    """Return a function that sets these entries of the biases of ``model`` to zero, as training's ``after_step``."""
    chosen = [(model.get_parameter(name), list(entries)) for name, entries in biases.items()]

    @torch.no_grad()
    def zero(_: nn.Module) -> None:
        for bias, entries in chosen:
            bias[entries] = 0

    return zero


def _rows(model: nn.Module, masks: Masks) -> Iterator[tuple[str, nn.Module, Tensor]]:
    """Yield each module of ROWWISE with a boolean tensor (outputs,) that is True where the neuron is dead."""
    masks.check(model)
    by_weight = {id(weight): masks[name] for name, weight in prunable(model).items()}
    for name, module in model.named_modules():
        if isinstance(module, ROWWISE):
            yield name, module, ~by_weight[id(module.weight)].flatten(1).any(dim=1)


def _indices(dead: Tensor) -> tuple[int, ...]:
    return tuple(torch.nonzero(dead).flatten().tolist())
