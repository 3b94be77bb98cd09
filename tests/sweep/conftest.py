"""A small network and data of its own in a folder, from which recipes take them."""

from __future__ import annotations

import pytest

MODULE = """
import numpy as np
from torch import nn

from fpgaprune.prune import Data


def model():
    return nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 3))


def data():
    generator = np.random.default_rng(0)
    x = generator.normal(size=(200, 8)).astype(np.float32)
    y = (x[:, :3]).argmax(1)
    return Data.from_arrays(x[:150], y[:150], x[150:], y[150:], batch_size=50)


def broken():
    raise RuntimeError("no such luck")


def other_each_time():
    import random

    return nn.Sequential(nn.Linear(8, random.SystemRandom().randint(2, 10_000_000) % 7919 + 2), nn.Linear(2, 3))
"""

RECIPE = """
[model]
factory = "small_net:model"

[data]
factory = "small_net:data"

[train]
epochs = 1

[prune]
sparsity = 0.5

[prune.fine_tune]
epochs = 1

[quantise]
weight_bits = 4

[generate]
board = "pynq-z2"
strategy = "multiply"

[csim]
samples = 20
"""

GRID = """
[sweep.grid]
prune.sparsity = [0.5, 0.75]
generate.board = ["pynq-z2", "kv260"]
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with the module ``small_net``, which is the current one."""
    (tmp_path / "small_net.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def recipe(place):
    """Write a recipe of the small network, with more text after it, and return its path."""

    def written(more="", base=RECIPE):
        path = place / "recipe.toml"
        path.write_text(base + more)
        return path

    return written


SEEDING = "import torch\n\ntorch.manual_seed(0)\n"
"""What a module may do when it is imported."""
