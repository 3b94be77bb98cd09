"""A one-dimensional convolutional network that tells exercises apart on a smartwatch, of persons it has never seen."""

from __future__ import annotations

from collections import OrderedDict

import torch
from series import watch
from story import Plan, out_folder, tell
from torch import nn

from fpgaprune.api import PruneRecipe, QuantiseRecipe, TrainSettings

PLAN = Plan(
    name="watch_conv1d",
    board="arty-a7-100t",
    training=TrainSettings(epochs=12, learning_rate=3e-3, optimiser="adamw", weight_decay=0.1),
    pruning=PruneRecipe(
        sparsity=0.85,
        schedule="cubic",
        steps=4,
        fine_tune=TrainSettings(epochs=3, learning_rate=2e-3, optimiser="adamw", weight_decay=0.1),
    ),
    quantising=QuantiseRecipe(weight_bits=4, activation_bits=6, fine_tune=TrainSettings(epochs=2)),
)


def network() -> nn.Module:
    """Return three convolutions over time, each halving it, a mean over what is left, and a linear layer."""
    torch.manual_seed(0)
    layers = OrderedDict(
        conv1=nn.Conv1d(6, 16, 7, stride=2, padding=3),
        norm1=nn.BatchNorm1d(16),
        relu1=nn.ReLU(),
        conv2=nn.Conv1d(16, 24, 7, stride=2, padding=3),
        norm2=nn.BatchNorm1d(24),
        relu2=nn.ReLU(),
        conv3=nn.Conv1d(24, 32, 7, stride=2, padding=3),
        norm3=nn.BatchNorm1d(32),
        relu3=nn.ReLU(),
        mean=nn.AdaptiveAvgPool1d(1),
        flatten=nn.Flatten(),
        dropout=nn.Dropout(0.3),
        classes=nn.Linear(32, 7),
    )
    return nn.Sequential(layers)


if __name__ == "__main__":
    tell(network(), watch(), PLAN, out_folder(PLAN.name))
