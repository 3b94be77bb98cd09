"""Rounding onto a fixed-point grid in torch, with a gradient that sees through it.

Values are rounded in place, unseen by autograd, in what a function with the wanted gradient returned: that is exact,
where adding a difference to the values would round once more, and it takes no Python in the backward pass.
"""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING, Protocol, TypeAlias

import torch
from torch.nn import functional
from typing_extensions import assert_never

from fpgaprune.fixed import Fixed, Overflow, Rounding

if TYPE_CHECKING:
    from torch import Tensor

#: Low and high, each inclusive, to which values are limited.
Ends: TypeAlias = "tuple[float, float]"
WITHOUT_ENDS = (-math.inf, math.inf)

_DOUBLED = 127
"""Below so many fraction bits, twice the scale is a number of float32 as well."""


class Grid(Protocol):
    """Rounds values that are clipped to ends before."""

    def __call__(self, x: Tensor, ends: Ends = WITHOUT_ENDS) -> Tensor:
        """Return the values on the grid."""


class FixedGrid:
    """The grid of a saturating format."""

    def __init__(self, to: Fixed) -> None:
        self.to_format = to
        self._open: dict[Ends, Ends] = {}

    def __call__(self, x: Tensor, ends: Ends = WITHOUT_ENDS) -> Tensor:
        """Return the values in the format, clipped to ``ends`` before they are rounded."""
        return to_grid(x, self.to_format, self.open_range(ends))

    def open_range(self, ends: Ends) -> Ends:
        """Return what the function `open_range` does of the format, computed once."""
        inside = self._open.get(ends)
        if inside is None:
            inside = self._open[ends] = open_range(self.to_format, ends)
        return inside


def to_grid(x: Tensor, to: Fixed, inside: Ends | None = None) -> Tensor:
    """Return the values of ``x`` in the saturating format ``to``, exact in float64 up to 53-bit mantissas.

    The gradient passes ``inside`` of an open range, by default where nothing saturates (the straight-through
    estimator: Bengio et al. 2013, arXiv:1308.3432).
    """
    kept = functional.hardtanh(x, *(inside or open_range(to)))
    round_(kept.detach(), to)
    return kept


def to_step(x: Tensor, fraction: int) -> Tensor:
    """Return ``x`` rounded to the nearest multiple of ``2**-fraction``, half to even, without limits."""
    kept = x.clone()
    kept.detach().mul_(_power(fraction, x)).round_().mul_(_power(-fraction, x))
    return kept


def open_range(to: Fixed, ends: Ends = WITHOUT_ENDS) -> Ends:
    """Return between which numbers a value that is clipped to ``ends``, then rounded, is not at an end.

    Both are equal if there are none.
    """
    assert to.overflow in (Overflow.SAT, Overflow.SAT_SYM)  # noqa: S101  # the recipe allows no other
    low = max(math.ldexp(to.low - 0.5, -to.fraction), ends[0])
    return low, max(low, min(math.ldexp(to.high + 0.5, -to.fraction), ends[1]))


def round_(x: Tensor, to: Fixed) -> None:
    """Round to the values of the format, in place."""
    if to.rounding is Rounding.RND and to.fraction < _DOUBLED:  # one operation less
        _half_of_doubled_up_(x.mul_(_power(to.fraction + 1, x)))
    else:
        _whole_(x.mul_(_power(to.fraction, x)), to.rounding)
    x.clamp_(to.low, to.high).mul_(_power(-to.fraction, x))


def _power(exponent: int, x: Tensor) -> Tensor:
    """Return two to the power of ``exponent`` in the type in which ``x`` is multiplied, as torch takes it at once."""
    return _known_power(exponent, torch.float64 if x.dtype is torch.float64 else torch.float32)


@cache
def _known_power(exponent: int, dtype: torch.dtype) -> Tensor:
    return torch.tensor(math.ldexp(1.0, exponent), dtype=dtype, device="cpu")


def _whole_(x: Tensor, rounding: Rounding) -> Tensor:
    """Round to whole numbers in place."""
    match rounding:
        case Rounding.RND_CONV:
            return x.round_()
        case Rounding.TRN:
            return x.floor_()
        case Rounding.TRN_ZERO:
            return x.trunc_()
        case Rounding.RND:
            return _half_up_(x)
        case Rounding.RND_MIN_INF:
            return _half_up_(x.neg_()).neg_()
        case Rounding.RND_INF:
            sign = x.sign()
            return _half_up_(x.abs_()).mul_(sign)
        case Rounding.RND_ZERO:
            sign = x.sign()
            return _half_up_(x.abs_().neg_()).mul_(sign.neg_())
        case _:
            assert_never(rounding)


def _half_up_(x: Tensor) -> Tensor:
    """Return floor(x + 1/2) as ceil(floor(2 x) / 2), in which no float rounds, as it would in x + 1/2."""
    return _half_of_doubled_up_(x.mul_(_power(1, x)))


def _half_of_doubled_up_(x: Tensor) -> Tensor:
    return x.floor_().mul_(_power(-1, x)).ceil_()
