"""Validation, early stop, the best epoch, divergence, and what a caller may plug in."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import nn

from fpgaprune.errors import InputError
from fpgaprune.explained.history import EventKind
from fpgaprune.prune.data import Data
from fpgaprune.prune.masks import Masks, prunable
from fpgaprune.prune.objectives import default_loss, evaluate_metric
from fpgaprune.prune.select import select
from fpgaprune.prune.settings import Optimiser, TrainSettings
from fpgaprune.prune.split import split_validation
from fpgaprune.prune.training import DivergedError, Hooks, TrainingWarning, train


def half(model: nn.Module) -> Masks:
    return select({name: weight.detach().abs() for name, weight in prunable(model).items()}, 0.5)


def same(one: nn.Module, two: nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), two.state_dict().values(), strict=True)
    return all(torch.equal(left, right) for left, right in pairs)


def kinds(history):
    return [event.kind for event in history.events]


class Remembered:
    """Copies of the model after each epoch."""

    def __init__(self, stop_at=None):
        self.models, self.records, self.stop_at = [], [], stop_at

    def __call__(self, model, record):
        self.models.append(copy.deepcopy(model))
        self.records.append(record)
        return record.epoch == self.stop_at

    @property
    def hooks(self):
        return Hooks(on_epoch_end=self)


def scripted(*values):
    """Return a metric that gives these values in turn, for the validation part alone."""
    left = list(values)
    return lambda _, targets: left.pop(0) if len(targets) == 7 else 0.5


@pytest.fixture
def validated(data):
    """Return data whose validation part has seven samples."""
    x, y = data.test.x, data.test.y
    return Data(data.train, data.test, [(x[:7], y[:7])])


def test_the_best_epoch_by_validation_is_put_back(mlp, validated):
    seen = Remembered()
    settings = TrainSettings(epochs=5, learning_rate=0.05)
    history = train(mlp, validated, settings, metric=scripted(0.0, 0.1, 0.3, 0.3, 0.2, 0.1), hooks=seen.hooks)
    assert [record.validation for record in history.records] == [0.1, 0.3, 0.3, 0.2, 0.1]
    assert [record.metric for record in history.records] == [0.5] * 5
    assert kinds(history) == [EventKind.RESTORED]
    assert (history.events[0].epoch, history.events[0].to_epoch) == (5, 2)
    assert "the weights are those of epoch 2, the best by the validation metric" in history.events[0].text
    assert history.final == history.records[1]
    assert same(mlp, seen.models[1])
    assert not same(mlp, seen.models[-1])


def test_training_that_only_harms_leaves_the_weights_as_they_were(mlp, validated):
    before = copy.deepcopy(mlp)
    history = train(mlp, validated, TrainSettings(epochs=2), metric=scripted(0.9, 0.1, 0.2))
    assert history.events[0].to_epoch == 0
    assert same(mlp, before)


def test_nothing_is_put_back_where_the_last_epoch_is_the_best_or_nothing_is_validated(mlp, validated, data):
    assert not train(mlp, validated, TrainSettings(epochs=2), metric=scripted(0.0, 0.1, 0.2)).events
    seen = Remembered()
    history = train(mlp, data, TrainSettings(epochs=3, learning_rate=0.3), hooks=seen.hooks)
    assert not history.events
    assert {record.validation for record in history.records} == {None}
    assert same(mlp, seen.models[-1])


def test_patience_ends_training(mlp, validated):
    metric = scripted(0.0, 0.5, 0.4, 0.6, 0.6, 0.2, 0.9)
    history = train(mlp, validated, TrainSettings(epochs=9, patience=2), metric=metric)
    assert [record.epoch for record in history.records] == [1, 2, 3, 4, 5]
    assert kinds(history) == [EventKind.STOPPED_EARLY, EventKind.RESTORED]
    assert "no epoch after 3 had a better validation metric than its 0.6" in history.events[0].text
    assert history.final.validation == 0.6


def test_patience_that_runs_out_with_the_last_epoch_stops_nothing(mlp, validated):
    history = train(mlp, validated, TrainSettings(epochs=3, patience=2), metric=scripted(0.0, 0.5, 0.4, 0.3))
    assert kinds(history) == [EventKind.RESTORED]


def test_a_share_is_split_off_and_not_trained_on(mlp, data):
    seen = []
    settings = TrainSettings(epochs=1, validation=0.25)
    history = train(mlp, data, settings, train_step=lambda model, batch: seen.append(batch[0]) or model(batch[0]).sum())
    assert sum(map(len, seen)) == 36
    taken = split_validation(data, 0.25).validation.x
    assert len(taken) == 12
    assert not (torch.cat(seen)[:, None] == taken).all(2).any()
    assert history.records[0].validation is not None


def test_a_share_measures_what_it_says(mlp, data):
    history = train(mlp, data, TrainSettings(epochs=2, learning_rate=0.05, validation=0.25))
    split = split_validation(data, 0.25)
    assert history.final.validation == evaluate_metric(mlp, split, part="validation")
    assert history.final.metric == evaluate_metric(mlp, data)


def test_patience_without_a_validation_part_is_refused(mlp, data):
    with pytest.raises(InputError, match="patience needs a validation part; set validation to a share"):
        train(mlp, data, TrainSettings(patience=3))


def explode_in(epoch):
    """Return a hook that breaks a weight in the first step of an epoch."""

    def hook(model, record):
        if record.epoch == epoch:
            next(iter(model.parameters())).data.fill_(math.nan)

    return Hooks(on_step_end=hook)


def test_divergence_goes_back_to_the_best_epoch_by_validation_and_warns(mlp, validated):
    metric = scripted(0.0, 0.2, 0.1, 0.0)
    with pytest.warns(TrainingWarning, match=r"training loss became nan in epoch 3; lower .*; went back to epoch 1"):
        history = train(mlp, validated, TrainSettings(epochs=5, learning_rate=0.05), metric=metric, hooks=explode_in(3))
    assert [record.epoch for record in history.records] == [1, 2]
    assert kinds(history) == [EventKind.DIVERGED, EventKind.RESTORED]
    assert (history.events[1].epoch, history.events[1].to_epoch) == (3, 1)
    assert history.final.epoch == 1
    assert all(bool(weight.isfinite().all()) for weight in mlp.parameters())


def test_divergence_without_validation_goes_back_to_the_lowest_training_loss(mlp, data):
    seen, masks = Remembered(), half(mlp)
    with pytest.warns(TrainingWarning):
        history = train(
            mlp, data, TrainSettings(epochs=9, learning_rate=0.5, rate="constant", optimiser="sgd", momentum=0.0),
            masks=masks, hooks=Hooks(explode_in(4).on_step_end, seen),
        )  # fmt: skip
    losses = [record.loss for record in history.records]
    assert len(losses) == 3
    best = losses.index(min(losses))
    assert history.events[-1].to_epoch == best + 1
    assert same(mlp, seen.models[best])
    assert Masks.of_nonzeros(mlp) == masks


@pytest.mark.parametrize("validated_too", [True, False])
def test_divergence_before_anything_useful_is_an_error_and_leaves_the_weights(mlp, data, validated, validated_too):
    before = copy.deepcopy(mlp)
    with pytest.raises(DivergedError, match="training loss became nan in epoch 1; lower learning_rate"):
        train(mlp, validated if validated_too else data, TrainSettings(epochs=3), hooks=explode_in(1))
    assert same(mlp, before)
    assert all(parameter.grad is None for parameter in mlp.parameters())


def test_epochs_that_were_worse_than_none_are_not_useful(mlp, validated):
    with pytest.raises(DivergedError):
        train(mlp, validated, TrainSettings(epochs=3), metric=scripted(0.9, 0.1), hooks=explode_in(2))


def test_a_long_epoch_is_left_soon_after_the_loss_broke(mlp, data):
    (batch, *_), steps = data.train, []

    def step(model, given):
        steps.append(1)
        return nn.functional.cross_entropy(model(given[0]), given[1]) * (math.nan if len(steps) == 60 else 1.0)

    with pytest.raises(DivergedError):
        train(mlp, Data([batch] * 500, data.test), TrainSettings(epochs=1), train_step=step)
    assert len(steps) == 100


def grown_in(epoch):
    """Return a hook that makes all weights a hundred times as large in each step of an epoch."""

    def hook(model, record):
        if record.epoch == epoch:
            for weight in model.parameters():
                weight.data.mul_(100)

    return Hooks(on_step_end=hook)


@pytest.mark.parametrize("optimiser", ["adam", "sgd"])
def test_a_rate_far_too_high_is_an_error_though_nothing_is_nan(mlp, data, optimiser):
    before = copy.deepcopy(mlp)
    settings = TrainSettings(epochs=3, learning_rate=300, optimiser=optimiser, momentum=0.0)
    with pytest.raises(DivergedError, match=r"loss rose from \d.* to .*e\+\d+ in epoch 1, .* \(it is 300\)"):
        train(mlp, data, settings)
    assert same(mlp, before)


def test_weights_and_loss_that_run_away_go_back_to_the_best_epoch(mlp, data):
    seen, hooks = Remembered(), grown_in(3)
    with pytest.warns(TrainingWarning, match=r"the L2 norm of the weights from .*; went back to epoch 2"):
        history = train(
            mlp, data, TrainSettings(epochs=5, learning_rate=0.01), hooks=Hooks(hooks.on_step_end, seen)
        )  # fmt: skip
    assert kinds(history) == [EventKind.DIVERGED, EventKind.RESTORED]
    assert [record.epoch for record in history.records] == [1, 2]
    assert same(mlp, seen.models[1])


@pytest.mark.parametrize("begin", [0.0, -1.0])
def test_a_loss_that_rises_on_purpose_is_no_divergence(mlp, data, begin):
    steps = []

    def step(model, batch):
        steps.append(1)
        return nn.functional.cross_entropy(model(batch[0]), batch[1]) * 1e-9 + begin + 1e4 * (len(steps) > 3)

    history = train(mlp, data, TrainSettings(epochs=3), train_step=step)
    assert [record.loss > 1e3 for record in history.records] == [False, True, True]
    assert not history.events


def test_weights_that_grow_while_the_loss_falls_are_no_divergence(mlp, data):
    for weight in mlp.parameters():
        weight.data.mul_(1e-3)
    history = train(mlp, data, TrainSettings(epochs=3, learning_rate=0.05))
    assert not history.events


def test_a_resumed_training_judges_by_what_it_began_with(mlp, data, tmp_path):
    settings, told, other = TrainSettings(epochs=4, learning_rate=0.01), [], copy.deepcopy(mlp)
    with pytest.warns(TrainingWarning):
        told += train(other, data, settings, hooks=grown_in(3)).events

    def interrupt(_, record):
        if record.epoch == 2:
            raise KeyboardInterrupt

    folder = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        train(copy.deepcopy(mlp), data, settings, hooks=Hooks(on_epoch_end=interrupt), checkpoint=folder)
    with pytest.warns(TrainingWarning):
        assert list(train(mlp, data, settings, hooks=grown_in(3), checkpoint=folder).events) == told


def test_hooks_see_every_step_and_epoch(mlp, data):
    masks, steps = half(mlp), []

    def on_step(model, record):
        assert Masks.of_nonzeros(model) == masks
        steps.append((record.epoch, record.step, float(record.loss), record.learning_rate))

    seen = Remembered()
    settings = TrainSettings(epochs=2, learning_rate=0.1)
    history = train(mlp, data, settings, masks=masks, hooks=Hooks(on_step, seen))
    assert [step[:2] for step in steps] == [(1, 1), (1, 2), (1, 3), (2, 4), (2, 5), (2, 6)]
    assert [step[3] for step in steps][::3] == pytest.approx([0.1, 0.05])
    assert sum(step[2] for step in steps[:3]) / 3 == pytest.approx(history.records[0].loss)
    assert tuple(seen.records) == history.records


def test_hooks_may_ask_to_stop(mlp, data):
    history = train(mlp, data, TrainSettings(epochs=5), hooks=Remembered(stop_at=2).hooks)
    assert len(history.records) == 2
    assert kinds(history) == [EventKind.STOPPED_BY_HOOK]
    steps = []
    hooks = Hooks(on_step_end=lambda _, record: steps.append(record.step) or record.step == 5)
    history = train(mlp, data, TrainSettings(epochs=5), hooks=hooks)
    assert steps == [1, 2, 3, 4, 5]
    assert [record.epoch for record in history.records] == [1, 2]
    assert kinds(history) == [EventKind.STOPPED_BY_HOOK]


def test_hooks_change_nothing(mlp, data):
    other = copy.deepcopy(mlp)
    train(mlp, data, TrainSettings(epochs=2))
    train(other, data, TrainSettings(epochs=2), hooks=Hooks(lambda *_: None, lambda *_: False))
    assert same(mlp, other)


def test_a_step_of_ones_own_is_trained_by(mlp, data):
    other = copy.deepcopy(mlp)

    def step(model, batch):
        return default_loss(model(batch[0]), batch[1])

    one = train(mlp, data, TrainSettings(epochs=2))
    two = train(other, data, TrainSettings(epochs=2), train_step=step, loss=lambda *_: pytest.fail("it is not asked"))
    assert same(mlp, other)
    assert one == two


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (lambda *_: 3.0, "the train_step must return a scalar tensor, not float"),
        (
            lambda model, batch: model(batch[0]),
            r"the train_step must return a scalar tensor, not one of shape \(16, 3\)",
        ),
        (lambda model, batch: model(batch[1]), r"train_step does not run on inputs of shape \(16, 8\).*RuntimeError"),
        (lambda *_: torch.tensor(1.0), "the loss has no gradient: RuntimeError: element 0 of tensors does not require"),
    ],
)
def test_a_step_that_cannot_be_used_is_refused(mlp, data, step, message):
    with pytest.raises(InputError, match=message):
        train(mlp, data, TrainSettings(epochs=1), train_step=step)


def test_gradients_are_clipped_by_their_joint_norm(mlp, data):
    other, norms = copy.deepcopy(mlp), []

    def measure(model):
        norms.append(float(torch.stack([weight.grad.norm() for weight in model.parameters()]).norm()))

    masks = half(mlp)
    train(mlp, data, TrainSettings(epochs=1, clip_norm=0.01, optimiser=Optimiser.SGD), masks=masks, after_step=measure)
    assert norms == pytest.approx([0.01] * 3, rel=1e-3)
    train(other, data, TrainSettings(epochs=1, clip_norm=1e9, optimiser=Optimiser.SGD), masks=masks, after_step=measure)
    assert min(norms[3:]) > 0.1
    assert not same(mlp, other)


def test_pruned_weights_take_no_part_in_the_norm(mlp, data):
    masks, norms = half(mlp), []

    def measure(model):
        alive = [weight.grad[masks[name]] for name, weight in prunable(model).items()]
        rest = [model[0].bias.grad, model[2].bias.grad]
        norms.append(float(torch.cat([*alive, *rest]).norm()))

    train(mlp, data, TrainSettings(epochs=1, clip_norm=0.01), masks=masks, after_step=measure)
    assert norms == pytest.approx([0.01] * 3, rel=1e-3)
