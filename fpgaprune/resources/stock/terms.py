"""What look-up tables and flip-flops follow: amounts with a physical meaning, each to be weighed by one coefficient."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from typing_extensions import assert_never

from fpgaprune.fabric import SHIFT_BITS
from fpgaprune.resources.stock import timing
from fpgaprune.resources.stock.counts import design_dsp, limit, lines, on_dsp, outputs, products, unrolled, wanted
from fpgaprune.resources.stock.values import Layer, Role, StockDesign
from fpgaprune.resources.stock.weights import FREE_DIGITS, distinct, used_bits

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fpgaprune.resources.stock.values import Matrix

LUT_TERMS: Mapping[str, float] = {
    "sums": 1.0,
    "guards": 5.0,
    "shifted": 2.0,
    "products": 1.0,
    "shared": 0.5,
    "slices": 5.0,
    "folded_sums": 1.0,
    "folded_inputs": 2.0,
    "folded_outputs": 2.0,
    "folded_places": 0.4,
    "folded_reads": 1.0,
    "folded_shifts": 39.0,
    "elements": 2.0,
    "conversions": 3.5,
    "channels": 30.0,
    "arrays": 0.5,
    "streams": 1.5,
    "beats": 18.0,
    "windows": 1.0,
    "buffers": 550.0,
    "pools": 2.5,
    "softmax": 200.0,
    "gates": 8.0,
    "layers": 100.0,
}
"""Terms of look-up tables with the coefficient expected of each, which single modules of public reports suggest."""

FF_TERMS: Mapping[str, float] = {
    "cuts": 1.0,
    "inputs": 1.0,
    "slices": 2.0,
    "folded_sums": 1.0,
    "folded_inputs": 1.0,
    "folded_outputs": 1.0,
    "folded_shifts": 32.0,
    "elements": 0.5,
    "channels": 25.0,
    "arrays": 1.5,
    "streams": 2.0,
    "windows": 1.0,
    "pools": 1.0,
    "softmax": 60.0,
    "gates": 10.0,
    "layers": 50.0,
}
"""Terms of flip-flops, likewise."""

MOST_SELECTED = 256
"""Inputs up to which each multiplier of a loop has a multiplexer; longer arrays are shifted past the multipliers."""

MUX_BITS = 64
"""Inputs from which csynth counts no larger multiplexer, seen with 64, 128 and 256 of them."""


def lut_terms(design: StockDesign) -> dict[str, float]:
    """Return the amount of each of `LUT_TERMS`."""
    found = [_copied(layer, _matrix_luts(layer, matrix)) for layer in design.layers for matrix in layer.matrices]
    return _added(LUT_TERMS, [*found, *_shared(design)])


def ff_terms(design: StockDesign) -> dict[str, float]:
    """Return the amount of each of `FF_TERMS`."""
    found = [_copied(layer, _matrix_ffs(design, layer, matrix)) for layer in design.layers for matrix in layer.matrices]
    return _added(FF_TERMS, [*found, *_shared(design)])


def _copied(layer: Layer, found: Mapping[str, float]) -> dict[str, float]:
    return {name: amount * layer.copies for name, amount in found.items()}


def _added(names: Mapping[str, float], found: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: float(sum(each.get(name, 0.0) for each in found)) for name in names}


def _sum_bits(layer: Layer, matrix: Matrix) -> float:
    """Return the width of a sum: the tool narrows it to what products can add up to."""
    return min(layer.accumulator_bits, layer.in_bits + used_bits(matrix.digits) + math.log2(matrix.inputs))


def _matrix_luts(layer: Layer, matrix: Matrix) -> dict[str, float]:
    if not unrolled(matrix):
        area = matrix.block * layer.in_bits * matrix.weight_bits
        return _folded(layer, matrix) | {"products": 0 if on_dsp(layer.in_bits, matrix.weight_bits) else area}
    shifted = distinct(matrix.digits, matrix.inputs, FREE_DIGITS, FREE_DIGITS)
    left = max(0.0, wanted(matrix) - products(layer, matrix))
    left = min(left, limit(matrix)) if matrix.reuse > 1 else left
    return {
        "sums": matrix.nonzeros * (_sum_bits(layer, matrix) + 3),
        "guards": matrix.nonzeros * layer.accumulator_bits * layer.guarded,
        "shifted": shifted * layer.in_bits,
        "products": left * layer.in_bits * min(used_bits(matrix.digits), matrix.weight_bits),
        "shared": wanted(matrix) * layer.in_bits * (matrix.reuse > 1),
    }


def _folded(layer: Layer, matrix: Matrix) -> dict[str, float]:
    """Return what a matrix of strategy resource with reuse costs: its loop reads and writes at varying places."""
    varying = matrix.reuse // matrix.inputs > 2  # of two places the tool takes the other one, which is cheap
    return {
        "folded_sums": matrix.block * (layer.accumulator_bits + 3),
        "guards": matrix.block * layer.accumulator_bits * layer.guarded,
        "folded_inputs": matrix.inputs * layer.in_bits,
        "folded_outputs": matrix.outputs * layer.accumulator_bits,
        "folded_places": matrix.block * matrix.outputs * layer.accumulator_bits * varying,
        **_reads(layer, matrix),
    }


def _reads(layer: Layer, matrix: Matrix) -> dict[str, float]:
    """Return what it costs that multipliers read at places of their own: all read the same where reuse is the inputs.

    The place is counted up and set back within the unrolled loop, which the tool does not see through.
    """
    if matrix.reuse >= matrix.inputs:
        return {}
    if matrix.inputs > MOST_SELECTED:
        return {"folded_shifts": matrix.inputs}
    return {"folded_reads": matrix.block * layer.in_bits * min(matrix.inputs, MUX_BITS) / 4}


def _matrix_ffs(design: StockDesign, layer: Layer, matrix: Matrix) -> dict[str, float]:
    if not unrolled(matrix):
        return _folded(layer, matrix)
    stages = timing.depth(design, layer, matrix)
    return {
        "cuts": _cut_bits(design, layer, matrix, stages),
        "inputs": matrix.inputs * layer.in_bits * (1 + stages),
    }


def _cut_bits(design: StockDesign, layer: Layer, matrix: Matrix, stages: float) -> float:
    """Return the bits of partial sums at the pipeline cuts: half as many after each level of additions.

    Cuts within products are not counted: they lie in the DSP slices.
    """
    before = timing.product_cycles(design, layer, matrix)
    width = _sum_bits(layer, matrix)
    total = 0.0
    for cut in range(max(1, math.ceil(before)), min(64, math.floor(stages) + 1)):
        level = (cut - before) * timing.levels_a_cycle(design)
        total += max(matrix.outputs, matrix.nonzeros * 2.0**-level) * width
    return total


def _shared(design: StockDesign) -> list[dict[str, float]]:
    """Return what both kinds of cells are spent on outside of matrices."""
    slices = design_dsp(design)
    return [
        _between(design),
        *(_of_layer(design, layer, each) for layer, each in zip(design.layers, slices, strict=True)),
    ]


def _between(design: StockDesign) -> dict[str, float]:
    """Return what joins processes: streams of a beat's width, or a channel for each element of a result."""
    if design.stream:
        beats = sum(each.filters * (1 + len(each.followers)) for each in design.layers)
        return {"streams": sum(bits for _, bits in outputs(design)), "beats": beats}
    if not design.dataflow or all(layer.out_positions == 1 for layer in design.layers):
        return {}
    elements = sum(each.out_positions * each.filters * (1 + len(each.followers)) for each in design.layers)
    return {"channels": elements, "arrays": sum(depth * bits for depth, bits in outputs(design))}


def _of_layer(design: StockDesign, layer: Layer, slices: float) -> dict[str, float]:
    positions = 1 if design.stream else layer.out_positions
    found = {
        "layers": 1.0,
        "slices": slices,
        "elements": positions * layer.filters * sum(layer.followers),
        "conversions": positions * layer.filters * layer.converted * layer.out_bits,
    }
    window = layer.kernel[0] * layer.kernel[1]
    match layer.role:
        case Role.CONV if design.stream:
            number, length, bits = lines(layer)
            held = window * layer.channels * bits + number * math.ceil(length / SHIFT_BITS) * bits
            return found | {"windows": held, "buffers": 1.0}
        case Role.POOL:
            return found | {
                "pools": positions * window * layer.filters * layer.in_bits,
                "buffers": float(design.stream),
            }
        case Role.SOFTMAX:
            return found | {"softmax": layer.channels}
        case Role.RECURRENT:
            return found | {"gates": layer.matrices[0].outputs * layer.in_bits}
        case Role.DENSE | Role.CONV | Role.PAD | Role.ELEMENTS:
            return found
        case _ as never:
            assert_never(never)
