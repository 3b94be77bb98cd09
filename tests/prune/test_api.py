from __future__ import annotations

import copy
import math
import random
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import prune as torch_prune

from fpgaprune.errors import InputError
from fpgaprune.explained.history import EventKind
from fpgaprune.prune.api import prune
from fpgaprune.prune.data import Data
from fpgaprune.prune.dead import DeadBias
from fpgaprune.prune.masks import Masks, prunable
from fpgaprune.prune.objectives import default_loss, evaluate_metric
from fpgaprune.prune.recipe import PruneRecipe
from fpgaprune.prune.schedule import Schedule
from fpgaprune.prune.select import Scope, pruned_count
from fpgaprune.prune.settings import TrainSettings
from fpgaprune.prune.split import split_validation
from fpgaprune.prune.stage import Stage
from fpgaprune.prune.training import DivergedError, Hooks, TrainingWarning, train

NO_TRAINING = TrainSettings(epochs=0)
SHORT = TrainSettings(epochs=1, learning_rate=0.01)


def same(one: nn.Module, two: nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), two.state_dict().values(), strict=True)
    return all(torch.equal(left, right) for left, right in pairs)


@pytest.mark.parametrize("schedule", [(Schedule.ONE_SHOT, 1), (Schedule.CUBIC, 3)])
@pytest.mark.parametrize("criterion", ["magnitude", "random"])
@pytest.mark.parametrize("scope", Scope)
def test_the_sparsity_is_exact_and_the_zeros_are_in_the_module(mlp, data, schedule, criterion, scope):
    kind, steps = schedule
    recipe = PruneRecipe(0.73, criterion, scope, kind, steps, SHORT)
    pruned = prune(mlp, data, recipe, progress=False)
    counts = [176] if scope is Scope.GLOBAL else [128, 48]
    assert pruned.masks.count - pruned.masks.kept == sum(pruned_count(0.73, count) for count in counts)
    for name, weight in prunable(pruned.module).items():
        assert not weight[~pruned.masks[name]].any()
        assert weight[pruned.masks[name]].all()
    assert pruned.recipe == recipe
    assert not pruned.module.training


def test_stages_follow_each_other_and_their_steps_are_numbered_through(mlp, data):
    layered = Stage(0.25, scope=Scope.LAYER, schedule=Schedule.CUBIC, steps=2, fine_tune=SHORT)
    pruned = prune(mlp, data, PruneRecipe(0.5, fine_tune=SHORT, first=(layered,)), progress=False)
    alone = prune(mlp, data, PruneRecipe(0.25, scope=Scope.LAYER, schedule=Schedule.CUBIC, steps=2, fine_tune=SHORT))
    assert pruned.masks.sparsity == 0.5
    assert all(not bool((pruned.masks[name] & ~mask).any()) for name, mask in alone.masks.items())
    assert [record.step for record in pruned.history.records] == [0, 1, 1, 2, 2, 3, 3]


def test_the_callers_model_and_generator_are_left_alone(mlp, data):
    before, state = copy.deepcopy(mlp), torch.get_rng_state()
    prune(mlp, data, PruneRecipe(0.5, fine_tune=SHORT))
    assert same(mlp, before)
    assert mlp.training
    assert torch.equal(torch.get_rng_state(), state)


def test_runs_repeat_bit_for_bit(mlp, data, data_of):
    recipe = PruneRecipe(0.8, schedule=Schedule.CUBIC, steps=3, fine_tune=SHORT, seed=4)
    one, two = prune(mlp, data, recipe), prune(mlp, data_of(), recipe)
    other = prune(mlp, data, PruneRecipe(0.8, schedule=Schedule.CUBIC, steps=3, fine_tune=SHORT, seed=5))
    assert same(one.module, two.module)
    assert one.masks == two.masks
    assert one.history == two.history
    assert not same(one.module, other.module)


def test_noise_of_the_data_repeats_too_wherever_the_generators_are(mlp, data):
    class Noisy:
        def __iter__(self):
            source: Any = np.random
            return ((x + source.normal() + random.gauss(0, 1) + torch.randn(1), y) for x, y in data.train)

    noisy, recipe = Data(Noisy(), Noisy()), PruneRecipe(0.5, "taylor", fine_tune=SHORT)
    one = prune(mlp, noisy, recipe)
    torch.rand(1)
    random.gauss(0, 1)
    two = prune(mlp, noisy, recipe)
    assert one.history == two.history
    assert same(one.module, two.module)


