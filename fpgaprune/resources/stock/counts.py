"""What follows from the templates without any fitted number: DSP slices and block RAMs of csynth, and intervals."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from fpgaprune.fabric import FABRICS
from fpgaprune.resources.stock.values import Layer, Role, StockDesign, Strategy
from fpgaprune.resources.stock.weights import FREE_DIGITS, distinct, used_bits

if TYPE_CHECKING:
    from fpgaprune.board import Family
    from fpgaprune.resources.stock.values import Matrix

NARROWEST = 5
"""Width of the narrower factor from which a product takes a DSP slice: 16-bit data by 11 does not, by -11 does."""

BOTH = 20
"""Width of both factors together from which a product takes a DSP slice: 8 by 8 bits does not, in four designs."""

_DEPTHS = ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2))
"""Words of a block RAM of 18 kbit by their width (AMD UG473)."""

FIRST_VITIS = 2020.2
"""The first version of Vitis HLS; earlier ones are Vivado HLS."""

LANES = {3: 3, 4: 3}
"""Products of two activations for each unit of a recurrent layer, by its gates: GRU and LSTM have three."""


def unrolled(matrix: Matrix) -> bool:
    """Whether the vendor tool sees each weight as a constant of its own: strategy latency, or no reuse."""
    return matrix.strategy is Strategy.LATENCY or matrix.reuse == 1


def on_dsp(one: float, other: float) -> bool:
    """Whether the product of two words takes a DSP slice."""
    return min(one, other) >= NARROWEST and one + other >= BOTH


def products(layer: Layer, matrix: Matrix) -> float:
    """Return the products of an unrolled matrix that take multipliers: distinct ones of more than two digits."""
    width = min(used_bits(matrix.digits) + 1, matrix.weight_bits)
    return wanted(matrix) if on_dsp(layer.in_bits, width) else 0.0


def wanted(matrix: Matrix) -> float:
    """Return the distinct products of an unrolled matrix that need a multiplier, in whatever it is built of."""
    return distinct(matrix.digits, matrix.inputs, FREE_DIGITS + 1)


def multipliers(layer: Layer, matrix: Matrix) -> float:
    """Return the multipliers in DSP slices of one matrix."""
    if not unrolled(matrix):
        return matrix.block if on_dsp(layer.in_bits, matrix.weight_bits) else 0
    found = products(layer, matrix)
    return found if matrix.reuse == 1 else min(found, limit(matrix))


def limit(matrix: Matrix) -> int:
    """Return the limit of multipliers that hls4ml states for strategy latency; zeros lower it, too."""
    zeros = matrix.size - matrix.nonzeros
    return max(1, math.ceil(matrix.size / matrix.reuse) - zeros // matrix.reuse)


def dsp(layer: Layer, family: Family, shared: int = 1) -> float:
    """Return the DSP slices of a layer; a softmax in a stream takes ``shared`` cycles for a result."""
    fabric = FABRICS[family]
    match layer.role:
        case Role.SOFTMAX:
            return math.ceil(layer.channels / shared)
        case Role.RECURRENT:
            states = LANES.get(layer.matrices[0].outputs // layer.filters, 0) * layer.filters
            narrow = layer.in_bits < NARROWEST  # then one of the three has a table's wider word as a factor
            own = layer.filters if narrow else states * fabric.slices(layer.in_bits, layer.in_bits)
        case _:
            own = 0
    return own + layer.copies * sum(
        multipliers(layer, matrix) * fabric.slices(layer.in_bits, _weight_width(matrix)) for matrix in layer.matrices
    )


def design_dsp(design: StockDesign) -> list[float]:
    """Return the DSP slices of each layer of a design."""
    reuses = _reuses(design)
    return [dsp(layer, design.family, shared) for layer, shared in zip(design.layers, reuses, strict=True)]


def design_table_ram(design: StockDesign) -> int:
    """Return the block RAMs of the tables of a design."""
    reuses = _reuses(design)
    return sum(table_ram(layer, design.year, shared) for layer, shared in zip(design.layers, reuses, strict=True))


def _reuses(design: StockDesign) -> list[int]:
    """Return for each layer the reuse of the matrix before it, which a softmax in a stream takes over; else 1."""
    shared, found = 1, []
    for layer in design.layers:
        found.append(shared)
        if design.stream and layer.matrices:
            shared = layer.matrices[-1].reuse
    return found


def _weight_width(matrix: Matrix) -> int:
    if unrolled(matrix):
        return min(matrix.weight_bits, math.ceil(used_bits(matrix.digits) + 1))
    return matrix.weight_bits


def ram(words: int, bits: int) -> int:
    """Return the block RAMs of 18 kbit of a memory of so many words."""
    for depth, width in _DEPTHS:
        if words <= depth:
            return math.ceil(bits / width)
    return math.ceil(words / 16384) * bits


def weight_ram(matrix: Matrix) -> int:
    """Return the block RAMs of the weights of strategy resource: one word of all multipliers for each pass."""
    if unrolled(matrix):
        return 0
    places = matrix.reuse > matrix.inputs and matrix.outputs > 2 * (matrix.reuse // matrix.inputs) > 0
    return ram(matrix.reuse, matrix.block * matrix.weight_bits) + places


def table_ram(layer: Layer, year: float, shared: int = 1) -> int:
    """Return the block RAMs of tables of functions: softmax, the gates of recurrent layers.

    A table is read at two places a cycle; Vitis HLS takes two blocks for what Vivado HLS puts into one.
    """
    match layer.role:
        case Role.SOFTMAX:
            return (math.ceil(layer.channels / shared / 2) + 1) * (2 if year >= FIRST_VITIS else 1)
        case Role.RECURRENT:
            return math.ceil((layer.matrices[0].outputs // layer.filters) * layer.filters / 2)
        case _:
            return 0


def outputs(design: StockDesign) -> list[tuple[int, int]]:
    """Return depth and width of what lies between the processes of a design: results, and those of activations."""
    widths = [(layer.out_positions, layer.filters, (layer.out_bits, *layer.followers)) for layer in design.layers]
    return [(depth, count * bits) for depth, count, words in widths for bits in words][:-1]


def fifo_ram(design: StockDesign) -> int:
    """Return the block RAMs of the streams between layers, as deep as a whole result; shallow ones are registers."""
    if not design.stream:
        return 0
    return sum(ram(depth, bits) for depth, bits in outputs(design) if depth * bits > SHIFTED_BITS and depth >= 16)


SHIFTED_BITS = 1024
"""Bits up to which a stream is a shift register."""


def lines(layer: Layer) -> tuple[int, int, int]:
    """Return number, length and word of the line memories of a window over an image."""
    columns = layer.in_positions // max(1, layer.rows)
    return (layer.kernel[0] - 1) * layer.channels, columns, layer.in_bits
