"""The cost of a folded matrix: its lanes, what feeds them, and what adds up their partial sums."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from fpgaprune.fabric import DSP_FROM_WIDTH, LUT_BITS, Memory, chosen, memory, places, together
from fpgaprune.lower import Word
from fpgaprune.lower.operations import widths
from fpgaprune.lower.partial import PartialSums, partial_sums
from fpgaprune.resources.layer_cost import (
    COUNTERS_FF,
    COUNTERS_LUT,
    cost,
    finish_lut,
    finish_luts,
    port_bits,
    result_bits,
    signed_width,
    tree_cycles,
)
from fpgaprune.schedule import Folded

if TYPE_CHECKING:
    import numpy.typing as npt

    from fpgaprune.fabric import Fabric
    from fpgaprune.fixed import IntArray
    from fpgaprune.lower import MatVecKernel
    from fpgaprune.resources.calibration import Physics
    from fpgaprune.schedule import LaneProgram
    from fpgaprune.schedule.lanes import Banks
    from fpgaprune.sparse import Int64Array

_TABLE_INPUTS = 6
"""Inputs of a look-up table."""

_PAIR_LUT = 2
"""Look-up tables of a pair of bits of a soft multiplier: Yosys takes 28 for 4 x 4 bits, 130 for 8 x 8."""

_FEW_SLOTS = 4
"""Slots up to which a table is made of gates at once, so that Yosys finds its registers beside a slice."""

_NOTHING = Memory(0, 0)


def folded(kernel: MatVecKernel, fabric: Fabric, budget: float) -> Physics:
    """Return what a matrix takes whose lanes work through its non-zeros; ``budget`` is the usable period in ns."""
    banks = kernel.program.banks
    lanes = _Lanes(kernel, fabric, budget)
    ends = (_registers(lanes),) if banks is None else (_filled(lanes, banks), _added_up(lanes, banks))
    parts = (lanes.work, *ends)
    return cost(
        kernel,
        kernel.strategy.value,
        nonzeros=kernel.weights.nonzeros,
        adder_bits=sum(part.adder_bits for part in parts),
        multipliers=lanes.program.lanes,
        adders=sum(part.adder_bits + part.products for part in parts),
        choices=sum(part.choices for part in parts),
        lut=sum(part.lut for part in parts),
        ff=sum(part.ff for part in parts),
        dsp=lanes.slices,
        held=together(part.held for part in parts),
        latency=_latency(lanes),
    )


@dataclass(frozen=True)
class _Part:
    """What a part of a folded matrix takes; adders are a look-up table a bit, on top of ``lut`` and multiplexers.

    ``products`` are the look-up tables of soft multipliers, which are adders as well.
    """

    adder_bits: int = 0
    products: int = 0
    choices: int = 0
    lut: int = 0
    ff: int = 0
    held: Memory = _NOTHING


def _latency(lanes: _Lanes) -> int:
    """Return the cycles of the Verilog: slots and what is around them; of several vectors those of the one loop."""
    program, banks = lanes.program, lanes.program.banks
    if banks is None:
        return program.slots + 3 + lanes.merging
    if lanes.kernel.source.beats > 1:
        return 3 * program.turns + lanes.merging
    return banks.depth + program.slots + banks.rounds + 6 + lanes.merging


@dataclass(frozen=True, eq=False)
class _Lanes:
    """Multipliers and running sums, which are the same however the input gets to them."""

    kernel: MatVecKernel
    fabric: Fabric
    budget: float

    @property
    def plan(self) -> Folded:
        assert isinstance(self.kernel.plan, Folded)  # noqa: S101  # only folded matrices have lanes
        return self.kernel.plan

    @property
    def program(self) -> LaneProgram:
        return self.kernel.program

    @cached_property
    def sums(self) -> PartialSums:
        return partial_sums(self.kernel)

    @cached_property
    def sum_width(self) -> int:
        """The width of all running and partial sums: one word for all lanes, as the C++ has it."""
        return self.sums.sum_word.width

    @cached_property
    def row_width(self) -> int:
        """The width of the widest row."""
        return Word.holding(*self.kernel.sums.bounds).width

    @cached_property
    def terms(self) -> Int64Array:
        """What each row adds up, its bias included; with memories a row of a group that of any bank."""
        kernel, program = self.kernel, self.program
        if program.banks is not None:
            return np.full(kernel.result.size, self.plan.banks + bool(kernel.bias.any()))
        terms: Int64Array = np.bincount(program.part_row, minlength=kernel.result.size) + (kernel.bias != 0)
        terms[np.diff(kernel.weights.row_start) == 0] = 0  # a constant
        return terms

    @property
    def merging(self) -> int:
        """The cycles that parts take to become a result."""
        ending = self.kernel.finish.levels if self.kernel.finish else 0
        return tree_cycles(int(self.terms.max()), self.fabric, self.budget, ending)

    @property
    def operands(self) -> tuple[int, int]:
        """The widths of what is multiplied."""
        return signed_width(self.kernel.source.word), signed_width(self.sums.weight_word)

    @property
    def in_fabric(self) -> bool:
        return self.plan.fabric or min(self.operands) < DSP_FROM_WIDTH

    @property
    def slices(self) -> int:
        return 0 if self.in_fabric else self.program.lanes * self.fabric.slices(*self.operands)

    @property
    def work(self) -> _Part:
        """Multipliers, running sums, and the tables of what each lane does in each slot.

        A slice holds the product; look-up tables multiply by an array of partial products.
        """
        sums = self.running
        products = int(self._own(self.sums.lane_product_low, self.sums.lane_product_high).sum())
        product = self.kernel.source.word.width * self.sums.weight_word.width
        multiplier = _PAIR_LUT * product if self.in_fabric else 0
        tables = self._columns() if self.program.banks is None else self._entries(self.program.banks)
        return _Part(
            adder_bits=sums,
            products=self.program.lanes * multiplier,
            lut=COUNTERS_LUT,
            ff=sums + (0 if self.packs else products) + tables.ff + COUNTERS_FF,
            held=tables.held,
        )

    @property
    def running(self) -> int:
        """The bits of all running sums."""
        return int(self._own(self.sums.lane_low, self.sums.lane_high).sum())

    @property
    def parts(self) -> int:
        """The bits of all partial sums."""
        return int(widths(self.sums.part_low, self.sums.part_high).sum())

    @cached_property
    def multiplexers(self) -> _Multiplexers:
        return _multiplexers(self.program)

    @property
    def packs(self) -> bool:
        """Whether the registers of a product and its addition go into its slice."""
        return not self.in_fabric and self.fabric.packs and self.fabric.slices(*self.operands) == 1

    def _own(self, low: IntArray, high: IntArray) -> Int64Array:
        """The width of each lane's own word; a lane without terms has none."""
        used = np.bincount(self.program.lane, minlength=self.program.lanes) > 0
        return widths(low, high) * used

    @property
    def _weights(self) -> Int64Array:
        """The width of each lane's weights, and of the zero of slots without a term."""
        return self._own(np.minimum(self.sums.lane_weight_low, 0), np.maximum(self.sums.lane_weight_high, 0))

    def _entries(self, banks: Banks) -> _Part:
        """Tables of weights, starts and ends, places of rows and addresses; all but addresses move on by a cycle."""
        count, weights = self.program.lanes, int(self._weights.sum())
        others = count * (1 + 1 + places(banks.rounds))
        addresses, operands = count * places(banks.depth), count * self.kernel.source.word.width
        return _Part(
            ff=(1 if self.packs else 2) * weights + 3 * others + addresses + operands,
            held=_times(weights + others + addresses, memory(self.program.slots, 1)),
        )

    def _columns(self) -> _Part:
        """Tables of weights and starts, which all lanes read at one counter: bits that are alike in all slots are one.

        Slices take operands as well, and weights of so few slots that their table is logic.
        """
        program, own = self.program, self._weights
        starts = self._column(program.slot == program.part_start[program.part])
        words = program.weight + (program.weight < 0) * (1 << own[program.lane])
        weights = [self._column(words >> bit & 1) for bit in range(int(own.max(initial=0)))]
        in_slices = self.packs and program.slots <= _FEW_SLOTS
        return _Part(
            ff=_distinct(starts, *([] if in_slices else weights))
            + (0 if self.packs else len(self.multiplexers.read) * self.kernel.source.word.width),
            held=_times(_distinct(starts, *weights), memory(program.slots, 1)),
        )

    def _column(self, bits: npt.NDArray[np.int64 | np.bool_]) -> npt.NDArray[np.float64]:
        """Return a number for each lane that tells in which slots its bit is set; zero where it never is."""
        of_slot = np.random.default_rng(0).random(self.program.slots) + 1  # sums of them hardly ever agree
        weighted = bits * of_slot[self.program.slot]
        found: npt.NDArray[np.float64] = np.bincount(self.program.lane, weighted, self.program.lanes).astype(np.float64)
        return found


