from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fpgaprune.errors import InputError
from fpgaprune.prune import Masks, Scope
from fpgaprune.prune.select import pruned_count
from fpgaprune.prune.structures import Goal, Groups, GroupScore
from fpgaprune.prune.structures.groups import NOWHERE, select_groups

LABELS = torch.tensor([[0, 0, 1], [1, 2, NOWHERE]])
SCORES = {"w": torch.tensor([[3.0, 4.0, 1.0], [2.0, 9.0, 50.0]])}
MASKS = Masks({"w": torch.ones(2, 3, dtype=torch.bool)})
GROUPS = Groups("w", 3, (("w", LABELS),))


@pytest.mark.parametrize(
    ("kind", "scores"),
    [(GroupScore.SUM, [7, 3, 9]), (GroupScore.MEAN, [3.5, 1.5, 9]), (GroupScore.L2, [5, math.sqrt(5), 9])],
)
def test_scores_of_groups(kind, scores):
    assert GROUPS.scores(SCORES, MASKS, kind).tolist() == scores


@pytest.mark.parametrize(
    ("kind", "scores"), [(GroupScore.SUM, [4, 3, 0]), (GroupScore.MEAN, [4, 1.5, 0]), (GroupScore.L2, [4, 5**0.5, 0])]
)
def test_weights_that_are_pruned_have_no_part_in_scores(kind, scores):
    masks = Masks({"w": torch.tensor([[False, True, True], [True, False, True]])})
    assert GROUPS.scores(SCORES, masks, kind).tolist() == scores
    assert GROUPS.members(masks).tolist() == [1, 2, 0]


def test_groups_may_span_tensors_and_overlap():
    groups = Groups(
        "a", 2, (("a", torch.tensor([0, 1])), ("b", torch.tensor([1, 1])), ("b", torch.tensor([0, NOWHERE])))
    )
    masks = Masks({"a": torch.ones(2, dtype=torch.bool), "b": torch.ones(2, dtype=torch.bool)})
    scores = {"a": torch.tensor([1.0, 2.0]), "b": torch.tensor([4.0, 8.0])}
    assert groups.scores(scores, masks, GroupScore.SUM).tolist() == [5, 14]
    pruned = groups.pruned(masks, torch.tensor([True, False]))
    assert [mask.tolist() for mask in pruned.values()] == [[False, True], [False, True]]


def test_what_is_in_no_group_stays():
    assert GROUPS.pruned(MASKS, torch.ones(3, dtype=torch.bool))["w"].tolist() == [[False] * 3, [False, False, True]]


@given(st.lists(st.integers(0, 3), min_size=1, max_size=30), st.floats(0, 1), st.sampled_from(Scope))
def test_exactly_k_groups_go_and_those_are_the_lowest(values, sparsity, scope):
    """Two owners with groups of one weight each, so that the scores are those of the weights."""
    half = (len(values) + 1) // 2
    parts = {"a": values[:half], "b": values[half:]} if len(values) > 1 else {"a": values}
    scores = {name: torch.tensor(own, dtype=torch.float32) for name, own in parts.items()}
    groups = [Groups(name, len(own), ((name, torch.arange(len(own))),)) for name, own in scores.items()]
    masks = Masks({name: torch.ones(len(own), dtype=torch.bool) for name, own in scores.items()})
    kept = select_groups(groups, masks, scores, Goal(sparsity, scope))
    pools = [list(parts)] if scope is Scope.GLOBAL else [[name] for name in parts]
    for pool in pools:
        flat = [value for name in pool for value in parts[name]]
        chosen = [there for name in pool for there in kept[name].tolist()]
        order = sorted(range(len(flat)), key=lambda index: (flat[index], index))
        gone = {index for index, there in enumerate(chosen) if not there}
        assert gone == set(order[: pruned_count(sparsity, len(flat))])


def test_groups_that_are_gone_count():
    masks = Masks({"w": torch.tensor([[True, True, True], [True, False, True]])})
    assert select_groups([GROUPS], masks, SCORES, Goal(1 / 3))["w"].tolist() == [True, True, False]
    assert select_groups([GROUPS], masks, SCORES, Goal(2 / 3))["w"].tolist() == [True, False, False]


def test_the_best_is_spared_and_so_is_one_that_is_gone_but_alone():
    assert select_groups([GROUPS], MASKS, SCORES, Goal(0.67), spare_best=True)["w"].tolist() == [False, False, True]
    assert not select_groups([GROUPS], MASKS, SCORES, Goal(1.0), spare_best=True)["w"].any()
    gone = Masks({"w": torch.zeros(2, 3, dtype=torch.bool)})
    assert select_groups([GROUPS], gone, SCORES, Goal(0.5), spare_best=True)["w"].sum() == 1


def test_groups_that_were_cut_out_count():
    assert select_groups([GROUPS], MASKS, SCORES, Goal(0.5), removed={"w": 3})["w"].all()
    assert select_groups([GROUPS], MASKS, SCORES, Goal(0.67), removed={"w": 3})["w"].tolist() == [True, False, True]


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_scores_that_cannot_be_ranked_name_the_tensor(value):
    with pytest.raises(InputError, match="the scores of 'w' hold NaN or infinite values"):
        select_groups([GROUPS], MASKS, {"w": torch.full((2, 3), value)}, Goal(0.5))
