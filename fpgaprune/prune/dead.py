"""Dead neurons and hidden units: those without a surviving input, which are made of their biases alone."""

from __future__ import annotations

from enum import Enum
from itertools import chain
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from fpgaprune.prune.masks import joined, prunable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from fpgaprune.prune.masks import Masks

#: The modules whose outputs are the rows of ``weight`` plus ``bias``, each with nothing else.
ROWWISE: tuple[type[nn.Module], ...] = (nn.Linear, nn.Conv1d, nn.Conv2d)


#: Recurrent module → the gate, in torch's order, whose zero keeps the state of a unit at zero.
_CANDIDATE: dict[type[nn.Module], int] = {nn.RNN: 0, nn.LSTM: 2, nn.GRU: 2}


class DeadBias(Enum):
    """What becomes of the biases of a dead neuron, and of those that a dead hidden unit's candidate is made of."""

    ZERO = "zero"
    KEEP = "keep"


def dead_outputs(model: nn.Module, masks: Masks) -> dict[str, tuple[int, ...]]:
    """Return name → outputs without a surviving input, for each Linear or convolution that has any.

    Raises:
        InputError: the masks do not belong to the model.
    """
    return {name: _indices(dead) for name, _, dead in _rows(model, masks) if bool(dead.any())}


def dead_biases(model: nn.Module, masks: Masks) -> dict[str, tuple[int, ...]]:
    """Return state-dict name of a bias → its entries that belong to dead neurons, for each bias that has any.

    A hidden unit is dead without a surviving weight in any of its rows. Of its biases, those count that its candidate
    is made of: with them at zero, its state, once zero, stays exactly zero. An entry that modules share counts only if
    it is dead in all of them.

    Raises:
        InputError: the masks do not belong to the model.
    """
    found: dict[int, tuple[str, Tensor]] = {}
    rows = ((joined(name, "bias"), module.bias, dead) for name, module, dead in _rows(model, masks))
    for name, bias, dead in chain(rows, _candidates(model, masks)):
        if isinstance(bias, Tensor):
            first, shared = found.get(id(bias), (name, dead))
            found[id(bias)] = (first, shared & dead)
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


def _candidates(model: nn.Module, masks: Masks) -> Iterator[tuple[str, Tensor, Tensor]]:
    """Yield name and bias of each recurrent layer with a boolean tensor, True at the candidates of dead units."""
    by_weight = {id(weight): masks[name] for name, weight in prunable(model).items()}
    for prefix, module in model.named_modules():
        if isinstance(module, (nn.RNN, nn.LSTM, nn.GRU)) and module.bias:
            gate = next(gate for kind, gate in _CANDIDATE.items() if isinstance(module, kind))
            for end in _ends(module):
                step, state = (by_weight[id(getattr(module, f"weight_{of}_{end}"))] for of in ("ih", "hh"))
                alive = (step.any(dim=1) | state.any(dim=1)).reshape(-1, module.hidden_size)
                dead = torch.zeros_like(alive)
                dead[gate] = ~alive.any(dim=0)
                for bias in (f"bias_ih_{end}", f"bias_hh_{end}"):
                    yield joined(prefix, bias), getattr(module, bias), dead.flatten()


def _ends(module: nn.Module) -> list[str]:
    """Return how torch ends the names of the parameters of each layer and direction of a recurrent module."""
    names = (name for name, _ in module.named_parameters(recurse=False))
    return [name.removeprefix("weight_ih_") for name in names if name.startswith("weight_ih_")]


def _indices(dead: Tensor) -> tuple[int, ...]:
    return tuple(torch.nonzero(dead).flatten().tolist())
