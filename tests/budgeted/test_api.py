"""Pruning to a budget from a model to a design that fits, and what is said of it."""

from __future__ import annotations

import copy
import io
import json
from dataclasses import replace

import pytest
import torch
from rich.console import Console
from torch import nn
from torch.nn.utils import prune as torch_prune

from fpgaprune.api import Budget, Build, Goal, PrunedModel, PruneRecipe, Recipe, Strategy, TrainSettings, prune
from fpgaprune.budgeted import next_command, print_outcome, told
from fpgaprune.errors import InputError
from fpgaprune.fit import InfeasibleError, fit, planner, totals
from fpgaprune.flow import Options, generated
from fpgaprune.prune import Hooks, Stage, default_loss
from fpgaprune.resources import AMOUNTS
from fpgaprune.schedule import Interface, strategy_of
from tests.budgeted.nets import ADDERS, NARROW, RECIPE, budget, data, mlp, training
from tests.nets import PYNQ

TIGHT = budget(0.004, dsp=0.0)
UNFOLDED = Build(goal=Goal(interval_cycles=1))


def pruned_to(limits=TIGHT, build=ADDERS, recipe=RECIPE, model=None, rounds=3, **options):
    return prune(model or mlp(), data(), recipe, budget=limits, build=build, rounds=rounds, progress=False, **options)


@pytest.fixture(scope="module")
def found():
    return pruned_to()


def within(design, limits):
    return all(used <= limit for used, limit in zip(totals(design), limits.limits(PYNQ), strict=True))


def test_the_design_that_is_returned_is_within_the_budget(found):
    assert within(found.generated.resources, TIGHT)
    assert found.generated.lowered.design.board == PYNQ
    assert {strategy_of(plan) for plan in found.generated.lowered.design.plans.values()} == {Strategy.ADDERS}
    assert not within(pruned_to(budget(0.9)).generated.resources, TIGHT)


def test_it_is_the_design_of_the_network_that_is_returned(found):
    samples, _ = data().test_arrays()
    again = generated(found.quantised, PYNQ, samples, Options(plan=planner(Strategy.ADDERS, board=PYNQ)))
    assert again.resources == found.generated.resources
    assert again.project.digest() == found.generated.project.digest()


def test_the_recipe_of_the_result_prunes_to_it(found):
    recipe = found.pruned.recipe
    assert recipe.layers.keys() == {"0.weight", "2.weight", "4.weight"}
    again = prune(mlp(), data(), recipe, progress=False)
    assert again.masks == found.pruned.masks
    pairs = zip(again.module.parameters(), found.pruned.module.parameters(), strict=True)
    assert all(torch.equal(*pair) for pair in pairs)


def test_exactly_as_many_weights_are_left_as_is_told(found):
    for layer in found.outcome.layers:
        assert found.pruned.masks.nonzeros(layer.tensor) == layer.kept
        assert found.pruned.masks.count_of(layer.tensor) == layer.weights
    assert found.outcome.sparsity == pytest.approx(found.pruned.sparsity)
    assert 0.1 < found.outcome.sparsity < 0.95


def test_equal_arguments_give_equal_designs(found):
    again = pruned_to()
    assert again.outcome == found.outcome
    assert again.generated.project.digest() == found.generated.project.digest()


def test_the_outcome_states_accuracy_and_cost_before_and_after(found):
    outcome = found.outcome
    metrics = outcome.metrics
    assert metrics.pruned_integers == found.quantised.report.metric_after
    assert metrics.given_up == metrics.dense_integers - metrics.pruned_integers
    assert metrics.dense > 0.9
    assert outcome.design.amounts == totals(found.generated.resources)
    assert outcome.pruned == outcome.design
    assert outcome.dense.tightness > 1
    assert outcome.gained["lut"] == outcome.dense.amounts[0] - outcome.design.amounts[0] > 0
    last = outcome.rounds[-1]
    assert last.found == pytest.approx(outcome.design.tightness) or not last.fits
    assert [each.number for each in outcome.rounds] == [*range(1, len(outcome.rounds) + 1)]
    assert any(each.fits and each.metric == metrics.pruned_integers for each in outcome.rounds)


def test_the_outcome_is_json_and_a_table_with_kinds_and_units(found):
    values = json.loads(json.dumps(found.outcome.to_dict(), allow_nan=False))
    assert values["kind"] == "estimate"
    times = {"latency_cycles": None, "interval_cycles": None}
    assert values["limits"] == dict(zip(AMOUNTS, TIGHT.limits(PYNQ), strict=True)) | times
    assert values["layers"][0]["kept"] == found.outcome.layers[0].kept
    screen = io.StringIO()
    print_outcome(found.outcome, Console(file=screen, width=120))
    text = screen.getvalue()
    assert "design (estimate)" in text
    assert "latency [cycles]" in text
    assert f"{found.outcome.design.amounts[0]:,}" in text
    assert f"{100 * found.outcome.metrics.pruned_integers:.1f} % as integers" in text
    assert f"{found.outcome.layers[1].sparsity:.1%}".replace("%", " %") in text
    assert told(found.outcome.rounds[0]).startswith("round 1: ")


