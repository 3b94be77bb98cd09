"""Tiny networks, their data, and what is needed to prune them to a budget."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from torch import nn

from fpgaprune.budgeted import Build, Training
from fpgaprune.budgeted.build import Site
from fpgaprune.budgeted.ground import ground_of
from fpgaprune.budgeted.probe import Prober
from fpgaprune.budgeted.search import Search
from fpgaprune.budgeted.units import units_of
from fpgaprune.budgeted.whole import Whole
from fpgaprune.fit import Budget
from fpgaprune.prune import Data, PruneRecipe, TrainSettings, train
from fpgaprune.quantise import QuantiseRecipe
from fpgaprune.recipe import Recipe
from fpgaprune.schedule import Strategy

NARROW = QuantiseRecipe(weight_bits=4, activation_bits=4, input_bits=4)
UNTRAINED = PruneRecipe(sparsity=0.0, fine_tune=TrainSettings(epochs=0))
RECIPE = Recipe(PruneRecipe(sparsity=0.0, fine_tune=TrainSettings(epochs=1, learning_rate=5e-3)), NARROW)
ADDERS = Build(strategy=Strategy.ADDERS)


@cache
def data(classes: int = 3, features: int = 8) -> Data:
    """Return Gaussian blobs."""
    random = np.random.default_rng(0)
    y = np.arange(160) % classes
    x = random.normal(size=(160, features)) + 3.0 * np.eye(classes, features)[y]
    return Data.from_arrays(x[:96], y[:96], x[96:], y[96:], batch_size=16)


@cache
def mlp() -> nn.Module:
    """Return a trained MLP of 8-12-8-3."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(8, 12), nn.ReLU(), nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 3))
    train(model, data(), TrainSettings(epochs=12, learning_rate=1e-2), progress=False)
    return model.eval()


def training(**options) -> Training:
    return Training(data(), progress=False, **options)


def budget(lut, **more) -> Budget:
    return Budget(board="pynq-z2", lut=lut, **more)


def searching(recipe=RECIPE, limits=None, build=ADDERS, model=None, trainer=None) -> Search:
    trainer = trainer or training()
    ground = ground_of(model or mlp(), recipe.prune, "measured", trainer)
    whole = Whole.of(ground.model, trainer.data, recipe.quantise)
    prober = Prober(ground, whole, units_of(whole.origins, ground.counts), Site(limits or budget(0.004), build))
    return Search(prober, progress=False)
