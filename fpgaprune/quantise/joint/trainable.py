"""Real numbers of low bits that a grid loses, rounded where they are used."""

from __future__ import annotations

import torch
from torch import Tensor, nn

BITS = 16.0
"""Optimisers move parameters by about the learning rate, which suits weights; bits are larger by this factor."""


class TrainableBits(nn.Module):
    """Bits that are lost, between none and ``most``: the parameter ``scaled`` times `BITS`."""

    _most: Tensor
    _none: Tensor

    def __init__(self, most: Tensor) -> None:
        super().__init__()
        self.scaled = nn.Parameter(torch.zeros(most.shape))
        self.register_buffer("_none", torch.zeros(most.shape), persistent=False)
        self.register_buffer("_most", most / BITS, persistent=False)

    @property
    def dropped(self) -> Tensor:
        """The low bits that are lost, with a gradient."""
        return self.scaled * BITS

    def limit_(self) -> None:
        """Keep the lost bits in their limits, in place: the format has no finer step."""
        self.scaled.detach().clamp_(self._none, self._most)
