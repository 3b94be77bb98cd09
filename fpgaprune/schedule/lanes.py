"""The static schedule of a folded matrix: which lane multiplies what in which slot."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass, fields
from functools import cached_property
from heapq import heapreplace
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import assert_never

from fpgaprune.schedule.banking import NOWHERE, spread
from fpgaprune.schedule.plans import Access
from fpgaprune.sparse import frozen

if TYPE_CHECKING:
    from fpgaprune.fixed import IntArray
    from fpgaprune.schedule.plans import Folded
    from fpgaprune.sparse import Int64Array, SparseMatrix


START_UP = 8
"""Cycles from a turn of a loop over memories to what it writes, and those of starting such a loop: an assumption."""


@dataclass(frozen=True, eq=False)
class Banks:
    """Where memories keep the columns, and in which order the groups of rows are worked on.

    Column c is at ``address[c]`` of bank ``bank[c]``; a column without non-zeros is in none, both are -1. Row r is
    number ``position[r]`` of group ``group[r]``; every row has a group. Lane ``bank * groups + group`` holds the
    non-zeros of that bank's columns in that group's rows; a lane can be without any.
    """

    bank: Int64Array
    address: Int64Array
    group: Int64Array
    position: Int64Array

    def __post_init__(self) -> None:
        for field in fields(self):
            object.__setattr__(self, field.name, frozen(getattr(self, field.name)))

    @property
    def depth(self) -> int:
        """The elements of the largest bank: the cycles that filling all banks takes, an element of each a cycle."""
        return int(self.address.max(initial=0)) + 1

    @property
    def stride(self) -> int:
        """The places between two copies of a bank in one memory: a power of two, so that no address is added up."""
        return 1 << (self.depth - 1).bit_length()

    @property
    def part_stride(self) -> int:
        """The places between two copies of partial sums in one memory."""
        return 1 << (self.rounds - 1).bit_length()

    @property
    def rounds(self) -> int:
        """The rows of the largest group: the cycles in which each group's lanes give their partial sums to a row."""
        return int(self.position.max(initial=0)) + 1


