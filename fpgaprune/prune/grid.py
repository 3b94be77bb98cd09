"""Rounding onto a fixed-point grid in torch, with a gradient that sees through it."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import assert_never

from fpgaprune.fixed import Fixed, Overflow, Rounding


class FixedGrid(nn.Module):
    """The grid of a saturating format."""

    def __init__(self, to: Fixed) -> None:
        super().__init__()
        self.to_format = to

    def forward(self, x: Tensor) -> Tensor:
        """Return the values in the format."""
        return to_grid(x, self.to_format)


def to_grid(x: Tensor, to: Fixed) -> Tensor:
    """Return the values of ``x`` in the saturating format ``to``, exact in float64 up to 53-bit mantissas.

    The gradient passes where nothing saturates (the straight-through estimator: Bengio et al. 2013,
    arXiv:1308.3432).
    """
    assert to.overflow in (Overflow.SAT, Overflow.SAT_SYM)  # noqa: S101  # the recipe allows no other
    return _apply(x, to.fraction, to.rounding, (to.low, to.high))


def to_step(x: Tensor, fraction: int) -> Tensor:
    """Return ``x`` rounded to the nearest multiple of ``2**-fraction``, half to even, without limits."""
    return _apply(x, fraction, Rounding.RND_CONV, None)


def _apply(x: Tensor, fraction: int, rounding: Rounding, limits: tuple[int, int] | None) -> Tensor:
    rounded: Tensor = _Round.apply(x, fraction, rounding, limits)  # type: ignore[no-untyped-call]  # torch's own
    return rounded


class _Round(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401  # torch's context
        x: Tensor,
        fraction: int,
        rounding: Rounding,
        limits: tuple[int, int] | None,
    ) -> Tensor:
        scaled = x * math.ldexp(1.0, fraction)
        rounded = _rounded(scaled, rounding)
        if limits is None:
            ctx.save_for_backward(torch.ones_like(x, dtype=torch.bool))
        else:
            low, high = limits
            ctx.save_for_backward((scaled >= low - 0.5) & (scaled <= high + 0.5))
            rounded = rounded.clamp(low, high)
        return rounded * math.ldexp(1.0, -fraction)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:  # noqa: ANN401  # as above
        (inside,) = ctx.saved_tensors
        return gradient * inside, None, None, None


def _rounded(scaled: Tensor, rounding: Rounding) -> Tensor:
    """Round to whole numbers; the part after the point is exact in floats, so no mode sees a rounding error."""
    if rounding is Rounding.RND_CONV:
        return torch.round(scaled)
    whole = torch.trunc(scaled)
    rest = scaled - whole
    return whole + torch.sign(rest) * _away(rest, rounding)


def _away(rest: Tensor, rounding: Rounding) -> Tensor:
    """Return where a part after the point, with the sign of its number, rounds away from zero."""
    match rounding:
        case Rounding.TRN:
            return rest < 0
        case Rounding.TRN_ZERO:
            return torch.zeros_like(rest, dtype=torch.bool)
        case Rounding.RND:
            return (rest >= 0.5) | (rest < -0.5)
        case Rounding.RND_ZERO:
            return rest.abs() > 0.5
        case Rounding.RND_INF:
            return rest.abs() >= 0.5
        case Rounding.RND_MIN_INF:
            return (rest > 0.5) | (rest <= -0.5)
        case Rounding.RND_CONV:
            msg = "torch rounds half to even itself"
            raise AssertionError(msg)
        case _:
            assert_never(rounding)
