"""The cost of each kernel, from its operations and the fabric alone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import assert_never

from fpgaprune.fabric import (
    BRAM_FROM_BITS,
    DSP_FROM_WIDTH,
    SHIFT_BITS,
    Fabric,
    Memory,
    chosen,
    memory,
    places,
    together,
)
from fpgaprune.lower import (
    LEAST_DEPTH,
    AccumulateKernel,
    ArgMaxKernel,
    BufferKernel,
    ConstantKernel,
    ElementKernel,
    ForkKernel,
    Kernel,
    MatMulKernel,
    MatVecKernel,
    MaximumKernel,
    ProductKernel,
    ScanKernel,
    TableKernel,
    WindowKernel,
    WireKernel,
    Word,
    grid,
    is_deep_fifo,
    pipeline,
)
from fpgaprune.lower.operations import operations, widths
from fpgaprune.resources.calibration import OTHERS, Physics, calibrated, class_of
from fpgaprune.resources.folding import folded
from fpgaprune.resources.layer_cost import (
    COUNTERS_FF,
    COUNTERS_LUT,
    cost,
    counters,
    finish_lut,
    port_bits,
    result_bits,
    signed_width,
    tree_cycles,
)
from fpgaprune.resources.values import LayerResources
from fpgaprune.schedule import Adders, Folded, Multiply

if TYPE_CHECKING:
    from fpgaprune.lower import Port

_FIFO_LUT = 10
"""Counters and flags of a FIFO: an assumption."""


def costs(kernel: Kernel, fabric: Fabric, budget: float) -> tuple[LayerResources, ...]:
    """Return what a kernel takes, kernel by kernel where it is a loop; ``budget`` is the usable period in ns."""
    inner = kernel.body if isinstance(kernel, ScanKernel) else ()
    of = class_of(kernel.plan) if isinstance(kernel, MatVecKernel) else OTHERS
    own = calibrated(physics(kernel, fabric, budget), of)
    return (*(cost for each in inner for cost in costs(each, fabric, budget)), own)


def physics(kernel: Kernel, fabric: Fabric, budget: float) -> Physics:
    """Return what a kernel takes by physics alone; of a loop what is around its body."""
    match kernel:
        case MatVecKernel():
            return _matvec(kernel, fabric, budget)
        case ElementKernel():
            return _element(kernel, fabric, budget)
        case ProductKernel():
            return _product(kernel, fabric)
        case TableKernel():
            return _table(kernel)
        case MaximumKernel():
            return _maximum(kernel, fabric, budget)
        case ArgMaxKernel():
            return _argmax(kernel, fabric, budget)
        case MatMulKernel():
            return _matmul(kernel, fabric, budget)
        case WindowKernel():
            return _window(kernel)
        case AccumulateKernel():
            bits = port_bits(kernel.result)
            counted = counters(kernel.source.beats)
            return cost(kernel, "sum", adder_bits=bits, lut=bits + COUNTERS_LUT, ff=bits + counted, latency=1)
        case BufferKernel():
            return _buffer(kernel)
        case ScanKernel():
            return _scan(kernel)
        case ConstantKernel():
            held = (
                memory(kernel.result.beats, port_bits(kernel.result), read_only=True)
                if kernel.result.beats > 1
                else None
            )
            return cost(kernel, "constants", held=held)
        case WireKernel() | ForkKernel():
            return cost(kernel, "wires")
        case _:
            assert_never(kernel)


def _matvec(kernel: MatVecKernel, fabric: Fabric, budget: float) -> Physics:
    match kernel.plan:
        case Multiply() | Adders():
            return _unfolded(kernel, fabric, budget)
        case Folded():
            return folded(kernel, fabric, budget)
        case _:
            assert_never(kernel.plan)


def _unfolded(kernel: MatVecKernel, fabric: Fabric, budget: float) -> Physics:
    made = operations(kernel)
    slices = _slices(kernel, fabric)
    within = pipeline.sliced(made) if slices == 1 and fabric.packs else np.zeros(len(made.low), dtype=np.bool_)
    multiplied, cuts = pipeline.multipliers(made), pipeline.cuts(kernel, fabric, budget)
    return cost(
        kernel,
        kernel.strategy.value,
        nonzeros=kernel.weights.nonzeros,
        adder_bits=pipeline.adder_bits(made),
        multipliers=multiplied,
        adders=pipeline.adder_tables(made, within),
        lut=finish_lut(kernel.finish),
        ff=pipeline.live_bits(made, cuts, within, _dropped(kernel)) + result_bits(kernel),
        dsp=multiplied * slices,
        latency=len(cuts) + 1,
    )


def _dropped(kernel: MatVecKernel) -> int:
    """Return the low bits of sums that a finish drops without looking at them."""
    return 0 if kernel.finish is None or kernel.finish.adds else max(kernel.finish.shift, 0)


def _slices(kernel: MatVecKernel, fabric: Fabric) -> int:
    weight = int(widths(kernel.weights.weight, kernel.weights.weight).max())
    return fabric.slices(signed_width(kernel.source.word), weight)


def _element(kernel: ElementKernel, fabric: Fabric, budget: float) -> Physics:
    sums = int(widths(kernel.sums.low, kernel.sums.high).sum()) if len(kernel.sources) > 1 else 0
    finish = finish_lut(kernel.finish)
    operations = (sums > 0) + (finish > 0)
    cut = operations > 1 and operations * fabric.adder_ns > budget
    ff = port_bits(kernel.result) + (sums if cut else 0)
    return cost(kernel, "elements", adder_bits=sums, lut=sums + finish, ff=ff, latency=1 + cut)


def _product(kernel: ProductKernel, fabric: Fabric) -> Physics:
    lut, dsp = _multipliers(kernel.left.word, kernel.right.word, kernel.result.size, fabric)
    exact = int(widths(kernel.products.low, kernel.products.high).sum())
    finish = finish_lut(kernel.finish)
    packed = fabric.packs and dsp == kernel.result.size  # slices have both registers of a product
    return cost(
        kernel,
        "products",
        multipliers=kernel.result.size,
        lut=lut + finish,
        ff=exact * (not packed) + port_bits(kernel.result) * (not packed or finish > 0),
        dsp=dsp,
        latency=2,
    )


def _multipliers(left: Word, right: Word, count: int, fabric: Fabric) -> tuple[int, int]:
    """Return (look-up tables, DSP slices) of products of two factors that are no constants."""
    one, other = signed_width(left), signed_width(right)
    if min(left.width, right.width) < DSP_FROM_WIDTH:
        return count * one * other, 0  # an array of partial products: a table a bit
    return 0, count * fabric.slices(one, other)


def _table(kernel: TableKernel) -> Physics:
    """Each element looks into a memory of its own; a block RAM has two ports and so serves two."""
    one = memory(len(kernel.values), kernel.result.word.width, read_only=True)
    held = Memory(one.lut * kernel.result.size, one.bram_18k * math.ceil(kernel.result.size / 2))
    return cost(kernel, "table", ff=port_bits(kernel.result), held=held, latency=1 + (held.bram_18k > 0))


def _maximum(kernel: MaximumKernel, fabric: Fabric, budget: float) -> Physics:
    compared = kernel.source.size // kernel.result.size
    width = kernel.result.word.width
    lut = (compared - 1) * kernel.result.size * ((width + 1) // 2 + width)
    return cost(kernel, "compare", lut=lut, ff=port_bits(kernel.result), latency=tree_cycles(compared, fabric, budget))


def _argmax(kernel: ArgMaxKernel, fabric: Fabric, budget: float) -> Physics:
    width, place = kernel.source.word.width, kernel.result.word.width
    lut = (kernel.source.size - 1) * ((width + 1) // 2 + width + place)
    latency = tree_cycles(kernel.source.size, fabric, budget)
    return cost(kernel, "compare", lut=lut, ff=place + latency * (width + place), latency=latency)


def _matmul(kernel: MatMulKernel, fabric: Fabric, budget: float) -> Physics:
    parallel = kernel.batch * kernel.rows if kernel.left.beats == 1 and kernel.left.size != kernel.inner else 1
    count = kernel.columns * kernel.inner * parallel
    lut, dsp = _multipliers(kernel.left.word, kernel.right.word, count, fabric)
    total = Word.holding(*kernel.sums.bounds).width
    adder_bits = (kernel.inner - 1) * kernel.columns * parallel * total
    stored = kernel.columns * kernel.inner * kernel.right.word.width if parallel == 1 else 0
    return cost(
        kernel,
        "products",
        adder_bits=adder_bits,
        multipliers=count,
        lut=lut + adder_bits + finish_lut(kernel.finish) * kernel.columns * parallel,
        ff=stored + kernel.columns * parallel * total + port_bits(kernel.result),
        dsp=dsp,
        latency=2 + tree_cycles(kernel.inner, fabric, budget),
    )


def _window(kernel: WindowKernel) -> Physics:
    """Line memories delay only words that a later row reads; the window's registers hold what some tap reads."""
    width, dilation = kernel.source.word.width, kernel.windows.dilation[-1]
    oldest: dict[tuple[int, int], int] = {}
    for row, column, word in zip(*(part.tolist() for part in kernel.kept_taps), strict=True):
        oldest[row, word] = max(oldest.get((row, word), 0), kernel.windows.kernel[-1] - column)
    registers = sum((age - 1) * dilation + 1 for age in oldest.values()) * width
    across, delays = len(grid(kernel)[-1]), kernel.row_delays
    lines = [memory(across, width * int((delays > delay).sum())) for delay in range(int(delays.max(initial=0)))]
    held = together(lines)
    counted = counters(*map(len, grid(kernel)), *([across] if lines else []))
    return cost(kernel, "window", lut=COUNTERS_LUT, ff=registers + counted, held=held, latency=1)


