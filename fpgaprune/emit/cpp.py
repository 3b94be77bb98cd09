"""C++ spellings: words, literals, tables, array parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from fpgaprune.fixed import IntArray
    from fpgaprune.lower import Port, Word
    from fpgaprune.sparse import Int64Array

_NUMBERS_A_LINE = 24


def word_type(word: Word) -> str:
    """Return the vendor's integer type of a word."""
    return f"{'ap_int' if word.signed else 'ap_uint'}<{word.width}>"


def literal(value: int, word: Word) -> str:
    """Return an integer constant; beyond 64 bits it is built in the type of ``word``, which holds it."""
    if -(1 << 31) < value < 1 << 31:
        return str(value)
    if -(1 << 63) < value < 1 << 63:
        return f"{value}LL"
    return f'{word_type(word)}("{value}", 10)'


def smallest_type(values: Int64Array) -> str:
    """Return the smallest C++ integer type that holds all values of a table."""
    low, high = (int(values.min()), int(values.max())) if values.size else (0, 0)
    if low >= 0:
        return next(name for bits, name in _UNSIGNED if high < 1 << bits)
    return next(name for bits, name in _SIGNED if -(1 << (bits - 1)) <= low and high < 1 << (bits - 1))


_UNSIGNED = ((8, "unsigned char"), (16, "unsigned short"), (32, "unsigned int"), (64, "unsigned long long"))
_SIGNED = ((8, "signed char"), (16, "short"), (32, "int"), (64, "long long"))


def table(values: IntArray) -> str:
    """Return the numbers of a table, some to a line."""
    numbers = [_number(value) for value in values.tolist()]
    lines = [numbers[start : start + _NUMBERS_A_LINE] for start in range(0, len(numbers), _NUMBERS_A_LINE)]
    return ",\n".join("    " + ", ".join(line) for line in lines)


def _number(value: int) -> str:
    if value == -(1 << 63):
        return "-9223372036854775807LL - 1"
    return str(value) if -(1 << 31) < value < 1 << 31 else f"{value}LL"


def parameter(port: Port, name: str, *, constant: bool) -> str:
    """Return an array parameter, such as ``const ap_uint<8> x[784]``."""
    return f"{'const ' if constant else ''}{word_type(port.word)} {name}[{port.size}]"


def distinct_rows(starts: Int64Array, limit: int) -> list[range]:
    """Split rows into runs of about ``limit`` terms: only a row that alone has more makes a longer one."""
    runs: list[range] = []
    first = 0
    for row in range(1, len(starts) - 1):
        if starts[row + 1] - starts[first] > limit and starts[row] > starts[first]:
            runs.append(range(first, row))
            first = row
    if len(starts) > 1:
        runs.append(range(first, len(starts) - 1))
    return runs


def as_table(values: IntArray) -> Int64Array:
    """Return indices or shifts as a table of int64."""
    return np.asarray(values, dtype=np.int64)
