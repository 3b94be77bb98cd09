"""The exact intervals of what the lanes of a folded matrix add up."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from fpgaprune.fixed import bounds
from fpgaprune.intervals import full, products
from fpgaprune.lower.kernels import Word
from fpgaprune.sparse import frozen

if TYPE_CHECKING:
    from fpgaprune.fixed import IntArray
    from fpgaprune.lower.kernels import MatVecKernel
    from fpgaprune.schedule import LaneProgram
    from fpgaprune.sparse import Int64Array


@dataclass(frozen=True, eq=False)
class PartialSums:
    """Smallest and largest value of each part, and in each lane of its weights, products and accumulator.

    The accumulator takes every sum of the first terms of a part, so it can be wider than the part. A lane without
    terms has zeros. Bias is in none of them.
    """

    part_low: IntArray
    part_high: IntArray
    lane_low: IntArray
    lane_high: IntArray
    lane_product_low: IntArray
    lane_product_high: IntArray
    lane_weight_low: Int64Array
    lane_weight_high: Int64Array

    def __post_init__(self) -> None:
        for field in fields(self):
            object.__setattr__(self, field.name, frozen(getattr(self, field.name)))

    @property
    def sum_word(self) -> Word:
        """One word for the running sums of all lanes and all parts."""
        return Word.holding(bounds(self.lane_low)[0], bounds(self.lane_high)[1])

    @property
    def weight_word(self) -> Word:
        """One word for the weights of all lanes, and for the zero of slots without a term."""
        return Word.holding(min(bounds(self.lane_weight_low)[0], 0), max(bounds(self.lane_weight_high)[1], 0))


def partial_sums(kernel: MatVecKernel) -> PartialSums:
    """Return the intervals of a folded matrix, whose elements take every value of the source's format independently."""
    lanes = kernel.program
    low, high = _products(kernel)
    starts = np.flatnonzero(np.diff(lanes.part, prepend=-1))
    lowest, highest = (_running(terms, starts) for terms in (low, high))
    ends = np.append(starts[1:], len(low)) - 1
    by_part = np.argsort(lanes.part[starts])
    return PartialSums(
        part_low=lowest[ends][by_part],
        part_high=highest[ends][by_part],
        lane_low=_over_lanes(np.minimum, lowest, lanes),
        lane_high=_over_lanes(np.maximum, highest, lanes),
        lane_product_low=_over_lanes(np.minimum, low, lanes),
        lane_product_high=_over_lanes(np.maximum, high, lanes),
        lane_weight_low=_over_lanes(np.minimum, lanes.weight, lanes),
        lane_weight_high=_over_lanes(np.maximum, lanes.weight, lanes),
    )


def _products(kernel: MatVecKernel) -> tuple[IntArray, IntArray]:
    """Return the interval of each term's product, in the order of the program."""
    lanes = kernel.program
    order = np.lexsort((lanes.column, lanes.part_row[lanes.part]))  # the order of the matrix
    back = np.argsort(order)
    low, high = products(kernel.weights, full((kernel.source.size,), kernel.source.format))
    return low[back], high[back]


def _running(terms: IntArray, starts: Int64Array) -> IntArray:
    """Return the sums of the first terms of each part; int64 that overflows on the way wraps back to them."""
    sums = np.cumsum(terms)
    before = sums[starts] - terms[starts]
    running: IntArray = sums - np.repeat(before, np.diff(starts, append=len(terms)))
    return running


def _over_lanes(smaller: np.ufunc, terms: IntArray, lanes: LaneProgram) -> IntArray:
    result: IntArray = np.zeros(lanes.lanes, dtype=terms.dtype)
    starts = np.flatnonzero(lanes.slot == 0)
    result[lanes.lane[starts]] = smaller.reduceat(terms, starts)
    return result
