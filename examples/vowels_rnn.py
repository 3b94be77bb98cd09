"""A GRU and an LSTM that tell nine speakers apart by how they say two Japanese vowels."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from series import vowels
from story import Plan, out_folder, tell
from torch import Tensor, nn

from fpgaprune.api import PruneRecipe, QuantiseRecipe, TrainSettings

if TYPE_CHECKING:
    from collections.abc import Callable

PLAN = Plan(
    name="vowels",
    board="pynq-z2",
    training=TrainSettings(epochs=30, learning_rate=1e-2),
    pruning=PruneRecipe(
        sparsity=0.85, schedule="cubic", steps=3, fine_tune=TrainSettings(epochs=10, learning_rate=5e-3)
    ),
    quantising=QuantiseRecipe(weight_bits=4, fine_tune=TrainSettings(epochs=2)),
)
CELLS = {"gru": nn.GRU, "lstm": nn.LSTM}


class Speaker(nn.Module):
    """A recurrent layer over all steps, and a linear layer on what it knows after the last."""

    def __init__(self, cell: Callable[..., nn.Module], hidden: int = 24) -> None:
        super().__init__()
        self.cell = cell(12, hidden, batch_first=True)
        self.classes = nn.Linear(hidden, 9)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits (batch, 9) of series (batch, steps, 12)."""
        states, _ = self.cell(x)
        logits: Tensor = self.classes(states[:, -1])
        return logits


def network(cell: Callable[..., nn.Module]) -> nn.Module:
    """Return the untrained network with this kind of cell."""
    torch.manual_seed(0)
    return Speaker(cell)


if __name__ == "__main__":
    out, data = out_folder("vowels_rnn"), vowels()
    for name, cell in CELLS.items():
        tell(network(cell), data, replace(PLAN, name=f"vowels_{name}"), out / name)
