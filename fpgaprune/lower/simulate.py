"""Beats moving through the processes of a design, cycle by cycle: FIFO depths, latency, interval."""

from __future__ import annotations

import math
from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fpgaprune.errors import GraphError
from fpgaprune.lower.kernels import ArgMaxKernel, MatMulKernel, MatVecKernel, MaximumKernel, ScanKernel, results
from fpgaprune.lower.streams import firings
from fpgaprune.schedule import Folded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fpgaprune.lower.kernels import Kernel, Output, Port

LEAST_DEPTH = 2
"""Beats of a FIFO that is written and read in the same cycle."""

SAMPLES = 2
"""Samples that are simulated: the second meets what the first left behind, and tells the interval."""

_SHALLOW, _LARGE_BITS = 64, 1 << 14
"""Beats and bits from which on a FIFO takes block RAM."""

_PLAIN_LATENCY = 4
"""Cycles from a read to the write that it causes, of a process without a tree: an upper bound."""


@dataclass(frozen=True)
class Run:
    """What happened to `SAMPLES` samples that came one after the other.

    ``most`` are the most beats that met in each FIFO, ``latency`` the cycles until the first sample had left,
    ``interval`` those until the next had, ``stalls`` the cycles in which some process waited for room.
    """

    most: Mapping[str, int]
    latency: int
    interval: int
    stalls: int


def is_deep_fifo(depth: int, port: Port) -> bool:
    """Whether a FIFO is built of block RAM; a shallow or small one is shift registers."""
    return depth > _SHALLOW and depth * port.size * port.word.width >= _LARGE_BITS


def fifo_depths(inputs: tuple[Port, ...], kernels: tuple[Kernel, ...], outputs: tuple[Output, ...]) -> dict[str, int]:
    """Return the beats that each FIFO inside the design must hold so that no process ever waits for room.

    Every process fires once a cycle as soon as its sources have beats, and writes what it makes of them after a
    pipeline whose length is bounded generously. The most beats that then meet in a FIFO are its depth: what is in a
    longer branch's pipelines must find room in the shorter one. Where a process takes several cycles a beat, all
    spread their firings over the time of the slowest, since a faster one waits for it anyway; what holds the beats of
    that schedule lets processes that fire as soon as they can keep up with it.
    """
    most = simulate(inputs, kernels, outputs, pace=_even_pace(kernels)).most
    return {name: max(count, LEAST_DEPTH) for name, count in most.items()}


