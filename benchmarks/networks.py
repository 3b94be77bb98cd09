"""Dense networks with random weights: as a graph, and as a PyTorch module with data."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from fpgaprune.fixed import Fixed, Overflow, Rounding
from fpgaprune.intervals import analyse
from fpgaprune.ir import Graph, Input, MatVec, Requantise, Tensor
from fpgaprune.sparse import SparseMatrix

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    import torch
    from torch import nn

    generator = torch.Generator().manual_seed(seed)
    model = nn.Sequential()
    for layer, (columns, rows) in enumerate(pairwise(sizes), start=1):
        linear = nn.Linear(columns, rows)
        order = torch.randperm(columns * rows, generator=generator)
        values = torch.randn(columns * rows, generator=generator) / max(1.0, columns * (1 - sparsity)) ** 0.5
        values[order[: round(sparsity * columns * rows)]] = 0
        with torch.no_grad():
            linear.weight.copy_(values.reshape(rows, columns))
            linear.bias.copy_(torch.randn(rows, generator=generator) / 10)
        model.add_module(f"fc{layer}", linear)
        if layer < len(sizes) - 1:
            model.add_module(f"relu{layer}", nn.ReLU())
    return model


def data(sizes: Sequence[int], samples: int, seed: int = 0) -> Data:
    """Return random inputs in 0…1 and random classes, as many for training as for test."""
    from fpgaprune.prune import Data

    rng = np.random.default_rng(seed)
    x = rng.random((2, samples, sizes[0])).astype(np.float32)
    y = rng.integers(0, sizes[-1], (2, samples))
    return Data.from_arrays(x[0], y[0], x[1], y[1], seed=seed)
