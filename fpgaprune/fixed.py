"""Fixed-point formats and exact requantisation of integer mantissas.

A fixed-point number is ``mantissa * 2**-fraction``. Every array here holds mantissas: ``int64`` where the format
fits, Python integers in an ``object`` array where it does not, so that no width is out of reach.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from typing_extensions import assert_never

from fpgaprune.errors import FormatError, suggest

IntArray: TypeAlias = npt.NDArray[Any]
"""Mantissas: an array of dtype int64, or of dtype object that holds Python integers."""

MAX_WIDTH = 1024
"""The widest word that the vendor's ap_int takes without a compile-time switch (AMD UG1399, `AP_INT_MAX_W`)."""

LOWEST_FRACTION = 1 - MAX_WIDTH
"""The fewest fraction bits: the step of a format is a float64 that is neither zero nor infinite."""

_SAFE_BITS = 62
"""int64 holds one more bit than this, the room that adding half a step before a shift needs."""

_LEAST_EXPONENT, _LARGEST_EXPONENT = -1021, 1024
"""The exponents, as of frexp, between which a float64 has all its bits."""


class Rounding(enum.Enum):
    """What becomes of the bits below the last one (AMD UG1399, ap_fixed quantisation modes)."""

    TRN = "AP_TRN"  # towards minus infinity
    TRN_ZERO = "AP_TRN_ZERO"  # towards zero
    RND = "AP_RND"  # nearest, half towards plus infinity
    RND_ZERO = "AP_RND_ZERO"  # nearest, half towards zero
    RND_INF = "AP_RND_INF"  # nearest, half away from zero
    RND_MIN_INF = "AP_RND_MIN_INF"  # nearest, half towards minus infinity
    RND_CONV = "AP_RND_CONV"  # nearest, half to even


class Overflow(enum.Enum):
    """What becomes of a value outside the range (AMD UG1399, ap_fixed overflow modes)."""

    WRAP = "AP_WRAP"  # the high bits are dropped
    SAT = "AP_SAT"  # the nearest end of the range
    SAT_ZERO = "AP_SAT_ZERO"  # zero
    SAT_SYM = "AP_SAT_SYM"  # the nearest end of the symmetric range


@dataclass(frozen=True)
class Fixed:
    """A fixed-point format: sign, width in bits, fraction bits, rounding and overflow mode.

    ``fraction`` may be negative (steps above one) or exceed ``width`` (all bits below the point).

    Raises:
        FormatError: the width lies outside 1…1024, or the fraction outside -1023…1024.
    """

    signed: bool
    width: int
    fraction: int
    rounding: Rounding = Rounding.TRN
    overflow: Overflow = Overflow.WRAP

    def __post_init__(self) -> None:
        if not 1 <= self.width <= MAX_WIDTH:
            msg = f"a fixed-point width must be between 1 and {MAX_WIDTH} bits, not {self.width}"
            raise FormatError(msg)
        if not LOWEST_FRACTION <= self.fraction <= MAX_WIDTH:
            msg = f"fraction bits must lie between {LOWEST_FRACTION} and {MAX_WIDTH}, not {self.fraction}"
            raise FormatError(msg)

    @property
    def integer(self) -> int:
        """Bits left of the binary point, the sign included: the vendor's second template argument."""
        return self.width - self.fraction

    @property
    def low(self) -> int:
        """The smallest mantissa that a requantised value can have."""
        if not self.signed:
            return 0
        lowest = -(1 << (self.width - 1))
        symmetric = self.overflow is Overflow.SAT_SYM and self.width > 1  # the vendor's sign bit alone takes -1 and 0
        return lowest + symmetric

    @property
    def high(self) -> int:
        """The largest mantissa."""
        return (1 << (self.width - self.signed)) - 1

    @property
    def step(self) -> float:
        """The value of a mantissa of one."""
        return float(np.ldexp(1.0, -self.fraction))

    @property
    def in_int64(self) -> bool:
        """Whether every mantissa fits in a signed 64-bit word."""
        return self.width <= 63 + self.signed

    def holds(self, low: int, high: int) -> bool:
        """Whether every mantissa of ``low``…``high`` is in range."""
        return self.low <= low and high <= self.high

    def with_range(self, low: int, high: int) -> Fixed:
        """Return the narrowest format of the same step and modes that holds the mantissas ``low``…``high``."""
        signed, width = smallest_word(low, high)
        narrow = replace(self, signed=signed, width=width)
        return narrow if narrow.holds(low, high) else replace(narrow, width=width + 1)

    def __str__(self) -> str:
        """Return the vendor's spelling, such as ``ap_fixed<8,3,AP_RND_CONV,AP_SAT>``."""
        kind = "ap_fixed" if self.signed else "ap_ufixed"
        return f"{kind}<{self.width},{self.integer},{self.rounding.value},{self.overflow.value}>"

    @classmethod
    def parse(cls, text: str) -> Fixed:
        """Read the vendor's spelling, modes optional: ``ap_fixed<8,3>``, ``ap_ufixed<8,3,AP_RND,AP_SAT>``.

        Raises:
            FormatError: the text is not such a type.
        """
        match = re.fullmatch(r"\s*(?:ap_)?(u?)fixed<\s*(-?\d{1,9})\s*,\s*(-?\d{1,9})\s*((?:,\s*\w+\s*){0,2})>\s*", text)
        if match is None:
            msg = f"a format must read like ap_fixed<8,3,AP_RND,AP_SAT>, not {text[:80]!r}"
            raise FormatError(msg)
        unsigned, width, integer, modes = match.groups()
        rounding, overflow = _parse_modes([mode.strip() for mode in modes.split(",")[1:]])
        return cls(not unsigned, int(width), int(width) - int(integer), rounding, overflow)


