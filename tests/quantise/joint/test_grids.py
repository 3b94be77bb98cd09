"""Trained grids: which values they let through, and which way their gradients point."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from fpgaprune.errors import InputError
from fpgaprune.fixed import Fixed, Overflow, Rounding
from fpgaprune.prune.grid import to_grid
from fpgaprune.quantise.compression import Granularity
from fpgaprune.quantise.joint.digit_grid import DigitGrid
from fpgaprune.quantise.joint.result_grid import ResultBits
from fpgaprune.quantise.joint.width_grid import WidthGrid

S8 = Fixed(True, 8, 6, Rounding.RND_CONV, Overflow.SAT)
S6 = Fixed(True, 6, 3, Rounding.RND_CONV, Overflow.SAT)
U4 = Fixed(False, 4, 3, Rounding.RND, Overflow.SAT)


class One:
    """A grid of several layers for the weight of one."""

    def __init__(self, grid):
        self.grid = grid

    def __call__(self, weight):
        return self.grid({"fc": weight})["fc"]

    def counts(self, weight):
        return self.grid.counts({"fc": weight})["fc"]

    def bits(self, weight):
        return self.grid.bits({"fc": weight})["fc"]


def digit_grid(weight):
    return One(DigitGrid({"fc": S8}, {"fc": tuple(weight.shape)}))


def width_grid(weight, granularity=Granularity.WEIGHT):
    return One(WidthGrid({"fc": S8}, {"fc": tuple(weight.shape)}, granularity))


def result_grid():
    bits = ResultBits({"fc": U4})
    return bits, bits.grids()["fc"]


def test_without_a_price_every_digit_of_the_grid_stays():
    weight = nn.Parameter(torch.linspace(-1.9, 1.9, 301))
    grid = digit_grid(weight)
    assert torch.equal(grid(weight), to_grid(weight.detach(), S8))


def test_digits_that_gain_less_than_the_price_go():
    weight = nn.Parameter(torch.tensor([9.0, -7.0, 2.0, 0.4]) / 64)
    grid = digit_grid(weight)
    assert grid.counts(weight).tolist() == [2, 2, 1, 0]
    grid.grid.price.fill_(1.0)  # that of the one in 9 = 8 + 1 and -7 = -8 + 1
    assert (grid(weight) * 64).tolist() == [8, -8, 2, 0]
    assert grid.counts(weight).tolist() == [1, 1, 1, 0]
    grid.grid.price.fill_(4.0)
    assert (grid(weight) * 64).tolist() == [8, -8, 0, 0]


def test_gradients_pass_a_digit_grid_and_new_weights_are_rounded_anew():
    weight = nn.Parameter(torch.tensor([9.0, 3.0]) / 64)
    grid = digit_grid(weight)
    grid.grid.price.fill_(2.0)
    grid(weight).backward(torch.tensor([2.0, -3.0]))
    assert weight.grad.tolist() == [2, -3]
    with torch.no_grad():
        weight.mul_(2)
    assert (grid(weight) * 64).tolist() == [18, 6]


def test_an_allotment_of_digits_outlasts_the_price_and_the_weights():
    weight = nn.Parameter(torch.tensor([11.0, 9.0, 0.1]) / 64)
    grid = digit_grid(weight)
    grid.grid.price.fill_(2.0)
    assert grid.counts(weight).tolist() == [2, 1, 0]
    grid.grid.allot({"fc": weight})
    grid.grid.price.fill_(1e9)
    assert (grid(weight) * 64).tolist() == [12, 8, 0]
    other = nn.Parameter(torch.tensor([21.0, 21.0, 21.0]) / 64)
    assert (grid(other) * 64).tolist() == [20, 16, 0]


def test_layers_are_rounded_together_each_by_its_own_format_and_price():
    weights = {"a": torch.tensor([9.0, 3.0]), "b": torch.tensor([[9.0], [3.0]]) / 8}
    grid = DigitGrid({"a": S8, "b": S6}, {name: tuple(weight.shape) for name, weight in weights.items()})
    weights["a"] /= 64
    grid.price.copy_(torch.tensor([0.0, 2.0]))
    assert (grid(weights)["a"] * 64).tolist() == [9, 3]
    assert (grid(weights)["b"] * 8).tolist() == [[8], [4]]


@pytest.mark.parametrize(
    ("granularity", "count"),
    [(Granularity.LAYER, 1), (Granularity.CHANNEL, 2), (Granularity.WEIGHT, 6)],
)
def test_what_shares_a_width(granularity, count):
    assert len(width_grid(torch.zeros(2, 3), granularity).grid.dropped) == count


@pytest.mark.parametrize("granularity", list(Granularity))
def test_what_shares_a_width_shares_its_gradient(granularity):
    weights = {"a": nn.Parameter(torch.randn(3, 2, 2)), "b": nn.Parameter(torch.randn(2, 5))}
    grid = WidthGrid({"a": S8, "b": S6}, {name: tuple(weight.shape) for name, weight in weights.items()}, granularity)
    with torch.no_grad():
        grid.scaled.fill_(3.0 / 16)
    sums = [rounded.sum() for rounded in grid(weights).values()]
    (sums[0] + 2 * sums[1]).backward()
    for (name, weight), fraction, factor in zip(weights.items(), (3, 0), (1, 2), strict=True):
        errors = (weight - to_grid(weight, Fixed(True, 20, fraction, Rounding.RND_CONV, Overflow.SAT))).detach()
        shared = {Granularity.LAYER: (-1,), Granularity.CHANNEL: (len(weight), -1), Granularity.WEIGHT: (-1, 1)}
        wanted = errors.reshape(shared[granularity]).sum(-1).flatten() * (-math.log(2) * 16 * factor)
        size = len(wanted)
        found = grid.scaled.grad[:size] if name == "a" else grid.scaled.grad[-size:]
        assert torch.allclose(found, wanted, rtol=1e-4, atol=1e-4)


def test_steps_are_powers_of_two_exactly():
    weight = torch.tensor([1.0]) / 3
    for dropped in range(-40, 41):
        grid = WidthGrid({"fc": Fixed(True, 8, 0)}, {"fc": (1,)}, Granularity.WEIGHT)
        with torch.no_grad():
            grid.scaled.fill_(dropped / 16)
        step = 2.0**dropped
        assert grid({"fc": weight * step * 1000})["fc"].item() == 333 * step


@pytest.mark.parametrize("fraction", [127, 8 - 126])
def test_the_farthest_steps_are_exact(fraction):
    to = Fixed(True, 8, fraction, Rounding.RND_CONV, Overflow.SAT)
    grid, weight = WidthGrid({"fc": to}, {"fc": (1,)}, Granularity.WEIGHT), torch.tensor([math.ldexp(5.0, -fraction)])
    assert torch.equal(grid({"fc": weight})["fc"], weight)
    for beyond in (fraction + 1, fraction - 1):
        if not 8 - 126 <= beyond <= 127:
            with pytest.raises(InputError, match="scale the weights"):
                WidthGrid({"fc": replace(to, fraction=beyond)}, {"fc": (1,)}, Granularity.WEIGHT)


def test_values_are_those_of_training_where_there_are_no_gradients():
    weight = nn.Parameter(torch.linspace(-1.9, 1.9, 301))
    grid, (bits, results) = width_grid(weight), result_grid()
    with torch.no_grad():
        grid.grid.scaled.fill_(3 / 16)
        bits.scaled.fill_(1 / 16)
        found = grid(weight), results(weight)
    assert torch.equal(found[0], grid(weight))
    assert torch.equal(found[1], results(weight))
    assert not any(each.requires_grad for each in found)


def test_dropped_bits_coarsen_the_step_and_no_bit_is_left_of_zero():
    weight = nn.Parameter(torch.tensor([[0.75, 0.3, 0.02]]))
    grid = width_grid(weight)
    assert torch.equal(grid(weight), to_grid(weight.detach(), S8))
    assert grid.bits(weight).tolist() == [[6, 5, 1]]
    with torch.no_grad():
        grid.grid.scaled.copy_(torch.tensor([4.0, 4.4, 4.0]) / 16)
    assert grid(weight).tolist() == [[0.75, 0.25, 0.0]]
    assert grid.bits(weight).tolist() == [[2, 1, 0]]


def test_bits_of_a_shared_width_reach_up_to_the_largest_weight():
    weight = nn.Parameter(torch.tensor([[0.75, 0.25, 0.0], [0.25, 0.0, 0.0]]))
    assert width_grid(weight, Granularity.LAYER).bits(weight).tolist() == [[6, 6, 0], [6, 0, 0]]
    assert width_grid(weight, Granularity.CHANNEL).bits(weight).tolist() == [[6, 6, 0], [5, 0, 0]]


def test_the_gradient_of_a_width_is_that_of_the_rounding_error():
    weight = nn.Parameter(torch.tensor([0.3]))
    grid = width_grid(weight)
    with torch.no_grad():
        grid.grid.scaled.fill_(4.0 / 16)  # a step of 1/4
    grid(weight).backward()
    assert weight.grad.tolist() == [1]
    slope = -math.log(2) * (0.3 - 0.25) * 16
    assert grid.grid.scaled.grad.item() == pytest.approx(slope, rel=1e-6)


def test_each_bit_costs_one_bit():
    weight = nn.Parameter(torch.tensor([0.75, 0.0]))
    grid = width_grid(weight)
    grid.bits(weight).sum().backward()
    assert grid.grid.scaled.grad.tolist() == [-16, 0]


def test_lost_bits_stay_between_none_and_all():
    grid = width_grid(torch.zeros(2))
    with torch.no_grad():
        grid.grid.scaled.copy_(torch.tensor([-1.0, 99.0]))
    grid.grid.limit_()
    assert grid.grid.dropped.tolist() == [0, 8]


def test_results_keep_their_range_and_one_bit_at_least():
    bits, grid = result_grid()
    x = torch.tensor([0.3, 1.2, 9.0])
    assert grid(x).tolist() == [0.25, 1.25, 1.875]
    with torch.no_grad():
        bits.scaled.fill_(2.0 / 16)
    assert grid.format == Fixed(False, 2, 1, Rounding.RND, Overflow.SAT)
    assert grid(x).tolist() == [0.5, 1.0, 1.5]
    assert grid.bits().item() == 2
    with torch.no_grad():
        bits.scaled.fill_(99.0)
    bits.limit_()
    assert grid.format.width == 1


def test_what_saturates_has_no_gradient_to_its_width():
    bits, grid = result_grid()
    x = torch.tensor([0.3, 9.0], requires_grad=True)
    grid(x).sum().backward()
    assert x.grad.tolist() == [1, 0]
    assert bits.scaled.grad.item() == pytest.approx(-math.log(2) * (0.3 - 0.25) * 16, rel=1e-5)


def test_what_is_clipped_has_no_gradient():
    bits, grid = result_grid()
    x = torch.tensor([-0.3, 0.3, 1.3], requires_grad=True)
    y = grid(x, (0.0, 1.0))
    y.sum().backward()
    assert y.tolist() == [0, 0.25, 1]
    assert x.grad.tolist() == [0, 1, 0]
    assert bits.scaled.grad.item() == pytest.approx(-math.log(2) * (0.3 - 0.25) * 16, rel=1e-5)


def test_each_result_has_its_own_width():
    bits = ResultBits({"a": U4, "b": U4})
    grids = bits.grids()
    with torch.no_grad():
        bits.scaled[1] = 2.0 / 16
    assert [grid.format.width for grid in grids.values()] == [4, 2]
    grids["b"](torch.tensor([0.3])).sum().backward()
    assert bits.scaled.grad.tolist() == [0, pytest.approx(-math.log(2) * (0.3 - 0.5) * 16, rel=1e-5)]
