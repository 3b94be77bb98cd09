"""The fields of one record of a design, read one by one: numbers as text, names of constants, type names."""

from __future__ import annotations

import math
import re
import reprlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fpgaprune.board import Family
from fpgaprune.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

LARGEST = 10**9
"""No size, count or reuse factor of a design reaches it."""

WIDEST = 1024
"""Bits of the widest word of the vendor's types (AMD UG1399)."""

_NUMBER = re.compile(r"\s*[-+]?\d+\s*")
_NAME = re.compile(r"[\w\s*+/()-]*[A-Za-z_][\w\s*+/()-]*")  # a constant of a header that was not carried over
_TYPE = re.compile(r"a[pc]_(u?)(fixed|int)\s*<\s*(\d+)\s*(?:,\s*(-?\d+))?")
_YEAR = re.compile(r"\b(20\d\d)(?:\.(\d))?")

_FAMILIES = (
    (re.compile(r"x[caq]7"), Family.XC7),
    (re.compile(r"xc[kv]u\d+p"), Family.XCUP),
    (re.compile(r"xc[kv]u"), Family.XCU),
    (re.compile(r"x[caq](u|zu|k\d|v[cehmp])"), Family.XCUP),
)
"""The device family by the beginning of the part; Versal is priced as UltraScale+, the nearest that is calibrated."""


@dataclass(frozen=True)
class Word:
    """The width and the fraction bits of a type, and whether it rounds or saturates instead of cutting bits off."""

    bits: int
    fraction: int
    guarded: bool = False


DEFAULT_WORD = Word(16, 10)
"""ap_fixed<16,6>, the type that hls4ml takes where none is given."""


def family(part: object) -> Family:
    """Return the device family of a part."""
    if isinstance(part, str):
        for pattern, found in _FAMILIES:
            if pattern.match(part.lower()):
                return found
    msg = f"'part' must name a Xilinx part such as xcu250-figd2104-2L-e, not {reprlib.repr(part)}"
    raise InputError(msg)


def clock_ns(value: object) -> float:
    """Return the clock period in ns."""
    try:
        period = float(value) if isinstance(value, (int, float, str)) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        period = math.nan
    if not 0.1 <= period <= 10_000:  # NaN fails, too
        msg = f"'clock_ns' must be a period in ns between 0.1 and 10000, not {reprlib.repr(value)}"
        raise InputError(msg)
    return period


def year(tool: object, default: int) -> float:
    """Return the year and half year of a tool version such as 2020.1, as a number."""
    found = _YEAR.search(str(tool)) if isinstance(tool, (str, float, int)) else None
    return float(f"{found[1]}.{found[2] or 1}") if found else float(default)


def word(text: object) -> Word | None:
    """Return the word of a type, also of the elements of an ``nnet::array``; None where it is not known."""
    if not isinstance(text, str) or (found := _TYPE.search(text)) is None:
        return None
    bits = int(found[3])
    if not 1 <= bits <= WIDEST:
        msg = f"the type {reprlib.repr(text)} must have between 1 and {WIDEST} bits"
        raise InputError(msg)
    whole = bits if found[2] == "int" or found[4] is None else int(found[4])
    return Word(bits, bits - whole, guarded="AP_SAT" in text or "AP_RND" in text)


@dataclass(frozen=True)
class Record:
    """The fields of one layer, with the name that errors tell."""

    name: str
    kind: str
    fields: Mapping[str, Any]

    def whole(self, name: str, *, least: int = 1) -> int | None:
        """Return a whole number that is given as one or as text; None where it is missing or a constant's name."""
        value = self.fields.get(name)
        if value is None or (isinstance(value, str) and _NAME.fullmatch(value)):
            return None
        number = _as_whole(value)
        if number is None or not least <= number <= LARGEST:
            msg = (
                f"{self.name}: '{name}' must be a whole number between {least} and {LARGEST}, not {reprlib.repr(value)}"
            )
            raise InputError(msg)
        return number

    def first(self, *names: str) -> int | None:
        """Return the first of several fields that is known."""
        return next((found for name in names if (found := self.whole(name)) is not None), None)

    def digits(self) -> dict[int, int] | None:
        """Return how many weights have how many signed digits, where it is given."""
        given = self.fields.get("signed_digits")
        if given is None:
            return None
        if not isinstance(given, dict):
            msg = f"{self.name}: 'signed_digits' must map a number of digits to a number of weights"
            raise InputError(msg)
        counts = Record(f"{self.name}.signed_digits", self.kind, given)
        keys = {key: _as_whole(key) for key in given}
        if any(number is None or not 0 <= number <= WIDEST for number in keys.values()):
            msg = (
                f"{self.name}: 'signed_digits' must have whole numbers from 0 as keys, not {reprlib.repr(list(given))}"
            )
            raise InputError(msg)
        found = {int(key): counts.whole(key, least=0) or 0 for key in given}
        return found if any(found.values()) else None


def _as_whole(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if math.isfinite(value) and value == int(value) else None
    return int(value) if isinstance(value, str) and len(value) < 32 and _NUMBER.fullmatch(value) else None
