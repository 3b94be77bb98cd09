"""What the weights of a network are expected to cost in hardware, with gradients to the widths that are trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from typing_extensions import assert_never

from fpgaprune.quantise.compression import Cost
from fpgaprune.quantise.joint.grids import DigitGrid, ResultGrid, WidthGrid

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, eq=False)
class Priced:
    """A layer whose weights cost something: its name, its weight, the grid of that, and what its inputs are rounded on.

    ``source`` is the grid whose width is trained, or the width in bits, without the sign, that the inputs always have.
    """

    name: str
    weight: Tensor
    grid: DigitGrid | WidthGrid
    source: ResultGrid | int

    def source_bits(self) -> Tensor:
        """Return the width of the inputs without the sign."""
        return torch.tensor(float(self.source)) if isinstance(self.source, int) else self.source.bits()

    def digits(self) -> Tensor:
        """Return the signed digits of each weight, those that are expected where widths are trained."""
        if isinstance(self.grid, DigitGrid):
            return self.grid.counts(self.weight)
        return expected_digits(self.grid.bits(self.weight))

    def digit_bits(self, digits: float) -> Tensor:
        """Return the width of the adder that a digit needs, where the layer has so many ``digits``.

        The sum of n terms is about log2(n) bits wider than one of them at its end, and half as much on the way.
        """
        return self.source_bits() + torch.log2(torch.tensor(1 + digits / len(self.weight))) / 2


def expected_digits(bits: Tensor) -> Tensor:
    """Return the signed digits that a number of so many bits, the highest of which is one, has on the average.

    Each further bit brings a third of a digit (Reitwiesner 1960); 7/9 is what the bits at both ends add, and one bit
    is one digit.
    """
    return torch.minimum(bits, bits / 3 + 7 / 9)


def total(layers: Sequence[Priced], cost: Cost) -> Tensor:
    """Return the cost of all layers, each counted once however often the hardware runs it."""
    return torch.stack([_of(layer, cost) for layer in layers]).sum()


def _of(layer: Priced, cost: Cost) -> Tensor:
    match cost:
        case Cost.ADDER_BITS:
            digits = layer.digits().sum()
            return digits * layer.digit_bits(float(digits.detach()))
        case Cost.EBOPS:
            assert isinstance(layer.grid, WidthGrid)  # noqa: S101  # the recipe allows no other
            return layer.grid.bits(layer.weight).sum() * layer.source_bits()
        case _:
            assert_never(cost)
