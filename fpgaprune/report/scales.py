"""Where values lie in a picture: sparsity by the weights that remain, shares on a linear or a logarithmic axis."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

WIDE = 20.0
"""The range of values, as a ratio, from which an axis is logarithmic."""

PICTURE_GAMMA = 0.5
"""Exponent between the share of non-zeros and the strength of the colour: 5 % still shows, 0 % is nothing."""

_FLOOR = 0.1


@dataclass(frozen=True)
class Scale:
    """A map from values to 0 (the low end) … 1 (the high end), and the values that are written at the axis.

    On a logarithmic scale with ``zero``, 0 lies at the low end, apart from the positive values.
    """

    low: float
    high: float
    log: bool
    zero: bool
    ticks: tuple[float, ...]

    def at(self, value: float) -> float:
        """Return the place of a value."""
        if not self.log:
            return (value - self.low) / (self.high - self.low)
        floor = _FLOOR if self.zero else 0.0
        if value <= 0:
            return 0.0
        return floor + (1 - floor) * math.log(value / self.low) / math.log(self.high / self.low)

    def texts(self) -> list[str]:
        """Return what is written at the ticks: per cent, with the digits that tell them apart."""
        if self.log:
            return [f"{100 * tick:,g}" if tick < 0.01 else f"{100 * tick:,.0f}" for tick in self.ticks]
        digits = next(d for d in range(9) if all(_whole(100 * tick * 10**d) for tick in self.ticks))
        return [f"{100 * tick:,.{digits}f}" for tick in self.ticks]


def spread(sparsities: Sequence[float]) -> list[float]:
    """Return places of sparsities between 0 and 1; a single one lies in the middle.

    Distances are ratios of the weights that remain, so 90 and 95 % are as far apart as 0 and 50 %; a network without
    weights is where half of the fewest others would be.
    """
    densities = [1 - sparsity for sparsity in sparsities]
    least = min([density for density in densities if density > 0], default=1.0) / 2
    places = [-math.log(max(density, least)) for density in densities]
    low, high = min(places), max(places)
    return [(place - low) / (high - low) if high > low else 0.5 for place in places]


def apart(places: Sequence[float], least: float) -> list[int]:
    """Return the indices, in order, that can carry a text: the ends first, then what stays ``least`` away."""
    chosen: list[int] = []
    for index in dict.fromkeys((len(places) - 1, 0, *range(len(places)))):
        if all(abs(places[index] - places[other]) >= least for other in chosen):
            chosen.append(index)
    return sorted(chosen)


def accuracy_scale(shares: Iterable[float]) -> Scale:
    """Return a linear scale around accuracies, from tick to tick."""
    found = list(shares)
    low, high = min(found), max(found)
    step = _step(max(high - low, 0.004) / 4)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    if last - first < 2:  # a line of equal values lies in the middle
        first, last = first - 1, last + 1
    last = min(last, round(1 / step)) if high <= 1 else last
    return Scale(first * step, last * step, False, False, tuple(n * step for n in range(first, last + 1)))


def cost_scale(values: Iterable[float]) -> Scale:
    """Return a scale of what is not negative: from 0, or logarithmic where the positive values differ widely."""
    found = list(values)
    positive = [value for value in found if value > 0]
    if not positive or max(positive) / min(positive) < WIDE:
        ticks = nice_ticks(0.0, max([*found, 1e-9]))
        return Scale(ticks[0], ticks[-1], False, False, ticks)
    low, top, zero = min(positive) / 1.4, max(positive) * 1.4, len(positive) < len(found)
    ticks = _decades(low, top)
    return Scale(low, top, True, zero, (0.0, *ticks) if zero else ticks)


def nice_ticks(low: float, high: float) -> tuple[float, ...]:
    """Return about five round numbers, evenly spaced, the first at most ``low`` and the last at least ``high``."""
    step = _step(max(high - low, 1e-9 * max(abs(low), abs(high), 1e-9)) / 4)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return tuple(n * step for n in range(first, max(last, first + 1) + 1))


def board_scale(shares: Iterable[float]) -> Scale:
    """Return a scale of shares of a board, 100 % always on it; logarithmic where values differ widely."""
    found = [share for share in shares if math.isfinite(share)]
    positive = [share for share in found if share > 0]
    high = max([1.0, *positive])
    if not positive or high / min(positive) < WIDE:
        step = _step(high / 4)
        last = math.ceil(high / step - 1e-9)
        return Scale(0.0, last * step, False, False, tuple(n * step for n in range(last + 1)))
    low, top, zero = min([1.0, *positive]) / 1.4, high * 1.4, len(positive) < len(found)
    ticks = _decades(low, top)
    return Scale(low, top, True, zero, (0.0, *ticks) if zero else ticks)


def strength(share: float) -> float:
    """Return how strong the colour of a share of non-zeros is, from 0 to 1."""
    return float(min(max(share, 0.0), 1.0) ** PICTURE_GAMMA)


def _whole(value: float) -> bool:
    return abs(value - round(value)) < 1e-6


def _step(rough: float) -> float:
    """Return the next number of 1, 2, 2.5 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= rough * (1 - 1e-9))


def _decades(low: float, high: float) -> tuple[float, ...]:
    """Return powers of ten within limits; 2 and 5 times them as well where these are few."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1, 2, 5) if len(powers) < 5 else (1,)
    return tuple(step * 10.0**power for power in powers for step in steps if low <= step * 10.0**power <= high)
