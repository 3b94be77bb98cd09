"""The operations of a matrix at interval 1: what templates, the estimator and an interpreter read."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
from typing_extensions import assert_never

from fpgaprune.digits import signed_digits, trailing_zeros
from fpgaprune.errors import GraphError
from fpgaprune.fixed import as_mantissas, bounds, shift_left
from fpgaprune.schedule import Adders, Folded, Multiply
from fpgaprune.schedule import adder_graph as graphs
from fpgaprune.sparse import frozen

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from fpgaprune.fixed import IntArray
    from fpgaprune.lower.kernels import MatVecKernel
    from fpgaprune.schedule import AdderGraph
    from fpgaprune.sparse import Int64Array

NOTHING = -1
"""The operand of an operation that does not read one."""

_SAFE = float(1 << 62)
"""Magnitudes below it can be added in pairs in int64."""

_CHUNK = 1 << 23
"""Values that the interpreter holds at a time."""


@dataclass(frozen=True, eq=False)
class Operations:
    """A list of integer operations in the order in which they run; value i is element i of the input below ``inputs``.

    Value ``inputs + k`` is one of three. Where ``left[k]`` is `NOTHING` it is the constant ``factor[k]``; else, where
    ``right[k]`` is `NOTHING`, the product ``value[left[k]] * factor[k]``, of a factor with two signed digits or more;
    else the sum ``(value[left[k]] << left_shift[k]) + factor[k] * (value[right[k]] << right_shift[k])`` with a factor
    of 1 or -1. ``low``…``high`` is the exact interval of every value, the inputs included, and ``zeros`` the number
    of its low bits that are always zero. Row r of the matrix, its bias included, is ``value[row[r]] << row_shift[r]``.
    """

    inputs: int
    left: Int64Array
    right: Int64Array
    left_shift: Int64Array
    right_shift: Int64Array
    factor: IntArray
    low: IntArray
    high: IntArray
    zeros: Int64Array
    row: Int64Array
    row_shift: Int64Array

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray):
                object.__setattr__(self, field.name, frozen(value))

    @property
    def constants(self) -> npt.NDArray[np.bool_]:
        """Which operations are constants."""
        flags: npt.NDArray[np.bool_] = self.left == NOTHING
        return flags

    @property
    def products(self) -> npt.NDArray[np.bool_]:
        """Which operations are products."""
        flags: npt.NDArray[np.bool_] = (self.left != NOTHING) & (self.right == NOTHING)
        return flags

    @property
    def sums(self) -> npt.NDArray[np.bool_]:
        """Which operations are sums."""
        flags: npt.NDArray[np.bool_] = self.right != NOTHING
        return flags

    @cached_property
    def width(self) -> Int64Array:
        """The width in bits of the narrowest word of each value."""
        return frozen(widths(self.low, self.high))

    @cached_property
    def level(self) -> Int64Array:
        """The products and sums on the longest way to each value; inputs and constants have none."""
        level = np.zeros(self.inputs + len(self.left) + 1, dtype=np.int64)
        level[NOTHING] = -1  # what a constant and a product do not read
        while True:
            deeper = 1 + np.maximum(level[self.left], level[self.right])
            if (deeper == level[self.inputs : -1]).all():
                return frozen(level[:-1])
            level[self.inputs : -1] = deeper

    @property
    def depth(self) -> int:
        """The level of the deepest value."""
        return int(self.level.max(initial=0))

    def compute(self, vectors: IntArray) -> IntArray:
        """Return the exact rows (rows, n) for ``vectors`` (inputs, n), checking every value against its interval.

        Raises:
            GraphError: a value outside its interval.
        """
        parts = [shift_left(values[self.row], self.row_shift[:, np.newaxis]) for values in self.values(vectors)]
        return as_mantissas(np.concatenate(parts, axis=1))

    def values(self, vectors: IntArray) -> Iterator[IntArray]:
        """Yield every value, the inputs included, as (values, some of n) for successive ``vectors`` (inputs, n).

        Raises:
            GraphError: a value outside its interval.
        """
        chunk = max(1, _CHUNK // len(self.low))
        for start in range(0, max(1, vectors.shape[1]), chunk):
            yield self._checked(vectors[:, start : start + chunk])

    def _checked(self, vectors: IntArray) -> IntArray:
        values: IntArray = np.empty((len(self.low), vectors.shape[1]), dtype=np.int64 if self._in_int64 else object)
        values[: self.inputs] = vectors
        for places in self._steps:
            values[self.inputs + places] = self._values(places, values)
        low, high = self.low[:, np.newaxis], self.high[:, np.newaxis]
        if ((values < low) | (values > high)).any():
            wrong = int(np.flatnonzero(((values < low) | (values > high)).any(axis=1))[0])
            msg = f"value {wrong} of a matrix leaves its interval {self.low[wrong]}…{self.high[wrong]}"
            raise GraphError(msg)
        return values

    def _values(self, places: Int64Array, values: IntArray) -> IntArray:
        """Return the values of operations of one kind whose operands are known."""
        left, right, factor = self.left[places], self.right[places], self.factor[places, np.newaxis]
        if left[0] == NOTHING:
            return factor
        if right[0] == NOTHING:
            return values[left] * factor
        shifts = self.left_shift[places, np.newaxis], self.right_shift[places, np.newaxis]
        result: IntArray = (values[left] << shifts[0]) + factor * (values[right] << shifts[1])
        return result

    @cached_property
    def _steps(self) -> list[Int64Array]:
        """The operations, those of one kind and level together."""
        key = 2 * self.level[self.inputs :] + self.sums
        order = np.argsort(key, kind="stable")
        return [step for step in np.split(order, np.flatnonzero(np.diff(key[order])) + 1) if step.size]

    @cached_property
    def _in_int64(self) -> bool:
        """Whether no value, and no shifted operand of a sum, can overflow."""
        magnitude = np.maximum(np.abs(self.low), np.abs(self.high)).astype(np.float64)
        sums = self.sums
        shifted = [
            magnitude[place[sums]] * 2.0 ** shift[sums]
            for place, shift in ((self.left, self.left_shift), (self.right, self.right_shift))
        ]
        return max(float(part.max(initial=0)) for part in (magnitude, *shifted)) < _SAFE


_KNOWN: WeakKeyDictionary[MatVecKernel, Operations] = WeakKeyDictionary()


def operations(kernel: MatVecKernel) -> Operations:
    """Return the operations of a matrix that is multiplied or made of additions; those of one kernel are made once."""
    known = _KNOWN.get(kernel)
    if known is None:
        known = _KNOWN[kernel] = _made(kernel)
    return known


def _made(kernel: MatVecKernel) -> Operations:
    match kernel.plan:
        case Multiply():
            return _multiplied(kernel)
        case Adders():
            return _added(kernel, kernel.plan.graph)
        case Folded():
            msg = f"{kernel.layer}: a folded matrix has lanes, and no list of operations"
            raise GraphError(msg)
        case _:
            assert_never(kernel.plan)


@dataclass(frozen=True, eq=False)
class _Block:
    """Operations that follow one another, as in `Operations`."""

    left: Int64Array
    right: Int64Array
    left_shift: Int64Array
    right_shift: Int64Array
    factor: IntArray
    low: IntArray
    high: IntArray
    zeros: Int64Array

    def __len__(self) -> int:
        return len(self.left)


@dataclass(frozen=True, eq=False)
class _Terms:
    """What rows are still to add: ``sign * (value[place] << shift)``, with the interval and low zeros of the value."""

    place: Int64Array
    shift: Int64Array
    sign: Int64Array
    low: IntArray
    high: IntArray
    zeros: Int64Array

    def __len__(self) -> int:
        return len(self.place)

    def __getitem__(self, chosen: Int64Array | npt.NDArray[np.bool_]) -> _Terms:
        return _Terms(*(getattr(self, field.name)[chosen] for field in fields(self)))

    def where(self, flags: npt.NDArray[np.bool_], other: _Terms) -> _Terms:
        """Return these terms where ``flags`` are set, the others elsewhere."""
        return _Terms(*(np.where(flags, getattr(self, name), getattr(other, name)) for name in _TERM))


_TERM = tuple(field.name for field in fields(_Terms))


def _joined(parts: Sequence[_Terms]) -> _Terms:
    return _Terms(*(np.concatenate([getattr(part, name) for part in parts]) for name in _TERM))


def _assembled(kernel: MatVecKernel, blocks: Sequence[_Block], row: Int64Array, row_shift: Int64Array) -> Operations:
    low, high = (np.asarray(end) for end in _ends(kernel))
    nothing = np.zeros(kernel.source.size, dtype=np.int64)
    joined = {field.name: np.concatenate([getattr(block, field.name) for block in blocks]) for field in fields(_Block)}
    joined["low"] = np.concatenate([np.broadcast_to(low, nothing.shape), joined["low"]])
    joined["high"] = np.concatenate([np.broadcast_to(high, nothing.shape), joined["high"]])
    joined["zeros"] = np.concatenate([nothing, joined["zeros"]])
    return Operations(inputs=kernel.source.size, row=row, row_shift=row_shift, **joined)


def _ends(kernel: MatVecKernel) -> tuple[IntArray, IntArray]:
    """Return the smallest and largest word of the source."""
    fmt = kernel.source.format
    return as_mantissas([fmt.low])[0], as_mantissas([fmt.high])[0]


def _constants(values: IntArray) -> _Block:
    nothing = np.full(len(values), NOTHING)
    return _Block(nothing, nothing, 0 * nothing, 0 * nothing, values, values, values, trailing_zeros(values))


def _as_terms(block: _Block, first: int) -> _Terms:
    """Return the values of a block, whose first one is value ``first``."""
    count = np.arange(len(block))
    return _Terms(first + count, 0 * count, 0 * count + 1, block.low, block.high, block.zeros)


def _sum(left: _Terms, right: _Terms) -> tuple[_Block, Int64Array, Int64Array]:
    """Return the sums of terms in pairs, with the shift and the sign that make a term of each.

    Low zeros that both have are left out. Where both are negative their sum is positive and becomes a negative term.
    """
    swap = (left.sign < 0) & (right.sign > 0)
    one, other = right.where(swap, left), left.where(swap, right)
    shift, factor = np.minimum(one.shift, other.shift), one.sign * other.sign
    left_shift, right_shift = one.shift - shift, other.shift - shift
    low, high = other.low << right_shift, other.high << right_shift
    block = _Block(
        one.place,
        other.place,
        left_shift,
        right_shift,
        factor,
        (one.low << left_shift) + np.where(factor > 0, low, -high),
        (one.high << left_shift) + np.where(factor > 0, high, -low),
        np.minimum(one.zeros + left_shift, other.zeros + right_shift),
    )
    return block, shift, one.sign


# --- multiplications and a balanced tree for each row ---


def _multiplied(kernel: MatVecKernel) -> Operations:
    """Distinct products first, then the trees of all rows level by level, then what is left of negative rows."""
    weights, inputs = kernel.weights, kernel.source.size
    constants = _constants(np.unique(kernel.bias[kernel.bias != 0]))
    multiplied, place = _products(kernel, inputs + len(constants))
    simple = signed_digits(weights.weight) == 1
    terms = _joined([_wires(kernel, simple), place])
    order = np.argsort(np.concatenate([np.flatnonzero(simple), np.flatnonzero(~simple)]), kind="stable")
    biased = np.flatnonzero(kernel.bias != 0)
    bias = _as_terms(constants, inputs)[np.searchsorted(constants.factor, kernel.bias[biased])]
    row = np.concatenate([weights.row, biased])
    by_row = np.argsort(row, kind="stable")
    return _summed(kernel, [constants, multiplied], row[by_row], _joined([terms[order], bias])[by_row])


def _wires(kernel: MatVecKernel, simple: npt.NDArray[np.bool_]) -> _Terms:
    """Return the terms of weights that are a power of two: an element of the input, shifted, perhaps negative."""
    weight, column = kernel.weights.weight[simple], kernel.weights.column[simple]
    low, high = (np.broadcast_to(end, column.shape) for end in _exact_ends(kernel))
    return _Terms(column, trailing_zeros(weight), np.sign(weight), low, high, 0 * column)


def _exact_ends(kernel: MatVecKernel) -> tuple[IntArray, IntArray]:
    """Return the ends of the source in the type in which all sums are exact."""
    low, high = (np.asarray(end) for end in _ends(kernel))
    largest = max(abs(int(end)) for end in (*_ends(kernel), *bounds(kernel.bias)))
    if kernel.weights.magnitude(max(1, largest)) + largest >= _SAFE:
        return low.astype(object), high.astype(object)
    return low, high


def _products(kernel: MatVecKernel, first: int) -> tuple[_Block, _Terms]:
    """Return the distinct products of an element and a weight, and the term of each weight that is no power of two."""
    weights = kernel.weights
    others = signed_digits(weights.weight) > 1
    column, weight = weights.column[others], weights.weight[others]
    values, rank = np.unique(weight, return_inverse=True)
    _, once, again = np.unique(column * max(1, len(values)) + rank, return_index=True, return_inverse=True)
    column, weight = column[once], weight[once]
    low, high = _exact_ends(kernel)
    nothing = np.full(len(once), NOTHING)
    block = _Block(
        column,
        nothing,
        0 * nothing,
        0 * nothing,
        weight,
        weight * np.where(weight > 0, low, high),
        weight * np.where(weight > 0, high, low),
        trailing_zeros(weight),
    )
    return block, _as_terms(block, first)[again]


def _summed(kernel: MatVecKernel, blocks: list[_Block], row: Int64Array, terms: _Terms) -> Operations:
    """Add the terms of each row, sorted by ``row``, in a balanced tree."""
    first = kernel.source.size + sum(map(len, blocks))
    while (row[1:] == row[:-1]).any():
        block, row, terms = _pairwise(row, terms, first)
        blocks.append(block)
        first += len(block)
    rows = kernel.weights.shape[0]
    place, shift = np.full(rows, first), np.zeros(rows, dtype=np.int64)
    place[row], shift[row] = terms.place, terms.shift
    negative = terms.sign < 0
    if len(row) < rows or negative.any():
        zero = _constants(np.zeros(1, dtype=np.int64))
        minus = _sum(_as_terms(zero, first)[np.zeros(int(negative.sum()), dtype=np.int64)], _unshifted(terms[negative]))
        place[row[negative]] = first + 1 + np.arange(int(negative.sum()))
        blocks += [zero, minus[0]]
    return _assembled(kernel, blocks, place, shift)


def _unshifted(terms: _Terms) -> _Terms:
    return replace(terms, shift=0 * terms.shift)


def _pairwise(row: Int64Array, terms: _Terms, first: int) -> tuple[_Block, Int64Array, _Terms]:
    """Add neighbours of a row in pairs; the last of an odd number passes through."""
    even = (np.arange(len(row)) - np.searchsorted(row, row, side="left")) % 2 == 0
    same_row = np.append(row[1:] == row[:-1], [False])
    left, alone = np.flatnonzero(even & same_row), np.flatnonzero(even & ~same_row)
    block, shift, sign = _sum(terms[left], terms[left + 1])
    merged = np.concatenate([left, alone])
    order = np.argsort(merged, kind="stable")
    made = replace(_as_terms(block, first), shift=shift, sign=sign)
    return block, row[merged][order], _joined([made, terms[alone]])[order]


# --- shared additions ---


def _added(kernel: MatVecKernel, graph: AdderGraph) -> Operations:
    """The additions of the graph, then one more for each distinct row that has a bias or is negative."""
    _check(kernel, graph)
    zero = graph.row == graphs.NOTHING
    ended = ~zero & ((kernel.bias != 0) | (graph.row_sign < 0))
    shift = np.where(zero, 0, graph.row_shift)
    shift[ended] = np.minimum(shift, trailing_zeros(kernel.bias))[ended]
    offset = kernel.bias >> shift
    constants = _constants(np.unique(offset[zero | ended]))
    first = kernel.source.size + len(constants)
    additions, values = _graph_values(kernel, graph, first)
    starts = _as_terms(constants, kernel.source.size)
    place = values.place[graph.row]
    place[zero] = starts.place[np.searchsorted(constants.factor, offset[zero])]
    left = replace(starts[np.searchsorted(constants.factor, offset[ended])], shift=shift[ended])
    right = replace(values[graph.row[ended]], shift=graph.row_shift[ended], sign=graph.row_sign[ended])
    sums, again = _distinct(left, right)
    place[ended] = first + len(additions) + again
    return _assembled(kernel, [constants, additions, sums], place, shift)


def _check(kernel: MatVecKernel, graph: AdderGraph) -> None:
    try:
        graph.check(kernel.weights)
    except GraphError as error:
        msg = f"{kernel.layer}: {error}; plan this matrix again"
        raise GraphError(msg) from error


def _graph_values(kernel: MatVecKernel, graph: AdderGraph, first: int) -> tuple[_Block, _Terms]:
    """Return the additions, the first of which is value ``first``, and a term for each value of the graph.

    Intervals come from what each value is of the inputs: operands depend on one another, so theirs would be too wide.
    """
    positive, negative, zeros = graph.reach
    low, high = (np.asarray(end) for end in _ends(kernel))
    largest = max(abs(int(end)) for end in (*_ends(kernel), *bounds(kernel.bias), 1))
    if 4 * (bounds(positive)[1] - bounds(negative)[0]) * largest >= _SAFE:
        low, high = low.astype(object), high.astype(object)
    lows, highs = positive * low + negative * high, positive * high + negative * low
    place = np.concatenate([np.arange(graph.inputs), first + np.arange(graph.additions)])
    made = slice(graph.inputs, None)
    block = _Block(
        place[graph.left],
        place[graph.right],
        graph.left_shift,
        graph.right_shift,
        graph.sign,
        lows[made],
        highs[made],
        zeros[made],
    )
    return block, _Terms(place, 0 * place, 0 * place + 1, lows, highs, zeros)


def _distinct(left: _Terms, right: _Terms) -> tuple[_Block, Int64Array]:
    """Return the distinct sums of terms in pairs, and which of them each pair is, up to a shift of both."""
    key = np.stack([left.place, right.place, right.shift - left.shift, right.sign])
    _, once, again = np.unique(key, axis=1, return_index=True, return_inverse=True)
    return _sum(left[once], right[once])[0], again.reshape(-1)


# --- widths ---


def widths(low: IntArray, high: IntArray) -> Int64Array:
    """Return the width in bits of the word for each interval, as `fixed.smallest_word` does one by one."""
    negative = low < 0
    magnitude = np.maximum(np.where(negative, -low - 1, 0), np.maximum(high, 0))
    return np.maximum(_bit_lengths(magnitude) + negative, 1)


def _bit_lengths(values: IntArray) -> Int64Array:
    if values.dtype == object or (values.size and values.max() >= 1 << 53):
        return np.array([int(value).bit_length() for value in values], dtype=np.int64)
    return np.frexp(values.astype(np.float64))[1].astype(np.int64)  # exact, since float64 holds 53 bits
