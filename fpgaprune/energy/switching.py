"""What switches in a kernel for one inference, on average over successive real inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import assert_never

from fpgaprune.digits import signed_digits
from fpgaprune.energy.folded import folded
from fpgaprune.energy.toggles import rates
from fpgaprune.energy.values import Switching
from fpgaprune.fabric import in_block_ram
from fpgaprune.lower import (
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
    grid,
    is_deep_fifo,
    results,
)
from fpgaprune.lower.operations import operations, widths
from fpgaprune.resources.layer_cost import finish_luts, port_bits, signed_width
from fpgaprune.schedule import Folded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fpgaprune.energy.toggles import FloatArray
    from fpgaprune.fixed import IntArray
    from fpgaprune.lower import Port
    from fpgaprune.lower.interpret import Words
    from fpgaprune.resources import LayerResources


def switching(kernel: Kernel, cost: LayerResources, words: Words, depths: Mapping[str, int]) -> Switching:
    """Return what switches in a kernel, and in the FIFOs that it fills, for one inference.

    ``cost`` is its estimate, ``words`` the words of every port (samples, beats, size), ``depths`` those of FIFOs.
    """
    own = _matvec(kernel, cost, words) if isinstance(kernel, MatVecKernel) else _other(kernel, cost, words)
    for port in results(kernel):
        if port.name in depths:
            own += _fifo(depths[port.name], port, words[port.name].shape[1])
    return own


def passing(port: Port, cost: LayerResources, words: Words) -> Switching:
    """Return what switches for one inference where the words of a port pass tables and registers."""
    found, beats = _words(port, words[port.name]), words[port.name].shape[1]
    rate = found.activity * beats
    return found.times(beats) + Switching(logic=cost.lut * rate, registers=cost.ff * rate)


def _fifo(depth: int, port: Port, beats: int) -> Switching:
    """A write and a read of every beat."""
    bits = 2.0 * beats * port_bits(port)
    return Switching(bram_bits=bits) if is_deep_fifo(depth, port) else Switching(table_bits=bits)


def _vectors(words: IntArray) -> IntArray:
    """Return words (samples, beats, size) in the order of time (size, moments)."""
    return words.reshape(-1, words.shape[2]).T


def _bits(port: Port, words: IntArray) -> FloatArray:
    """Return the bits of each word of a port that toggle from one beat to the next."""
    return rates(iter([_vectors(words)]), np.full(port.size, port.word.width))


def _words(port: Port, words: IntArray) -> Switching:
    return Switching(toggled=float(_bits(port, words).sum()), possible=float(port_bits(port)))


# --- matrices ---


def _matvec(kernel: MatVecKernel, cost: LayerResources, words: Words) -> Switching:
    source = words[kernel.source.name]
    made = (
        folded(kernel, _vectors(source), soft=cost.dsp == 0)
        if isinstance(kernel.plan, Folded)
        else _unfolded(kernel, cost, _vectors(source))
    )
    return (made + _finished(kernel, words)).times(source.shape[1])


def _finished(kernel: MatVecKernel, words: Words) -> Switching:
    """The register of each result, and the tables of a finish."""
    bits = _bits(kernel.result, words[kernel.result.name])
    logic = 0.0 if kernel.finish is None else float((bits * (finish_luts(kernel.finish) > 0)).sum())
    return Switching(logic=logic, registers=float(bits.sum()))


def _unfolded(kernel: MatVecKernel, cost: LayerResources, vectors: IntArray) -> Switching:
    """Every product and sum of the operations; registers between them toggle as the values do on average.

    A product whose weight has two signed digits is an adder, one of more a multiplier, as the estimate has it.
    """
    made = operations(kernel)
    bits = rates(made.values(vectors), made.width)
    computed = np.zeros(len(bits), dtype=np.bool_)
    computed[made.inputs :] = ~made.constants & (made.low != made.high)[made.inputs :]
    adders = computed.copy()
    products = np.flatnonzero(made.products)
    factors = made.factor[products]
    multiplied = signed_digits(factors.astype(np.int64)) > _ADDED_DIGITS
    adders[made.inputs + products[multiplied]] = False
    factor_width = widths(np.minimum(factors, 0), np.maximum(factors, 0))[multiplied]
    pairs = bits[made.left[products[multiplied]]] * factor_width / 2  # the other operand stands still
    toggled, possible = float(bits[computed].sum()), float(made.width[computed].sum())
    between = max(cost.ff - port_bits(kernel.result), 0) * toggled / possible if possible else 0.0
    return Switching(
        toggled=toggled,
        possible=possible,
        logic=float(bits[adders].sum()),
        registers=between,
        hard=float(pairs.sum()),
    )


_ADDED_DIGITS = 2
"""Signed digits of a weight up to which its product is an adder."""


# --- all other kernels ---


def _other(kernel: Kernel, cost: LayerResources, words: Words) -> Switching:
    """Tables and registers toggle as the words of the result do; slices multiply, block RAMs are read."""
    found = sum((passing(port, cost, words) for port in results(kernel)[:1]), Switching())
    multiplied = _products(kernel, words) if cost.dsp else 0.0
    return found + Switching(hard=multiplied, bram_bits=_bram_bits(kernel))


def _products(kernel: Kernel, words: Words) -> float:
    """Return the pairs of bits of an inference's products of two words, times their operands' toggle rates."""
    match kernel:
        case ProductKernel(left=left, right=right):
            one, other = _bits(left, words[left.name]), _bits(right, words[right.name])
            pairs = signed_width(right.word) * one + signed_width(left.word) * other
            return float(pairs.sum() / 2 * words[left.name].shape[1])
        case MatMulKernel(left=left, right=right):
            count = kernel.batch * kernel.rows * kernel.columns * kernel.inner
            rate = sum(_words(port, words[port.name]).activity for port in (left, right)) / 2
            return float(count * signed_width(left.word) * signed_width(right.word) * rate)
        case _:
            return 0.0


def _bram_bits(kernel: Kernel) -> float:
    """Return the bits that an inference reads from the kernel's own memories, and writes, where they are block RAM."""
    match kernel:
        case TableKernel():
            held = in_block_ram(len(kernel.values), kernel.result.word.width)
            return held * kernel.result.beats * port_bits(kernel.result)
        case ConstantKernel():
            beats = kernel.result.beats
            return (beats > 1 and in_block_ram(beats, port_bits(kernel.result))) * beats * port_bits(kernel.result)
        case WindowKernel():
            return _lines(kernel)
        case BufferKernel():
            held = kernel.in_memory and in_block_ram(len(kernel.stored), port_bits(kernel.source))
            return float(held * (len(kernel.stored) + kernel.result.beats) * port_bits(kernel.source))
        case (
            MatVecKernel()
            | ElementKernel()
            | ProductKernel()
            | MaximumKernel()
            | ArgMaxKernel()
            | MatMulKernel()
            | WireKernel()
            | AccumulateKernel()
            | ScanKernel()
            | ForkKernel()
        ):
            return 0.0
        case _:
            assert_never(kernel)


def _lines(kernel: WindowKernel) -> float:
    """A read and a write of a place of each line for every beat that enters."""
    across, delays = len(grid(kernel)[-1]), kernel.row_delays
    lines = [kernel.source.word.width * int((delays > delay).sum()) for delay in range(int(delays.max(initial=0)))]
    return 2.0 * kernel.source.beats * sum(width for width in lines if in_block_ram(across, width))
