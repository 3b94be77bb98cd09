"""Hidden units of recurrent layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn

from fpgaprune.errors import InputError
from fpgaprune.prune.masks import joined, prunable
from fpgaprune.prune.structures.fits import Named, Target, module_of
from fpgaprune.prune.structures.groups import NOWHERE, Grouped, Groups
from fpgaprune.prune.structures.matrices import indices, inputs_of
from fpgaprune.prune.structures.output_layers import output_layers
from fpgaprune.prune.structures.readers import unit_readers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fpgaprune.prune.forward import Tensors
    from fpgaprune.prune.structures.base import Subject
    from fpgaprune.prune.structures.readers import Recurrent


@dataclass(frozen=True)
class Hidden(Grouped):
    """All weights of a hidden unit of an RNN, LSTM or GRU: ``"hidden"``.

    They are the unit's rows in all gates, the columns of the state and of the next stacked layer that read it, and the
    columns of other layers that read it alone. With ``proj_size`` only the column of ``weight_hr`` reads it. A
    recurrent layer that gives the model's output is left alone.
    """

    form: ClassVar[str] = "hidden"
    named: ClassVar[Named] = Named.MODULES

    def groups(self, subject: Subject, targets: tuple[Target, ...]) -> tuple[Groups, ...]:
        """Return the hidden units of each direction of each recurrent layer.

        Raises:
            InputError: all recurrent layers give the model's output, or one of them has a sparsity of its own.
        """
        x = subject.example(self)
        last = output_layers(subject.model, x)
        for target in targets:
            if target.layer in last and target.sparsity is not None:
                msg = f"layers.{target.layer}: its hidden units are outputs of the model; leave the entry out"
                raise InputError(msg)
        inner = {target.module: target for target in targets if target.layer not in last}
        if targets and not inner:
            msg = f"the hidden units of {targets[0].layer!r} are outputs of the model; put a layer behind them"
            raise InputError(msg)
        return tuple(
            groups
            for module, target in inner.items()
            if isinstance(module, (nn.RNN, nn.LSTM, nn.GRU))
            for groups in _layers(subject.model, target, module, x)
        )


def _layers(model: nn.Module, target: Target, module: Recurrent, x: Tensors) -> Iterator[Groups]:
    """Yield the hidden units of each direction of each layer of a recurrent module."""
    weights = prunable(model)
    readers = {} if module.proj_size else unit_readers(model, target.layer, x)
    directions = ("", "_reverse") if module.bidirectional else ("",)
    for layer in range(module.num_layers):
        for number, suffix in enumerate(directions):
            ends = [f"l{layer}{suffix}", *(f"l{layer + 1}{other}" for other in directions)]
            own, *later = (joined(target.layer, f"weight_{{}}_{end}") for end in ends)
            parts = _own_parts(own, weights, module)
            if not module.proj_size and layer + 1 < module.num_layers:
                offset = number * module.hidden_size
                parts += [_columns(name.format("ih"), weights, offset, module.hidden_size) for name in later]
            first = (layer * len(directions) + number) * module.hidden_size
            parts += [_reading(model, name, unit, first, module.hidden_size) for name, unit in readers.items()]
            yield Groups(own.format("hh"), module.hidden_size, tuple(parts), target.sparsity)


def _own_parts(own: str, weights: Mapping[str, Tensor], module: Recurrent) -> list[tuple[str, Tensor]]:
    """Return the rows of all gates, and the columns that read the state, without the weights that are in both."""
    step, state = own.format("ih"), own.format("hh")
    size = module.hidden_size
    rows = indices(weights[state], 0) % size
    parts = [(step, indices(weights[step], 0) % size), (state, rows)]
    if module.proj_size:
        return [*parts, _columns(own.format("hr"), weights, 0, size)]
    columns = indices(weights[state], 1)
    return [*parts, (state, columns.masked_fill(columns == rows, NOWHERE))]


def _columns(name: str, weights: Mapping[str, Tensor], first: int, count: int) -> tuple[str, Tensor]:
    return name, _within(indices(weights[name], 1), first, count)


def _reading(model: nn.Module, name: str, unit: Tensor, first: int, count: int) -> tuple[str, Tensor]:
    target = Target(name, module_of(model, name), None)
    return name, _within(unit[inputs_of(target, prunable(model)[name])], first, count)


def _within(number: Tensor, first: int, count: int) -> Tensor:
    """Return numbers as they count from the first of so many; those that are others are `NOWHERE`."""
    own = number - first
    return torch.where((own >= 0) & (own < count), own, NOWHERE)
