"""The tensors of a model at one moment."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, nn


def tensors_of(model: nn.Module) -> dict[str, Tensor]:
    """Return name → a copy of each parameter and buffer, those that a state dict leaves out among them."""
    named = chain(model.named_parameters(), model.named_buffers())
    return {name: tensor.detach().clone(memory_format=torch.contiguous_format) for name, tensor in named}


@torch.no_grad()
def put_back(model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Give ``model`` the values that ``tensors_of`` returned."""
    for name, tensor in chain(model.named_parameters(), model.named_buffers()):
        tensor.copy_(tensors[name])
