"""The constant matrix of a pruned layer: non-zero mantissas only."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from fpgaprune.errors import GraphError
from fpgaprune.fixed import IntArray, as_mantissas, bounds

if TYPE_CHECKING:
    from collections.abc import Sequence

Int64Array = npt.NDArray[np.int64]


def frozen(array: IntArray) -> IntArray:
    """Return a read-only copy, so that a value that holds it cannot change."""
    copy = np.array(array)
    copy.setflags(write=False)
    return copy


@dataclass(frozen=True, eq=False)
class SparseMatrix:
    """Integer mantissas of a constant matrix of ``shape`` (outputs, inputs), row by row, zeros absent.

    ``weight[row_start[r]:row_start[r + 1]]`` are the mantissas of row r, at the ``column`` of the same places, in
    ascending order of columns. Arrays are int64 and read-only.

    Raises:
        GraphError: a stored zero, a column out of range or out of order, arrays of wrong length or type.
    """

    shape: tuple[int, int]
    row_start: Int64Array
    column: Int64Array
    weight: Int64Array

    def __post_init__(self) -> None:
        for field in ("row_start", "column", "weight"):
            array = getattr(self, field)
            if array.dtype != np.int64 or array.ndim != 1:
                msg = f"SparseMatrix.{field} must be a vector of int64, not {array.dtype} of shape {array.shape}"
                raise GraphError(msg)
            object.__setattr__(self, field, frozen(array))
        self._check_rows()
        self._check_terms()

    def _check_rows(self) -> None:
        rows, _ = self.shape
        if min(self.shape) < 0:
            msg = f"SparseMatrix.shape must not be negative, as {self.shape} is"
            raise GraphError(msg)
        if len(self.row_start) != rows + 1:
            msg = (
                f"SparseMatrix.row_start must have {rows + 1} entries for shape {self.shape}, not {len(self.row_start)}"
            )
            raise GraphError(msg)
        falls = (self.row_start[1:] < self.row_start[:-1]).any()
        if self.row_start[0] != 0 or self.row_start[-1] != len(self.weight) or falls:
            msg = f"SparseMatrix.row_start must rise from 0 to the {len(self.weight)} stored weights"
            raise GraphError(msg)

    def _check_terms(self) -> None:
        if len(self.column) != len(self.weight):
            msg = f"SparseMatrix has {len(self.weight)} weights but {len(self.column)} columns"
            raise GraphError(msg)
        zeros = np.flatnonzero(self.weight == 0)
        if zeros.size:
            row, column = int(self.row[zeros[0]]), int(self.column[zeros[0]])
            msg = f"SparseMatrix must store no zero, but row {row}, column {column} is one; build it with from_dense"
            raise GraphError(msg)
        if self.column.size and not (self.column.min() >= 0 and self.column.max() < self.shape[1]):
            msg = f"SparseMatrix has a column outside 0…{self.shape[1] - 1}"
            raise GraphError(msg)
        same_row = self.row[1:] == self.row[:-1]
        if (same_row & (self.column[1:] <= self.column[:-1])).any():
            msg = "SparseMatrix columns must rise within each row, without repeats"
            raise GraphError(msg)

    @classmethod
    def from_dense(cls, values: IntArray) -> SparseMatrix:
        """Compress a dense integer matrix (outputs, inputs), leaving its zeros out.

        Raises:
            GraphError: not a matrix, or a mantissa beyond 64 bits.
        """
        dense = as_mantissas(values)
        if dense.ndim != 2:
            msg = f"a weight matrix must have two axes, not shape {dense.shape}"
            raise GraphError(msg)
        if dense.dtype == object:
            msg = "weight mantissas must fit in 64 bits; give the weights a narrower format"
            raise GraphError(msg)
        row, column = np.nonzero(dense)
        return cls._from_sorted(dense.shape, row, column, dense[row, column])

    @classmethod
    def from_terms(
        cls, shape: tuple[int, int], row: Int64Array, column: Int64Array, weight: Int64Array
    ) -> SparseMatrix:
        """Compress (row, column, weight) terms in any order; terms of one place are added, zero sums are left out.

        Raises:
            GraphError: a term outside the shape, or a sum beyond 64 bits.
        """
        for index, size in zip((row, column), shape, strict=True):
            low, high = bounds(index)
            if index.size and not 0 <= low <= high < size:
                msg = f"a term lies outside the shape {shape}"
                raise GraphError(msg)
        summed = csr_array((weight, (row, column)), shape=shape, dtype=np.int64)
        rough = csr_array((weight, (row, column)), shape=shape, dtype=np.float64)
        if (np.abs(summed.data - rough.data) > 1 << 62).any():  # an int64 that overflowed is wrong by 2**64
            msg = "weight mantissas must fit in 64 bits; give the weights a narrower format"
            raise GraphError(msg)
        summed.eliminate_zeros()
        return cls(shape, *(part.astype(np.int64) for part in (summed.indptr, summed.indices, summed.data)))

    @classmethod
    def _from_sorted(
        cls, shape: Sequence[int], row: Int64Array, column: Int64Array, weight: Int64Array
    ) -> SparseMatrix:
        rows, columns = shape
        start = np.concatenate(([0], np.cumsum(np.bincount(row, minlength=rows)))).astype(np.int64)
        return cls((rows, columns), start, column.astype(np.int64), weight.astype(np.int64))

    @property
    def nonzeros(self) -> int:
        """The number of stored weights."""
        return len(self.weight)

    @property
    def sparsity(self) -> float:
        """The share of zero entries, 0…1; an empty matrix has none."""
        size = self.shape[0] * self.shape[1]
        return 1.0 - self.nonzeros / size if size else 0.0

    @cached_property
    def row(self) -> Int64Array:
        """The row of each stored weight."""
        return frozen(np.repeat(np.arange(len(self.row_start) - 1), np.diff(self.row_start)))

    @cached_property
    def csr(self) -> csr_array:
        """The same matrix for scipy, which computes with it but must not write to it."""
        return csr_array((self.weight, self.column, self.row_start), shape=self.shape)

    def dense(self) -> Int64Array:
        """Return the matrix with its zeros, for tests and pictures."""
        full: Int64Array = self.csr.toarray()
        return full

    def select_rows(self, keep: npt.NDArray[np.bool_]) -> SparseMatrix:
        """Return the rows that ``keep`` (one flag a row) holds."""
        chosen = keep[self.row]
        renumber = np.cumsum(keep) - 1
        shape = (int(keep.sum()), self.shape[1])
        return self._from_sorted(shape, renumber[self.row[chosen]], self.column[chosen], self.weight[chosen])

    def select_columns(self, keep: npt.NDArray[np.bool_]) -> SparseMatrix:
        """Return the columns that ``keep`` (one flag a column) holds."""
        chosen = keep[self.column]
        renumber = np.cumsum(keep) - 1
        shape = (self.shape[0], int(keep.sum()))
        return self._from_sorted(shape, self.row[chosen], renumber[self.column[chosen]], self.weight[chosen])

    def multiply(self, vector: IntArray) -> IntArray:
        """Return the exact product with a vector of mantissas (inputs,), as int64 or, where needed, Python integers."""
        bound = self.magnitude(max(abs(value) for value in bounds(vector)))
        if vector.dtype != object and bound < 1 << 63:
            product: IntArray = self.csr @ vector
            return product
        total = np.zeros(self.shape[0], dtype=object)
        np.add.at(total, self.row, self.weight.astype(object) * vector.astype(object)[self.column])
        return total

    def magnitude(self, largest: int) -> int:
        """Return a bound of every partial sum of a row times a vector whose mantissas are at most ``largest``."""
        if not self.nonzeros:
            return 0
        longest = int(np.diff(self.row_start).max())
        low, high = bounds(self.weight)
        rough = longest * max(-low, high) * largest
        if rough >= 1 << 63:  # the sums of magnitudes could themselves overflow int64
            return rough
        return (
            int(np.add.reduceat(np.abs(self.weight), self.row_start[:-1][np.diff(self.row_start) > 0]).max()) * largest
        )