def _distinct(*columns: npt.NDArray[np.float64]) -> int:
    """Return how many columns of tables differ, those aside that are always zero."""
    return int(np.count_nonzero(np.unique(np.concatenate(columns))))


def _registers(lanes: _Lanes) -> _Part:
    """The beat, a multiplexer for each lane, a register for each part, and for each row the sum of its parts."""
    kernel, program = lanes.kernel, lanes.program
    width = kernel.source.word.width
    choosing = lanes.multiplexers
    choice = sum(int(count) * chosen(int(each)) * width for each, count in zip(*_counted(choosing.read), strict=True))
    terms = lanes.terms
    rows = widths(kernel.sums.low, kernel.sums.high)
    ends = len(np.unique(program.part_end)) * math.ceil(places(program.slots) / _TABLE_INPUTS)
    return _Part(
        adder_bits=int((np.maximum(terms - 1, 0) * rows).sum()),
        choices=choice + choosing.selects * math.ceil(program.slots / LUT_BITS),
        lut=ends + finish_lut(kernel.finish),
        ff=len(np.unique(program.column)) * width
        + lanes.parts
        + (lanes.merging - 1) * int(rows.sum())
        + result_bits(kernel),
    )


@dataclass(frozen=True)
class _Multiplexers:
    """Multiplexers that differ: how many elements each chooses among, in how many slots; lanes share equal ones."""

    read: Int64Array
    terms: Int64Array

    @property
    def selects(self) -> int:
        """The bits that say which element is read, of those that read an element in several slots."""
        repeated = self.read[(self.read > 1) & (self.read < self.terms)]
        return int(widths(repeated * 0, repeated - 1).sum())


