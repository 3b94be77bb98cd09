"""The cost of each kernel, from its operations and the fabric alone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import assert_never

from fpgaprune.lower import (
    AccumulateKernel,
    ArgMaxKernel,
    BufferKernel,
    ConstantKernel,
    ElementKernel,
    Finish,
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
    layer_of,
)
from fpgaprune.resources.fabric import BRAM_FROM_BITS, DSP_FROM_WIDTH, SHIFT_BITS, Fabric, Memory, memory
from fpgaprune.resources.tree import Level, levels, multiplications, widths
from fpgaprune.resources.values import LayerResources

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fpgaprune.lower import Port

_FIFO_LUT = 10
"""Counters and flags of a FIFO: an assumption."""

_COUNTERS_LUT, _COUNTERS_FF = 24, 24
"""Counters and comparisons of a process that walks over rows and columns: an assumption."""


def costs(kernel: Kernel, fabric: Fabric, budget: float) -> tuple[LayerResources, ...]:
    """Return what a kernel takes, kernel by kernel where it is a loop; ``budget`` is the usable period in ns."""
    match kernel:
        case MatVecKernel():
            return (_matvec(kernel, fabric, budget),)
        case ElementKernel():
            return (_element(kernel, fabric, budget),)
        case ProductKernel():
            return (_product(kernel, fabric),)
        case TableKernel():
            return (_table(kernel),)
        case MaximumKernel():
            return (_maximum(kernel, fabric, budget),)
        case ArgMaxKernel():
            return (_argmax(kernel, fabric, budget),)
        case MatMulKernel():
            return (_matmul(kernel, fabric, budget),)
        case WindowKernel():
            return (_window(kernel),)
        case AccumulateKernel():
            bits = _bits(kernel.result)
            return (_cost(kernel, "sum", adder_bits=bits, lut=bits + _COUNTERS_LUT, ff=bits + _COUNTERS_FF, latency=1),)
        case BufferKernel():
            return (_buffer(kernel),)
        case ScanKernel():
            return _scan(kernel, fabric, budget)
        case ConstantKernel():
            held = (
                memory(kernel.result.beats, _bits(kernel.result), read_only=True) if kernel.result.beats > 1 else None
            )
            return (_cost(kernel, "constants", held=held),)
        case WireKernel() | ForkKernel():
            return (_cost(kernel, "wires"),)
        case _:
            assert_never(kernel)


def _cost(
    kernel: Kernel,
    strategy: str,
    *,
    nonzeros: int = 0,
    adder_bits: int = 0,
    multipliers: int = 0,
    lut: int = 0,
    ff: int = 0,
    dsp: int = 0,
    held: Memory | None = None,
    latency: int = 0,
) -> LayerResources:
    held = held or Memory(0, 0)
    return LayerResources(
        tensor=kernel.name,
        layer=layer_of(kernel),
        strategy=strategy,
        nonzeros=nonzeros,
        adder_bits=adder_bits,
        multipliers=multipliers,
        lut=lut + held.lut,
        ff=ff,
        dsp=dsp,
        bram_18k=held.bram_18k,
        uram=0,
        latency_cycles=latency,
    )


def _bits(port: Port) -> int:
    """Bits of one beat."""
    return port.size * port.word.width


def _matvec(kernel: MatVecKernel, fabric: Fabric, budget: float) -> LayerResources:
    products = multiplications(kernel)
    tree = levels(kernel)
    adder_bits = products.adder_bits + sum(level.adder_bits for level in tree)
    first = fabric.multiplier_ns if products.multipliers else fabric.adder_ns if products.adder_bits else 0.0
    stages = _stages(tree, first, fabric.adder_ns, kernel.finish, budget)
    return _cost(
        kernel,
        kernel.strategy.value,
        nonzeros=kernel.weights.nonzeros,
        adder_bits=adder_bits,
        multipliers=products.multipliers,
        lut=adder_bits + finish_lut(kernel.finish),
        ff=sum(stage.live_bits for stage in stages) + _bits(kernel.result),
        dsp=products.multipliers * _slices(kernel, fabric),
        latency=len(stages) + 1,
    )


def _slices(kernel: MatVecKernel, fabric: Fabric) -> int:
    weight = int(widths(kernel.weights.weight, kernel.weights.weight).max())
    return fabric.slices(_signed_width(kernel.source.word), weight)


def _signed_width(word: Word) -> int:
    return word.width + (not word.signed)


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
    ff = _bits(kernel.result) + (sums if cut else 0)
    return _cost(kernel, "elements", adder_bits=sums, lut=sums + finish, ff=ff, latency=1 + cut)


def _product(kernel: ProductKernel, fabric: Fabric) -> LayerResources:
    lut, dsp = _multipliers(kernel.left.word, kernel.right.word, kernel.result.size, fabric)
    exact = int(widths(kernel.products.low, kernel.products.high).sum())
    finish = finish_lut(kernel.finish)
    return _cost(
        kernel,
        "products",
        multipliers=kernel.result.size,
        lut=lut + finish,
        ff=exact + _bits(kernel.result),
        dsp=dsp,
        latency=2,
    )


def _multipliers(left: Word, right: Word, count: int, fabric: Fabric) -> tuple[int, int]:
    """Return (look-up tables, DSP slices) of products of two factors that are no constants."""
    one, other = _signed_width(left), _signed_width(right)
    if min(left.width, right.width) < DSP_FROM_WIDTH:
        return count * one * other, 0  # an array of partial products: a table a bit
    return 0, count * fabric.slices(one, other)


def _table(kernel: TableKernel) -> LayerResources:
    """Each element looks into a memory of its own; a block RAM has two ports and so serves two."""
    one = memory(len(kernel.values), kernel.result.word.width, read_only=True)
    held = Memory(one.lut * kernel.result.size, one.bram_18k * math.ceil(kernel.result.size / 2))
    return _cost(kernel, "table", ff=_bits(kernel.result), held=held, latency=1 + (held.bram_18k > 0))


def _maximum(kernel: MaximumKernel, fabric: Fabric, budget: float) -> LayerResources:
    compared = kernel.source.size // kernel.result.size
    width = kernel.result.word.width
    lut = (compared - 1) * kernel.result.size * ((width + 1) // 2 + width)
    return _cost(kernel, "compare", lut=lut, ff=_bits(kernel.result), latency=_depth(compared, fabric, budget))


def _argmax(kernel: ArgMaxKernel, fabric: Fabric, budget: float) -> LayerResources:
    width, place = kernel.source.word.width, kernel.result.word.width
    lut = (kernel.source.size - 1) * ((width + 1) // 2 + width + place)
    latency = _depth(kernel.source.size, fabric, budget)
    return _cost(kernel, "compare", lut=lut, ff=place + latency * (width + place), latency=latency)


def _depth(terms: int, fabric: Fabric, budget: float) -> int:
    """Cycles of a tree over so many terms, as many levels a cycle as the clock allows."""
    return max(1, math.ceil(math.ceil(math.log2(max(terms, 2))) * fabric.adder_ns / budget))


def _matmul(kernel: MatMulKernel, fabric: Fabric, budget: float) -> LayerResources:
    parallel = kernel.batch * kernel.rows if kernel.left.beats == 1 and kernel.left.size != kernel.inner else 1
    count = kernel.columns * kernel.inner * parallel
    lut, dsp = _multipliers(kernel.left.word, kernel.right.word, count, fabric)
    total = Word.holding(*kernel.sums.bounds).width
    adder_bits = (kernel.inner - 1) * kernel.columns * parallel * total
    stored = kernel.columns * kernel.inner * kernel.right.word.width if parallel == 1 else 0
    return _cost(
        kernel,
        "products",
        adder_bits=adder_bits,
        multipliers=count,
        lut=lut + adder_bits + finish_lut(kernel.finish) * kernel.columns * parallel,
        ff=stored + kernel.columns * parallel * total + _bits(kernel.result),
        dsp=dsp,
        latency=2 + _depth(kernel.inner, fabric, budget),
    )


def _window(kernel: WindowKernel) -> LayerResources:
    """Line memories delay only words that a later row reads; the window's registers hold what some tap reads."""
    width, dilation = kernel.source.word.width, kernel.windows.dilation[-1]
    oldest: dict[tuple[int, int], int] = {}
    for row, column, word in zip(*(part.tolist() for part in kernel.kept_taps), strict=True):
        oldest[row, word] = max(oldest.get((row, word), 0), kernel.windows.kernel[-1] - column)
    registers = sum((age - 1) * dilation + 1 for age in oldest.values()) * width
    across, delays = len(grid(kernel)[-1]), kernel.row_delays
    lines = [memory(across, width * int((delays > delay).sum())) for delay in range(int(delays.max(initial=0)))]
    held = Memory(sum(line.lut for line in lines), sum(line.bram_18k for line in lines))
    return _cost(kernel, "window", lut=_COUNTERS_LUT, ff=registers + _COUNTERS_FF, held=held, latency=1)


