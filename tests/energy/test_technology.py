"""The constants follow from the published ones by the stated scaling."""

from __future__ import annotations

import pytest

from fpgaprune.board import Family
from fpgaprune.energy.technology import TECHNOLOGIES, costs


def test_every_family_has_a_technology():
    assert TECHNOLOGIES.keys() == set(Family)


def test_the_energies_of_7_series_by_hand():
    """28 / 45 of the capacitance at 1.0 V against 0.9 V: 0.768 of the energy."""
    found = costs(Family.XC7)
    assert found.logic == pytest.approx((0.00375 + 0.003125) / 2 / 0.5 * 0.76818 * 14, rel=1e-4)
    assert found.hard_product == pytest.approx((0.003125 + 0.0030273) / 2 / 0.5 * 0.76818 * 7, rel=1e-4)
    assert found.bram_bit == pytest.approx(10 / 64 * 0.76818 * 7, rel=1e-4)
    assert found.soft_product / found.hard_product == pytest.approx(14 / 7)


def test_a_later_family_takes_less_of_everything():
    old, middle, new = (vars(costs(family)) for family in (Family.XC7, Family.XCU, Family.XCUP))
    for name in old:
        assert old[name] > middle[name] > new[name] > 0
