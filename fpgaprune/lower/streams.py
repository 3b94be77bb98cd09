"""What makes processes of kernels: forks where a port has several readers, and the depth of each FIFO."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from typing_extensions import assert_never

from fpgaprune.errors import GraphError
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
from fpgaprune.schedule import Interface

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fpgaprune.lower.kernels import Lowered


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
        case MatMulKernel():
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


LEAST_DEPTH = 2
"""Beats of a FIFO that is written and read in the same cycle."""


@dataclass(frozen=True)
class Run:
    """One sample through a streaming design: the most beats in each FIFO, and the cycles until the last one leaves."""

    most: Mapping[str, int]
    cycles: int


def fifo_depths(inputs: tuple[Port, ...], kernels: tuple[Kernel, ...], outputs: tuple[Output, ...]) -> dict[str, int]:
    """Return the beats that each FIFO inside the design must hold so that no process ever waits for room.

    Every process fires once a cycle as soon as its sources have beats; the most beats that then lie in a FIFO are its
    depth. With these depths that schedule is legal, and as the processes are determinate (Kahn 1974) every other
    schedule finishes too.
    """
    most = simulate(inputs, kernels, outputs).most
    return {name: max(count, LEAST_DEPTH) for name, count in most.items()}


def simulate(
    inputs: tuple[Port, ...],
    kernels: tuple[Kernel, ...],
    outputs: tuple[Output, ...],
    pace: Mapping[str, int] | None = None,
) -> Run:
    """Return what happens when each process fires every ``pace[kernel]`` cycles (1 by default) as soon as it can.

    All beats of the inputs are there from the start, and what leaves is taken at once.

    Raises:
        GraphError: the processes wait for each other.
    """
    entering = {port.name for port in inputs}
    leaving = {output.port.name for output in outputs}
    return _Simulation(kernels, entering, leaving, pace or {}).run()


class _Simulation:
    def __init__(
        self, kernels: tuple[Kernel, ...], entering: set[str], leaving: set[str], pace: Mapping[str, int]
    ) -> None:
        self._kernels = kernels
        self._entering = entering
        self._leaving = leaving
        self._pace = [pace.get(kernel.name, 1) for kernel in kernels]
        self._plans = [_Plan.of(kernel) for kernel in kernels]
        self._at = [0] * len(kernels)
        self._free = [0] * len(kernels)  # the cycle from which each process can fire again
        self._fill: Counter[str] = Counter()
        self._most: Counter[str] = Counter()

    def run(self) -> Run:
        now = 0
        open_ones = list(range(len(self._kernels)))
        while open_ones:
            ready = [number for number in open_ones if self._free[number] <= now and self._has_beats(number)]
            if not ready and all(self._free[number] <= now for number in open_ones):
                msg = "the processes of this design wait for each other; please report this network"
                raise GraphError(msg)
            self._write([port for number in ready for port in self._fire(number, now)])
            now += 1
            open_ones = [number for number in open_ones if self._at[number] < self._plans[number].count]
        inner = {port.name for port in _made(self._kernels)} - self._leaving
        return Run({name: max(self._most[name], 1) for name in sorted(inner)}, now)

    def _has_beats(self, number: int) -> bool:
        reads = self._plans[number].reads[self._at[number]]
        return all(name in self._entering or self._fill[name] > 0 for name in reads)

    def _fire(self, number: int, now: int) -> tuple[str, ...]:
        plan, at = self._plans[number], self._at[number]
        for name in plan.reads[at]:
            self._fill[name] -= 1
        self._at[number] = at + 1
        self._free[number] = now + self._pace[number]
        return plan.writes[at]

    def _write(self, names: list[str]) -> None:
        """A beat can be read in the cycle after the one that wrote it."""
        for name in names:
            self._fill[name] += 1
            self._most[name] = max(self._most[name], self._fill[name])


@dataclass(frozen=True)
class _Plan:
    """The names of the ports that each firing reads and writes."""

    reads: list[tuple[str, ...]]
    writes: list[tuple[str, ...]]

    @classmethod
    def of(cls, kernel: Kernel) -> _Plan:
        reads, writes = firings(kernel)
        sources = [port.name for port in kernel.sources]
        made = tuple(port.name for port in results(kernel))
        read = [tuple(name for name, flag in zip(sources, row, strict=True) if flag) for row in reads.tolist()]
        return cls(read, [made if flag else () for flag in writes.tolist()])

    @property
    def count(self) -> int:
        return len(self.writes)


def cycles(kernel: Kernel) -> int:
    """Return how often a process fires for one sample."""
    return len(firings(kernel)[1])


def interval_of(lowered: Lowered) -> int:
    """Return the cycles between two samples if every process fires once a cycle: 1 in a parallel design."""
    if lowered.design.interface is Interface.PARALLEL:
        return 1
    return max((cycles(kernel) for kernel in lowered.kernels), default=1)
