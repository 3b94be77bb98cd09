"""hls4ml's precision types as formats."""

from __future__ import annotations

from typing import Any

from hls4ml.model.types import FixedPrecisionType, IntegerPrecisionType

from fpgaprune.errors import UnsupportedError
from fpgaprune.fixed import Fixed, Overflow, Rounding


def to_fixed(precision: Any, where: str) -> Fixed:  # noqa: ANN401  # hls4ml has no types
    """Return the format of a fixed-point or integer type of hls4ml.

    Raises:
        UnsupportedError: another type (float, exponent, binary, unspecified), or one with saturation bits.
    """
    if not isinstance(precision, (FixedPrecisionType, IntegerPrecisionType)):
        msg = f"{where}: the type {precision} must be ap_fixed or ap_int; give this tensor an explicit precision"
        raise UnsupportedError(msg)
    if precision.saturation_bits:
        msg = f"{where}: {precision} has saturation bits, which is not supported; leave the fifth parameter out"
        raise UnsupportedError(msg)
    rounding = Rounding[precision.rounding_mode.name]
    overflow = Overflow[precision.saturation_mode.name]
    return Fixed(bool(precision.signed), int(precision.width), int(precision.fractional), rounding, overflow)
