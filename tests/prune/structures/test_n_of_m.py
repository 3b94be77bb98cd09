from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from fpgaprune.prune import Masks, Schedule, prunable
from fpgaprune.prune.structures import Goal, NOfM, Subject, structure_of
from fpgaprune.prune.structures.matrices import as_matrix
from tests.structured import Residual, Sequence, full, mlp, pruned_by, seeded


def prune_scores(scores, structure="2:4", masks=None, sparsity=0.5):
    """Prune one Linear with these scores."""
    model = nn.Sequential(nn.Linear(scores.shape[1], scores.shape[0]))
    subject = Subject(model, masks or Masks.full(model))
    return structure_of(structure).prune_(subject, {"0.weight": scores}, Goal(sparsity))["0.weight"]


def test_the_two_lowest_of_four_go():
    kept = prune_scores(torch.tensor([[1.0, 3.0, 2.0, 4.0, 8.0, 7.0, 6.0, 5.0]]))
    assert kept.int().tolist() == [[0, 1, 0, 1, 1, 1, 0, 0]]


def test_ties_go_from_the_left():
    assert prune_scores(torch.ones(2, 8)).int().tolist() == [[0, 0, 1, 1, 0, 0, 1, 1]] * 2


@pytest.mark.parametrize(
    ("columns", "kept"), [(1, [1]), (2, [1, 1]), (3, [0, 1, 1]), (5, [0, 0, 1, 1, 1]), (7, [0, 0, 1, 1, 0, 1, 1])]
)
def test_a_tail_keeps_its_best_or_all(columns, kept):
    assert prune_scores(torch.ones(1, columns)).int().tolist() == [kept]


def test_what_is_pruned_stays_pruned_and_counts():
    masks = Masks({"0.weight": torch.tensor([[1, 1, 0, 1, 0, 0, 0, 1]]).bool()})
    kept = prune_scores(torch.tensor([[9.0, 1.0, 8.0, 7.0, 1.0, 1.0, 1.0, 1.0]]), masks=masks)
    assert kept.int().tolist() == [[1, 0, 0, 1, 0, 0, 0, 1]]


@given(st.integers(1, 4), st.integers(2, 8), st.integers(1, 3), st.integers(1, 19), st.integers(0, 2**32))
def test_every_group_keeps_exactly_n_and_those_are_the_best(n, m, rows, columns, seed):
    if n >= m:
        return
    scores = torch.randint(0, 3, (rows, columns), generator=torch.Generator().manual_seed(seed)).float()
    kept = prune_scores(scores, f"{n}:{m}", sparsity=NOfM(n, m).sparsity)
    for row, values in zip(kept, scores, strict=True):
        for start in range(0, columns, m):
            group, chosen = values[start : start + m].tolist(), row[start : start + m].tolist()
            assert sum(chosen) == min(n, len(group))
            order = sorted(range(len(group)), key=lambda index: (group[index], index))
            assert {index for index, there in enumerate(chosen) if there} == set(order[len(group) - sum(chosen) :])


def test_all_kinds_of_layers_take_it():
    for model in (seeded(Residual), seeded(Sequence)):
        masks = pruned_by(model, "2:4").masks
        for mask in masks.values():
            rows = as_matrix(mask)
            whole = rows[:, : rows.shape[1] // 4 * 4].reshape(len(rows), -1, 4)
            assert (whole.sum(dim=2) == 2).all()
        assert set(masks) == set(prunable(model))


def test_neighbours_of_a_convolution_are_input_channels_of_a_tap():
    model = nn.Sequential(nn.Conv2d(4, 5, 3))
    assert (pruned_by(model, "1:4").masks["0.weight"].sum(dim=1) == 1).all()


def test_a_ramp_prunes_more_of_each_four_with_every_step():
    recipe = {"schedule": Schedule.CUBIC, "steps": 2}
    pruned = pruned_by(seeded(mlp), "1:4", **recipe)
    assert (pruned.masks["0.weight"].reshape(16, 2, 4).sum(dim=2) == 1).all()
    half = prune_scores(torch.ones(1, 8), "1:4", sparsity=0.5)
    assert half.int().tolist() == [[0, 0, 1, 1, 0, 0, 1, 1]]


def test_layers_may_be_left_alone():
    masks = pruned_by(seeded(mlp), "2:4", layers={"4": 0, "0": 0.5}).masks
    assert [masks.sparsity_of(name) for name in masks] == [0.5, 0.5, 0.0]


def test_scores_of_pruned_weights_are_not_looked_at():
    model = seeded(mlp)
    hole = torch.ones(16, 8, dtype=torch.bool)
    hole[:, 0] = False
    masks = full(model, **{"0_weight": hole})
    scores = {name: torch.ones(weight.shape) for name, weight in prunable(model).items()}
    kept = NOfM(2, 4).prune_(Subject(model, masks), scores, Goal(0.5))["0.weight"]
    assert kept[0].int().tolist() == [0, 0, 1, 1, 0, 0, 1, 1]
