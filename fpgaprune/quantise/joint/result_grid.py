"""Grids that are trained: results with steps of their own."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from fpgaprune.prune.grid import WITHOUT_ENDS, FixedGrid, to_grid
from fpgaprune.quantise.joint.trainable import BITS, TrainableBits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fpgaprune.fixed import Fixed
    from fpgaprune.prune.grid import Ends

_LOG2 = math.log(2)


class ResultBits(TrainableBits):
    """The low bits that the results of layers lose.

    ``units`` (results, results) has in the row of each what its gradient is multiplied by.
    """

    units: Tensor

    def __init__(self, formats: Mapping[str, Fixed]) -> None:
        super().__init__(torch.tensor([float(to.width - 1 - to.signed) for to in formats.values()]))
        self._formats = formats
        self.register_buffer("units", torch.eye(len(formats)) * (-_LOG2 * BITS), persistent=False)

    def grids(self) -> dict[str, ResultGrid]:
        """Return the grid of each layer."""
        return {name: ResultGrid(to, self, place) for place, (name, to) in enumerate(self._formats.items())}


class ResultGrid:
    """Results rounded to a trainable step; the range stays that of the format."""

    def __init__(self, to: Fixed, bits: ResultBits, place: int) -> None:
        self._bits = bits
        self._place = place
        lost = range(to.width - to.signed)
        formats = (replace(to, width=to.width - each, fraction=to.fraction - each) for each in lost)
        self._grids = [FixedGrid(each) for each in formats]

    def __call__(self, x: Tensor, ends: Ends = WITHOUT_ENDS) -> Tensor:
        """Return the results on the grid, clipped to ``ends`` before they are rounded.

        There are gradients to them, between the ends where nothing saturates, and to the lost bits.
        """
        grid = self._grid
        if not torch.is_grad_enabled():
            return grid(x, ends)
        inside, unit = grid.open_range(ends), self._bits.units[self._place]
        found: Tensor = _OnGrid.apply(x, self._bits.scaled, unit, grid.to_format, inside)  # type: ignore[no-untyped-call]
        return found

    @property
    def format(self) -> Fixed:
        """The format as it is now, of one bit and the sign at least."""
        return self._grid.to_format

    @property
    def _grid(self) -> FixedGrid:
        return self._grids[round(self._bits.scaled[self._place].item() * BITS)]

    def bits(self) -> Tensor:
        """Return the width without the sign, with a gradient to the lost bits."""
        to, lost = self.format, self._bits.dropped[self._place]
        return to.width - to.signed - (lost - lost.detach())


class _OnGrid(torch.autograd.Function):
    """The gradient of rounding to a trainable step, of which ``unit`` has the factor in its place among others.

    As of weights, the gradient of a rounded value q of x in the bits of its fraction is log(2) * (x - q).
    """

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401  # torch's context
        x: Tensor,
        scaled: Tensor,  # noqa: ARG004  # what the second gradient is of
        unit: Tensor,
        to: Fixed,
        inside: Ends,
    ) -> Tensor:
        ctx.inside = inside
        rounded = to_grid(x, to, inside)
        ctx.save_for_backward(x, rounded, unit)
        return rounded

    @staticmethod
    def backward(
        ctx: Any,  # noqa: ANN401  # as above
        gradient: Tensor,
    ) -> tuple[Tensor, Tensor, None, None, None]:
        x, rounded, unit = ctx.saved_tensors
        passed = torch.ops.aten.hardtanh_backward(gradient, x, *ctx.inside)
        slope = (x - rounded).mul_(passed).sum()
        return passed, unit * slope, None, None, None
