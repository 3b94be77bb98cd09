"""The expected cost of weights, and the price at which a budget holds."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from fpgaprune.digits import signed_digits
from fpgaprune.fixed import Fixed, Overflow, Rounding
from fpgaprune.quantise.compression import Compression, Cost, Granularity
from fpgaprune.quantise.joint.control import Control, press
from fpgaprune.quantise.joint.cost import Priced, expected_digits, total
from fpgaprune.quantise.joint.grids import DigitGrid, ResultGrid, WidthGrid

S8 = Fixed(True, 8, 6, Rounding.RND_CONV, Overflow.SAT)
U4 = Fixed(False, 4, 4, Rounding.RND, Overflow.SAT)


def digits(weight, source=4, name="fc"):
    return Priced(name, nn.Parameter(torch.tensor(weight)), DigitGrid(S8), source)


def random_layers():
    source = torch.Generator().manual_seed(1)
    return [digits((torch.randn(shape, generator=source) * 0.4).tolist()) for shape in ((8, 12), (4, 8))]


@pytest.mark.parametrize("bits", range(1, 13))
def test_expected_digits_are_the_mean_over_all_numbers_of_so_many_bits(bits):
    mean = signed_digits(np.arange(2 ** (bits - 1), 2**bits)).mean()
    assert expected_digits(torch.tensor(float(bits))).item() == pytest.approx(mean, abs=0.06)


def test_no_bits_are_no_digits():
    assert expected_digits(torch.tensor(0.0)).item() == 0


def test_adder_bits_are_digits_times_the_width_of_their_sums():
    layer = digits([[9 / 64, 0.0, 8 / 64], [0.0, 0.0, -7 / 64]])  # 2 + 1 + 2 digits in two rows
    assert total([layer], Cost.ADDER_BITS).item() == pytest.approx(5 * (4 + np.log2(1 + 5 / 2) / 2))


def test_effective_bit_operations_are_bits_times_bits_with_gradients_to_both():
    weight = nn.Parameter(torch.tensor([[0.75, 0.25, 0.0]]))
    grid, source = WidthGrid(S8, weight, Granularity.WEIGHT), ResultGrid(U4)
    cost = total([Priced("fc", weight, grid, source)], Cost.EBOPS)
    assert cost.item() == (6 + 5) * 4
    cost.backward()
    assert grid.scaled.grad.tolist() == [[-16 * 4, -16 * 4, 0]]
    assert source.scaled.grad.item() == -16 * 11


@pytest.mark.parametrize("share", [0.9, 0.5, 0.1, 0.01, 0.0])
def test_a_budget_is_kept_and_hardly_more_is_saved(share):
    layers = random_layers()
    full = float(total(layers, Cost.ADDER_BITS).detach())
    press(layers, share * full)
    cost = float(total(layers, Cost.ADDER_BITS).detach())
    assert cost <= share * full
    widest = max(float(layer.digit_bits(96.0).detach()) for layer in layers)
    assert cost >= share * full * 0.7 - widest  # sums were priced as wide as they were before


def test_the_digits_that_stay_are_worth_most_for_a_bit_of_an_adder():
    cheap, dear = digits([[8 / 64]], source=2), digits([[8.5 / 64]], source=16)
    press([cheap, dear], 5.0)
    assert [layer.grid.counts(layer.weight).item() for layer in (cheap, dear)] == [1, 0]


def test_the_cost_that_is_wanted_falls_from_start_to_end():
    layers = random_layers()
    full = float(total(layers, Cost.ADDER_BITS).detach())
    control = Control(Compression(budget=full / 4, start=0.25, end=0.75), layers, steps=160)
    costs, wanted = [], []
    for _ in range(160):
        control.step()
        costs.append(float(total(layers, Cost.ADDER_BITS).detach()))
        wanted.append(control.wanted())
    assert costs[38] == full > costs[42]
    assert all(cost <= bound for cost, bound in zip(costs[42:], wanted[42:], strict=True))
    assert wanted[-1] == wanted[120] == full / 4 < wanted[100]


def test_the_worth_of_a_unit_rises_while_the_cost_is_too_high_and_falls_below():
    weight = nn.Parameter(torch.full((4, 4), 0.75))
    layer = Priced("fc", weight, WidthGrid(S8, weight, Granularity.WEIGHT), 4)
    control = Control(Compression("widths", budget=10, start=0, end=0), [layer], steps=160)
    for _ in range(32):
        control.step()
    high = float(control.worth)
    with torch.no_grad():
        weight.fill_(0)
    for _ in range(48):
        control.step()
    assert 0 < control.worth < high
