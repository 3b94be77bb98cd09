from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize
from torch.nn.utils import prune as torch_prune

from fpgaprune.errors import InputError
from fpgaprune.prune.dead import DeadBias
from fpgaprune.prune.torch_masks import baked_state, from_torch_prune

X = torch.linspace(-1, 1, 16).reshape(2, 8)


def hooks(model: nn.Module) -> int:
    return sum(len(module._forward_pre_hooks) for module in model.modules())


def test_a_model_that_was_not_baked(mlp):
    torch_prune.l1_unstructured(mlp[0], "weight", 0.5)
    torch_prune.random_unstructured(mlp[2], "bias", 1)
    mlp[0].weight_orig.data *= 2  # as an optimiser step would, after which no forward pass took place
    expected_state = copy.deepcopy(mlp.state_dict())
    pruned = from_torch_prune(mlp)
    assert pruned.unbaked == ("0.weight", "2.bias")
    assert torch.equal(pruned.masks["0.weight"], mlp[0].weight_mask.bool())
    assert pruned.masks.sparsity_of("2.weight") == 0.0
    assert torch.equal(pruned.module(X), mlp(X))
    assert set(pruned.module.state_dict()) == {"0.weight", "0.bias", "2.weight", "2.bias"}
    assert hooks(pruned.module) == 0
    assert not pruned.module.training
    assert hooks(mlp) == 2
    assert all(torch.equal(mlp.state_dict()[name], value) for name, value in expected_state.items())


def test_a_model_that_was_baked(mlp):
    torch_prune.l1_unstructured(mlp[0], "weight", 0.25)
    mask = mlp[0].weight_mask.bool().clone()
    torch_prune.remove(mlp[0], "weight")
    pruned = from_torch_prune(mlp)
    assert pruned.unbaked == ()
    assert torch.equal(pruned.masks["0.weight"], mask)
    assert pruned.module is not mlp
    assert mlp.training


def test_hooks_of_several_prunings_and_of_the_whole_model(mlp):
    torch_prune.l1_unstructured(mlp[0], "weight", 0.25)
    weights = [(mlp[0], "weight"), (mlp[2], "weight")]
    torch_prune.global_unstructured(weights, torch_prune.L1Unstructured, amount=0.5)
    mlp(X).sum().backward()
    pruned = from_torch_prune(mlp)
    assert pruned.unbaked == ("0.weight", "2.weight")
    assert torch.equal(pruned.masks["2.weight"], mlp[2].weight_mask.bool())
    assert torch.equal(pruned.module(X), mlp(X))


def test_recurrent_models():
    model = nn.GRU(3, 4)
    torch_prune.l1_unstructured(model, "weight_hh_l0", 0.5)
    x = torch.linspace(-1, 1, 15).reshape(5, 3)
    pruned = from_torch_prune(model)
    assert pruned.masks.sparsity_of("weight_hh_l0") == 0.5
    assert torch.equal(pruned.module(x)[0], model(x)[0])


def test_plain_zeros_are_masks(mlp):
    mlp[0].weight.data[1, 2] = 0.0
    assert from_torch_prune(mlp).masks.nonzeros("0.weight") == 127


def test_dead_biases_are_reported_and_kept_unless_told_otherwise(mlp):
    mlp[0].weight.data[[1, 4]] = 0.0
    kept = from_torch_prune(mlp)
    zeroed = from_torch_prune(mlp, dead_bias=DeadBias.ZERO)
    assert kept.dead_biases == zeroed.dead_biases == {"0.bias": (1, 4)}
    assert torch.equal(kept.module[0].bias, mlp[0].bias)
    assert zeroed.module[0].bias[[1, 4]].tolist() == [0.0, 0.0]


