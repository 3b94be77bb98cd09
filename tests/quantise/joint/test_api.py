"""Compression from a recipe to integers: budgets hold, grids survive, pruned weights stay pruned."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from fpgaprune.digits import signed_digits
from fpgaprune.errors import InputError
from fpgaprune.explained.history import EventKind
from fpgaprune.prune import Data, Hooks, Masks, PrunedModel, TrainSettings, default_loss
from fpgaprune.quantise import Compression, QuantiseRecipe, load, quantise, save

TRAINING = TrainSettings(epochs=16, learning_rate=5e-3)
RECIPE = QuantiseRecipe(weight_bits=7, activation_bits=5, input_bits=5, fine_tune=TRAINING)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(512, 12)).astype(np.float32)
    y = (x @ rng.normal(size=(12, 4))).argmax(1)
    return Data.from_arrays(x[:384], y[:384], x[384:], y[384:], batch_size=32)


@pytest.fixture
def pruned():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(12, 16), nn.ReLU(), nn.Linear(16, 4))
    masks = Masks(
        {name: torch.rand(weight.shape) < 0.8 for name, weight in model.named_parameters() if "weight" in name}
    )
    masks.apply_(model)
    return PrunedModel(model, masks)


def with_(**fields):
    return replace(RECIPE, compress=Compression(**fields))


def digits_of(model):
    return sum(int(signed_digits(layer.weight).sum()) for layer in model.layers if hasattr(layer, "weight"))


@pytest.mark.parametrize(
    "fields",
    [
        {"budget": 500},
        {"budget": 250, "settle": 0},
        {"saving": "widths", "budget": 500},
        {"saving": "widths", "budget": 1500, "cost": "ebops", "granularity": "channel"},
        {"saving": "widths", "budget": 1500, "cost": "ebops", "granularity": "layer", "results": False},
    ],
    ids=str,
)
def test_budgets_are_kept(pruned, data, fields):
    model = quantise(pruned, data, with_(**fields), progress=False)
    saved = model.report.saved
    assert saved.after <= fields["budget"] < saved.before
    assert saved.cost.value == fields.get("cost", "adder-bits")
    dense = quantise(pruned, data, RECIPE, progress=False)
    assert digits_of(model) < digits_of(dense) / 1.5
    assert sum(layer.digits_after for layer in model.report.sparsity) == digits_of(model)
    assert model.report.metric_after > 0.5


def test_more_strength_saves_more(pruned, data):
    counts = [digits_of(quantise(pruned, data, with_(strength=s), progress=False)) for s in (1e-4, 1e-3, 1e-2)]
    assert counts[0] > counts[1] > counts[2] > 0


def test_strength_in_loss_saves_widths(pruned, data):
    counts = [
        quantise(pruned, data, with_(saving="widths", strength=strength), progress=False).report.saved.after
        for strength in (1e-5, 1e-3)
    ]
    assert counts[0] > counts[1]


@pytest.mark.parametrize("saving", ["digits", "widths"])
def test_pruned_weights_stay_pruned_and_runs_repeat(pruned, data, saving):
    recipe = with_(saving=saving, budget=600)
    one, two = (quantise(pruned, data, recipe, progress=False) for _ in range(2))
    assert one == two
    for layer, mask in zip((one.layers[1], one.layers[-1]), pruned.masks.values(), strict=True):
        assert not layer.weight[~mask.numpy()].any()


def test_settling_keeps_the_digits_of_each_weight(pruned, data):
    pressed = quantise(pruned, data, with_(budget=400, settle=0), progress=False)
    settled = quantise(pruned, data, with_(budget=400, settle=3), progress=False)
    for before, after in zip(pressed.layers, settled.layers, strict=True):
        if hasattr(before, "weight"):
            assert (signed_digits(after.weight) <= signed_digits(before.weight)).all()
    assert len(settled.report.history.records) == len(pressed.report.history.records) + 3


def test_results_are_narrower_where_their_widths_are_trained(pruned, data):
    free = quantise(pruned, data, with_(saving="widths", budget=300), progress=False)
    fixed = quantise(pruned, data, with_(saving="widths", budget=300, results=False), progress=False)
    widths = [[layer.format.width for layer in model.layers] for model in (free, fixed)]
    assert any(free_width < fixed_width for free_width, fixed_width in zip(*widths, strict=True))
    assert fixed.formats[fixed.layers[0].name].width == 5


def test_what_was_compressed_is_stored_and_read(pruned, data, tmp_path):
    model = quantise(pruned, data, with_(budget=500), progress=False)
    save(model, tmp_path / "model")
    assert load(tmp_path / "model") == model


def test_a_budget_that_is_not_reached_is_told(pruned, data):
    recipe = with_(saving="widths", budget=1)
    recipe = replace(recipe, fine_tune=TrainSettings(epochs=1, learning_rate=1e-5))
    with pytest.raises(InputError, match=r"budget of 1 adder-bits was not reached: .* before, .* after; give it more"):
        quantise(pruned, data, recipe, progress=False)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "budget must be given, or strength in its place"),
        ({"budget": 1, "strength": 1}, "budget must be given, or strength in its place"),
        ({"budget": 0}, "budget must be greater than 0"),
        ({"budget": float("nan")}, "budget must be a finite number"),
        ({"strength": -1}, "strength must be a finite number of at least 0"),
        ({"budget": 1, "saving": "digit"}, "saving must be one of.*did you mean 'digits'"),
        ({"budget": 1, "cost": "ebops"}, "cost must be 'adder-bits' where digits are saved"),
        ({"budget": 1, "granularity": "layer"}, "granularity must be 'weight' where digits are saved"),
        ({"budget": 1, "start": 0.5, "end": 0.4}, r"end must be at least start \(0.5\), not 0.4"),
        ({"budget": 1, "settle": -1}, "settle must be at least 0"),
        ({"budget": 1, "results": 1}, "results must be true or false"),
    ],
)
def test_bad_compressions_name_the_field(fields, message):
    with pytest.raises(InputError, match=message):
        Compression(**fields)


def test_compression_without_training_is_refused(pruned, data):
    with pytest.raises(InputError, match="compress needs fine_tune"):
        QuantiseRecipe(compress=Compression(budget=1))
    with pytest.raises(InputError, match=r"set fine_tune\.epochs"):
        quantise(pruned, data, replace(with_(budget=1), fine_tune=TrainSettings(epochs=0)), progress=False)


def test_recipes_with_compression_come_back_from_dictionaries(tmp_path):
    recipe = with_(saving="widths", cost="ebops", budget=100, granularity="channel", results=False, start=0, end=1)
    assert QuantiseRecipe.from_dict(recipe.to_dict()) == recipe
    path = tmp_path / "recipe.toml"
    path.write_text("[compress]\nsaving = 'digits'\nbudget = 9\n[fine_tune]\nepochs = 2\n", encoding="utf-8")
    read = QuantiseRecipe.from_toml(path)
    assert read.compress == Compression(budget=9)
    path.write_text("compress.budgt = 9\nfine_tune.epochs = 2", encoding="utf-8")
    with pytest.raises(InputError, match=r"compress has no field 'budgt' .did you mean 'budget'"):
        QuantiseRecipe.from_toml(path)


class Stopped(KeyboardInterrupt):
    """An interruption."""


@pytest.mark.parametrize("saving", ["digits", "widths"])
@pytest.mark.parametrize("until", [7, 17])
def test_an_interrupted_training_goes_on_to_the_same_result(pruned, data, tmp_path, saving, until):
    recipe = with_(saving=saving, budget=600, settle=4)
    epochs = []

    def interrupted(outputs, targets):
        epochs.append(len(targets))
        if len(epochs) > until * 12:
            raise Stopped
        return torch.nn.functional.cross_entropy(outputs, targets)

    def whole(outputs, targets):
        return torch.nn.functional.cross_entropy(outputs, targets)

    whole.__qualname__ = interrupted.__qualname__ = "loss"
    expected = quantise(pruned, data, recipe, progress=False, loss=whole)
    with pytest.raises(Stopped):
        quantise(pruned, data, recipe, progress=False, loss=interrupted, checkpoint=tmp_path / "kept")
    found = quantise(pruned, data, recipe, progress=False, loss=whole, checkpoint=tmp_path / "kept")
    assert found == expected


def stepped(model, batch):
    return default_loss(model(batch[0]), batch[1])


@pytest.mark.parametrize("saving", ["digits", "widths"])
def test_train_steps_and_hooks_reach_both_trainings(pruned, data, saving):
    recipe, records, steps = with_(saving=saving, budget=600, settle=2), [], []
    expected = quantise(pruned, data, recipe, progress=False)
    hooks = Hooks(lambda _, record: steps.append(record.step), lambda _, record: records.append(record))
    found = quantise(pruned, data, recipe, progress=False, train_step=stepped, hooks=hooks)
    assert found == expected
    assert steps == [*range(1, 16 * 12 + 1), *range(1, 2 * 12 + 1)]
    assert tuple(records) == found.report.history.records
    assert [record.step for record in records] == [0] * 16 + [1] * 2


@pytest.mark.parametrize("saving", ["digits", "widths"])
@pytest.mark.parametrize("moment", [(0, 12), (1, 2)])
def test_what_a_hook_interrupted_goes_on_by_the_same_train_step(pruned, data, tmp_path, saving, moment):
    recipe, run = with_(saving=saving, budget=600, settle=3), tmp_path / "run"

    def interrupt(_, record):
        if (record.step, record.epoch) == moment:
            raise Stopped

    hooks = Hooks(on_epoch_end=interrupt)
    with pytest.raises(Stopped):
        quantise(pruned, data, recipe, progress=False, train_step=stepped, hooks=hooks, checkpoint=run)
    with pytest.raises(InputError, match="another version, device or function"):
        quantise(pruned, data, recipe, progress=False, checkpoint=run)
    found = quantise(pruned, data, recipe, progress=False, train_step=stepped, checkpoint=run)
    assert found == quantise(pruned, data, recipe, progress=False, train_step=stepped)


def test_a_hook_may_end_the_saving_and_the_budget_is_kept_or_refused(pruned, data, tmp_path):
    hooks = Hooks(on_epoch_end=lambda _, record: (record.step, record.epoch) == (0, 2))
    for _ in range(2):
        model = quantise(
            pruned, data, with_(budget=250, settle=3), progress=False, hooks=hooks, checkpoint=tmp_path / "run"
        )
        history = model.report.history
        assert model.report.saved.after <= 250
        assert [(event.step, event.epoch) for event in history.events if event.kind is EventKind.STOPPED_BY_HOOK] == [
            (0, 2)
        ]
        assert [(record.step, record.epoch) for record in history.records] == [(0, 1), (0, 2), (1, 1), (1, 2), (1, 3)]
    with pytest.raises(
        InputError, match=r"not reached: .*; a hook stopped the saving: have it wait for the end of the"
    ):
        quantise(pruned, data, with_(saving="widths", budget=250), progress=False, hooks=hooks)
