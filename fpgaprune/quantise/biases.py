"""The biases of all layers that sum products, each rounded to the step of its products, in a few operations."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Sequence


class BiasGrid(nn.Module):
    """Biases of these ``sizes`` rounded to the nearest multiple of two to the minus ``fractions``, half to even.

    The scales are float64, so that networks in float64 are exact, until the module is cast.
    """

    _scale: Tensor
    _step: Tensor

    def __init__(self, sizes: Sequence[int], fractions: Sequence[int]) -> None:
        super().__init__()
        self._sizes = list(sizes)
        self.register_buffer("_scale", self._powers(fractions), persistent=False)
        self.register_buffer("_step", self._powers([-fraction for fraction in fractions]), persistent=False)

    def _powers(self, exponents: Sequence[int]) -> Tensor:
        """Return for each entry two to the power of the exponent of its bias."""
        each = torch.tensor([math.ldexp(1.0, exponent) for exponent in exponents], dtype=torch.float64)
        return each.repeat_interleave(torch.tensor(self._sizes))

    def forward(self, biases: list[Tensor]) -> tuple[Tensor, ...]:
        """Return the biases on their steps, without limits; the gradient passes unchanged."""
        kept = torch.cat(biases)  # a copy, so it may be rounded in place
        kept.detach().mul_(self._scale).round_().mul_(self._step)
        return kept.split_with_sizes(self._sizes)
