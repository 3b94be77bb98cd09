from __future__ import annotations

import pytest
import torch
from torch import nn

from fpgaprune.errors import InputError
from fpgaprune.prune import DeadBias, Masks, PruneRecipe, Stage, TrainSettings, prune
from tests.structured import Attention, Residual, Sequence, cnn, data_for, mlp, pruned_by, seeded

IMAGES = data_for(2, 8, 8)


def whole(mask, *dims):
    """Return where slices of a mask are kept, which must be all of each or nothing."""
    kept = mask.any(dim=dims[0]) if len(dims) == 1 else mask.flatten(2).any(dim=2)
    everything = mask.all(dim=dims[0]) if len(dims) == 1 else mask.flatten(2).all(dim=2)
    assert torch.equal(kept, everything)
    return kept


def test_kernels_are_the_taps_of_an_input_and_an_output():
    masks = pruned_by(seeded(cnn), "kernels", IMAGES, sparsity=0.5).masks
    kernels = [whole(masks[name], 2, 3) for name in ("0.weight", "2.weight")]
    assert sum(int((~kept).sum()) for kept in kernels) == (8 + 24) // 2
    assert masks["5.weight"].all()


def test_the_weakest_kernel_goes():
    model = nn.Sequential(nn.Conv1d(2, 2, 3))
    model[0].weight.data = torch.tensor([[4.0, 3.0], [1.0, 2.0]]).unsqueeze(2).expand(2, 2, 3).clone()
    assert pruned_by(model, "kernels", sparsity=0.25).masks["0.weight"][:, :, 0].int().tolist() == [[1, 1], [0, 1]]


def test_filters_are_outputs_and_those_of_the_model_stay():
    masks = pruned_by(seeded(cnn), "filters", IMAGES, scope="layer").masks
    assert whole(masks["0.weight"].flatten(1), 1).sum() == 2
    assert whole(masks["2.weight"].flatten(1), 1).sum() == 3
    images = seeded(lambda: nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Conv2d(4, 3, 6), nn.Flatten()))
    masks = pruned_by(images, "filters", IMAGES, scope="layer").masks
    assert [masks.sparsity_of(name) for name in masks] == [0.5, 0.0]


def test_neurons_are_rows_and_those_of_the_model_stay():
    pruned = pruned_by(seeded(mlp), "neurons", data_for(8), scope="layer")
    rows = [whole(mask, 1) for mask in pruned.masks.values()]
    assert [int(kept.sum()) for kept in rows] == [8, 6, 3]
    for number, layer in enumerate((0, 2)):
        assert not pruned.module[layer].bias[~rows[number]].any()
        assert pruned.dead_biases[f"{layer}.bias"] == tuple(torch.nonzero(~rows[number]).flatten().tolist())


def test_a_pruned_neuron_is_zero_for_every_input():
    pruned = pruned_by(seeded(mlp), "neurons", data_for(8))
    gone = ~pruned.masks["0.weight"].any(dim=1)
    hidden = pruned.module[0](torch.randn(100, 8))
    assert gone.any()
    assert not hidden[:, gone].any()
    assert pruned_by(seeded(mlp), "neurons", data_for(8), dead_bias=DeadBias.KEEP).module[0].bias[gone].all()


def test_columns_are_inputs():
    masks = pruned_by(seeded(cnn), "columns", IMAGES, scope="layer").masks
    for name in ("0.weight", "2.weight"):
        columns = masks[name].movedim(1, 0).flatten(1)
        assert whole(columns, 1).sum() == masks[name].shape[1] / 2
    assert whole(masks["5.weight"], 0).sum() == 48
    grouped = nn.Sequential(nn.Conv1d(4, 4, 3, groups=2))
    mask = pruned_by(grouped, "columns", sparsity=0.25).masks["0.weight"].flatten(2).any(dim=2)
    assert int((~mask).sum()) == 2  # both outputs of the group that reads the input
    assert mask.reshape(2, 2, 2).all(dim=1).sum() == 3


def test_columns_of_recurrent_and_attention_layers():
    masks = pruned_by(seeded(Sequence), "columns", scope="layer").masks
    assert [masks.sparsity_of(f"rnn.weight_{end}") for end in ("ih_l0", "hh_l0")] == [0.5, 0.0]
    assert whole(pruned_by(seeded(Attention), "columns", scope="layer").masks["attention.in_proj_weight"], 0).sum() == 8


@pytest.mark.parametrize(
    ("model", "structure", "layers", "message"),
    [
        (mlp, "neurons", {"4": 0.5}, "layers.4: its neurons are outputs of the model"),
        (lambda: nn.Sequential(nn.Linear(8, 3)), "neurons", {}, "all neurons are outputs of the model"),
        (lambda: nn.Sequential(nn.Linear(8, 3), nn.ReLU()), "neurons", {}, "all neurons are outputs of the model"),
    ],
)
def test_outputs_of_the_model_cannot_be_pruned(model, structure, layers, message):
    with pytest.raises(InputError, match=message):
        pruned_by(model(), structure, data_for(8), layers=layers)


def test_recipes_that_cannot_be_followed_are_refused_before_anything_is_trained():
    def train_step(*_):
        raise AssertionError

    first = (Stage(0.5, fine_tune=TrainSettings(epochs=1)),)
    recipe = PruneRecipe(0.5, structure="neurons", layers={"4": 0.5}, first=first)
    with pytest.raises(InputError, match=r"layers\.4: its neurons are outputs of the model"):
        prune(mlp(), data_for(8), recipe, train_step=train_step, progress=False)


def test_layers_have_sparsities_of_their_own():
    masks = pruned_by(seeded(mlp), "neurons", data_for(8), layers={"0": 0.75, "2": 0.5}).masks
    assert [masks.sparsity_of(name) for name in masks] == [0.75, 0.5, 0.0]
    masks = pruned_by(seeded(mlp), "neurons", data_for(8), layers={"0": 0}).masks
    assert [masks.sparsity_of(name) for name in masks] == [0.0, 0.5, 0.0]


def test_filters_of_a_depthwise_convolution():
    masks = pruned_by(seeded(Residual), "filters", data_for(3, 8, 8), scope="layer").masks
    assert whole(masks["depthwise.weight"].flatten(1), 1).sum() == 4


def test_neurons_that_are_gone_count_and_stay():
    model = seeded(mlp)
    model[0].weight.data[3:7] = 0
    masks = pruned_by(model, "neurons", data_for(8), layers={"0": 0.5}).masks
    assert masks["0.weight"].any(dim=1).sum() == 8
    assert not masks["0.weight"][3:7].any()
    assert Masks.of_nonzeros(model)["0.weight"].any(dim=1).sum() == 12
