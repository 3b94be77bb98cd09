"""Dynamic sparse training: exact counts, what is dropped and what grows, and that sparsity holds at every moment."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import prune as torch_prune

from fpgaprune.errors import InputError
from fpgaprune.prune.api import prune
from fpgaprune.prune.data import Data
from fpgaprune.prune.dead import DeadBias, dead_biases
from fpgaprune.prune.dynamic import erk, first_masks, kept_counts, rewired
from fpgaprune.prune.masks import Masks, prunable
from fpgaprune.prune.recipe import PruneRecipe
from fpgaprune.prune.select import pruned_count
from fpgaprune.prune.settings import RigL, TrainSettings
from fpgaprune.prune.stage import Stage
from fpgaprune.prune.training import Hooks

TRAINING = TrainSettings(epochs=6, learning_rate=0.02)


def rigl(sparsity, fine_tune=TRAINING, **rigl):
    return PruneRecipe(sparsity, schedule="rigl", fine_tune=fine_tune, rigl=RigL(**rigl))


def full(*shapes):
    return Masks({f"w{place}": torch.ones(shape, dtype=torch.bool) for place, shape in enumerate(shapes)})


def stage(sparsity, **fields):
    return Stage(sparsity, schedule="rigl", **fields)


def watched(model, data, recipe):
    """Return the pruned model and its zero pattern after each step."""
    patterns = []
    hooks = Hooks(on_step_end=lambda module, _: patterns.append({n: w != 0 for n, w in prunable(module).items()}))
    return prune(model, data, recipe, progress=False, hooks=hooks), patterns


def test_erk_by_hand():
    """Sums of sizes are 110 and 20, products 1000 and 100: of 130 weights, 110 and 20 are kept; of 550, 450 and all."""
    masks = full((100, 10), (10, 10))
    assert erk(masks, list(masks), 130) == {"w0": 110, "w1": 20}
    assert erk(masks, list(masks), 550) == {"w0": 465, "w1": 85}
    assert erk(masks, list(masks), 750) == {"w0": 650, "w1": 100}
    assert erk(masks, list(masks), 0) == {"w0": 0, "w1": 0}
    assert erk(masks, list(masks), 1100) == {"w0": 1000, "w1": 100}


def test_erk_counts_kernels():
    """A convolution with kernels of 3 by 3 between 2 and 4 channels has sizes of 12 in sum."""
    masks = full((4, 2, 3, 3), (6, 6))
    assert erk(masks, list(masks), 24) == {"w0": 12, "w1": 12}


SHAPES = st.lists(st.tuples(st.integers(1, 12), st.integers(1, 12)), min_size=1, max_size=6)


@given(SHAPES, st.floats(0, 1), st.sampled_from(["erk", "uniform"]))
def test_counts_are_exact(shapes, sparsity, distribution):
    masks = full(*shapes)
    kept = kept_counts(masks, stage(sparsity, rigl=RigL(distribution=distribution)))
    sizes = [math.prod(shape) for shape in shapes]
    assert all(0 <= kept[name] <= size for name, size in zip(kept, sizes, strict=True))
    if distribution == "erk":
        assert sum(kept.values()) == sum(sizes) - pruned_count(sparsity, sum(sizes))
    else:
        assert list(kept.values()) == [size - pruned_count(sparsity, size) for size in sizes]


def test_layers_have_their_own_sparsity(mlp):
    masks = Masks.full(mlp)
    kept = kept_counts(masks, stage(0.5, layers={"2": 0.25}))
    assert kept == {"0.weight": 64, "2.weight": 36}
    with pytest.raises(InputError, match="did you mean"):
        kept_counts(masks, stage(0.5, layers={"0.wieght": 0.25}))


def test_the_first_masks_are_random_and_exact(mlp):
    one, again, other = (first_masks(mlp, stage(0.8), seed, Masks.full(mlp)) for seed in (1, 1, 2))
    assert one == again != other
    assert one.count - one.kept == pruned_count(0.8, 176)
    assert [one.nonzeros(name) for name in one] == [kept_counts(Masks.full(mlp), stage(0.8))[name] for name in one]


def test_what_is_dropped_and_what_grows_by_hand():
    weight = nn.Parameter(torch.tensor([[0.5, 0.1, 0.0, 0.0], [0.2, 0.0, 0.3, 0.0]]))
    weight.grad = torch.tensor([[9.0, 0.0, 5.0, 7.0], [0.0, -8.0, 9.0, 1.0]])
    mask, every = weight.detach() != 0, torch.ones(2, 4, dtype=torch.bool)
    assert rewired(mask, every, weight, 0.5).tolist() == [[True, False, False, True], [False, True, True, False]]
    assert rewired(mask, every, weight, 0.25).tolist() == [[True, False, False, False], [True, True, True, False]]
    assert torch.equal(rewired(mask, every, weight, 0.24), mask)
    barred = every.clone()
    barred[1, 1] = False
    assert rewired(mask, barred, weight, 0.5).tolist() == [[True, False, True, True], [False, False, True, False]]


def test_a_dropped_weight_may_grow_again_and_ties_go_to_the_first():
    weight = nn.Parameter(torch.tensor([0.1, 0.1, 0.1, 0.0, 0.0]))
    weight.grad = torch.tensor([5.0, 0.0, 0.0, 1.0, 1.0])
    mask, every = weight.detach() != 0, torch.ones(5, dtype=torch.bool)
    assert rewired(mask, every, weight, 0.67).tolist() == [True, False, True, True, False]


@given(st.integers(0, 2**32 - 1), st.floats(0, 1), st.floats(0, 1))
def test_the_count_never_changes(seed, density, share):
    source = torch.Generator().manual_seed(seed)
    mask = torch.rand(5, 7, generator=source) < density
    allowed = mask | (torch.rand(5, 7, generator=source) < 0.5)
    weight = nn.Parameter(torch.randn(5, 7, generator=source) * mask)
    weight.grad = torch.randn(5, 7, generator=source)
    found = rewired(mask, allowed, weight, share)
    assert found.sum() == mask.sum()
    assert not bool((found & ~allowed).any())
    assert int((mask & ~found).sum()) <= int(share * int(mask.sum()))


@pytest.mark.parametrize("distribution", ["erk", "uniform"])
@pytest.mark.parametrize("optimiser", ["adam", "sgd"])
def test_the_sparsity_is_exact_after_every_step(mlp, data, distribution, optimiser):
    settings = TrainSettings(epochs=6, learning_rate=0.02, optimiser=optimiser)
    recipe = rigl(0.75, settings, interval=2, distribution=distribution)
    pruned, patterns = watched(mlp, data, recipe)
    kept = kept_counts(Masks.full(mlp), recipe)
    assert len(patterns) == 18
    for pattern in patterns:
        assert all(int(pattern[name].sum()) <= count for name, count in kept.items())
    assert all(pruned.masks.nonzeros(name) == count for name, count in kept.items())
    assert [record.sparsity for record in pruned.history.records[1:]] == [pruned.sparsity] * 7


def test_it_learns_from_the_start_and_better_than_with_a_pattern_that_stays(mlp, data):
    training = TrainSettings(epochs=40, learning_rate=0.01)
    moves, stays = (prune(mlp, data, rigl(0.8, training, interval=5, fraction=share)) for share in (0.3, 0.0))
    losses = [record.loss for record in moves.history.records[2:]]
    assert losses[-1] < 0.5 * losses[0]
    assert losses[-1] < 0.8 * stays.history.records[-1].loss


def test_the_pattern_moves_until_it_is_time_and_then_rests(mlp, data):
    recipe = rigl(0.5, TrainSettings(epochs=8, learning_rate=0.02), interval=3, fraction=0.5, until=0.5)
    masks, seen = [], Hooks(on_step_end=lambda model, _: masks.append(Masks.of_nonzeros(model)))
    pruned = prune(mlp, data, recipe, hooks=seen)
    changed = [step for step in range(1, 24) if not torch.equal(masks[step]["0.weight"], masks[step - 1]["0.weight"])]
    assert {2, 5, 8} <= set(changed)
    assert not any(step > 12 for step in changed)
    assert masks[-1] == pruned.masks


def test_nothing_moves_where_no_share_is_replaced(mlp, data):
    pruned = prune(mlp, data, rigl(0.5, fraction=0.0, interval=1))
    assert pruned.masks == first_masks(mlp, stage(0.5), 0, Masks.full(mlp))
    assert prune(mlp, data, rigl(0.5, until=0.0, interval=1)).masks == pruned.masks
    assert prune(mlp, data, rigl(0.5, interval=1)).masks != pruned.masks


def test_an_update_takes_the_place_of_a_step(mlp, data):
    """With an update in every step until the end nothing is trained, so grown weights stay zero."""
    before = first_masks(mlp, stage(0.5), 0, Masks.full(mlp))
    pruned = prune(mlp, data, rigl(0.5, interval=1, until=1.0, fraction=0.3))
    weight = pruned.module[0].weight
    assert bool(((weight == mlp[0].weight) | (weight == 0)).all())
    assert bool(weight.any())
    grown = pruned.masks["0.weight"] & ~before["0.weight"]
    assert bool(grown.any())
    assert not bool(weight[grown].any())


def test_grown_weights_start_without_momentum(data):
    """Right after growing, a step of SGD with momentum moves a weight by its gradient alone."""
    torch.manual_seed(0)
    model, states = nn.Linear(8, 3), []
    settings = TrainSettings(epochs=2, learning_rate=0.1, optimiser="sgd", rate="constant")

    def look(module, record):
        states.append((record.step, module.weight.detach().clone(), module.weight.grad.clone()))

    prune(model, data, rigl(0.5, settings, interval=3, fraction=0.9, until=1.0), hooks=Hooks(on_step_end=look))
    before, updated, after = (states[step][1] for step in (1, 2, 3))
    grown = (before == 0) & (updated == 0) & (after != 0)
    assert bool(grown.any())
    assert torch.allclose(after[grown], -0.1 * states[3][2][grown])


def test_what_is_pruned_beforehand_never_grows(mlp, data):
    torch_prune.random_unstructured(mlp[0], "weight", 0.3)
    gone = mlp[0].weight_mask == 0
    pruned = prune(mlp, data, rigl(0.6, interval=1, fraction=0.9))
    assert not bool((pruned.masks["0.weight"] & gone).any())
    assert pruned.masks.count - pruned.masks.kept == pruned_count(0.6, 176)


def test_it_may_follow_a_structured_stage(mlp, data):
    first = Stage(0.25, structure="neurons", layers={"2": 0}, fine_tune=TRAINING)
    recipe = PruneRecipe(0.7, schedule="rigl", fine_tune=TRAINING, rigl=RigL(interval=2), first=(first,))
    pruned = prune(mlp, data, recipe)
    neurons = prune(
        mlp, data, first_alone := PruneRecipe(0.25, structure="neurons", layers={"2": 0}, fine_tune=TRAINING)
    )
    assert first_alone.sparsity == 0.25
    gone = ~neurons.masks["0.weight"].any(dim=1)
    assert int(gone.sum()) == 4
    assert not bool(pruned.masks["0.weight"][gone].any())
    assert pruned.masks.count - pruned.masks.kept == pruned_count(0.7, 176)


def test_recurrent_layers_and_streams_of_unknown_length(data):
    class Stream:
        def __iter__(self):
            return ((x[:, None], y) for x, y in data.train)

    class Last(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(8, 6, batch_first=True)
            self.head = nn.Linear(6, 3)

        def forward(self, x):
            return self.head(self.lstm(x)[0][:, -1])

    torch.manual_seed(0)
    model, recipe = Last(), rigl(0.8, interval=2)
    pruned, patterns = watched(model, Data(Stream(), Stream()), recipe)
    assert len(patterns) == 18
    assert dict(kept_counts(Masks.full(model), recipe)) == {name: pruned.masks.nonzeros(name) for name in pruned.masks}
    assert pruned.masks != first_masks(model, recipe, 0, Masks.full(model))


@pytest.mark.parametrize("dead_bias", DeadBias)
def test_biases_of_neurons_that_die_are_zero(mlp, data, dead_bias):
    recipe = PruneRecipe(
        0.95, schedule="rigl", fine_tune=TRAINING, rigl=RigL(interval=2, fraction=0.8), dead_bias=dead_bias
    )
    pruned = prune(mlp, data, recipe)
    dead = dead_biases(pruned.module, pruned.masks)
    assert dead == pruned.dead_biases
    assert len(dead["0.bias"]) > 3
    zero = not bool(pruned.module[0].bias[list(dead["0.bias"])].any())
    assert zero is (dead_bias is DeadBias.ZERO)


def test_runs_repeat_bit_for_bit(mlp, data, data_of):
    recipe = rigl(0.7, interval=2)
    one, two = prune(mlp, data, recipe), prune(copy.deepcopy(mlp), data_of(), recipe)
    assert all(torch.equal(a, b) for a, b in zip(one.module.parameters(), two.module.parameters(), strict=True))
    assert one.masks == two.masks
    assert one.history == two.history


def test_the_best_epoch_comes_back_with_its_pattern(mlp, data):
    values = [0.0, 0.0, 0.5, 0.9, 0.2, 0.1, 0.1]  # before pruning, before training, and after each of five epochs
    patterns = []
    hooks = Hooks(on_epoch_end=lambda model, _: patterns.append(Masks.of_nonzeros(model)))
    settings = TrainSettings(epochs=5, learning_rate=0.02, validation=0.25)

    def metric(_, targets):
        return values.pop(0) if len(targets) == 12 else 0.5

    values.insert(0, 0.0)  # the training measures what it begins with once more
    pruned = prune(mlp, data, rigl(0.6, settings, interval=2, until=1.0), metric=metric, hooks=hooks)
    assert not values
    assert pruned.history.final.epoch == 2
    assert pruned.masks.kept == 176 - pruned_count(0.6, 176)
    assert all(bool((~mask | pruned.masks[name]).all()) for name, mask in patterns[1].items())
    assert patterns[1] != patterns[-1]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"steps": 2}, "steps must be 1 for the schedule 'rigl', not 2"),
        ({"criterion": "random"}, "drops weights by magnitude and grows them by gradient, not by 'random'"),
        ({"scope": "layer"}, "scope is not for the schedule 'rigl'"),
        ({"structure": "neurons"}, "moves single weights; the structure 'neurons' is for another stage"),
        ({"fine_tune": TrainSettings(epochs=0)}, "fine_tune.epochs must be at least 1"),
        ({"rewind_epoch": 2}, "rewind_epoch is for the schedule 'lottery', not 'rigl'"),
        ({"rigl": 3}, "rigl must be RigL, not 3"),
    ],
)
def test_what_does_not_go_together_is_refused(fields, message):
    with pytest.raises(InputError, match=message):
        Stage(**{"sparsity": 0.5, "schedule": "rigl", **fields})


def test_its_settings_are_for_no_other_schedule():
    with pytest.raises(InputError, match="rigl is for the schedule 'rigl', not 'one-shot'"):
        Stage(0.5, rigl=RigL(interval=5))
