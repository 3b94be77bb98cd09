"""Budgets and goals: what they allow, and what they refuse."""

from __future__ import annotations

import math

import pytest

from fpgaprune.errors import InputError
from fpgaprune.fit import Aim, Budget, Goal
from tests.nets import PYNQ


def test_a_budget_is_a_share_of_the_board_in_whole_units():
    assert Budget().limits(PYNQ) == (37240, 85120, 176, 224, 0)
    assert Budget(lut=1, ff=0.5, dsp=0, bram_18k=0.3).limits(PYNQ) == (53200, 53200, 0, 84, 0)


@pytest.mark.parametrize("share", [-0.1, 1.01, math.nan, math.inf])
def test_a_share_outside_the_board_is_refused(share):
    with pytest.raises(InputError, match=r"dsp share of a budget must be in 0…1"):
        Budget(dsp=share)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"latency_ns": 0.0}, "positive number of ns"),
        ({"latency_ns": math.nan}, "positive number of ns"),
        ({"interval_cycles": 0}, "a cycle or more"),
        ({"aim": Aim.AREA}, "--max-latency-ns"),
    ],
)
def test_a_goal_that_cannot_be_is_refused(words, message):
    with pytest.raises(InputError, match=message):
        Goal(**words)


def test_a_latency_is_whole_cycles_of_the_clock():
    assert Goal(latency_ns=100.0).latency_cycles(10.0) == 10
    assert Goal(latency_ns=99.9).latency_cycles(10.0) == 9
    assert Goal(latency_ns=0.3).latency_cycles(0.1) == 3
    assert Goal().latency_cycles(10.0) is None
