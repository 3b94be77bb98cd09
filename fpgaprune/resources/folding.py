"""The cost of a folded matrix: its lanes, what feeds them, and what adds up their partial sums."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from fpgaprune.fabric import DSP_FROM_WIDTH, LUT_BITS, Memory, chosen, memory, places, together, two_port
from fpgaprune.fixed import bounds
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
    from fpgaprune.fabric import Fabric
    from fpgaprune.lower import MatVecKernel
    from fpgaprune.resources.calibration import Physics
    from fpgaprune.schedule import LaneProgram
    from fpgaprune.schedule.lanes import Banks
    from fpgaprune.sparse import Int64Array

_TABLE_INPUTS = 6
"""Inputs of a look-up table."""

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
        adders=sum(part.adder_bits for part in parts),
        lut=sum(part.lut for part in parts),
        ff=sum(part.ff for part in parts),
        dsp=lanes.slices,
        held=together(part.held for part in parts),
        latency=_latency(lanes),
    )


@dataclass(frozen=True)
class _Part:
    """What a part of a folded matrix takes; its adders are a look-up table a bit, on top of ``lut``."""

    adder_bits: int = 0
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
        """A slice holds the product; look-up tables multiply by an array of partial products, a table a bit."""
        product = Word.holding(bounds(self.sums.lane_product_low)[0], bounds(self.sums.lane_product_high)[1]).width
        multiplier = math.prod(self.operands) if self.in_fabric else 0
        registers = self.kernel.source.word.width + self.sum_width + (product if self.in_fabric else 0)
        slots, count = self.program.slots, self.program.lanes
        return _Part(
            adder_bits=count * self.sum_width,
            lut=count * multiplier + COUNTERS_LUT,
            ff=count * registers + COUNTERS_FF,
            held=_times(count, together(memory(slots, width) for width in self._fields)),
        )

    @property
    def _fields(self) -> tuple[int, ...]:
        """The widths of a lane's tables: weights and starts; with memories also addresses, ends and places of rows."""
        banks = self.program.banks
        weights = self.sums.weight_word.width, 1
        return weights if banks is None else (*weights, places(banks.depth), 1, places(banks.rounds))


def _registers(lanes: _Lanes) -> _Part:
    """The beat, a multiplexer for each lane, a register for each part, and for each row the sum of its parts."""
    kernel, program = lanes.kernel, lanes.program
    width = kernel.source.word.width
    read = _candidates(program)
    choice = sum(int(count) * chosen(int(each)) * width for each, count in zip(*_counted(read), strict=True))
    terms = lanes.terms
    rows = widths(kernel.sums.low, kernel.sums.high)
    ends = len(np.unique(program.part_end)) * math.ceil(places(program.slots) / _TABLE_INPUTS)
    return _Part(
        adder_bits=int((np.maximum(terms - 1, 0) * rows).sum()),
        lut=choice + _selects(program, read) + ends + finish_lut(kernel.finish),
        ff=len(np.unique(program.column)) * width
        + len(program.part_row) * lanes.sum_width
        + (lanes.merging - 1) * int(rows.sum())
        + result_bits(kernel),
    )


def _candidates(program: LaneProgram) -> Int64Array:
    """Return how many elements each lane reads."""
    lane, _ = np.unique(np.stack([program.lane, program.column]), axis=1)
    return np.bincount(lane, minlength=program.lanes)


def _selects(program: LaneProgram, read: Int64Array) -> int:
    """Look-up tables of the multiplexers' places, where a lane reads an element in several of its slots."""
    repeated = read[(read > 1) & (read < np.bincount(program.lane, minlength=program.lanes))]
    return int(widths(repeated * 0, repeated - 1).sum()) * math.ceil(program.slots / LUT_BITS)


def _filled(lanes: _Lanes, banks: Banks) -> _Part:
    """The beat, from which each bank takes an element a cycle, and a copy of its bank for each lane, twice over."""
    width = lanes.kernel.source.word.width
    sizes = np.bincount(banks.bank[banks.bank >= 0], minlength=lanes.plan.banks)
    copy = two_port(2 * banks.stride, width)
    return _Part(
        lut=sum(chosen(size) for size in sizes.tolist()) * width + COUNTERS_LUT,
        ff=int(sizes.sum()) * width + lanes.plan.banks * width + COUNTERS_FF,
        held=_times(lanes.program.lanes, copy),
    )


def _added_up(lanes: _Lanes, banks: Banks) -> _Part:
    """The partial sums of each lane, twice over, and for each group a tree over its banks, bias and one finish."""
    kernel, plan, program = lanes.kernel, lanes.plan, lanes.program
    partial = _times(program.lanes, two_port(2 * banks.part_stride, lanes.sum_width))
    gaps = int((np.bincount(program.part_lane, minlength=program.lanes) < banks.rounds).sum())
    present = _times(gaps, memory(banks.rounds, 1))
    bias = _times(plan.groups * bool(kernel.bias.any()), memory(banks.rounds, lanes.row_width))
    terms = int(lanes.terms.max())
    finish = 0 if kernel.finish is None else int(finish_luts(kernel.finish).max(initial=0))
    return _Part(
        adder_bits=plan.groups * (terms - 1) * lanes.row_width,
        lut=plan.groups * finish + banks.rounds + COUNTERS_LUT,
        ff=plan.groups * _cut(terms, lanes) * lanes.row_width + port_bits(kernel.result) + COUNTERS_FF,
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
