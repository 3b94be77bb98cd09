from __future__ import annotations

import json

import pytest
import torch
from torch import nn

from fpgaprune.errors import InputError
from fpgaprune.prune.masks import Masks, prunable
from fpgaprune.prune.shrinkage import INPUTS, OUTPUTS, Kept, Shrinkage, channels, sides_of


def net() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(2, 4, 3),
        nn.BatchNorm2d(4),
        nn.PReLU(4),
        nn.Conv2d(4, 4, 3, groups=4),
        nn.Conv2d(4, 3, 1, bias=False),
        nn.Flatten(),
        nn.Linear(3 * 4, 2),
    )


def shrunk_by(*kept: int) -> Shrinkage:
    four, three = Kept(4, kept), Kept(12, tuple(range(8)))
    return Shrinkage(
        {
            "0": {OUTPUTS: four},
            "1": {OUTPUTS: four},
            "2": {OUTPUTS: four},
            "3": {OUTPUTS: four},
            "4": {INPUTS: four, OUTPUTS: Kept(3, (0, 1))},
            "6": {INPUTS: three},
        }
    )


def test_channels_are_cut_out_of_every_kind_of_layer():
    model, whole = net(), net()
    whole.load_state_dict(model.state_dict())
    shrunk_by(1, 3).cut_(model)
    assert torch.equal(model[0].weight, whole[0].weight[[1, 3]])
    assert torch.equal(model[1].running_var, whole[1].running_var[[1, 3]])
    assert torch.equal(model[2].weight, whole[2].weight[[1, 3]])
    assert torch.equal(model[4].weight, whole[4].weight[:2][:, [1, 3]])
    assert torch.equal(model[6].weight, whole[6].weight[:, :8])
    assert (model[3].in_channels, model[3].out_channels, model[3].groups) == (2, 2, 2)
    assert (model[1].num_features, model[2].num_parameters, model[6].in_features) == (2, 2, 8)
    assert model(torch.randn(1, 2, 6, 6)).shape == (1, 2)


def test_frozen_parameters_stay_frozen():
    model = net()
    model[0].weight.requires_grad_(False)
    shrunk_by(0).cut_(model)
    assert [parameter.requires_grad for parameter in model[0].parameters()] == [False, True]


def test_tensors_are_cut_as_the_model_is():
    model, tensors = net(), {name: value.clone() for name, value in net().state_dict().items()}
    shrinkage = shrunk_by(0, 2, 3)
    before = shrinkage.cut(tensors, model)
    shrinkage.cut_(model)
    after = shrinkage.cut(tensors, model)
    for name, value in model.state_dict().items():
        assert before[name].shape == after[name].shape == value.shape
        assert torch.equal(before[name], after[name])
    assert torch.equal(after["3.weight"], tensors["3.weight"][[0, 2, 3]])


def test_a_second_cut_counts_what_the_first_left():
    first, second = Kept(6, (1, 2, 4)), Kept(3, (0, 2))
    assert first.then(second) == Kept(6, (1, 4))
    one = Shrinkage({"a": {OUTPUTS: first}, "b": {INPUTS: first}})
    two = Shrinkage({"a": {OUTPUTS: second, INPUTS: Kept(2, (1,))}})
    assert one.then(two).layers == {"a": {OUTPUTS: Kept(6, (1, 4)), INPUTS: Kept(2, (1,))}, "b": {INPUTS: first}}
    assert one.layers["a"] == {OUTPUTS: first}


def test_weights_that_are_cut_out_count_as_pruned():
    model = net()
    counts = {name: weight.numel() for name, weight in prunable(model).items()}
    shrinkage = shrunk_by(1, 3)
    shrinkage.cut_(model)
    masks = Masks(Masks.full(model).tensors, shrinkage)
    assert {name: masks.count_of(name) for name in masks} == counts
    assert masks.count == sum(counts.values()) == masks.cut + Masks.full(model).count
    assert masks.sparsity_of("4.weight") == 8 / 12
    assert masks.sparsity == (masks.count - masks.kept) / masks.count > 0.3
    assert masks != Masks.full(model)


def test_json_and_back():
    text = json.dumps(shrunk_by(1, 3).to_dict())
    assert Shrinkage.from_dict(json.loads(text)) == shrunk_by(1, 3)
    assert not Shrinkage.from_dict({})


@pytest.mark.parametrize(
    ("size", "indices"), [(3, ()), (3, (0, 3)), (3, (1, 0)), (3, (1, 1)), (3, (-1, 0)), (3, (True,)), (3, ("0",))]
)
def test_indices_must_rise_within_the_channels(size, indices):
    with pytest.raises(InputError, match="the kept channels must be rising indices below their number 3"):
        Kept(size, indices)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"0": 3}, "0 must be a table"),
        ({"0": {"outputs": [1]}}, r"0\.outputs must be a table"),
        ({"0": {"outputs": {"size": 3}}}, r"0\.outputs must hold a size and a list"),
        ({"0": {"outputs": {"size": "3", "kept": [0]}}}, r"0\.outputs must hold a size and a list"),
        ({"0": {"outputs": {"size": 3, "kept": [0], "more": 1}}}, r"0\.outputs has no field 'more'"),
    ],
)
def test_other_values_are_refused(values, message):
    with pytest.raises(InputError, match=message):
        Shrinkage.from_dict(values)


@pytest.mark.parametrize(
    ("name", "side", "kept", "message"),
    [
        ("0", OUTPUTS, Kept(5, (0,)), "0 .Conv2d.* has not the 5 outputs"),
        ("3", INPUTS, Kept(4, (0,)), "3 .Conv2d.* has not the 4 inputs"),
        ("5", OUTPUTS, Kept(4, (0,)), "5 .Flatten.* has not the 4 outputs"),
        ("0", "sides", Kept(4, (0,)), "0 .Conv2d.* has not the 4 sides"),
        ("conv", OUTPUTS, Kept(4, (0,)), "channels were cut out of 'conv', which the model has not"),
    ],
)
def test_models_that_do_not_fit_are_refused(name, side, kept, message):
    with pytest.raises(InputError, match=message):
        Shrinkage({name: {side: kept}}).cut_(net())


def test_what_cannot_be_cut_has_no_sides():
    uncuttable = (nn.Conv1d(4, 8, 3, groups=4), nn.Conv1d(4, 4, 3, groups=2), nn.PReLU(), nn.LayerNorm(3), nn.GRU(2, 3))
    assert not any(sides_of(module) for module in uncuttable)
    assert channels(nn.Linear(3, 5), INPUTS) == 3
    assert channels(nn.Conv2d(4, 4, 3, groups=4), OUTPUTS) == 4
