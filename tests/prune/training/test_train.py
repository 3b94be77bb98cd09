from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from fpgaprune.errors import InputError
from fpgaprune.prune.data import Data
from fpgaprune.prune.masks import Masks, prunable
from fpgaprune.prune.select import select
from fpgaprune.prune.settings import Optimiser, TrainSettings
from fpgaprune.prune.training import train


def half(model: nn.Module) -> Masks:
    return select({name: weight.detach().abs() for name, weight in prunable(model).items()}, 0.5)


def same(one: nn.Module, two: nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), two.state_dict().values(), strict=True)
    return all(torch.equal(left, right) for left, right in pairs)


def test_training_learns_and_records(mlp, data):
    history = train(mlp, data, TrainSettings(epochs=8, learning_rate=0.02))
    assert [record.epoch for record in history.records] == list(range(1, 9))
    assert {record.step for record in history.records} == {0}
    assert {record.sparsity for record in history.records} == {0.0}
    assert history.records[-1].loss < 0.5 * history.records[0].loss
    assert history.records[-1].metric > 0.7


class TwoEnds(nn.Module):
    """Two inputs, and a class as well as a number as outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right, self.head = nn.Linear(3, 8), nn.Linear(2, 8), nn.Linear(8, 1)

    def forward(self, left, right):
        hidden = torch.relu(self.left(left) + self.right(right))
        return {"classes": hidden, "value": self.head(hidden)}


def test_several_inputs_and_outputs_are_trained_together():
    torch.manual_seed(0)
    x = torch.randn(64, 3), torch.randn(64, 2)
    y = (x[0][:, 0] > 0).long(), x[1][:, 0]
    model, data = TwoEnds(), Data.from_arrays(x, y, x, y, batch_size=16)
    history = train(model, data, TrainSettings(epochs=20, learning_rate=0.05))
    assert history.records[-1].loss < 0.5 * history.records[0].loss
    own = train(model, data, TrainSettings(epochs=1), loss=lambda out, target: (out[1][:, 0] - target[1]).abs().mean())
    assert own.records[0].loss < 1


def test_a_tuple_of_outputs_needs_a_fitting_loss():
    x, y = (torch.randn(8, 3), torch.randn(8, 2)), torch.zeros(8)
    with pytest.raises(InputError, match=r"2 outputs and the data 1 targets; give `loss` and `metric`"):
        train(TwoEnds(), Data.from_arrays(x, y, x, y), TrainSettings(epochs=1))


@pytest.mark.parametrize("optimiser", Optimiser)
def test_pruned_weights_stay_zero(mlp, data, optimiser):
    masks = half(mlp)
    before = copy.deepcopy(mlp)
    settings = TrainSettings(epochs=3, learning_rate=0.05, optimiser=optimiser, weight_decay=0.1)
    history = train(mlp, data, settings, masks=masks)
    for name, weight in prunable(mlp).items():
        assert not weight[~masks[name]].any()
        assert (weight[masks[name]] != prunable(before)[name][masks[name]]).float().mean() > 0.9
    assert {record.sparsity for record in history.records} == {0.5}


def test_momentum_from_before_cannot_revive(mlp, data):
    """Gradients are masked and weights are zeroed again, also against a hook that writes into them."""
    masks = half(mlp)
    seen = []

    def disturb(model: nn.Module) -> None:
        seen.append([weight.grad[~masks[name]].any().item() for name, weight in prunable(model).items()])
        for weight in prunable(model).values():
            weight += 1.0

    train(mlp, data, TrainSettings(epochs=2), masks=masks, after_step=disturb)
    assert len(seen) == 6
    assert not any(any(step) for step in seen)
    for name, weight in prunable(mlp).items():
        assert not weight[~masks[name]].any()


def test_masks_are_applied_even_without_an_epoch(mlp, data):
    masks = half(mlp)
    assert train(mlp, data, TrainSettings(epochs=0), masks=masks).records == ()
    assert Masks.of_nonzeros(mlp) == masks


def test_weights_repeat_bit_for_bit_and_depend_on_the_seed(data):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.Dropout(0.3), nn.Linear(16, 3))
    runs = [copy.deepcopy(model) for _ in range(3)]
    histories = []
    for run, seed in zip(runs, (1, 1, 2), strict=True):
        torch.rand(seed + 5)  # the global generator is somewhere else each time
        histories.append(train(run, data, TrainSettings(epochs=2, seed=seed), masks=half(model)))
    assert same(runs[0], runs[1])
    assert histories[0] == histories[1]
    assert not same(runs[0], runs[2])


@pytest.mark.parametrize("own", [True, False])
def test_loaders_repeat_too(mlp, own):
    torch.manual_seed(0)
    dataset = TensorDataset(torch.randn(20, 8), torch.arange(20) % 3)
    generator = torch.Generator() if own else None
    data = Data(DataLoader(dataset, batch_size=5, shuffle=True, generator=generator), DataLoader(dataset))
    other = copy.deepcopy(mlp)
    train(mlp, data, TrainSettings(epochs=2))
    torch.rand(3)
    train(other, data, TrainSettings(epochs=2))
    assert same(mlp, other)


def test_the_callers_generators_and_modes_are_left_alone(mlp, data):
    mlp[0].eval()
    before = torch.get_rng_state()
    train(mlp, data, TrainSettings(epochs=1))
    assert torch.equal(torch.get_rng_state(), before)
    assert [module.training for module in mlp.modules()] == [True, False, True, True]
    assert all(parameter.grad is None for parameter in mlp.parameters())


def test_it_trains_where_gradients_are_off(mlp, data):
    before = copy.deepcopy(mlp)
    with torch.no_grad():
        train(mlp, data, TrainSettings(epochs=1))
    assert not same(mlp, before)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (Optimiser.ADAM, lambda p: torch.optim.Adam(p, lr=0.01, weight_decay=0.3, fused=True)),
        (Optimiser.ADAMW, lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.3, fused=True)),
        (Optimiser.SGD, lambda p: torch.optim.SGD(p, lr=0.01, weight_decay=0.3, momentum=0.7)),
    ],
)
def test_the_optimisers_are_those_of_torch(mlp, data, ours, theirs):
    plain = copy.deepcopy(mlp)
    batches = list(data.train)[:2]
    optimiser = theirs(plain.parameters())
    for (x, y), rate in zip(batches, (0.01, 0.005), strict=True):
        optimiser.zero_grad()
        nn.functional.cross_entropy(plain(x), y).backward()
        optimiser.param_groups[0]["lr"] = rate
        optimiser.step()
    settings = TrainSettings(1, 0.01, ours, weight_decay=0.3, momentum=0.7)
    train(mlp, Data(batches, data.test), settings)
    assert same(mlp, plain)


def test_a_model_in_evaluation_mode_is_trained_in_training_mode(data):
    model = nn.Sequential(nn.BatchNorm1d(8), nn.Linear(8, 3)).eval()
    train(model, data, TrainSettings(epochs=1))
    assert model[0].num_batches_tracked == 3
    assert not model.training


def test_frozen_parameters_stay(mlp, data):
    mlp[0].requires_grad_(False)
    before = copy.deepcopy(mlp)
    train(mlp, data, TrainSettings(epochs=1), masks=Masks.full(mlp))
    assert same(mlp[0], before[0])
    assert not same(mlp[2], before[2])


def test_nothing_to_train_is_refused(mlp, data):
    with pytest.raises(InputError, match="no parameter that can be trained"):
        train(mlp.requires_grad_(False), data, TrainSettings())


def test_losses_and_metrics_can_be_given(data):
    model = nn.Linear(8, 1)
    history = train(
        model, data, TrainSettings(epochs=1), loss=lambda y, _: y.square().mean(), metric=lambda y, _: len(y)
    )
    assert history.records[0].metric == 48


def test_regression_by_default_for_float_targets():
    x = torch.randn(64, 4, generator=torch.Generator().manual_seed(0))
    y = x @ torch.tensor([1.0, -2.0, 0.5, 0.0])
    torch.manual_seed(0)
    model = nn.Linear(4, 1)
    train(model, Data.from_arrays(x, y, x, y, batch_size=8), TrainSettings(epochs=30, learning_rate=0.05))
    assert model.weight.detach().flatten().tolist() == pytest.approx([1.0, -2.0, 0.5, 0.0], abs=0.05)


def test_the_mean_loss_weighs_samples_and_not_batches():
    x, y = torch.tensor([[1.0]] * 4 + [[4.0]] * 2), torch.zeros(6)
    data = Data([(x[:4], y[:4]), (x[4:], y[4:])], [(x, y)])
    model = nn.Linear(1, 1, bias=False)
    model.weight.data.fill_(1.0)
    history = train(model, data, TrainSettings(epochs=1, learning_rate=1e-12, optimiser=Optimiser.SGD))
    assert history.records[0].loss == pytest.approx((4 * 1 + 2 * 16) / 6)


def test_the_rate_falls_along_a_cosine(mlp, data):
    before, steps = [copy.deepcopy(mlp)], []

    def distance(model: nn.Module) -> None:
        steps.append(
            max((a - b).abs().max().item() for a, b in zip(model.parameters(), before[0].parameters(), strict=True))
        )
        before[0] = copy.deepcopy(model)

    train(mlp, data, TrainSettings(epochs=2, learning_rate=0.01), after_step=distance)
    assert len(steps) == 6
    assert steps[0] == pytest.approx(0.01, rel=0.01)  # Adam's first step has the length of its rate
    assert steps[-1] < 0.2 * steps[0]


def test_streams_without_a_length_can_be_trained_on(mlp):
    class Stream(IterableDataset):
        def __iter__(self):
            return iter([(torch.ones(8), torch.tensor(1))] * 6)

    loader = DataLoader(Stream(), batch_size=2)
    assert len(train(mlp, Data(loader, loader), TrainSettings(epochs=2)).records) == 2


def test_a_loss_that_explodes_says_what_to_do(mlp, data):
    with pytest.raises(
        InputError, match=r"training loss became nan in epoch \d+; lower learning_rate \(it is 1e\+30\)"
    ):
        train(mlp, data, TrainSettings(epochs=5, learning_rate=1e30, optimiser=Optimiser.SGD))


def test_weights_that_break_in_the_last_step_are_refused(mlp, data):
    def break_it(model: nn.Module) -> None:
        model[2].bias[0] = math.inf

    with pytest.raises(InputError, match=r"infinite values in '2\.bias' \(1 of 3\); they broke in epoch 1; lower"):
        train(mlp, Data(list(data.train)[:1], data.test), TrainSettings(epochs=1), after_step=break_it)


def test_data_of_another_shape_names_it(mlp):
    x = torch.ones(4, 7)
    data = Data.from_arrays(x, [0] * 4, x, [0] * 4)
    with pytest.raises(
        InputError, match=r"does not run on inputs of shape \(4, 7\) and type float32: RuntimeError: mat1"
    ):
        train(mlp, data, TrainSettings(epochs=1))


def test_masks_of_another_model_are_refused(mlp, data):
    with pytest.raises(InputError, match="no mask for the weight"):
        train(mlp, data, TrainSettings(), masks=Masks({}))


def test_tied_weights_train_under_one_mask(tied):
    x = torch.randn(8, 4, generator=torch.Generator().manual_seed(0))
    data = Data.from_arrays(x, x, x, x)
    masks = half(tied)
    train(tied, data, TrainSettings(epochs=2), masks=masks)
    assert tied.third.weight is tied.first.weight
    assert Masks.of_nonzeros(tied) == masks
