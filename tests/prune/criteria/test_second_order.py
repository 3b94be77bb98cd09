"""Second derivatives against torch's whole Hessian, and the approximate sensitivities against the exact one."""

from __future__ import annotations

import pytest
import torch
from scipy.stats import spearmanr
from torch import nn
from torch.func import functional_call

from fpgaprune.errors import InputError
from fpgaprune.prune import Data, TrainSettings, train
from fpgaprune.prune.criteria import LoopWarning, per_sample, rows
from fpgaprune.prune.criteria.ablation import sensitivity
from fpgaprune.prune.criteria.first_order import sensitivity_first
from fpgaprune.prune.criteria.second_order import fisher, obd, sensitivity_second
from fpgaprune.prune.masks import prunable
from fpgaprune.prune.objectives import default_loss
from tests.prune.criteria.nets import NETS, make_context, make_data, make_net, whole


def whole_diagonal(model, data, loss=default_loss):
    """Return the diagonal of the Hessian of the mean loss for each weight, taken from the whole matrix."""
    x, y = whole(data)
    model.eval()
    found = {}
    for name, weight in prunable(model).items():

        def of_flat(values, name=name, weight=weight):
            return loss(functional_call(model, {name: values.view_as(weight)}, (x,)), y)

        matrix = torch.autograd.functional.hessian(of_flat, weight.detach().flatten())
        found[name] = matrix.diagonal().view_as(weight)
    return found


def piecewise_linear():
    return nn.Sequential(
        nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(27, 3)
    ).double()


@pytest.mark.parametrize("make", [lambda: make_net("mlp"), lambda: make_net("cnn"), piecewise_linear])
def test_obd_has_the_diagonal_of_the_hessian_of_piecewise_linear_nets(make):
    model = make()
    data = make_data((6,) if isinstance(model[0], nn.Linear) else (2, 8, 8))
    scores, expected = obd(prunable(model), make_context(model, data)), whole_diagonal(model, data)
    for name, weight in prunable(model).items():
        torch.testing.assert_close(scores[name], expected[name] * weight.detach() ** 2 / 2, rtol=1e-9, atol=1e-14)


def test_an_lstm_in_float32_scores_as_in_float64():
    enabled = torch.backends.mkldnn.enabled
    double, single = make_net("lstm"), make_net("lstm").float()
    x, y = whole(make_data((5, 3), samples=4))
    rounded = Data([(x.float(), y)], [(x.float(), y)])
    for score in (obd, sensitivity_second):
        with pytest.warns(LoopWarning):
            expected = score(prunable(double), make_context(double, Data([(x, y)], [(x, y)])))
        with pytest.warns(LoopWarning):
            found = score(prunable(single), make_context(single, rounded))
        for name, scores in found.items():
            torch.testing.assert_close(scores.double(), expected[name], rtol=1e-3, atol=1e-6)
    assert torch.backends.mkldnn.enabled == enabled


def test_losses_of_any_curvature_do():
    """A loss that is concave in one output has negative second derivatives."""

    def loss(outputs, _):
        return (outputs[:, 0] ** 2 - outputs[:, 1] ** 2 + outputs[:, 0] * outputs[:, 2]).mean()

    model, data = nn.Linear(6, 3).double(), make_data((6,))
    scores = obd(prunable(model), make_context(model, data, loss))["weight"]
    expected = whole_diagonal(model, data, loss)["weight"] * model.weight.detach() ** 2 / 2
    torch.testing.assert_close(scores, expected, rtol=1e-9, atol=1e-15)
    assert (scores[1] < 0).all()


def test_second_order_is_exact_on_a_quadratic():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = nn.Linear(6, 2).double()
    data = make_data((6,), targets=torch.linspace(-1, 1, 24, dtype=torch.float64).view(12, 2))
    context = make_context(model, data)
    exact, second = (
        sensitivity(prunable(model), context)["weight"],
        sensitivity_second(prunable(model), context)["weight"],
    )
    torch.testing.assert_close(second, exact, rtol=1e-12, atol=1e-14)
    assert not torch.allclose(sensitivity_first(prunable(model), context)["weight"], exact, rtol=0.1)


