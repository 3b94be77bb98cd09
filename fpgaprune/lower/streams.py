"""What makes processes of kernels: forks where a port has several readers, and what each reads and writes when."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from typing_extensions import assert_never

from fpgaprune.lower.kernels import (
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
    Output,
    Port,
    ProductKernel,
    ScanKernel,
    TableKernel,
    WindowKernel,
    WireKernel,
    results,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def with_forks(
    inputs: tuple[Port, ...], kernels: tuple[Kernel, ...], outputs: tuple[Output, ...]
) -> tuple[tuple[Kernel, ...], tuple[Output, ...]]:
    """Return kernels and outputs in which every port has exactly one reader."""
    readers = Counter(port.name for kernel in kernels for port in kernel.sources)
    readers.update(output.port.name for output in outputs)
    branches = {port.name: _branches(port, readers[port.name]) for port in (*inputs, *_made(kernels))}
    for port in inputs:  # what enters cannot leave without a process between
        if [output.port for output in outputs if output.port == port] and readers[port.name] == 1:
            branches[port.name] = (replace(port, name=f"{port.name}/0"),)
    waiting = {name: list(ports) for name, ports in branches.items()}
    forked: list[Kernel] = [_fork(port, branches[port.name]) for port in inputs if branches[port.name] != (port,)]
    for kernel in kernels:
        forked.append(_reading(kernel, waiting))
        forked += [_fork(port, branches[port.name]) for port in results(kernel) if branches[port.name] != (port,)]
    leaving = tuple(replace(output, port=waiting[output.port.name].pop(0)) for output in outputs)
    return tuple(forked), leaving


def _made(kernels: Sequence[Kernel]) -> list[Port]:
    return [port for kernel in kernels for port in results(kernel)]


def _branches(port: Port, readers: int) -> tuple[Port, ...]:
    if readers == 1:
        return (port,)
    return tuple(replace(port, name=f"{port.name}/{number}") for number in range(readers))


def _fork(port: Port, branches: tuple[Port, ...]) -> ForkKernel:
    return ForkKernel(f"{port.name}/fork", port, branches)


def _reading(kernel: Kernel, waiting: Mapping[str, list[Port]]) -> Kernel:
    """Return the kernel reading the next free branch of each of its sources."""
    taken = [waiting[port.name].pop(0) for port in kernel.sources]
    match kernel:
        case ConstantKernel():
            return kernel
        case ElementKernel() | WireKernel():
            return replace(kernel, sources=tuple(taken))
        case ProductKernel() | MatMulKernel():
            return replace(kernel, left=taken[0], right=taken[1])
        case (
            MatVecKernel()
            | TableKernel()
            | MaximumKernel()
            | ArgMaxKernel()
            | WindowKernel()
            | AccumulateKernel()
            | BufferKernel()
            | ScanKernel()
            | ForkKernel()
        ):
            return replace(kernel, source=taken[0])
        case _:
            assert_never(kernel)


Firings = tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]
"""Which sources each firing of a process reads a beat of (firings, sources), and whether it writes one (firings,)."""


def firings(kernel: Kernel) -> Firings:
    """Return what a process reads and writes, cycle by cycle, for one sample."""
    beats = max((port.beats for port in results(kernel)), default=0)
    match kernel:
        case MatMulKernel() if not kernel.is_whole:
            return _matmul_firings(kernel)
        case WindowKernel():
            return _window_firings(kernel)
        case BufferKernel():
            reading = np.arange(kernel.source.beats + beats) < kernel.source.beats
            return reading[:, np.newaxis], ~reading
        case ForkKernel():
            count = kernel.source.beats
            return np.ones((count, 1), dtype=bool), np.ones(count, dtype=bool)
        case AccumulateKernel():
            writing = np.arange(kernel.source.beats + 1) == kernel.source.beats
            return ~writing[:, np.newaxis], writing
        case _:
            return np.ones((beats, len(kernel.sources)), dtype=bool), np.ones(beats, dtype=bool)


def _matmul_firings(kernel: MatMulKernel) -> Firings:
    """For each pair, the right matrix first, then a beat of the result for each beat of the left."""
    right = np.arange(kernel.columns + kernel.rows) < kernel.columns
    pair = np.stack([~right, right], axis=1)
    return np.tile(pair, (kernel.batch, 1)), np.tile(~right, kernel.batch)


def _window_firings(kernel: WindowKernel) -> Firings:
    places = grid(kernel)
    inside = np.ones((1,), dtype=bool)
    complete = np.ones((1,), dtype=bool)
    windows = kernel.windows
    for axis, axis_places in enumerate(places):
        reads = (axis_places >= 0) & (axis_places < kernel.shape[axis])
        offset = axis_places + windows.before[axis] - (windows.kernel[axis] - 1) * windows.dilation[axis]
        ends = (offset >= 0) & (offset % windows.stride[axis] == 0)
        ends &= axis_places < kernel.shape[axis] + windows.after[axis]
        inside = (inside[:, np.newaxis] & reads).reshape(-1)
        complete = (complete[:, np.newaxis] & ends).reshape(-1)
    return inside[:, np.newaxis], complete


def grid(kernel: WindowKernel) -> tuple[npt.NDArray[np.int64], ...]:
    """Return the places that a window process visits along each axis: what is read, and the padding around it."""
    windows = kernel.windows
    return tuple(
        np.arange(min(0, -before), size + max(0, after))
        for size, before, after in zip(kernel.shape, windows.before, windows.after, strict=True)
    )
