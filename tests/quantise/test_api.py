"""Quantisation end to end: what it keeps, what it reports, and that it repeats."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import prune as torch_prune

from fpgaprune.errors import FormatError, InputError
from fpgaprune.explained import remarks
from fpgaprune.explained.history import EventKind
from fpgaprune.fixed import Overflow, Rounding
from fpgaprune.prune import Data, Hooks, Masks, PrunedModel, PruneRecipe, TrainSettings, default_loss, prune, train
from fpgaprune.prune.checkpoint import Checkpoint
from fpgaprune.prune.split import chosen
from fpgaprune.prune.training.loop import Loop
from fpgaprune.quantise import Calibration, LayerBits, QuantiseRecipe, course, quantise
from tests.quantise.integers import integers

EPOCHS = TrainSettings(epochs=6, learning_rate=1e-2)


class Net(nn.Module):
    """A residual classifier with a folded and an unfolded batch normalisation."""

    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(6, 16)
        self.bn1 = nn.BatchNorm1d(16)
        self.fc2 = nn.Linear(16, 16)
        self.bn2 = nn.BatchNorm1d(16)
        self.head = nn.Linear(16, 3)

    def forward(self, x):
        x = torch.relu(self.bn1(self.fc1(x)))
        x = self.bn2(torch.nn.functional.relu6(self.fc2(x))) + x
        return self.head(x)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 6)).astype(np.float32)
    y = np.argmax(x @ rng.normal(size=(6, 3)), axis=1)
    return Data.from_arrays(x[:300], y[:300], x[300:], y[300:], batch_size=50)


@pytest.fixture(scope="module")
def pruned(data):
    torch.manual_seed(0)
    module = Net()
    train(module, data, EPOCHS, progress=False)
    return prune(module, data, PruneRecipe(sparsity=0.6, fine_tune=EPOCHS), progress=False)


LOW = QuantiseRecipe(weight_bits=2, activation_bits=2, input_bits=3, seed=5)
TUNED = QuantiseRecipe(weight_bits=2, activation_bits=2, input_bits=3, seed=5, fine_tune=EPOCHS)


@pytest.fixture(scope="module")
def tuned(pruned, data):
    return quantise(pruned, data, TUNED, progress=False)


def test_eight_bits_lose_next_to_nothing(pruned, data):
    model = quantise(pruned, data, QuantiseRecipe(), progress=False)
    assert model.report.metric_before > 0.8
    assert model.report.metric_after > model.report.metric_before - 0.03
    assert not model.report.history.records


def test_fine_tuning_on_the_grid_wins_back_what_few_bits_lose(pruned, data, tuned):
    without = quantise(pruned, data, LOW, progress=False)
    assert tuned.report.metric_after > without.report.metric_after
    assert [record.epoch for record in tuned.report.history.records] == [1, 2, 3, 4, 5, 6]
    assert any(ours != theirs for ours, theirs in zip(tuned.layers, without.layers, strict=True))
    assert tuned.formats["fc1"].fraction == without.formats["fc1"].fraction


def test_pruned_weights_stay_zero_through_folding_and_fine_tuning(pruned, tuned):
    for name in ("fc1", "fc2", "head"):
        kept = pruned.masks[f"{name}.weight"].numpy()
        assert not tuned.by_name[name].weight[~kept].any()
        assert tuned.by_name[name].weight[kept].any()


def test_equal_arguments_give_equal_models(pruned, data, tuned):
    assert quantise(pruned, data, TUNED, progress=False) == tuned


def test_the_seed_of_the_recipe_counts(pruned, data, tuned):
    other = QuantiseRecipe(weight_bits=2, activation_bits=2, input_bits=3, seed=6, fine_tune=EPOCHS)
    assert quantise(pruned, data, other, progress=False).layers != tuned.layers


def test_the_report_counts_zeros_before_and_after(pruned, tuned):
    report = {layer.layer: layer for layer in tuned.report.sparsity}
    assert list(report) == ["fc1", "fc2", "bn2", "head"]
    for name in ("fc1", "fc2", "head"):
        layer = report[name]
        assert layer.nonzeros_before == pruned.masks.nonzeros(f"{name}.weight")
        assert layer.nonzeros_after == np.count_nonzero(tuned.by_name[name].weight) <= layer.nonzeros_before
        assert layer.before == pytest.approx(pruned.masks.sparsity_of(f"{name}.weight"))
        assert layer.after >= layer.before
    assert [(fold.layer, fold.batch_norm) for fold in tuned.report.folds] == [("fc1", "bn1")]


def test_the_metric_after_is_that_of_the_exact_model(data, tuned):
    x, y = data.test_arrays()
    assert tuned.report.metric_after == pytest.approx(np.mean(tuned.forward(x).argmax(axis=1) == y))


def test_rounding_overflow_and_widths_of_the_recipe_arrive_in_the_formats(pruned, data):
    recipe = QuantiseRecipe(
        output_bits=10,
        calibration=Calibration.MINMAX,
        rounding=Rounding.TRN,
        overflow=Overflow.SAT_SYM,
        layers={"head": LayerBits(weight_bits=5), "bn2": LayerBits(activation_bits=9)},
    )
    model = quantise(pruned, data, recipe, progress=False)
    assert model.formats["head"].width == 10
    assert model.formats["head"].rounding is Rounding.TRN
    assert model.formats["head"].overflow is Overflow.SAT_SYM
    assert model.by_name["head"].weight_format.width == 5
    assert model.formats["bn2"].width == 9
    assert not model.formats["relu"].signed


def test_the_caller_s_model_and_torch_s_generator_are_left_alone(pruned, data):
    before = {name: value.clone() for name, value in pruned.module.state_dict().items()}
    state = torch.random.get_rng_state()
    quantise(pruned, data, TUNED, progress=False)
    assert all(torch.equal(before[name], value) for name, value in pruned.module.state_dict().items())
    assert torch.equal(state, torch.random.get_rng_state())


def test_fine_tuning_goes_on_after_an_interruption(pruned, data, tuned, tmp_path, monkeypatch):
    save, left = Checkpoint.save, iter(range(3))

    def interrupted(checkpoint, state, tensors):
        if next(left, None) is None:
            raise KeyboardInterrupt
        save(checkpoint, state, tensors)

    monkeypatch.setattr(Checkpoint, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        quantise(pruned, data, TUNED, progress=False, checkpoint=tmp_path / "run")
    monkeypatch.setattr(Checkpoint, "save", save)
    with pytest.raises(InputError, match="of a run with another"):
        quantise(pruned, data, replace(TUNED, weight_bits=3), progress=False, checkpoint=tmp_path / "run")
    epochs = []
    monkeypatch.setattr(Loop, "epoch", lambda self, *given, of=Loop.epoch: epochs.append(given[0]) or of(self, *given))
    assert quantise(pruned, data, TUNED, progress=False, checkpoint=tmp_path / "run") == tuned
    assert epochs == [3, 4, 5]


def stepped(model, batch):
    return default_loss(model(batch[0]), batch[1])


def test_a_train_step_takes_the_place_of_the_loss(pruned, data, tuned):
    def unused(*_):
        pytest.fail("it is not asked")

    assert quantise(pruned, data, TUNED, progress=False, train_step=stepped, loss=unused) == tuned
    raised = quantise(pruned, data, TUNED, progress=False, train_step=lambda *given: stepped(*given) + 9)
    assert raised.report.history.final.loss > 9


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (lambda *_: 3.0, "the train_step must return a scalar tensor, not float$"),
        (lambda model, batch: model.head(batch[0]), "no attribute 'head'; .* has none of the model's layers, so call"),
        (lambda model, batch: model[0](batch[0]), "not subscriptable; .* has none of the model's layers, so call it"),
        (lambda _, batch: batch[0].heads, "no attribute 'heads'$"),
    ],
)
def test_train_steps_that_do_not_run_in_fixed_point_are_refused(pruned, data, step, message):
    with pytest.raises(InputError, match=message):
        quantise(pruned, data, TUNED, progress=False, train_step=step)


def test_hooks_see_each_step_and_epoch_and_may_stop(pruned, data, tuned):
    steps, records = [], []
    looking = Hooks(lambda _, record: steps.append(record.step), lambda _, record: records.append(record))
    assert quantise(pruned, data, TUNED, progress=False, hooks=looking) == tuned
    assert steps == list(range(1, 6 * 6 + 1))
    assert tuple(records) == tuned.report.history.records
    stopping = Hooks(on_epoch_end=lambda _, record: record.epoch == 2)
    history = quantise(pruned, data, TUNED, progress=False, hooks=stopping).report.history
    assert history.records == tuned.report.history.records[:2]
    assert [event.kind for event in history.events] == [EventKind.STOPPED_BY_HOOK]


def test_fine_tuning_by_a_train_step_goes_on_after_a_hook_interrupted_it(pruned, data, tuned, tmp_path):
    def interrupt(_, record):
        if record.epoch == 4:
            raise KeyboardInterrupt

    run, hooks = tmp_path / "run", Hooks(on_epoch_end=interrupt)
    with pytest.raises(KeyboardInterrupt):
        quantise(pruned, data, TUNED, progress=False, train_step=stepped, hooks=hooks, checkpoint=run)
    with pytest.raises(InputError, match=r"another version, device or function .*stepped; this one has"):
        quantise(pruned, data, TUNED, progress=False, checkpoint=run)
    epochs = []
    hooks = Hooks(on_epoch_end=lambda _, record: epochs.append(record.epoch))
    assert quantise(pruned, data, TUNED, progress=False, train_step=stepped, hooks=hooks, checkpoint=run) == tuned
    assert epochs == [4, 5, 6]


def test_fine_tuning_may_keep_its_best_epoch(pruned, data):
    recipe = replace(TUNED, fine_tune=replace(EPOCHS, validation=0.2, patience=2))
    model = quantise(pruned, data, recipe, progress=False)
    final = model.report.history.final
    assert final.validation == max(record.validation for record in model.report.history.records)
    assert model.report.metric_after == pytest.approx(final.metric, abs=0.02)


def test_formats_are_chosen_without_the_validation_part(pruned, data):
    x, y = data.train.x.clone(), data.train.y
    taken = chosen(y, len(y), 0.2)
    x[taken] *= 1000
    outliers = Data(replace(data.train, x=x), data.test)
    recipe = replace(TUNED, calibration="minmax", fine_tune=TrainSettings(epochs=0, validation=0.2))
    model = quantise(pruned, outliers, recipe, progress=False)
    assert model.formats == quantise(pruned, data, recipe, progress=False).formats
    whole = replace(recipe, fine_tune=None)
    assert model.formats != quantise(pruned, outliers, whole, progress=False).formats


def test_a_module_without_masks_and_without_weights_will_do(data):
    assert quantise(nn.Linear(6, 3), data, QuantiseRecipe(), progress=False).output == "linear"
    model = quantise(nn.Sequential(nn.ReLU()), data, TUNED, progress=False, metric=lambda *_: 0.0)
    assert [type(layer).__name__ for layer in model.layers] == ["QuantisedInput", "QuantisedClip"]


def test_a_removed_bias_does_not_come_back(data):
    module = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
    module[0].weight.data[2:5] = 0
    module[0].bias.data[2:5] = 0
    model = quantise(PrunedModel(module, Masks.of_nonzeros(module)), data, TUNED, progress=False)
    assert not model.by_name["0"].bias[2:5].any()
    assert model.by_name["0"].bias[:2].all()


def test_what_does_not_fit_is_refused_before_training(pruned, data, monkeypatch):
    monkeypatch.setattr(course, "train", lambda *_, **__: pytest.fail("it trained"))
    with pytest.raises(InputError, match=r"layers\.fc3 names no layer \(did you mean 'fc"):
        quantise(pruned, data, QuantiseRecipe(layers={"fc3": LayerBits(3)}, fine_tune=EPOCHS), progress=False)
    with pytest.raises(FormatError, match=r"^fc1: its sums may need"):
        quantise(pruned, data, QuantiseRecipe(weight_bits=32, input_bits=32, fine_tune=EPOCHS), progress=False)


def test_calibration_takes_as_many_samples_as_it_is_told(pruned, data):
    few = quantise(pruned, data, QuantiseRecipe(calibration_samples=2, calibration="minmax"), progress=False)
    many = quantise(pruned, data, QuantiseRecipe(calibration_samples=10_000, calibration="minmax"), progress=False)
    fractions = [choice.format.fraction for model in (few, many) for choice in model.report.choices]
    assert fractions[: len(fractions) // 2] != fractions[len(fractions) // 2 :]
    assert all(choice.saturated == 0 for choice in many.report.choices)


class Recurrent(nn.Module):
    """The last state of an LSTM, read by a classifier."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(3, 5, batch_first=True)
        self.head = nn.Linear(5, 2)

    def forward(self, x):
        return self.head(self.lstm(x)[0][:, -1])