def _parse_modes(modes: list[str]) -> tuple[Rounding, Overflow]:
    rounding, overflow = Rounding.TRN, Overflow.WRAP
    if modes:
        rounding = _mode(Rounding, modes[0])
    if len(modes) > 1:
        overflow = _mode(Overflow, modes[1])
    return rounding, overflow


def _mode(kind: type[Any], text: str) -> Any:  # noqa: ANN401  # the enum's own member type, which a TypeVar would only repeat
    known = {member.value: member for member in kind}
    full = text if text.startswith("AP_") else f"AP_{text}"
    if full not in known:
        msg = f"{kind.__name__.lower()} mode must be one of {', '.join(known)}, not {text!r}{suggest(full, known)}"
        raise FormatError(msg)
    return known[full]


def smallest_word(low: int, high: int) -> tuple[bool, int]:
    """Return (signed, width in bits) of the narrowest word that holds the integers ``low``…``high``."""
    if low > high:
        msg = f"an interval must not be empty, as {low}…{high} is"
        raise FormatError(msg)
    if low < 0:
        return True, max((-low - 1).bit_length(), high.bit_length() if high > 0 else 0) + 1
    return False, max(high.bit_length(), 1)


def bounds(mantissas: IntArray) -> tuple[int, int]:
    """Return the smallest and largest mantissa as Python integers; (0, 0) of an empty array."""
    return (int(mantissas.min()), int(mantissas.max())) if mantissas.size else (0, 0)


def as_mantissas(values: IntArray | list[int], *, wide: bool = False) -> IntArray:
    """Return the integers as int64, or as Python integers where ``wide`` is set or one does not fit; not always a copy.

    Raises:
        FormatError: the array does not hold integers.
    """
    array = np.asarray(values, dtype=object if isinstance(values, list) else None)  # a list may mix both sizes
    if array.size == 0 and array.dtype.kind == "f":
        array = array.astype(np.int64)
    if array.dtype.kind == "O":
        array = np.array([_as_int(value) for value in array.ravel()], dtype=object).reshape(array.shape)
        low, high = bounds(array)
        return array if wide or low < -(1 << 63) or high >= 1 << 63 else array.astype(np.int64)
    if array.dtype.kind not in "iub":
        msg = f"mantissas must be integers, not {array.dtype}"
        raise FormatError(msg)
    if wide or (array.dtype == np.uint64 and bounds(array)[1] >= 1 << 63):
        return array.astype(object)
    return array.astype(np.int64, copy=False)