def test_rounds_are_told_as_they_come():
    heard = []
    outcome = pruned_to(tell=heard.append).outcome
    assert tuple(heard) == outcome.rounds


def test_with_any_strategy_fit_finds_a_design_within_the_budget():
    limits = budget(0.005, dsp=0.0)
    found = pruned_to(limits, UNFOLDED)
    assert found.generated.fitted is not None
    assert found.generated.resources.interval_cycles == 1
    graph = found.generated.lowered.design.graph
    assert within(fit(graph, PYNQ, goal=UNFOLDED.goal, budget=limits).resources, limits)
    assert found.outcome.pruned.tightness <= 1
    assert found.outcome.sparsity > 0.1


def test_what_fits_anyhow_is_not_pruned():
    found = pruned_to(budget(0.7), Build())
    assert found.outcome.sparsity == 0
    assert len(found.outcome.rounds) == 1


def test_a_latency_is_a_budget():
    free = pruned_to(budget(0.7), ADDERS).generated.resources.latency_ns
    found = pruned_to(budget(0.7, latency_ns=free - 20), ADDERS)
    assert found.generated.resources.latency_ns <= free - 20
    assert found.outcome.sparsity > 0
    assert found.outcome.latency_cycles == round((free - 20) / 10)


@pytest.mark.parametrize(
    "build",
    [Build(strategy=Strategy.FOLDED, lanes=2), Build(interface=Interface.STREAM, goal=Goal(interval_cycles=10))],
    ids=["lanes", "stream"],
)
def test_lanes_and_streams_have_budgets(build):
    dense = pruned_to(budget(0.7), build).outcome.design.amounts[0]
    share = 0.85 * dense / PYNQ.resources.lut
    found = pruned_to(budget(share, dsp=0.0 if build.strategy is None else 0.8), build)
    assert found.outcome.sparsity > 0
    assert found.generated.resources.total("lut") <= share * PYNQ.resources.lut


def test_the_recipes_own_sparsity_is_pruned_at_least():
    recipe = replace(RECIPE, prune=replace(RECIPE.prune, sparsity=0.8))
    loose = pruned_to(budget(0.7), recipe=recipe)
    assert loose.pruned.sparsity == pytest.approx(0.8, abs=0.005)
    assert loose.pruned.recipe == recipe.prune
    tight = pruned_to(budget(0.002, dsp=0.0), recipe=recipe)
    assert tight.pruned.sparsity >= 0.8
    assert within(tight.generated.resources, budget(0.002, dsp=0.0))


def test_a_layer_with_a_sparsity_of_its_own_keeps_it():
    recipe = replace(RECIPE, prune=replace(RECIPE.prune, layers={"2": 0.25, "4": 0.0}))
    found = pruned_to(budget(0.013), recipe=recipe)
    masks = found.pruned.masks
    assert (masks.sparsity_of("2.weight"), masks.sparsity_of("4.weight")) == (0.25, 0.0)
    assert masks.sparsity_of("0.weight") > 0.5


def test_stages_before_are_run_and_count():
    first = Stage(sparsity=0.25, structure="channels", fine_tune=TrainSettings(epochs=1))
    recipe = replace(RECIPE, prune=replace(RECIPE.prune, first=(first,)))
    found = pruned_to(recipe=recipe)
    assert found.pruned.masks.cut > 0
    assert within(found.generated.resources, TIGHT)


def test_groups_of_a_layer_have_levels_too():
    recipe = replace(RECIPE, prune=replace(RECIPE.prune, structure="neurons"))
    found = pruned_to(budget(0.01), recipe=recipe)
    rows = found.pruned.masks["0.weight"].any(dim=1)
    assert bool((found.pruned.masks["0.weight"].all(dim=1) == rows).all())
    assert within(found.generated.resources, budget(0.01))


@pytest.mark.filterwarnings("ignore::fpgaprune.prune.LoopWarning")
def test_a_recurrent_network_is_pruned_to_a_budget():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell, self.last = nn.GRU(2, 4, batch_first=True), nn.Linear(4, 3)

        def forward(self, x):
            return self.last(self.cell(x.unflatten(1, (4, 2)))[0][:, -1])

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = Net()
    build = Build(strategy=Strategy.ADDERS, interface=Interface.STREAM)
    dense = pruned_to(budget(0.9), build, model=model).outcome.design.amounts[0]
    share = 0.9 * dense / PYNQ.resources.lut
    found = pruned_to(budget(share), build, model=model)
    assert found.generated.resources.total("lut") <= share * PYNQ.resources.lut
    kept = {layer.tensor: layer.kept for layer in found.outcome.layers}
    levels = (2 ** (-level / 8) for level in range(65))  # one level for both, but no less than a weight for each row
    assert (kept["cell.weight_ih_l0"], kept["cell.weight_hh_l0"]) in [
        (max(12, round(24 * share)), max(12, round(48 * share))) for share in levels
    ]