@dataclass(frozen=True, eq=False)
class LaneProgram:
    """What each of ``lanes`` lanes does in each of ``slots`` slots, the same for every vector.

    Term i multiplies element ``column[i]`` by ``weight[i]`` in lane ``lane[i]``, slot ``slot[i]``; terms are sorted by
    lane and slot, at most one is in a lane's slot, and a lane has no gap before its last term. The terms of
    slots ``part_start[p]``…``part_end[p]`` of lane ``part_lane[p]`` are all those of a row ``part_row[p]`` in that
    lane: their sum is part p of the row. Parts are sorted by row and lane, and every term is in one. A row is the sum
    of its parts and its bias.
    """

    lanes: int
    slots: int
    lane: Int64Array
    slot: Int64Array
    column: Int64Array
    weight: Int64Array
    part_row: Int64Array
    part_lane: Int64Array
    part_start: Int64Array
    part_end: Int64Array
    banks: Banks | None

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray):
                object.__setattr__(self, field.name, frozen(value))

    @property
    def turns(self) -> int:
        """The cycles in which memories can do one step of a sample of several vectors, as `interval` says.

        Banks are filled at the start of a step and parts added up at its end, so that what one step writes is there
        in the next.
        """
        if self.banks is None:
            return self.slots
        return max(self.slots, self.banks.depth + START_UP, self.banks.rounds + START_UP)

    def interval(self, vectors: int) -> int:
        """Return cycles a vector, where samples of so many vectors come one after the other.

        Registers are one loop that never pauses. With memories and one vector, filling banks, working on slots and
        adding up parts are three loops that overlap, each started anew; with several vectors they are one loop, whose
        steps fill for a vector, work on the one before and add up the one before that. Its two more steps a sample
        are spread over the vectors.
        """
        if self.banks is None:
            return self.slots
        if vectors == 1:
            return max(self.slots, self.banks.depth, self.banks.rounds) + START_UP
        return self.turns + math.ceil(2 * self.turns / vectors)

    def latency_bound(self, vectors: int) -> int:
        """Return cycles that a vector's loops do not exceed."""
        if self.banks is None:
            return self.slots + START_UP
        if vectors == 1:
            return self.banks.depth + self.slots + self.banks.rounds + 3 * START_UP
        return 3 * self.turns + START_UP

    @cached_property
    def part(self) -> Int64Array:
        """The part that each term belongs to."""
        order = np.lexsort((self.part_start, self.part_lane))
        starts = self.part_lane[order] * self.slots + self.part_start[order]
        return frozen(order[np.searchsorted(starts, self.lane * self.slots + self.slot, side="right") - 1])

    def apply(self, vectors: IntArray, rows: int) -> IntArray:
        """Return the exact rows (rows, n), without bias, for ``vectors`` (columns, n), as the lanes compute them.

        Vectors are Python integers, or int64 that no partial sum overflows.
        """
        starts = np.flatnonzero(np.diff(self.part, prepend=-1))
        row = self.part_row[self.part[starts]]
        result: IntArray = np.zeros((rows, vectors.shape[1]), dtype=vectors.dtype)
        step = max(1, _AT_ONCE // len(self.weight))
        for begin in range(0, vectors.shape[1], step):
            block = vectors[:, begin : begin + step]
            parts = np.add.reduceat(block[self.column] * self.weight.astype(block.dtype)[:, np.newaxis], starts)
            np.add.at(result[:, begin : begin + step], row, parts)
        return result


_AT_ONCE = 1 << 22
"""Products that are held in memory at a time."""


def program(weights: SparseMatrix, plan: Folded) -> LaneProgram:
    """Return the schedule of a matrix that has non-zeros; equal weights and plans give equal schedules.

    With registers the longest lane has ``ceil(non-zeros / lanes)`` terms, and lanes that this does not take are left
    out: `LaneProgram.lanes` counts those in use. With memories all lanes of the plan are there.
    """
    match plan.access:
        case Access.REGISTERS:
            lane = _whole_rows(weights, plan.lanes)
            return _in_order(weights, int(lane.max()) + 1, lane, weights.row, None)
        case Access.MEMORIES:
            banks = _banks(weights, plan)
            lane = banks.bank[weights.column] * plan.groups + banks.group[weights.row]
            return _in_order(weights, plan.lanes, lane, banks.position[weights.row], banks)
        case _:
            assert_never(plan.access)


def _in_order(
    weights: SparseMatrix, lanes: int, lane: Int64Array, place: Int64Array, banks: Banks | None
) -> LaneProgram:
    """Return the program of terms in given lanes, each of which works on its rows in the order of their places."""
    order = np.lexsort((weights.column, place, lane))
    lane, row = lane[order], weights.row[order]
    per_lane = np.bincount(lane, minlength=lanes)
    slot = np.arange(len(lane)) - (np.cumsum(per_lane) - per_lane)[lane]
    first = np.flatnonzero((np.diff(lane, prepend=-1) != 0) | (np.diff(row, prepend=-1) != 0))
    last = np.append(first[1:], len(lane)) - 1
    parts = np.lexsort((lane[first], row[first]))
    return LaneProgram(
        lanes=lanes,
        slots=int(per_lane.max()),
        lane=lane,
        slot=slot,
        column=weights.column[order],
        weight=weights.weight[order],
        part_row=row[first][parts],
        part_lane=lane[first][parts],
        part_start=slot[first][parts],
        part_end=slot[last][parts],
        banks=banks,
    )


def _whole_rows(weights: SparseMatrix, lanes: int) -> Int64Array:
    """Return the lane of each term in registers: rows stay whole where that makes no lane longer."""
    limit = -(-weights.nonzeros // lanes)
    ends = _cuts(weights.row_start.tolist(), lanes, limit)
    if set(ends) <= set(weights.row_start.tolist()):
        return np.searchsorted(ends, np.arange(weights.nonzeros), side="right")
    packed = _packed(np.diff(weights.row_start), lanes, limit)
    if packed is not None:
        return packed[weights.row]
    return np.searchsorted(ends, np.arange(weights.nonzeros), side="right")


def _cuts(boundaries: list[int], lanes: int, limit: int) -> list[int]:
    """Return where lanes of consecutive terms end: between two rows if what is left then fits into the other lanes."""
    total = boundaries[-1]
    ends: list[int] = []
    while (end := ends[-1] if ends else 0) < total:
        earliest = total - (lanes - len(ends) - 1) * limit
        between = boundaries[bisect_right(boundaries, end + limit) - 1]
        ends.append(between if between >= max(earliest, end + 1) else min(end + limit, total))
    return ends


def _packed(lengths: Int64Array, lanes: int, limit: int) -> Int64Array | None:
    """Return the lane of each row, the longest row first into the shortest lane, or None if one becomes too long."""
    if lengths.max() > limit:
        return None
    lane = np.zeros(len(lengths), dtype=np.int64)
    loads = [(0, each) for each in range(min(lanes, int((lengths > 0).sum())))]
    for row in np.argsort(-lengths, kind="stable").tolist():
        load, shortest = loads[0]
        lane[row] = shortest
        heapreplace(loads, (load + int(lengths[row]), shortest))
    return lane if max(loads)[0] <= limit else None


def _banks(weights: SparseMatrix, plan: Folded) -> Banks:
    bank, group = spread(weights, plan.banks, plan.groups)
    return Banks(bank, _count_up(bank), group, _count_up(group))


def _count_up(owner: Int64Array) -> Int64Array:
    """Number the elements of each owner from 0 in their order; elements without an owner have no number."""
    order = np.argsort(owner, kind="stable")
    counts = np.bincount(owner + 1)
    number = np.empty(len(owner), dtype=np.int64)
    number[order] = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.where(owner == NOWHERE, NOWHERE, number)
