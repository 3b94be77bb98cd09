from __future__ import annotations

import pytest
from torch import nn

from fpgaprune.errors import InputError
from fpgaprune.prune import PruneRecipe, Stage
from fpgaprune.prune.structures import (
    STRUCTURES,
    BankedLanes,
    Blocks,
    GroupScore,
    Lanes,
    Neurons,
    NOfM,
    Weights,
    structure_of,
)
from fpgaprune.prune.structures.fits import TAKERS
from tests.structured import Attention, Sequence, cnn, data_for, mlp, pruned_by

ALL = ["weights", "2:4", "block 2x3", "lanes 8", "lanes 4x2", "kernels", "filters", "neurons", "columns", "channels"]
ALL += ["heads", "hidden"]


def grouped():
    return nn.Sequential(nn.Conv1d(4, 8, 3, groups=2))


@pytest.mark.parametrize("text", ALL)
def test_words_and_back(text):
    assert str(structure_of(text)) == text
    assert structure_of(structure_of(text)) == structure_of(text)


def test_every_form_is_tried_and_has_takers():
    assert len(STRUCTURES) == len(ALL)
    assert {structure_of(text).form for text in ALL} == set(STRUCTURES) == set(TAKERS)


def test_numbers_are_read():
    assert structure_of("1:4") == NOfM(1, 4)
    assert structure_of("block 2x16") == Blocks(2, 16)
    assert structure_of("lanes 12") == Lanes(12)
    assert structure_of("lanes 4x3") == BankedLanes(4, 3)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("blok 2x2", "structure must be one of 'weights', .*, not 'blok 2x2' .did you mean 'block RxC'"),
        ("neuron", "not 'neuron' .did you mean 'neurons'"),
        ("2:4:8", "not '2:4:8'"),
        ("block 2", "not 'block 2'"),
        ("block -1x2", "not 'block -1x2'"),
        ("lanes 8 ", "not 'lanes 8 '"),
        ("lanes 8\n", "not 'lanes 8"),
        ("lanes ٨", "not 'lanes ٨'"),
        (3, "not 3"),
        (None, "not None"),
        ("block 0x2", "rows of the structure 'block RxC' must be at least 1, not 0"),
        ("lanes 0", "lanes of the structure 'lanes L' must be at least 1"),
        ("0:4", "n of the structure 'N:M' must be at least 1"),
        ("4:4", "the structure '4:4' prunes nothing: .* N must be below M"),
        ("5:4", "the structure '5:4' prunes nothing"),
    ],
)
def test_what_is_no_structure_is_refused(value, message):
    with pytest.raises(InputError, match=message):
        structure_of(value)


def test_recipes_hold_structures_and_return_words():
    recipe = PruneRecipe(0.5, structure="neurons", group_score="l2", first=(Stage(structure="2:4"),))
    assert (recipe.structure, recipe.group_score) == (Neurons(), GroupScore.L2)
    assert recipe.first[0].sparsity == 0.5
    written = recipe.to_dict()
    assert (written["structure"], written["group_score"]) == ("neurons", "l2")
    assert written["first"][0]["structure"] == "2:4"
    assert PruneRecipe.from_dict(written) == recipe
    assert PruneRecipe(0.5).structure == Weights()


def test_recipes_in_toml_name_structures(tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text('structure = "2:4"\n[[first]]\nsparsity = 0.25\nstructure = "block 2x2"\ngroup_score = "sum"\n')
    first = Stage(0.25, structure=Blocks(2, 2), group_score=GroupScore.SUM)
    assert PruneRecipe.from_toml(path) == PruneRecipe(0.5, structure=NOfM(2, 4), first=(first,))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"structure": "neurons"}, "sparsity must be given for the structure 'neurons'"),
        ({"structure": "nerons", "sparsity": 0.5}, "structure must be one of .*did you mean 'neurons'"),
        ({"structure": "2:4", "sparsity": 0.6}, "sparsity 0.6 contradicts the structure '2:4', which fixes 0.5"),
        ({"structure": "2:4", "sparsity": 2}, r"sparsity must be in \[0, 1\]"),
        ({"structure": "2:4", "layers": {"fc": 0.75}}, "layers.fc = 0.75 contradicts the structure '2:4'"),
        ({"structure": "neurons", "sparsity": 0.5, "group_score": "max"}, "group_score must be one of"),
        ({}, "lacks the field 'sparsity'"),
    ],
)
def test_contradictory_recipes_are_refused(fields, message):
    with pytest.raises(InputError, match=message):
        PruneRecipe.from_dict(fields)


