"""A small residual network on 5000 handwritten digits, streamed pixel by pixel."""

from __future__ import annotations

from collections import OrderedDict

import torch
from images import images
from story import Plan, out_folder, tell
from torch import Tensor, nn
from torch.nn import functional

from fpgaprune.api import PruneRecipe, QuantiseRecipe, TrainSettings

PLAN = Plan(
    name="residual_cnn",
    board="zcu104",
    training=TrainSettings(epochs=6, learning_rate=6e-3),
    pruning=PruneRecipe(sparsity=0.8, schedule="cubic", steps=3, fine_tune=TrainSettings(epochs=2, learning_rate=5e-3)),
    quantising=QuantiseRecipe(weight_bits=6, fine_tune=TrainSettings(epochs=1)),
)


class Block(nn.Module):
    """Two convolutions beside a shortcut, which is one by one where size or channels change (He et al. 2015)."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Identity() if stride == 1 else nn.Conv2d(inputs, outputs, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Return maps (batch, outputs, …) of maps (batch, inputs, …)."""
        inner = functional.relu(self.norm1(self.conv1(x)))
        return functional.relu(self.norm2(self.conv2(inner)) + self.shortcut(x))


def network() -> nn.Module:
    """Return a first convolution, a block that keeps the size and two that halve it, and a mean over all positions."""
    torch.manual_seed(0)
    layers = OrderedDict(
        first=nn.Conv2d(1, 8, 3, stride=2, padding=1),
        relu=nn.ReLU(),
        block1=Block(8, 8),
        block2=Block(8, 16, stride=2),
        block3=Block(16, 24, stride=2),
        mean=nn.AdaptiveAvgPool2d(1),
        flatten=nn.Flatten(),
        classes=nn.Linear(24, 10),
    )
    return nn.Sequential(layers)


if __name__ == "__main__":
    tell(network(), images(), PLAN, out_folder(PLAN.name))
