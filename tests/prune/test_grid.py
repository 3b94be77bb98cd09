"""Rounding in torch is rounding in integers, in every mode, and its gradient sees through it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from fpgaprune.fixed import Fixed, Overflow, Rounding, from_float, to_float
from fpgaprune.prune.grid import FixedGrid, to_grid, to_step


def halves(fraction):
    """Multiples of a quarter step, ties included, and their neighbours among the float64 numbers."""
    quarters = np.arange(1, 71) * math.ldexp(1.0, -fraction - 2)
    above = np.concatenate([quarters, np.nextafter(quarters, 0), np.nextafter(quarters, np.inf), [1e-300, 1e9]])
    return np.concatenate([above, -above, [0.0]])


@pytest.mark.parametrize("overflow", [Overflow.SAT, Overflow.SAT_SYM])
@pytest.mark.parametrize("rounding", list(Rounding))
@pytest.mark.parametrize(("signed", "width", "fraction"), [(True, 5, 2), (False, 4, 0), (True, 1, -1), (False, 3, 7)])
def test_every_mode_rounds_as_the_integers_do(rounding, overflow, signed, width, fraction):
    to = Fixed(signed, width, fraction, rounding, overflow)
    values = halves(fraction)
    expected = to_float(from_float(values, to), fraction)
    assert np.array_equal(to_grid(torch.tensor(values), to).numpy(), expected)


@pytest.mark.parametrize("rounding", list(Rounding))
@pytest.mark.parametrize("fraction", [-120, 126, 127])
def test_the_smallest_steps_of_float32_are_rounded_to_as_well(rounding, fraction):
    to = Fixed(True, 5, fraction, rounding, Overflow.SAT)
    values = np.ldexp(np.arange(-8, 9) / 2, -fraction)
    expected = to_float(from_float(values, to), fraction)
    assert np.array_equal(to_grid(torch.tensor(values, dtype=torch.float32), to).double().numpy(), expected)


@pytest.mark.parametrize("rounding", list(Rounding))
def test_rounding_is_exact_at_the_widest_mantissas(rounding):
    values = (2.0**52 - np.arange(1.0, 9.0)) / 2
    to = Fixed(True, 53, 0, rounding, Overflow.SAT)
    expected = to_float(from_float(np.concatenate([values, -values]), to), 0)
    assert np.array_equal(to_grid(torch.tensor(np.concatenate([values, -values])), to).numpy(), expected)


def test_the_gradient_passes_inside_the_range_and_stops_outside():
    x = torch.tensor([-9.0, -1.0, 0.3, 3.74, 3.76], requires_grad=True)
    y = to_grid(x, Fixed(True, 4, 1, Rounding.RND, Overflow.SAT))
    y.backward(torch.full((5,), 2.0))
    assert y.tolist() == [-4, -1, 0.5, 3.5, 3.5]
    assert x.grad.tolist() == [0, 2, 2, 2, 0]


def test_the_gradient_passes_between_the_ends_of_a_clip_alone():
    x = torch.tensor([-1.0, 0.0, 0.3, 1.4, 1.5, 9.0], requires_grad=True)
    y = FixedGrid(Fixed(False, 4, 2, Rounding.RND, Overflow.SAT))(x, (0.0, 1.5))
    y.sum().backward()
    assert y.tolist() == [0, 0, 0.25, 1.5, 1.5, 1.5]
    assert x.grad.tolist() == [0, 0, 1, 1, 0, 0]


@pytest.mark.parametrize(("ends", "expected"), [((-9.0, -5.0), 0.0), ((5.0, 9.0), 3.75)])
def test_a_clip_beyond_the_format_leaves_one_value(ends, expected):
    grid = FixedGrid(Fixed(False, 4, 2, Rounding.RND, Overflow.SAT))
    assert grid(torch.tensor([-20.0, 0.5, 20.0]), ends).tolist() == [expected] * 3


def test_a_step_without_limits_rounds_half_to_even_and_lets_every_gradient_pass():
    x = torch.tensor([0.25, 0.75, -1e6], requires_grad=True)
    y = to_step(x, 1)
    y.sum().backward()
    assert y.tolist() == [0, 1, -1e6]
    assert x.grad.tolist() == [1, 1, 1]


def test_wrapping_formats_have_no_place_here():
    with pytest.raises(AssertionError):
        to_grid(torch.ones(1), Fixed(True, 4, 1))
