from __future__ import annotations

import pytest
import torch
from torch import nn

from fpgaprune.errors import InputError
from fpgaprune.prune.criteria.first_order import sensitivity_first, snip, taylor
from fpgaprune.prune.masks import prunable
from fpgaprune.prune.objectives import default_loss
from tests.prune.criteria.nets import gradients_of, make_context, make_data


def test_taylor_and_first_order_are_gradients_of_the_mean_over_all_samples(net):
    model, data = net  # in batches of 5, 5 and 2
    expected = gradients_of(model, data)
    context = make_context(model, data)
    first, products = sensitivity_first(prunable(model), context), taylor(prunable(model), context)
    for name, weight in prunable(model).items():
        torch.testing.assert_close(first[name], expected[name].abs(), rtol=1e-9, atol=1e-15)
        torch.testing.assert_close(products[name], (expected[name] * weight.detach()).abs(), rtol=1e-9, atol=1e-15)


def test_gradients_in_float32_are_summed_up_in_float64(mlp, data):
    scores = taylor(prunable(mlp), make_context(mlp, data))
    assert all(score.dtype == torch.float64 for score in scores.values())
    exact = gradients_of(mlp, data)
    for name, weight in prunable(mlp).items():
        torch.testing.assert_close(scores[name], (exact[name] * weight).abs().detach().double(), rtol=1e-4, atol=1e-8)


def test_weights_that_are_zero_score_zero(net):
    model, data = net
    weight = next(iter(prunable(model).values()))
    weight.data.view(-1)[::2] = 0
    scores = sensitivity_first(prunable(model), make_context(model, data))
    assert next(iter(scores.values())).view(-1)[::2].count_nonzero() == 0


def test_snip_is_normalised_over_the_model_and_looks_at_the_first_batch(net):
    model, data = net
    scores = snip(prunable(model), make_context(model, data))
    assert float(sum(score.sum() for score in scores.values())) == pytest.approx(1.0, rel=1e-12)
    x, y = next(data.train_batches())
    object.__setattr__(data, "train", [(x, y)])
    products = {name: (g * prunable(model)[name]).abs() for name, g in gradients_of(model, data).items()}
    total = sum(product.sum() for product in products.values())
    for name, product in products.items():
        torch.testing.assert_close(scores[name], (product / total).detach(), rtol=1e-9, atol=1e-15)


def test_snip_of_gradients_that_are_all_zero_is_zero():
    model, data = nn.Linear(6, 3).double(), make_data((6,))
    scores = snip(prunable(model), make_context(model, data, lambda outputs, _: (outputs * 0).sum()))
    assert scores["weight"].count_nonzero() == 0


def test_a_loss_without_a_gradient_is_refused():
    model, data = nn.Linear(6, 3).double(), make_data((6,))
    with pytest.raises(InputError, match="does not depend on the weights by autograd; leave out detach"):
        taylor(prunable(model), make_context(model, data, lambda y, target: default_loss(y.detach(), target)))


def test_a_weight_without_a_part_in_the_loss_scores_zero():
    class Idle(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.idle = nn.Linear(6, 3), nn.Linear(6, 3)

        def forward(self, x):
            return self.used(x)

    model = Idle().double()
    scores = taylor(prunable(model), make_context(model, make_data((6,))))
    assert scores["idle.weight"].count_nonzero() == 0
    assert scores["used.weight"].count_nonzero() > 0
