"""Additions that the rows of a constant matrix share, as alkaid finds them (Sun et al. 2025, arXiv:2507.04535)."""

from __future__ import annotations

import random
from collections import OrderedDict
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from alkaid.cmvm import cmvm_solve

from fpgaprune.errors import GraphError, InputError
from fpgaprune.fixed import bounds
from fpgaprune.schedule.adder_graph import NOTHING, AdderGraph
from fpgaprune.schedule.plans import Adders

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from alkaid.types import CombLogic, Op

    from fpgaprune.ir import MatVec, Tensor
    from fpgaprune.schedule.plans import Plan
    from fpgaprune.sparse import Int64Array, SparseMatrix

    Progress = Callable[[int, int], None]

_LARGEST_WEIGHT = (1 << 23) - 1
"""The solver works in float32, which holds the difference of any two such weights."""

_LARGEST_INPUT = 1 << 30
"""Wider inputs are told to the solver as this wide; it only weighs costs by them."""

_LIMITS = (1, 256, 1024)
"""Non-zeros of rows that are solved together, tried in turn: narrow dense rows share most in large groups; where there
are many columns the solver makes fewer mistakes in small groups, or row by row."""

_WHOLE = 2048
"""Non-zeros of a matrix that is also tried as one group, which takes some seconds."""

_LONGEST = 512
"""Non-zeros of a row beyond which it is solved in pieces; the time grows with the cube."""

_WORK = 1 << 21
"""Rows squared times columns of a group, which the solver compares two by two: a second, and 200 MB."""

_KEPT = 64
"""Solved matrices that are kept in memory."""

_FINGERPRINT_BITS = 128

_kept: OrderedDict[bytes, AdderGraph] = OrderedDict()


def adders_planner(op: MatVec, source: Tensor) -> Plan:
    """Plan additions that the rows of a matrix share.

    Raises:
        InputError: weights of more than 24 bits.
    """
    try:
        return Adders(adder_graph(op.weights, source.format.low, source.format.high))
    except InputError as error:
        msg = f"{op.layer}: {error}"
        raise InputError(msg) from error


def adder_graph(
    weights: SparseMatrix, low: int, high: int, *, deeper: int | None = None, progress: Progress | None = None
) -> AdderGraph:
    """Return additions that compute a matrix times mantissas of ``low``…``high``; the same for the same arguments.

    ``deeper`` limits the levels of each group of rows to so many more than it needs at least: a wide matrix can take
    half of the latency and of the registers for a tenth more of the adders. ``progress`` is told how many rows of how
    many are solved.

    Raises:
        InputError: weights of more than 24 bits.
        GraphError: what the solver found computes another matrix.
    """
    arrays = (weights.row_start, weights.column, weights.weight)
    key = sha256(
        repr((weights.shape, low, high, deeper)).encode() + b"".join(array.tobytes() for array in arrays)
    ).digest()
    if key not in _kept:
        _kept[key] = _solved(weights, _Solver(weights, low, high, deeper, progress))
        if len(_kept) > _KEPT:
            _kept.popitem(last=False)
    _kept.move_to_end(key)
    return _kept[key]


def _solved(weights: SparseMatrix, solver: _Solver) -> AdderGraph:
    least, most = bounds(weights.weight)
    if max(-least, most) > _LARGEST_WEIGHT:
        msg = f"the weights reach from {least} to {most}, more than the 24 bits that adders can share; use 'multiply'"
        raise InputError(msg)
    graph = _Builder.of(weights.shape, solver.parts()).graph()
    graph.check(weights)
    return graph


# --- the solver ---


class _Part(NamedTuple):
    """What the solver found for some rows of some columns: two programs, the second of which reads the first."""

    rows: range
    columns: Int64Array
    programs: tuple[CombLogic, CombLogic]


