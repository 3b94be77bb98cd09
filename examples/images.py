"""The handwritten digits of the demo as images."""

from __future__ import annotations

import torch

from fpgaprune.api import Data
from fpgaprune.demo import digits

SHAPE = (-1, 1, 28, 28)


def images() -> Data:
    """Return 5000 digits of MNIST (1, 28, 28), 0…1, stratified into 4000 for training and 1000 for test."""
    rows = digits()
    train, test = ([torch.cat(part) for part in zip(*batches, strict=True)] for batches in (rows.train, rows.test))
    return Data.from_arrays(train[0].reshape(SHAPE), train[1], test[0].reshape(SHAPE), test[1])
