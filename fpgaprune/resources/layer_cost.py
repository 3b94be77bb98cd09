"""What the costs of all kernels have in common."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from fpgaprune.fabric import Memory, places
from fpgaprune.fixed import clip
from fpgaprune.lower import layer_of
from fpgaprune.lower.operations import widths
from fpgaprune.resources.calibration import Physics
from fpgaprune.resources.values import LayerResources

if TYPE_CHECKING:
    from fpgaprune.fabric import Fabric
    from fpgaprune.lower import Finish, Kernel, MatVecKernel, Port, Word
    from fpgaprune.sparse import Int64Array

COUNTERS_LUT, COUNTERS_FF = 24, 24
"""Counters and comparisons of a process that walks over rows and columns, or over slots: an assumption."""


def counters(*counts: int) -> int:
    """Return the flip-flops of counters up to these numbers, and of two flags: working, and a result is there."""
    return sum(map(places, counts)) + 2


def cost(
    kernel: Kernel,
    strategy: str,
    *,
    nonzeros: int = 0,
    adder_bits: int = 0,
    multipliers: int = 0,
    adders: int = 0,
    choices: int = 0,
    lut: int = 0,
    ff: int = 0,
    dsp: int = 0,
    held: Memory | None = None,
    latency: int = 0,
) -> Physics:
    """Return the cost of a kernel, the memory that it holds included; what is not given is zero.

    ``lut`` are the look-up tables beside those of ``adders`` and of multiplexers, ``choices``.
    """
    held = held or Memory(0, 0)
    layer = LayerResources(
        tensor=kernel.name,
        layer=layer_of(kernel),
        strategy=strategy,
        nonzeros=nonzeros,
        adder_bits=adder_bits,
        multipliers=multipliers,
        lut=adders + choices + lut + held.lut,
        ff=ff,
        dsp=dsp,
        bram_18k=held.bram_18k,
        uram=0,
        latency_cycles=latency,
    )
    return Physics(layer, adders, choices, held.lut)


def port_bits(port: Port) -> int:
    """Return the bits of one beat."""
    return port.size * port.word.width


def result_bits(kernel: MatVecKernel) -> int:
    """Return the bits of a register for each row's result, as wide as its interval says; a constant needs none."""
    low, high = kernel.sums.low, kernel.sums.high
    if kernel.finish is not None:
        rounded, limits = kernel.finish.rounded, _limits(kernel.finish)
        low, high = clip(rounded.low, *limits), clip(rounded.high, *limits)
    return int((widths(low, high) * (low != high)).sum())


def _limits(finish: Finish) -> tuple[int, int]:
    """Return the limits of a finish, those of its format where it has none of its own."""
    low = finish.format.low if finish.low is None else finish.low
    return low, finish.format.high if finish.high is None else finish.high


def signed_width(word: Word) -> int:
    """Return the width of a word as an operand of a multiplier, which takes signed numbers."""
    return word.width + (not word.signed)


def tree_cycles(terms: int, fabric: Fabric, budget: float, ending: int = 0) -> int:
    """Return the cycles of a tree over so many terms and what ends it, as many levels a cycle as the clock allows."""
    levels = math.ceil(math.log2(max(terms, 1))) + ending
    return max(1, math.ceil(levels / max(1, int(budget / fabric.adder_ns))))


def finish_lut(finish: Finish | None) -> int:
    """Return look-up tables for the finish of every element, as `finish_luts` says."""
    return 0 if finish is None else int(finish_luts(finish).sum())


def finish_luts(finish: Finish) -> Int64Array:
    """Return look-up tables of each element for rounding that depends on the value, comparisons, and the limits.

    A comparison with a constant is a carry chain of two bits a table, with zero it is the sign bit alone; one table a
    bit chooses among value and limits; rounding that could not move into the sum is an adder.
    """
    moving = finish.rounded.low != finish.rounded.high  # a constant takes nothing
    rounded = widths(finish.rounded.low, finish.rounded.high) * moving
    low, high = finish.binds_low.astype(bool), finish.binds_high.astype(bool)
    compare, width = (rounded + 1) // 2, finish.format.width * moving
    total: Int64Array = np.where(high, compare, 0) + np.where(low | high, width, 0)
    if finish.low:
        total += np.where(low, compare, 0)
    if finish.zero_outside:
        total += width + compare
    if finish.adds:
        total += rounded
    return total