def test_an_unreachable_budget_says_what_binds_and_what_would_help():
    with pytest.raises(InfeasibleError) as refused:
        pruned_to(budget(0.0005))
    text = str(refused.value)
    assert "pruned to 23 of 216 weights, which is as far as it goes" in text
    assert "LUT of 26 allowed (0.05 % of the board)" in text
    assert "prune to about" not in text
    share = float(text.split("fpgaprune prune --max-lut ")[1].split(")")[0])
    assert pruned_to(budget(share)).outcome.sparsity > 0


def test_a_speed_that_no_sparsity_reaches_is_refused():
    with pytest.raises(InfeasibleError, match=r"fast enough.*allow a latency of \d+ ns.*as far as it goes"):
        pruned_to(budget(0.5, latency_ns=10.0), ADDERS)


def test_a_checkpoint_is_gone_on_from(tmp_path, found):
    one = pruned_to(checkpoint=tmp_path / "here")
    stored = {path: path.read_bytes() for path in (tmp_path / "here" / "round_1" / "prune").iterdir()}
    two = pruned_to(checkpoint=tmp_path / "here")
    assert stored
    assert all(path.read_bytes() == content for path, content in stored.items())
    assert one.outcome == two.outcome == found.outcome


def test_without_a_budget_it_is_the_pruning_that_it_was():
    plain = prune(mlp(), data(), replace(RECIPE.prune, sparsity=0.5), progress=False)
    assert isinstance(plain, PrunedModel)
    assert plain.sparsity == 0.5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"budget": Budget(lut=0.5)}, r"must name it: Budget\(board="),
        ({"loss_by": "magnitude"}, "loss_by must be one of 'measured'"),
        ({"rounds": 0}, "rounds must be at least 1"),
        ({"build": Build(lanes=3)}, "for folded matrices"),
        ({"recipe": PruneRecipe(threshold=0.5)}, "in place of its threshold"),
        ({"budget": None}, "are for a budget"),
    ],
)
def test_what_cannot_be_is_refused_before_any_training(changes, message, monkeypatch):
    monkeypatch.setattr("fpgaprune.budgeted.ground.CRITERIA", {})
    arguments = {"recipe": RECIPE, "budget": TIGHT, "build": ADDERS, **changes}
    recipe = arguments.pop("recipe")
    with pytest.raises(InputError, match=message):
        prune(mlp(), data(), recipe, progress=False, **arguments)


def test_a_budget_needs_data():
    with pytest.raises(InputError, match="a budget needs data"):
        prune(mlp(), None, RECIPE, budget=TIGHT)


def test_a_recipe_of_pruning_alone_is_quantised_by_the_defaults():
    found = pruned_to(budget(0.7), Build(), recipe=RECIPE.prune)
    assert found.quantised.recipe.weight_bits == 8
    assert Recipe.of(RECIPE.prune).quantise == found.quantised.recipe


def test_the_next_command_writes_the_design(tmp_path):
    limits = budget(0.25, dsp=0.0, latency_ns=1500.0)
    build = Build(Goal(interval_cycles=4), Interface.STREAM, clock_ns=8.0)
    assert next_command(tmp_path / "a b", limits, build) == (
        f"fpgaprune fit '{tmp_path}/a b' --board pynq-z2 --max-lut 0.25 --max-dsp 0 --max-latency-ns 1500 "
        "--max-interval-cycles 4 --io stream --clock-ns 8 --out DIR"
    )
    assert next_command(tmp_path, TIGHT, Build(strategy=Strategy.FOLDED, lanes=2)) == (
        f"fpgaprune generate {tmp_path} --board pynq-z2 --strategy folded --lanes 2 --out DIR"
    )


def test_a_model_that_others_pruned_and_did_not_bake_is_taken_with_a_fixed_layer():
    model = copy.deepcopy(mlp())
    torch_prune.l1_unstructured(model[0], "weight", 0.25)
    fixed = replace(RECIPE, prune=replace(RECIPE.prune, layers={"4.weight": 0.0}))
    found = pruned_to(budget(0.008, dsp=0.0), recipe=fixed, model=model)
    assert found.pruned.unbaked == ("0.weight",)
    assert not found.pruned.masks["0.weight"][~model[0].weight_mask.bool()].any()
    assert found.outcome.dense is not None


def test_train_steps_and_hooks_reach_the_fine_tuning_in_fixed_point():
    records, batches = [], []

    def step(model, batch):
        batches.append(batch)
        return default_loss(model(batch[0]), batch[1])

    own = training(train_step=step, hooks=Hooks(on_epoch_end=lambda _, record: records.append(record)))
    model = own.quantise(mlp(), replace(NARROW, fine_tune=TrainSettings(epochs=2, learning_rate=1e-3)), "round_1")
    assert tuple(records) == model.report.history.records
    assert len(batches) == 2 * 6
