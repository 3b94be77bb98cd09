"""View of a matrix that is made of shared additions: an array of values for some rows at a time, filled by loops."""

from __future__ import annotations

from collections import defaultdict
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from fpgaprune.emit.cpp import literal, parameter, smallest_type, table, word_type
from fpgaprune.emit.expressions import UNROLL_LIMIT, finished
from fpgaprune.emit.views import AdderGroup, AdderView, ArrayView, LoopView, TableView
from fpgaprune.lower import Word
from fpgaprune.lower.operations import NOTHING, operations
from fpgaprune.schedule.design import PARALLEL_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from fpgaprune.emit.views import Declaration, ProcessView
    from fpgaprune.lower import MatVecKernel

_COLUMNS = ("left", "left_shift", "right", "right_shift", "minus")
"""The tables of additions: places of operands, shifts, and whether it is a difference."""


def adder_view(
    kernel: MatVecKernel, design: str, terms: str, declared: Declaration, process: ProcessView | None, *, inline: bool
) -> AdderView:
    """Return the view of a kernel whose plan is an adder graph."""
    sums, tables = _Sums(kernel), _Tables()
    ports = (parameter(kernel.source, "x", constant=True), parameter(kernel.result, "y", constant=False))
    return AdderView(
        design=design,
        terms=terms,
        comment=declared.comment,
        signature=declared.signature,
        parameters=", ".join(ports),
        source="x",
        result="y",
        groups=tuple(_group(sums, tables, rows, values) for rows, values in _row_groups(sums)),
        tables=tables.views(),
        process=process,
        inline=inline,
    )


class _Sums:
    """The operations of a kernel, as lists.

    A row may end with a sum of which one operand is a constant: it is part of the row's own statement.
    """

    def __init__(self, kernel: MatVecKernel) -> None:
        self.kernel, self.made = kernel, operations(kernel)
        self.inputs = self.made.inputs
        self.left, self.right = self.made.left.tolist(), self.made.right.tolist()
        self.left_shift, self.right_shift = self.made.left_shift.tolist(), self.made.right_shift.tolist()
        self.minus = [int(factor < 0) for factor in self.made.factor.tolist()]
        self._low, self._high = self.made.low.tolist(), self.made.high.tolist()

    def holding(self, values: Sequence[int]) -> Word:
        """Return the word that holds all of some values."""
        return Word.holding(
            min((self._low[value] for value in values), default=0),
            max((self._high[value] for value in values), default=0),
        )

    def result(self, value: int) -> Word:
        """Return the word in which a sum is made: exactly its own, which no shift of an operand passes."""
        word = Word.holding(self._low[value], self._high[value])
        operation = value - self.inputs
        return _beyond(word, self.left_shift[operation], self.right_shift[operation])

    def constant(self, value: int) -> int | None:
        """Return the value if it is a constant."""
        operation = value - self.inputs
        return int(self.made.factor[operation]) if operation >= 0 and self.left[operation] == NOTHING else None

    def read(self, row: int) -> int:
        """Return the value that the statement of a row reads, or `NOTHING`."""
        value = int(self.made.row[row])
        if self.constant(value) is not None:
            return NOTHING
        operation = value - self.inputs
        ends = operation >= 0 and self.constant(self.left[operation]) is not None
        return int(self.right[operation]) if ends else value

    def cone(self, value: int, known: set[int]) -> set[int]:
        """Return what a value is made of, itself included, without what is known."""
        found: set[int] = set()
        open_ends = [value] if value != NOTHING else []
        while open_ends:
            value = open_ends.pop()
            if value in known or value in found:
                continue
            found.add(value)
            if value >= self.inputs:
                open_ends += [self.left[value - self.inputs], self.right[value - self.inputs]]
        return found


def _beyond(word: Word, *shifts: int) -> Word:
    """Return the word, wider than all shifts: C++ does not define a shift by the width or more."""
    return Word(word.signed, max(word.width, *(shift + 1 for shift in shifts)))


def _row_groups(sums: _Sums) -> Iterator[tuple[range, list[int]]]:
    """Yield rows, as many as fit, with the values that they are made of: an array of values must become registers."""
    rows = sums.kernel.result.size
    first, held = 0, set[int]()
    for row in range(rows):
        new = sums.cone(sums.read(row), held)
        if held and len(held) + len(new) > PARALLEL_LIMIT:
            yield range(first, row), sorted(held)
            first, held, new = row, set(), sums.cone(sums.read(row), set())
        held |= new
    yield range(first, rows), sorted(held)


# --- one group of rows ---


def _group(sums: _Sums, tables: _Tables, rows: range, values: Sequence[int]) -> AdderGroup:
    inputs = [value for value in values if value < sums.inputs]
    runs = list(_runs(sums, values[len(inputs) :]))
    order = [*inputs, *(value for _, run in runs for value in run)]
    place = {value: number for number, value in enumerate(order)}
    word = word_type(sums.holding(order))
    starts = range(0, len(order), PARALLEL_LIMIT)
    return AdderGroup(
        name=f"rows_{rows.start}_to_{rows.stop - 1}",
        arrays=tuple(ArrayView(word, _array(start), min(PARALLEL_LIMIT, len(order) - start)) for start in starts),
        loops=(*_copies(tables, inputs), *(loop for run in runs for loop in _additions(sums, tables, place, *run))),
        rows=tuple(f"y[{row}] = {_row(sums, place, row)}" for row in rows),
    )


