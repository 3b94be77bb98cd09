"""Lottery tickets: rounds of training and pruning, each going back to the weights after a few epochs."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from fpgaprune.errors import InputError
from fpgaprune.explained.history import EventKind
from fpgaprune.prune.api import prune
from fpgaprune.prune.data import Data
from fpgaprune.prune.masks import Masks, prunable
from fpgaprune.prune.recipe import PruneRecipe
from fpgaprune.prune.seeding import mix
from fpgaprune.prune.select import pruned_count, select
from fpgaprune.prune.settings import TrainSettings
from fpgaprune.prune.stage import Stage
from fpgaprune.prune.training import Hooks, train

TRAINING = TrainSettings(epochs=4, learning_rate=0.02)


def lottery(sparsity=0.75, steps=2, rewind_epoch=0, fine_tune=TRAINING, **fields):
    return PruneRecipe(
        sparsity, schedule="lottery", steps=steps, rewind_epoch=rewind_epoch, fine_tune=fine_tune, **fields
    )


def same(one, two):
    pairs = zip(one.state_dict().values(), two.state_dict().values(), strict=True)
    return all(torch.equal(left, right) for left, right in pairs)


def by_hand(model, data, sparsities, settings):
    """Return the result of rounds that rewind to the initialisation, made of ``train`` and ``select`` alone."""
    settings = TrainSettings(**{**vars(settings), "seed": mix(0, settings.seed, 0)})
    masks, work = Masks.of_nonzeros(model), copy.deepcopy(model)
    train(work, data, settings, masks=masks)
    for sparsity in sparsities:
        scores = {name: weight.detach().abs() for name, weight in prunable(work).items()}
        masks = select(scores, sparsity, previous=masks)
        work = copy.deepcopy(model)
        train(work, data, settings, masks=masks)
    return work, masks


def test_rounds_equal_those_made_by_hand(mlp, data):
    pruned = prune(mlp, data, lottery(dead_bias="keep"), progress=False)
    work, masks = by_hand(mlp, data, (0.5, 0.75), TRAINING)
    assert pruned.masks == masks
    assert same(pruned.module, work)


def test_each_round_begins_with_the_weights_of_its_epoch(data):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 3))
    ends, starts = {}, {}

    def on_epoch(module, record):
        ends.setdefault(record.epoch, copy.deepcopy(module))

    def before(module, _):
        starts.setdefault(round(module[0].weight.count_nonzero().item()), copy.deepcopy(module))

    class Watched(nn.Sequential):
        def forward(self, x):
            if self.training:
                before(self, x)
            return super().forward(x)

    pruned = prune(Watched(*model), data, lottery(rewind_epoch=2, dead_bias="keep"), hooks=Hooks(on_epoch_end=on_epoch))
    assert len(starts) == 3
    for kept, module in list(starts.items())[1:]:
        assert kept < 128
        for name, value in module.state_dict().items():
            origin = ends[2].state_dict()[name]
            assert bool(((value == origin) | (value == 0)).all())
            assert ("weight" in name and origin.ndim == 2) or torch.equal(value, origin)
    records = [(record.step, record.epoch) for record in pruned.history.records]
    assert records == [(0, epoch) for epoch in range(5)] + [(step, epoch) for step in (1, 2) for epoch in (0, 3, 4)]


def test_every_round_prunes_the_same_share_of_what_is_left_exactly(mlp, data):
    pruned = prune(mlp, data, lottery(0.875, steps=3))
    sparsities = [record.sparsity for record in pruned.history.records if record.epoch == 0]
    assert sparsities == [0.0, 0.5, 0.75, 0.875]
    assert pruned.masks.count - pruned.masks.kept == pruned_count(0.875, 176)
    assert Masks.of_nonzeros(pruned.module) == pruned.masks


def test_the_history_tells_of_rewinding(mlp, data):
    events = prune(mlp, data, lottery(rewind_epoch=1)).history.events
    assert [(event.step, event.epoch, event.kind, event.to_epoch) for event in events] == [
        (1, 0, EventKind.REWOUND, 1),
        (2, 0, EventKind.REWOUND, 1),
    ]
    assert "back to those after epoch 1 of the first training" in events[0].text


def test_zeros_that_the_model_came_with_stay_and_count(mlp, data):
    mlp[0].weight.data[:4] = 0.0
    pruned = prune(mlp, data, lottery(0.8, steps=1))
    assert not pruned.masks["0.weight"][:4].any()
    assert pruned.masks.count - pruned.masks.kept == pruned_count(0.8, 176)
    first = prune(mlp, data, lottery(0.8, steps=2)).history.records[5].sparsity
    left = ((1 - 32 / 176) * 0.2) ** 0.5
    assert first == pruned_count(1 - left, 176) / 176


def test_runs_repeat_bit_for_bit_and_the_model_is_left_alone(mlp, data, data_of):
    before = copy.deepcopy(mlp)
    one, two = prune(mlp, data, lottery(rewind_epoch=1)), prune(mlp, data_of(), lottery(rewind_epoch=1))
    assert same(one.module, two.module)
    assert one.history == two.history
    assert same(mlp, before)
    assert not same(one.module, prune(mlp, data, lottery(rewind_epoch=0)).module)


def test_other_criteria_and_scopes_will_do(mlp, data):
    pruned = prune(mlp, data, lottery(0.5, steps=2, criterion="random", scope="layer"))
    assert [pruned.masks.sparsity_of(name) for name in pruned.masks] == [0.5, 0.5]


def test_unstructured_stages_may_follow(mlp, data):
    first = Stage(0.5, schedule="lottery", steps=2, structure="neurons", layers={"2": 0}, fine_tune=TRAINING)
    recipe = PruneRecipe(0.7, schedule="cubic", steps=2, fine_tune=TRAINING, first=(first,))
    pruned = prune(mlp, data, recipe)
    assert [record.step for record in pruned.history.records if record.epoch == 0] == [0, 1, 2, 3, 4]
    assert int((~pruned.masks["0.weight"].any(dim=1)).sum()) >= 8
    assert pruned.masks.count - pruned.masks.kept == pruned_count(0.7, 176)


def test_channels_that_were_cut_out_are_rewound_without_them(mlp, data):
    recipe = lottery(0.5, steps=2, structure="channels", dead_bias="keep", fine_tune=TRAINING)
    pruned = prune(mlp, data, recipe)
    assert pruned.module[0].out_features == 8
    assert pruned.history.records[-1].loss < pruned.history.records[-4].loss


def test_training_that_ends_too_soon_leaves_nothing_to_rewind_to(mlp, data):
    hooks = Hooks(on_epoch_end=lambda *_: True)
    with pytest.raises(InputError, match="ended before its epoch 2; lower rewind_epoch"):
        prune(mlp, data, lottery(rewind_epoch=2), hooks=hooks)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"rewind_epoch": 4}, "rewind_epoch must be less than the 4 epochs of training, not 4"),
        ({"rewind_epoch": -1}, "rewind_epoch must be at least 0"),
        (
            {"fine_tune": TrainSettings(epochs=0)},
            "the schedule 'lottery' trains the weights it is given; fine_tune.epochs",
        ),
        ({"schedule": "cubic", "rewind_epoch": 1}, "rewind_epoch is for the schedule 'lottery', not 'cubic'"),
        ({"first": (Stage(0.1),)}, "'lottery' is for the first stage alone: it rewinds to the weights that the model"),
    ],
)
def test_what_does_not_go_together_is_refused(fields, message):
    with pytest.raises(InputError, match=message):
        PruneRecipe(**{"sparsity": 0.5, "schedule": "lottery", "steps": 2, "fine_tune": TRAINING, **fields})


def test_it_needs_data(mlp):
    with pytest.raises(InputError, match="there is no data to fine-tune on"):
        prune(mlp, None, lottery())


def test_it_finds_what_trains_better_than_a_random_ticket(mlp_of):
    """Of the same initialisation and sparsity, the ticket learns more than a random one (Frankle & Carbin 2019)."""
    source = torch.Generator().manual_seed(1)
    x = torch.randn(300, 8, generator=source)
    y = (x[:, :3] @ torch.randn(3, 3, generator=source)).argmax(dim=1)
    data = Data.from_arrays(x[:200], y[:200], x[200:], y[200:], batch_size=20)
    training = TrainSettings(epochs=10, learning_rate=0.01)
    for seed in range(3):
        found, drawn = (
            prune(mlp_of(seed), data, lottery(0.9, 3, 0, training, criterion=criterion)).history.records[-1].loss
            for criterion in ("magnitude", "random")
        )
        assert found < drawn
