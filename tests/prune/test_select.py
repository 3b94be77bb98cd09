from __future__ import annotations

import math
import time

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fpgaprune.errors import InputError
from fpgaprune.prune.masks import Masks
from fpgaprune.prune.select import Scope, pruned_count, resolve_layers, select

# Few distinct values, so that ties are the rule.
score_tensors = st.dictionaries(
    st.sampled_from(["a.weight", "b.weight", "c.weight"]),
    st.lists(st.integers(0, 3), min_size=1, max_size=12).map(lambda values: torch.tensor(values, dtype=torch.float32)),
    min_size=1,
)
sparsities = st.floats(0, 1)


def pruned(masks: Masks) -> int:
    return masks.count - masks.kept


@pytest.mark.parametrize(
    ("sparsity", "count", "expected"),
    [
        (0.0, 7, 0),
        (1.0, 7, 7),
        (0.5, 4, 2),
        (0.5, 5, 3),
        (0.145, 100, 15),
        (0.29, 100, 29),
        (0.285, 1000, 285),
        (0.1, 5, 1),
        (1e-9, 10, 0),
    ],
)
def test_the_count_is_rounded_half_up_in_decimal(sparsity, count, expected):
    assert pruned_count(sparsity, count) == expected


def test_two_of_four():
    masks = select({"w": torch.tensor([[0.5, 0.1], [0.2, 0.9]])}, 0.5)
    assert masks["w"].tolist() == [[True, False], [False, True]]


def test_ties_go_by_tensor_order_then_by_index():
    scores = {"b": torch.ones(2, 2), "a": torch.ones(3)}
    masks = select(scores, 5 / 7)
    assert masks["b"].flatten().tolist() == [False] * 4
    assert masks["a"].tolist() == [False, True, True]


def test_ties_at_the_bound_are_cut_exactly():
    masks = select({"w": torch.tensor([2.0, 1.0, 2.0, 0.0, 2.0])}, 0.6)
    assert masks["w"].tolist() == [False, False, True, False, True]


def test_scopes_differ():
    scores = {"small": torch.tensor([1.0, 2.0]), "large": torch.tensor([3.0, 4.0])}
    assert select(scores, 0.5)["large"].all()
    layer = select(scores, 0.5, scope=Scope.LAYER)
    assert [mask.tolist() for mask in layer.values()] == [[False, True], [False, True]]


@given(score_tensors, sparsities)
def test_global_counts_are_exact_and_the_lowest_go(scores, sparsity):
    masks = select(scores, sparsity)
    assert pruned(masks) == pruned_count(sparsity, masks.count)
    flat = torch.cat([scores[name].flatten() for name in scores])
    kept = torch.cat([masks[name].flatten() for name in scores])
    order = sorted(range(len(flat)), key=lambda index: (flat[index].item(), index))
    assert set(order[: pruned(masks)]) == set(torch.nonzero(~kept).flatten().tolist())


@given(score_tensors, sparsities)
def test_layer_counts_are_exact(scores, sparsity):
    masks = select(scores, sparsity, scope=Scope.LAYER)
    for name, mask in masks.items():
        assert mask.numel() - masks.nonzeros(name) == pruned_count(sparsity, mask.numel())


@given(score_tensors, sparsities, sparsities, st.sampled_from(Scope), st.randoms(use_true_random=False))
def test_what_is_pruned_stays_pruned(scores, first, second, scope, random):
    before = select(scores, first, scope=scope)
    others = {name: torch.tensor([random.random() for _ in values]) for name, values in scores.items()}
    after = select(others, second, scope=scope, previous=before)
    for name in scores:
        assert not (after[name] & ~before[name]).any()
    if second >= first:
        assert pruned(after) == pruned(select(others, second, scope=scope))
    elif scope is Scope.GLOBAL:
        assert after == before


@given(score_tensors, sparsities, sparsities)
def test_more_sparsity_prunes_a_superset(scores, one, two):
    low, high = (select(scores, sparsity) for sparsity in sorted((one, two)))
    assert all(not (high[name] & ~low[name]).any() for name in scores)


@given(score_tensors, sparsities)
def test_selection_repeats_and_leaves_the_scores_alone(scores, sparsity):
    before = {name: values.clone() for name, values in scores.items()}
    assert select(scores, sparsity) == select(scores, sparsity)
    assert all(torch.equal(scores[name], before[name]) for name in scores)


def test_own_sparsities_leave_the_pool():
    scores = {name: torch.arange(10.0) for name in ("enc.fc1.weight", "enc.fc2.weight", "head.weight")}
    masks = select(scores, 0.5, layers={"enc": 0.2, "enc.fc2.weight": 0.9})
    assert [masks.nonzeros(name) for name in scores] == [8, 1, 5]
    with_module = select(scores, 0.5, layers={"head": 0.0})
    assert list(with_module) == list(scores)
    assert [with_module.nonzeros(name) for name in scores] == [5, 5, 10]


def test_own_sparsities_may_cover_everything():
    masks = select({"a.weight": torch.arange(4.0)}, 0.0, layers={"a": 0.5})
    assert masks.nonzeros("a.weight") == 2


def test_a_prefix_is_not_a_module():
    assert resolve_layers(["fc1.weight", "fc10.weight"], {"fc1": 0.5}) == {"fc1.weight": 0.5}


@pytest.mark.parametrize(("name", "near"), [("enc.fc3", "enc.fc2"), ("encc", "enc"), ("head.wieght", "head.weight")])
def test_unknown_layers_are_refused_with_a_suggestion(name, near):
    with pytest.raises(InputError, match=rf"layers\.{name} names no prunable tensor or module .*{near}"):
        resolve_layers(["enc.fc1.weight", "enc.fc2.weight", "head.weight"], {name: 0.5})


@pytest.mark.parametrize("sparsity", [-0.1, 1.1, math.nan, "half"])
def test_sparsities_outside_are_refused(sparsity):
    with pytest.raises(InputError, match="sparsity must be"):
        select({"w": torch.ones(2)}, sparsity)
    with pytest.raises(InputError, match=r"layers\.w must be"):
        select({"w": torch.ones(2)}, 0.5, layers={"w": sparsity})


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_scores_that_cannot_be_ranked_name_the_tensor(value):
    with pytest.raises(InputError, match=r"scores of 'fc\.weight' hold NaN or infinite"):
        select({"ok": torch.ones(2), "fc.weight": torch.tensor([1.0, value])}, 0.5)


def test_previous_masks_must_fit():
    with pytest.raises(InputError, match=r"previous masks have none of shape \(2,\) for 'w'"):
        select({"w": torch.ones(2)}, 0.5, previous=Masks({"w": torch.ones(3, dtype=torch.bool)}))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.int32])
def test_any_kind_of_number_can_be_a_score(dtype):
    masks = select({"a": torch.tensor([3, 1], dtype=dtype), "b": torch.tensor([2.0, 0.5])}, 0.5)
    assert [mask.tolist() for mask in masks.values()] == [[True, False], [True, False]]


def test_millions_of_descending_scores_take_no_quadratic_time():
    count = 4_000_000
    start = time.perf_counter()
    masks = select({"w": torch.arange(float(count), 0, -1)}, 0.9)
    assert time.perf_counter() - start < 10
    assert pruned(masks) == count * 9 // 10
