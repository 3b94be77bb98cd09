"""A transformer layer that tells nine speakers apart by how they say two Japanese vowels."""

from __future__ import annotations

import torch
from series import VOWEL_STEPS, vowels
from story import Plan, out_folder, tell
from torch import Tensor, nn

from fpgaprune.api import PruneRecipe, QuantiseRecipe, TrainSettings

PLAN = Plan(
    name="vowels_attention",
    board="zcu104",
    training=TrainSettings(epochs=40, learning_rate=8e-3),
    pruning=PruneRecipe(
        sparsity=0.85, schedule="cubic", steps=6, fine_tune=TrainSettings(epochs=20, learning_rate=4e-3)
    ),
    quantising=QuantiseRecipe(weight_bits=6, fine_tune=TrainSettings(epochs=3)),
)


class Speaker(nn.Module):
    """Attention among all steps, a small network on each, and the mean of what all steps say."""

    def __init__(self, size: int = 16) -> None:
        super().__init__()
        self.embed = nn.Linear(12, size)
        self.position = nn.Parameter(torch.zeros(VOWEL_STEPS, size))
        self.layer = nn.TransformerEncoderLayer(size, 2, 2 * size, dropout=0.0, batch_first=True)
        self.classes = nn.Linear(size, 9)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits (batch, 9) of series (batch, steps, 12)."""
        steps = self.layer(self.embed(x) + self.position)
        logits: Tensor = self.classes(steps.mean(dim=1))
        return logits


def network() -> nn.Module:
    """Return the untrained network."""
    torch.manual_seed(0)
    return Speaker()


if __name__ == "__main__":
    tell(network(), vowels(), PLAN, out_folder(PLAN.name))