def _as_int(value: object) -> int:
    if isinstance(value, (int, np.integer)):
        return int(value)
    msg = f"mantissas must be integers, not {type(value).__name__}"
    raise FormatError(msg)


def requantise(mantissas: IntArray, fraction: int, to: Fixed) -> IntArray:
    """Return the mantissas in format ``to`` of exact values that have ``fraction`` fraction bits.

    Any shape of one axis or more. The result is int64 where ``to`` fits in it, else Python integers. Rounding and
    overflow are those of the vendor's ap_fixed (AMD UG1399), which tests hold it against bit by bit.
    """
    return _fit(rescale(mantissas, fraction - to.fraction, to.rounding), to)


def rescale(mantissas: IntArray, shift: int, rounding: Rounding) -> IntArray:
    """Return the mantissas with ``shift`` fraction bits fewer, rounded, of any size; a negative shift adds bits."""
    if shift <= 0:
        return shift_left(mantissas, -shift)
    exact = as_mantissas(mantissas)
    if _bits(exact) > _SAFE_BITS or shift > _SAFE_BITS:
        exact = exact.astype(object)
    return _shift_right(exact, shift, rounding)


def shift_left(mantissas: IntArray, shift: int | IntArray) -> IntArray:
    """Return ``mantissas << shift`` exactly, as Python integers where int64 would overflow."""
    exact = as_mantissas(mantissas)
    if _bits(exact) + int(np.max(shift, initial=0)) > _SAFE_BITS:
        exact = exact.astype(object)
    return exact << shift


def add(left: IntArray, right: IntArray) -> IntArray:
    """Return ``left + right`` exactly, as Python integers where int64 would overflow."""
    left, right = as_mantissas(left), as_mantissas(right)
    if max(_bits(left), _bits(right)) > _SAFE_BITS:
        left = left.astype(object)
    total: IntArray = left + right
    return total


def multiply(left: IntArray, right: IntArray) -> IntArray:
    """Return ``left * right`` exactly, as Python integers where int64 would overflow."""
    left, right = as_mantissas(left), as_mantissas(right)
    if _bits(left) + _bits(right) > _SAFE_BITS:
        left = left.astype(object)
    product: IntArray = left * right
    return product


def total(mantissas: IntArray, axis: int) -> IntArray:
    """Return the exact sum along an axis, as Python integers where int64 would overflow."""
    exact = as_mantissas(mantissas)
    if _bits(exact) + exact.shape[axis].bit_length() > _SAFE_BITS:
        exact = exact.astype(object)
    return as_mantissas(exact.sum(axis=axis))


def clip(mantissas: IntArray, low: int | None, high: int | None) -> IntArray:
    """Return the mantissas limited to ``low``…``high``, of any size, either end open where None."""
    if any(end is not None and not -(1 << 63) <= end < 1 << 63 for end in (low, high)):
        mantissas = mantissas.astype(object)
    if low is not None:
        mantissas = np.maximum(mantissas, low)
    return mantissas if high is None else np.minimum(mantissas, high)


def _bits(mantissas: IntArray) -> int:
    low, high = bounds(mantissas)
    return max(high.bit_length(), (-low).bit_length())


def _shift_right(mantissas: IntArray, shift: int, rounding: Rounding) -> IntArray:
    one = 1 if mantissas.dtype == object else np.int64(1)
    half = one << (shift - 1)
    negative = (mantissas < 0).astype(mantissas.dtype)
    match rounding:
        case Rounding.TRN:
            offset: Any = 0
        case Rounding.TRN_ZERO:
            offset = negative * ((one << shift) - 1)
        case Rounding.RND:
            offset = half
        case Rounding.RND_ZERO:
            offset = half - 1 + negative
        case Rounding.RND_INF:
            offset = half - negative
        case Rounding.RND_MIN_INF:
            offset = half - 1
        case Rounding.RND_CONV:
            offset = half - 1 + ((mantissas >> shift) & 1)
        case _:
            assert_never(rounding)
    shifted: IntArray = (mantissas + offset) >> shift
    return shifted


