"""Run kernels in Python, checking that every word holds what is put into it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import assert_never

from fpgaprune.errors import GraphError
from fpgaprune.fixed import Fixed, IntArray, Overflow, add, as_mantissas, bounds, clip, requantise, rescale, shift_left
from fpgaprune.lower.kernels import ConstantKernel, ElementKernel, Finish, Kernel, Lowered, MatVecKernel, WireKernel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fpgaprune.intervals import Interval


def run(lowered: Lowered, *inputs: IntArray) -> dict[str, IntArray]:
    """Return the words of every port (samples, size) for those of each input (samples, size).

    Raises:
        GraphError: a sum leaves its interval, or a result its word: the kernel was lowered wrongly.
    """
    known = {port.name: as_mantissas(values) for port, values in zip(lowered.inputs, inputs, strict=True)}
    for kernel in lowered.kernels:
        words = _step(kernel, known)
        low, high = bounds(words)
        if not kernel.result.word.holds(low, high):
            msg = f"{kernel.name}: words {low}…{high} do not fit {kernel.result.format}"
            raise GraphError(msg)
        known[kernel.result.name] = words
    return known


def _step(kernel: Kernel, known: Mapping[str, IntArray]) -> IntArray:
    match kernel:
        case ConstantKernel():
            samples = len(next(iter(known.values())))
            return np.broadcast_to(as_mantissas(kernel.values), (samples, kernel.result.size))
        case WireKernel():
            return shift_left(known[kernel.source.name][:, kernel.index], kernel.shift)
        case MatVecKernel():
            products = np.array([kernel.weights.multiply(vector) for vector in known[kernel.source.name]])
            sums = add(products.reshape(-1, kernel.result.size), kernel.bias)
        case ElementKernel():
            sums = np.zeros(1, dtype=np.int64)
            for source, shift in zip(kernel.sources, kernel.shifts, strict=True):
                sums = add(sums, shift_left(known[source.name], shift))
        case _:
            assert_never(kernel)
    _check_sums(kernel.name, sums, kernel.sums)
    return sums if kernel.finish is None else _finished(sums, kernel.finish)


def _check_sums(name: str, sums: IntArray, interval: Interval) -> None:
    outside = (sums < interval.low) | (sums > interval.high)
    if outside.any():
        sample, element = (int(place[0]) for place in np.nonzero(outside))
        msg = (
            f"{name}: element {element} sums to {sums[sample, element]}, "
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
