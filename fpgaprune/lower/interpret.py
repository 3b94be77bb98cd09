"""Run kernels in Python, checking that every word holds what is put into it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import assert_never

from fpgaprune.errors import GraphError
from fpgaprune.fixed import (
    Fixed,
    IntArray,
    Overflow,
    add,
    as_mantissas,
    bounds,
    clip,
    multiply,
    requantise,
    rescale,
    shift_left,
    total,
)
from fpgaprune.lower.kernels import (
    AccumulateKernel,
    ArgMaxKernel,
    BufferKernel,
    ConstantKernel,
    ElementKernel,
    Finish,
    ForkKernel,
    Kernel,
    Lowered,
    MatMulKernel,
    MatVecKernel,
    MaximumKernel,
    ProductKernel,
    ScanKernel,
    TableKernel,
    WindowKernel,
    WireKernel,
    results,
)
from fpgaprune.lower.operations import operations
from fpgaprune.schedule import Folded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fpgaprune.intervals import Interval
    from fpgaprune.lower.kernels import Port

Words = dict[str, IntArray]
"""The words of each port by its name (samples, beats, size)."""


def run(lowered: Lowered, *inputs: IntArray) -> Words:
    """Return the words of every port (samples, beats, size) for those of each input (samples, any shape).

    Raises:
        GraphError: a sum leaves its interval, or a result its word: the kernel was lowered wrongly.
    """
    known = {
        port.name: _shaped(as_mantissas(values), port) for port, values in zip(lowered.inputs, inputs, strict=True)
    }
    _run(lowered.kernels, known, len(inputs[0]))
    return known


def _run(kernels: Sequence[Kernel], known: Words, samples: int) -> None:
    for kernel in kernels:
        words = _step(kernel, known, samples)
        low, high = bounds(words)
        for port in results(kernel):
            if not port.word.holds(low, high):
                msg = f"{kernel.name}: words {low}…{high} do not fit {port.format}"
                raise GraphError(msg)
            known[port.name] = _shaped(words, port)


def _shaped(words: IntArray, port: Port) -> IntArray:
    return words.reshape(len(words), port.beats, port.size)


def _step(kernel: Kernel, known: Words, samples: int) -> IntArray:
    sources = [known[port.name] for port in kernel.sources]
    match kernel:
        case ConstantKernel():
            return np.broadcast_to(as_mantissas(kernel.values), (samples, kernel.values.size))
        case WireKernel():
            return shift_left(_joined(sources)[..., kernel.index], kernel.shift)
        case BufferKernel():
            return shift_left(sources[0].reshape(samples, -1)[:, kernel.index], kernel.shift)
        case WindowKernel():
            return _windows(kernel, sources[0])
        case ForkKernel():
            return sources[0]
        case AccumulateKernel():
            return total(sources[0][..., kernel.words], axis=1)
        case TableKernel():
            looked_up: IntArray = as_mantissas(kernel.values)[(sources[0] - kernel.low).astype(np.int64)]
            return looked_up
        case MaximumKernel():
            largest: IntArray = sources[0].reshape(samples, kernel.source.beats, -1, kernel.result.size).max(axis=2)
            return largest
        case ArgMaxKernel():
            places: IntArray = sources[0].argmax(axis=2)
            return places
        case ScanKernel():
            return _scan(kernel, sources[0])
        case MatVecKernel():
            sums = _sums(kernel, sources[0].reshape(-1, kernel.source.size).T)
            return _settled(kernel, sums.T.reshape(samples, -1, kernel.result.size))
        case ElementKernel():
            terms = [shift_left(source, shift) for source, shift in zip(sources, kernel.shifts, strict=True)]
            sums = terms[0] if len(terms) == 1 else add(terms[0], -terms[1] if kernel.subtract else terms[1])
            return _settled(kernel, sums)
        case ProductKernel():
            return _settled(kernel, multiply(sources[0], sources[1]))
        case MatMulKernel():
            left = sources[0].reshape(samples, kernel.batch, kernel.rows, kernel.inner).astype(object)
            right = sources[1].reshape(samples, kernel.batch, kernel.columns, kernel.inner).astype(object)
            sums = left @ right.swapaxes(2, 3)
            return _settled(kernel, as_mantissas(sums.reshape(samples, -1, 1)))
        case _:
            assert_never(kernel)


def _sums(kernel: MatVecKernel, vectors: IntArray) -> IntArray:
    """Return the rows (rows, n), bias included, as the plan's own operations make them of ``vectors`` (inputs, n)."""
    if isinstance(kernel.plan, Folded):
        largest = max(abs(value) for value in bounds(vectors))
        wide = kernel.weights.magnitude(largest) >= 1 << 62
        rows = kernel.program.apply(vectors.astype(object) if wide else vectors, kernel.result.size)
        return add(as_mantissas(rows), kernel.bias[:, np.newaxis])
    return operations(kernel).compute(vectors)


def _joined(sources: Sequence[IntArray]) -> IntArray:
    return np.concatenate(sources, axis=2) if len(sources) > 1 else sources[0]


def _windows(kernel: WindowKernel, words: IntArray) -> IntArray:
    fill = np.full((len(words), 1, kernel.source.size), kernel.fill, dtype=words.dtype)
    taps = np.concatenate([words, fill], axis=1)[:, kernel.windows.index(kernel.shape)]
    elements: IntArray = taps.reshape(len(words), kernel.result.beats, -1)[..., kernel.kept]
    return elements


def _scan(kernel: ScanKernel, words: IntArray) -> IntArray:
    samples = len(words)
    states = [np.tile(as_mantissas(list(state.initial)), (samples, 1)) for state in kernel.states]
    beats = []
    for beat in range(kernel.source.beats):
        known = {kernel.step.name: words[:, beat : beat + 1]}
        known |= {
            state.before.name: _shaped(values, state.before)
            for state, values in zip(kernel.states, states, strict=True)
        }
        _run(kernel.body, known, samples)
        states = [known[state.after.name].reshape(samples, -1) for state in kernel.states]
        beats.append(states[kernel.index])
    return np.stack(beats, axis=1)


def _settled(kernel: MatVecKernel | ElementKernel | ProductKernel | MatMulKernel, sums: IntArray) -> IntArray:
    """Check exact values against their intervals and finish them."""
    interval = kernel.products if isinstance(kernel, ProductKernel) else kernel.sums
    _check_sums(kernel.name, sums, interval)
    return sums if kernel.finish is None else _finished(sums, kernel.finish)


def _check_sums(name: str, sums: IntArray, interval: Interval) -> None:
    outside = (sums < interval.low) | (sums > interval.high)
    if outside.any():
        sample, beat, element = (int(place[0]) for place in np.nonzero(outside))
        msg = (
            f"{name}: element {element} sums to {sums[sample, beat, element]}, "
            f"outside its interval {interval.low[element]}…{interval.high[element]}"
        )
        raise GraphError(msg)


def _finished(sums: IntArray, finish: Finish) -> IntArray:
    rounded = rescale(sums, finish.shift, finish.rounding)
    limited = np.where(finish.binds_low, clip(rounded, finish.low, None), rounded)
    limited = np.where(finish.binds_high, clip(limited, None, finish.high), limited)
    overflow = Overflow.SAT_ZERO if finish.zero_outside else Overflow.WRAP
    word = Fixed(finish.format.signed, finish.format.width, 0, overflow=overflow)
    return requantise(limited, 0, word)
