"""Thresholds in the place of a sparsity: every weight that scores at most so much goes."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fpgaprune.errors import InputError
from fpgaprune.prune import CRITERIA, Context, PruneRecipe, Stage, TrainSettings, prunable, prune
from fpgaprune.prune.masks import Masks
from fpgaprune.prune.objectives import default_loss
from fpgaprune.prune.select import below
from fpgaprune.prune.structures import NOfM

NO_TRAINING = TrainSettings(epochs=0)


@given(st.lists(st.floats(-2, 2), min_size=1, max_size=12), st.floats(-2, 2), st.data())
def test_exactly_the_weights_at_or_below_the_threshold_go(values, threshold, draw):
    scores = torch.tensor(values, dtype=torch.float64)
    before = torch.tensor(draw.draw(st.lists(st.booleans(), min_size=len(values), max_size=len(values))))
    expected = [keep and value > threshold for value, keep in zip(values, before.tolist(), strict=True)]
    assert below({"w": scores}, threshold, Masks({"w": before}))["w"].tolist() == expected
    assert below({"w": scores}, threshold)["w"].tolist() == [value > threshold for value in values]


def test_the_threshold_is_not_rounded_to_the_type_of_the_scores():
    scores = {"w": torch.tensor([0.1, 0.3], dtype=torch.float32)}
    assert float(scores["w"][0]) > 0.1  # by a part of the last bit
    assert below(scores, 0.1)["w"].tolist() == [True, True]
    assert below(scores, float(scores["w"][0]))["w"].tolist() == [False, True]


@pytest.mark.parametrize("threshold", [math.nan, math.inf, "low", None, True])
def test_thresholds_that_are_no_finite_number_are_refused(threshold):
    with pytest.raises(InputError, match="threshold must be"):
        below({"w": torch.ones(2)}, threshold)


def test_scores_that_are_not_finite_are_refused():
    with pytest.raises(InputError, match="scores of 'w' hold NaN"):
        below({"w": torch.tensor([math.nan])}, 0.5)


@pytest.mark.parametrize("criterion", ["magnitude", "wanda"])
def test_a_recipe_prunes_by_a_threshold(mlp, data, criterion):
    scores = CRITERIA[criterion](prunable(mlp), Context(mlp, data, default_loss))
    threshold = float(torch.cat([score.flatten() for score in scores.values()]).median())
    pruned = prune(mlp, data, PruneRecipe(threshold=threshold, criterion=criterion, fine_tune=NO_TRAINING))
    for name, score in scores.items():
        assert torch.equal(pruned.masks[name], score.double() > threshold)
    assert pruned.sparsity == 0.5
    assert pruned.recipe.sparsity is None


def test_a_threshold_comes_after_other_stages_and_leaves_what_they_pruned(mlp, data):
    """Random scores say nothing of what is pruned already."""
    first = Stage(0.5, fine_tune=NO_TRAINING)
    recipe = PruneRecipe(threshold=0.1, criterion="random", first=(first,), fine_tune=NO_TRAINING)
    alone = prune(mlp, data, PruneRecipe(0.5, fine_tune=NO_TRAINING)).masks
    scores = CRITERIA["random"](prunable(mlp), Context(mlp, data, default_loss))
    for name, mask in prune(mlp, data, recipe).masks.items():
        assert torch.equal(mask, alone[name] & (scores[name] > 0.1))


def test_a_threshold_below_all_scores_prunes_nothing(mlp, data):
    assert prune(mlp, data, PruneRecipe(threshold=-1.0, fine_tune=NO_TRAINING)).sparsity == 0


def test_recipes_keep_it_in_toml_and_dictionaries(tmp_path):
    (tmp_path / "recipe.toml").write_text("threshold = 1\nsamples = 64\n[[first]]\nthreshold = 0.5\n")
    recipe = PruneRecipe.from_toml(tmp_path / "recipe.toml")
    assert recipe == PruneRecipe(threshold=1.0, samples=64, first=(Stage(threshold=0.5),))
    assert isinstance(recipe.threshold, float)
    assert PruneRecipe.from_dict(recipe.to_dict()) == recipe


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"sparsity": 0.5}, "sparsity"),
        ({"layers": {"fc": 0.5}}, "layers"),
        ({"scope": "layer"}, "scope"),
        ({"schedule": "cubic", "steps": 2}, "schedule"),
        ({"structure": NOfM(2, 4)}, "structure"),
        ({"sparsity": 0.5, "layers": {"fc": 0.5}}, "sparsity, layers"),
    ],
)
def test_what_a_threshold_has_no_use_for_is_refused(fields, named):
    with pytest.raises(InputError, match=rf"threshold prunes every weight .*; leave out {named}$"):
        Stage(threshold=0.1, **fields)


@pytest.mark.parametrize("threshold", [math.inf, "0.5", True])
def test_thresholds_of_recipes_are_checked(threshold):
    with pytest.raises(InputError, match="threshold must be"):
        Stage(threshold=threshold)


def test_the_samples_of_a_stage_bound_what_the_criterion_sees(mlp, data):
    few, many = (
        prune(mlp, data, PruneRecipe(0.5, criterion="taylor", samples=samples, fine_tune=NO_TRAINING)).masks
        for samples in (4, 1024)
    )
    scores = CRITERIA["taylor"](prunable(mlp), Context(mlp, data, default_loss, samples=4))
    bound = sorted(torch.cat([score.flatten() for score in scores.values()]).tolist())[87]
    assert all(torch.equal(few[name], score > bound) for name, score in scores.items())
    assert few != many


@pytest.mark.parametrize("samples", [0, 2.5, "all"])
def test_samples_of_recipes_are_checked(samples):
    with pytest.raises(InputError, match="samples must be"):
        Stage(0.5, samples=samples)
