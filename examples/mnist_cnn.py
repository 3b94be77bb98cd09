"""A convolutional network on 5000 handwritten digits, streamed pixel by pixel."""

from __future__ import annotations

from collections import OrderedDict

import torch
from images import images
from story import Plan, out_folder, tell
from torch import nn

from fpgaprune.api import PruneRecipe, QuantiseRecipe, TrainSettings

PLAN = Plan(
    name="mnist_cnn",
    board="kv260",
    training=TrainSettings(epochs=5, learning_rate=5e-3),
    pruning=PruneRecipe(sparsity=0.9, schedule="cubic", steps=3, fine_tune=TrainSettings(epochs=2, learning_rate=3e-3)),
    quantising=QuantiseRecipe(weight_bits=4, activation_bits=6, input_bits=6, fine_tune=TrainSettings(epochs=1)),
)


def network() -> nn.Module:
    """Return two blocks of convolution, batch norm, ReLU and pooling, and a linear layer."""
    torch.manual_seed(0)
    layers = OrderedDict(
        conv1=nn.Conv2d(1, 8, 3, padding=1),
        norm1=nn.BatchNorm2d(8),
        relu1=nn.ReLU(),
        pool1=nn.MaxPool2d(2),
        conv2=nn.Conv2d(8, 16, 3, padding=1),
        norm2=nn.BatchNorm2d(16),
        relu2=nn.ReLU(),
        pool2=nn.MaxPool2d(2),
        flatten=nn.Flatten(),
        classes=nn.Linear(16 * 7 * 7, 10),
    )
    return nn.Sequential(layers)


if __name__ == "__main__":
    tell(network(), images(), PLAN, out_folder(PLAN.name))
