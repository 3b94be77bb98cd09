"""Prices of digits: what a digit must be worth to stay, so that all that stay keep a budget."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from fpgaprune.quantise.joint.cost import growth
from fpgaprune.quantise.joint.digit_grid import DigitGrid

if TYPE_CHECKING:
    from fpgaprune.quantise.joint.cost import Priced

_NEAR = 0.5
"""The share of its price down to which the next one is looked for at first."""

_CLOSE = 1e-6
"""How near to the least price the one is that is taken, relatively."""


@dataclass(frozen=True)
class _Layer:
    """The gains of the digits of a layer, rising, in squared steps of its grid, and what one digit costs now.

    Gains of ``least`` and below are not among them.
    """

    gains: np.ndarray[tuple[int], np.dtype[np.float32]]
    least: float
    unit: float  # the price of a digit in squared steps, for a price of one
    source_bits: float
    rows: int

    def price(self, price: float) -> np.float32:
        return np.float32(price * self.unit)

    def cost(self, price: float) -> float:
        """Return the adder bits of the digits that gain more than they cost."""
        digits = len(self.gains) - int(self.gains.searchsorted(self.price(price), side="right"))
        return digits * (self.source_bits + growth(digits, self.rows))


def press(priced: Priced, budget: float) -> None:
    """Set the least prices, in error for each adder bit, at which the digits that are worth them keep ``budget``."""
    for share in (_NEAR, 0.0):  # prices rise slowly, so most digits need no look
        layers = _layers(priced, share)
        price = _least_price(layers, budget)
        if price is not None:
            _set(priced, [layer.price(price) for layer in layers])
            return


def _least_price(layers: list[_Layer], budget: float) -> float | None:
    """Return the least price that keeps the budget; None where that may be too low for gains that are not known."""
    low = max(layer.least / layer.unit for layer in layers)
    if _cost(layers, low) <= budget:
        return None if low else low
    high = max(_dearest(layer) for layer in layers)
    while high > low * (1 + _CLOSE) and high > low + np.finfo(np.float32).tiny:
        middle = (low + high) / 2
        low, high = (low, middle) if _cost(layers, middle) <= budget else (middle, high)
    return high


def set_prices(priced: Priced, price: float) -> None:
    """Set the price of a digit, in squared error of a weight for each adder bit, for all layers."""
    _set(priced, [price * unit for unit in _units(priced).values()])


def _set(priced: Priced, prices: list[float] | list[np.float32]) -> None:
    assert isinstance(priced.grid, DigitGrid)  # noqa: S101  # there are no prices of widths
    priced.grid.price.copy_(torch.tensor(np.array(prices, dtype=np.float32)))


def _units(priced: Priced) -> dict[str, float]:
    """Return the price of a digit of each layer in squared steps, as wide as it is now, for a price of one."""
    assert isinstance(priced.grid, DigitGrid)  # noqa: S101  # as in _set
    steps = priced.grid.fractions
    return {
        name: float(priced.digit_bits(name, float(digits))) * 4.0 ** steps[name]
        for name, digits in priced.digits().items()
    }


def _layers(priced: Priced, share: float) -> list[_Layer]:
    """Return the layers with the gains above a share of their present prices."""
    grid = priced.grid
    assert isinstance(grid, DigitGrid)  # noqa: S101  # as in _set
    units, found = _units(priced), []
    prices = dict(zip(units, (grid.price * share).tolist(), strict=True))
    for name, gains in grid.gains(priced.weights, share).items():
        values = np.sort(gains.float().cpu().numpy())
        source_bits, rows = float(priced.source_bits(name)), len(priced.weights[name])
        found.append(_Layer(values, prices[name], units[name], source_bits, rows))
    return found


def _dearest(layer: _Layer) -> float:
    """Return a price that no digit is worth."""
    return 2 * float(layer.gains[-1]) / layer.unit if len(layer.gains) else 0.0


def _cost(layers: list[_Layer], price: float) -> float:
    return sum(layer.cost(price) for layer in layers)
