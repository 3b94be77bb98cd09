from __future__ import annotations

import torch
from torch import nn

from fpgaprune.prune.criteria.movement import LEARNING_RATE, movement
from fpgaprune.prune.forward import copied
from fpgaprune.prune.masks import Masks, prunable
from fpgaprune.prune.objectives import default_loss
from tests.prune.criteria.nets import make_context, make_data


def test_it_adds_up_products_along_sgd(net):
    model, data = net
    scores = movement(prunable(model), make_context(model, data))
    trained = copied(model).eval()
    optimiser = torch.optim.SGD(trained.parameters(), lr=LEARNING_RATE)
    expected = {name: torch.zeros_like(weight) for name, weight in prunable(trained).items()}
    for x, y in data.train_batches():
        optimiser.zero_grad()
        default_loss(trained(x), y).backward()
        for name, weight in prunable(trained).items():
            expected[name] -= (weight.grad * weight).detach()
        optimiser.step()
    for name in expected:
        torch.testing.assert_close(scores[name], expected[name], rtol=1e-9, atol=1e-14)


def test_weights_that_leave_zero_score_above_those_that_approach_it():
    model = nn.Linear(2, 1, bias=False).double()
    model.weight.data = torch.tensor([[0.5, 0.5]], dtype=torch.float64)
    x = torch.eye(2, dtype=torch.float64)
    data = make_data((2,), samples=2, targets=torch.zeros(2))
    object.__setattr__(data, "train", [(x, torch.tensor([[1.0], [0.0]], dtype=torch.float64))] * 3)
    leaving, approaching = movement(prunable(model), make_context(model, data))["weight"][0]
    assert leaving > 0 > approaching


def test_pruned_weights_stay_zero_on_the_way():
    """Without the masks, the second step would see a revived weight."""
    model, data = nn.Linear(6, 3).double(), make_data((6,))
    keep = torch.arange(18).reshape(3, 6) % 2 == 0
    masks = Masks({"weight": keep})
    scores = movement(prunable(model), make_context(model, data, masks=masks))["weight"]
    assert scores[~keep].count_nonzero() == 0
    assert scores[keep].count_nonzero() == keep.sum()


def test_frozen_parameters_are_not_trained_on_the_way():
    model, data = nn.Linear(6, 3).double(), make_data((6,))
    free = movement(prunable(model), make_context(model, data))["weight"]
    model.bias.requires_grad_(False)
    assert not torch.equal(movement(prunable(model), make_context(model, data))["weight"], free)
