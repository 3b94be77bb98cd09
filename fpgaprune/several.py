"""One value as itself, several as a tuple: how the inputs and the outputs of a model are given and returned."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_T = TypeVar("_T")
_U = TypeVar("_U")

OneOrMore: TypeAlias = _T | tuple[_T, ...]


def as_tuple(values: OneOrMore[_T]) -> tuple[_T, ...]:
    """Return one value or several as a tuple."""
    return values if isinstance(values, tuple) else (values,)


def one_or_more(values: Iterable[_T]) -> OneOrMore[_T]:
    """Return a single value as itself, several as a tuple."""
    found = tuple(values)
    return found[0] if len(found) == 1 else found


def mapped(function: Callable[[_T], _U], values: OneOrMore[_T]) -> OneOrMore[_U]:
    """Return ``function`` of the value, or of each of several."""
    return one_or_more(map(function, values)) if isinstance(values, tuple) else function(values)