def _multiplexers(program: LaneProgram) -> _Multiplexers:
    of_slot, of_column = (np.random.default_rng(seed).random(1 + end) for seed, end in _ends(program))
    pattern = np.bincount(program.lane, of_slot[program.slot] * of_column[program.column], program.lanes)
    _, first = np.unique(pattern, return_index=True)
    lane, _ = np.unique(np.stack([program.lane, program.column]), axis=1)
    read = np.bincount(lane, minlength=program.lanes)
    return _Multiplexers(read[first], np.bincount(program.lane, minlength=program.lanes)[first])


def _ends(program: LaneProgram) -> tuple[tuple[int, int], tuple[int, int]]:
    return (0, program.slots), (1, int(program.column.max(initial=0)))


def _filled(lanes: _Lanes, banks: Banks) -> _Part:
    """The beat, from which each bank takes an element a cycle, and a copy of its bank for each lane, twice over."""
    width = lanes.kernel.source.word.width
    sizes = np.bincount(banks.bank[banks.bank >= 0], minlength=lanes.plan.banks)
    copy = lanes.fabric.two_port(2 * banks.stride, width)
    return _Part(
        choices=sum(chosen(size) for size in sizes.tolist()) * width,
        ff=int(sizes.sum()) * width + lanes.plan.banks * width + COUNTERS_FF,
        held=_times(lanes.program.lanes, copy),
    )


def _added_up(lanes: _Lanes, banks: Banks) -> _Part:
    """The partial sums of each lane, twice over, and for each group a tree over its banks, bias and one finish."""
    kernel, plan, program = lanes.kernel, lanes.plan, lanes.program
    used = int(np.count_nonzero(np.bincount(program.lane, minlength=program.lanes)))
    partial = _times(used, lanes.fabric.two_port(2 * banks.part_stride, lanes.sum_width))
    gaps = int((np.bincount(program.part_lane, minlength=program.lanes) < banks.rounds).sum())
    present = _times(gaps, memory(banks.rounds, 1))
    bias = _times(plan.groups * bool(kernel.bias.any()), memory(banks.rounds, lanes.row_width))
    terms = int(lanes.terms.max())
    finish = 0 if kernel.finish is None else int(finish_luts(kernel.finish).max(initial=0))
    return _Part(
        adder_bits=plan.groups * (terms - 1) * lanes.row_width,
        lut=plan.groups * finish + banks.rounds,
        ff=lanes.running
        + gaps
        + plan.groups * (_cut(terms, lanes) + bool(kernel.bias.any())) * lanes.row_width
        + port_bits(kernel.result)
        + COUNTERS_FF,
        held=together((partial, present, bias)),
    )


def _cut(terms: int, lanes: _Lanes) -> int:
    """Registers of one word in a tree whose levels are more than fit into a cycle, its result included."""
    levels = math.ceil(math.log2(max(terms, 2)))
    step = max(1, int(lanes.budget / lanes.fabric.adder_ns))
    return 1 + sum(math.ceil(terms / (1 << level)) for level in range(step, levels, step))


def _counted(values: Int64Array) -> tuple[Int64Array, Int64Array]:
    distinct, count = np.unique(values, return_counts=True)
    return distinct, count


def _times(count: int, one: Memory) -> Memory:
    return Memory(count * one.lut, count * one.bram_18k)
