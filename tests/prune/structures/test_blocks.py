from __future__ import annotations

import pytest
import torch
from torch import nn

from fpgaprune.prune import Masks, Scope, prunable
from fpgaprune.prune.select import pruned_count
from fpgaprune.prune.structures import Blocks, Goal, Subject
from fpgaprune.prune.structures.matrices import as_matrix
from tests.structured import Attention, Residual, Sequence, magnitudes, mlp, pruned_by, seeded


def labels(module, rows, columns, name="weight"):
    """Return the blocks of one module as a matrix of their numbers."""
    structure, model = Blocks(rows, columns), nn.Sequential(module)
    (groups,) = (
        groups
        for groups in structure.groups(Subject(model, Masks.full(model)), structure.targets(model, {}))
        if groups.owner == f"0.{name}"
    )
    ((_, found),) = groups.parts
    assert set(found.flatten().tolist()) == set(range(groups.count))
    return as_matrix(found)


def test_blocks_tile_the_matrix_and_are_smaller_at_its_ends():
    assert labels(nn.Linear(5, 3), 2, 2).tolist() == [[0, 0, 1, 1, 2], [0, 0, 1, 1, 2], [3, 3, 4, 4, 5]]


def test_blocks_of_a_convolution_are_channels_of_a_tap():
    found = labels(nn.Conv2d(4, 4, 2), 2, 4)
    assert found.shape == (4, 16)
    assert found[0].tolist() == [0] * 4 + [1] * 4 + [2] * 4 + [3] * 4
    assert found[2].tolist() == [4] * 4 + [5] * 4 + [6] * 4 + [7] * 4


@pytest.mark.parametrize(
    ("module", "name", "heights"),
    [
        (nn.Conv1d(4, 6, 2, groups=2), "weight", [2, 1, 2, 1]),
        (nn.MultiheadAttention(3, 1), "in_proj_weight", [2, 1] * 3),
        (nn.GRU(3, 3), "weight_ih_l0", [2, 2, 2, 2, 1]),
        (nn.LSTM(3, 1), "weight_ih_l0", [2, 2]),
    ],
)
def test_no_block_lies_across_two_matrices(module, name, heights):
    found = labels(module, 2, 1, name)
    _, counts = torch.unique_consecutive(found[:, 0], return_counts=True)
    assert counts.tolist() == heights


@pytest.mark.parametrize("scope", Scope)
@pytest.mark.parametrize("model", [mlp, Residual, Sequence, Attention])
def test_exactly_the_share_of_blocks_goes_and_whole_blocks_do(model, scope):
    model, structure = seeded(model), Blocks(2, 2)
    layers = {"depthwise": 0} if isinstance(model, Residual) else {}
    subject = Subject(model, Masks.full(model))
    masks = structure.prune_(subject, magnitudes(model), Goal(0.4, scope, layers))
    gone = {}
    for groups in structure.groups(subject, structure.targets(model, layers)):
        left = torch.from_numpy(groups.members(masks))
        assert ((left == 0) | (left == torch.from_numpy(groups.members(Masks.full(model))))).all()
        gone[groups.owner] = (int((left == 0).sum()), groups.count)
    if scope is Scope.LAYER:
        assert all(pruned == pruned_count(0.4, count) for pruned, count in gone.values())
    counts = [sum(column) for column in zip(*gone.values(), strict=True)]
    assert scope is Scope.LAYER or counts[0] == pruned_count(0.4, counts[1])


def test_the_weakest_block_goes():
    model = nn.Sequential(nn.Linear(4, 4))
    model[0].weight.data = torch.kron(torch.tensor([[4.0, 3.0], [1.0, 2.0]]), torch.ones(2, 2))
    kept = pruned_by(model, "block 2x2", sparsity=0.25).masks["0.weight"]
    assert kept.int().tolist() == [[1] * 4] * 2 + [[0, 0, 1, 1]] * 2


def test_layers_have_sparsities_of_their_own():
    masks = pruned_by(seeded(mlp), "block 2x2", sparsity=0.5, layers={"0": 0.25, "4": 0}, scope="layer").masks
    assert [masks.sparsity_of(name) for name in masks] == [0.25, 0.5, 0.0]


def test_a_row_of_blocks_is_a_row_and_one_of_one_is_a_weight():
    model = seeded(mlp)
    single, weights = pruned_by(model, "block 1x1"), pruned_by(model, "weights")
    assert single.masks == weights.masks
    rows = pruned_by(model, "block 1x8", layers={"2": 0, "4": 0}).masks["0.weight"]
    assert rows.any(dim=1).sum() == 8
    assert (rows.any(dim=1) == rows.all(dim=1)).all()
    assert set(prunable(model)) == set(single.masks)
