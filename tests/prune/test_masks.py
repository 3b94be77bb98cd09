from __future__ import annotations

import copy
import math
import pickle

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations
from torch.nn.utils import prune as torch_prune

from fpgaprune.errors import InputError
from fpgaprune.prune.masks import Masks, prunable


class Everything(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(1, 2, 3)
        self.conv2 = nn.Conv2d(1, 2, 3)
        self.norm = nn.BatchNorm2d(2)
        self.rnn = nn.RNN(2, 3)
        self.lstm = nn.LSTM(2, 4, bidirectional=True, proj_size=3)
        self.gru = nn.GRU(2, 3, num_layers=2)
        self.attention = nn.MultiheadAttention(4, 2)
        self.embedding = nn.Embedding(3, 2)


def test_the_table_of_prunable_weights():
    assert list(prunable(Everything())) == [
        "conv1.weight",
        "conv2.weight",
        "rnn.weight_ih_l0",
        "rnn.weight_hh_l0",
        *(f"lstm.weight_{kind}_l0{end}" for end in ("", "_reverse") for kind in ("ih", "hh", "hr")),
        *(f"gru.weight_{kind}_l{layer}" for layer in (0, 1) for kind in ("ih", "hh")),
        "attention.in_proj_weight",
        "attention.out_proj.weight",
    ]


def test_a_root_module_has_no_prefix():
    assert list(prunable(nn.Linear(2, 2))) == ["weight"]


def test_names_are_those_of_the_state_dict(mlp):
    state = mlp.state_dict()
    assert all(torch.equal(state[name], weight) for name, weight in prunable(mlp).items())


def test_shared_parameters_are_one_entry(tied):
    assert list(prunable(tied)) == ["first.weight"]
    assert Masks.full(tied).count == 16


def test_counts_and_sparsities(mlp):
    mask = torch.zeros(16, 8, dtype=torch.bool)
    mask[0] = True
    masks = Masks({"0.weight": mask, "2.weight": torch.ones(3, 16, dtype=torch.bool)})
    assert (masks.count, masks.kept) == (176, 56)
    assert masks.nonzeros("0.weight") == 8
    assert masks.sparsity_of("0.weight") == 120 / 128
    assert masks.sparsity_of("2.weight") == 0.0
    assert masks.sparsity == 120 / 176
    assert Masks({}).sparsity == 0.0
    assert Masks.full(mlp).sparsity == 0.0


def test_masks_do_not_share_memory_with_what_they_were_made_from():
    source = torch.ones(2, dtype=torch.bool)
    masks = Masks({"w": source})
    source[0] = False
    assert masks.nonzeros("w") == 2


def test_masks_are_values_that_survive_copies_and_processes(mlp):
    masks = Masks.of_nonzeros(mlp)
    other = masks["0.weight"].clone()
    other[0, 0] = False
    assert copy.deepcopy(masks) == masks
    assert pickle.loads(pickle.dumps(masks)) == masks  # noqa: S301  # our own bytes
    assert masks != Masks({**masks, "0.weight": other})
    assert masks != Masks({"0.weight": other})
    assert masks != 3


@pytest.mark.parametrize("mask", [torch.ones(2), torch.ones(2, dtype=torch.uint8), [True]])
def test_only_booleans_are_masks(mask):
    with pytest.raises(InputError, match=r"mask 'w' must be a tensor of torch\.bool, not"):
        Masks({"w": mask})


def test_masks_of_another_model_are_refused(mlp):
    full = dict(Masks.full(mlp))
    with pytest.raises(InputError, match=r"no mask for the weight '2\.weight'"):
        Masks({"0.weight": full["0.weight"]}).check(mlp)
    with pytest.raises(InputError, match=r"'2\.weigth' belongs to no prunable weight.*mean '2\.weight'"):
        Masks({**full, "2.weigth": full["2.weight"]}).check(mlp)
    with pytest.raises(InputError, match=r"mask '2\.weight' has the shape \(16, 3\), its weight \(3, 16\)"):
        Masks({**full, "2.weight": full["2.weight"].T}).check(mlp)
    Masks(full).check(mlp)


def test_an_unknown_name_is_refused_with_a_suggestion(mlp):
    with pytest.raises(InputError, match=r"there is no mask '0\.wieght' .did you mean '0\.weight'"):
        Masks.full(mlp).sparsity_of("0.wieght")


def test_apply_writes_positive_zeros_even_over_nan(mlp):
    mlp[0].weight.data[0, 0] = math.nan
    mlp[0].weight.data[0, 1] = -1.0
    before = mlp[0].weight.detach().clone()
    mask = torch.ones(16, 8, dtype=torch.bool)
    mask[0] = False
    Masks({**Masks.full(mlp), "0.weight": mask}).apply_(mlp)
    weight = mlp[0].weight.detach()
    assert torch.equal(weight[0], torch.zeros(8))
    assert not torch.signbit(weight[0]).any()
    assert torch.equal(weight[1:], before[1:])
    assert mlp[0].weight.requires_grad


def test_masks_of_nonzeros(mlp):
    mlp[0].weight.data[3, 4] = 0.0
    masks = Masks.of_nonzeros(mlp)
    assert masks.count - masks.kept == 1
    assert not masks["0.weight"][3, 4]


def test_computed_weights_are_refused(mlp):
    torch_prune.l1_unstructured(mlp[0], "weight", 0.5)
    with pytest.raises(InputError, match=r"0\.weight is computed from other parameters"):
        prunable(mlp)
    with pytest.raises(InputError, match=r"weight is computed from other parameters"):
        prunable(parametrizations.weight_norm(nn.Linear(2, 2)))
    with pytest.raises(InputError, match=r"weight_hh_l0 is computed from other parameters"):
        prunable(torch_prune.random_unstructured(nn.LSTM(2, 2), "weight_hh_l0", 0.5))


def test_a_pruned_bias_is_no_obstacle(mlp):
    torch_prune.l1_unstructured(mlp[0], "bias", 0.5)
    assert list(prunable(mlp)) == ["0.weight", "2.weight"]