def test_all_stages_keep_the_same_samples_out(mlp, data):
    seen = []
    first = Stage(0.2, fine_tune=SHORT)
    settings = TrainSettings(epochs=2, learning_rate=0.01, validation=0.25)
    recipe = PruneRecipe(0.5, fine_tune=settings, first=(first,))

    def step(model, batch):
        seen.append(batch[0])
        return default_loss(model(batch[0]), batch[1])

    pruned = prune(mlp, data, recipe, train_step=step)
    split = split_validation(data, 0.25)
    assert len(torch.cat(seen)) == 3 * 36
    assert not (torch.cat(seen)[:, None] == split.validation.x).all(2).any()
    assert all(record.validation is not None for record in pruned.history.records)
    assert pruned.history.final.validation == evaluate_metric(pruned.module, split, part="validation")


def test_hooks_and_devices_reach_the_training(mlp, data):
    records = []
    seen = Hooks(on_epoch_end=lambda _, record: records.append(record) or (record.step, record.epoch) == (1, 2))
    recipe = PruneRecipe(0.5, schedule="cubic", steps=2, fine_tune=TrainSettings(epochs=3))
    history = prune(mlp, data, recipe, hooks=seen, device="cpu").history
    assert [(event.step, event.epoch, event.kind) for event in history.events] == [(1, 2, EventKind.STOPPED_BY_HOOK)]
    assert [(record.step, record.epoch) for record in records] == [(1, 1), (1, 2), (2, 1), (2, 2), (2, 3)]
    assert records == [record for record in history.records if record.epoch]
    with pytest.raises(InputError, match="the device 'meta' cannot be used"):
        prune(mlp, data, recipe, device="meta")


def test_divergence_is_told_in_the_history_of_its_step(mlp, data):
    def explode(model, record):
        if record.epoch == 2:
            model[0].bias.data.fill_(math.nan)

    recipe = PruneRecipe(0.8, schedule="cubic", steps=2, fine_tune=TrainSettings(epochs=3, learning_rate=0.01))
    with pytest.warns(TrainingWarning, match="went back to epoch 1"):
        pruned = prune(mlp, data, recipe, hooks=Hooks(on_step_end=explode))
    diverged = [(event.step, event.epoch) for event in pruned.history.events if event.kind is EventKind.DIVERGED]
    assert diverged == [(1, 2), (2, 2)]
    assert Masks.of_nonzeros(pruned.module) == pruned.masks
    with pytest.raises(DivergedError, match="training loss became nan in epoch 1; lower learning_rate"):
        prune(mlp, data, recipe, train_step=lambda model, batch: model(batch[0]).sum() * math.nan)


