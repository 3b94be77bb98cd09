"""The estimate: physics of adders, multipliers and pipeline cuts, from the lowered kernels alone.

Not calibrated: one look-up table an adder bit, delays rounded from vendor data sheets. It is for comparing designs
of this generator with each other, and every number of it is labelled `estimate`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from typing_extensions import assert_never

from fpgaprune.board import Family
from fpgaprune.lower import ConstantKernel, ElementKernel, Finish, Kernel, Lowered, MatVecKernel, WireKernel
from fpgaprune.resources.tree import Level, levels, multiplications, widths
from fpgaprune.resources.values import Kind, LayerResources, Resources

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True)
class Fabric:
    """Delays in ns of a family's slowest common speed grade, routing included, and the operand widths of a DSP slice.

    Delays are assumptions: an adder of about 20 bits is a look-up table, a carry chain and a net (DS181, DS925);
    widths are from AMD UG479 (DSP48E1) and UG579 (DSP48E2).
    """

    adder_ns: float
    multiplier_ns: float
    dsp_wide: int
    dsp_narrow: int


FABRICS: Mapping[Family, Fabric] = {
    Family.XC7: Fabric(2.1, 4.2, 25, 18),
    Family.XCU: Fabric(1.3, 2.8, 27, 18),
    Family.XCUP: Fabric(1.0, 2.2, 27, 18),
}

CLOCK_SHARE = 0.73
"""The share of the period that the vendor tool plans with: its default uncertainty is 27 % (AMD UG1399)."""


def estimate(lowered: Lowered) -> Resources:
    """Return the estimated resources and timing of a lowered design."""
    fabric = FABRICS[lowered.design.board.family]
    budget = lowered.design.clock_ns * CLOCK_SHARE
    layers = tuple(_layer(kernel, fabric, budget) for kernel in lowered.kernels)
    return Resources(
        kind=Kind.ESTIMATE,
        clock_ns=lowered.design.clock_ns,
        interval_cycles=1,
        latency_cycles=_latency(lowered, layers),
        layers=layers,
    )


def _latency(lowered: Lowered, layers: Sequence[LayerResources]) -> int:
    """The longest path: a kernel starts when its last source is there."""
    ready = {port.name: 0 for port in lowered.inputs}
    for kernel, layer in zip(lowered.kernels, layers, strict=True):
        start = max((ready[port.name] for port in kernel.sources), default=0)
        ready[kernel.result.name] = start + layer.latency_cycles
    return max((ready[output.port.name] for output in lowered.outputs), default=0)


def _layer(kernel: Kernel, fabric: Fabric, budget: float) -> LayerResources:
    match kernel:
        case MatVecKernel():
            return _matvec(kernel, fabric, budget)
        case ElementKernel():
            return _element(kernel, fabric, budget)
        case WireKernel() | ConstantKernel():
            return LayerResources(kernel.name, kernel.name, "wires", 0, 0, 0, 0, 0, 0, 0, 0, 0)
        case _:
            assert_never(kernel)


def _matvec(kernel: MatVecKernel, fabric: Fabric, budget: float) -> LayerResources:
    products = multiplications(kernel)
    tree = levels(kernel)
    adder_bits = products.adder_bits + sum(level.adder_bits for level in tree)
    first = fabric.multiplier_ns if products.multipliers else fabric.adder_ns if products.adder_bits else 0.0
    stages = _stages(tree, first, fabric.adder_ns, kernel.finish, budget)
    result_bits = kernel.result.size * kernel.result.word.width
    return LayerResources(
        tensor=kernel.name,
        layer=kernel.layer,
        strategy=kernel.strategy.value,
        nonzeros=kernel.weights.nonzeros,
        adder_bits=adder_bits,
        multipliers=products.multipliers,
        lut=adder_bits + finish_lut(kernel.finish),
        ff=sum(stage.live_bits for stage in stages) + result_bits,
        dsp=products.multipliers * _slices(kernel, fabric),
        bram_18k=0,
        uram=0,
        latency_cycles=len(stages) + 1,
    )


def _slices(kernel: MatVecKernel, fabric: Fabric) -> int:
    """DSP slices for one product: both operands are cut into what a slice takes."""
    data = kernel.source.word.width + (not kernel.source.word.signed)
    weight = int(widths(kernel.weights.weight, kernel.weights.weight).max())
    wide, narrow = max(data, weight), min(data, weight)
    return math.ceil(wide / fabric.dsp_wide) * math.ceil(narrow / fabric.dsp_narrow)


def _stages(tree: Sequence[Level], first: float, step: float, finish: Finish | None, budget: float) -> list[Level]:
    """Return the levels after which the pipeline is cut: before the next operation would pass the clock's budget."""
    cuts: list[Level] = []
    used = first
    following = [step] * (len(tree) - 1) + ([step] if finish is not None and finish_lut(finish) else [])
    for position, delay in enumerate(following):
        if used and used + delay > budget:
            cuts.append(tree[min(position, len(tree) - 1)])
            used = 0.0
        used += delay
    return cuts


def _element(kernel: ElementKernel, fabric: Fabric, budget: float) -> LayerResources:
    sums = int(widths(kernel.sums.low, kernel.sums.high).sum()) if len(kernel.sources) > 1 else 0
    finish = finish_lut(kernel.finish)
    operations = (sums > 0) + (finish > 0)
    cut = operations > 1 and operations * fabric.adder_ns > budget
    result_bits = kernel.result.size * kernel.result.word.width
    return LayerResources(
        tensor=kernel.name,
        layer=kernel.name,
        strategy="elements",
        nonzeros=0,
        adder_bits=sums,
        multipliers=0,
        lut=sums + finish,
        ff=result_bits + (sums if cut else 0),
        dsp=0,
        bram_18k=0,
        uram=0,
        latency_cycles=1 + cut,
    )


def finish_lut(finish: Finish | None) -> int:
    """Return look-up tables for rounding that depends on the value, comparisons, and the choice among limits.

    A comparison with a constant is a carry chain of two bits a table, with zero it is the sign bit alone; one table a
    bit chooses among value and limits; rounding that could not move into the sum is an adder.
    """
    if finish is None:
        return 0
    rounded = widths(finish.rounded.low, finish.rounded.high)
    low, high = finish.binds_low, finish.binds_high
    compare = (rounded + 1) // 2
    total = int(compare[high].sum()) + (int(compare[low].sum()) if finish.low else 0)
    total += int((low | high).sum()) * finish.format.width
    if finish.zero_outside:
        total += len(rounded) * finish.format.width + int(compare.sum())
    if finish.shift > 0 and finish.rounding.name != "TRN":
        total += int(rounded.sum())
    return total
