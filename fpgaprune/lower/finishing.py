"""The finish of a requantisation that joins the kernel before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fpgaprune.fixed import Overflow, Rounding, clip, rescale
from fpgaprune.intervals import Interval
from fpgaprune.lower.kernels import LIMITING, Finish, constant_half

if TYPE_CHECKING:
    from fpgaprune.ir import Requantise


def finish_of(op: Requantise, fraction: int, sums: Interval, *, merge: bool) -> tuple[Finish, int]:
    """Return the finish of exact values with ``fraction`` bits, and the constant that ``merge`` moves out of it.

    That constant is the half step of rounding modes in which it does not depend on the value; it goes into the sum.
    """
    to = op.output.format
    shift = fraction - to.fraction
    rounding = to.rounding if shift > 0 else Rounding.TRN
    rounded = Interval(rescale(sums.low, shift, rounding), rescale(sums.high, shift, rounding))
    low, high = (_rescaled(end, shift, rounding) for end in (op.low, op.high))
    if to.overflow in LIMITING:
        low, high = _tighter(low, high, to.low, to.high)
    half = constant_half(rounding, shift) if merge and shift > 0 else None
    if half is not None:
        rounding = Rounding.TRN
    zero_outside = to.overflow is Overflow.SAT_ZERO and _overflows(rounded, low, high, op)
    return Finish(shift, rounding, rounded, low, high, zero_outside, to), half or 0


def _rescaled(end: int | None, shift: int, rounding: Rounding) -> int | None:
    """Return a clip's end in the steps of the result: rounding is monotone, so clipping may follow it."""
    return None if end is None else int(rescale(np.array(end, dtype=object), shift, rounding))


def _tighter(low: int | None, high: int | None, lowest: int, highest: int) -> tuple[int, int]:
    """Return the limits that do what a clip to ``low``…``high`` and then one to ``lowest``…``highest`` do."""
    low = lowest if low is None else min(max(low, lowest), highest)
    high = highest if high is None else min(max(high, lowest), highest)
    return low, high


def _overflows(rounded: Interval, low: int | None, high: int | None, op: Requantise) -> bool:
    to = op.output.format
    inside = (clip(rounded.low, low, high) >= to.low) & (clip(rounded.high, low, high) <= to.high)
    return not bool(inside.all())
