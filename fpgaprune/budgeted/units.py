"""What is pruned to one share: the tensors whose weights meet in a matrix of the design."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch

from fpgaprune.capture.api import capture
from fpgaprune.capture.records import Conv, Linear
from fpgaprune.errors import InputError
from fpgaprune.prune.forward import copied
from fpgaprune.prune.masks import prunable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from torch import nn

    from fpgaprune.fixed import IntArray
    from fpgaprune.prune.forward import Tensors
    from fpgaprune.prune.masks import Masks

_MOST = 1 << 24
"""Numbers that float32 tells apart, from 0 on."""

_STEP = 2.0**-32
"""What one number is told by: small weights, so that no activation overflows where they are summed."""


@dataclass(frozen=True)
class Unit:
    """Tensors of a model that share matrices, and the layers that these matrices are called after.

    The gates of a recurrent layer are one matrix of two tensors, a tensor that serves two layers is in two matrices.
    """

    tensors: tuple[str, ...]
    layers: frozenset[str]

    @property
    def name(self) -> str:
        """The name of the first tensor."""
        return self.tensors[0]


@dataclass(frozen=True, eq=False)
class Origins:
    """Where the weights of captured layers come from.

    All weights of the prunable tensors are numbered from 1 on, in their order; ``numbers`` has for each captured layer
    that is made of them an array of its weights' shape.
    """

    sizes: Mapping[str, int]
    numbers: Mapping[str, IntArray]

    @cached_property
    def firsts(self) -> dict[str, int]:
        """The number of the first weight of each tensor."""
        ends = np.cumsum([1, *self.sizes.values()]).tolist()
        return dict(zip(self.sizes, ends, strict=False))

    def tensors(self, layer: str) -> set[str]:
        """Return the tensors that the weights of a layer come from."""
        numbers = self.numbers[layer]
        return {
            name
            for name, first in self.firsts.items()
            if bool(((numbers >= first) & (numbers < first + self.sizes[name])).any())
        }

    def kept(self, masks: Masks) -> dict[str, IntArray]:
        """Return for each layer which of its weights masks keep: booleans of their shape."""
        every = np.concatenate([[True], *(masks[name].cpu().numpy().ravel() for name in self.sizes)])
        return {layer: every[numbers] for layer, numbers in self.numbers.items()}


def origins_of(model: nn.Module, example: Tensors) -> Origins:
    """Return where the weights of the captured layers come from; ``example`` is a batch of inputs (samples, …).

    A copy of the model is captured whose weights are their own numbers.

    Raises:
        InputError: there are too many weights to be told apart.
        UnsupportedError: the model holds an operation that cannot be translated exactly.
    """
    copy = copied(model)
    sizes = {name: weight.numel() for name, weight in prunable(copy).items()}
    if sum(sizes.values()) >= _MOST:
        msg = f"a budget is for networks of fewer than {_MOST:,} prunable weights, not {sum(sizes.values()):,}"
        raise InputError(msg)
    with torch.no_grad():
        first = 1
        for weight in prunable(copy).values():
            weight.copy_((torch.arange(weight.numel()) + first).reshape(weight.shape) * _STEP)
            first += weight.numel()
    owned = {name for name, each in copy.named_parameters(remove_duplicate=False) if _is_prunable(copy, each)}
    numbers = {
        layer.name: np.rint(layer.weight / _STEP).astype(np.int64)
        for layer in capture(copy, example).every_layer
        if isinstance(layer, (Linear, Conv)) and layer.trainable and set(layer.weight_name.split("+")) <= owned
    }
    return Origins(sizes, numbers)


def _is_prunable(model: nn.Module, parameter: nn.Parameter) -> bool:
    return any(parameter is weight for weight in prunable(model).values())


def units_of(origins: Origins, tensors: Iterable[str]) -> tuple[Unit, ...]:
    """Return each of these tensors in one unit, in their order."""
    order = list(tensors)
    units = [Unit((name,), frozenset()) for name in order]
    for layer in origins.numbers:
        read = origins.tensors(layer)
        meeting = [unit for unit in units if read.intersection(unit.tensors)]
        if meeting:
            others = [unit for unit in units if unit not in meeting]
            units = [_joined([*meeting, Unit((), frozenset({layer}))], order), *others]
    return tuple(sorted(units, key=lambda unit: order.index(unit.name)))


def _joined(units: list[Unit], order: list[str]) -> Unit:
    tensors = {name for unit in units for name in unit.tensors}
    return Unit(tuple(name for name in order if name in tensors), frozenset().union(*(unit.layers for unit in units)))
