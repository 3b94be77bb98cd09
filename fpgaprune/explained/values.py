"""Checks of lists and tables of numbers, as JSON gives them."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from fpgaprune.checks import integer, known_keys, number, table
from fpgaprune.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable


def listed(field: str, values: object) -> list[object]:
    """Return ``values`` if they are a list or a tuple.

    Raises:
        InputError: they are something else.
    """
    if not isinstance(values, (list, tuple)):
        msg = f"{field} must be a list, not {values!r}"
        raise InputError(msg)
    return list(values)


def numbers(field: str, values: object) -> tuple[float, ...]:
    """Return a list of finite numbers as a tuple.

    Raises:
        InputError: it is no list, or holds something else.
    """
    return tuple(number(f"{field}[{place}]", value) for place, value in enumerate(listed(field, values)))


def counts(field: str, values: object) -> tuple[int, ...]:
    """Return a list of integers that are not negative as a tuple.

    Raises:
        InputError: it is no list, or holds something else.
    """
    return tuple(integer(f"{field}[{place}]", value, low=0) for place, value in enumerate(listed(field, values)))


def rising(field: str, values: object) -> tuple[float, ...]:
    """Return a list of at least one number, each above the one before it, as a tuple.

    Raises:
        InputError: it is no such list.
    """
    found = numbers(field, values)
    if not found or any(right <= left for left, right in pairwise(found)):
        msg = f"{field} must rise from one to the next, and hold at least one: {list(found)}"
        raise InputError(msg)
    return found


def entries(where: str, value: object, names: Iterable[str]) -> dict[str, object]:
    """Return a table that has exactly the fields ``names``.

    Raises:
        InputError: it is no table, or a field is missing or unknown.
    """
    given, known = table(where, value), list(names)
    known_keys(where, given, known)
    if missing := [name for name in known if name not in given]:
        msg = f"{where} lacks {', '.join(missing)}"
        raise InputError(msg)
    return given


def words(field: str, value: object) -> str:
    """Return ``value`` if it is words.

    Raises:
        InputError: it is no text.
    """
    if not isinstance(value, str):
        msg = f"{field} must be words, not {value!r}"
        raise InputError(msg)
    return value
