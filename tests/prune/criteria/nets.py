"""Small networks of every kind that criteria must take, and data for them."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from fpgaprune.prune.criteria import Context
from fpgaprune.prune.data import Data
from fpgaprune.prune.masks import prunable
from fpgaprune.prune.objectives import default_loss


class Recurrent(nn.Module):
    def __init__(self, kind=nn.LSTM, **options):
        super().__init__()
        self.cells = kind(3, 4, batch_first=True, **options)
        self.classes = nn.Linear((1 + self.cells.bidirectional) * (self.cells.proj_size or 4), 3)

    def forward(self, x):
        return self.classes(self.cells(x)[0][:, -1])


class Attention(nn.Module):
    def __init__(self, **options):
        super().__init__()
        self.attend = nn.MultiheadAttention(4, 2, batch_first=True, **options)
        self.classes = nn.Linear(4, 3)

    def forward(self, x):
        keys = x[..., : self.attend.kdim]
        return self.classes(self.attend(x, key=keys, value=x, need_weights=False)[0].mean(1))


def mlp():
    return nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3))


def cnn():
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, stride=2, padding=1, groups=2),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(16, 3),
    )


#: Name → network and the shape of one of its inputs.
NETS = {
    "mlp": (mlp, (6,)),
    "cnn": (cnn, (2, 8, 8)),
    "conv1d": (
        lambda: nn.Sequential(nn.Conv1d(2, 3, 3, dilation=2), nn.Tanh(), nn.Flatten(), nn.Linear(12, 3)),
        (2, 8),
    ),
    "rnn": (lambda: Recurrent(nn.RNN), (5, 3)),
    "gru": (lambda: Recurrent(nn.GRU, bidirectional=True), (5, 3)),
    "lstm": (lambda: Recurrent(nn.LSTM, num_layers=2), (5, 3)),
    "attention": (Attention, (5, 4)),
    "transformer": (
        lambda: nn.Sequential(nn.TransformerEncoderLayer(4, 2, 6, batch_first=True), nn.Flatten(), nn.Linear(20, 3)),
        (5, 4),
    ),
}


def make_data(shape, *, samples=12, batch_size=5, targets=None, seed=0):
    """Return random inputs of a shape in float64, and three classes unless there are other ``targets``."""
    random = np.random.default_rng(seed)
    x = torch.tensor(random.normal(size=(samples, *shape)))
    y = torch.tensor(np.arange(samples) % 3) if targets is None else targets
    return Data.from_arrays(x, y, x, y, batch_size=batch_size, seed=seed)


def make_net(name, seed=0):
    """Return a network in float64, in training mode, with weights as they begin."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return NETS[name][0]().double()


def make_context(model, data, loss=default_loss, **fields):
    return Context(model, data, loss, **fields)


def gradients_of(model, data, loss=default_loss):
    """Return the gradient of the mean loss over all training samples, in one batch."""
    x, y = whole(data)
    model = model.eval()
    weights = prunable(model)
    found = torch.autograd.grad(loss(model(x), y), list(weights.values()), materialize_grads=True)
    return dict(zip(weights, found, strict=True))


def whole(data):
    """Return all training samples as one batch."""
    x, y = zip(*data.train_batches(), strict=True)
    return torch.cat(x), torch.cat(y)
