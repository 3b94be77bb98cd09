"""The operations of a matrix kernel: constant multiplications and a balanced tree of exact adders for each row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fpgaprune.digits import signed_digits, trailing_zeros
from fpgaprune.intervals import full, products

if TYPE_CHECKING:
    from fpgaprune.fixed import IntArray
    from fpgaprune.lower import MatVecKernel
    from fpgaprune.sparse import Int64Array


@dataclass(frozen=True)
class Level:
    """One level of all rows' trees: bits that its adders span, and bits that are alive after it."""

    adder_bits: int
    live_bits: int


@dataclass(frozen=True)
class Multiplications:
    """Distinct products of an input element and a weight: what is left of them as hardware.

    A weight with one signed digit is wires, one with two is an adder; with more it is a multiplier. Products of the
    same element and the same weight are computed once, as the vendor's compiler does: on the public reports of
    wa-hls4ml-search (Apache-2.0), 12- and 14-bit dense layers, this count is the reported DSP count within 1 %.
    """

    adder_bits: int
    multipliers: int


def multiplications(kernel: MatVecKernel) -> Multiplications:
    """Return the distinct constant multiplications of a matrix kernel."""
    weights = kernel.weights
    distinct = np.unique(np.stack([weights.column, weights.weight]), axis=1)[1]
    digits = signed_digits(distinct)
    width = kernel.source.word.width + 1
    return Multiplications(int((digits == 2).sum()) * width, int((digits > 2).sum()))


def levels(kernel: MatVecKernel) -> list[Level]:
    """Return the levels of the adder trees from the products to the sums, widths from exact intervals.

    An adder spans the bits of its result down to the lowest bit that both operands have: below it wires do.
    """
    terms = _terms(kernel)
    found = [Level(0, _live(terms))]
    while (np.bincount(terms.row, minlength=1) > 1).any():
        terms, bits = _pairwise(terms)
        found.append(Level(bits, _live(terms)))
    return found


@dataclass(frozen=True, eq=False)
class _Terms:
    row: Int64Array
    low: IntArray
    high: IntArray
    zeros: Int64Array  # low bits that are always zero


def _terms(kernel: MatVecKernel) -> _Terms:
    """The products of each row and its bias, where it is not zero."""
    weights = kernel.weights
    low, high = products(weights, full((kernel.source.size,), kernel.source.format))
    biased = np.flatnonzero(kernel.bias != 0)
    row = np.concatenate([weights.row, biased])
    order = np.argsort(row, kind="stable")
    bias = kernel.bias[biased]
    return _Terms(
        row[order],
        np.concatenate([low, bias])[order],
        np.concatenate([high, bias])[order],
        np.concatenate([trailing_zeros(weights.weight), _zeros(bias)])[order],
    )


def _zeros(values: IntArray) -> Int64Array:
    return np.array([(int(value) & -int(value)).bit_length() - 1 for value in values], dtype=np.int64)


def _pairwise(terms: _Terms) -> tuple[_Terms, int]:
    """Add neighbours of a row in pairs; the last of an odd number passes through."""
    start = np.searchsorted(terms.row, terms.row, side="left")
    place = np.arange(len(terms.row)) - start
    same_row = np.append(terms.row[1:] == terms.row[:-1], [False])
    left = np.flatnonzero((place % 2 == 0) & same_row)
    alone = np.flatnonzero((place % 2 == 0) & ~same_row)
    low, high = terms.low[left] + terms.low[left + 1], terms.high[left] + terms.high[left + 1]
    larger = np.maximum(terms.zeros[left], terms.zeros[left + 1])
    bits = int(np.maximum(widths(low, high) - larger, 1).sum())
    merged = np.concatenate([left, alone])
    order = np.argsort(merged, kind="stable")
    result = _Terms(
        terms.row[merged][order],
        np.concatenate([low, terms.low[alone]])[order],
        np.concatenate([high, terms.high[alone]])[order],
        np.concatenate([np.minimum(terms.zeros[left], terms.zeros[left + 1]), terms.zeros[alone]])[order],
    )
    return result, bits


def _live(terms: _Terms) -> int:
    """Bits that must be stored to cut here; constants and low zero bits need none."""
    moving = terms.low != terms.high
    return int((widths(terms.low, terms.high) - np.minimum(terms.zeros, 62))[moving].clip(1).sum())


def widths(low: IntArray, high: IntArray) -> Int64Array:
    """Return the width in bits of the word for each interval, as `fixed.smallest_word` does one by one."""
    negative = low < 0
    magnitude = np.maximum(np.where(negative, -low - 1, 0), np.maximum(high, 0))
    return np.maximum(_bit_lengths(magnitude) + negative, 1)


def _bit_lengths(values: IntArray) -> Int64Array:
    if values.dtype == object or (values.size and values.max() >= 1 << 53):
        return np.array([int(value).bit_length() for value in values], dtype=np.int64)
    return np.frexp(values.astype(np.float64))[1].astype(np.int64)  # exact, since float64 holds 53 bits
