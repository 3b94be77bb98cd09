"""What is known of weights by their signed digits, and what is assumed where nothing is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from fpgaprune.digits import signed_digits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fpgaprune.resources.stock.fields import Word

FREE_DIGITS = 2
"""Signed digits up to which the vendor tool multiplies by shifting and adding."""

_SAMPLES = 2048


def assumed_digits(inputs: int, outputs: int, area: int, zeros: int, word: Word) -> dict[int, int]:
    """Return the digits of weights that nothing is known of: even within Glorot's limits, on the grid of their type.

    Keras starts there (Glorot and Bengio 2010), and few trained weights leave the range.
    """
    limit = math.sqrt(6 / (inputs + outputs * area))
    top = min(math.ldexp(limit, min(word.fraction, 40)), math.ldexp(1.0, min(word.bits - 1, 40)))
    values = np.rint(np.linspace(0, top, _SAMPLES)).astype(np.int64)
    counts = np.bincount(signed_digits(values))
    return _scaled(counts, inputs * outputs, zeros)


def _scaled(counts: np.ndarray[tuple[int, ...], np.dtype[np.int64]], size: int, zeros: int) -> dict[int, int]:
    """Return counts in proportion to a sample that add up to ``size``, with ``zeros`` zeros where any are known."""
    zeros = min(zeros, size)
    shares = counts.astype(float)
    if zeros:
        shares[0] = 0.0
    left = size - zeros
    edges = np.rint(np.cumsum(shares) / (shares.sum() or 1.0) * left).astype(int)
    found = dict(enumerate(np.diff(edges, prepend=0).tolist()))
    found[0] = found.get(0, 0) + zeros
    return found


def distinct(digits: Mapping[int, int], inputs: int, least: int, most: int | None = None) -> float:
    """Return how many products are left of weights with ``least`` to ``most`` digits when equal ones are shared.

    Only the outputs of one input can share. With V values that are equally likely, m of them have V(1 - (1 - 1/V)^m)
    distinct ones; V follows from the mean number of digits, n/3 + 1/9 for n bits (Reitwiesner 1960).
    """
    chosen = _count(digits, least, most)
    nonzeros = _count(digits, 1, None)
    if not chosen:
        return 0.0
    values = max(1.0, 2 ** used_bits(digits) * chosen / nonzeros)
    each = chosen / inputs
    return float(min(chosen, inputs * values * -math.expm1(each * math.log1p(-1 / (values + 1)))))


def used_bits(digits: Mapping[int, int]) -> float:
    """Return the bits, sign apart, that weights with these digits use."""
    nonzeros = _count(digits, 1, None)
    mean = sum(number * count for number, count in digits.items()) / nonzeros if nonzeros else 1.0
    return max(1.0, 3 * (mean - 1 / 9))


def _count(digits: Mapping[int, int], least: int, most: int | None) -> int:
    return sum(count for number, count in digits.items() if least <= number and (most is None or number <= most))