def _buffer(kernel: BufferKernel) -> Physics:
    """A memory of beats and the order as a table, or registers; a table chooses among four candidates a bit."""
    source, result = kernel.source, kernel.result
    width = source.word.width
    choice = sum(map(chosen, kernel.candidates)) * width
    if not kernel.in_memory:
        registers = len(np.unique(kernel.index)) * width + counters(source.beats, result.beats)
        return cost(kernel, "buffer", lut=COUNTERS_LUT + choice, ff=registers, latency=1)
    bank = memory(len(kernel.stored), port_bits(source))
    place, word = places(len(kernel.stored)), places(source.size)
    entry = place + word * sum(candidates > 1 for candidates in kernel.candidates)
    order = memory(result.beats, max(1, entry), read_only=True)
    held = together((bank, order))
    registers = port_bits(result) + counters(source.beats, result.beats, result.beats)
    return cost(kernel, "buffer", lut=COUNTERS_LUT + choice, ff=registers, held=held, latency=1)


def _scan(kernel: ScanKernel) -> Physics:
    states = sum(port_bits(state.before) for state in kernel.states)
    return cost(kernel, "loop", lut=COUNTERS_LUT, ff=states + COUNTERS_FF, latency=1)


def fifo(name: str, depth: int, port: Port) -> LayerResources:
    """Return the cost of a FIFO that a kernel fills."""
    held = fifo_memory(depth, port)
    return _array(name, name, lut=held.lut, bram_18k=held.bram_18k)


