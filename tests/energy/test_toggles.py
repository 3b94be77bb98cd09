"""Toggles are Hamming distances in two's complement at the width of each word."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fpgaprune.energy.toggles import NOTHING, in_turn, rates


def test_toggles_by_hand():
    series = np.array([[0, 1, 3, 3], [-1, 0, -1, 0], [5, 5, 5, 5]])  # 0 + 1, 1; all bits each time; none
    assert rates(iter([series]), np.array([2, 4, 3])).tolist() == [2 / 3, 4, 0]


@pytest.mark.parametrize(("width", "wide"), [(5, False), (62, False), (63, False), (64, False), (64, True), (90, True)])
def test_a_word_toggles_in_no_more_than_its_width(width, wide):
    ends = [-(1 << (width - 1)), (1 << (width - 1)) - 1]
    series = np.array([[ends[0], ends[1], 0, -1]], dtype=object if wide else np.int64)
    assert rates(iter([series]), np.array([width])).tolist() == [(width + width - 1 + width) / 3]


@given(st.integers(0, 2**32), st.integers(1, 5))
def test_chunks_count_as_one_series_does(seed, pieces):
    series = np.random.default_rng(seed).integers(-128, 128, (3, 17))
    width = np.array([8, 8, 8])
    whole = rates(iter([series]), width)
    assert np.array_equal(rates(iter(np.array_split(series, pieces, axis=1)), width), whole)
    assert np.array_equal(rates(iter(np.array_split(series.astype(object), pieces, axis=1)), width), whole)
    by_hand = [sum(((int(a) ^ int(b)) & 255).bit_count() for a, b in pairwise(row)) for row in series]
    assert (whole * 16).tolist() == by_hand


def test_units_take_elements_in_turn(monkeypatch):
    vectors = np.array([[1, 4], [2, 5], [3, 6]])
    places = np.array([[0, 2], [1, NOTHING]])
    (held,) = in_turn(vectors, places)
    assert held.tolist() == [[1, 3, 4, 6], [2, 0, 5, 0]]
    monkeypatch.setattr("fpgaprune.energy.toggles._AT_ONCE", 1)
    assert np.concatenate(list(in_turn(vectors, places)), axis=1).tolist() == held.tolist()
