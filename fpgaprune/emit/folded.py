"""Views of folded matrices: lanes that work through the non-zeros slot by slot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fpgaprune.emit.cpp import as_table, literal, smallest_type, table, word_type
from fpgaprune.emit.expressions import finished
from fpgaprune.emit.views import BankedView, CaseView, LanesView, LaneView, MemoryView, PartView, TableView
from fpgaprune.fabric import in_block_ram
from fpgaprune.fixed import bounds
from fpgaprune.lower import Word
from fpgaprune.lower.partial import partial_sums
from fpgaprune.schedule.lanes import START_UP

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fpgaprune.emit.views import Declaration, ProcessView
    from fpgaprune.fixed import IntArray
    from fpgaprune.lower import MatVecKernel
    from fpgaprune.schedule import Folded, LaneProgram
    from fpgaprune.schedule.lanes import Banks
    from fpgaprune.sparse import Int64Array


def folded_view(
    kernel: MatVecKernel, plan: Folded, design: str, scope: str, declared: Declaration, process: ProcessView | None
) -> LanesView | BankedView:
    """Return the view of a folded matrix: as a process, or as a function for the body of a loop."""
    if kernel.program.banks is None:
        return _lanes(kernel, plan, design, scope, declared, process)
    return _banked(kernel, plan, kernel.program.banks, design, scope, declared, process)


def _lanes(
    kernel: MatVecKernel, plan: Folded, design: str, scope: str, declared: Declaration, process: ProcessView | None
) -> LanesView:
    lanes, sums = kernel.program, partial_sums(kernel)
    return LanesView(
        design=design,
        scope=scope,
        comment=declared.comment,
        signature=declared.signature,
        source_word=word_type(kernel.source.word),
        result_word=word_type(kernel.result.word),
        sum_word=word_type(sums.sum_word),
        weight_word=word_type(sums.weight_word),
        fabric=plan.fabric,
        count=lanes.lanes,
        slots=lanes.slots,
        memories=(_by_lane("weight", lanes, lanes.weight), _starts(lanes)),
        lanes=tuple(_lane_views(lanes)),
        parts=len(lanes.part_row),
        rows=tuple(_rows(kernel)),
        process=process,
    )


def _lane_views(lanes: LaneProgram) -> Iterator[LaneView]:
    """Yield what each lane does; terms are sorted by lane, parts are not."""
    by_lane = np.argsort(lanes.part_lane, kind="stable")
    ends = np.arange(lanes.lanes + 1)
    terms, parts = np.searchsorted(lanes.lane, ends), np.searchsorted(lanes.part_lane[by_lane], ends)
    for number in range(lanes.lanes):
        mine = slice(terms[number], terms[number + 1])
        made = by_lane[parts[number] : parts[number + 1]]
        yield _lane(
            number, lanes.slot[mine], lanes.column[mine], [PartView(int(p), int(lanes.part_end[p])) for p in made]
        )


def _lane(number: int, slots: Int64Array, columns: Int64Array, parts: Sequence[PartView]) -> LaneView:
    """The elements that a lane reads; the one that most slots read is the default."""
    read, count = np.unique(columns, return_counts=True)
    grouped = np.split(slots[np.argsort(columns, kind="stable")], np.cumsum(count)[:-1])
    default = int(read[count.argmax()])
    cases = [CaseView(tuple(of.tolist()), int(column)) for column, of in zip(read, grouped, strict=True)]
    others = sorted((case for case in cases if case.element != default), key=lambda case: case.slots[0])
    return LaneView(number, len(slots), tuple(others), default, tuple(parts))


def _rows(kernel: MatVecKernel) -> list[str]:
    lanes = kernel.program
    start = np.searchsorted(lanes.part_row, np.arange(kernel.result.size + 1))
    rows = []
    for row in range(kernel.result.size):
        word = kernel.accumulator(row)
        terms = [f"part[{place}]" for place in range(start[row], start[row + 1])]
        bias = int(kernel.bias[row])
        if bias or not terms:
            terms.append(f"{word_type(word)}({literal(bias, word)})")
        value = f"{word_type(word)}({' + '.join(terms)})"
        rows.append(f"y[{row}] = {value if kernel.finish is None else finished(value, word, kernel.finish, row)}")
    return rows


def _grid(lanes: LaneProgram, values: IntArray) -> IntArray:
    """Return a number for each lane and slot (lanes, slots), 0 where nothing is done."""
    grid = np.zeros((lanes.lanes, lanes.slots), dtype=values.dtype)
    grid[lanes.lane, lanes.slot] = values
    return grid


def _by_lane(name: str, lanes: LaneProgram, values: Int64Array) -> MemoryView:
    return _memory(name, _grid(lanes, values))


def _starts(lanes: LaneProgram) -> MemoryView:
    """Every lane starts in its first slot, also one without terms, so that no sum is ever unknown."""
    flags = _flags(lanes, lanes.part_start)
    flags[:, 0] = 1
    return _memory("starts", flags)


def _flags(lanes: LaneProgram, slots: Int64Array) -> Int64Array:
    """Return one flag a lane and slot: whether a part starts or ends there, as ``slots`` says of each part."""
    grid = np.zeros((lanes.lanes, lanes.slots), dtype=np.int64)
    grid[lanes.part_lane, slots] = 1
    return grid


def _memory(name: str, grid: Int64Array) -> MemoryView:
    word = Word.holding(*bounds(grid))
    numbers = _nested(name, "", grid).numbers
    return MemoryView(word_type(word), smallest_type(grid), name, numbers, _ram(grid.shape[1], word))


def _ram(words: int, word: Word) -> str:
    return "bram" if in_block_ram(words, word.width) else "lutram"


def _nested(name: str, kind: str, grid: IntArray) -> TableView:
    rows = [f"    {{{table(row).strip()}}}" for row in grid]
    return TableView(kind, name, ",\n".join(rows))


def _plain(name: str, values: Int64Array) -> TableView:
    return TableView(smallest_type(values), name, table(as_table(values)))


def _banked(
    kernel: MatVecKernel,
    plan: Folded,
    banks: Banks,
    design: str,
    scope: str,
    declared: Declaration,
    process: ProcessView | None,
) -> BankedView:
    lanes = kernel.program
    groups, sums = lanes.lanes // plan.banks, partial_sums(kernel)
    total = Word.holding(*kernel.sums.bounds)
    return BankedView(
        design=design,
        scope=scope,
        comment=declared.comment,
        signature=declared.signature,
        source_word=word_type(kernel.source.word),
        result_word=word_type(kernel.result.word),
        sum_word=word_type(sums.sum_word),
        total_word=word_type(total),
        weight_word=word_type(sums.weight_word),
        fabric=plan.fabric,
        banks=plan.banks,
        groups=groups,
        count=lanes.lanes,
        depth=banks.depth,
        slots=lanes.slots,
        rounds=banks.rounds,
        turns=lanes.turns,
        stride=banks.stride,
        part_stride=banks.part_stride,
        apart=START_UP,
        size=kernel.result.size,
        elements=_nested("element", smallest_type(np.array([kernel.source.size])), _elements(kernel, banks, plan)),
        memories=(
            _by_lane("address", lanes, banks.address[lanes.column]),
            _by_lane("weight", lanes, lanes.weight),
            _starts(lanes),
            _memory("ends", _flags(lanes, lanes.part_end)),
            _by_lane("position", lanes, banks.position[lanes.part_row[lanes.part]]),
        ),
        presence=_memory("present", _present(lanes, banks)),
        bias=TableView(word_type(total), "bias", _biases(kernel, banks, groups, total)),
        input_ram=_ram(2 * banks.stride, kernel.source.word),
        part_ram=_ram(2 * banks.part_stride, sums.sum_word),
        bias_ram=_ram(banks.rounds, total),
        row_tables=(_plain("row_group", banks.group), _plain("row_position", banks.position)),
        value="total" if kernel.finish is None else finished("total", total, kernel.finish),
        process=process,
    )


def _elements(kernel: MatVecKernel, banks: Banks, plan: Folded) -> Int64Array:
    """Return the element that goes to each place of each bank (banks, depth); what no lane reads stays element 0."""
    places = np.zeros((plan.banks, banks.depth), dtype=np.int64)
    read = np.unique(kernel.weights.column)
    places[banks.bank[read], banks.address[read]] = read
    return places


def _present(lanes: LaneProgram, banks: Banks) -> Int64Array:
    """Return whether each lane has a part of the row of each round (lanes, rounds)."""
    present = np.zeros((lanes.lanes, banks.rounds), dtype=np.int64)
    present[lanes.part_lane, banks.position[lanes.part_row]] = 1
    return present


def _biases(kernel: MatVecKernel, banks: Banks, groups: int, word: Word) -> str:
    grid = np.zeros((groups, banks.rounds), dtype=object)
    grid[banks.group, banks.position] = kernel.bias
    rows: Sequence[str] = [", ".join(literal(int(value), word) for value in row) for row in grid]
    return ",\n".join(f"    {{{row}}}" for row in rows)
