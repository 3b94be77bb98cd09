"""Grids that are trained: which values weights and results may take, with gradients that see through them."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from typing_extensions import assert_never

from fpgaprune.prune.grid import to_grid
from fpgaprune.quantise.compression import Granularity
from fpgaprune.quantise.joint.expansion import expanded, gains, rounded

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
        self._known: tuple[int, int, tuple[Tensor, Tensor]] | None = None

    def forward(self, weight: Tensor) -> Tensor:
        """Return the weights on the grid; the gradient passes unchanged (straight-through estimator)."""
        return weight + (self.rounded(weight) - weight).detach()

    @torch.no_grad()
    def rounded(self, weight: Tensor) -> Tensor:
        """Return the weights on the grid, computed once for the same weights and price."""
        return self._found(weight)[0]

    @torch.no_grad()
    def counts(self, weight: Tensor) -> Tensor:
        """Return the digits of each weight."""
        return self._found(weight)[1]

    @torch.no_grad()
    def gains(self, weight: Tensor) -> Tensor:
        """Return the gain of each digit (digits, *shape) in squared steps of the grid; zero where there is none."""
        x = weight * math.ldexp(1.0, self.fraction)
        return gains(x, expanded(x, self.most))

    def _found(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        now = weight._version, self.price._version
        if self._known is None or self._known[:2] != now:
            x = weight * math.ldexp(1.0, self.fraction)
            whole, counts = rounded(x, float(self.price)) if self.allotted is None else self._allotted(x)
            self._known = *now, (whole * math.ldexp(1.0, -self.fraction), counts)
        return self._known[2]

    def _allotted(self, x: Tensor) -> tuple[Tensor, Tensor]:
        assert self.allotted is not None  # noqa: S101  # as its caller looked
        terms = expanded(x, int(self.allotted.max()))
        places = torch.arange(len(terms), device=x.device).reshape(-1, *([1] * x.ndim))
        kept = (places < self.allotted.to(x.device)) & (terms != 0)
        return (terms * kept).sum(0), kept.sum(0)


class _Trainable(nn.Module):
    """Real numbers of low bits that a grid loses, rounded where they are used.

    Optimisers move parameters by about the learning rate, which suits weights; bits are larger by `_BITS`.
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
        """Return the low bits that are lost as whole numbers."""
        return torch.round(self.dropped)

    @torch.no_grad()
    def limit_(self) -> None:
        """Keep the lost bits, in place, between none and ``most``: the format has no finer step."""
        self.scaled.clamp_(0, self.most / _BITS)


class WidthGrid(_Trainable):
    """Weights rounded to trainable steps: one step for the layer, for each output, or for each weight.

    A weight that rounds to zero has no bits.
    """

    def __init__(self, to: Fixed, weight: Tensor, granularity: Granularity) -> None:
        super().__init__(_shared(weight, granularity), to.width)
        self.fraction = to.fraction
        self._alike = tuple(axis for axis, size in enumerate(self.scaled.shape) if size < weight.shape[axis])
        self._known: tuple[int, int, Tensor] | None = None

    def forward(self, weight: Tensor) -> Tensor:
        """Return the weights on their grids, with gradients to the weights and to the lost bits."""
        found: Tensor = _OnGrid.apply(weight, self.scaled, self.rounded(weight))  # type: ignore[no-untyped-call]
        return found

    @torch.no_grad()
    def rounded(self, weight: Tensor) -> Tensor:
        """Return the weights on their grids, computed once for the same weights and steps."""
        now = weight._version, self.scaled._version
        if self._known is None or self._known[:2] != now:
            step = torch.exp2(self.whole() - self.fraction)
            self._known = *now, torch.round(weight / step) * step
        return self._known[2]

    def bits(self, weight: Tensor) -> Tensor:
        """Return the bits of each weight, without the sign, from the highest that its group needs down to its step."""
        found: Tensor = _Bits.apply(self.scaled, *self._highest(weight))  # type: ignore[no-untyped-call]
        return found

    @torch.no_grad()
    def _highest(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Return the bits of each weight without a gradient, and where there are any."""
        rounded = self.rounded(weight)
        largest = rounded.abs().amax(self._alike, keepdim=True) if self._alike else rounded
        used = rounded != 0
        return (torch.frexp(largest)[1] + self.fraction - self.whole()).clamp(min=0) * used, used


class _OnGrid(torch.autograd.Function):
    """The gradient of rounding to trainable steps.

    Of a step 2**-f the error halves with each bit, so the gradient of a rounded value q of x in f is log(2) * (x - q)
    (Sun et al. 2024, "Gradient-based automatic mixed precision quantization for neural networks on-chip",
    arXiv:2405.00645); to x it passes.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, scaled: Tensor, rounded: Tensor) -> Tensor:  # noqa: ANN401  # torch's context
        ctx.save_for_backward(x - rounded)
        ctx.shape = scaled.shape
        return rounded.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:  # noqa: ANN401  # as above
        (error,) = ctx.saved_tensors
        slope = (error * gradient).sum_to_size(ctx.shape) * (-_LOG2 * _BITS)
        return gradient, slope, None


class _Bits(torch.autograd.Function):
    """Each bit that is lost is one bit less of each weight that has any."""

    @staticmethod
    def forward(ctx: Any, scaled: Tensor, bits: Tensor, used: Tensor) -> Tensor:  # noqa: ANN401  # as above
        ctx.save_for_backward(used)
        ctx.shape = scaled.shape
        return bits

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:  # noqa: ANN401  # as above
        (used,) = ctx.saved_tensors
        return (gradient * used).sum_to_size(ctx.shape) * -_BITS, None, None


class ResultGrid(_Trainable):
    """Results rounded to a trainable step; the range stays that of the format."""

    def __init__(self, to: Fixed) -> None:
        super().__init__((), to.width - 1 - to.signed)
        self.widest = to

    def forward(self, x: Tensor) -> Tensor:
        """Return the results on the grid, with gradients to them, where nothing saturates, and to the lost bits."""
        to = self.format
        rounded = to_grid(x, to)
        error = (x - rounded).detach()
        slope = error * (error.abs() <= to.step) * -_LOG2
        return rounded + (self.dropped - self.dropped.detach()) * slope

    @property
    def format(self) -> Fixed:
        """The format as it is now, of one bit and the sign at least."""
        lost = round(float(self.scaled.detach()) * _BITS)
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
