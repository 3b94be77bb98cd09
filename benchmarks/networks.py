"""Networks with random weights: dense ones as a graph, and dense and convolutional PyTorch modules with data."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from fpgaprune.fixed import Fixed, Overflow, Rounding
from fpgaprune.intervals import analyse
from fpgaprune.ir import Graph, Input, MatVec, Requantise, Tensor
from fpgaprune.sparse import SparseMatrix

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from torch import nn

    from fpgaprune.ir import Op
    from fpgaprune.prune import Data

U8 = Fixed(False, 8, 8, Rounding.RND, Overflow.SAT)
S8 = Fixed(True, 8, 7)


def graph(sizes: Sequence[int], sparsity: float, seed: int = 0) -> Graph:
    """Return dense layers of 8-bit weights with ReLU to unsigned 8 bits between them."""
    rng = np.random.default_rng(seed)
    ops: list[Op] = [Input(Tensor("x", (sizes[0],), U8))]
    for layer, (columns, rows) in enumerate(pairwise(sizes), start=1):
        weights = SparseMatrix.from_dense(_weights(rng, rows, columns, sparsity))
        bias = rng.integers(-500, 500, rows)
        source = ops[-1].output
        wide = Fixed(True, 64, source.format.fraction + S8.fraction)
        op = MatVec(Tensor(f"fc{layer}", (rows,), wide), source.name, weights, S8, bias)
        alone = Graph((Input(source), op), (op.output.name,))
        exact = wide.with_range(*analyse(alone)[op.output.name].bounds)
        ops.append(MatVec(Tensor(op.output.name, (rows,), exact), source.name, weights, S8, bias))
        if layer < len(sizes) - 1:
            ops.append(Requantise(Tensor(f"act{layer}", (rows,), U8), op.output.name, 0))
    return Graph(tuple(ops), (ops[-1].output.name,))


def _weights(rng: np.random.Generator, rows: int, columns: int, sparsity: float) -> np.ndarray:
    dense = rng.integers(1, 128, (rows, columns)) * rng.choice([-1, 1], (rows, columns))
    dense[rng.random((rows, columns)) < sparsity] = 0
    return dense


def nonzeros(of: Graph) -> int:
    """Return the number of weights in a graph."""
    return sum(op.weights.nonzeros for op in of.ops if isinstance(op, MatVec))


def module(sizes: Sequence[int], sparsity: float, seed: int = 0) -> nn.Sequential:
    """Return linear layers with ReLU between them; exactly the share ``sparsity`` of each layer's weights is zero."""
    from torch import nn

    model = nn.Sequential()
    for layer, (columns, rows) in enumerate(pairwise(sizes), start=1):
        model.add_module(f"fc{layer}", nn.Linear(columns, rows))
        if layer < len(sizes) - 1:
            model.add_module(f"relu{layer}", nn.ReLU())
    _fill(model, sparsity, seed)
    return model


def cnn(side: int, channels: Sequence[int], classes: int, sparsity: float, seed: int = 0) -> nn.Sequential:
    """Return 3 by 3 convolutions of a one-channel image, each with ReLU and MaxPool 2, and a linear layer.

    Exactly the share ``sparsity`` of each layer's weights is zero.
    """
    from torch import nn

    model = nn.Sequential()
    for layer, (inputs, outputs) in enumerate(pairwise((1, *channels)), start=1):
        model.add_module(f"conv{layer}", nn.Conv2d(inputs, outputs, 3))
        model.add_module(f"relu{layer}", nn.ReLU())
        model.add_module(f"pool{layer}", nn.MaxPool2d(2))
        side = (side - 2) // 2
    model.add_module("flatten", nn.Flatten())
    model.add_module("fc", nn.Linear(side * side * channels[-1], classes))
    _fill(model, sparsity, seed)
    return model


def residual(channels: Sequence[int], classes: int, seed: int = 0) -> nn.Module:
    """Return the residual network of MLPerf Tiny, dense, its batch norms with random statistics.

    There is a block for each of the ``channels``; all but the first halve the image.
    """
    import torch
    from torch import nn

    class Block(nn.Module):
        def __init__(self, inputs: int, outputs: int, stride: int) -> None:
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(inputs, outputs, 3, stride, 1), nn.BatchNorm2d(outputs)
            self.conv2, self.bn2 = nn.Conv2d(outputs, outputs, 3, 1, 1), nn.BatchNorm2d(outputs)
            self.shortcut = nn.Identity() if stride == 1 else nn.Conv2d(inputs, outputs, 1, stride)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = torch.relu(self.bn1(self.conv1(x)))
            return torch.relu(self.bn2(self.conv2(y)) + self.shortcut(x))

    first = channels[0]
    blocks = [
        Block(inputs, outputs, 1 if place == 0 else 2)
        for place, (inputs, outputs) in enumerate(pairwise((first, *channels)))
    ]
    model = nn.Sequential(
        nn.Conv2d(3, first, 3, 1, 1), nn.BatchNorm2d(first), nn.ReLU(), *blocks,
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels[-1], classes),
    )  # fmt: skip
    _fill(model, 0.0, seed)
    return model.eval()


def _fill(model: nn.Module, sparsity: float, seed: int) -> None:
    """Put random weights in that keep the size of the values, and random statistics."""
    import torch
    from torch import nn

    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for layer in model.modules():
            if isinstance(layer, (nn.Linear, nn.Conv2d)):
                layer.weight.copy_(_sparse(layer.weight.shape, sparsity, generator))
                layer.bias.copy_(torch.randn(len(layer.weight), generator=generator) / 10)
            elif isinstance(layer, nn.BatchNorm2d):
                layer.running_mean.copy_(torch.randn(layer.num_features, generator=generator) / 10)
                layer.running_var.copy_(torch.rand(layer.num_features, generator=generator) + 0.5)


def _sparse(shape: Sequence[int], sparsity: float, generator: torch.Generator) -> torch.Tensor:
    import torch

    total = math.prod(shape)
    order = torch.randperm(total, generator=generator)
    values = torch.randn(total, generator=generator) / max(1.0, total // shape[0] * (1 - sparsity)) ** 0.5
    values[order[: round(sparsity * total)]] = 0
    return values.reshape(shape)


def data(shape: Sequence[int], classes: int, samples: int, seed: int = 0) -> Data:
    """Return random inputs in 0…1 and random classes, as many for training as for test."""
    from fpgaprune.prune import Data

    rng = np.random.default_rng(seed)
    x = rng.random((2, samples, *shape)).astype(np.float32)
    y = rng.integers(0, classes, (2, samples))
    return Data.from_arrays(x[0], y[0], x[1], y[1], seed=seed)


def parameters(model: nn.Module) -> int:
    """Return the number of a module's parameters."""
    return sum(each.numel() for each in model.parameters())
