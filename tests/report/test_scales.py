"""Axes: every value lies on its axis, in order, and its ticks are what is written."""

from __future__ import annotations

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fpgaprune.report.scales import accuracy_scale, apart, board_scale, spread, strength

SHARES = st.lists(st.one_of(st.just(0.0), st.floats(1e-6, 1e4)), min_size=1, max_size=8)


@given(SHARES)
@example([2.0, 40.0])
def test_shares_of_a_board_lie_on_the_axis_in_order(shares):
    scale = board_scale(shares)
    places = [scale.at(share) for share in sorted(shares)]
    assert places == sorted(places)
    assert all(-1e-9 <= place <= 1 + 1e-9 for place in (*places, scale.at(1.0)))
    assert all(-1e-9 <= scale.at(tick) <= 1 + 1e-9 for tick in scale.ticks)
    assert len(set(scale.texts())) == len(scale.ticks)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_accuracies_lie_on_the_axis(shares):
    scale = accuracy_scale(shares)
    assert all(-1e-9 <= scale.at(share) <= 1 + 1e-9 for share in shares)
    assert len(set(scale.texts())) == len(scale.ticks) >= 2
    assert scale.high <= 1 + 1e-9


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_sparsities_are_spread_in_order(sparsities):
    places = spread(sorted(sparsities))
    assert places == sorted(places)
    assert all(0 <= place <= 1 for place in places)


def test_distances_of_sparsities_are_ratios_of_what_remains():
    assert spread([0, 0.5, 0.75, 0.875]) == pytest.approx([0, 1 / 3, 2 / 3, 1])
    assert spread([0.9]) == [0.5]
    assert spread([0, 0.5, 1]) == pytest.approx([0, 0.5, 1])


def test_scales_are_logarithmic_only_where_values_differ_widely():
    assert not board_scale([0.4, 1.7]).log
    assert board_scale([0.01, 15.0]).log
    assert board_scale([0.01, 15.0]).texts() == ["1", "10", "100", "1,000"]
    assert board_scale([0.0, 0.0]).texts() == ["0", "25", "50", "75", "100"]
    zero = board_scale([0.0, 0.01, 15.0])
    assert zero.at(0.0) == 0 < zero.at(0.01)
    assert not board_scale([math.inf, 0.5]).log


def test_texts_keep_their_distance_and_the_ends_stay():
    assert apart([0, 0.05, 0.5, 0.97, 1.0], 0.1) == [0, 2, 4]
    assert apart([0.5], 0.1) == [0]
    assert apart([0.5, 0.5], 0.1) == [1]


def test_the_colour_of_few_non_zeros_shows():
    assert strength(0.0) == 0.0
    assert strength(0.05) > 0.2
    assert strength(1.0) == strength(2.0) == 1.0
