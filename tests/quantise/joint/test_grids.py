"""Trained grids: which values they let through, and which way their gradients point."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from fpgaprune.fixed import Fixed, Overflow, Rounding
from fpgaprune.prune.grid import to_grid
from fpgaprune.quantise.compression import Granularity
from fpgaprune.quantise.joint.grids import DigitGrid, ResultGrid, WidthGrid

S8 = Fixed(True, 8, 6, Rounding.RND_CONV, Overflow.SAT)
U4 = Fixed(False, 4, 3, Rounding.RND, Overflow.SAT)


def test_without_a_price_every_digit_of_the_grid_stays():
    weight = nn.Parameter(torch.linspace(-1.9, 1.9, 301))
    grid = DigitGrid(S8)
    assert torch.equal(grid(weight), to_grid(weight.detach(), S8))


def test_digits_that_gain_less_than_the_price_go():
    weight = nn.Parameter(torch.tensor([9.0, -7.0, 2.0, 0.4]) / 64)
    grid = DigitGrid(S8)
    assert grid.counts(weight).tolist() == [2, 2, 1, 0]
    grid.price.fill_(1.0)  # that of the one in 9 = 8 + 1 and -7 = -8 + 1
    assert (grid(weight) * 64).tolist() == [8, -8, 2, 0]
    assert grid.counts(weight).tolist() == [1, 1, 1, 0]
    grid.price.fill_(4.0)
    assert (grid(weight) * 64).tolist() == [8, -8, 0, 0]


def test_gradients_pass_a_digit_grid_and_new_weights_are_rounded_anew():
    weight = nn.Parameter(torch.tensor([9.0, 3.0]) / 64)
    grid = DigitGrid(S8)
    grid.price.fill_(2.0)
    grid(weight).backward(torch.tensor([2.0, -3.0]))
    assert weight.grad.tolist() == [2, -3]
    with torch.no_grad():
        weight.mul_(2)
    assert (grid(weight) * 64).tolist() == [18, 6]


def test_an_allotment_of_digits_outlasts_the_price():
    weight = nn.Parameter(torch.tensor([11.0, 11.0, 11.0]) / 64)
    grid = DigitGrid(S8)
    grid.price.fill_(1e9)
    grid.allotted = torch.tensor([0, 1, 2])
    assert (grid(weight) * 64).tolist() == [0, 8, 12]


@pytest.mark.parametrize(
    ("granularity", "shape"),
    [(Granularity.LAYER, (1, 1)), (Granularity.CHANNEL, (2, 1)), (Granularity.WEIGHT, (2, 3))],
)
def test_what_shares_a_width(granularity, shape):
    grid = WidthGrid(S8, torch.zeros(2, 3), granularity)
    assert tuple(grid.dropped.shape) == shape


def test_dropped_bits_coarsen_the_step_and_no_bit_is_left_of_zero():
    weight = nn.Parameter(torch.tensor([[0.75, 0.3, 0.02]]))
    grid = WidthGrid(S8, weight, Granularity.WEIGHT)
    assert torch.equal(grid(weight), to_grid(weight.detach(), S8))
    assert grid.bits(weight).tolist() == [[6, 5, 1]]
    with torch.no_grad():
        grid.scaled.copy_(torch.tensor([[4.0, 4.4, 4.0]]) / 16)
    assert grid(weight).tolist() == [[0.75, 0.25, 0.0]]
    assert grid.bits(weight).tolist() == [[2, 1, 0]]


def test_bits_of_a_shared_width_reach_up_to_the_largest_weight():
    weight = nn.Parameter(torch.tensor([[0.75, 0.25, 0.0], [0.25, 0.0, 0.0]]))
    assert WidthGrid(S8, weight, Granularity.LAYER).bits(weight).tolist() == [[6, 6, 0], [6, 0, 0]]
    assert WidthGrid(S8, weight, Granularity.CHANNEL).bits(weight).tolist() == [[6, 6, 0], [5, 0, 0]]


def test_the_gradient_of_a_width_is_that_of_the_rounding_error():
    weight = nn.Parameter(torch.tensor([0.3]))
    grid = WidthGrid(S8, weight, Granularity.WEIGHT)
    with torch.no_grad():
        grid.scaled.fill_(4.0 / 16)  # a step of 1/4
    grid(weight).backward()
    assert weight.grad.tolist() == [1]
    slope = -math.log(2) * (0.3 - 0.25) * 16
    assert grid.scaled.grad.item() == pytest.approx(slope, rel=1e-6)


def test_each_bit_costs_one_bit():
    weight = nn.Parameter(torch.tensor([0.75, 0.0]))
    grid = WidthGrid(S8, weight, Granularity.WEIGHT)
    grid.bits(weight).sum().backward()
    assert grid.scaled.grad.tolist() == [-16, 0]


def test_lost_bits_stay_between_none_and_all():
    grid = WidthGrid(S8, torch.zeros(2), Granularity.WEIGHT)
    with torch.no_grad():
        grid.scaled.copy_(torch.tensor([-1.0, 99.0]))
    grid.limit_()
    assert grid.dropped.tolist() == [0, 8]


def test_results_keep_their_range_and_one_bit_at_least():
    grid = ResultGrid(U4)
    x = torch.tensor([0.3, 1.2, 9.0])
    assert grid(x).tolist() == [0.25, 1.25, 1.875]
    with torch.no_grad():
        grid.scaled.fill_(2.0 / 16)
    assert grid.format == Fixed(False, 2, 1, Rounding.RND, Overflow.SAT)
    assert grid(x).tolist() == [0.5, 1.0, 1.5]
    assert grid.bits().item() == 2
    with torch.no_grad():
        grid.scaled.fill_(99.0)
    grid.limit_()
    assert grid.format.width == 1


def test_what_saturates_has_no_gradient_to_its_width():
    grid = ResultGrid(U4)
    x = torch.tensor([0.3, 9.0], requires_grad=True)
    grid(x).sum().backward()
    assert x.grad.tolist() == [1, 0]
    assert grid.scaled.grad.item() == pytest.approx(-math.log(2) * (0.3 - 0.25) * 16, rel=1e-5)
