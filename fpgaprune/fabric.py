"""What the fabric of a device family offers: delays, operand widths, memories. Assumptions, cited where published."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fpgaprune.board import Family

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True)
class Fabric:
    """Delays in ns of a family's slowest common speed grade, routing included, and the operand widths of a DSP slice.

    Delays are assumptions: an adder of about 20 bits is a look-up table, a carry chain and a net (DS181, DS925);
    widths are from AMD UG479 (DSP48E1) and UG579 (DSP48E2). ``packs`` tells whether additions after products and the
    registers of both go into slices: both have room for them, but Yosys does so for DSP48E1 alone. A memory of 32 words
    with two addresses takes ``ram_luts`` tables for each ``ram_bits`` bits (RAM32M, AMD UG474; RAM32M16, UG574).
    """

    adder_ns: float
    multiplier_ns: float
    dsp_wide: int
    dsp_narrow: int
    packs: bool
    ram_luts: int
    ram_bits: int

    def slices(self, one: int, other: int) -> int:
        """Return the DSP slices of a product of operands of these widths, each cut into what a slice takes."""
        wide, narrow = max(one, other), min(one, other)
        return math.ceil(wide / self.dsp_wide) * math.ceil(narrow / self.dsp_narrow)

    def two_port(self, words: int, width: int) -> Memory:
        """Return what a memory takes that is written at one address and read at another in the same cycle.

        Of 64 words a look-up table holds half as many bits; deeper memories choose.
        """
        if in_block_ram(words, width):
            return memory(words, width)
        if words <= LUT_BITS // 2:
            return Memory(self.ram_luts * math.ceil(width / self.ram_bits), 0)
        blocks = math.ceil(words / LUT_BITS)
        return Memory(self.ram_luts * blocks * math.ceil(width / (self.ram_bits // 2)) + chosen(blocks) * width, 0)


FABRICS: Mapping[Family, Fabric] = {
    Family.XC7: Fabric(2.1, 4.2, 25, 18, packs=True, ram_luts=4, ram_bits=6),
    Family.XCU: Fabric(1.3, 2.8, 27, 18, packs=False, ram_luts=8, ram_bits=14),
    Family.XCUP: Fabric(1.0, 2.2, 27, 18, packs=False, ram_luts=8, ram_bits=14),
}

CLOCK_SHARE = 0.73
"""The share of the period that the vendor tool plans with: its default uncertainty is 27 % (AMD UG1399)."""

LUT_BITS = 64
"""Bits of memory, read-only or distributed, in one six-input look-up table (AMD UG474)."""

SHIFT_BITS = 32
"""Bits that one look-up table delays as a shift register (AMD UG474)."""

BRAM_SHAPES = ((18, 1024), (36, 512))
"""A block RAM of 18 kbit as words of 18 or 36 bits; the wide form has one read and one write port (AMD UG473)."""

BRAM_FROM_BITS = 4096
"""Bits of one memory from which it is built of block RAM; an assumption, below it look-up tables are smaller."""

DSP_FROM_WIDTH = 5
"""Width of the narrower of two factors, no constants, from which their product takes a DSP slice: an assumption."""


@dataclass(frozen=True)
class Memory:
    """What a memory takes."""

    lut: int
    bram_18k: int


def together(memories: Iterable[Memory]) -> Memory:
    """Return what several memories take."""
    held = tuple(memories)
    return Memory(sum(each.lut for each in held), sum(each.bram_18k for each in held))


def in_block_ram(words: int, width: int) -> bool:
    """Whether a memory of ``words`` words of ``width`` bits is built of block RAM and not of look-up tables."""
    return words * width >= BRAM_FROM_BITS


def memory(words: int, width: int, *, read_only: bool = False) -> Memory:
    """Return what a memory of ``words`` words of ``width`` bits with one read and one write a cycle takes."""
    if in_block_ram(words, width):
        shapes = BRAM_SHAPES[:1] if read_only else BRAM_SHAPES  # a table's two ports read for two elements
        return Memory(0, min(math.ceil(width / wide) * math.ceil(words / deep) for wide, deep in shapes))
    return Memory(width * math.ceil(words / LUT_BITS), 0)


def places(count: int) -> int:
    """Return the bits that tell so many places from one another."""
    return max(0, count - 1).bit_length()


def chosen(candidates: int) -> int:
    """Return look-up tables that choose one bit among so many: a table chooses among four."""
    return math.ceil(max(0, candidates - 1) / 3)
