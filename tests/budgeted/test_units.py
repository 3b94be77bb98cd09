"""Where the weights of matrices come from, and which tensors are pruned together."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from fpgaprune.budgeted import units
from fpgaprune.budgeted.units import Unit, origins_of, units_of
from fpgaprune.capture.api import capture
from fpgaprune.errors import InputError
from fpgaprune.prune import Masks, prunable


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.again, self.last = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 2)
        self.again.weight = self.first.weight
        self.scale = nn.Parameter(torch.full((6,), 0.5))

    def forward(self, x):
        return self.last(torch.relu(self.again(torch.relu(self.first(x * self.scale)))))


class Attending(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention, self.last = nn.MultiheadAttention(4, 2, batch_first=True), nn.Linear(12, 2)

    def forward(self, x):
        return self.last(self.attention(x, x, x, need_weights=False)[0].flatten(1))


class Recurrent(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.cell, self.last = kind(4, 5, batch_first=True), nn.Linear(5, 2)

    def forward(self, x):
        return self.last(self.cell(x)[0][:, -1])


NETS = {
    "conv": (
        nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3, groups=2), nn.Flatten()),
        (2, 2, 6, 6),
    ),
    "twice": (Twice(), (2, 6)),
    "attention": (Attending(), (2, 3, 4)),
    "lstm": (Recurrent(nn.LSTM), (2, 3, 4)),
    "gru": (Recurrent(nn.GRU), (2, 3, 4)),
}


@pytest.mark.parametrize("net", NETS)
def test_what_masks_keep_is_what_is_left_in_the_layers_of_the_pruned_model(net):
    model, shape = NETS[net]
    example = torch.rand(shape, generator=torch.Generator().manual_seed(1))
    origins = origins_of(model, example)
    assert set().union(*(origins.tensors(layer) for layer in origins.numbers)) == set(prunable(model))
    random = torch.Generator().manual_seed(2)
    masks = Masks({name: torch.rand(w.shape, generator=random) < 0.5 for name, w in prunable(model).items()})
    kept = origins.kept(masks)
    before = {name: weight.detach().clone() for name, weight in prunable(model).items()}
    try:
        masks.apply_(model)
        layers = capture(model, example).by_name
        for name, left in kept.items():
            assert np.array_equal(layers[name].weight != 0, left)
    finally:
        with torch.no_grad():
            for name, weight in prunable(model).items():
                weight.copy_(before[name])


def test_the_model_stays_as_it_is():
    model, shape = NETS["gru"]
    before = {name: value.clone() for name, value in model.state_dict().items()}
    origins_of(model, torch.rand(shape))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def found_units(net):
    model, shape = NETS[net]
    return units_of(origins_of(model, torch.rand(shape)), prunable(model))


def test_each_tensor_with_a_matrix_of_its_own_is_a_unit():
    assert found_units("conv") == (Unit(("0.weight",), frozenset({"0"})), Unit(("3.weight",), frozenset({"3"})))


def test_tensors_that_meet_in_a_matrix_are_one_unit():
    first, last = found_units("gru")
    assert first.tensors == ("cell.weight_ih_l0", "cell.weight_hh_l0")
    assert len(first.layers) == 3
    assert last.tensors == ("last.weight",)
    assert found_units("lstm")[0].tensors == ("cell.weight_ih_l0", "cell.weight_hh_l0")


def test_a_tensor_that_serves_two_layers_is_one_unit_with_both():
    first, last = found_units("twice")
    assert (first.name, first.layers) == ("first.weight", frozenset({"first", "again"}))
    assert last.name == "last.weight"


def test_a_tensor_without_a_matrix_is_a_unit_without_layers():
    model, shape = NETS["conv"]
    origins = origins_of(model, torch.rand(shape))
    assert units_of(origins, ["x", "0.weight"])[0] == Unit(("x",), frozenset())


def test_more_weights_than_float32_can_number_are_refused(monkeypatch):
    monkeypatch.setattr(units, "_MOST", 50)
    model, shape = NETS["twice"]
    with pytest.raises(InputError, match="fewer than 50 prunable weights, not 60"):
        origins_of(nn.Sequential(nn.Linear(6, 10)), torch.rand(2, 6))
    assert origins_of(model, torch.rand(shape)).sizes == {"first.weight": 36, "last.weight": 12}
