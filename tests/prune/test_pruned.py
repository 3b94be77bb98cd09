from __future__ import annotations

import math

import pytest
import torch

from fpgaprune.errors import InputError
from fpgaprune.prune.masks import Masks
from fpgaprune.prune.pruned import PrunedModel


def test_a_pruned_model_counts(mlp):
    mlp[0].weight.data[:4] = 0.0
    pruned = PrunedModel(mlp, Masks.of_nonzeros(mlp), dead_biases={"0.bias": (0, 1), "2.bias": (2,)})
    assert pruned.sparsity == 32 / 176
    assert pruned.dead_bias_count == 3


def test_a_pruned_weight_that_is_not_zero_is_refused(mlp):
    mask = torch.ones(16, 8, dtype=torch.bool)
    mask[0, :3] = False
    with pytest.raises(InputError, match=r"0\.weight is not zero in 3 places that its mask prunes"):
        PrunedModel(mlp, Masks({**Masks.full(mlp), "0.weight": mask}))


def test_the_order_of_the_masks_does_not_matter(mlp):
    mlp[0].weight.data[0] = 0.0
    masks = Masks(dict(reversed(list(Masks.of_nonzeros(mlp).items()))))
    assert PrunedModel(mlp, masks).sparsity == 8 / 176


def test_broken_models_are_refused(mlp):
    with pytest.raises(InputError, match="no mask for the weight"):
        PrunedModel(mlp, Masks({}))
    mlp[2].bias.data[1] = math.nan
    with pytest.raises(InputError, match=r"'2\.bias' \(1 of 3\)"):
        PrunedModel(mlp, Masks.full(mlp))
