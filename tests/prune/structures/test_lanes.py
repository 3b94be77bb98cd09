from __future__ import annotations

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import nn

from fpgaprune.errors import InputError
from fpgaprune.prune import Masks, PruneRecipe, Scope, Stage, prunable, prune
from fpgaprune.prune.select import pruned_count, select
from fpgaprune.prune.structures import BankedLanes, Goal, Lanes, Subject
from fpgaprune.prune.structures.fits import Target, module_of
from fpgaprune.prune.structures.matrices import as_matrix, matrix_rows
from fpgaprune.schedule import Access, Folded
from fpgaprune.schedule.lanes import program
from fpgaprune.sparse import SparseMatrix
from tests.structured import UNTRAINED, Attention, Residual, Sequence, cnn, magnitudes, mlp, pruned_by, seeded


def matrices(model, masks):
    """Yield the pruned matrices that are built of each weight, as integers."""
    for name, mask in masks.items():
        rows = matrix_rows(Target(name, module_of(model, name), None), len(mask))
        for part in as_matrix(mask).split(rows):
            yield name, SparseMatrix.from_dense((part.int() * 3).numpy())


def matrix_count(model, name):
    return len(matrix_rows(Target(name, module_of(model, name), None), len(prunable(model)[name])))


def assert_full(weights, plan):
    """Schedule a matrix and see that each lane has a non-zero in every slot."""
    if not weights.nonzeros:
        return  # such a matrix is not built
    found = program(weights, plan)
    assert found.slots * plan.lanes == weights.nonzeros  # so nothing is spare
    assert found.lanes == plan.lanes
    lanes = torch.bincount(torch.from_numpy(found.lane.copy()), minlength=plan.lanes)
    assert (lanes == found.slots).all()


