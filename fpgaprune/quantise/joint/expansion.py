"""Weights as sums of signed powers of two, each of which is an adder in hardware."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Iterator

_HALF_OF_MANTISSA = {torch.float32: (torch.int32, 1 << 22), torch.float64: (torch.int64, 1 << 51)}


def summed(x: Tensor, price: Tensor, most: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Return the sums of signed powers of two that each gain more than ``price``, and how many of them there are.

    All are of one size; of each element, there are ``most`` terms at most.
    """
    rest, sums, counts = x.clone(), torch.zeros_like(x), torch.zeros_like(x)
    while True:
        term = next_power(rest)
        kept = gain(rest, term) > price
        if most is not None:
            kept &= counts < most
        if not bool(kept.any()):
            return sums, counts
        term *= kept
        rest -= term
        sums += term
        counts += kept


def next_power(x: Tensor) -> Tensor:
    """Return for each element the signed power of two nearest to it that is at least one in magnitude.

    Halfway, the larger one is taken, as the non-adjacent form does. In the bits of a float (IEEE 754), half of a
    mantissa carries into the exponent from 1.5 on, and the exponent without the mantissa is the power.
    """
    whole, half = _HALF_OF_MANTISSA[x.dtype]
    power = x.abs().view(whole).add_(half).bitwise_and_(-(2 * half)).view(x.dtype)
    return power.clamp_(min=1).copysign_(x)


def gain(rest: Tensor, term: Tensor) -> Tensor:
    """Return by how much a term lowers the squared error: rest**2 - (rest - term)**2."""
    return term * (2 * rest - term)


def all_gains(x: Tensor, least: Tensor, places: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the places whose first terms gain more than ``least``, and these gains; then those of second terms, etc.

    Of one element they fall from term to term: a term leaves at most a third of what it is subtracted from, so its gain
    is at least 8/9 of the error before it and that of the next at most 1/9.
    """
    x, least = x[places], least[places]
    while len(places):
        term = next_power(x)
        gained = gain(x, term)
        kept = torch.nonzero(gained > least).flatten()
        places, least = places[kept], least[kept]
        yield places, gained[kept]
        x = (x - term)[kept]
