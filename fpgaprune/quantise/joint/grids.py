"""Grids that are trained: which values weights and results may take, with gradients that see through them."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from typing_extensions import assert_never

from fpgaprune.quantise.compression import Granularity
from fpgaprune.quantise.grid import to_grid
from fpgaprune.quantise.joint.expansion import expanded, gains

if TYPE_CHECKING:
    from fpgaprune.fixed import Fixed

_LOG2 = math.log(2)
_BITS = 16.0


class DigitGrid(nn.Module):
    """Weights with few signed digits on the grid of a format: a digit stays that lowers the squared error enough.

    ``price`` is the least gain of a digit, in squared steps of the grid; with ``allotted`` digits for each weight, the
    price no longer counts.
    """

    price: Tensor

    def __init__(self, to: Fixed) -> None:
        super().__init__()
        self.fraction = to.fraction
        self.most = (to.width + 2) // 2
        self.register_buffer("price", torch.zeros(()))
        self.allotted: Tensor | None = None
        self._known: tuple[int, int, Tensor] | None = None

    def forward(self, weight: Tensor) -> Tensor:
        """Return the weights on the grid; the gradient passes unchanged (straight-through estimator)."""
        return weight + (self.rounded(weight) - weight).detach()

    @torch.no_grad()
    def rounded(self, weight: Tensor) -> Tensor:
        """Return the weights on the grid, computed once for the same weights and price."""
        now = weight._version, self.price._version
        if self._known is None or self._known[:2] != now:
            terms, kept = self._terms(weight)
            self._known = *now, (terms * kept).sum(0) * math.ldexp(1.0, -self.fraction)
        return self._known[2]

    @torch.no_grad()
    def counts(self, weight: Tensor) -> Tensor:
        """Return the digits of each weight."""
        return self._terms(weight)[1].sum(0)

    @torch.no_grad()
    def gains(self, weight: Tensor) -> Tensor:
        """Return the gain of each digit (digits, *shape) in squared steps of the grid; zero where there is none."""
        x = weight * math.ldexp(1.0, self.fraction)
        return gains(x, expanded(x, self.most))

    def _terms(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        x = weight * math.ldexp(1.0, self.fraction)
        terms = expanded(x, self.most)
        if self.allotted is None:
            return terms, (gains(x, terms) > self.price) & (terms != 0)
        places = torch.arange(self.most, device=weight.device).reshape(-1, *([1] * weight.ndim))
        return terms, (places < self.allotted) & (terms != 0)


class _Trainable(nn.Module):
    """Real numbers of low bits that a grid loses, rounded where they are used.

    Of a step 2**-f the error halves with each bit, so the gradient of a rounded value q of x in f is log(2) * (x - q)
    (Sun et al. 2024, "Gradient-based automatic mixed precision quantization for neural networks on-chip",
    arXiv:2405.00645). Optimisers move parameters by about the learning rate, which suits weights; bits are larger by
    `_BITS`.
    """

    def __init__(self, shape: tuple[int, ...], most: int) -> None:
        super().__init__()
        self.scaled = nn.Parameter(torch.zeros(shape))
        self.most = most

    @property
    def dropped(self) -> Tensor:
        """The low bits that are lost, with a gradient."""
        return self.scaled * _BITS

    @torch.no_grad()
    def whole(self) -> Tensor:
        """Return the low bits that are lost as integers."""
        return torch.round(self.dropped).int()

    @torch.no_grad()
    def limit_(self) -> None:
        """Keep the lost bits, in place, between none and ``most``: the format has no finer step."""
        self.scaled.clamp_(0, self.most / _BITS)

    def through(self, x: Tensor, rounded: Tensor, inside: Tensor | None = None) -> Tensor:
        """Return what was rounded, with the gradients of the grid; what lies not ``inside`` of its range has none."""
        error = (x - rounded).detach()
        slope = error if inside is None else error * inside
        return rounded.detach() - (self.dropped - self.dropped.detach()) * (_LOG2 * slope)


class WidthGrid(_Trainable):
    """Weights rounded to trainable steps: one step for the layer, for each output, or for each weight.

    A weight that rounds to zero has no bits.
    """

    def __init__(self, to: Fixed, weight: Tensor, granularity: Granularity) -> None:
        super().__init__(_shared(weight, granularity), to.width)
        self.fraction = to.fraction
        self._alike = tuple(axis for axis, size in enumerate(self.scaled.shape) if size < weight.shape[axis])

    def forward(self, weight: Tensor) -> Tensor:
        """Return the weights on their grids, with gradients to the weights and to the lost bits."""
        rounded = self.rounded(weight)
        return self.through(weight, rounded) + (weight - weight.detach())

    @torch.no_grad()
    def rounded(self, weight: Tensor) -> Tensor:
        """Return the weights on their grids."""
        fraction = self.fraction - self.whole()
        return torch.ldexp(torch.round(torch.ldexp(weight, fraction)), -fraction)

    def bits(self, weight: Tensor) -> Tensor:
        """Return the bits of each weight, without the sign, from the highest that its group needs down to its step."""
        rounded = self.rounded(weight)
        largest = rounded.abs().amax(self._alike, keepdim=True) if self._alike else rounded.abs()
        top = torch.frexp(largest)[1] + self.fraction - self.whole()
        return (top.clamp(min=0) - (self.dropped - self.dropped.detach())) * (rounded != 0)


class ResultGrid(_Trainable):
    """Results rounded to a trainable step; the range stays that of the format."""

    def __init__(self, to: Fixed) -> None:
        super().__init__((), to.width - 1 - to.signed)
        self.widest = to

    def forward(self, x: Tensor) -> Tensor:
        """Return the results on the grid, with gradients to them, where nothing saturates, and to the lost bits."""
        to = self.format
        rounded = to_grid(x, to)
        inside = (x - rounded).abs() <= to.step
        return self.through(x, rounded, inside) + (rounded - rounded.detach())

    @property
    def format(self) -> Fixed:
        """The format as it is now, of one bit and the sign at least."""
        lost = int(self.whole())
        return replace(self.widest, width=self.widest.width - lost, fraction=self.widest.fraction - lost)

    def bits(self) -> Tensor:
        """Return the width without the sign, with a gradient to the lost bits."""
        to = self.format
        return to.width - to.signed - (self.dropped - self.dropped.detach())


def _shared(weight: Tensor, granularity: Granularity) -> tuple[int, ...]:
    match granularity:
        case Granularity.LAYER:
            return (1,) * weight.ndim
        case Granularity.CHANNEL:
            return (len(weight), *(1,) * (weight.ndim - 1))
        case Granularity.WEIGHT:
            return tuple(weight.shape)
        case _:
            assert_never(granularity)
