"""Latency and interval of a stock design from its reuse factors, positions and the depth of its additions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from typing_extensions import assert_never

from fpgaprune.board import Family
from fpgaprune.fabric import FABRICS
from fpgaprune.resources.stock.counts import FIRST_VITIS, limit, products, unrolled, wanted
from fpgaprune.resources.stock.values import Layer, Role, StockDesign, Strategy
from fpgaprune.resources.stock.weights import FREE_DIGITS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fpgaprune.resources.stock.values import Matrix

ADDER_SHARE = 0.75
"""Share of the delay of `Fabric` that the tool plans a 16-bit addition with: five chain in 4.375 ns on xcu250."""

PASS_OVERHEAD = {Family.XC7: 18.0, Family.XCU: 13.0, Family.XCUP: 10.0}
"""Cycles that a step of a recurrent layer takes above its largest reuse factor, seen in fifteen designs."""

PIXEL_OVERHEAD = 6.0
"""Cycles that a pixel of a streamed convolution of strategy resource takes above its reuse factor at 5 ns."""

ROW_OVERHEAD = 4
"""Cycles that padding takes for each row above its columns with Vivado HLS; Vitis HLS runs the rows into each other."""

LEVEL_OVERHEAD = 2
"""Cycles between windows of strategy latency with reuse above those of the matrix: one for each function around it."""


@dataclass(frozen=True)
class Cycles:
    """Latency and interval in cycles."""

    latency: float
    interval: float


def budget(design: StockDesign) -> float:
    """Return the ns of a cycle that the vendor tool plans with: its default uncertainty is 12.5 %, later 27 %."""
    return design.clock_ns * (0.73 if design.year >= FIRST_VITIS else 0.875)


def levels_a_cycle(design: StockDesign) -> float:
    """Return how many additions follow each other in a cycle."""
    delay = FABRICS[design.family].adder_ns * ADDER_SHARE
    return max(1.0, math.floor(budget(design) / delay))


def product_cycles(design: StockDesign, layer: Layer, matrix: Matrix) -> float:
    """Return the cycles of a product: of a multiplier, or of the additions that stand for it."""
    if unrolled(matrix) and not products(layer, matrix):
        digits = max((number for number, count in matrix.digits.items() if count), default=0)
        return math.log2(max(1, min(digits, FREE_DIGITS + 1))) / levels_a_cycle(design)
    share = FABRICS[design.family].multiplier_ns / budget(design)
    return share if share < 1 else math.ceil(share) + 1  # a multiplier of several cycles registers its result, too


def levels(matrix: Matrix) -> float:
    """Return the levels of additions of an output of an unrolled matrix."""
    return math.log2(max(1.0, matrix.nonzeros / matrix.outputs))


def depth(design: StockDesign, layer: Layer, matrix: Matrix) -> float:
    """Return the cycles of one product with a matrix, without its reuse."""
    adding = levels(matrix) if unrolled(matrix) else 1.0
    return product_cycles(design, layer, matrix) + adding / levels_a_cycle(design)


def passes(matrix: Matrix) -> float:
    """Return the cycles for which a matrix is busy with one vector."""
    if not unrolled(matrix):
        return matrix.reuse
    return max(1.0, min(matrix.reuse, math.ceil(wanted(matrix) / limit(matrix))))


def softmax_cycles(design: StockDesign, layer: Layer) -> float:
    """Return the depth of a softmax: a maximum, a difference, a table, a sum, a table, a product."""
    tree = math.log2(max(2, layer.channels))
    share = FABRICS[design.family].multiplier_ns / budget(design)
    return 2 * tree / levels_a_cycle(design) + 3 + (share if share < 1 else math.ceil(share) + 4)


def _after(design: StockDesign, layer: Layer) -> float:
    """Return the cycles of what follows a layer, or of the layer itself where it has no matrix."""
    each = 1 / levels_a_cycle(design)
    return len(layer.followers) * each + (softmax_cycles(design, layer) if layer.role is Role.SOFTMAX else 0.0)


def cycles(design: StockDesign) -> Cycles:
    """Return the latency and the interval of a whole design."""
    return _processes(design) if design.dataflow else _pipeline(design)


def _pipeline(design: StockDesign) -> Cycles:
    busy = [passes(matrix) for layer in design.layers for matrix in layer.matrices]
    deep = sum(
        _after(design, layer) + sum(depth(design, layer, matrix) for matrix in layer.matrices)
        for layer in design.layers
    )
    return Cycles(max(1.0, deep + sum(each - 1 for each in busy)), max(busy, default=1.0))


def _processes(design: StockDesign) -> Cycles:
    each = [_process(design, layer) for layer in design.layers]
    interval = max(one.interval for one in each)
    if design.stream:
        return Cycles(_streamed(design, each) + sum(one.latency - one.interval for one in each), interval)
    return Cycles(sum(one.latency for one in each), interval)


def _streamed(design: StockDesign, each: Sequence[Cycles]) -> float:
    """Return when the last process has taken its input: processes run side by side, but for padding of images.

    Vivado HLS takes the nested loops of a padding to begin only when the pipelined loops before them have ended.
    """
    begin = longest = last = 0.0
    for layer, one in zip(design.layers, each, strict=True):
        if layer.role is Role.PAD:
            if layer.rows > 1 and design.year < FIRST_VITIS:
                begin, longest = begin + longest, 0.0
        elif all(unrolled(matrix) for matrix in layer.matrices):
            longest = max(longest, one.interval)
        last = max(last, begin + one.interval)
    return last


def _process(design: StockDesign, layer: Layer) -> Cycles:
    deep = _after(design, layer) + sum(depth(design, layer, matrix) for matrix in layer.matrices[:1])
    match layer.role:
        case Role.RECURRENT:
            step = max(_busy(matrix) for matrix in layer.matrices) + PASS_OVERHEAD[design.family]
            return Cycles(layer.steps * step + 2, layer.steps * step + 2)
        case Role.CONV:
            interval = _convolution(design, layer, layer.matrices[0])
            return Cycles(interval + deep, interval)
        case Role.PAD if design.stream:
            nested = layer.rows > 1 and design.year < FIRST_VITIS
            interval = layer.out_positions + ROW_OVERHEAD * layer.rows * nested
            return Cycles(interval, interval)
        case Role.POOL if design.stream:
            return Cycles(layer.in_positions, layer.in_positions)
        case Role.DENSE | Role.PAD | Role.POOL | Role.ELEMENTS | Role.SOFTMAX:
            interval = max((passes(matrix) for matrix in layer.matrices), default=1.0)
            return Cycles(interval + deep + 1, interval)
        case _ as never:
            assert_never(never)


def _busy(matrix: Matrix) -> float:
    return matrix.reuse if matrix.strategy is Strategy.RESOURCE and matrix.reuse > 1 else 0.0


def _convolution(design: StockDesign, layer: Layer, matrix: Matrix) -> float:
    busy = passes(matrix)
    if not design.stream:
        return busy if layer.whole else math.ceil(layer.out_positions / layer.copies) * busy
    if unrolled(matrix):
        return layer.in_positions * (busy if busy == 1 else min(busy + LEVEL_OVERHEAD, matrix.reuse))
    return layer.in_positions * (busy + PIXEL_OVERHEAD * max(1.0, 5 / design.clock_ns))
