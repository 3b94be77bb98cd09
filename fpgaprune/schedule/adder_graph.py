"""A constant matrix times a vector as additions of shifted values."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from fpgaprune.digits import trailing_zeros
from fpgaprune.errors import GraphError
from fpgaprune.sparse import frozen

if TYPE_CHECKING:
    from fpgaprune.fixed import IntArray
    from fpgaprune.sparse import Int64Array, SparseMatrix

NOTHING = -1
"""The place of a row that is zero."""


@dataclass(frozen=True, eq=False)
class AdderGraph:
    """Additions that make every row of a matrix times a vector of ``inputs`` elements.

    Value i below ``inputs`` is element i. Value ``inputs + k`` is ``(value[left[k]] << left_shift[k]) + sign[k] *
    (value[right[k]] << right_shift[k])``, of values before it; ``sign`` is 1 or -1. Row r is ``row_sign[r] *
    (value[row[r]] << row_shift[r])``, or zero where ``row[r]`` is `NOTHING`. Arrays are int64 and read-only.

    Raises:
        GraphError: arrays of wrong length, an addition of values that do not come before it, a bad sign or shift.
    """

    inputs: int
    left: Int64Array
    right: Int64Array
    left_shift: Int64Array
    right_shift: Int64Array
    sign: Int64Array
    row: Int64Array
    row_shift: Int64Array
    row_sign: Int64Array

    def __post_init__(self) -> None:
        for field in fields(self)[1:]:
            object.__setattr__(self, field.name, frozen(np.asarray(getattr(self, field.name), dtype=np.int64)))
        additions = (self.left, self.right, self.left_shift, self.right_shift, self.sign)
        rows = (self.row, self.row_shift, self.row_sign)
        if any(len({len(array) for array in arrays}) > 1 for arrays in (additions, rows)):
            msg = "an adder graph must have as many operands as additions, and a place, shift and sign for each row"
            raise GraphError(msg)
        before = self.inputs + np.arange(len(self.left))
        operands = np.stack([self.left, self.right])
        if ((operands < 0) | (operands >= before)).any():
            msg = "an addition must read values that come before it"
            raise GraphError(msg)
        if ((self.row < NOTHING) | (self.row >= self.inputs + len(self.left))).any():
            msg = "a row of an adder graph must be one of its values, or nothing"
            raise GraphError(msg)
        shifts = np.concatenate([self.left_shift, self.right_shift, self.row_shift])
        signs = np.concatenate([self.sign, self.row_sign])
        if ((shifts < 0) | (shifts > _MOST_SHIFT)).any() or (np.abs(signs) != 1).any():
            msg = f"an adder graph must have shifts in 0…{_MOST_SHIFT} and signs of 1 or -1"
            raise GraphError(msg)

    @property
    def additions(self) -> int:
        """The number of additions."""
        return len(self.left)

    @cached_property
    def depth(self) -> Int64Array:
        """The additions on the longest way from an input to each value, 0 for an input (inputs + additions,)."""
        depth = [0] * (self.inputs + self.additions)
        operands = zip(self.left.tolist(), self.right.tolist(), strict=True)
        for value, (left, right) in enumerate(operands, start=self.inputs):
            depth[value] = 1 + max(depth[left], depth[right])
        return frozen(np.array(depth, dtype=np.int64))

    @cached_property
    def reach(self) -> tuple[IntArray, IntArray, Int64Array]:
        """Each value's positive coefficients summed, its negative ones summed, and the low bits zero in all of them."""
        values = self.inputs + self.additions
        sums: IntArray = np.zeros((3, values), dtype=self._exact)
        positive, negative, common = sums
        for columns in self._blocks():
            forms = self.coefficients(columns)
            positive += forms.clip(min=0).sum(axis=1)
            negative += forms.clip(max=0).sum(axis=1)
            common |= np.bitwise_or.reduce(np.abs(forms), axis=1)
        return frozen(positive), frozen(negative), frozen(trailing_zeros(common))

    def check(self, weights: SparseMatrix) -> None:
        """Check that the graph computes the matrix exactly.

        Raises:
            GraphError: it computes another one.
        """
        if (len(self.row), self.inputs) != weights.shape:
            msg = f"an adder graph of {len(self.row)} rows and {self.inputs} inputs is not one of shape {weights.shape}"
            raise GraphError(msg)
        by_column = weights.csr.tocsc()
        for columns in self._blocks():
            wrong = (self._rows(columns) != by_column[:, columns.start : columns.stop].toarray()).any(axis=0)
            if wrong.any():
                msg = f"an adder graph does not compute column {columns[int(wrong.argmax())]} of its matrix"
                raise GraphError(msg)

    def _rows(self, columns: range) -> IntArray:
        forms = self.coefficients(columns)[self.row]
        forms[self.row == NOTHING] = 0
        rows: IntArray = self.row_sign[:, np.newaxis] * (forms << self.row_shift[:, np.newaxis])
        return rows

    def coefficients(self, columns: range) -> IntArray:
        """Return each value as a linear form of the inputs: its coefficients of some of them (values, columns)."""
        forms: IntArray = np.zeros((self.inputs + self.additions, len(columns)), dtype=self._exact)
        forms[columns, np.arange(len(columns))] = 1
        for level in self._levels:
            shifts = self.left_shift[level, np.newaxis], self.right_shift[level, np.newaxis]
            left, right = forms[self.left[level]] << shifts[0], forms[self.right[level]] << shifts[1]
            forms[self.inputs + level] = left + self.sign[level, np.newaxis] * right
        return forms

    def _blocks(self) -> list[range]:
        """Columns in runs, so that the forms of one run are of moderate size."""
        width = max(1, _FORMS // (self.inputs + self.additions + 1))
        return [range(start, min(start + width, self.inputs)) for start in range(0, self.inputs, width)]

    @cached_property
    def _levels(self) -> list[Int64Array]:
        """The additions, those of one depth together."""
        depth = self.depth[self.inputs :]
        order = np.argsort(depth, kind="stable")
        return [level for level in np.split(order, np.flatnonzero(np.diff(depth[order])) + 1) if level.size]

    @cached_property
    def _exact(self) -> type:
        """The type in which no coefficient, nor the sum of those of a value, can overflow."""
        largest = np.ones(self.inputs + self.additions)
        for level in self._levels:
            left = largest[self.left[level]] * 2.0 ** self.left_shift[level]
            largest[self.inputs + level] = left + largest[self.right[level]] * 2.0 ** self.right_shift[level]
        rows = largest[self.row] * 2.0**self.row_shift
        return np.int64 if max(largest.max(initial=1), rows.max(initial=1)) * self.inputs < 1 << 62 else object

    def apply(self, vectors: IntArray) -> IntArray:
        """Return the exact rows (rows, n) for ``vectors`` (inputs, n), Python integers or int64 without overflow."""
        values = list(vectors)
        for left, right, left_shift, right_shift, sign in zip(
            self.left.tolist(),
            self.right.tolist(),
            self.left_shift.tolist(),
            self.right_shift.tolist(),
            self.sign.tolist(),
            strict=True,
        ):
            values.append((values[left] << left_shift) + sign * (values[right] << right_shift))
        zero = np.zeros(vectors.shape[1:], dtype=vectors.dtype)
        rows = zip(self.row.tolist(), self.row_shift.tolist(), self.row_sign.tolist(), strict=True)
        result: IntArray = np.array(
            [zero if place == NOTHING else sign * (values[place] << shift) for place, shift, sign in rows],
            dtype=vectors.dtype,
        )
        return result.reshape(len(self.row), *vectors.shape[1:])


_FORMS = 1 << 22
"""Coefficients that are held at a time."""

_MOST_SHIFT = 200
"""A shift that no matrix of 64-bit integers needs more than; it keeps what a file says within bounds."""
