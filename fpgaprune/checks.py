"""Checks of single values: each returns the value or says which field must be what."""

from __future__ import annotations

import math
from dataclasses import fields
from enum import Enum
from typing import TYPE_CHECKING, TypeVar

from fpgaprune.errors import InputError, suggest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_Choice = TypeVar("_Choice", bound=Enum)
_Built = TypeVar("_Built")


def number(field: str, value: object, *, low: float = -math.inf, high: float = math.inf) -> float:
    """Return ``value`` as a finite float in [low, high].

    Raises:
        InputError: the value is not a number, not finite, or outside the interval.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        msg = f"{field} must be a number, not {value!r}"
        raise InputError(msg)
    if not math.isfinite(value) or not low <= value <= high:
        msg = f"{field} must be {_interval(low, high)}, not {value!r}"
        raise InputError(msg)
    return float(value)


def fraction(field: str, value: object) -> float:
    """Return ``value`` as a float in [0, 1].

    Raises:
        InputError: the value is not a number or lies outside [0, 1].
    """
    return number(field, value, low=0.0, high=1.0)


def integer(field: str, value: object, *, low: int) -> int:
    """Return ``value`` as an integer that is at least ``low``.

    Raises:
        InputError: the value is not an integer or is too small.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        msg = f"{field} must be an integer, not {value!r}"
        raise InputError(msg)
    if value < low:
        msg = f"{field} must be at least {low}, not {value}"
        raise InputError(msg)
    return value


def flag(field: str, value: object) -> bool:
    """Return ``value`` if it is a boolean.

    Raises:
        InputError: the value is not a boolean.
    """
    if not isinstance(value, bool):
        msg = f"{field} must be true or false, not {value!r}"
        raise InputError(msg)
    return value


def word(field: str, value: object, known: Iterable[str]) -> str:
    """Return ``value`` if it is one of the ``known`` words.

    Raises:
        InputError: the value is another word, or no word.
    """
    words = list(known)
    if not isinstance(value, str) or value not in words:
        listed = ", ".join(repr(known_word) for known_word in words)
        hint = suggest(value, words) if isinstance(value, str) else ""
        msg = f"{field} must be one of {listed}, not {value!r}{hint}"
        raise InputError(msg)
    return value


def choice(field: str, value: object, kind: type[_Choice]) -> _Choice:
    """Return the member of the enum ``kind`` that ``value`` is or names.

    Raises:
        InputError: no member has this value.
    """
    if isinstance(value, kind):
        return value
    return kind(word(field, value, [str(member.value) for member in kind]))


def instance(field: str, value: object, kind: type[_Built], remedy: str) -> _Built:
    """Return ``value`` if it is one of the class ``kind``; ``remedy`` tells how to get one.

    Raises:
        InputError: the value is of another class.
    """
    if not isinstance(value, kind):
        msg = f"{field} must be of the class {kind.__name__}, not {type(value).__name__}; {remedy}"
        raise InputError(msg)
    return value


def table(field: str, value: object) -> dict[str, object]:
    """Return ``value`` if it is a dictionary with names as its keys.

    Raises:
        InputError: the value is not such a dictionary.
    """
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        msg = f"{field} must be a table of names, not {value!r}"
        raise InputError(msg)
    return value


def known_keys(where: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Refuse each key of ``given`` that is not in ``known``.

    Raises:
        InputError: a key is unknown; the message proposes the nearest known one.
    """
    allowed = list(known)
    for key in given:
        if key not in allowed:
            msg = f"{where} has no field {key!r}{suggest(key, allowed)}; it has {', '.join(allowed)}"
            raise InputError(msg)


def built(kind: type[_Built], where: str, values: Mapping[str, object]) -> _Built:
    """Return the dataclass ``kind`` with these fields.

    Raises:
        InputError: a field is unknown or unusable; the message begins with ``where``.
    """
    known_keys(where, values, [item.name for item in fields(kind)])  # type: ignore[arg-type]  # kind is a dataclass
    try:
        return kind(**values)
    except InputError as error:
        msg = f"{where}.{error}"
        raise InputError(msg) from error


def plain(values: dict[str, object]) -> dict[str, object]:
    """Return the values with each enum as its word, for JSON or TOML; tables within are treated alike."""
    return {name: _plain_value(value) for name, value in values.items()}


def _plain_value(value: object) -> object:
    if isinstance(value, dict):
        return plain(value)
    return value.value if isinstance(value, Enum) else value


def _interval(low: float, high: float) -> str:
    if math.isinf(high):
        return "a finite number" if math.isinf(low) else f"a finite number of at least {low:g}"
    return f"in [{low:g}, {high:g}]"
