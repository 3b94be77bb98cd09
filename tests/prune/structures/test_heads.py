from __future__ import annotations

import pytest
import torch
from torch import nn

from fpgaprune.prune import Masks
from fpgaprune.prune.structures import Goal, Heads, Subject
from tests.structured import Attention, magnitudes, pruned_by, seeded


def heads_left(mask):
    """Return which of the four heads of 4 rows are kept in a mask (…, 16, columns), of which all or none must be."""
    by_head = mask.reshape(-1, 4, 4, mask.shape[-1]).movedim(1, 0).flatten(1)
    assert torch.equal(by_head.any(dim=1), by_head.all(dim=1))
    return by_head.any(dim=1)


@pytest.mark.parametrize("sparsity", [0.0, 0.25, 0.5, 0.75, 1.0])
def test_whole_heads_go(sparsity):
    masks = pruned_by(seeded(Attention), "heads", sparsity=sparsity).masks
    left = heads_left(masks["attention.in_proj_weight"])
    assert left.sum() == 4 - 4 * sparsity
    assert torch.equal(heads_left(masks["attention.out_proj.weight"].T), left)
    assert masks["out.weight"].all()


@pytest.mark.parametrize("options", [{"kdim": 6, "vdim": 7}, {"add_bias_kv": True}, {"bias": False}])
def test_projections_of_their_own_and_other_options(options):
    model = seeded(lambda: nn.Sequential(nn.MultiheadAttention(16, 4, **options)))
    masks = pruned_by(model, "heads").masks
    left = [heads_left(mask.T if "out_proj" in name else mask) for name, mask in masks.items()]
    assert len(left) == (4 if "kdim" in options else 2)
    assert all(torch.equal(one, left[0]) for one in left)
    assert left[0].sum() == 2


def test_the_weakest_head_goes():
    model = seeded(Attention)
    model.attention.in_proj_weight.data[20:24] *= 0.01  # keys of head 1
    masks = pruned_by(model, "heads", sparsity=0.25).masks
    assert heads_left(masks["attention.in_proj_weight"]).tolist() == [True, False, True, True]


def test_pruned_heads_have_no_part_in_the_output():
    """What a head computes may be anything: with its columns of out_proj gone, nothing reads it."""
    pruned = pruned_by(seeded(Attention), "heads")
    gone = ~heads_left(pruned.masks["attention.in_proj_weight"])
    x = torch.randn(4, 5, 16)
    before = pruned.module(x)
    rows = gone.repeat_interleave(4).repeat(3)
    assert rows.sum() == 24
    pruned.module.attention.in_proj_weight.data[rows] = 9.0
    pruned.module.attention.in_proj_bias.data[rows] = -5.0
    assert torch.equal(pruned.module(x), before)


def test_heads_of_several_layers_compete_or_have_sparsities_of_their_own():
    model = seeded(lambda: nn.Sequential(Attention(), Attention()))
    model[0].attention.in_proj_weight.data *= 0.01
    masks = pruned_by(model, "heads").masks
    assert [masks.sparsity_of(f"{layer}.attention.in_proj_weight") for layer in (0, 1)] == [1.0, 0.0]
    masks = pruned_by(model, "heads", layers={"0": 0.25, "1.attention": 0.75}).masks
    assert [masks.sparsity_of(f"{layer}.attention.in_proj_weight") for layer in (0, 1)] == [0.25, 0.75]


def test_heads_that_are_gone_count():
    model = seeded(Attention)
    everything = Masks.full(model)
    subject = Subject(model, Heads().prune_(Subject(model, everything), magnitudes(model), Goal(0.25)))
    assert Heads().share(subject, {}) == 0.25
    again = Heads().prune_(subject, magnitudes(model), Goal(0.5))
    assert heads_left(again["attention.in_proj_weight"]).sum() == 2
    assert all(not (again[name] & ~mask).any() for name, mask in subject.masks.items())


def test_an_encoder_layer_has_heads():
    model = seeded(lambda: nn.TransformerEncoderLayer(16, 4, 8, batch_first=True))
    masks = pruned_by(model, "heads").masks
    assert masks.sparsity_of("self_attn.out_proj.weight") == 0.5
    assert masks.sparsity_of("linear1.weight") == 0
