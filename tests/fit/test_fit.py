"""Designs that are fitted to a board: within their budget, exact, the same each time; and why nothing fits."""

from __future__ import annotations

import re
from functools import cache
from itertools import product

import numpy as np
import pytest

from fpgaprune import board
from fpgaprune.errors import InputError
from fpgaprune.evaluate import evaluate
from fpgaprune.fit import Aim, Budget, Goal, InfeasibleError, chosen_layers, chosen_to_data, fit, rest
from fpgaprune.fit.fit import totals
from fpgaprune.lower import lower
from fpgaprune.lower.interpret import run
from fpgaprune.resources import AMOUNTS, estimate
from fpgaprune.schedule import Folded, Interface, Multiply, Strategy, schedule, strategy_of
from fpgaprune.schedule.store import plans_to_text
from tests.fit.test_timing import convolutions, recurrent
from tests.graphs import random_inputs
from tests.nets import PYNQ, mlp

NET = mlp((24, 16, 4), 0.5)
TIGHT = Budget(lut=0.03, ff=0.05, dsp=0.05)


@cache
def fitted(goal=None, budget=None, interface=Interface.PARALLEL):
    return fit(NET, PYNQ, goal=goal, budget=budget, interface=interface)


def within(design):
    limits = design.budget.limits(design.design.board)
    return all(used <= limit for used, limit in zip(totals(design.resources), limits, strict=True))


def strategies(design):
    return {strategy_of(plan) for plan in design.chosen.values()}


@pytest.mark.parametrize("interface", Interface)
@pytest.mark.parametrize("graph", [NET, convolutions(), recurrent()], ids=["dense", "convolutions", "recurrent"])
def test_a_fitted_design_is_within_its_budget_and_computes_the_same(graph, interface):
    design = fit(graph, PYNQ, budget=Budget(lut=0.1, dsp=0.05), interface=interface)
    assert within(design)
    assert design.proven
    lowered = lower(design.design)
    assert estimate(lowered) == design.resources
    inputs = random_inputs(graph, 5)
    found = run(lowered, *inputs)
    for output, expected in zip(lowered.outputs, evaluate(graph, *inputs), strict=True):
        assert np.array_equal(found[output.port.name].reshape(expected.shape), expected)


def test_without_need_to_fold_a_vector_enters_each_cycle():
    assert fitted().resources.interval_cycles == 1
    assert Strategy.FOLDED not in strategies(fitted())
    assert not fitted().design.is_dataflow


def test_a_tight_budget_folds_and_a_looser_one_is_never_slower():
    tight, loose = fitted(budget=TIGHT), fitted(budget=Budget(lut=0.06, ff=0.05, dsp=0.05))
    assert Strategy.FOLDED in strategies(tight)
    assert within(tight)
    assert within(loose)
    assert 1 < loose.resources.interval_cycles <= tight.resources.interval_cycles


def test_of_few_plans_the_fitted_one_is_the_fastest():
    for plans in product([Multiply(), Folded(2), Folded(8), Folded(30), Folded(8, fabric=True)], repeat=2):
        each = iter(plans)
        other = estimate(lower(schedule(NET, PYNQ, planner=lambda _op, _source, each=each: next(each))))
        if all(used <= limit for used, limit in zip(totals(other), TIGHT.limits(PYNQ), strict=True)):
            assert other.interval_cycles >= fitted(budget=TIGHT).resources.interval_cycles


def test_the_shortest_latency_is_not_longer_than_that_of_the_shortest_interval():
    interval, latency = (fitted(Goal(aim), TIGHT) for aim in (Aim.INTERVAL, Aim.LATENCY))
    assert latency.resources.latency_cycles <= interval.resources.latency_cycles
    assert interval.resources.interval_cycles <= latency.resources.interval_cycles


@pytest.mark.parametrize("interface", Interface)
def test_the_smallest_area_keeps_the_required_speed_and_shrinks_with_it(interface):
    goals = [Goal(Aim.AREA, latency_ns=latency) for latency in (300.0, 1500.0, 6000.0)]
    found = [fitted(goal, interface=interface) for goal in goals]
    areas = [sum(one.resources.utilisation(PYNQ).values()) for one in found]
    assert all(one.resources.latency_ns <= one.goal.latency_ns for one in found)
    assert areas == sorted(areas, reverse=True)
    assert areas[-1] < areas[0]