def test_a_pattern_may_repeat_the_sparsity_that_it_fixes():
    assert PruneRecipe(0.75, structure="1:4") == PruneRecipe(structure="1:4")
    assert PruneRecipe(structure="2:3").sparsity == 1 / 3


@pytest.mark.parametrize(
    ("model", "structure", "message"),
    [
        (mlp, "heads", "no layer of the model can take the structure 'heads', which is for MultiheadAttention"),
        (mlp, "kernels", "which is for Conv1d, Conv2d"),
        (mlp, "hidden", "which is for GRU, LSTM, RNN"),
    ],
)
def test_models_without_a_layer_for_the_structure_are_refused(model, structure, message):
    with pytest.raises(InputError, match=message):
        pruned_by(model(), structure, data_for(8))


@pytest.mark.parametrize(
    ("model", "structure", "layers", "message"),
    [
        (cnn, "kernels", {"5": 0.5}, "layers.5: Linear cannot take the structure 'kernels'; it can take .*'neurons'"),
        (
            Attention,
            "heads",
            {"out": 0.5},
            "layers.out: Linear cannot take the structure 'heads'; it can take 'weights'",
        ),
        (Sequence, "hidden", {"out": 0.5}, "layers.out: Linear cannot take the structure 'hidden'"),
        (Sequence, "hidden", {"rnn.weight_ih_l0": 0.5}, "prunes several of a layer together; name 'rnn'"),
        (Attention, "heads", {"attention.in_proj_weight": 0.5}, "prunes several of a layer together; name 'attention'"),
        (mlp, "neurons", {"7": 0.5}, "layers.7 names no prunable tensor or module"),
        (mlp, "neurons", {"7": 0}, "layers.7 names no prunable tensor or module"),
        (
            mlp,
            "block 4x4",
            {},
            "4.weight has a matrix of 3x12, too small for the structure 'block 4x4'; .*'layers.4 = 0'",
        ),
        (mlp, "lanes 40", {}, "4.weight has a matrix of 36 weights, too few for the structure 'lanes 40'"),
        (
            Sequence,
            "lanes 2x2",
            {},
            "rnn.weight_ih_l0 may be built in one matrix with others, .* take 'lanes 4', or leave",
        ),
        (grouped, "lanes 2x2", {}, "weight reads each column in one group alone: .* take 'lanes 4'"),
        (mlp, "lanes 2x4", {}, "4.weight has a matrix of 3x12, .* at most 12 banks and 3 groups"),
    ],
)
def test_layers_that_cannot_take_the_structure_are_refused_before_anything_runs(model, structure, layers, message):
    with pytest.raises(InputError, match=message):
        pruned_by(model(), structure, None, layers=layers)


def test_zero_leaves_any_layer_alone():
    pruned = pruned_by(mlp(), "block 4x4", None, layers={"4": 0, "0.weight": 0})
    assert [pruned.masks.nonzeros(name) for name in pruned.masks] == [128, 96, 36]
    assert pruned_by(Attention(), "heads", None, layers={"out": 0}).masks.sparsity_of("attention.in_proj_weight") == 0.5


@pytest.mark.parametrize("structure", ["neurons", "channels"])
def test_structures_that_must_see_the_model_run_ask_for_data(structure):
    with pytest.raises(InputError, match=f"the structure '{structure}' must see the model run; give data"):
        pruned_by(mlp(), structure, None)
