"""Columns over banks and rows over groups, so that each bank has as many non-zeros as any other in each group."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from fpgaprune.fixed import IntArray
    from fpgaprune.sparse import Int64Array, SparseMatrix

NOWHERE = -1
"""The bank of a column without non-zeros."""

_EFFORT, _OVERHEAD = 15_000_000, 6_000
"""Exchanges that are looked at before all is left as it is, within a second or two; a search costs some more."""

_LAST_EFFORT = 2_000_000
"""Exchanges that are looked at before one non-zero above the average is left as it is."""

_PROMISING = 256
"""Exchanges of a search whose effect is worked out exactly."""

_STUCK = 6
"""Searches that fail one after the other before an exchange is made that does no good."""

_FEW_OF_OWN, _FEW_OF_OTHERS = 16, 64
"""Items from which that exchange is chosen."""


def spread(weights: SparseMatrix, banks: int, groups: int) -> tuple[Int64Array, Int64Array]:
    """Return the bank of each column, `NOWHERE` for an empty one, and the group of each row.

    Consecutive or alternate columns and rows are kept where they are balanced already, as they are in patterns. Else
    the columns and rows with most non-zeros choose first, and exchanges of two columns or two rows that lower the
    fullest cells follow until no cell has more than the average, or a fixed effort is spent.
    """
    filled = tuple(np.unique(index) for index in (weights.column, weights.row))
    columns, rows = (
        np.searchsorted(of, index) for of, index in zip(filled, (weights.column, weights.row), strict=True)
    )
    sides = (_Side(len(filled[0]), banks), _Side(len(filled[1]), groups))
    owners = _natural(columns, rows, sides) or _searched(columns, rows, sides)
    bank = np.full(weights.shape[1], NOWHERE)
    bank[filled[0]] = owners[0]
    group = np.full(weights.shape[0], NOWHERE)
    group[filled[1]] = owners[1]
    group[group == NOWHERE] = _spare(owners[1], groups, weights.shape[0])
    return bank, group


@dataclass(frozen=True)
class _Side:
    """So many columns or rows that have non-zeros, and the banks or groups that own them."""

    items: int
    owners: int

    @property
    def capacity(self) -> int:
        """The items of each owner."""
        return -(-self.items // self.owners)

    @property
    def natural(self) -> tuple[Int64Array, Int64Array]:
        """Owners of consecutive items, and owners in turn."""
        item = np.arange(self.items)
        return item * self.owners // self.items, item % self.owners


def _spare(group: Int64Array, groups: int, rows: int) -> Int64Array:
    """Return the groups that rows without non-zeros fill up."""
    free = -(-rows // groups) - np.bincount(group, minlength=groups)
    return np.repeat(np.arange(groups), free)[: rows - len(group)]


def _natural(columns: Int64Array, rows: Int64Array, sides: tuple[_Side, _Side]) -> tuple[Int64Array, Int64Array] | None:
    banks, groups = (side.owners for side in sides)
    average = -(-len(columns) // (banks * groups))
    for bank, group in product(sides[0].natural, sides[1].natural):
        if np.bincount(bank[columns] * groups + group[rows]).max() <= average:
            return bank, group
    return None


def _searched(columns: Int64Array, rows: Int64Array, sides: tuple[_Side, _Side]) -> tuple[Int64Array, Int64Array]:
    every = np.zeros(sides[0].items, dtype=np.int64)
    group = _chosen(_profiles(rows, sides[1].items, every[columns], 1), sides[1])
    bank = _chosen(_profiles(columns, sides[0].items, group[rows], sides[1].owners), sides[0])
    group = _chosen(_profiles(rows, sides[1].items, bank[columns], sides[0].owners), sides[1])
    search = _Search((columns, rows), sides, (bank, group))
    search.improve(-(-len(columns) // (sides[0].owners * sides[1].owners)))
    return search.owner[0][: sides[0].items], search.owner[1][: sides[1].items]


def _profiles(items: Int64Array, count: int, owner: Int64Array, owners: int) -> Int64Array:
    """Return the non-zeros (count, owners) of each item that each owner of the other side has."""
    return np.bincount(items * owners + owner, minlength=count * owners).reshape(count, owners)


def _chosen(profiles: Int64Array, side: _Side) -> Int64Array:
    """Return the owner of each item, the largest first: one with room whose load has least in common with it."""
    owner = np.zeros(side.items, dtype=np.int64)
    loads = np.zeros((side.owners, profiles.shape[1]))
    room = np.full(side.owners, side.capacity)
    for item in np.argsort(-profiles.sum(axis=1), kind="stable").tolist():
        common = loads @ profiles[item]
        common[room == 0] = np.inf
        best = int(common.argmin())
        owner[item] = best
        loads[best] += profiles[item]
        room[best] -= 1
    return owner


class _Search:
    """Exchanges of columns between banks and of rows between groups; side 0 is the columns, side 1 the rows.

    Each owner has as many items as any other: places that are left are empty items, which may be exchanged as well.
    """

    def __init__(
        self, ends: tuple[Int64Array, Int64Array], sides: tuple[_Side, _Side], owner: tuple[Int64Array, Int64Array]
    ) -> None:
        self.owner = tuple(_padded(of, side) for of, side in zip(owner, sides, strict=True))
        self._owners = tuple(side.owners for side in sides)
        self._partners = tuple(_partners(ends[side], ends[1 - side], len(self.owner[side])) for side in (0, 1))
        self._profiles = tuple(
            _profiles(ends[side], len(self.owner[side]), self.owner[1 - side][ends[1 - side]], self._owners[1 - side])
            for side in (0, 1)
        )
        self._cells = np.zeros(self._owners, dtype=np.int64)
        np.add.at(self._cells, self.owner[0], self._profiles[0])
        self._effort = 0
        self._random = np.random.default_rng(len(ends[0]))  # of the matrix alone, so that a schedule can be repeated

    def improve(self, average: int) -> None:
        """Exchange until no cell has more than the average, or a fixed effort is spent.

        Where none of several searches does good, an exchange is made that does little harm, so that others come
        within reach.
        """
        failed, best = 0, (int(self._cells.max()), self._copy())
        while self._is_worthwhile(average):
            stuck = failed >= _STUCK
            cell = self._random.integers(self._owners) if stuck else self._full_cell()
            gain, side, one, two = min(self._best(side, int(cell[side]), average, stuck=stuck) for side in (0, 1))
            if gain <= 0 or stuck:
                self._exchange(side, one, two)
            failed = 0 if gain < 0 or stuck else failed + 1
            if self._cells.max() < best[0]:
                best = int(self._cells.max()), self._copy()
        if self._cells.max() > best[0]:
            self.owner = best[1]

    def _is_worthwhile(self, average: int) -> bool:
        above = self._cells.max() - average
        return bool(above > 0 and self._effort < (_EFFORT if above > 1 else _LAST_EFFORT))

    def _copy(self) -> tuple[Int64Array, ...]:
        return tuple(owner.copy() for owner in self.owner)

    def _full_cell(self) -> Int64Array:
        fullest = np.argwhere(self._cells == self._cells.max())
        chosen: Int64Array = fullest[self._random.integers(len(fullest))]
        return chosen

    def _best(self, side: int, owner: int, average: int, *, stuck: bool) -> tuple[int, int, int, int]:
        """Return the best exchange of an owner's items: change of the excess, side, two items."""
        cells = self._cells if side == 0 else self._cells.T
        mine, other = np.flatnonzero(self.owner[side] == owner), np.flatnonzero(self.owner[side] != owner)
        if stuck:
            mine, other = self._sample(mine, _FEW_OF_OWN), self._sample(other, _FEW_OF_OTHERS)
        if not other.size:
            return np.iinfo(np.int64).max, side, 0, 0
        one, two = self._promising(side, mine, other)
        theirs = self.owner[side][two]
        change = self._profiles[side][two] - self._profiles[side][one]
        after = _excess(cells[owner] + change, average) + _excess(cells[theirs] - change, average)
        gain = after - _excess(cells[owner], average) - _excess(cells[theirs], average)
        gain[~change.any(axis=-1)] = np.iinfo(np.int64).max  # no exchange at all
        best = int(gain.argmin())
        return int(gain[best]), side, int(one[best]), int(two[best])

    def _promising(self, side: int, mine: Int64Array, other: Int64Array) -> tuple[Int64Array, Int64Array]:
        """Return the exchanges that lower the sum of squares of cells most; ``value`` is half of what each adds."""
        cells = (self._cells if side == 0 else self._cells.T).astype(np.float64)
        first, second = (self._profiles[side][items].astype(np.float64) for items in (mine, other))
        apart = cells[self.owner[side][mine[0]]] - cells[self.owner[side][other]]
        common = np.einsum("ik,jk->ij", first, 2 * second + apart)  # small: threads of a BLAS would wait for each other
        value = ((first**2).sum(axis=1)[:, np.newaxis] + (second * (second + apart)).sum(axis=1) - common).ravel()
        self._effort += value.size + _OVERHEAD
        one, two = np.unravel_index(_smallest(value, _PROMISING), (len(mine), len(other)))
        return mine[one], other[two]

    def _sample(self, items: Int64Array, most: int) -> Int64Array:
        return items if len(items) <= most else self._random.choice(items, most, replace=False)

    def _exchange(self, side: int, one: int, two: int) -> None:
        cells = self._cells if side == 0 else self._cells.T
        first, second = self.owner[side][[one, two]]
        change = self._profiles[side][two] - self._profiles[side][one]
        cells[first] += change
        cells[second] -= change
        self.owner[side][[one, two]] = second, first
        other = self._profiles[1 - side]
        for item, left, entered in ((one, first, second), (two, second, first)):
            other[self._partners[side][item], left] -= 1
            other[self._partners[side][item], entered] += 1


def _smallest(values: npt.NDArray[np.float64], count: int) -> Int64Array:
    """Return where the smallest values are, the first of equals, in an order that no processor alters."""
    if len(values) <= count:
        return np.arange(len(values))
    limit = np.partition(values, count)[count]
    return np.concatenate([np.flatnonzero(values < limit), np.flatnonzero(values == limit)])[:count]


def _excess(cells: Int64Array, average: int) -> IntArray:
    """Return the sum over the last axis of the fourth powers of what cells have above the average."""
    above = np.maximum(cells - average, 0)
    squares = above * above
    total: IntArray = (squares * squares).sum(axis=-1)
    return total


def _padded(owner: Int64Array, side: _Side) -> Int64Array:
    """Add the places that are left of each owner as empty items."""
    free = side.capacity - np.bincount(owner, minlength=side.owners)
    return np.concatenate([owner, np.repeat(np.arange(side.owners), free)])


def _partners(items: Int64Array, others: Int64Array, count: int) -> Sequence[Int64Array]:
    """Return for each item the items of the other side that it has a non-zero with."""
    order = np.argsort(items, kind="stable")
    return np.split(others[order], np.cumsum(np.bincount(items, minlength=count))[:-1])
