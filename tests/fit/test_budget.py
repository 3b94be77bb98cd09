"""Budgets and goals: what they allow, and what they refuse."""

from __future__ import annotations

import math

import pytest

from fpgaprune.errors import InputError
from fpgaprune.fit import Aim, Budget, Goal, fit
from tests.nets import PYNQ, mlp


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


def test_a_budget_may_name_its_board_and_a_latency():
    budget = Budget(board="pynq-z2", lut=0.5, latency_ns=120.0)
    assert budget.require_board() == PYNQ
    assert Goal().within(budget).latency_ns == 120.0
    assert Goal(latency_ns=90.0).within(budget).latency_ns == 90.0
    assert Goal(latency_ns=90.0).within(Budget()).latency_ns == 90.0
    assert fit(mlp(), PYNQ, budget=budget).resources.latency_ns <= 120.0


def test_a_budget_that_cannot_be_is_refused():
    with pytest.raises(InputError, match="did you mean 'pynq-z2'"):
        Budget(board="pynqz2")
    with pytest.raises(InputError, match="positive number of ns"):
        Budget(latency_ns=-1.0)
    with pytest.raises(InputError, match=r"must name it: Budget\(board="):
        Budget().require_board()
    with pytest.raises(InputError, match="is of the board 'kv260', but the design is for 'pynq-z2'"):
        fit(mlp(), PYNQ, budget=Budget(board="kv260"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"board": "pynq-z2", "lut": "a"}, "the lut share of a budget must be a number, not 'a'"),
        ({"lut": None}, "the lut share of a budget must be a number, not None"),
        ({"ff": True}, "the ff share of a budget must be a number, not True"),
        ({"latency_ns": "a"}, "the latency that a design may have must be a number, not 'a'"),
        ({"board": 5}, "the board of a budget must be of the class str, not int; give its name"),
    ],
)
def test_a_budget_of_other_classes_is_refused(words, message):
    with pytest.raises(InputError, match=message):
        Budget(**words)


def test_a_budget_of_latency_is_one_of_fit():
    with pytest.raises(InputError, match="fast enough"):
        fit(mlp(), PYNQ, budget=Budget(latency_ns=10.0))