@dataclass(frozen=True)
class _Solver:
    weights: SparseMatrix
    low: int
    high: int
    deeper: int | None
    progress: Progress | None

    def parts(self) -> list[_Part]:
        """Solve the first rows in groups of several sizes, and all others in groups of the size that was best there."""
        limits = (*_LIMITS, _WHOLE) if self.weights.nonzeros <= _WHOLE else _LIMITS
        groups = self._groups(range(self.weights.shape[0]), limits[-1])
        if not groups:
            return []
        tried = {limit: self._solve(groups[0], limit) for limit in limits}
        best = min(tried, key=lambda limit: _Builder.of(self.weights.shape, tried[limit]).cost)
        return tried[best] + [part for rows in groups[1:] for part in self._solve(rows, best)]

    def _groups(self, rows: range, limit: int) -> list[range]:
        """Split rows into runs of at most ``limit`` non-zeros, but of one row at least; empty runs are left out."""
        start, columns = self.weights.row_start, len(np.unique(self.weights.column))
        runs: list[range] = []
        first = rows.start
        for row in rows:
            terms = start[row + 1] - start[first]
            if row > first and (terms > limit or (row + 1 - first) ** 2 * min(columns, terms) > _WORK):
                runs.append(range(first, row))
                first = row
        runs.append(range(first, rows.stop))
        return [run for run in runs if start[run.stop] > start[run.start]]

    def _solve(self, rows: range, limit: int) -> list[_Part]:
        return [part for group in self._groups(rows, limit) for part in self._pieces(group)]

    def _pieces(self, rows: range) -> Iterator[_Part]:
        """Yield the parts of a group: one, unless it is a long row."""
        dense = self.weights.csr[rows.start : rows.stop].toarray()
        columns = np.flatnonzero(dense.any(axis=0))
        pieces = -(-len(columns) // _LONGEST) if len(rows) == 1 else 1
        for some in np.array_split(columns, pieces):
            yield _Part(rows, some, self._programs(dense[:, some]))
        if self.progress is not None:
            self.progress(rows.stop, self.weights.shape[0])

    def _programs(self, dense: Int64Array) -> tuple[CombLogic, CombLogic]:
        narrower = max(0, max(abs(self.low), abs(self.high)).bit_length() - _LARGEST_INPUT.bit_length())
        interval = (float(self.low >> narrower), float(self.high >> narrower), 1.0)
        kernel = np.ascontiguousarray(dense.T, dtype=np.float32)
        depth = -1 if self.deeper is None else self.deeper
        first, second = cmvm_solve(kernel, qintervals=[interval] * len(kernel), hard_dc=depth)
        return first, second


# --- from its answers to one graph ---


class _Ref(NamedTuple):
    """``sign * value[place] * 2**shift``."""

    place: int
    shift: int
    sign: int


class _Addition(NamedTuple):
    left: int
    right: int
    left_shift: int
    right_shift: int
    sign: int


class _Builder:
    """Collects additions, of which those that are equal up to a sign and a shift are made once.

    Values are told apart by what they are for inputs drawn at random once and for all; what is taken for equal by
    mistake, which is as likely as to guess a key, is found when the whole graph is checked.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self._inputs = shape[1]
        draw = random.Random(0)  # noqa: S311  # a fixed sequence is wanted
        self._values = [draw.getrandbits(_FINGERPRINT_BITS) | 1 for _ in range(shape[1])]
        self._places = {value: place for place, value in enumerate(self._values)}
        self._additions: list[_Addition] = []
        self._rows: list[list[_Ref]] = [[] for _ in range(shape[0])]
        self.cost = 0.0
        """Bits of all adders, as the solver counts them."""

    @classmethod
    def of(cls, shape: tuple[int, int], parts: Iterable[_Part]) -> _Builder:
        """Return the additions of all parts."""
        built = cls(shape)
        for part in parts:
            built.add(part)
        return built

    def add(self, part: _Part) -> None:
        """Add what was found for some rows."""
        refs: Sequence[_Ref | None] = [_Ref(int(column), 0, 1) for column in part.columns]
        for program in part.programs:
            refs = self._run(program, refs)
        for row, ref in zip(part.rows, refs, strict=True):
            if ref is not None:
                self._rows[row].append(ref)

    def _run(self, program: CombLogic, inputs: Sequence[_Ref | None]) -> list[_Ref | None]:
        buffer: list[_Ref | None] = []
        for op in program.ops:
            buffer.append(self._value(op, program, inputs, buffer))
        outputs = zip(program.out_idxs, program.out_shifts, program.out_negs, strict=True)
        return [
            _moved(buffer[place] if place >= 0 else None, shift, -1 if negative else 1)
            for place, shift, negative in outputs
        ]

    def _value(
        self, op: Op, program: CombLogic, inputs: Sequence[_Ref | None], buffer: Sequence[_Ref | None]
    ) -> _Ref | None:
        """Return what an operation makes of values before it; None is zero."""
        match op.opcode:
            case -1:
                return _moved(inputs[op.data[0]], program.inp_shifts[op.data[0]])
            case -2:
                return _moved(buffer[op.addr[0]], 0, -1)
            case 0 | 1:
                left, right = buffer[op.addr[0]], _moved(buffer[op.addr[1]], op.data[0], 1 - 2 * op.opcode)
                if left is None or right is None:
                    return left or right
                return self._sum(left, right, op.cost)
            case _:
                msg = f"the solver gave operation {op.opcode}, which is no addition; use another version of alkaid"
                raise GraphError(msg)

    def _sum(self, left: _Ref, right: _Ref, cost: float) -> _Ref | None:
        if left.sign < 0 < right.sign:
            left, right = right, left
        shift = min(left.shift, right.shift)
        addition = _Addition(left.place, right.place, left.shift - shift, right.shift - shift, left.sign * right.sign)
        value = (self._values[left.place] << addition.left_shift) + addition.sign * (
            self._values[right.place] << addition.right_shift
        )
        if not value:
            return None
        known = self._places.get(_odd(value))
        if known is not None and _low_zeros(self._values[known]) <= _low_zeros(value):
            factor = value // self._values[known]
            return _Ref(known, shift + _low_zeros(factor), left.sign * (1 if factor > 0 else -1))
        self._places[_odd(value)] = len(self._values)
        self._values.append(value)
        self._additions.append(addition)
        self.cost += cost
        return _Ref(len(self._values) - 1, shift, left.sign)

    def graph(self) -> AdderGraph:
        """Return the additions that some row needs.

        Raises:
            GraphError: a row that is a fraction of a value.
        """
        rows = [self._together(refs) or _Ref(NOTHING, 0, 1) for refs in self._rows]
        used = self._used(rows)
        place = {old: new for new, old in enumerate(used, start=self._inputs)} | {i: i for i in range(self._inputs)}
        kept = [self._additions[old - self._inputs] for old in used]
        if any(row.shift < 0 for row in rows):
            msg = "the solver made a row a fraction of a sum, which adders cannot make; use 'multiply'"
            raise GraphError(msg)
        return AdderGraph(
            self._inputs,
            left=_array(place[addition.left] for addition in kept),
            right=_array(place[addition.right] for addition in kept),
            left_shift=_array(addition.left_shift for addition in kept),
            right_shift=_array(addition.right_shift for addition in kept),
            sign=_array(addition.sign for addition in kept),
            row=_array(place.get(row.place, NOTHING) for row in rows),
            row_shift=_array(row.shift for row in rows),
            row_sign=_array(row.sign for row in rows),
        )

    def _together(self, pieces: list[_Ref]) -> _Ref | None:
        """Return the sum of the pieces of a row, in a balanced tree."""
        if len(pieces) < 2:
            return pieces[0] if pieces else None
        left, right = self._together(pieces[: len(pieces) // 2]), self._together(pieces[len(pieces) // 2 :])
        return self._sum(left, right, 0.0) if left and right else left or right

    def _used(self, rows: Iterable[_Ref]) -> list[int]:
        """The additions that rows are made of, in order."""
        used = {row.place for row in rows}
        for place in range(len(self._values) - 1, self._inputs - 1, -1):
            if place in used:
                addition = self._additions[place - self._inputs]
                used |= {addition.left, addition.right}
        return sorted(place for place in used if place >= self._inputs)


def _moved(ref: _Ref | None, shift: int, sign: int = 1) -> _Ref | None:
    return None if ref is None else _Ref(ref.place, ref.shift + shift, ref.sign * sign)


def _low_zeros(value: int) -> int:
    return (value & -value).bit_length() - 1


def _odd(value: int) -> int:
    return abs(value) >> _low_zeros(value)


def _array(numbers: Iterable[int]) -> Int64Array:
    return np.fromiter(numbers, dtype=np.int64)
