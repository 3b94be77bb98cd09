"""Sums of signed powers of two are the nearest that greed finds, and of integers the canonical signed digits."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fpgaprune.digits import signed_digits
from fpgaprune.quantise.joint.expansion import expanded, gains, nearest_power

POWERS = [0.0] + [sign * 2.0**place for place in range(12) for sign in (1, -1)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_integers_have_their_canonical_digits(dtype):
    x = torch.arange(-1100, 1101, dtype=dtype)
    terms = expanded(x, 6)
    assert torch.equal(terms.sum(0), x)
    assert np.array_equal((terms != 0).sum(0).numpy(), signed_digits(x.long().numpy()))
    assert set(terms.flatten().tolist()) <= set(POWERS)


@given(st.floats(-1500, 1500, width=32))
def test_no_power_is_nearer(x):
    distances = [abs(x - power) for power in POWERS if power == 0 or abs(x) >= 0.5]
    assert abs(x - nearest_power(torch.tensor(x)).item()) == min(distances)


def test_halfway_the_larger_power_is_taken():
    x = torch.tensor([0.5, -0.5, 0.49, 1.5, 3.0, -6.0, 0.0])
    assert nearest_power(x).tolist() == [1, -1, 0, 2, 4, -8, 0]


@given(st.lists(st.floats(-1000, 1000, width=32), min_size=1, max_size=20))
def test_gains_are_what_the_squared_error_falls_by_and_fall_themselves(values):
    x = torch.tensor(values, dtype=torch.float64)
    terms = expanded(x, 5)
    gained = gains(x, terms)
    errors = [((x - terms[:count].sum(0)) ** 2) for count in range(6)]
    assert torch.allclose(gained.sum(0), errors[0] - errors[5], rtol=1e-12)
    assert bool((gained >= 0).all())
    assert bool((gained[:-1] * (1 + 1e-12) >= gained[1:]).all())
    assert bool((gained[terms == 0] == 0).all())
