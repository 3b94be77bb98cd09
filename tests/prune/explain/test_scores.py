"""Scores over the steps of a stage: each weight counts once, with the score by which it went or stayed."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from fpgaprune.errors import InputError
from fpgaprune.prune import Masks, PruneRecipe, Stage, TrainSettings, prunable, prune
from fpgaprune.prune.explain.scores import noted, spread

STILL = TrainSettings(epochs=0)


def total(histogram):
    return sum(histogram.kept), sum(histogram.pruned)


def test_one_shot_magnitudes_are_those_of_the_weights(mlp, data):
    pruned = prune(mlp, data, PruneRecipe(0.75, fine_tune=STILL), progress=False)
    for name, weight in prunable(mlp).items():
        histogram = pruned.scores.tensors[name]
        assert total(histogram) == (pruned.masks.nonzeros(name), weight.numel() - pruned.masks.nonzeros(name))
        low, high = weight.detach().abs().aminmax()
        assert (histogram.edges[0], histogram.edges[-1]) == pytest.approx((float(low), float(high)))
    least = min(float(prunable(mlp)[name].detach().abs()[pruned.masks[name]].min()) for name in pruned.masks)
    for histogram in pruned.scores.tensors.values():
        assert not any(count for edge, count in zip(histogram.edges, histogram.kept, strict=False) if edge < least / 2)


def test_a_weight_that_went_early_keeps_its_score(mlp):
    masks, weights = Masks.full(mlp), prunable(mlp)
    first = {name: torch.full_like(weight, 1.0) for name, weight in weights.items()}
    known = noted({}, first, masks, mlp)
    gone = Masks({name: torch.arange(mask.numel()).reshape(mask.shape) >= 5 for name, mask in masks.items()})
    known = noted(known, {name: score * 2 for name, score in first.items()}, gone, mlp)
    for histogram in spread(known, gone, mlp).tensors.values():
        assert (histogram.edges[0], histogram.edges[-1]) == (1.0, 2.0)
        assert histogram.pruned[0] == sum(histogram.pruned) == 5
        assert histogram.kept[-1] == sum(histogram.kept)


@pytest.mark.parametrize("steps", [1, 3])
def test_every_weight_counts_once_however_many_steps_there_are(mlp, data, steps):
    recipe = PruneRecipe(0.8, schedule="cubic" if steps > 1 else "one-shot", steps=steps)
    pruned = prune(mlp, data, recipe, progress=False)
    for name in pruned.masks:
        assert total(pruned.scores.tensors[name]) == (
            pruned.masks.nonzeros(name),
            pruned.masks.count_of(name) - pruned.masks.nonzeros(name),
        )


def test_what_was_cut_out_was_pruned(data):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 12), nn.ReLU(), nn.Linear(12, 3))
    recipe = PruneRecipe(0.5, structure="channels", schedule="cubic", steps=2, fine_tune=STILL)
    pruned = prune(net, data, recipe, progress=False)
    assert pruned.masks.cut
    for name, weight in prunable(net).items():
        kept = pruned.masks.nonzeros(name)
        assert total(pruned.scores.tensors[name]) == (kept, weight.numel() - kept)


def test_scores_are_those_of_the_last_stage(mlp, data):
    recipe = PruneRecipe(0.8, "taylor", fine_tune=STILL, first=(Stage(0.5, fine_tune=STILL),))
    pruned = prune(mlp, data, recipe, progress=False)
    assert sum(sum(total(each)) for each in pruned.scores.tensors.values()) == pruned.masks.count // 2
    assert pruned.report.criterion == "taylor"


def test_patterns_that_move_have_no_scores(mlp, data):
    recipe = PruneRecipe(0.5, schedule="rigl", fine_tune=TrainSettings(epochs=1))
    assert prune(mlp, data, recipe, progress=False).scores.tensors == {}


def test_curves_are_taken_beforehand_and_change_nothing(mlp, data):
    recipe = PruneRecipe(0.8, schedule="cubic", steps=2, criterion="taylor", fine_tune=TrainSettings(epochs=1))
    plain = prune(mlp, data, recipe, progress=False)
    told = prune(mlp, data, recipe, progress=False, explain=(0.0, 0.9))
    assert plain.curves is None
    assert told.curves is not None
    assert told.curves.criterion == "taylor"
    assert told.curves.sparsities == (0.0, 0.9)
    assert told.curves.unpruned == plain.history.records[0].metric
    assert told.history == plain.history
    assert told.masks == plain.masks
    for one, other in zip(told.module.parameters(), plain.module.parameters(), strict=True):
        assert torch.equal(one, other)


def test_curves_need_data(mlp):
    with pytest.raises(InputError, match="need data"):
        prune(mlp, None, PruneRecipe(0.5, fine_tune=STILL), explain=(0.5,))
