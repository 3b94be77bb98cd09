"""What the weights of a network are expected to cost in hardware, with gradients to the widths that are trained."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from typing_extensions import assert_never

from fpgaprune.quantise.compression import Cost
from fpgaprune.quantise.joint.digit_grid import DigitGrid
from fpgaprune.quantise.joint.width_grid import WidthGrid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fpgaprune.quantise.joint.result_grid import ResultBits, ResultGrid


@dataclass(frozen=True, eq=False)
class Priced:
    """Weights by layer, their grid, what the inputs of each layer are rounded on, and the unit of their cost.

    A source is the grid whose width is trained, one of ``result_bits``, or the width in bits, without the sign, that
    the inputs always have.
    """

    weights: Mapping[str, Tensor]
    grid: DigitGrid | WidthGrid
    sources: Mapping[str, ResultGrid | int]
    cost: Cost
    result_bits: ResultBits | None = None

    def total(self) -> Tensor:
        """Return the cost of all layers, each counted once however often the hardware runs it."""
        match self.cost:
            case Cost.ADDER_BITS:
                digits = self.digits()
                costs = [each * self.digit_bits(name, float(each.detach())) for name, each in digits.items()]
            case Cost.EBOPS:
                assert isinstance(self.grid, WidthGrid)  # noqa: S101  # the recipe allows no other
                bits = self.grid.bits(self.weights)
                costs = [each.sum() * self.source_bits(name) for name, each in bits.items()]
            case _:
                assert_never(self.cost)
        return torch.stack(costs).sum()

    def digits(self) -> dict[str, Tensor]:
        """Return the signed digits of each layer, those that are expected where widths are trained."""
        if isinstance(self.grid, DigitGrid):
            return {name: each.sum() for name, each in self.grid.counts(self.weights).items()}
        return {name: expected_digits(each).sum() for name, each in self.grid.bits(self.weights).items()}

    def digit_bits(self, name: str, digits: float) -> Tensor:
        """Return the width of the adder that a digit needs, where the layer has so many ``digits``."""
        return self.source_bits(name) + growth(digits, len(self.weights[name]))

    def source_bits(self, name: str) -> Tensor:
        """Return the width of the inputs of a layer without the sign."""
        source = self.sources[name]
        return torch.tensor(float(source)) if isinstance(source, int) else source.bits()


def growth(digits: float, rows: int) -> float:
    """Return by how much adders are wider than what they add on the average, with so many ``digits`` in all ``rows``.

    The sum of n terms is about log2(n) bits wider than one of them at its end, and half as much on the way.
    """
    return math.log2(1 + digits / rows) / 2


def expected_digits(bits: Tensor) -> Tensor:
    """Return the signed digits that a number of so many bits, the highest of which is one, has on the average.

    Each further bit brings a third of a digit (Reitwiesner 1960); 7/9 is what the bits at both ends add, and one bit
    is one digit.
    """
    return torch.minimum(bits, bits / 3 + 7 / 9)