def fifo_memory(depth: int, port: Port) -> Memory:
    """Return what a FIFO takes: the memory that the design asks for, and its counters."""
    bits = port_bits(port)
    if is_deep_fifo(depth, port):
        held = memory(max(depth, BRAM_FROM_BITS // bits + 1), bits)
        return Memory(_FIFO_LUT, held.bram_18k)
    return Memory(bits * math.ceil(depth / SHIFT_BITS) + _FIFO_LUT, 0)


def read_array(name: str, port: Port) -> LayerResources:
    """Return the cost of a port that is an array and enters as beats: one is chosen a cycle."""
    held = fifo_memory(LEAST_DEPTH, port)
    lut = chosen(port.beats) * port_bits(port) + held.lut
    return _array(name, f"{name}/in", lut=lut, bram_18k=held.bram_18k)


def written_array(name: str, port: Port) -> LayerResources:
    """Return the cost of a port that is an array and takes beats one after the other."""
    held = fifo_memory(LEAST_DEPTH, port)
    return _array(name, f"{name}/out", lut=held.lut, ff=port.beats * port_bits(port), bram_18k=held.bram_18k)


def _array(name: str, tensor: str, *, lut: int, bram_18k: int, ff: int = 0) -> LayerResources:
    port = LayerResources(tensor, name, "port", 0, 0, 0, lut, ff, dsp=0, bram_18k=bram_18k, uram=0, latency_cycles=0)
    return calibrated(Physics(port), OTHERS)
