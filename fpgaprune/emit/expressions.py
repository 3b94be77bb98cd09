"""The C++ expression of each element: sum of products, then rounding, limits and word."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fpgaprune.emit.cpp import literal, word_type
from fpgaprune.fixed import Rounding
from fpgaprune.lower import Word

if TYPE_CHECKING:
    from fpgaprune.lower import Finish, MatVecKernel

UNROLL_LIMIT = 4096
"""Iterations of one loop that the vendor tool unrolls (message XFORM 203-504); longer sums are split below it."""


def row_value(kernel: MatVecKernel, row: int, weight: Word) -> str:
    """Return the expression of one row's result."""
    accumulator = kernel.accumulator(row)
    value = _sum(kernel, row, weight, accumulator)
    if kernel.finish is None:
        return value
    return finished(value, accumulator, kernel.finish, row)


def _sum(kernel: MatVecKernel, row: int, weight: Word, accumulator: Word) -> str:
    start, stop = (int(place) for place in kernel.weights.row_start[row : row + 2])
    value = literal(int(kernel.bias[row]), accumulator)
    if start == stop:
        return f"{word_type(accumulator)}({value})"
    for first in range(start, stop, UNROLL_LIMIT):
        count = min(UNROLL_LIMIT, stop - first)
        types = f"{word_type(accumulator)}, {word_type(weight)}, {count}"
        value = f"dot<{types}>(x, column + {first}, weight + {first}, {value})"
    return value


def finished(value: str, word: Word, finish: Finish, element: int | None = None) -> str:
    """Return the expression of a finished value of type ``word``: of one element, or one that serves all of them."""
    low, high = _rounded_bounds(finish, element)
    rounded = Word.holding(low, high)
    value = _shifted(value, word, rounded, finish)
    binds_low, binds_high = (
        bool(flags.any() if element is None else flags[element]) for flags in (finish.binds_low, finish.binds_high)
    )
    if finish.zero_outside:
        limited = Word.holding(*_limited(low, high, finish))
        value = _limits(value, limited, rounded, finish, binds_low=binds_low, binds_high=binds_high)
        result = word_type(_result(finish))
        ends = ", ".join(literal(end, _result(finish)) for end in (finish.format.low, finish.format.high))
        return f"zero_outside<{result}>({value}, {ends})"
    return _limits(value, _result(finish), rounded, finish, binds_low=binds_low, binds_high=binds_high)


def _result(finish: Finish) -> Word:
    return Word(finish.format.signed, finish.format.width)


def _rounded_bounds(finish: Finish, element: int | None) -> tuple[int, int]:
    if element is None:
        return finish.rounded.bounds
    return int(finish.rounded.low[element]), int(finish.rounded.high[element])


def _limited(low: int, high: int, finish: Finish) -> tuple[int, int]:
    if finish.low is not None:
        low, high = max(low, finish.low), max(high, finish.low)
    if finish.high is not None:
        low, high = min(low, finish.high), min(high, finish.high)
    return low, high


def _shifted(value: str, word: Word, rounded: Word, finish: Finish) -> str:
    if finish.shift > 0:
        wide = _wide(word, finish)
        types = f"{word_type(rounded)}, {word_type(wide)}, {finish.shift}, {finish.rounding.name}"
        return f"shift_right<{types}>({value})"
    if finish.shift < 0:
        return f"shift_left<{word_type(rounded)}, {-finish.shift}>({value})"
    return value


def _wide(word: Word, finish: Finish) -> Word:
    """Return a word for the value plus the half step of the rounding mode, wider than the shift."""
    if finish.rounding is Rounding.TRN:
        return Word(word.signed, max(word.width, finish.shift + 1))
    return Word(word.signed, max(word.width, finish.shift) + 1)


def _limits(value: str, result: Word, rounded: Word, finish: Finish, *, binds_low: bool, binds_high: bool) -> str:
    low = literal(finish.low, rounded) if finish.low is not None else ""
    high = literal(finish.high, rounded) if finish.high is not None else ""
    if binds_low and binds_high:
        return f"clamp<{word_type(result)}>({value}, {low}, {high})"
    if binds_low:
        return f"at_least<{word_type(result)}>({value}, {low})"
    if binds_high:
        return f"at_most<{word_type(result)}>({value}, {high})"
    return value