def test_the_history_tells_each_step(mlp, data):
    recipe = PruneRecipe(0.8, schedule=Schedule.CUBIC, steps=2, fine_tune=TrainSettings(epochs=2, learning_rate=0.01))
    pruned = prune(mlp, data, recipe)
    records = pruned.history.records
    assert [(r.step, r.epoch) for r in records] == [(0, 0), (1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (2, 2)]
    assert [r.sparsity for r in records] == pytest.approx([0, *[round(0.7 * 176) / 176] * 3, *[141 / 176] * 3])
    assert [r.loss is None for r in records] == [True, True, False, False, True, False, False]
    assert records[0].metric == evaluate_metric(mlp, data)
    assert records[-1].metric == evaluate_metric(pruned.module, data)


def test_magnitude_keeps_the_largest(mlp):
    pruned = prune(mlp, None, PruneRecipe(0.5, fine_tune=NO_TRAINING))
    kept = torch.cat([weight[weight != 0].abs() for weight in prunable(pruned.module).values()])
    all_ = torch.cat([weight.detach().flatten().abs() for weight in prunable(mlp).values()])
    assert kept.sort().values.tolist() == all_.sort().values[88:].tolist()
    assert pruned.history.records == ()


def test_fine_tuning_recovers_what_pruning_lost(mlp, data):
    seen = Data(data.train, data.train)
    train(mlp, seen, TrainSettings(epochs=10, learning_rate=0.02))
    recipe = PruneRecipe(0.9, fine_tune=TrainSettings(epochs=8, learning_rate=0.02))
    records = prune(mlp, seen, recipe, metric=lambda y, target: -default_loss(y, target)).history.records
    assert records[0].metric > records[1].metric
    assert records[-1].metric > records[1].metric + 0.1


def test_sparsity_zero_keeps_all_and_still_fine_tunes(mlp, data):
    pruned = prune(mlp, data, PruneRecipe(0.0, fine_tune=SHORT))
    assert pruned.masks == Masks.full(mlp)
    assert not same(pruned.module, mlp)


@pytest.mark.parametrize("dead_bias", DeadBias)
def test_sparsity_one_leaves_nothing(mlp, data, dead_bias):
    pruned = prune(mlp, data, PruneRecipe(1.0, fine_tune=SHORT, dead_bias=dead_bias))
    assert pruned.sparsity == 1.0
    assert not any(weight.any() for weight in prunable(pruned.module).values())
    assert pruned.dead_bias_count == 19
    for layer in (0, 2):  # the gradient would revive the second one
        assert bool(pruned.module[layer].bias.any()) is (dead_bias is DeadBias.KEEP)


def test_dead_biases_stay_zero_through_fine_tuning(mlp, data):
    mlp[0].weight.data[[2, 6]] *= 1e-6
    zeroed = prune(mlp, data, PruneRecipe(0.3, fine_tune=SHORT))
    kept = prune(mlp, data, PruneRecipe(0.3, fine_tune=SHORT, dead_bias=DeadBias.KEEP))
    assert zeroed.dead_biases == kept.dead_biases == {"0.bias": (2, 6)}
    assert zeroed.module[0].bias[[2, 6]].tolist() == [0.0, 0.0]
    assert kept.module[0].bias[[2, 6]].all()
    alive = [index for index in range(16) if index not in (2, 6)]
    assert zeroed.module[0].bias[alive].all()


def test_dead_biases_are_zero_without_fine_tuning_too(mlp):
    mlp[0].weight.data[2] *= 1e-6
    pruned = prune(mlp, None, PruneRecipe(0.2, fine_tune=NO_TRAINING))
    assert pruned.dead_biases == {"0.bias": (2,)}
    assert pruned.module[0].bias[2] == 0


def test_a_rise_starts_from_the_sparsity_that_is_there(mlp, data):
    mlp[0].weight.data[:11] = 0.0
    recipe = PruneRecipe(0.9, schedule=Schedule.CUBIC, steps=2, fine_tune=NO_TRAINING)
    assert [record.sparsity for record in prune(mlp, data, recipe).history.records] == [
        88 / 176,
        pruned_count(0.9 - 0.4 / 8, 176) / 176,
        pruned_count(0.9, 176) / 176,
    ]


def test_the_seed_of_the_recipe_draws_the_random_masks(mlp):
    one, same_seed, two = (
        prune(mlp, None, PruneRecipe(0.5, "random", fine_tune=NO_TRAINING, seed=seed)).masks for seed in (1, 1, 2)
    )
    assert one == same_seed
    assert one != two


def test_layers_have_their_own_sparsity_at_every_step(mlp, data):
    recipe = PruneRecipe(0.5, schedule=Schedule.CUBIC, steps=2, layers={"2": 0.9}, fine_tune=NO_TRAINING)
    pruned = prune(mlp, data, recipe)
    assert pruned.masks.sparsity_of("0.weight") == 0.5
    assert pruned.masks.nonzeros("2.weight") == 48 - pruned_count(0.9, 48)
    first = pruned.history.records[1].sparsity
    assert first == (pruned_count(0.5 * 7 / 8, 128) + pruned_count(0.9 * 7 / 8, 48)) / 176


@pytest.mark.parametrize("baked", [True, False])
def test_what_torch_pruned_stays_pruned_and_counts(mlp, baked):
    torch_prune.random_unstructured(mlp[0], "weight", 0.5)
    mask = mlp[0].weight_mask.bool().clone()
    if baked:
        torch_prune.remove(mlp[0], "weight")
    pruned = prune(mlp, None, PruneRecipe(0.6, "random", fine_tune=NO_TRAINING))
    assert not (pruned.masks["0.weight"] & ~mask).any()
    assert pruned.masks.count - pruned.masks.kept == pruned_count(0.6, 176)
    assert pruned.unbaked == (() if baked else ("0.weight",))
    assert set(pruned.module.state_dict()) == {"0.weight", "0.bias", "2.weight", "2.bias"}
    less = prune(mlp, None, PruneRecipe(0.1, fine_tune=NO_TRAINING))
    assert less.masks.sparsity_of("0.weight") == 0.5
    assert less.masks.sparsity_of("2.weight") == 0.0
    rise = PruneRecipe(0.1, schedule=Schedule.CUBIC, steps=2, fine_tune=NO_TRAINING)
    assert prune(mlp, None, rise).masks == less.masks


def test_zeros_may_be_given_back(mlp):
    mlp[0].weight.data[:8] = 0.0
    recipe = PruneRecipe(0.1, "random", fine_tune=NO_TRAINING, keep_pruned=False)
    assert prune(mlp, None, recipe).masks.sparsity == pruned_count(0.1, 176) / 176


def test_tied_weights_are_pruned_once_and_stay_tied(tied):
    x = torch.randn(8, 4, generator=torch.Generator().manual_seed(0))
    pruned = prune(tied, Data.from_arrays(x, x, x, x), PruneRecipe(0.5, fine_tune=SHORT))
    assert pruned.masks.count == 16
    assert pruned.module.third.weight is pruned.module.again.weight
    assert pruned.module.third.weight.count_nonzero() == 8


@pytest.mark.parametrize(
    ("model", "x"),
    [
        (nn.Sequential(nn.Conv1d(2, 3, 3), nn.Flatten(), nn.Linear(12, 3)), torch.linspace(-1, 1, 96).reshape(8, 2, 6)),
        (
            nn.Sequential(nn.Conv2d(1, 3, 2), nn.Flatten(), nn.Linear(12, 3)),
            torch.linspace(-1, 1, 72).reshape(8, 1, 3, 3),
        ),
    ],
)
def test_convolutions(model, x):
    y = torch.arange(8) % 3
    pruned = prune(model, Data.from_arrays(x, y, x, y), PruneRecipe(0.5, scope=Scope.LAYER, fine_tune=SHORT))
    assert all(pruned.masks.sparsity_of(name) == 0.5 for name in pruned.masks)


def test_recurrent_models():
    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(2, 4, batch_first=True)

        def forward(self, x):
            return self.lstm(x)[0][:, -1]

    x = torch.linspace(-1, 1, 48).reshape(8, 3, 2)
    y = torch.arange(8) % 4
    pruned = prune(Last(), Data.from_arrays(x, y, x, y), PruneRecipe(0.75, fine_tune=SHORT))
    assert pruned.sparsity == 0.75
    assert Masks.of_nonzeros(pruned.module) == pruned.masks


def test_a_given_loss_and_metric_are_used(mlp, data):
    pruned = prune(
        mlp, data, PruneRecipe(0.5, fine_tune=SHORT), loss=lambda y, _: y.square().sum() * 0 + 7, metric=lambda *_: 5
    )
    assert {record.metric for record in pruned.history.records} == {5}
    assert pruned.history.records[-1].loss == pytest.approx(7)


@pytest.mark.parametrize("value", [math.nan, -math.inf])
def test_broken_weights_are_named(mlp, data, value):
    mlp[2].weight.data[0, 0] = value
    with pytest.raises(InputError, match=r"the model holds NaN or infinite values in '2\.weight' \(1 of 48\)"):
        prune(mlp, data, PruneRecipe(0.5))


@pytest.mark.parametrize(
    ("model", "recipe", "message"),
    [
        (nn.ReLU(), PruneRecipe(0.5), "no weights that can be pruned"),
        (nn.Linear(8, 3), PruneRecipe(0.5), "no data to fine-tune on"),
        (nn.Linear(8, 3), PruneRecipe(0.5, layers={"wieght": 0.1}, fine_tune=NO_TRAINING), "did you mean 'weight'"),
    ],
)
def test_what_cannot_be_pruned_is_refused(model, recipe, message):
    with pytest.raises(InputError, match=message):
        prune(model, None, recipe)


def test_data_that_does_not_fit_is_refused_before_anything_is_trained(mlp):
    x = torch.ones(4, 5)
    with pytest.raises(InputError, match=r"does not run on inputs of shape \(4, 5\)"):
        prune(mlp, Data.from_arrays(x, [0] * 4, x, [0] * 4), PruneRecipe(0.5))


def test_nothing_is_printed(mlp, data, capfd):
    prune(mlp, data, PruneRecipe(0.5, fine_tune=SHORT))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "x"}, "model must be of the class Module, not str; give a torch.nn.Module"),
        ({"data": (torch.zeros(4, 8), torch.zeros(4))}, r"data must be of the class Data, not tuple; give Data\(train"),
        ({"recipe": {"sparsity": 0.5}}, "recipe must be of the class PruneRecipe, not dict; .* reads a dictionary"),
    ],
)
def test_arguments_of_other_classes_are_refused(mlp, data, change, message):
    with pytest.raises(InputError, match=message):
        prune(**{"model": mlp, "data": data, "recipe": PruneRecipe(0.5)} | change)


def test_training_refuses_arguments_of_other_classes(mlp, data):
    with pytest.raises(InputError, match="model must be of the class Module, not str"):
        train("x", data, TrainSettings(epochs=1))
    with pytest.raises(InputError, match="data must be of the class Data, not tuple"):
        train(mlp, (torch.zeros(4, 8), torch.zeros(4)), TrainSettings(epochs=1))
