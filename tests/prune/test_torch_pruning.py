"""Models that Torch-Pruning made smaller, on through pruning, quantisation and simulation."""

from __future__ import annotations

import pytest
import torch
import torch_pruning
from torch import nn

from fpgaprune.board import load as load_board
from fpgaprune.flow import Options, generate
from fpgaprune.prune import Data, PruneRecipe, from_torch_prune, prune
from fpgaprune.prune.settings import TrainSettings
from fpgaprune.quantise import QuantiseRecipe, quantise
from fpgaprune.schedule import Interface
from fpgaprune.sim import ProjectFolder, csim

X = torch.rand(48, 1, 8, 8, generator=torch.Generator().manual_seed(0))
Y = (X.mean(dim=(1, 2, 3)) * 60).long() % 3
DATA = Data.from_arrays(X[:32], Y[:32], X[32:], Y[32:])


class Residual(nn.Module):
    """A convolution, a block around which its result goes, and a classifier."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.norm0 = nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.first, self.norm1 = nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.second, self.norm2 = nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        x = torch.relu(self.norm0(self.stem(x)))
        y = torch.relu(self.norm1(self.first(x)))
        x = torch.relu(x + self.norm2(self.second(y)))
        return self.head(x.mean(dim=(2, 3)))


def smaller(pruner):
    model = Residual()
    importance = torch_pruning.importance.GroupMagnitudeImportance(p=2)
    pruner(model, X[:1], importance=importance, pruning_ratio=0.5, ignored_layers=[model.head]).step()
    return model


@pytest.mark.parametrize("pruner", ["MagnitudePruner", "MetaPruner", "GroupNormPruner"])
def test_a_smaller_model_goes_all_the_way_to_simulation(pruner, tmp_path):
    model = smaller(getattr(torch_pruning.pruner, pruner))
    assert model.first.weight.shape == (4, 4, 3, 3)
    recipe = PruneRecipe(0.8, fine_tune=TrainSettings(epochs=1))
    pruned = prune(model, DATA, recipe, progress=False)
    assert pruned.masks["first.weight"].shape == (4, 4, 3, 3)
    assert pruned.masks.kept == round(0.2 * pruned.masks.count)
    quantised = quantise(pruned, DATA, QuantiseRecipe(weight_bits=6), progress=False)
    project = generate(quantised, load_board("pynq-z2"), DATA.test_arrays()[0], Options(interface=Interface.STREAM))
    assert csim(ProjectFolder.load(project.write(tmp_path / "net"))).exact


def test_it_is_taken_as_it_is_and_can_lose_more_channels():
    model = smaller(torch_pruning.pruner.MagnitudePruner)
    taken = from_torch_prune(model)
    assert taken.sparsity == 0.0
    assert torch.equal(taken.module(X), model.eval()(X))
    pruned = prune(model, DATA, PruneRecipe(0.5, structure="channels"), progress=False)
    assert pruned.module.first.weight.shape[0] < 4
    assert pruned.masks.count == taken.masks.count
