"""What is said where nothing fits: every setting that is named is one, and would do."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from fpgaprune import board
from fpgaprune.fit import Aim, Budget, Goal, InfeasibleError, explain, fit, nearest, situations, tightness
from fpgaprune.fit.fit import totals
from fpgaprune.fixed import Fixed
from fpgaprune.ir import Graph, Input, Multiply, Tensor
from fpgaprune.lower import lower
from fpgaprune.resources import AMOUNTS, estimate
from fpgaprune.schedule import Interface, multiply, schedule
from tests.fit.test_timing import convolutions
from tests.nets import PYNQ, mlp

NET = mlp((12, 8, 4), 0.5)
IMAGES = convolutions()
NO_DSP = replace(PYNQ, name="mine", resources=replace(PYNQ.resources, dsp=0))


def refusal(graph=NET, on=PYNQ, **settings):
    with pytest.raises(InfeasibleError) as refused:
        fit(graph, on, **settings)
    return str(refused.value)


def share_named(text, name):
    return float(re.search(rf"fpgaprune fit .*--max-{name} ([\d.]+)", text)[1])


@pytest.mark.parametrize("name", ["lut", "ff"])
def test_a_share_of_nothing_is_told_as_that_and_no_board_is_big_enough_for_it(name):
    text = refusal(budget=Budget(**{name: 0}))
    assert re.search(rf"takes [\d,]+ {name.upper()}, of which the budget allows none \(--max-{name} 0\)", text)
    assert "board that fpgaprune knows" not in text
    assert "bigger board" not in text
    assert fit(NET, PYNQ, budget=Budget(**{name: share_named(text, name)})).resources


def test_what_must_not_be_taken_at_all_is_not_taken_as_a_small_excess():
    text = refusal(budget=Budget(lut=0.005, dsp=0))
    assert "LUT of 266 allowed (0.5 % of the board)" in text
    assert "DSP" not in text.replace("--max-dsp", "")
    fitted = fit(NET, PYNQ, budget=Budget(lut=share_named(text, "lut"), dsp=0))
    assert totals(fitted.resources)[AMOUNTS.index("dsp")] == 0


def test_a_network_without_positions_is_not_told_to_stream_them():
    text = refusal(budget=Budget(lut=0.001))
    assert "for everything else" in text
    assert "--io stream" not in text


def test_streaming_is_named_where_the_rest_fits_then():
    text = refusal(IMAGES, budget=Budget(lut=0.01))
    assert "for everything else" in text
    assert "--io stream" in text
    assert "--io stream" not in refusal(IMAGES, budget=Budget(lut=0.001))
    assert "--io stream" not in refusal(IMAGES, budget=Budget(lut=0.001), interface=Interface.STREAM)


def test_pruning_is_named_in_weights_and_only_while_one_is_left():
    assert re.search(r"prune to about (\d+) of the \d+ non-zeros", refusal(budget=Budget(ff=0.002)))
    assert "non-zeros" not in refusal(budget=Budget(ff=0.00001))


def test_words_of_less_than_half_the_bits_are_no_near_setting():
    assert re.search(r"quantise to about 4 instead of 6 bits", refusal(IMAGES, budget=Budget(lut=0.0155)))
    assert "quantise" not in refusal(IMAGES, budget=Budget(lut=0.013))


def test_limits_of_time_that_only_together_are_too_tight_are_named_together():
    goal = Goal(Aim.AREA, latency_ns=10, interval_cycles=1)
    text = refusal(IMAGES, interface=Interface.STREAM, goal=goal)
    latency, interval = re.search(r"allow a latency of (\d+) ns.* and an interval of (\d+) cycles", text).groups()
    goal = Goal(Aim.AREA, latency_ns=float(latency), interval_cycles=int(interval))
    assert fit(IMAGES, board.load("vcu118"), clock_ns=10.0, interface=Interface.STREAM, goal=goal).resources


def test_a_board_without_dsp_slices_takes_networks_that_need_none():
    fitted = fit(NET, NO_DSP)
    assert totals(fitted.resources)[AMOUNTS.index("dsp")] == 0


def test_a_resource_that_the_board_lacks_is_told_with_a_board_that_has_it():
    wide = Fixed(True, 16, 8)
    x, y = Tensor("x", (3,), wide), Tensor("y", (3,), wide)
    product = Multiply(Tensor("z", (3,), Fixed(True, 32, 16)), "x", "y")
    text = refusal(Graph((Input(x), Input(y), product), ("z",)), NO_DSP)
    assert "takes 3 DSP, of which the board has none" in text
    assert "--max-dsp" not in text
    assert re.search(r"a bigger board: \S+$", text)


def test_a_network_that_cannot_be_pruned_further_is_not_told_to():
    text = explain(situations(NET, PYNQ, budget=Budget(ff=0.002)), pruned="pruned to all it has")
    assert "does not fit the budget on pynq-z2, pruned to all it has: the choice that comes nearest" in text
    assert "prune to about" not in text
    assert "fpgaprune prune --max-ff" in text
    slow = explain(situations(NET, PYNQ, goal=Goal(latency_ns=10)), pruned="pruned to all it has")
    assert slow.endswith("(--max-latency-ns), pruned to all it has")


@pytest.mark.parametrize("interface", Interface)
def test_what_is_chosen_from_is_what_fits_or_not(interface):
    for share in (0.005, 0.02, 0.5):
        budget = Budget(lut=share)
        found = situations(IMAGES, PYNQ, budget=budget, interface=interface)
        tight = min(tightness(each.problem, nearest(each.problem)) for each in found)
        if tight <= 1:
            assert fit(IMAGES, PYNQ, budget=budget, interface=interface).problem.limits == found[0].problem.limits
        else:
            with pytest.raises(InfeasibleError) as refused:
                fit(IMAGES, PYNQ, budget=budget, interface=interface)
            problems = refused.value.problems
            assert min(tightness(each, nearest(each)) for each in problems) == pytest.approx(tight)


def test_with_a_planner_there_is_one_point_for_each_matrix():
    (found,) = situations(NET, PYNQ, planner=multiply)
    assert [len(points) for points in found.problem.choices.values()] == [1, 1]
    assert found.problem.amounts(nearest(found.problem).points) == totals(estimate(lower(schedule(NET, PYNQ))))