def _runs(sums: _Sums, values: Sequence[int]) -> Iterator[tuple[Word, list[int]]]:
    """Yield sums in an order in which they can be made, those of one word together: always the word with most."""
    waiting = {value: _operands(sums, value) for value in values}
    readers: defaultdict[int, list[int]] = defaultdict(list)
    for value, operands in waiting.items():
        for operand in operands:
            readers[operand].append(value)
    ready: defaultdict[Word, list[int]] = defaultdict(list)
    for value in values:
        if not waiting[value]:
            ready[sums.result(value)].append(value)
    while ready:
        word = max(ready, key=lambda word: (len(ready[word]), word.width, word.signed))
        run = ready.pop(word)
        for value in run:  # the run grows while it makes sums of the same word ready
            for reader in readers[value]:
                waiting[reader].discard(value)
                if not waiting[reader]:
                    same = sums.result(reader) == word
                    (run if same else ready[sums.result(reader)]).append(reader)
        yield word, run


def _operands(sums: _Sums, value: int) -> set[int]:
    """Return the operands of a sum that are sums."""
    both = {sums.left[value - sums.inputs], sums.right[value - sums.inputs]}
    return {operand for operand in both if operand >= sums.inputs}


def _copies(tables: _Tables, inputs: Sequence[int]) -> Iterator[LoopView]:
    for start in range(0, len(inputs), min(UNROLL_LIMIT, PARALLEL_LIMIT)):
        part = inputs[start : start + min(UNROLL_LIMIT, PARALLEL_LIMIT)]
        entries = tables.add_inputs(part)
        yield LoopView(entries.start, entries.stop, f"{_element(start, entries.start)} = x[input[i]]")


def _additions(
    sums: _Sums, tables: _Tables, place: Mapping[int, int], word: Word, run: Iterable[int]
) -> Iterator[LoopView]:
    """Yield the loops of a run: one, unless its operands and results are in more than one array, or too many."""

    def arrays(value: int) -> tuple[str, ...]:
        operation = value - sums.inputs
        return tuple(_array(place[each]) for each in (value, sums.left[operation], sums.right[operation]))

    for (_, left, right), values in groupby(run, arrays):
        part = list(values)
        for start in range(0, len(part), UNROLL_LIMIT):
            some = part[start : start + UNROLL_LIMIT]
            entries = tables.add_sums(sums, place, some)
            operands = f"{left}[left[i]], left_shift[i], {right}[right[i]], right_shift[i], minus[i]"
            target = _element(place[some[0]], entries.start)
            yield LoopView(entries.start, entries.stop, f"{target} = add_shifted<{word_type(word)}>({operands})")


def _array(place: int) -> str:
    number = place // PARALLEL_LIMIT
    return f"value_{number}" if number else "value"


def _element(place: int, start: int) -> str:
    """Return the element at a place, in terms of a loop's i, which starts at ``start``."""
    offset = place % PARALLEL_LIMIT - start
    index = "i" if not offset else f"i {'+' if offset > 0 else '-'} {abs(offset)}"
    return f"{_array(place)}[{index}]"


def _row(sums: _Sums, place: Mapping[int, int], row: int) -> str:
    kernel = sums.kernel
    accumulator = kernel.accumulator(row)
    value = _row_sum(sums, place, row, accumulator)
    return value if kernel.finish is None else finished(value, accumulator, kernel.finish, row)


def _row_sum(sums: _Sums, place: Mapping[int, int], row: int, accumulator: Word) -> str:
    """Return the expression of a row's sum, in the word that its interval needs."""
    value, shift = int(sums.made.row[row]), int(sums.made.row_shift[row])
    narrow = word_type(accumulator)
    read = sums.read(row)
    if read == NOTHING:
        return f"{narrow}({literal(int(sums.kernel.bias[row]), accumulator)})"
    element = f"{_array(place[read])}[{place[read] % PARALLEL_LIMIT}]"
    if read != value:
        operation = value - sums.inputs
        shift += sums.right_shift[operation]
        bias = literal(int(sums.kernel.bias[row]), accumulator)
        sign = "true" if sums.minus[operation] else "false"
        wide = word_type(_beyond(accumulator, shift))
        made = f"add_shifted<{wide}>({bias}, 0, {element}, {shift}, {sign})"
        return made if wide == narrow else f"{narrow}({made})"
    if not shift:
        return f"{narrow}({element})"
    wide = word_type(_beyond(accumulator, shift))
    made = f"shift_left<{wide}, {shift}>({element})"
    return made if wide == narrow else f"{narrow}({made})"


class _Tables:
    """The tables of all groups, each of which has some entries of them."""

    def __init__(self) -> None:
        self._inputs: list[int] = []
        self._sums: dict[str, list[int]] = {name: [] for name in _COLUMNS}

    def add_inputs(self, inputs: Sequence[int]) -> range:
        """Add elements of the source and return their entries."""
        self._inputs += inputs
        return range(len(self._inputs) - len(inputs), len(self._inputs))

    def add_sums(self, sums: _Sums, place: Mapping[int, int], values: Sequence[int]) -> range:
        """Add sums, whose operands have places, and return their entries."""
        start = len(self._sums["left"])
        for operation in (value - sums.inputs for value in values):
            self._sums["left"].append(place[sums.left[operation]] % PARALLEL_LIMIT)
            self._sums["left_shift"].append(sums.left_shift[operation])
            self._sums["right"].append(place[sums.right[operation]] % PARALLEL_LIMIT)
            self._sums["right_shift"].append(sums.right_shift[operation])
            self._sums["minus"].append(sums.minus[operation])
        return range(start, start + len(values))

    def views(self) -> tuple[TableView, ...]:
        """Return the tables that have entries."""
        filled = {
            name: np.array(numbers) for name, numbers in ({"input": self._inputs} | self._sums).items() if numbers
        }
        return tuple(TableView(smallest_type(numbers), name, table(numbers)) for name, numbers in filled.items())
