"""How hard weights are pressed at each moment of a training, so that it ends at the cost that was asked for."""

from __future__ import annotations

import math
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from fpgaprune.quantise.compression import Compression, Saving
from fpgaprune.quantise.joint.prices import press, set_prices
from fpgaprune.quantise.joint.trainable import TrainableBits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fpgaprune.quantise.joint.cost import Priced

_EVERY = 16
"""Optimiser steps between two adjustments, in trainings that are long enough for `_LEAST` of them."""

_LEAST = 100

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

    def __init__(self, compression: Compression, priced: Priced, steps: int) -> None:
        super().__init__()
        self.compression = compression
        self.steps = steps
        self._every = min(_EVERY, max(1, steps // _LEAST))
        self._priced = priced
        grids = (priced.grid, priced.result_bits)
        self._bits = [grid.scaled for grid in grids if isinstance(grid, TrainableBits)]
        for name in ("worth", "_step", "_full"):
            self.register_buffer(name, torch.zeros((), dtype=torch.float64))
        for number, bits in enumerate(self._bits):
            self.register_buffer(f"_slope{number}", torch.zeros_like(bits))

    def done(self, step: int) -> float:
        """Return the share of the way from the cost at first to the one at last."""
        start, end = self.compression.start, self.compression.end
        done = step / self.steps
        if done < start:
            return 0.0
        return 1.0 if end == start else min(1.0, (done - start) / (end - start))

    def step(self) -> None:
        """Take note of one optimiser step; every few steps, and after the last, adjust."""
        step = int(self._step.add_(1))
        if step % self._every == 0 and step > self.compression.start * self.steps:
            self.adjust()

    @torch.no_grad()
    def adjust(self) -> None:
        """Set the price, or the worth, for the moment."""
        if not self._full:
            self._full.copy_(self._priced.total())
        strength, digits = self.compression.strength, self.compression.saving is Saving.DIGITS
        eased = _eased(self.done(int(self._step)))
        if strength is None and digits:
            press(self._priced, self.wanted())
        elif digits:
            set_prices(self._priced, (strength or 0.0) * _mean_square(self._priced) * eased)
        else:
            cost = self._look()
            self.worth.fill_(self._chased(cost) if strength is None else strength * eased)

    def wanted(self) -> float:
        """Return the cost that is wanted now: the budget in the end, falling fast at first and slowly at last."""
        budget = self.compression.budget or 0.0
        return budget + max(float(self._full) - budget, 0.0) * (1 - _eased(self.done(int(self._step))))

    @contextmanager
    def charging(self) -> Iterator[None]:
        """Add to the gradients of bits, within the block, what the cost is worth now.

        The slope of the cost is that from when it was last looked at; the loss that training tells is without it.
        """
        hooks = [
            bits.register_post_accumulate_grad_hook(partial(self._charge, number))  # type: ignore[no-untyped-call]  # torch's
            for number, bits in enumerate(self._bits)
        ]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _charge(self, number: int, bits: Tensor) -> None:
        assert bits.grad is not None  # noqa: S101  # the hook is called when there is one
        bits.grad.add_(self._slope(number), alpha=float(self.worth))

    def _slope(self, number: int) -> Tensor:
        slope: Tensor = getattr(self, f"_slope{number}")
        return slope

    def _look(self) -> float:
        """Take the slopes of the cost where it is, and return it."""
        with torch.enable_grad():
            cost = self._priced.total()
            slopes = torch.autograd.grad(cost, self._bits)
        for number, slope in enumerate(slopes):
            self._slope(number).copy_(slope)
        return float(cost.detach())

    def _chased(self, cost: float) -> float:
        """Return a higher worth where the cost is above what is wanted, else a lower one (a multiplier of Lagrange)."""
        worth = float(self.worth) or _FIRST / max(float(self._full), 1.0)
        ratio = min(max(cost / self.wanted(), 1 / _MOST_RATIO), _MOST_RATIO)
        return worth * math.pow(ratio, _EAGER)


def _mean_square(priced: Priced) -> float:
    return float(torch.cat([weight.detach().flatten() for weight in priced.weights.values()]).square().mean())


def _eased(done: float) -> float:
    """Return the share of a change that is over (Zhu & Gupta 2017, as in the schedule 'cubic')."""
    return 1 - (1 - done) ** 3
