"""The choice of levels: the best of all, forecasts of what was measured, and the search around it."""

from __future__ import annotations

from itertools import product

import pytest

from fpgaprune.budgeted import Build
from fpgaprune.budgeted.knapsack import Knapsack, _at, _tightness
from fpgaprune.budgeted.search import Bracket, corrected
from fpgaprune.fit import Goal, nearest
from fpgaprune.prune import PruneRecipe, TrainSettings
from fpgaprune.recipe import Recipe
from fpgaprune.schedule import Interface
from tests.budgeted.nets import ADDERS, NARROW, budget, searching

LEVELS = [0, 8, 16, 24]
FOLDING = Build(interface=Interface.STREAM, goal=Goal(interval_cycles=12))


@pytest.fixture(scope="module", params=[ADDERS, FOLDING], ids=["adders", "any"])
def knapsack(request):
    search = searching(build=request.param)
    return Knapsack(search.probe, [LEVELS] * 3, (0, 0, 0))


def every(knapsack):
    """Return loss, forecast and levels of all combinations."""
    probe = knapsack.probe
    for levels in product(LEVELS, repeat=3):
        loss = sum(probe.beside((0, 0, 0), place, level).losses[place] for place, level in enumerate(levels))
        yield loss, knapsack.forecast(levels), levels


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
def test_the_choice_loses_least_of_all_combinations_within_the_limits(knapsack, scale):
    able = [loss for loss, forecast, _ in every(knapsack) if forecast <= scale]
    taken = knapsack.choose(scale)
    assert (taken is None) == (not able)
    if taken is not None:
        assert taken.loss == pytest.approx(min(able))
        assert taken.forecast <= scale
        assert taken.forecast == knapsack.forecast(taken.levels)


def test_the_forecast_of_the_whole_network_is_what_it_takes(knapsack):
    assert knapsack.forecast((0, 0, 0)) == pytest.approx(knapsack.probe((0, 0, 0)).tightness)


def test_a_forecast_of_one_change_beside_others_is_what_it_takes(knapsack):
    beside = (8, 16, 8)
    changed = Knapsack(knapsack.probe, [LEVELS] * 3, beside)
    assert changed.forecast(beside) == pytest.approx(knapsack.probe(beside).tightness)
    assert changed.forecast((8, 16, 0)) == pytest.approx(knapsack.probe((8, 16, 0)).tightness, rel=0.25)


@pytest.mark.parametrize("levels", [(16, 0, 0), (0, 8, 0), (0, 0, 24), (16, 8, 8)])
def test_a_forecast_errs_only_by_rows_and_columns_that_die_elsewhere(knapsack, levels):
    probe = knapsack.probe(levels)
    forecast = knapsack.forecast(levels)
    assert 0.3 * forecast < probe.tightness <= forecast * 1.0001


def test_a_problem_with_fixed_levels_has_no_other_points(knapsack):
    (problem, *_) = knapsack._problems()
    fixed = _at(problem, (8, 0, 16))
    chosen = nearest(fixed)
    assert {name: point.level for name, point in chosen.points.items() if ".weight" in name} == {
        "0.weight": 8, "2.weight": 0, "4.weight": 16,
    }  # fmt: skip
    assert _tightness(fixed) == knapsack.forecast((8, 0, 16))


def test_what_the_recipe_prunes_at_least_is_pruned():
    recipe = Recipe(PruneRecipe(sparsity=0.4, fine_tune=TrainSettings(epochs=0)), NARROW)
    search = searching(recipe)
    taken = Knapsack(search.probe, [LEVELS] * 3, (0, 0, 0)).choose(1e6)
    ground, units = search.probe.ground, search.probe.units
    left = sum(ground.left(unit, level) for unit, level in zip(units, taken.levels, strict=True))
    assert left <= ground.most == 216 - 86
    free = [
        sum(ground.left(unit, level) for unit, level in zip(units, levels, strict=True))
        for levels in product(LEVELS, repeat=3)
    ]
    assert left > 0.5 * max(each for each in free if each <= ground.most)


@pytest.mark.parametrize("target", [0.6, 0.9, 1.6])
def test_the_search_finds_what_is_within_the_target_and_better_than_any_uniform_one(target):
    search = searching(limits=budget(0.006))
    found = search.within(target)
    assert found.tightness <= target
    assert found.is_alive
    uniform = [search.probe((level,) * 3) for level in range(0, 65, 2)]
    able = [probe.loss for probe in uniform if probe.is_alive and probe.tightness <= target]
    assert found.loss <= min(able) * 1.02


def test_nothing_is_found_where_the_sparsest_is_too_large():
    search = searching(limits=budget(0.006))
    assert search.within(search.sparsest.tightness * 0.99) is None
    assert search.within(search.sparsest.tightness) is search.sparsest


def test_equal_searches_find_the_same():
    found = [searching(limits=budget(0.006)).within(0.9) for _ in range(2)]
    assert found[0].levels == found[1].levels
    assert found[0].loss == found[1].loss


def test_a_bracket_stays_between_what_is_known():
    bracket = Bracket().after(0.5, fits=True).after(1.2, fits=False)
    assert bracket.inside(0.9) == 0.9
    assert 0.5 < bracket.inside(0.4) < 1.2
    assert 0.5 < bracket.inside(3.0) < 1.2
    assert not bracket.is_closed
    assert bracket.after(1.199, fits=True).is_closed
    assert Bracket().after(1.0, fits=False).inside(2.0) < 1.0
    assert Bracket().after(1.0, fits=True).inside(0.5) > 1.0


def test_what_is_too_slow_or_empty_corrects_a_forecast_by_a_step():
    assert corrected(1.0, 1.5, 1.0) == 1.5
    assert corrected(2.0, float("inf"), 1.0) == 2.5
    assert corrected(2.0, 0.0, 1.0) == 2.5
