"""The binary point of a tensor, chosen from its values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import assert_never

from fpgaprune.fixed import Fixed, from_float, to_float
from fpgaprune.quantise.functions import evaluated, tabulated
from fpgaprune.quantise.recipe import Calibration

if TYPE_CHECKING:
    from fpgaprune.capture.records import FloatArray, Function

MOST_FRACTION = 64
"""Steps from 2**-64 to 2**64 are tried; beyond, a tensor is zero or infinite for all that matters."""

_MOST_VALUES = 1 << 20
"""Values that the squared error is taken over; more do not change the choice."""

_MOST_LOOKED_UP = 1 << 14
"""The same where each value is looked up in a table."""

_TABLE_SPREAD = 40
"""Bits by which the step of a table's input may be finer than the coarsest."""


@dataclass(frozen=True)
class Choice:
    """The format chosen for a ``tensor`` (result or weight) of a ``layer``, and how well it fits.

    ``rms_error`` is in the unit of the tensor, ``saturated`` the share of the values beyond the ends of the format.
    """

    layer: str
    tensor: str
    format: Fixed
    rms_error: float
    saturated: float


def choose(values: FloatArray, to: Fixed, method: Calibration, percentile: float) -> Fixed:
    """Return the format with the fraction bits that suit the values; its fraction is the only thing that changes.

    All zeros get the finest step with which the range reaches one.
    """
    flat = values.ravel()
    if not flat.any():
        return replace(to, fraction=to.width - to.signed)
    if method is Calibration.PERCENTILE:
        limit = np.percentile(np.abs(flat), percentile)
        return _covering(np.clip(flat, -limit, limit), to)
    widest = _covering(flat, to)
    match method:
        case Calibration.MINMAX:
            return widest
        case Calibration.MSE:
            return _least_error(flat, widest)
        case _:
            assert_never(method)


def choose_for_table(values: FloatArray, to: Fixed, function: Function, result: Fixed) -> Fixed:
    """Return the format with the fraction bits for what a table reads, by the error of the table's results.

    Its input may reach far beyond where the function still changes; the error of the input itself would heed only
    that part.
    """
    thinned = _thinned(values.ravel(), _MOST_LOOKED_UP)
    if not thinned.any():
        return choose(values, to, Calibration.MINMAX, 100)
    widest = _covering(thinned, to)
    finest = min(widest.fraction + _TABLE_SPREAD, MOST_FRACTION)
    candidates = [replace(widest, fraction=fraction) for fraction in range(widest.fraction, finest + 1)]
    return min(candidates, key=lambda candidate: _table_error(thinned, candidate, function, result))


def describe(layer: str, tensor: str, values: FloatArray, chosen: Fixed) -> Choice:
    """Return the choice with its error on the values."""
    flat = _thinned(values.ravel())
    scaled = _scaled(flat, chosen.fraction)
    outside = (scaled < chosen.low - 0.5) | (scaled > chosen.high + 0.5)
    saturated = float(outside.mean()) if flat.size else 0.0
    return Choice(layer, tensor, chosen, _rms_error(flat, chosen), saturated)


def _covering(values: FloatArray, to: Fixed) -> Fixed:
    """Return the format with the finest step that brings the ends of the values into range."""
    ends = np.array([values.min(), values.max()])
    for fraction in range(MOST_FRACTION, -MOST_FRACTION, -1):
        low, high = np.rint(_scaled(ends, fraction))
        if to.low <= low and high <= to.high:
            return replace(to, fraction=fraction)
    return replace(to, fraction=-MOST_FRACTION)


def _least_error(values: FloatArray, widest: Fixed) -> Fixed:
    """Return the format with the least squared error; of equals, the one with the wider range."""
    thinned = _thinned(values)
    finest = min(widest.fraction + widest.width, MOST_FRACTION)
    candidates = [replace(widest, fraction=fraction) for fraction in range(widest.fraction, finest + 1)]
    return min(candidates, key=lambda candidate: _rms_error(thinned, candidate))


def _table_error(values: FloatArray, source: Fixed, function: Function, result: Fixed) -> float:
    """Return the root of the mean squared error that a table makes of values beyond its input's and result's words."""
    wanted = evaluated(function, values, source.step)
    limited = np.clip(wanted, result.low * result.step, result.high * result.step)
    looked_up = tabulated(function, source, result).values[from_float(values, source) - source.low]
    return float(np.sqrt(np.mean((limited - to_float(looked_up, result.fraction)) ** 2)))


def _thinned(values: FloatArray, most: int = _MOST_VALUES) -> FloatArray:
    return values[:: len(values) // most + 1]


def _scaled(values: FloatArray, fraction: int) -> FloatArray:
    with np.errstate(over="ignore"):  # infinity is out of range as well
        return np.ldexp(values, fraction)


def _rms_error(values: FloatArray, to: Fixed) -> float:
    """Return the root of the mean squared error of the values in a format."""
    difference = np.abs(values - to_float(from_float(values, to), to.fraction))
    largest = float(difference.max(initial=0.0))
    return largest * float(np.sqrt(np.mean((difference / largest) ** 2))) if largest else 0.0
