"""Signed digits of constants: what a multiplication by them costs when it is made of additions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from fpgaprune.fixed import IntArray
    from fpgaprune.sparse import Int64Array


def signed_digits(weights: Int64Array) -> Int64Array:
    """Return the number of non-zero digits of each integer in canonical signed digit form.

    The digits of n are the bits in which n and 3n differ (Reitwiesner 1960, non-adjacent form), so that 7 = 8 - 1
    has two. Integers are taken below 2**61 in magnitude.
    """
    magnitude = np.abs(weights).astype(np.uint64)
    return popcount(magnitude ^ (magnitude * np.uint64(3)))


def popcount(words: np.ndarray[tuple[int, ...], np.dtype[np.uint64]]) -> Int64Array:
    """Return the number of one bits of each 64-bit word."""
    octets = np.ascontiguousarray(words).view(np.uint8).reshape(*words.shape, 8)
    counts: Int64Array = np.unpackbits(octets, axis=-1).sum(axis=-1).astype(np.int64)
    return counts


def trailing_zeros(words: IntArray) -> Int64Array:
    """Return the number of low zero bits of each non-zero integer of any size, and 63 for zero."""
    if words.dtype == object:
        return np.array([(word & -word).bit_length() - 1 if word else 63 for word in words.tolist()], dtype=np.int64)
    lowest = (words & -words).astype(np.uint64)
    zeros = popcount(lowest - np.uint64(1))
    return np.where(words == 0, 63, zeros)