def _even_pace(kernels: tuple[Kernel, ...]) -> dict[str, int]:
    cycles = {kernel.name: interval_bound(kernel) for kernel in kernels}
    if max(cycles.values(), default=1) == 1:
        return cycles
    count = {kernel.name: len(firings(kernel)[1]) for kernel in kernels}
    slowest = max(count[name] * cycles[name] for name in cycles)
    return {name: slowest // max(count[name], 1) for name in cycles}


def interval_bound(kernel: Kernel) -> int:
    """Return cycles between two firings of a process; of a loop with folded matrices, which work in turn, a bound."""
    match kernel:
        case MatVecKernel():
            return kernel.interval
        case ScanKernel() if any(interval_bound(inner) > 1 for inner in kernel.body):
            return latency_bound(kernel)
        case _:
            return 1


def simulate(
    inputs: tuple[Port, ...],
    kernels: tuple[Kernel, ...],
    outputs: tuple[Output, ...],
    *,
    pace: Mapping[str, int] | None = None,
    latency: Mapping[str, int] | None = None,
    depths: Mapping[str, int] | None = None,
) -> Run:
    """Return what happens when each process fires every ``pace[kernel]`` cycles (1) as soon as its sources have beats.

    A beat is written ``latency[kernel]`` cycles after the firing that makes it (by default a generous bound), and can
    be read in the cycle after. With ``depths`` a full FIFO stops the process that would write to it, its pipeline
    included. All beats of the inputs are there from the start, and what leaves is taken at once.

    Raises:
        GraphError: the processes wait for each other.
    """
    entering = {port.name for port in inputs}
    leaving = {output.port.name: output.port.beats for output in outputs}
    processes = [_Process(kernel, pace or {}, latency or {}) for kernel in kernels]
    return _Simulation(processes, entering, leaving, depths).run()


def latency_bound(kernel: Kernel) -> int:
    """Return cycles that the pipeline of a process does not exceed: a level of its tree a cycle, and a few more."""
    match kernel:
        case MatVecKernel() if isinstance(kernel.plan, Folded):
            program = kernel.program
            parts = int(np.bincount(program.part_row, minlength=1).max())
            return _PLAIN_LATENCY + program.latency_bound(kernel.source.beats) + math.ceil(math.log2(parts + 1))
        case MatVecKernel():
            terms = int(np.diff(kernel.weights.row_start).max(initial=0))
        case MatMulKernel():
            terms = kernel.inner
        case MaximumKernel() | ArgMaxKernel():
            terms = kernel.source.size
        case ScanKernel():
            return _PLAIN_LATENCY + sum(latency_bound(inner) for inner in kernel.body)
        case _:
            return _PLAIN_LATENCY
    return _PLAIN_LATENCY + math.ceil(math.log2(terms + 1))


class _Process:
    """A process with its pipeline: the beats on their way to its results, each with the cycle in which it arrives."""

    def __init__(self, kernel: Kernel, pace: Mapping[str, int], latency: Mapping[str, int]) -> None:
        reads, writes = firings(kernel)
        names = [port.name for port in kernel.sources]
        self.made = tuple(port.name for port in results(kernel))
        self._reads = [tuple(name for name, flag in zip(names, row, strict=True) if flag) for row in reads.tolist()]
        self._writes = writes.tolist()
        self._pace = pace.get(kernel.name, 1)
        self._latency = latency.get(kernel.name, latency_bound(kernel))
        self._fired = 0
        self._free = 0  # the cycle from which it can fire again
        self._pipeline: deque[int] = deque()
        self._stopped = 0  # cycles by which a full FIFO has delayed what is on its way

    @property
    def exhausted(self) -> bool:
        return self._fired >= SAMPLES * len(self._writes)

    @property
    def done(self) -> bool:
        return self.exhausted and not self._pipeline

    def arriving(self, now: int) -> bool:
        """Whether a beat is due."""
        return bool(self._pipeline) and self._pipeline[0] + self._stopped <= now

    def arrive(self) -> None:
        self._pipeline.popleft()

    def stop(self, cycles: int) -> None:
        self._stopped += cycles

    def plans(self, now: int) -> list[int]:
        """Return the later cycles in which something will happen in it, whatever the others do."""
        coming = [self._pipeline[0] + self._stopped] if self._pipeline else []
        free = [] if self.exhausted else [self._free]
        return [cycle for cycle in (*coming, *free) if cycle > now]

    def reads(self) -> tuple[str, ...]:
        return self._reads[self._fired % len(self._reads)]

    def ready(self, now: int) -> bool:
        return not self.exhausted and self._free <= now

    def fire(self, now: int) -> None:
        if self._writes[self._fired % len(self._writes)]:
            self._pipeline.append(now + self._latency - self._stopped)
        self._fired += 1
        self._free = now + self._pace


class _Simulation:
    def __init__(
        self,
        processes: list[_Process],
        entering: set[str],
        leaving: Mapping[str, int],
        depths: Mapping[str, int] | None,
    ) -> None:
        self._processes = processes
        self._entering = entering
        self._leaving = leaving
        self._depths = depths
        self._fill: Counter[str] = Counter()
        self._most: Counter[str] = Counter()
        self._left: Counter[str] = Counter()
        self._ends: list[int] = []
        self._stalls = 0

    def run(self) -> Run:
        now = 0
        open_ones = self._processes
        while open_ones:
            following = self._cycle(open_ones, now)
            if following is None:
                msg = "the processes of this design wait for each other; please report this network"
                raise GraphError(msg)
            self._note_ends(now + 1)
            now = following
            open_ones = [process for process in open_ones if not process.done]
        inner = {name for process in self._processes for name in process.made} - set(self._leaving)
        first, last = (self._ends[0], self._ends[-1]) if self._ends else (now, now)
        return Run(
            {name: max(self._most[name], 1) for name in sorted(inner)}, first, max(1, last - first), self._stalls
        )

    def _cycle(self, processes: list[_Process], now: int) -> int | None:
        """Let what is due arrive and what can fire do so, all by what the cycle before left.

        Return the next cycle in which anything can happen, or None where nothing ever will.
        """
        arriving = [process for process in processes if process.arriving(now)]
        stopped = [process for process in arriving if not all(map(self._has_room, process.made))]
        moving = [process for process in processes if process not in stopped]
        firing = [each for each in moving if each.ready(now) and all(map(self._has_beat, each.reads()))]
        idle = len(arriving) == len(stopped) and not firing
        following = min((cycle for each in moving for cycle in each.plans(now)), default=None) if idle else now + 1
        if following is None:
            return None
        for process in stopped:
            process.stop(following - now)
        self._stalls += len(stopped) * (following - now)
        read = [name for process in firing for name in process.reads()]
        for process in arriving:
            if process not in stopped:
                process.arrive()
                self._write(process.made)
        for process in firing:
            process.fire(now)
        self._fill.subtract(read)
        return following

    def _has_room(self, name: str) -> bool:
        return self._depths is None or name in self._leaving or self._fill[name] < self._depths[name]

    def _has_beat(self, name: str) -> bool:
        return name in self._entering or self._fill[name] > 0

    def _write(self, names: tuple[str, ...]) -> None:
        for name in names:
            self._fill[name] += 1
            self._most[name] = max(self._most[name], self._fill[name])
            if name in self._leaving:
                self._left[name] += 1

    def _note_ends(self, now: int) -> None:
        done = min((self._left[name] // max(beats, 1) for name, beats in self._leaving.items()), default=0)
        while len(self._ends) < done:
            self._ends.append(now)