def test_broken_and_otherwise_computed_weights_are_refused(mlp):
    mlp[0].weight.data[0, 0] = math.nan
    with pytest.raises(InputError, match=r"NaN or infinite values in '0\.weight'"):
        from_torch_prune(mlp)
    with pytest.warns(FutureWarning, match="deprecated"):
        normed = nn.utils.weight_norm(nn.Linear(2, 2))
    with pytest.raises(InputError, match=r"weight is computed from other parameters.*remove_weight_norm"):
        from_torch_prune(normed)
    with pytest.raises(InputError, match=r"weight is computed from other parameters.*remove_spectral_norm"):
        from_torch_prune(nn.utils.spectral_norm(nn.Linear(2, 2)))


FIRST = torch.arange(128).reshape(16, 8) % 3 == 0
KINDS = {
    "ln_structured": lambda layer: torch_prune.ln_structured(layer, "weight", 0.25, n=2, dim=0),
    "random_structured": lambda layer: torch_prune.random_structured(layer, "weight", 0.25, dim=1),
    "global_unstructured": lambda layer: torch_prune.global_unstructured(
        [(layer, "weight")], torch_prune.RandomUnstructured, amount=9
    ),
    "custom_from_mask": lambda layer: torch_prune.custom_from_mask(layer, "weight", FIRST),
    "identity": lambda layer: torch_prune.identity(layer, "weight"),
    "two in a row": lambda layer: torch_prune.l1_unstructured(
        torch_prune.ln_structured(layer, "weight", 2, n=1, dim=1), "weight", 0.5
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_torch_pruning(mlp, kind):
    KINDS[kind](mlp[0])
    pruned = from_torch_prune(mlp)
    assert pruned.unbaked == ("0.weight",)
    assert torch.equal(pruned.masks["0.weight"], mlp[0].weight_mask.bool())
    assert torch.equal(pruned.module(X), mlp(X))
    assert hooks(pruned.module) == 0


@pytest.mark.parametrize("kind", ["weight_norm", "spectral_norm", "orthogonal"])
def test_every_kind_of_torch_parametrization(mlp, kind):
    getattr(parametrizations, kind)(mlp[0])
    state = copy.deepcopy(mlp.state_dict())
    pruned = from_torch_prune(mlp)
    assert pruned.unbaked == ("0.weight",)
    assert all(torch.equal(value, state[name]) for name, value in mlp.state_dict().items())
    assert torch.equal(pruned.module(X), mlp.eval()(X))
    assert type(pruned.module[0]) is nn.Linear


class Masked(nn.Module):
    """A parametrization that prunes."""

    def __init__(self, mask):
        super().__init__()
        self.register_buffer("mask", mask)

    def forward(self, weight):
        return weight * self.mask


def test_parametrized_tensors_become_plain_ones_and_are_named(mlp):
    mask = torch.rand(mlp[0].weight.shape, generator=torch.Generator().manual_seed(0)) < 0.5
    parametrize.register_parametrization(mlp[0], "weight", Masked(mask))
    parametrizations.weight_norm(mlp[2])
    pruned = from_torch_prune(mlp)
    assert pruned.unbaked == ("0.weight", "2.weight")
    assert torch.equal(pruned.masks["0.weight"], mask)
    assert torch.equal(pruned.module(X), mlp(X))
    assert set(pruned.module.state_dict()) == {"0.weight", "0.bias", "2.weight", "2.bias"}
    assert parametrize.is_parametrized(mlp[0])


def test_state_dicts_are_baked_by_pairs():
    state = {
        "a.weight_orig": torch.tensor([1.0, -2.0, math.nan]),
        "a.weight_mask": torch.tensor([1.0, 0.0, 0.0]),
        "b.x_orig": torch.ones(1),
        "c.y_mask": torch.ones(1),
    }
    baked, names = baked_state(state)
    assert names == ("a.weight",)
    assert set(baked) == {"a.weight", "b.x_orig", "c.y_mask"}
    assert baked["a.weight"].tolist() == [1.0, 0.0, 0.0]
    assert not torch.signbit(baked["a.weight"]).any()
    assert set(state) == {"a.weight_orig", "a.weight_mask", "b.x_orig", "c.y_mask"}