def convolutional():
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(4, 4, 3, groups=2), nn.Sigmoid(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2),
    )  # fmt: skip


@pytest.mark.parametrize(("build", "shape"), [(convolutional, (2, 8, 8)), (Recurrent, (5, 3))])
def test_other_nets_than_dense_ones_are_quantised_exactly(build, shape):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, *shape)).astype(np.float32)
    data = Data.from_arrays(x, (x.mean(axis=(1, 2)).reshape(200, -1)[:, 0] > 0).astype(np.int64), x, np.zeros(200))
    torch.manual_seed(0)
    module = build().eval()
    model = quantise(module, data, QuantiseRecipe(), progress=False, metric=lambda *_: 0.0)
    expected = integers(model, model.quantise_input(x))
    assert all(np.array_equal(values, expected[name]) for name, values in model.mantissas(x).items())
    with torch.no_grad():
        real = module(torch.from_numpy(x)).numpy()
    assert np.abs(model.forward(x) - real).max() < 0.1 * np.ptp(real)


def test_masks_that_a_module_came_with_are_told(data):
    module = Net()
    assert quantise(module, data, LOW, progress=False).report.pruning is None
    torch_prune.l1_unstructured(module.head, "weight", 0.5)
    report = quantise(module, data, LOW, progress=False).report
    assert report.pruning.unbaked == ("head.weight",)
    assert "Masks, parametrizations or formats were baked into head.weight." in remarks(report.explained)
