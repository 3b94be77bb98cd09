"""How hard weights are pressed at each moment of a training, so that it ends at the cost that was asked for."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from fpgaprune.quantise.compression import Compression, Saving
from fpgaprune.quantise.joint.cost import total
from fpgaprune.quantise.joint.grids import DigitGrid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fpgaprune.quantise.joint.cost import Priced

_EVERY = 16
"""Optimiser steps between two adjustments."""

_EAGER = 0.2
"""The power of (cost / wanted cost) by which the worth of a unit grows at each adjustment."""

_FIRST = 0.01
"""The share of a loss of one that the whole cost is worth at first."""


@dataclass
class Control:
    """The price of a digit, or the worth of a unit of cost in loss, at each step of a training of so many ``steps``."""

    compression: Compression
    layers: Sequence[Priced]
    steps: int
    worth: float = 0.0
    _step: int = 0
    _full: float = field(default=0.0)

    @property
    def done(self) -> float:
        """The share of the way from the cost at first to the one at last."""
        start, end = self.compression.start, self.compression.end
        if self._step / self.steps < start:
            return 0.0
        return 1.0 if end == start else min(1.0, (self._step / self.steps - start) / (end - start))

    @torch.no_grad()
    def step(self) -> None:
        """Take note of one optimiser step; every few steps, adjust."""
        if self._step % _EVERY == 0 and self._step >= self.compression.start * self.steps:
            self._full = self._full or float(total(self.layers, self.compression.cost))
            self.adjust()
        self._step += 1

    def adjust(self) -> None:
        """Set the price, or the worth, for the moment."""
        if self.compression.saving is Saving.DIGITS:
            set_prices(self.layers, self._digit_price())
        elif self.compression.strength is not None:
            self.worth = self.compression.strength * _eased(self.done)
        else:
            self._chase()

    def wanted(self) -> float:
        """Return the cost that is wanted now: the budget in the end, falling fast at first and slowly at last."""
        budget = self.compression.budget or 0.0
        return budget + max(self._full - budget, 0.0) * (1 - _eased(self.done))

    def _digit_price(self) -> float:
        if self.compression.strength is not None:
            return self.compression.strength * _mean_square(self.layers) * _eased(self.done)
        return price_for(self.layers, self.wanted())

    def _chase(self) -> None:
        """Raise the worth while the cost is above what is wanted, lower it below (a multiplier of Lagrange)."""
        now, wanted = float(total(self.layers, self.compression.cost)), self.wanted()
        self.worth = (self.worth or _FIRST / max(self._full, 1.0)) * (max(now, 1e-9) / wanted) ** _EAGER


def price_for(layers: Sequence[Priced], budget: float) -> float:
    """Return the least price at which the digits that are worth it cost no more than ``budget``.

    A digit is worth the squared error that it saves, for each bit of its adder. That adder is as wide as the digits at
    the present prices make it, which errs on the wide side while they become fewer.
    """
    worths, widths = [], []
    for layer in layers:
        wide = _digit_width(layer)
        worths.append(_gains(layer).flatten() / wide)
        widths.append(torch.full_like(worths[-1], wide))
    worth, order = torch.cat(worths).sort(descending=True, stable=True)
    kept = int((torch.cat(widths)[order].double().cumsum(0) <= budget).sum())
    return float(worth[kept]) if kept < len(worth) else 0.0


def set_prices(layers: Sequence[Priced], price: float) -> None:
    """Set the price of a digit, in squared error of a weight for each adder bit, for all layers."""
    wide = [_digit_width(layer) for layer in layers]
    for layer, width in zip(layers, wide, strict=True):
        assert isinstance(layer.grid, DigitGrid)  # noqa: S101  # there are no prices of widths
        layer.grid.price = price * width * math.ldexp(1.0, 2 * layer.grid.fraction)


def _digit_width(layer: Priced) -> float:
    return float(layer.digit_bits(float(layer.digits().sum())))


def _gains(layer: Priced) -> Tensor:
    assert isinstance(layer.grid, DigitGrid)  # noqa: S101  # as in set_prices
    return layer.grid.gains(layer.weight) * math.ldexp(1.0, -2 * layer.grid.fraction)


def _mean_square(layers: Sequence[Priced]) -> float:
    return float(torch.cat([layer.weight.detach().flatten() for layer in layers]).square().mean())


def _eased(done: float) -> float:
    """Return the share of a change that is over (Zhu & Gupta 2017, as in the schedule 'cubic')."""
    return 1 - (1 - done) ** 3