def test_a_required_interval_is_kept():
    design = fitted(Goal(Aim.AREA, interval_cycles=20))
    assert design.resources.interval_cycles <= 20
    assert Strategy.FOLDED in strategies(design)


def test_the_same_request_gives_the_same_plans():
    again = fit(NET, PYNQ, budget=TIGHT)
    assert plans_to_text(again.chosen) == plans_to_text(fitted(budget=TIGHT).chosen)


def test_a_net_without_weights_fits():
    empty = mlp((4, 3, 2), sparsity=1.0)
    assert fit(empty, PYNQ).chosen == {}


def test_progress_names_layers():
    told = []
    fit(NET, PYNQ, progress=told.append)
    assert told[0] == "fc1: what each strategy takes (1 of 2)"
    assert told[-1] == "choosing strategies and lanes"


def test_the_table_adds_up_to_the_design():
    design = fitted(budget=TIGHT)
    lowered = lower(design.design)
    chosen = chosen_layers(lowered, design.resources)
    assert [layer.layer for layer in chosen] == ["fc1", "fc2"]
    added = [sum(each) for each in zip(rest(chosen, design.resources), *(each.amounts for each in chosen), strict=True)]
    assert added == list(totals(design.resources))
    for layer, plan in zip(chosen, design.chosen.values(), strict=True):
        assert (layer.lanes is None) == (not isinstance(plan, Folded))
    data = chosen_to_data(lowered, design.resources)
    assert data["kind"] == "estimate"
    assert data["chosen"][0]["strategy"] == chosen[0].strategy


def refusal(graph=NET, **settings):
    with pytest.raises(InfeasibleError) as refused:
        fit(graph, PYNQ, **settings)
    return str(refused.value)


def test_a_budget_that_is_too_small_says_what_binds_and_what_would_do():
    text = refusal(budget=Budget(lut=0.012))
    assert "net does not fit the budget on pynq-z2" in text
    needed = int(re.search(r"takes ([\d,]+) LUT of 638 allowed \(1\.2 % of the board\)", text)[1].replace(",", ""))
    assert " FF of" not in text
    assert re.search(r"prune to about \d+ of the 227 non-zeros \(\d+ %\)", text)
    share = float(re.search(r"--max-lut ([\d.]+)", text)[1])
    assert share >= needed / PYNQ.resources.lut
    assert within(fit(NET, PYNQ, budget=Budget(lut=share)))
    larger = board.load(re.search(r"a bigger board: (\S+)", text)[1])
    assert larger.resources.lut > PYNQ.resources.lut
    assert within(fit(NET, larger, budget=Budget(lut=0.012)))


def test_a_required_speed_beyond_the_budget_says_which_speed_is_within_it():
    text = refusal(budget=TIGHT, goal=Goal(Aim.AREA, interval_cycles=1))
    assert "at the required speed" in text
    interval = int(re.search(r"allow an interval of (\d+) cycles \(--max-interval-cycles\)", text)[1])
    assert within(fit(NET, PYNQ, budget=TIGHT, goal=Goal(Aim.AREA, interval_cycles=interval)))


def test_a_speed_that_nothing_reaches_says_what_can_be_reached():
    text = refusal(goal=Goal(Aim.AREA, latency_ns=15.0))
    assert "no choice of strategies, of whatever size, is fast enough" in text
    latency = float(re.search(r"allow a latency of ([\d.]+) ns", text)[1])
    assert fit(NET, board.load("vcu118"), clock_ns=10.0, goal=Goal(Aim.AREA, latency_ns=latency)).resources


def test_what_is_outside_matrices_is_told_apart():
    text = refusal(convolutions(), interface=Interface.STREAM, budget=Budget(ff=0.001))
    assert re.search(r"FF of 106 allowed \(0\.1 % of the board\), [\d,]+ of them for everything else", text)
    assert "prune to" not in text


def test_a_bad_clock_is_refused_first():
    with pytest.raises(InputError, match="clock"):
        fit(NET, PYNQ, clock_ns=-1.0)


def test_amounts_are_in_the_order_of_the_estimate():
    assert list(AMOUNTS) == list(vars(Budget()))[: len(AMOUNTS)]