@pytest.mark.parametrize("activation", [nn.ReLU, nn.Tanh])
def test_approximations_rank_the_weights_of_a_trained_net_as_the_exact_sensitivity_does(activation, data):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        model = nn.Sequential(nn.Linear(8, 12), activation(), nn.Linear(12, 8), activation(), nn.Linear(8, 3))
    train(model, data, TrainSettings(epochs=3, learning_rate=1e-2), progress=False)
    context, weights = make_context(model.double(), data_in_float64(data)), prunable(model)
    exact = flat(sensitivity(weights, context))
    first, second = (
        spearmanr(exact, flat(each(weights, context))).statistic for each in (sensitivity_first, sensitivity_second)
    )
    assert second > first > 0.85


def data_in_float64(data):
    x, y = whole(data)
    object.__setattr__(data, "train", [(x.double(), y)])
    return data


def flat(scores):
    return torch.cat([score.flatten() for score in scores.values()])


def test_fisher_squares_the_gradient_of_each_sample(net):
    model, data = net
    if any(isinstance(module, nn.RNNBase) for module in model.modules()):
        with pytest.warns(LoopWarning, match=r"^the samples are taken one by one"):
            scores = fisher(prunable(model), make_context(model, data))
    else:
        scores = fisher(prunable(model), make_context(model, data))
    x, y = whole(data)
    model.eval()
    weights = prunable(model)
    expected = {name: torch.zeros_like(weight) for name, weight in weights.items()}
    for at in range(len(x)):
        loss = default_loss(model(x[at : at + 1]), y[at : at + 1])
        for name, gradient in zip(weights, torch.autograd.grad(loss, list(weights.values())), strict=True):
            expected[name] += gradient**2 / len(x)
    for name, weight in weights.items():
        torch.testing.assert_close(scores[name], expected[name] * weight.detach() ** 2 / 2, rtol=1e-9, atol=1e-18)


@pytest.mark.parametrize("name", ["mlp", "cnn", "attention"])
@pytest.mark.parametrize("criterion", [fisher, obd, sensitivity_second])
def test_loops_and_vmap_agree(name, criterion, monkeypatch):
    model, data = make_net(name), make_data(NETS[name][1])
    mapped = criterion(prunable(model), make_context(model, data))
    monkeypatch.setattr(per_sample, "refusal", lambda *_: "as the test says")
    with pytest.warns(LoopWarning, match="as the test says"):
        looped = criterion(prunable(model), make_context(model, data))
    for key in mapped:
        torch.testing.assert_close(looped[key], mapped[key], rtol=1e-9, atol=1e-15)


def test_small_memory_gives_the_same_scores(monkeypatch):
    model, data = make_net("mlp"), make_data((6,))
    expected = obd(prunable(model), make_context(model, data))
    monkeypatch.setattr(rows, "_ELEMENTS", 1)
    for name, score in obd(prunable(model), make_context(model, data)).items():
        torch.testing.assert_close(score, expected[name], rtol=1e-12, atol=1e-18)


@pytest.mark.parametrize("criterion", [obd, sensitivity_second])
def test_many_outputs_are_refused(criterion, monkeypatch):
    monkeypatch.setattr(per_sample, "MOST_OUTPUTS", 2)
    model, data = make_net("mlp"), make_data((6,))
    with pytest.raises(InputError, match=r"at most 2 outputs a sample, .*the model has 3; use 'fisher'"):
        criterion(prunable(model), make_context(model, data))


@pytest.mark.parametrize("criterion", [fisher, obd, sensitivity_second])
def test_losses_that_are_no_mean_over_samples_are_refused(criterion):
    model, data = make_net("mlp"), make_data((6,))
    weighted = nn.CrossEntropyLoss(weight=torch.tensor([1.0, 5.0, 20.0], dtype=torch.float64))
    with pytest.raises(InputError, match=r"takes the loss of a batch for the mean .*; use 'taylor'"):
        criterion(prunable(model), make_context(model, data, weighted))


def test_several_outputs_and_targets_do():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.left, self.right = nn.Linear(6, 3), nn.Linear(6, 2)

        def forward(self, x):
            return {"left": self.left(x), "right": self.right(x)}

    model, data = Two().double(), make_data((6,))
    x, y = whole(data)
    object.__setattr__(data, "train", [(x, (y, x[:, :2]))])
    scores = obd(prunable(model), make_context(model, data))
    expected = (x**2).mean(0) * model.right.weight.detach() ** 2 / 2  # ∂²/∂w² of the mean of two squares is x²
    torch.testing.assert_close(scores["right.weight"], expected, rtol=1e-9, atol=1e-15)
    assert scores["left.weight"].count_nonzero() == 18
