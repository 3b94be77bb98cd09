"""Weights as sums of signed powers of two, each of which is an adder in hardware."""

from __future__ import annotations

import torch
from torch import Tensor

_HALF_OF_MANTISSA = {torch.float32: (torch.int32, 1 << 22), torch.float64: (torch.int64, 1 << 51)}


def nearest_power(x: Tensor) -> Tensor:
    """Return for each element the signed power of two nearest to it, from one on; zero below one half in magnitude.

    Halfway, the larger one is taken, as the non-adjacent form does. In the bits of a float (IEEE 754), half of a
    mantissa carries into the exponent from 1.5 on, and sign and exponent without the mantissa are the power.
    """
    whole, half = _HALF_OF_MANTISSA[x.dtype]
    power = ((x.view(whole) + half) & -(2 * half)).view(x.dtype)
    magnitude = x.abs()
    return torch.where(magnitude < 0.75, torch.sign(x) * (magnitude >= 0.5), power)


def rounded(x: Tensor, price: float) -> tuple[Tensor, Tensor]:
    """Return the sums of signed powers of two that each lower the squared error by more than ``price``, and how many.

    Only elements that another term is worth for are looked at again, which are few at most prices.
    """
    rest = x.flatten()
    sums, counts = torch.zeros_like(rest), torch.zeros_like(rest)
    places = torch.nonzero((rest.square() > price) & (rest.abs() >= 0.5)).flatten()
    rest = rest[places]
    while len(places):
        term = nearest_power(rest)
        after = rest - term
        worth = (rest.square() - after.square() > price) & (term != 0)
        places, term, rest = places[worth], term[worth], after[worth]
        sums[places] += term
        counts[places] += 1
    return sums.reshape(x.shape), counts.reshape(x.shape)


def expanded(x: Tensor, most: int) -> Tensor:
    """Return the terms (most, *shape) whose first k are the nearest sum of k signed powers of two that greed finds.

    For integers it is the non-adjacent form, which has the fewest terms (Reitwiesner 1960, "Binary arithmetic").
    """
    terms, rest = [], x
    for _ in range(max(most, 1)):
        terms.append(nearest_power(rest))
        rest = rest - terms[-1]
    return torch.stack(terms)


def gains(x: Tensor, terms: Tensor) -> Tensor:
    """Return by how much each term lowers the squared error (most, *shape); of one weight they fall from term to term.

    A term leaves at most a third of what it is subtracted from, so its gain is at least 8/9 of the error before it and
    that of the next at most 1/9.
    """
    errors = (x - torch.cat([torch.zeros_like(terms[:1]), terms.cumsum(0)])) ** 2
    gained = errors[:-1] - errors[1:]
    return torch.where(terms == 0, 0.0, gained)
