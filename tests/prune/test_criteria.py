from __future__ import annotations

import torch

from fpgaprune.prune.criteria import CRITERIA, Context
from fpgaprune.prune.masks import prunable
from fpgaprune.prune.objectives import default_loss


def test_every_criterion_scores_every_weight_finitely_and_repeatably(mlp, data):
    weights = prunable(mlp)
    for criterion in CRITERIA.values():
        scores = criterion(weights, Context(mlp, data, default_loss, seed=1))
        again = criterion(weights, Context(mlp, data, default_loss, seed=1))
        assert list(scores) == list(weights)
        for name, weight in weights.items():
            assert scores[name].shape == weight.shape
            assert scores[name].isfinite().all()
            assert not scores[name].requires_grad
            assert torch.equal(scores[name], again[name])


def test_magnitude_ignores_the_sign(mlp):
    mlp[0].weight.data[0, :2] = torch.tensor([-0.5, 0.25])
    scores = CRITERIA["magnitude"](prunable(mlp), Context(mlp, None, default_loss))
    assert scores["0.weight"][0, :2].tolist() == [0.5, 0.25]


def test_random_depends_on_its_seed_alone(mlp, mlp_of):
    random = CRITERIA["random"]
    one = random(prunable(mlp), Context(mlp, None, default_loss, seed=1))
    same = random(prunable(mlp_of(7)), Context(mlp, None, default_loss, seed=1))
    two = random(prunable(mlp), Context(mlp, None, default_loss, seed=2))
    assert torch.equal(one["0.weight"], same["0.weight"])
    assert not torch.equal(one["0.weight"], two["0.weight"])
