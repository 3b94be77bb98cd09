"""What is asked of the optimisers of torch, and how they are called."""

import pytest
import torch
from torch import nn

from fpgaprune.fixed import Fixed, Overflow, Rounding
from fpgaprune.prune import TrainSettings
from fpgaprune.prune.training.optimisers import clear_gradients, make_optimiser, update
from fpgaprune.quantise.joint.digit_grid import DigitGrid


@pytest.mark.parametrize("kind", ["adam", "adamw"])
@pytest.mark.parametrize(("device", "dtype", "fused"), [("cpu", None, True), ("meta", None, None)])
def test_adam_is_one_kernel_where_torch_has_it(kind, device, dtype, fused):
    optimiser = make_optimiser(nn.Linear(3, 2, device=device, dtype=dtype), TrainSettings(optimiser=kind))
    assert optimiser.defaults["fused"] is fused


@pytest.mark.parametrize("kind", ["adam", "adamw", "sgd"])
def test_an_update_is_a_step_of_torch(kind):
    models = [nn.Linear(3, 2, dtype=torch.float64) for _ in range(2)]
    models[1].load_state_dict(models[0].state_dict())
    optimisers = [make_optimiser(model, TrainSettings(optimiser=kind, weight_decay=0.1)) for model in models]
    for number in range(3):
        for model in models:
            model(torch.full((4, 3), number + 1.0, dtype=torch.float64)).square().sum().backward()
        update(optimisers[0])
        optimisers[1].step()
        clear_gradients(optimisers[0])
        optimisers[1].zero_grad()
    assert torch.equal(models[0].weight, models[1].weight)
    assert models[0].weight.grad is None


@pytest.mark.parametrize("kind", ["adam", "adamw", "sgd"])
def test_what_is_remembered_of_parameters_is_found_anew_after_an_update(kind):
    model = nn.Linear(3, 2)
    optimiser = make_optimiser(model, TrainSettings(optimiser=kind, learning_rate=0.5))
    grid = DigitGrid({"layer": Fixed(True, 8, 4, Rounding.RND_CONV, Overflow.SAT)}, {"layer": (2, 3)})
    before = grid({"layer": model.weight})["layer"].detach().clone()
    model(torch.ones(4, 3)).sum().backward()
    update(optimiser)
    after = grid({"layer": model.weight})["layer"]
    assert not torch.equal(before, after)
    assert torch.allclose(after, model.weight, atol=0.5 / 16)
