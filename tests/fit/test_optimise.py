"""The optimiser against trying everything."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from fpgaprune.fit.budget import Aim
from fpgaprune.fit.optimise import least_excess, least_loss, nearest, optimise, tightness
from fpgaprune.fit.problem import INTERVAL, LATENCY, Bound, Point, Problem
from fpgaprune.schedule import Multiply

PRICE = (0.01, 0.005, 0.1, 0.05, 0.0)


def random_problem(seed, aim):
    """A diamond of four layers, of which the last is in a loop of a few steps."""
    rng = np.random.default_rng(seed)

    def point():
        amounts = tuple(int(count) for count in rng.integers(0, (100, 200, 10, 10, 1)))
        return Point(Multiply(), amounts, int(rng.integers(1, 40)), int(rng.integers(1, 60)))

    choices = {name: tuple(point() for _ in range(int(rng.integers(1, 6)))) for name in "abcd"}
    bounds = (
        *(Bound(INTERVAL, layer=name, intervals=int(rng.integers(1, 9))) for name in "abc"),
        Bound("a", 1, layer="a", latencies=1),
        Bound("b", 1, (("a", 1.0),), layer="b", latencies=1, intervals=3),
        Bound("c", 2, (("a", 1.0),), layer="c", latencies=1),
        Bound("step", 1, layer="d", latencies=1),
        Bound(INTERVAL, after=(("step", 5.0),)),
        Bound(LATENCY, after=(("b", 1.0), ("step", 5.0))),
        Bound(LATENCY, 7, (("c", 1.0), ("step", 5.0))),
    )
    limits = tuple(int(count) for count in rng.integers((100, 200, 5, 5, 0), (400, 700, 40, 40, 4)))
    most = {LATENCY: int(rng.integers(100, 500))} if seed % 3 == 0 or aim is Aim.AREA else {}
    return Problem(choices, bounds, (5, 5, 0, 1, 0), limits, PRICE, aim, most)


def every_choice(problem):
    for points in product(*problem.choices.values()):
        yield dict(zip(problem.choices, points, strict=True))


def allowed(problem, chosen):
    times = problem.times(chosen)
    fits = all(used <= limit for used, limit in zip(problem.amounts(chosen), problem.limits, strict=True))
    return fits and all(times[name] <= most for name, most in problem.most.items())


def merit(problem, chosen):
    times, area = problem.times(chosen), round(problem.area(chosen), 9)
    return (area,) if problem.aim is Aim.AREA else (times[INTERVAL if problem.aim is Aim.INTERVAL else LATENCY], area)


@pytest.mark.parametrize("aim", Aim)
@pytest.mark.parametrize("seed", range(25))
def test_the_choice_is_the_best_of_all(seed, aim):
    problem = random_problem(seed, aim)
    best = min((merit(problem, chosen) for chosen in every_choice(problem) if allowed(problem, chosen)), default=None)
    found = optimise(problem)
    assert (found is None) == (best is None)
    if found is not None:
        assert allowed(problem, found.points)
        assert merit(problem, found.points) == best
        assert found.proven
        times = problem.times(found.points)
        assert (found.interval, found.latency) == (times[INTERVAL], times[LATENCY])


def test_random_problems_are_of_both_kinds():
    found = [optimise(random_problem(seed, Aim.INTERVAL)) for seed in range(25)]
    assert 5 < sum(each is None for each in found) < 20


def excess(problem, chosen):
    used = problem.amounts(chosen)
    return max((count - limit) / max(limit, 1) for count, limit in zip(used, problem.limits, strict=True))


@pytest.mark.parametrize("seed", range(12))
def test_the_nearest_choice_exceeds_the_limits_least(seed):
    problem = random_problem(seed, Aim.INTERVAL)
    tight = replace(problem, limits=tuple(limit // 4 for limit in problem.limits), most={})
    found = least_excess(tight)
    assert max(excess(tight, found.points), 0) == max(min(excess(tight, each) for each in every_choice(tight)), 0)


def share(problem, chosen):
    return max(count / limit for count, limit in zip(problem.amounts(chosen), problem.limits, strict=True))


@pytest.mark.parametrize("seed", range(12))
def test_the_nearest_choice_leaves_most_room_where_much_fits(seed):
    problem = replace(random_problem(seed, Aim.INTERVAL), limits=(900, 1800, 90, 90, 9), most={})
    found = nearest(problem)
    assert tightness(problem, found) == share(problem, found.points)
    assert tightness(problem, found) == min(share(problem, each) for each in every_choice(problem))
    assert tightness(problem, found) < 1


def test_what_the_board_has_none_of_and_nothing_takes_is_no_limit():
    problem = replace(random_problem(2, Aim.INTERVAL), limits=(900, 1800, 90, 90, 0), most={})
    unused = {
        name: tuple(replace(point, amounts=(*point.amounts[:4], 0)) for point in points)
        for name, points in problem.choices.items()
    }
    assert tightness(problem, nearest(replace(problem, choices=unused))) < 1
    forced = {**unused, "a": tuple(replace(point, amounts=(0, 0, 0, 0, 1)) for point in problem.choices["a"])}
    forced_problem = replace(problem, choices=forced)
    assert tightness(forced_problem, nearest(forced_problem)) == np.inf


def with_levels(seed, together):
    rng = np.random.default_rng(100 + seed)
    problem = random_problem(seed, Aim.INTERVAL)
    choices = {
        name: tuple(
            replace(point, level=place % 3, loss=float(rng.random()))
            for place, point in enumerate([*points, *points, *points][: max(len(points), 3)])
        )
        for name, points in problem.choices.items()
    }
    return replace(problem, choices=choices, together=together)


def one_level(problem, chosen):
    return all(len({chosen[layer].level for layer in layers}) == 1 for layers in problem.together)


@pytest.mark.parametrize("together", [(), (("a", "b"),), (("a", "c", "d"),)])
@pytest.mark.parametrize("seed", range(12))
def test_the_choice_that_loses_least_is_found_among_all(seed, together):
    problem = with_levels(seed, together)
    able = [each for each in every_choice(problem) if allowed(problem, each) and one_level(problem, each)]
    best = min((sum(point.loss for point in each.values()) for each in able), default=None)
    found = least_loss(problem)
    assert (found is None) == (best is None)
    if found is not None:
        assert allowed(problem, found.points)
        assert one_level(problem, found.points)
        assert found.loss == pytest.approx(best)


@pytest.mark.parametrize("unit", [1e-9, 1e9])
def test_the_unit_of_losses_changes_nothing(unit):
    problem = with_levels(3, ())
    scaled = {name: tuple(replace(p, loss=p.loss * unit) for p in points) for name, points in problem.choices.items()}
    found, other = least_loss(problem), least_loss(replace(problem, choices=scaled))
    assert other.loss == pytest.approx(found.loss * unit)


def test_layers_without_a_common_level_have_no_choice():
    problem = with_levels(3, (("a", "b"),))
    choices = {**problem.choices, "a": tuple(replace(point, level=7) for point in problem.choices["a"])}
    assert least_loss(replace(problem, choices=choices)) is None


def test_no_resource_makes_up_for_time():
    problem = replace(random_problem(1, Aim.INTERVAL), most={INTERVAL: 1})
    assert least_excess(problem) is None
    assert optimise(problem) is None


def test_a_layer_without_points_has_no_choice():
    problem = random_problem(1, Aim.INTERVAL)
    assert optimise(replace(problem, choices={**problem.choices, "a": ()})) is None


def test_equal_problems_have_equal_choices():
    problem = replace(random_problem(4, Aim.LATENCY), limits=(10**6,) * 5)
    one, other = optimise(problem), optimise(problem)
    assert list(one.points.values()) == list(other.points.values())