def _buffer(kernel: BufferKernel) -> LayerResources:
    """A memory of beats and the order as a table, or registers; a table chooses among four candidates a bit."""
    source, result = kernel.source, kernel.result
    width = source.word.width
    chosen = sum(math.ceil((candidates - 1) / 3) for candidates in kernel.candidates) * width
    if not kernel.in_memory:
        registers = len(np.unique(kernel.index)) * width
        counters = _COUNTERS_FF if result.beats > 1 else 0
        return _cost(kernel, "buffer", lut=_COUNTERS_LUT + chosen, ff=registers + counters, latency=1)
    bank = memory(len(kernel.stored), _bits(source))
    place, word = (max(0, count - 1).bit_length() for count in (len(kernel.stored), source.size))
    entry = place + word * sum(candidates > 1 for candidates in kernel.candidates)
    order = memory(result.beats, max(1, entry), read_only=True)
    held = Memory(bank.lut + order.lut, bank.bram_18k + order.bram_18k)
    return _cost(kernel, "buffer", lut=_COUNTERS_LUT + chosen, ff=_bits(result) + _COUNTERS_FF, held=held, latency=1)


def _scan(kernel: ScanKernel, fabric: Fabric, budget: float) -> tuple[LayerResources, ...]:
    body = tuple(cost for inner in kernel.body for cost in costs(inner, fabric, budget))
    states = sum(_bits(state.before) for state in kernel.states)
    return (*body, _cost(kernel, "loop", lut=_COUNTERS_LUT, ff=states + _COUNTERS_FF, latency=1))


def fifo_memory(depth: int, port: Port) -> Memory:
    """Return what a FIFO takes: the memory that the design asks for, and its counters."""
    bits = _bits(port)
    if is_deep_fifo(depth, port):
        held = memory(max(depth, BRAM_FROM_BITS // bits + 1), bits)
        return Memory(_FIFO_LUT, held.bram_18k)
    return Memory(bits * math.ceil(depth / SHIFT_BITS) + _FIFO_LUT, 0)


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
