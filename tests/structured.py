"""Small models for structured pruning, with data to run them on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from torch.nn.functional import max_pool2d

from fpgaprune.prune import Context, Data, Masks, PruneRecipe, TrainSettings, default_loss, prunable, prune
from fpgaprune.prune.criteria import CRITERIA

if TYPE_CHECKING:
    from torch import Tensor

UNTRAINED = TrainSettings(epochs=0)


def seeded(build, seed=0):
    """Return a model whose weights are the same each time, with batch norms that do something."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = build()
        for module in model.modules():
            if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
                for tensor in (module.running_mean, module.bias):
                    tensor.data.normal_()
                for tensor in (module.running_var, module.weight):
                    tensor.data.uniform_(0.5, 2.0)
    return model.eval()


def data_for(*shape, classes=3, samples=32):
    """Return random inputs (samples, *shape) with random classes."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(samples, *shape)).astype(np.float32), rng.integers(0, classes, samples)
    return Data.from_arrays(x, y, x, y, batch_size=16)


def pruned_by(model, structure, data=None, sparsity=0.5, **fields):
    """Return the model pruned by one stage without training."""
    if ":" not in structure:
        fields["sparsity"] = sparsity
    return prune(model, data, PruneRecipe(structure=structure, fine_tune=UNTRAINED, **fields), progress=False)


def magnitudes(model) -> dict[str, Tensor]:
    """Return the scores of all prunable weights."""
    return CRITERIA["magnitude"](prunable(model), Context(model, None, default_loss))


def full(model, **masks):
    """Return masks that keep all but what the given ones prune, by names with _ for dots."""
    everything = dict(Masks.full(model))
    return Masks({name: masks.get(name.replace(".", "_"), mask) for name, mask in everything.items()})


class Residual(nn.Module):
    """A residual block with batch norms, a depthwise convolution, a concatenation, and Linear behind a flattening."""

    def __init__(self):
        super().__init__()
        self.first, self.norm = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.second, self.norm2 = nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.depthwise, self.pointwise = nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.Conv2d(8, 6, 1)
        self.beside = nn.Conv2d(8, 4, 1)
        self.hidden, self.out = nn.Linear(10 * 16, 12), nn.Linear(12, 3)

    def forward(self, x):
        x = torch.relu(self.norm(self.first(x)))
        x = torch.relu(x + self.norm2(self.second(x)))
        both = torch.cat([self.pointwise(self.depthwise(x)), self.beside(x)], 1)
        return self.out(torch.relu(self.hidden(max_pool2d(both, 2).flatten(1))))


class Sequence(nn.Module):
    """A recurrent layer over (batch, 5, 6), and Linear on its last step."""

    def __init__(self, kind=nn.LSTM, **options):
        super().__init__()
        self.rnn = kind(6, 8, batch_first=True, **options)
        width = options.get("proj_size") or 8
        self.out = nn.Linear(width * (2 if options.get("bidirectional") else 1), 3)

    def forward(self, x):
        return self.out(self.rnn(x)[0][:, -1])


class Attention(nn.Module):
    """Self-attention of four heads over (batch, 5, 16) beside a residual, and Linear on the mean."""

    def __init__(self, **options):
        super().__init__()
        self.attention = nn.MultiheadAttention(16, 4, batch_first=True, **options)
        self.out = nn.Linear(16, 3)

    def forward(self, x):
        return self.out((x + self.attention(x, x, x, need_weights=False)[0]).mean(1))


def mlp():
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 12), nn.ReLU(), nn.Linear(12, 3))


def cnn():
    return nn.Sequential(
        nn.Conv2d(2, 4, 3),
        nn.ReLU(),
        nn.Conv2d(4, 6, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(6 * 4 * 4, 3),
    )