def _fit(whole: IntArray, to: Fixed) -> IntArray:
    if to.width > _SAFE_BITS:
        whole = whole.astype(object)
    result = _overflow(whole, to)
    return result.astype(np.int64, copy=False) if to.in_int64 else result


def _overflow(mantissas: IntArray, to: Fixed) -> IntArray:
    match to.overflow:
        case Overflow.WRAP:
            offset = (1 << (to.width - 1)) if to.signed else 0
            return ((mantissas + offset) & ((1 << to.width) - 1)) - offset
        case Overflow.SAT | Overflow.SAT_SYM:
            return clip(mantissas, to.low, to.high)
        case Overflow.SAT_ZERO:
            return np.where((mantissas < to.low) | (mantissas > to.high), 0, mantissas)
        case _:
            assert_never(to.overflow)


def from_float(values: npt.NDArray[np.float64], to: Fixed) -> IntArray:
    """Return the mantissas in format ``to`` of float64 values of any shape, rounded from their exact binary value.

    Raises:
        FormatError: a value is NaN or infinite.
    """
    array = np.asarray(values, dtype=np.float64)
    if not np.isfinite(array).all():
        msg = f"a fixed-point value must be finite, not {array[~np.isfinite(array)].flat[0]}"
        raise FormatError(msg)
    return _fit(_round(array, to.fraction, to.rounding), to)


def _round(array: npt.NDArray[np.float64], fraction: int, rounding: Rounding) -> IntArray:
    exponent = np.frexp(array)[1] + fraction
    if ((exponent < _LEAST_EXPONENT) | (exponent > _LARGEST_EXPONENT)).any():
        whole = [_round_exactly(value, fraction, rounding) for value in array.ravel().tolist()]
        return np.array(whole, dtype=object).reshape(array.shape)
    rounded = _round_float(np.ldexp(array, fraction), rounding)
    if np.abs(rounded).max(initial=0) < 2.0**_SAFE_BITS:
        return rounded.astype(np.int64)
    return np.array([int(value) for value in rounded.ravel()], dtype=object).reshape(array.shape)


def _round_exactly(value: float, fraction: int, rounding: Rounding) -> int:
    numerator, denominator = value.as_integer_ratio()
    return int(rescale(np.array([numerator], dtype=object), denominator.bit_length() - 1 - fraction, rounding)[0])


def _round_float(scaled: npt.NDArray[np.float64], rounding: Rounding) -> npt.NDArray[np.float64]:
    """Round to whole numbers; the part after the point is exact in float64, so no mode sees a rounding error."""
    nearest: npt.NDArray[np.float64] = np.rint(scaled)
    whole: npt.NDArray[np.float64] = np.trunc(scaled)
    rest = scaled - whole
    if rounding is Rounding.RND_CONV:
        return nearest
    match rounding:
        case Rounding.TRN:
            return whole - (rest < 0)
        case Rounding.TRN_ZERO:
            return whole
        case Rounding.RND:
            return whole + (rest >= 0.5) - (rest < -0.5)
        case Rounding.RND_ZERO:
            return whole + (rest > 0.5) - (rest < -0.5)
        case Rounding.RND_INF:
            return whole + (rest >= 0.5) - (rest <= -0.5)
        case Rounding.RND_MIN_INF:
            return whole + (rest > 0.5) - (rest <= -0.5)
        case _:
            assert_never(rounding)


def to_float(mantissas: IntArray, fraction: int) -> npt.NDArray[np.float64]:
    """Return ``mantissas * 2**-fraction`` in float64; exact while a mantissa has at most 53 significant bits."""
    return np.ldexp(mantissas.astype(np.float64), -fraction)
