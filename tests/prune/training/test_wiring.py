"""That pruned entries are zero to the bit, whatever their gradients are."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from fpgaprune.errors import InputError
from fpgaprune.prune.masks import Masks
from fpgaprune.prune.settings import TrainSettings
from fpgaprune.prune.training.optimisers import make_optimiser, state_of
from fpgaprune.prune.training.wiring import Wiring

MASK = torch.tensor([[True, False, True], [False, False, True]])


def layer(dtype=torch.float32):
    model = nn.Linear(3, 2).to(dtype)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[1.0, -2.0, -3.0], [4.0, 0.0, -6.0]]))
        model.bias.copy_(torch.tensor([5.0, -7.0]))
    return model


def signs(tensor):
    return torch.signbit(tensor).tolist()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_pruned_entries_are_positive_zeros_of_every_type(dtype):
    model = layer(dtype)
    Wiring(model, Masks({"weight": MASK}))
    assert model.weight.tolist() == [[1, 0, -3], [0, 0, -6]]
    assert signs(model.weight) == [[False, False, True], [False, False, True]]
    assert model.bias.tolist() == [5, -7]


def test_gradients_are_silenced_even_if_they_are_no_numbers():
    model = layer()
    wiring = Wiring(model, Masks({"weight": MASK}))
    model.weight.grad = torch.tensor([[1.0, math.nan, -2.0], [-math.inf, -3.0, math.nan]])
    wiring.silence()
    assert model.weight.grad[:, :2].tolist() == [[1, 0], [0, 0]]
    assert signs(model.weight.grad)[1][:2] == [False, False]
    assert model.weight.grad[0, 2] == -2
    assert math.isnan(model.weight.grad[1, 2])
    assert model.bias.grad is None


@pytest.mark.parametrize("optimiser", ["adam", "adamw", "sgd"])
def test_an_optimiser_leaves_zeros_and_remembers_nothing_of_them(optimiser):
    model = layer()
    wiring = Wiring(model, Masks({"weight": MASK}), dead=lambda _: {"bias": (1,)})
    steps = make_optimiser(model, TrainSettings(optimiser=optimiser, learning_rate=0.1, weight_decay=0.1))
    for _ in range(3):
        steps.zero_grad()
        model(torch.randn(4, 3)).square().sum().backward()
        wiring.silence()
        steps.step()
    assert not model.weight[~MASK].any()
    assert not signs(model.weight)[0][1]
    assert model.bias[1] == 0
    assert model.bias[0] != 5
    state = state_of(steps)
    moments = [tensor for name, tensor in state.items() if name.startswith("0.") and tensor.ndim]
    assert moments
    assert not any(tensor[~MASK].any() for tensor in moments)


def test_what_a_function_after_the_step_revives_is_set_to_zero():
    model = layer()
    wiring = Wiring(model, Masks({"weight": MASK}), after_step=lambda module: module.weight.add_(1))
    wiring.settle()
    assert model.weight.tolist() == [[2, 0, -2], [0, 0, -5]]


def test_dead_biases_follow_the_masks():
    model = layer()
    dead = {2: {"bias": (0,)}, 3: {}}
    wiring = Wiring(model, Masks({"weight": MASK}), dead=lambda masks: dead[masks.kept])
    assert model.bias.tolist() == [5, -7]
    other = MASK.clone()
    other[0, 0] = False
    wiring.set_masks(Masks({"weight": other}))
    assert model.bias.tolist() == [0, -7]
    assert [hole.sum().item() for _, hole in wiring.holes] == [4, 1]
    assert wiring.sparsity == pytest.approx(4 / 6)


def test_full_masks_cost_nothing_and_none_are_allowed():
    model = layer()
    assert not list(Wiring(model, Masks.full(model)).holes)
    wiring = Wiring(model, None)
    assert wiring.masks is None
    assert wiring.sparsity == 0
    assert not list(wiring.holes)


def test_masks_of_another_model_are_refused():
    with pytest.raises(InputError, match="no mask for the weight"):
        Wiring(layer(), Masks({}))
