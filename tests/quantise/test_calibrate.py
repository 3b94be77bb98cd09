"""The binary point: what covers, what clips, and what has the least error."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fpgaprune.fixed import Fixed, Overflow, Rounding, from_float, to_float
from fpgaprune.quantise.calibrate import MOST_FRACTION, choose, describe
from fpgaprune.quantise.recipe import Calibration


def empty(width, signed=True):
    return Fixed(signed, width, 0, Rounding.RND_CONV, Overflow.SAT)


def fraction(values, width, method=Calibration.MINMAX, *, signed=True, percentile=99.0):
    return choose(np.array(values), empty(width, signed), method, percentile).fraction


@pytest.mark.parametrize(
    ("values", "width", "signed", "expected"),
    [
        ([1.0], 8, True, 6),  # 64 of 127; 128 would saturate
        ([-1.0], 8, True, 7),  # -128 is in range
        ([127 / 64], 8, True, 6),
        ([127.4 / 64], 8, True, 6),  # rounds to 127
        ([127.6 / 64], 8, True, 5),  # would round to 128
        ([255.0], 8, False, 0),
        ([300.0], 8, False, -1),
        ([1e-3], 8, True, 16),
        ([-0.3, 0.9], 4, True, 3),
        ([0.3], 1, False, 2),
    ],
)
def test_minmax_takes_the_finest_step_with_which_nothing_saturates(values, width, signed, expected):
    assert fraction(values, width, signed=signed) == expected
    chosen = choose(np.array(values), empty(width, signed), Calibration.MINMAX, 99.0)
    finer = replace(chosen, fraction=expected + 1)
    assert describe("l", "t", np.array(values), chosen).saturated == 0
    assert describe("l", "t", np.array(values), finer).saturated > 0


def test_percentile_sacrifices_the_outliers():
    values = np.concatenate([np.linspace(-1, 1, 999), [50.0]])
    assert fraction(values, 8) == 1
    assert fraction(values, 8, Calibration.PERCENTILE, percentile=99.0) == 7
    assert fraction(values, 8, Calibration.PERCENTILE, percentile=100.0) == 1


def test_mse_takes_the_least_squared_error_of_all_fractions():
    rng = np.random.default_rng(0)
    for width in (2, 3, 6):
        values = rng.standard_t(3, size=500)
        errors = {
            each: np.mean((values - to_float(from_float(values, to), each)) ** 2)
            for each in range(-8, 12)
            for to in [replace(empty(width), fraction=each)]
        }
        assert fraction(values, width, Calibration.MSE) == min(errors, key=errors.get)
        assert fraction(values, width, Calibration.MSE) >= fraction(values, width)
    assert fraction(values, 3, Calibration.MSE) > fraction(values, 3)


def test_of_equal_errors_the_wider_range_wins():
    assert fraction([1.0, 0.5], 8, Calibration.MSE) == fraction([1.0, 0.5], 8) == 6


@pytest.mark.parametrize("method", list(Calibration))
def test_zeros_and_extremes_have_a_format_too(method):
    assert fraction([0.0, 0.0], 8, method) == 7
    assert fraction(np.zeros(0), 8, method, signed=False) == 8
    assert fraction([1e-300], 8, method) == MOST_FRACTION
    assert fraction([1e300], 8, method) == -MOST_FRACTION


def test_a_choice_tells_its_error_and_what_saturates():
    choice = describe("fc", "weight", np.array([0.25, 0.5, 3.0, -9.0]), replace(empty(3), fraction=1))
    assert (choice.layer, choice.tensor) == ("fc", "weight")
    assert choice.saturated == 0.5  # 3.0 and -9.0 lie beyond -2…1.5
    assert describe("fc", "weight", np.array([-2.24, 1.74]), replace(empty(3), fraction=1)).saturated == 0
    assert choice.rms_error == pytest.approx(np.sqrt((0.25**2 + 1.5**2 + 7**2) / 4))
    assert describe("fc", "weight", np.zeros(0), empty(3)).rms_error == 0


def test_large_tensors_are_thinned_without_changing_the_choice():
    values = np.tile(np.linspace(-1, 1, 1 << 10), 1 << 11)
    assert fraction(values, 8, Calibration.MSE) == fraction(values[: 1 << 10], 8, Calibration.MSE)
