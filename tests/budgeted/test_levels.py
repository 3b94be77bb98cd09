"""Levels: exactly so many weights or groups left, and what they lose."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from fpgaprune.budgeted.ground import check_recipe, ground_of
from fpgaprune.budgeted.levels import SPARSEST, STEPS
from fpgaprune.budgeted.losses import LOSSES
from fpgaprune.errors import InputError
from fpgaprune.prune import CRITERIA, Context, PruneRecipe, Stage, TrainSettings, default_loss, prunable, prune
from fpgaprune.prune.forward import copied
from tests.budgeted.nets import RECIPE, data, mlp, searching, training

NONE = TrainSettings(epochs=0)
TENSORS = ("0.weight", "2.weight", "4.weight")


def ground(**recipe):
    return ground_of(mlp(), PruneRecipe(**{"sparsity": 0.0, "fine_tune": NONE, **recipe}), "fisher", training())


@pytest.mark.parametrize("level", [0, 1, STEPS, 3 * STEPS + 5, SPARSEST])
def test_a_level_leaves_a_share_of_each_tensor_and_a_weight_for_each_output(level):
    found = ground()
    sparsities = {name: found.sparsity(name, level) for name in TENSORS}
    masks = found.thinned(sparsities)
    for name, weight in prunable(mlp()).items():
        wanted = max(len(weight), round(weight.numel() * 2 ** (-level / STEPS)))
        assert masks.nonzeros(name) == found.kept(name, level) == wanted
    pruned = prune(mlp(), None, PruneRecipe(sparsity=0.0, layers=sparsities, fine_tune=NONE))
    assert pruned.masks == masks


def test_a_level_of_groups_leaves_so_many_of_them():
    found = ground(structure="columns")
    assert found.counts == {"0.weight": 8, "2.weight": 12, "4.weight": 8}
    masks = found.thinned({name: found.sparsity(name, STEPS) for name in TENSORS})
    assert [int(masks[name].any(dim=0).sum()) for name in TENSORS] == [4, 6, 4]


def test_neurons_that_are_outputs_are_left_alone():
    assert ground(structure="neurons").counts == {"0.weight": 12, "2.weight": 8}


def test_what_goes_is_chosen_by_the_recipe_and_paid_by_the_loss():
    found = ground(criterion="random", seed=3)
    context = Context(mlp(), data(), default_loss)
    random = CRITERIA["random"](prunable(mlp()), Context(mlp(), None, default_loss, seed=3))["2.weight"]
    masks = found.thinned({"2.weight": 0.5, "0.weight": 0.0, "4.weight": 0.0})
    assert random[~masks["2.weight"]].max() <= random[masks["2.weight"]].min()
    fisher = CRITERIA["fisher"](prunable(mlp()), context)["2.weight"]
    assert found.loss_of(["2.weight"], masks) == pytest.approx(float(fisher[~masks["2.weight"]].double().sum()))
    assert found.loss_of(["0.weight"], masks) == 0


def test_a_measured_loss_is_that_of_the_network_without_these_weights():
    found = ground_of(mlp(), RECIPE.prune, "measured", training())
    masks = found.thinned({"2.weight": 0.5, "0.weight": 0.75, "4.weight": 0.0})
    x, y = (torch.cat(parts) for parts in zip(*data().train_batches(), strict=True))

    def loss(model):
        with torch.no_grad():
            return float(default_loss(model(x), y))

    pruned = copied(mlp())
    with torch.no_grad():
        pruned[2].weight *= masks["2.weight"]
    assert found.loss_of(["2.weight"], masks) == pytest.approx(loss(pruned) - loss(mlp()), rel=1e-4)
    assert found.loss_of(["4.weight"], masks) == 0


def test_a_loss_that_is_not_finite_is_refused():
    trainer = training(loss=lambda outputs, _targets: outputs.sum() / (outputs.sum() - outputs.sum()))
    found = ground_of(mlp(), RECIPE.prune, "measured", trainer)
    with pytest.raises(InputError, match=r"the loss without weights of 0\.weight rises by nan"):
        found.loss_of(["0.weight"], found.thinned({"0.weight": 0.5, "2.weight": 0.0, "4.weight": 0.0}))


def test_a_layer_with_a_sparsity_of_its_own_keeps_it_at_each_level():
    found = ground(layers={"2": 0.25})
    assert {found.sparsity("2.weight", level) for level in range(SPARSEST)} == {0.25}
    assert found.most == 8 * 12 + 8 * 3


def test_a_layer_that_is_left_alone_has_no_level():
    assert ground(layers={"4": 0.0}).counts.keys() == {"0.weight", "2.weight"}


def test_what_stages_before_prune_is_gone_at_every_level():
    found = ground(first=(Stage(sparsity=0.5, structure="columns", fine_tune=NONE),))
    assert found.masks.kept < found.masks.count
    masks = found.thinned({name: found.sparsity(name, 0) for name in TENSORS})
    assert masks == found.masks
    assert found.loss_of(TENSORS, masks) == 0


def test_zeros_of_the_model_are_kept_where_the_recipe_says_so():
    model = nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 3))
    with torch.no_grad():
        model[0].weight[0] = 0
    for keep, left in ((True, 40), (False, 48)):
        recipe = PruneRecipe(sparsity=0.0, fine_tune=NONE, keep_pruned=keep)
        assert ground_of(model, recipe, "taylor", training()).masks.nonzeros("0.weight") == left


def test_the_recipes_sparsity_is_the_least():
    found = ground(sparsity=0.3)
    assert found.most == 216 - 65
    each = ground(sparsity=0.3, scope="layer")
    units = searching().probe.units
    assert not each.allows(units[0], 4)
    assert each.allows(units[0], 5)
    assert found.allows(units[0], 0)


@pytest.mark.parametrize("structure", ["channels", "2:4"])
def test_structures_that_leave_no_choice_of_layers_are_refused(structure):
    recipe = {"structure": structure} | ({"sparsity": None} if structure == "2:4" else {})
    with pytest.raises(InputError, match=rf"the structure '{structure}' does not take; prune by it in a stage before"):
        ground(**recipe)


def test_recipes_that_leave_a_budget_nothing_are_refused():
    with pytest.raises(InputError, match="in place of its threshold"):
        check_recipe(PruneRecipe(threshold=0.1), "fisher")
    with pytest.raises(InputError, match="'rigl' trains one from scratch"):
        check_recipe(PruneRecipe(sparsity=0.5, schedule="rigl"), "fisher")
    with pytest.raises(InputError, match="loss_by must be one of 'measured', 'fisher', 'obd', 'taylor', 'snip', not"):
        check_recipe(RECIPE.prune, "magnitude")


@pytest.mark.parametrize("loss_by", LOSSES)
def test_losses_are_those_of_a_criterion(loss_by):
    found = ground_of(mlp(), RECIPE.prune, loss_by, training())
    few, many = (found.thinned(dict.fromkeys(TENSORS, share)) for share in (0.25, 0.75))
    assert 0 <= found.loss_of(["0.weight"], few) < found.loss_of(["0.weight"], many)
