"""What switches in the lanes of a folded matrix, slot by slot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fpgaprune.energy.toggles import NOTHING, chunk_size, in_time, in_turn, rates
from fpgaprune.energy.values import Switching
from fpgaprune.fabric import in_block_ram, places
from fpgaprune.fixed import add, as_mantissas, bounds
from fpgaprune.lower import Word
from fpgaprune.lower.operations import widths
from fpgaprune.lower.partial import partial_sums
from fpgaprune.resources.layer_cost import signed_width
from fpgaprune.schedule import Folded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fpgaprune.fixed import IntArray
    from fpgaprune.lower import MatVecKernel
    from fpgaprune.lower.partial import PartialSums
    from fpgaprune.schedule.lanes import Banks
    from fpgaprune.sparse import Int64Array


def folded(kernel: MatVecKernel, vectors: IntArray, *, soft: bool) -> Switching:
    """Return what switches for each of successive ``vectors`` (columns, n), result registers and finish aside.

    ``soft`` tells that multipliers are look-up tables instead of DSP slices.
    """
    sums, banks = partial_sums(kernel), kernel.program.banks
    given = vectors.astype(object) if _is_wide(kernel, sums, vectors) else vectors
    common = _work(kernel, sums, given, soft=soft) + _merged(kernel, given)
    if banks is None:
        return common + _registers(kernel, sums, given)
    return common + _memories(kernel, sums, banks, given)


def _is_wide(kernel: MatVecKernel, sums: PartialSums, vectors: IntArray) -> bool:
    """Whether sums, or the signs that their word repeats, go beyond 64 bits."""
    return sums.sum_word.width > 64 or kernel.weights.magnitude(max(map(abs, bounds(vectors)))) >= 1 << 62


def _work(kernel: MatVecKernel, sums: PartialSums, vectors: IntArray, *, soft: bool) -> Switching:
    """Operands, products and running sums of all lanes, in every slot of every vector."""
    lanes = kernel.program
    word, weight = kernel.source.word, sums.weight_word
    product = Word.holding(bounds(sums.lane_product_low)[0], bounds(sums.lane_product_high)[1])
    words = (word, weight, product, sums.sum_word)  # of all lanes, as in the C++ and in the estimate
    width = np.repeat([each.width for each in words], lanes.lanes)
    found = np.split(rates(lane_values(kernel, vectors), width), 4)
    operand, factor, multiplied, running = (float(each.sum()) * lanes.slots for each in found)
    pairs = (signed_width(weight) * operand + signed_width(word) * factor) / 2
    return Switching(
        toggled=multiplied + running,
        possible=float(width[2 * lanes.lanes :].sum()) * lanes.slots,
        logic=running + (operand if lanes.banks is None else 0.0),  # the multiplexers of registers
        registers=operand + running + (multiplied if soft else 0.0),
        hard=0.0 if soft else pairs,
        soft=pairs if soft else 0.0,
    ) + _read(lanes.slots, _fields(kernel, sums), lanes.lanes * lanes.slots)


def lane_values(kernel: MatVecKernel, vectors: IntArray) -> Iterator[IntArray]:
    """Yield operand, weight, product and running sum of every lane (4 * lanes, moments) for successive vectors."""
    lanes = kernel.program
    shape = lanes.lanes, lanes.slots
    weight = np.zeros(shape, dtype=np.int64)
    weight[lanes.lane, lanes.slot] = lanes.weight
    column, start = _columns(kernel), _starts(kernel)
    count = chunk_size(4 * lanes.lanes * lanes.slots)
    for begin in range(0, vectors.shape[1], count):
        operand = vectors[:, begin : begin + count][column]
        factor = np.broadcast_to(weight.astype(operand.dtype)[..., np.newaxis], operand.shape)
        product = operand * factor
        total = np.cumsum(product, axis=1, dtype=product.dtype)  # int64 that overflows wraps back
        running = total - np.take_along_axis(total - product, start[..., np.newaxis], axis=1)
        yield in_time(np.concatenate([operand, factor, product, running]))


def _columns(kernel: MatVecKernel) -> Int64Array:
    """Return the column that each lane reads in each slot (lanes, slots); as the C++ does, also where it is idle."""
    lanes = kernel.program
    if lanes.banks is None:
        count = np.zeros((lanes.lanes, kernel.source.size), dtype=np.int64)
        np.add.at(count, (lanes.lane, lanes.column), 1)
        idle = count.argmax(axis=1)
    else:
        idle = np.maximum(_elements(kernel, lanes.banks)[:, 0], 0).repeat(_plan(kernel).groups)
    column = np.repeat(idle[:, np.newaxis], lanes.slots, axis=1)
    column[lanes.lane, lanes.slot] = lanes.column
    return column


def _starts(kernel: MatVecKernel) -> Int64Array:
    """Return the slot in which the part of each slot starts (lanes, slots)."""
    lanes = kernel.program
    start = np.zeros((lanes.lanes, lanes.slots), dtype=np.int64)
    start[lanes.part_lane, lanes.part_start] = lanes.part_start
    return np.maximum.accumulate(start, axis=1)


def _elements(kernel: MatVecKernel, banks: Banks) -> Int64Array:
    """Return the column at each place of each bank (banks, depth)."""
    found = np.full((_plan(kernel).banks, banks.depth), NOTHING)
    read = np.unique(kernel.weights.column)
    found[banks.bank[read], banks.address[read]] = read
    return found


def _plan(kernel: MatVecKernel) -> Folded:
    assert isinstance(kernel.plan, Folded)  # noqa: S101  # only folded matrices have lanes
    return kernel.plan


def _fields(kernel: MatVecKernel, sums: PartialSums) -> tuple[int, ...]:
    """Return the widths of the tables that each lane reads a word of in each slot."""
    banks = kernel.program.banks
    weight = sums.weight_word.width, 1
    return weight if banks is None else (*weight, places(banks.depth), 1, places(banks.rounds))


def _read(words: int, fields: tuple[int, ...], count: int) -> Switching:
    """Return ``count`` reads of a word of each of some memories of so many words."""
    bram = sum(width for width in fields if in_block_ram(words, width))
    return Switching(table_bits=count * (sum(fields) - bram), bram_bits=count * bram)


def _merged(kernel: MatVecKernel, vectors: IntArray) -> Switching:
    """The sums of parts and bias: an adder tree for each row, or with memories for each group, whose rows take turns.

    Every adder of a tree is taken to toggle as its result does.
    """
    row, adders = _rows_in_turn(kernel)
    sums = add(as_mantissas(kernel.program.apply(vectors, kernel.result.size)), kernel.bias[:, np.newaxis])
    width = widths(kernel.sums.low, kernel.sums.high)
    if kernel.program.banks is not None:
        width = np.full(len(row), width.max())
    toggled = rates(in_turn(sums, row), width) * row.shape[1]
    return Switching(
        toggled=float(toggled.sum()),
        possible=float(width.sum()) * row.shape[1],
        logic=float((toggled * adders).sum()),
    )


def _rows_in_turn(kernel: MatVecKernel) -> tuple[Int64Array, Int64Array]:
    """Return the row that each tree adds up in each round (trees, rounds), and the adders of each tree."""
    lanes, plan = kernel.program, _plan(kernel)
    if lanes.banks is None:
        terms = np.bincount(lanes.part_row, minlength=kernel.result.size) + (kernel.bias != 0)
        return np.arange(kernel.result.size)[:, np.newaxis], np.maximum(terms - 1, 0)
    row = np.full((plan.groups, lanes.banks.rounds), NOTHING)
    row[lanes.banks.group, lanes.banks.position] = np.arange(kernel.result.size)
    return row, np.full(plan.groups, plan.banks - 1 + int(kernel.bias.any()))


def _registers(kernel: MatVecKernel, sums: PartialSums, vectors: IntArray) -> Switching:
    """The beat that is held, and a register for each part."""
    lanes = kernel.program
    columns = np.unique(lanes.column)
    beat = rates(iter([vectors[columns]]), np.full(len(columns), kernel.source.word.width))
    parts = rates(_parts(kernel, vectors), np.full(len(lanes.part_row), sums.sum_word.width))
    return Switching(registers=float(beat.sum() + parts.sum()))


def _parts(kernel: MatVecKernel, vectors: IntArray) -> Iterator[IntArray]:
    """Yield the sum of each part (parts, some of n)."""
    lanes = kernel.program
    starts = np.flatnonzero(np.diff(lanes.part, prepend=-1))
    order = np.argsort(lanes.part[starts])
    count = chunk_size(len(lanes.weight))
    for begin in range(0, vectors.shape[1], count):
        block = vectors[:, begin : begin + count]
        products = block[lanes.column] * lanes.weight.astype(block.dtype)[:, np.newaxis]
        yield np.add.reduceat(products, starts)[order]


def _memories(kernel: MatVecKernel, sums: PartialSums, banks: Banks, vectors: IntArray) -> Switching:
    """Banks that are filled element by element, each lane's copy of its bank, and its partial sums."""
    lanes, width = kernel.program, kernel.source.word.width
    element = _elements(kernel, banks)
    columns = element[element != NOTHING]
    beat = rates(iter([vectors[columns]]), np.full(len(columns), width))
    filled = rates(in_turn(vectors, element), np.full(len(element), width))
    entering = float(filled.sum()) * banks.depth
    moved = _read(2 * banks.stride, (width,), lanes.lanes * (banks.depth + lanes.slots))
    kept = _read(2 * banks.part_stride, (sums.sum_word.width,), len(lanes.part_row) + lanes.lanes * banks.rounds)
    return Switching(logic=entering, registers=float(beat.sum()) + entering) + moved + kept
