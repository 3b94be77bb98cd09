"""Small models and data that every test of pruning may ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import nn

from fpgaprune.prune.data import Data

if TYPE_CHECKING:
    from collections.abc import Callable


def make_mlp(seed: int = 0) -> nn.Sequential:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))


def make_data(seed: int = 0, samples: int = 96, batch_size: int = 16) -> Data:
    """Return three Gaussian blobs in eight dimensions."""
    random = np.random.default_rng(seed)
    y = np.arange(samples) % 3
    x = random.normal(size=(samples, 8)) + 2.0 * np.eye(3, 8)[y]
    half = samples // 2
    return Data.from_arrays(x[:half], y[:half], x[half:], y[half:], batch_size=batch_size, seed=seed)


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    """Nets this small run many times faster on one thread when other processes keep the cores busy."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def mlp() -> nn.Sequential:
    return make_mlp()


@pytest.fixture
def data() -> Data:
    return make_data()


@pytest.fixture
def mlp_of() -> Callable[..., nn.Sequential]:
    return make_mlp


@pytest.fixture
def data_of() -> Callable[..., Data]:
    return make_data


class Tied(nn.Module):
    """One linear module under two names, and a third one that shares its weight but not its bias."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.again = self.first
        self.third = nn.Linear(4, 4)
        self.third.weight = self.first.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.third(self.again(self.first(x)))


@pytest.fixture
def tied() -> nn.Module:
    return Tied()
