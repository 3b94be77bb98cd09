"""Removed one at a time, in a copy, by hand: what the exact sensitivity must equal."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from fpgaprune.errors import InputError
from fpgaprune.prune.criteria import LoopWarning, ablation, rows
from fpgaprune.prune.criteria.ablation import sensitivity
from fpgaprune.prune.forward import copied
from fpgaprune.prune.masks import prunable
from fpgaprune.prune.objectives import default_loss
from tests.prune.criteria.nets import NETS, gradients_of, make_context, make_data, make_net, whole

MAPPED = ["mlp", "cnn", "conv1d", "attention", "transformer"]


@torch.no_grad()
def by_hand(model, data):
    model, (x, y) = copied(model).double().eval(), whole(data)
    x = x.double()
    base, scores = default_loss(model(x), y), {}
    for name, weight in prunable(model).items():
        scores[name] = torch.zeros_like(weight)
        for place in range(weight.numel()):
            value = weight.view(-1)[place].item()
            weight.view(-1)[place] = 0
            scores[name].view(-1)[place] = (default_loss(model(x), y) - base).abs() / abs(value)
            weight.view(-1)[place] = value
    return scores


def close(one, two):
    for name in two:
        torch.testing.assert_close(one[name], two[name], rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("name", MAPPED)
def test_it_is_the_change_of_the_loss_over_the_weight(name):
    model, data = make_net(name), make_data(NETS[name][1])
    close(sensitivity(prunable(model), make_context(model, data)), by_hand(model, data))


@pytest.mark.parametrize("name", ["rnn", "gru", "lstm"])
def test_what_vmap_cannot_take_is_removed_one_by_one_and_told(name):
    model, data = make_net(name), make_data(NETS[name][1])
    with pytest.warns(LoopWarning, match=rf"^the weights of cells\.weight_ih_l0, .*Batching rule.*{name}") as told:
        scores = sensitivity(prunable(model), make_context(model, data))
    assert len(told) == 1
    assert "classes.weight" not in str(told[0].message)  # behind the recurrent layer, vmap can
    close(scores, by_hand(model, data))


def test_a_model_in_float32_is_measured_in_float64(mlp, data):
    scores = sensitivity(prunable(mlp), make_context(mlp, data))
    close(scores, by_hand(mlp, data))
    assert mlp[0].weight.dtype == torch.float32


@pytest.mark.parametrize("elements", [1, 200])
def test_small_memory_gives_the_same_scores(elements, monkeypatch):
    model, data = make_net("mlp"), make_data((6,))
    expected = sensitivity(prunable(model), make_context(model, data))
    monkeypatch.setattr(rows, "_ELEMENTS", elements)
    close(sensitivity(prunable(model), make_context(model, data)), expected)


def test_samples_are_the_first_ones():
    model, data = make_net("mlp"), make_data((6,), samples=12, batch_size=5)
    x, y = whole(data)
    fewer = make_data((6,))
    object.__setattr__(fewer, "train", [(x[:7], y[:7])])
    close(sensitivity(prunable(model), make_context(model, data, samples=7)), by_hand(model, fewer))


def test_weights_that_reach_no_output_score_exactly_zero():
    model, data = make_net("mlp"), make_data((6,))
    with torch.no_grad():
        model[2].weight[:, 1] = 0  # nothing reads hidden unit 1
        model[0].bias[3] = -100  # hidden unit 3 never fires
    scores = sensitivity(prunable(model), make_context(model, data))
    assert scores["0.weight"][[1, 3]].count_nonzero() == 0
    assert scores["2.weight"][:, [1, 3]].count_nonzero() == 0
    assert scores["0.weight"][[0, 2, 4]].count_nonzero() > 0


@pytest.mark.parametrize("size", [1e-300, 1e-15, 1e-12, 1e-9])
def test_tiny_weights_score_as_the_gradient_which_no_rounding_drowns(size):
    model, data = make_net("mlp"), make_data((6,))
    model[0].weight.data[0] = torch.tensor([size, -size, 0.0, 0.5, -0.5, 1.0], dtype=torch.float64)
    scores = sensitivity(prunable(model), make_context(model, data))["0.weight"][0]
    gradients = gradients_of(model, data)["0.weight"][0].abs()
    torch.testing.assert_close(scores[:2], gradients[:2], rtol=1e-6, atol=0)
    assert scores[2] == 0
    close({"w": scores[3:]}, {"w": by_hand(model, data)["0.weight"][0, 3:]})


def test_where_the_gradient_takes_over_both_agree():
    model, data = make_net("mlp"), make_data((6,))
    model[0].weight.data[0, :2] = torch.tensor([0.9, 1.1], dtype=torch.float64) * ablation.TINY
    scores = sensitivity(prunable(model), make_context(model, data))["0.weight"][0]
    torch.testing.assert_close(scores[:2], gradients_of(model, data)["0.weight"][0, :2].abs(), rtol=1e-5, atol=0)


def test_losses_without_a_gradient_do():
    """Such as the share of errors, which is what a classifier is about."""

    def errors(outputs, targets):
        return (outputs.argmax(1) != targets).double().mean()

    model, data = make_net("mlp"), make_data((6,), samples=90)
    scores = sensitivity(prunable(model), make_context(model, data, errors))
    x, y = whole(data)
    base = errors(model(x), y)
    with torch.no_grad():
        weight, place = model[2].weight, divmod(int(scores["2.weight"].argmax()), 5)
        before = weight[place].item()
        weight[place] = 0
        expected = abs(errors(model(x), y) - base) / abs(before)
    assert scores["2.weight"][place] == pytest.approx(expected.item(), rel=1e-12)
    assert expected > 0


def test_the_number_of_weights_that_are_not_zero_is_bounded(monkeypatch):
    model, data = make_net("mlp"), make_data((6,))
    alive = sum(weight.numel() for weight in prunable(model).values())
    monkeypatch.setattr(ablation, "LARGEST", alive - 1)
    with pytest.raises(InputError, match=rf"at most {alive - 1}, .*has {alive} .*'sensitivity-second' or"):
        sensitivity(prunable(model), make_context(model, data))
    model[0].weight.data[0, 0] = 0
    assert sensitivity(prunable(model), make_context(model, data))["0.weight"][0, 0] == 0


def test_a_model_bound_to_float32_is_refused_with_a_remedy():
    class Bound(nn.Linear):
        def forward(self, x):
            return super().forward(x.float())

    model = Bound(6, 3)
    with pytest.raises(InputError, match=r"runs the model in float64: .*; make tensors .* of the input's type, or"):
        sensitivity(prunable(model), make_context(model, make_data((6,))))


def test_whole_tensors_may_be_pruned():
    model, data = make_net("mlp"), make_data((6,))
    model[2].weight.data.zero_()
    scores = sensitivity(prunable(model), make_context(model, data))
    assert all(score.count_nonzero() == 0 for name, score in scores.items() if name != "4.weight")
