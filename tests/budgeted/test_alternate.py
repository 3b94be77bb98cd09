"""Choosing and making in turns: when another network is made, which one is returned, and what is refused."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from fpgaprune.budgeted.alternate import ROOM, Alternation
from fpgaprune.fit import InfeasibleError


@dataclass(eq=False)
class FakeProbe:
    """A network that takes so much, and loses the less, the more it takes."""

    tightness: float
    levels: tuple[int, ...] = (1,)
    kept: int = 7

    @property
    def loss(self):
        return max(0.0, 3.0 - self.tightness)


@dataclass
class FakeSearch:
    """A search on a grid of networks; what the recipe asks for takes three times the limits."""

    own: FakeProbe = field(default_factory=lambda: FakeProbe(3.0))
    sparsest: FakeProbe = field(default_factory=lambda: FakeProbe(0.02))
    grid: tuple[FakeProbe, ...] = tuple(FakeProbe(place / 100) for place in range(2, 300))
    asked: list[float] = field(default_factory=list)

    def within(self, target):
        self.asked.append(target)
        return max((each for each in self.grid if each.tightness <= target), key=lambda p: p.tightness, default=None)

    def sparsities(self, _probe):
        return {}


class FakeMaker:
    """Makes networks that take ``bias`` times as much as before, and more at random."""

    def __init__(self, search, bias, compress=None):
        self.search, self.bias = search, bias
        self.recipe = SimpleNamespace(quantise=SimpleNamespace(compress=compress))
        self.last = None

    def __call__(self, number, _sparsities):
        takes = self.last.tightness * (self.bias(number) if callable(self.bias) else self.bias)
        fits = takes <= 1
        report = SimpleNamespace(metric_after=0.9)
        return SimpleNamespace(
            pruned=SimpleNamespace(sparsity=0.5),
            quantised=SimpleNamespace(report=report),
            generated="design" if fits else None,
            tightness=takes,
            probe=self.last,
        )


def alternated(bias, rounds=6, search=None, compress=None):
    search = search or FakeSearch()
    maker = FakeMaker(search, bias, compress)
    told = []
    alternation = Alternation(search, maker, rounds, told.append)
    original = alternation._made

    def made(number, probe):
        maker.last = probe
        return original(number, probe)

    object.__setattr__(alternation, "_made", made)
    return alternation.run(), told


def test_a_network_that_fills_its_budget_is_the_only_one_that_is_made():
    made, told = alternated(0.97)
    assert len(told) == 1
    assert made.probe.tightness == 1.0
    assert told[0].forecast == 1.0
    assert told[0].fits


def test_where_room_is_left_weights_are_put_back():
    made, told = alternated(0.5)
    assert len(told) == 2
    assert made.tightness > 1 - ROOM
    assert made.probe.tightness > 1.8


def test_where_it_does_not_fit_more_is_pruned_by_the_ratio():
    made, told = alternated(1.4)
    assert [each.fits for each in told] == [False, True]
    assert made.probe.tightness == pytest.approx(1 / 1.4, abs=0.03)


def test_the_network_that_loses_least_is_returned_whatever_came_last():
    made, told = alternated(lambda number: {1: 1.2, 2: 0.9}.get(number, 1.3))
    assert sum(each.fits for each in told) >= 1
    fitting = [each for each in told if each.fits]
    assert made.probe.tightness == max(each.forecast for each in fitting)


def test_networks_are_made_a_bounded_number_of_times():
    with pytest.raises(
        InfeasibleError, match=r"of 3 that were trained: the last one, 50\.0% pruned, .* or of time, or more rounds$"
    ):
        alternated(lambda number: 2.0**number, rounds=3)


def test_the_sparsest_is_tried_before_a_budget_is_given_up():
    search = FakeSearch(sparsest=FakeProbe(0.9), grid=(FakeProbe(0.9), FakeProbe(0.95), FakeProbe(1.0)))
    made, told = alternated(lambda number: {1: 1.2}.get(number, 1.1), search=search)
    assert [each.forecast for each in told] == [1.0, 0.9]
    assert made.probe is search.sparsest


def test_more_rounds_are_not_proposed_where_all_was_tried():
    search = FakeSearch(sparsest=FakeProbe(0.9), grid=(FakeProbe(0.9), FakeProbe(0.95), FakeProbe(1.0)))
    with pytest.raises(InfeasibleError, match=r"allow a little more of the board or of time$"):
        alternated(lambda _: 1.2, search=search, rounds=9)


def test_networks_that_are_too_slow_are_pruned_more_until_one_is_fast_enough():
    made, told = alternated(lambda number: math.inf if number < 3 else 0.99)
    assert [each.fits for each in told[:3]] == [False, False, True]
    assert told[0].forecast > told[1].forecast > told[2].forecast
    assert made.generated == "design"


def test_the_recipe_is_taken_as_it_is_where_that_is_small_enough():
    search = FakeSearch(own=FakeProbe(0.4))
    made, told = alternated(0.9, search=search)
    assert (len(told), search.asked) == (1, [])
    assert made.probe is search.own


def test_what_training_compresses_is_measured_after_training():
    search = FakeSearch()
    made, told = alternated(0.3, search=search, compress="digits")
    assert made.probe is search.own
    assert len(told) == 1
    assert search.asked == []
