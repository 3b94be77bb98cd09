"""How hard weights are pressed at each moment of a training, so that it ends at the cost that was asked for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from fpgaprune.quantise.compression import Compression, Cost, Saving
from fpgaprune.quantise.joint.cost import total
from fpgaprune.quantise.joint.grids import DigitGrid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fpgaprune.quantise.joint.cost import Priced

_EVERY = 16
"""Optimiser steps between two adjustments, in trainings that are long enough for `_LEAST` of them."""

_LEAST = 100

_SHORTER = 0.999
"""By how much shorter than needed the next aim is, so that a few are enough."""

_EAGER = 0.2
"""The power of (cost / wanted cost) by which the worth of a unit grows at each adjustment."""

_MOST_RATIO = 4.0
"""The largest ratio that counts: far from the aim, more haste would only overshoot."""

_FIRST = 0.01
"""The share of a loss of one that the whole cost is worth at first."""


class Control(nn.Module):
    """The price of a digit, or the worth of a unit of cost in loss, at each step of a training of so many ``steps``.

    What it knows are buffers, so that a checkpoint of the network that it is part of holds them.
    """

    worth: Tensor
    _step: Tensor
    _full: Tensor

    def __init__(self, compression: Compression, layers: Sequence[Priced], steps: int) -> None:
        super().__init__()
        self.compression = compression
        self.steps = steps
        self._layers = layers
        for name in ("worth", "_step", "_full"):
            self.register_buffer(name, torch.zeros((), dtype=torch.float64))

    @property
    def done(self) -> float:
        """The share of the way from the cost at first to the one at last."""
        start, end = self.compression.start, self.compression.end
        done = float(self._step) / self.steps
        if done < start:
            return 0.0
        return 1.0 if end == start else min(1.0, (done - start) / (end - start))

    @torch.no_grad()
    def step(self) -> None:
        """Take note of one optimiser step; every few steps, and after the last, adjust."""
        every = min(_EVERY, max(1, self.steps // _LEAST))
        self._step += 1
        if int(self._step) % every == 0 and self._step > self.compression.start * self.steps:
            self.adjust()

    @torch.no_grad()
    def adjust(self) -> None:
        """Set the price, or the worth, for the moment."""
        if not self._full:
            self._full.copy_(total(self._layers, self.compression.cost))
        strength, digits = self.compression.strength, self.compression.saving is Saving.DIGITS
        if strength is None and digits:
            press(self._layers, self.wanted())
        elif strength is None:
            self._chase()
        elif digits:
            set_prices(self._layers, strength * _mean_square(self._layers) * _eased(self.done))
        else:
            self.worth.fill_(strength * _eased(self.done))

    def wanted(self) -> float:
        """Return the cost that is wanted now: the budget in the end, falling fast at first and slowly at last."""
        budget = self.compression.budget or 0.0
        return budget + max(float(self._full) - budget, 0.0) * (1 - _eased(self.done))

    def _chase(self) -> None:
        """Raise the worth while the cost is above what is wanted, lower it below (a multiplier of Lagrange)."""
        now, wanted = float(total(self._layers, self.compression.cost)), self.wanted()
        worth = float(self.worth) or _FIRST / max(float(self._full), 1.0)
        ratio = min(max(now / wanted, 1 / _MOST_RATIO), _MOST_RATIO)
        self.worth.fill_(worth * ratio**_EAGER)


@torch.no_grad()
def press(layers: Sequence[Priced], budget: float) -> None:
    """Set the prices at which the digits that are worth them cost no more than ``budget``.

    Sums are as wide as their digits make them, so that prices are found anew until they hold.
    """
    gains, aim = [_gains(layer) for layer in layers], budget
    while True:
        set_prices(layers, _price_for(layers, gains, aim))
        cost = float(total(layers, Cost.ADDER_BITS))
        if cost <= budget:
            return
        aim *= _SHORTER * budget / cost


def _price_for(layers: Sequence[Priced], gains: Sequence[Tensor], budget: float) -> float:
    """Return the least price at which the digits that are worth it cost no more than ``budget``, in present widths.

    A digit is worth the squared error that it saves, for each bit of its adder.
    """
    wide = [_digit_width(layer) for layer in layers]
    worths = torch.cat([each / width for each, width in zip(gains, wide, strict=True)])
    widths = torch.cat([torch.full_like(each, width) for each, width in zip(gains, wide, strict=True)])
    worth, order = worths.sort(descending=True, stable=True)
    kept = int((widths[order].double().cumsum(0) <= budget).sum())
    return float(worth[kept]) if kept < len(worth) else 0.0


def set_prices(layers: Sequence[Priced], price: float) -> None:
    """Set the price of a digit, in squared error of a weight for each adder bit, for all layers."""
    wide = [_digit_width(layer) for layer in layers]
    for layer, width in zip(layers, wide, strict=True):
        assert isinstance(layer.grid, DigitGrid)  # noqa: S101  # there are no prices of widths
        layer.grid.price.fill_(price * width * math.ldexp(1.0, 2 * layer.grid.fraction))


def _digit_width(layer: Priced) -> float:
    return float(layer.digit_bits(float(layer.digits().sum())))


def _gains(layer: Priced) -> Tensor:
    """Return the gains of the digits that there are, in squared error of a weight."""
    assert isinstance(layer.grid, DigitGrid)  # noqa: S101  # as in set_prices
    found = layer.grid.gains(layer.weight).flatten()
    return found[found > 0] * math.ldexp(1.0, -2 * layer.grid.fraction)


def _mean_square(layers: Sequence[Priced]) -> float:
    return float(torch.cat([layer.weight.detach().flatten() for layer in layers]).square().mean())


def _eased(done: float) -> float:
    """Return the share of a change that is over (Zhu & Gupta 2017, as in the schedule 'cubic')."""
    return 1 - (1 - done) ** 3
