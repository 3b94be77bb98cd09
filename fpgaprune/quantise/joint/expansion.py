"""Weights as sums of signed powers of two, each of which is an adder in hardware."""

from __future__ import annotations

import torch
from torch import Tensor


def nearest_power(x: Tensor) -> Tensor:
    """Return for each element the signed power of two nearest to it, from one on; zero below one half in magnitude.

    Halfway, the larger one is taken, as the non-adjacent form does.
    """
    mantissa, exponent = torch.frexp(x)  # x = mantissa * 2**exponent, its magnitude in [0.5, 1)
    exponent = torch.where(mantissa.abs() < 0.75, exponent - 1, exponent).clamp(min=0)
    power = torch.ldexp(torch.sign(x), exponent)
    return torch.where(x.abs() < 0.5, 0.0, power)


def expanded(x: Tensor, most: int) -> Tensor:
    """Return the terms (most, *shape) whose first k are the nearest sum of k signed powers of two that greed finds.

    For integers it is the non-adjacent form, which has the fewest terms (Reitwiesner 1960, "Binary arithmetic").
    """
    terms, rest = [], x
    for _ in range(most):
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