@pytest.mark.parametrize("sparsity", [0.0, 0.5, 0.77])
@pytest.mark.parametrize("scope", Scope)
@pytest.mark.parametrize("model", [mlp, cnn, Residual, Sequence, Attention, lambda: Sequence(nn.GRU, num_layers=2)])
def test_lanes_of_registers_have_no_spare_slot(model, scope, sparsity):
    model = seeded(model)
    masks = pruned_by(model, "lanes 6", sparsity=sparsity, scope=scope).masks
    free = pruned_by(model, "weights", sparsity=sparsity, scope=scope).masks
    for (name, weights), (_, wanted) in zip(matrices(model, masks), matrices(model, free), strict=True):
        assert weights.nonzeros == max(wanted.nonzeros // 6, min(wanted.nonzeros, 1)) * 6
        assert_full(weights, Folded(6))
        assert wanted.nonzeros < 6 or not (masks[name] & ~free[name]).any() or matrix_count(model, name) > 1


@pytest.mark.parametrize("sparsity", [0.0, 0.5, 0.8])
@pytest.mark.parametrize(("banks", "groups"), [(4, 2), (2, 3), (1, 3), (4, 1), (3, 2)])
def test_lanes_of_memories_have_no_spare_slot(banks, groups, sparsity):
    model = seeded(lambda: nn.Sequential(nn.Linear(48, 24), nn.ReLU(), nn.Conv1d(8, 12, 3), nn.Linear(24, 24)))
    masks = pruned_by(model, f"lanes {banks}x{groups}", sparsity=sparsity).masks
    filled = [weights for _, weights in matrices(model, masks) if weights.nonzeros]
    assert len(filled) >= 2
    for weights in filled:
        assert_full(weights, Folded(banks * groups, Access.MEMORIES, banks))
        assert_full(weights, Folded(banks * groups))


@given(st.integers(0, 2**32), st.floats(0.3, 0.97), st.integers(1, 4), st.integers(1, 4))
def test_random_masks_are_dealt_out_as_the_scheduler_does_even_where_rows_and_columns_die(
    seed, sparsity, banks, groups
):
    scores = torch.rand(13, 22, generator=torch.Generator().manual_seed(seed)) ** 4
    scores *= torch.rand(13, 1, generator=torch.Generator().manual_seed(seed + 1)) ** 4  # rows that die as a whole
    model = nn.Sequential(nn.Linear(22, 13))
    wanted = 13 * 22 - pruned_count(sparsity, 13 * 22)
    assume(wanted >= banks * groups)
    subject = Subject(model, Masks.full(model))
    masks = BankedLanes(banks, groups).prune_(subject, {"0.weight": scores}, Goal(sparsity))
    assert masks.nonzeros("0.weight") == wanted - wanted % (banks * groups)
    (weights,) = (weights for _, weights in matrices(model, masks))
    assert_full(weights, Folded(banks * groups, Access.MEMORIES, banks))


def test_of_one_lane_nothing_more_goes():
    model = seeded(mlp)
    assert pruned_by(model, "lanes 1").masks == pruned_by(model, "weights").masks == pruned_by(model, "lanes 1x1").masks


def test_each_lane_keeps_its_best():
    model = nn.Sequential(nn.Linear(4, 2))
    scores = {"0.weight": torch.tensor([[8.0, 7.0, 1.0, 2.0], [6.0, 5.0, 4.0, 3.0]])}
    subject = Subject(model, Masks.full(model))  # rows 0 and 1 are groups; columns 2 and 3 a bank, of which 2 dies
    kept = BankedLanes(2, 2).prune_(subject, scores, Goal(0.5))["0.weight"]
    assert kept.int().tolist() == [[1, 0, 0, 1], [1, 0, 0, 1]]
    kept = Lanes(3).prune_(subject, scores, Goal(0.5))["0.weight"]
    assert kept.int().tolist() == [[1, 1, 0, 0], [1, 0, 0, 0]]


def test_columns_without_weights_are_not_dealt_out():
    """Without column 0, columns 1 and 2 are the first bank, 3 and 4 the second."""
    model = nn.Sequential(nn.Linear(5, 1))
    scores = {"0.weight": torch.tensor([[9.0, 1.0, 2.0, 3.0, 4.0]])}
    masks = Masks({"0.weight": torch.tensor([[False, True, True, True, True]])})
    kept = BankedLanes(2, 1).prune_(Subject(model, masks), scores, Goal(0.6))["0.weight"]
    assert kept.int().tolist() == [[0, 0, 1, 0, 1]]


def test_what_was_pruned_before_stays_and_is_a_part_of_the_goal():
    recipe = PruneRecipe(0.8, structure="lanes 2x2", first=(Stage(0.5, fine_tune=UNTRAINED),), fine_tune=UNTRAINED)
    model = seeded(lambda: nn.Sequential(nn.Linear(30, 20)))
    masks = prune(model, None, recipe, progress=False).masks
    first = select(magnitudes(model), 0.5)
    assert not (masks["0.weight"] & ~first["0.weight"]).any()
    assert masks.nonzeros("0.weight") == 120
    for _, weights in matrices(model, masks):
        assert_full(weights, Folded(4, Access.MEMORIES, 2))


def test_all_lanes_keep_as_many_as_the_one_with_fewest_weights():
    model = nn.Sequential(nn.Linear(8, 4))
    masks = Masks({"0.weight": torch.ones(4, 8, dtype=torch.bool)})
    masks["0.weight"][:2, 1:4] = False
    scores = {"0.weight": torch.ones(4, 8)}
    kept = BankedLanes(2, 2).prune_(Subject(model, masks), scores, Goal(0.19))
    assert kept.nonzeros("0.weight") == 4 * 2
    assert not (kept["0.weight"] & ~masks["0.weight"]).any()
    for _, weights in matrices(model, kept):
        assert_full(weights, Folded(4, Access.MEMORIES, 2))


@pytest.mark.parametrize("sparsity", [0.02, 0.1, 0.3, 0.6])
def test_a_small_last_layer_keeps_what_its_rows_can_be_dealt_out_to(sparsity):
    model = seeded(lambda: nn.Sequential(nn.Linear(40, 16), nn.ReLU(), nn.Linear(16, 3)))
    masks = pruned_by(model, "lanes 2x2", sparsity=0.5, layers={"2": sparsity}).masks
    wanted = 48 - pruned_count(sparsity, 48)
    assert masks.nonzeros("2.weight") == min(wanted - wanted % 4, 4 * 8)  # one row of 3 is a group of its own
    for _, weights in matrices(model, masks):
        assert_full(weights, Folded(4, Access.MEMORIES, 2))


def test_a_lane_without_any_weight_left_is_refused():
    model = seeded(lambda: nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 4)))
    model[0].weight.data[:2, :4] = 0
    model[0].weight.data[2:, 4:] = 0
    with pytest.raises(
        InputError, match=r"0.weight has no weight left in a lane of 'lanes 2x2'.* take 'lanes 4', or .*'layers.0 = 0'"
    ):
        pruned_by(model, "lanes 2x2", sparsity=0.5)
    for remedy in (pruned_by(model, "lanes 4"), pruned_by(model, "lanes 2x2", layers={"0": 0})):
        assert remedy.masks.nonzeros("0.weight")


def test_a_layer_that_would_keep_less_than_a_slot_keeps_one_and_one_that_keeps_nothing_nothing():
    for sparsity, kept in ((0.91, 16), (0.5, 16), (0.1, 32), (1.0, 0)):
        masks = pruned_by(seeded(mlp), "lanes 16", sparsity=0.5, layers={"4": sparsity}).masks
        assert masks.nonzeros("4.weight") == kept


def test_a_layer_with_less_than_a_slot_left_is_refused():
    model = seeded(mlp)
    model[4].weight.data[:, 3:] = 0
    with pytest.raises(
        InputError, match=r"4.weight has a matrix with 9 weights, .* at most 9 lanes, or .*'layers.4 = 0'"
    ):
        pruned_by(model, "lanes 16", sparsity=0.5)


def test_layers_left_alone_are_no_part_of_the_pool():
    model = seeded(mlp)
    masks = pruned_by(model, "lanes 8", layers={"4": 0}).masks
    rest = [name for name in prunable(model) if name != "4.weight"]
    assert masks.sparsity_of("4.weight") == 0
    assert sum(masks.nonzeros(name) for name in rest) == pytest.approx((128 + 192) / 2, abs=2 * 7)
