"""Points that are remembered: those of equal matrices, and of no others."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fpgaprune.fit import Goal, Memory, nearest, situations, tightness
from fpgaprune.fit.points import Pricing, points, unrolled_points
from fpgaprune.lower import lower
from fpgaprune.schedule import Interface, multiply, schedule
from tests.fit.test_timing import convolutions
from tests.nets import PYNQ, mlp

KERNEL = lower(schedule(mlp((12, 8, 4), 0.5), PYNQ)).kernels[0]
PRICING, ROOM = Pricing.of(PYNQ, 10.0), (53200, 106400, 220, 280, 0)


@pytest.fixture
def counted():
    calls = []

    def pricer(kernel, pricing, room):
        calls.append(kernel.name)
        return unrolled_points(kernel, pricing, room)

    return calls, Memory().of(pricer)


def test_an_equal_matrix_is_priced_once_whatever_it_is_called(counted):
    calls, pricer = counted
    other = replace(KERNEL, name="x", layer="y", source=replace(KERNEL.source, name="z"))
    assert pricer(KERNEL, PRICING, ROOM) is pricer(other, PRICING, ROOM)
    assert calls == [KERNEL.name]


def changed(kernel):
    weights = kernel.weights.weight.copy()
    weights[3] += 1 if weights[3] != -1 else 2
    wide = kernel.source.format
    return {
        "weights": (replace(kernel, weights=replace(kernel.weights, weight=weights)), PRICING, ROOM),
        "bias": (replace(kernel, bias=kernel.bias + 1), PRICING, ROOM),
        "format": (replace(kernel, source=replace(kernel.source, format=replace(wide, width=12))), PRICING, ROOM),
        "beats": (replace(kernel, result=replace(kernel.result, beats=7)), PRICING, ROOM),
        "finish": (replace(kernel, finish=None), PRICING, ROOM),
        "clock": (kernel, Pricing.of(PYNQ, 5.0), ROOM),
        "room": (kernel, PRICING, (10, *ROOM[1:])),
    }


@pytest.mark.parametrize("what", ["weights", "bias", "format", "beats", "finish", "clock", "room"])
def test_a_matrix_that_differs_is_priced_anew(counted, what):
    calls, pricer = counted
    pricer(KERNEL, PRICING, ROOM)
    pricer(*changed(KERNEL)[what])
    assert len(calls) == 2


def measures(point):
    return point.amounts, point.interval, point.latency


def test_what_would_be_too_slow_is_not_priced():
    every = points(KERNEL, PRICING, ROOM)
    quick = points(KERNEL, Pricing.of(PYNQ, 10.0, 9.0), ROOM)
    assert max(point.interval for point in every) > 20
    assert max(point.interval for point in quick) <= 9 + 2  # the ladder aims at intervals; memories take a few more
    assert {measures(point) for point in every if point.interval <= 4} <= set(map(measures, quick))
    assert {point.interval for point in points(KERNEL, Pricing.of(PYNQ, 10.0, 1.0), ROOM)} == {1}


@pytest.mark.parametrize("interface", Interface)
def test_leaving_out_what_is_too_slow_changes_no_answer(interface):
    graph, goal = convolutions(), Goal(interval_cycles=60)
    found = [
        min(tightness(each.problem, choice) for each in given if (choice := nearest(each.problem)))
        for given in (
            situations(graph, PYNQ, goal=goal, interface=interface),
            situations(graph, PYNQ, goal=goal, interface=interface, quick=True, memory=Memory()),
        )
    ]
    assert found[1] == pytest.approx(found[0], rel=0.05)


def test_an_equal_matrix_is_planned_once():
    made = []

    def planner(op, source):
        made.append(op.output.name)
        return multiply(op, source)

    remembering = Memory().planned(planner)
    graph = mlp((12, 8, 4), 0.5)
    for _ in range(2):
        assert situations(graph, PYNQ, planner=remembering)
    assert made == ["fc1", "fc2"]
    situations(mlp((12, 8, 4), 0.5, seed=1), PYNQ, planner=remembering)
    assert len(made) == 4
