"""The expected cost of weights, and the price at which a budget holds."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from fpgaprune.digits import signed_digits
from fpgaprune.fixed import Fixed, Overflow, Rounding
from fpgaprune.quantise.compression import Compression, Cost, Granularity
from fpgaprune.quantise.joint.control import Control
from fpgaprune.quantise.joint.cost import Priced, expected_digits
from fpgaprune.quantise.joint.digit_grid import DigitGrid
from fpgaprune.quantise.joint.prices import press
from fpgaprune.quantise.joint.result_grid import ResultBits
from fpgaprune.quantise.joint.width_grid import WidthGrid

S8 = Fixed(True, 8, 6, Rounding.RND_CONV, Overflow.SAT)
U4 = Fixed(False, 4, 4, Rounding.RND, Overflow.SAT)


def digits(*weights, sources=None):
    named = {f"fc{number}": nn.Parameter(torch.tensor(weight)) for number, weight in enumerate(weights)}
    grid = DigitGrid(dict.fromkeys(named, S8), {name: tuple(weight.shape) for name, weight in named.items()})
    return Priced(named, grid, dict(zip(named, sources or [4] * len(named), strict=True)), Cost.ADDER_BITS)


def widths(weight, source=4, cost=Cost.ADDER_BITS, bits=None):
    grid = WidthGrid({"fc": S8}, {"fc": tuple(weight.shape)}, Granularity.WEIGHT)
    return Priced({"fc": weight}, grid, {"fc": source}, cost, bits)


def cost_of(priced):
    return float(priced.total().detach())


def random_layers():
    source = torch.Generator().manual_seed(1)
    return digits(*((torch.randn(shape, generator=source) * 0.4).tolist() for shape in ((8, 12), (4, 8))))


@pytest.mark.parametrize("bits", range(1, 13))
def test_expected_digits_are_the_mean_over_all_numbers_of_so_many_bits(bits):
    mean = signed_digits(np.arange(2 ** (bits - 1), 2**bits)).mean()
    assert expected_digits(torch.tensor(float(bits))).item() == pytest.approx(mean, abs=0.06)


def test_no_bits_are_no_digits():
    assert expected_digits(torch.tensor(0.0)).item() == 0


def test_adder_bits_are_digits_times_the_width_of_their_sums():
    priced = digits([[9 / 64, 0.0, 8 / 64], [0.0, 0.0, -7 / 64]])  # 2 + 1 + 2 digits in two rows
    assert cost_of(priced) == pytest.approx(5 * (4 + np.log2(1 + 5 / 2) / 2))


def test_effective_bit_operations_are_bits_times_bits_with_gradients_to_both():
    results = ResultBits({"x": U4})
    priced = widths(nn.Parameter(torch.tensor([[0.75, 0.25, 0.0]])), results.grids()["x"], Cost.EBOPS, results)
    cost = priced.total()
    assert cost.item() == (6 + 5) * 4
    cost.backward()
    assert priced.grid.scaled.grad.tolist() == [-16 * 4, -16 * 4, 0]
    assert results.scaled.grad.item() == -16 * 11


@pytest.mark.parametrize("share", [0.9, 0.5, 0.1, 0.01, 0.0])
def test_a_budget_is_kept_and_hardly_more_is_saved(share):
    priced = random_layers()
    full = cost_of(priced)
    for _ in range(2):  # the second time with the prices of the first
        press(priced, share * full)
        cost = cost_of(priced)
        widest = max(priced.digit_bits(name, 96.0).item() for name in priced.weights)
        assert share * full - 2 * widest <= cost <= share * full


def test_prices_fall_where_a_budget_leaves_room():
    priced = random_layers()
    full = cost_of(priced)
    press(priced, 0.1 * full)
    press(priced, 0.8 * full)
    assert cost_of(priced) > 0.75 * full
    press(priced, 1.001 * full)
    assert priced.grid.price.tolist() == [0, 0]


def test_the_digits_that_stay_are_worth_most_for_a_bit_of_an_adder():
    priced = digits([[8 / 64]], [[8.5 / 64]], sources=(2, 16))
    press(priced, 5.0)
    assert [counts.item() for counts in priced.grid.counts(priced.weights).values()] == [1, 0]


def test_a_network_of_zeros_keeps_every_budget():
    priced = digits([[0.0]])
    press(priced, 0.5)
    assert cost_of(priced) == 0


def test_the_cost_that_is_wanted_falls_from_start_to_end():
    priced = random_layers()
    full = cost_of(priced)
    control = Control(Compression(budget=full / 4, start=0.25, end=0.75), priced, steps=160)
    costs, wanted = [], []
    for _ in range(160):
        control.step()
        costs.append(cost_of(priced))
        wanted.append(control.wanted())
    assert costs[38] == full > costs[42]
    assert all(cost <= bound for cost, bound in zip(costs[42:], wanted[42:], strict=True))
    assert wanted[-1] == wanted[120] == full / 4 < wanted[100]


def test_the_worth_of_a_unit_rises_while_the_cost_is_too_high_and_falls_below():
    weight = nn.Parameter(torch.full((4, 4), 0.75))
    control = Control(Compression("widths", budget=10, start=0, end=0), widths(weight), steps=160)
    for _ in range(32):
        control.step()
    high = float(control.worth)
    with torch.no_grad():
        weight.fill_(0)
    for _ in range(48):
        control.step()
    assert 0 < control.worth < high


def test_gradients_of_bits_are_charged_what_the_cost_is_worth_while_training_runs():
    weight = nn.Parameter(torch.full((1, 2), 0.75))
    priced = widths(weight, cost=Cost.EBOPS)
    control = Control(Compression("widths", "ebops", strength=0.5, start=0, end=0), priced, steps=160)
    control.step()
    with control.charging():
        priced.grid({"fc": weight})["fc"].sum().backward()
    assert priced.grid.scaled.grad.tolist() == [-16 * 4 * 0.5] * 2  # nothing is lost by rounding 0.75
    priced.grid.scaled.grad = None
    priced.grid({"fc": weight})["fc"].sum().backward()
    assert priced.grid.scaled.grad.tolist() == [0, 0]
