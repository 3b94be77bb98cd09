"""Sums of signed powers of two are the nearest that greed finds, and of integers the canonical signed digits."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fpgaprune.digits import signed_digits
from fpgaprune.quantise.joint.expansion import all_gains, gain, next_power, summed

POWERS = [sign * 2.0**place for place in range(12) for sign in (1, -1)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_integers_have_their_canonical_digits(dtype):
    x = torch.arange(-1100, 1101, dtype=dtype)
    sums, counts = summed(x, torch.zeros_like(x))
    assert torch.equal(sums, x)
    assert np.array_equal(counts.numpy(), signed_digits(x.long().numpy()))


def test_there_are_no_more_digits_than_are_allotted():
    x = torch.tensor([11.0, 11.0, 11.0, 8.0])
    sums, counts = summed(x, torch.zeros_like(x), torch.tensor([0.0, 1.0, 2.0, 3.0]))
    assert sums.tolist() == [0, 8, 12, 8]
    assert counts.tolist() == [0, 1, 2, 1]


@given(st.floats(-1500, 1500, width=32))
def test_no_power_is_nearer(x):
    assert abs(x - next_power(torch.tensor(x)).item()) == min(abs(x - power) for power in POWERS)


def test_halfway_the_larger_power_is_taken():
    x = torch.tensor([0.5, -0.5, 0.0, 1.5, 3.0, -6.0])
    assert next_power(x).tolist() == [1, -1, 1, 2, 4, -8]


@given(st.lists(st.floats(-1000, 1000, width=32), min_size=1, max_size=20))
def test_gains_are_what_the_squared_error_falls_by_and_fall_themselves(values):
    x = torch.tensor(values, dtype=torch.float64)
    nothing = torch.zeros_like(x)
    found = list(all_gains(x, nothing, torch.arange(len(x))))
    gained = torch.zeros_like(x)
    last = torch.full_like(x, torch.inf)
    for places, gains in found:
        assert bool((gains > 0).all())
        assert bool((gains <= last[places] / 8).all())
        last[places] = gains
        gained[places] += gains
    sums, counts = summed(x, nothing)
    assert torch.allclose(gained, x**2 - (x - sums) ** 2, rtol=1e-12)
    assert sum(len(places) for places, _ in found) == counts.sum()


def test_gains_below_the_least_are_left_out():
    x = torch.tensor([9.0, 8.0, 1.0])
    assert gain(torch.tensor(9.0), torch.tensor(8.0)) == 81 - 1
    found = list(all_gains(x, torch.full_like(x, 1.0), torch.tensor([0, 2])))
    assert [(places.tolist(), gains.tolist()) for places, gains in found] == [([0], [80.0]), ([], [])]
