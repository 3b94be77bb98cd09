"""Cells of reports as numbers: what each tool writes for nothing, for unknown, for almost nothing, and its units."""

from __future__ import annotations

import math
import re

from fpgaprune.errors import InputError

_UNKNOWN = frozenset({"", "-", "?", "undef", "na", "n/a", "inf"})
_NS = {"ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9, "sec": 1e9}
_LARGEST = 1 << 62


def count(cell: str) -> int:
    """Return a count of resources: a share in brackets behind it is left out, ``-`` means none.

    Raises:
        InputError: it is no whole number of 0 or more.
    """
    word = re.sub(r"\(.*\)", "", cell).strip().replace(",", "")
    return 0 if word == "-" else _whole(word, cell)


def halves(cell: str) -> int:
    """Return twice a count that may end in ``.5``: 36-kbit tiles of block RAM in 18-kbit halves.

    Raises:
        InputError: it is no multiple of one half.
    """
    return _whole(str(2 * number(cell)), cell)


def cycles(cell: str) -> int | None:
    """Return cycles, or None for the words that tools write where they cannot tell: ``?``, ``-``, ``undef``.

    Raises:
        InputError: it is neither.
    """
    word = cell.strip().replace(",", "")
    if word.lower() in _UNKNOWN:
        return None
    return _whole(word, cell)


def number(cell: str) -> float:
    """Return a finite number; ``<0.001`` counts as its bound, a remark in brackets is left out.

    Raises:
        InputError: it is none.
    """
    word = re.sub(r"\(.*\)", "", cell).strip().removeprefix("<").replace(",", "")
    try:
        value = float(word)
    except ValueError as error:
        msg = f"{cell.strip()!r} is not a number"
        raise InputError(msg) from error
    if not math.isfinite(value):
        msg = f"{cell.strip()!r} is not a finite number"
        raise InputError(msg)
    return value


def nanoseconds(cell: str) -> float:
    """Return a time in ns; without a unit it is in ns already.

    Raises:
        InputError: it is no time above 0, or its unit is unknown.
    """
    found = re.fullmatch(r"\s*(\S+)\s*([a-z]*)\s*", cell)
    value = number(found[1]) if found else math.nan
    unit = found[2] if found else ""
    if not value > 0 or (unit and unit not in _NS):
        msg = f"{cell.strip()!r} is not a time: a number above 0 in ns, us, ms or s"
        raise InputError(msg)
    return value * _NS[unit or "ns"]


def _whole(word: str, cell: str) -> int:
    value = number(word)
    if value != int(value) or not 0 <= value <= _LARGEST:
        msg = f"{cell.strip()!r} is not a whole number of 0 or more"
        raise InputError(msg)
    return int(value)
