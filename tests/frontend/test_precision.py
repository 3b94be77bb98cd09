"""hls4ml's types as formats."""

from __future__ import annotations

import pytest
from hls4ml.model.types import (
    ExponentPrecisionType,
    FixedPrecisionType,
    IntegerPrecisionType,
    StandardFloatPrecisionType,
    UnspecifiedPrecisionType,
    XnorPrecisionType,
)

from fpgaprune.errors import UnsupportedError
from fpgaprune.fixed import Fixed, Overflow, Rounding
from fpgaprune.frontend.precision import to_fixed


@pytest.mark.parametrize("rounding", list(Rounding))
@pytest.mark.parametrize("overflow", list(Overflow))
def test_fixed_point_types_keep_their_modes(rounding, overflow):
    precision = FixedPrecisionType(8, 3, False, rounding.value, overflow.value)
    assert to_fixed(precision, "fc") == Fixed(False, 8, 5, rounding, overflow)


def test_defaults_and_integers_truncate_and_wrap():
    assert to_fixed(FixedPrecisionType(16, 6), "fc") == Fixed(True, 16, 10)
    assert to_fixed(FixedPrecisionType(4, 9), "fc") == Fixed(True, 4, -5)
    assert to_fixed(IntegerPrecisionType(7, signed=False), "fc") == Fixed(False, 7, 0)


@pytest.mark.parametrize(
    "precision",
    [UnspecifiedPrecisionType(), StandardFloatPrecisionType(), XnorPrecisionType(), ExponentPrecisionType()],
)
def test_other_types_are_refused_by_the_name_of_the_tensor(precision):
    with pytest.raises(
        UnsupportedError, match=r"^fc\.weight: the type .* must be ap_fixed or ap_int; give this tensor"
    ):
        to_fixed(precision, "fc.weight")


def test_saturation_bits_are_refused():
    precision = FixedPrecisionType(8, 3, True, "RND", "SAT", 2)
    with pytest.raises(
        UnsupportedError, match=r"^fc: fixed<8,3,RND,SAT,2> has saturation bits, which is not supported"
    ):
        to_fixed(precision, "fc")
