"""A grid that is trained: weights with few signed digits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from fpgaprune.quantise.joint.expansion import all_gains, summed
from fpgaprune.quantise.joint.flat import Flat, Remembered

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fpgaprune.fixed import Fixed

_LEAST_SQUARE = 0.24
"""Below a square of 1/4 there is no digit, whatever its price; no float just below 1/4 is to be looked at twice."""


class DigitGrid(nn.Module):
    """Weights with few signed digits on the grids of formats: a digit stays that lowers the squared error enough.

    ``price`` (layers,) is the least gain of a digit, in squared steps of the layer's grid; with digits that are
    allotted to each weight, the price no longer counts. Weights come and go by layer.
    """

    price: Tensor
    _scale: Tensor
    _layer: Tensor

    def __init__(self, formats: Mapping[str, Fixed], shapes: Mapping[str, tuple[int, ...]]) -> None:
        super().__init__()
        self.fractions = {name: to.fraction for name, to in formats.items()}
        self._flat = Flat(shapes)
        self._allotted: Tensor | None = None
        self._known: Remembered[tuple[Tensor, Tensor]] = Remembered()
        self._prices: Remembered[Tensor] = Remembered()
        self.register_buffer("price", torch.zeros(len(formats)))
        scale = self._flat.spread(2.0**fraction for fraction in self.fractions.values())
        self.register_buffer("_scale", scale, persistent=False)
        self.register_buffer("_layer", self._flat.spread(range(len(formats))), persistent=False)

    def forward(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the weights on the grid; the gradient passes unchanged (straight-through estimator)."""
        found = self._flat.parts(self._found(weights)[0])
        return {name: _in_place_of(weights[name], part) for name, part in found.items()}

    def counts(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the digits of each weight."""
        return self._flat.parts(self._found(weights)[1])

    @torch.no_grad()
    def gains(self, weights: Mapping[str, Tensor], share: float) -> dict[str, Tensor]:
        """Return the gains (digits,) of each layer, in squared steps of its grid, in any order.

        They are those above a share of the present price.
        """
        x, least = self._flat.joined(weights) * self._scale, self._price_of_each() * share
        found = list(all_gains(x, least, torch.nonzero(self._worth_a_look(x, least)).flatten()))
        layers = torch.cat([self._layer[:0], *(self._layer[places] for places, _ in found)])
        gains = torch.cat([x[:0], *(gains for _, gains in found)])
        return {name: gains[layers == number] for number, name in enumerate(self.fractions)}

    def allot(self, weights: Mapping[str, Tensor]) -> None:
        """Leave to each weight as many digits as it has now, whatever it becomes."""
        self._allotted = self._found(weights)[1]
        self._known.forget()

    def _found(self, weights: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Return the weights on the grid and their digits."""
        return self._known.of([self.price, *weights.values()], lambda: self._compute(weights))

    @torch.no_grad()
    def _compute(self, weights: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        x, prices = self._flat.joined(weights) * self._scale, self._price_of_each()
        places = torch.nonzero(self._worth_a_look(x, prices)).flatten()
        most = None if self._allotted is None else self._allotted.to(x.device)[places]
        sums, counts = summed(x[places], prices[places], most)
        whole = torch.zeros_like(x).index_copy_(0, places, sums)
        return whole / self._scale, torch.zeros_like(x).index_copy_(0, places, counts)

    def _worth_a_look(self, x: Tensor, prices: Tensor) -> Tensor:
        """Return where there is a digit that gains enough, and where there may be."""
        if self._allotted is not None:
            return self._allotted.to(x.device) > 0
        return x.square() > prices.clamp(min=_LEAST_SQUARE)

    def _price_of_each(self) -> Tensor:
        """Return the price of a digit of each weight; those that are allotted are free."""
        if self._allotted is not None:
            return torch.zeros_like(self._scale)
        return self._prices.of([self.price], lambda: self._flat.spread(self.price).to(self._scale))


def _in_place_of(weight: Tensor, rounded: Tensor) -> Tensor:
    found = weight.clone()
    with torch.no_grad():
        found.copy_(rounded)
    return found
