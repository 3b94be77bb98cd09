"""Beats moving through the processes of a design, cycle by cycle: FIFO depths, latency, interval."""

from __future__ import annotations

import heapq
import math
from bisect import bisect_left, bisect_right
from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fpgaprune.errors import GraphError
from fpgaprune.lower.kernels import ArgMaxKernel, MatMulKernel, MatVecKernel, MaximumKernel, ScanKernel, results
from fpgaprune.lower.streams import firings
from fpgaprune.schedule import Folded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TypeAlias

    from fpgaprune.lower.kernels import Kernel, Output, Port
    from fpgaprune.lower.streams import Firings
    from fpgaprune.sparse import Int64Array

    Cycles: TypeAlias = Sequence[int] | Int64Array

LEAST_DEPTH = 2
"""Beats of a FIFO that is written and read in the same cycle."""

SAMPLES = 2
"""Samples that are simulated: the second meets what the first left behind, and tells the interval."""

_LEAST_GROWTH = 4
"""A FIFO that is too shallow grows by a quarter at least, so that few simulations find its depth."""

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

    @property
    def ends(self) -> tuple[int, int]:
        """The cycles in which the two samples have left."""
        return self.latency, self.latency + self.interval


def is_deep_fifo(depth: int, port: Port) -> bool:
    """Whether a FIFO is built of block RAM; a shallow or small one is shift registers."""
    return depth > _SHALLOW and depth * port.size * port.word.width >= _LARGE_BITS


def fifo_depths(inputs: tuple[Port, ...], kernels: tuple[Kernel, ...], outputs: tuple[Output, ...]) -> dict[str, int]:
    """Return the beats that each FIFO inside the design must hold so that no sample leaves later for want of room.

    Every process fires once a cycle as soon as its sources have beats, and writes what it makes of them after a
    pipeline whose length is bounded generously. The most beats that then meet in a FIFO are its depth: what is in a
    longer branch's pipelines must find room in the shorter one, and no process ever waits for room.

    Where a process takes several cycles a beat, all spread their firings over the time of the slowest, since a faster
    one waits for it anyway. Processes that fire as soon as they can may then wait for room; where that makes a sample
    leave later than with FIFOs without limit, FIFOs that delay it are made deeper.
    """
    pace = {kernel.name: interval_bound(kernel) for kernel in kernels}
    even = _even_pace(kernels, pace)
    most = simulate(inputs, kernels, outputs, pace=even).most
    depths = {name: max(count, LEAST_DEPTH) for name, count in most.items()}
    if even == pace:
        return depths
    ports = {port.name: port for kernel in kernels for port in results(kernel)}
    return _deepened(_Flow.of(inputs, kernels, outputs, pace, {}), depths, ports)


def _even_pace(kernels: tuple[Kernel, ...], pace: Mapping[str, int]) -> dict[str, int]:
    if max(pace.values(), default=1) == 1:
        return dict(pace)
    count = {kernel.name: len(firings(kernel)[1]) for kernel in kernels}
    slowest = max(count[name] * pace[name] for name in pace)
    return {name: slowest // max(count[name], 1) for name in pace}


def _deepened(flow: _Flow, depths: Mapping[str, int], ports: Mapping[str, Port]) -> dict[str, int]:
    """Make FIFOs deeper until the samples leave as early as with FIFOs without limit.

    What delays a sample beyond that is a full FIFO, so there always is one to deepen; and one that holds every beat of
    the samples is never full, so that this comes to an end.
    """
    deeper, best = dict(depths), _unhindered(flow)
    while True:
        simulation = _Simulation(flow, deeper)
        found = simulation.run()
        if found.ends == best.ends:
            return deeper
        sample = 0 if found.latency > best.latency else 1
        share = (found.ends[sample] - best.ends[sample]) / best.interval  # of the beats of a sample, in the time lost
        more = {
            name: max(math.ceil(share * ports[name].beats / times), deeper[name] // _LEAST_GROWTH)
            for name, times in simulation.binding(sample).items()
        }
        cheapest = min(more, key=lambda name: (more[name] * ports[name].size * ports[name].word.width, name))
        deeper[cheapest] += more[cheapest]


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
    flow = _Flow.of(inputs, kernels, outputs, pace or {}, latency or {})
    return _unhindered(flow) if depths is None else _Simulation(flow, depths).run()


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


@dataclass(frozen=True, eq=False)
class _Process:
    """What a process does in each of its firings, how often it can fire, and how long its pipeline is.

    ``sources`` are the ports that other processes write; what enters the design is there from the start.
    """

    sources: tuple[str, ...]
    made: tuple[str, ...]
    fires: Firings
    pace: int
    latency: int

    @classmethod
    def of(cls, kernel: Kernel, entering: set[str], pace: Mapping[str, int], latency: Mapping[str, int]) -> _Process:
        reads, writes = firings(kernel)
        inner = [number for number, port in enumerate(kernel.sources) if port.name not in entering]
        length = latency[kernel.name] if kernel.name in latency else latency_bound(kernel)
        return cls(
            tuple(kernel.sources[number].name for number in inner),
            tuple(port.name for port in results(kernel)),
            (np.tile(reads[:, inner], (SAMPLES, 1)), np.tile(writes, SAMPLES)),
            pace.get(kernel.name, 1),
            max(length, 1),  # what fires in one cycle arrives in the next at the soonest
        )


@dataclass(frozen=True, eq=False)
class _Flow:
    """The processes of a design, each after those that it reads from, and the beats of what leaves it."""

    processes: Sequence[_Process]
    leaving: Mapping[str, int]

    @classmethod
    def of(
        cls,
        inputs: tuple[Port, ...],
        kernels: tuple[Kernel, ...],
        outputs: tuple[Output, ...],
        pace: Mapping[str, int],
        latency: Mapping[str, int],
    ) -> _Flow:
        entering = {port.name for port in inputs}
        processes = [_Process.of(kernel, entering, pace, latency) for kernel in kernels]
        return cls(processes, {output.port.name: output.port.beats for output in outputs})

    def last(self, sample: int, written: Mapping[str, Cycles]) -> tuple[int, str]:
        """Return the cycle in which the last beat of a sample was written, and to which port."""
        return max((int(written[name][(sample + 1) * beats - 1]), name) for name, beats in self.leaving.items())

    def run(self, written: Mapping[str, Cycles], read: Mapping[str, Cycles], stalls: int) -> Run:
        """Return what happened, of the cycles in which the beats of each port were written and read."""
        first, *_, last = (self.last(sample, written)[0] for sample in range(SAMPLES))
        most = {name: _most(np.array(written[name]), np.array(read[name])) for name in sorted(read)}
        return Run(most, first, max(1, last - first), stalls)


def _most(written: Int64Array, read: Int64Array) -> int:
    """Return the most beats in a FIFO: what is read in a cycle leaves after what is written in it has come."""
    return int((np.arange(1, len(written) + 1) - np.searchsorted(read, written)).max(initial=1))


def _deadlock() -> GraphError:
    return GraphError("the processes of this design wait for each other; please report this network")


def _unhindered(flow: _Flow) -> Run:
    """Let processes with FIFOs without limit fire as soon as they can: none waits for one that comes after it."""
    written: dict[str, Int64Array] = {}
    read: dict[str, Int64Array] = {}
    for process in flow.processes:
        reads, writes = process.fires
        ready = np.zeros(len(writes), dtype=np.int64)
        for name, flags in zip(process.sources, reads.T, strict=True):
            beats = int(flags.sum())
            if beats > len(written[name]):
                raise _deadlock()
            ready[flags] = np.maximum(ready[flags], written[name][:beats] + 1)
        turn = process.pace * np.arange(len(writes))
        fired = turn + np.maximum.accumulate(ready - turn)
        written |= dict.fromkeys(process.made, fired[writes] + process.latency)
        read |= {name: fired[flags] for name, flags in zip(process.sources, reads.T, strict=True)}
    return flow.run(written, read, 0)


_NEVER = 1 << 62
"""The cycle in which a process fires that has nothing left to do."""


class _Fifo:
    """A FIFO between two processes, with the cycles in which its beats were read."""

    def __init__(self, name: str, depth: int, writer: _Running, reader: _Running) -> None:
        self.name = name
        self.writer, self.reader = writer, reader
        self.read: list[int] = []
        self._depth = depth

    def has_beat(self, now: int) -> bool:
        """Whether its next beat was written before this cycle."""
        place, written = len(self.read), self.writer.wrote
        return place < len(written) and written[place] < now

    def has_room(self, now: int) -> bool:
        """Whether the beat in whose place the next one is written was read before this cycle."""
        place = len(self.writer.wrote) - self._depth
        return place < 0 or (place < len(self.read) and self.read[place] < now)


class _Running:
    """A process at work: its pipeline, and the cycles in which it fired, wrote, or went on after a full FIFO."""

    def __init__(self, process: _Process, depths: Mapping[str, int], writers: Mapping[str, _Running]) -> None:
        """Join it to the processes that write what it reads."""
        reads, writes = process.fires
        sources = [_Fifo(name, depths[name], writers[name], self) for name in process.sources]
        for fifo in sources:
            fifo.writer.made.append(fifo)
        self.made: list[_Fifo] = []
        self.reads = [[fifo for fifo, flag in zip(sources, row, strict=True) if flag] for row in reads.tolist()]
        self.writes = writes.tolist()
        self.pace, self.latency = process.pace, process.latency
        self.fired: list[int] = []
        self.free = 0 if self.writes else _NEVER  # the cycle from which it can fire again
        self.pipeline: deque[tuple[int, int]] = deque()  # when a beat is due but for delays, and when it was fired
        self.wrote: list[int] = []
        self.sent: list[int] = []  # when each beat that was written was fired
        self.delay = 0  # the cycles in which full FIFOs have stopped it
        self.stopped: int | None = None  # since when one stops it now
        self.full: _Fifo | None = None  # which was the last to do so
        self.resumed: list[int] = []
        self.freed: list[_Fifo] = []  # the FIFO that got room each time

    @property
    def done(self) -> bool:
        return len(self.fired) == len(self.writes) and not self.pipeline

    def due(self, now: int) -> bool:
        """Whether a beat has come to the end of its pipeline."""
        return bool(self.pipeline) and self.pipeline[0][0] + self.delay <= now

    def ready(self, now: int) -> bool:
        if self.free > now:
            return False
        for fifo in self.reads[len(self.fired)]:  # noqa: SIM110  # this line runs more often than any other
            if not fifo.has_beat(now):
                return False
        return True

    def stop(self, full: _Fifo, now: int) -> None:
        """Stand still, the pipeline included."""
        self.full = full
        if self.stopped is None:
            self.stopped = now

    def go_on(self, now: int) -> None:
        if self.stopped is not None and self.full is not None:
            self.delay += now - self.stopped
            self.stopped = None
            self.resumed.append(now)
            self.freed.append(self.full)

    def write(self, now: int) -> None:
        self.sent.append(self.pipeline.popleft()[1])
        self.wrote.append(now)

    def fire(self, now: int) -> None:
        number = len(self.fired)
        if self.writes[number]:
            self.pipeline.append((now + self.latency - self.delay, now))
        self.fired.append(now)
        self.free = now + self.pace if number + 1 < len(self.writes) else _NEVER
        for fifo in self.reads[number]:
            fifo.read.append(now)

    def plans(self, now: int) -> list[int]:
        """Return the later cycles in which something is to happen in it, whatever the others do."""
        coming = [max(self.pipeline[0][0] + self.delay, now + 1)] if self.pipeline else []
        return [*coming, self.free] if now < self.free < _NEVER else coming


class _Simulation:
    """Processes with FIFOs of given depths; each step goes by what the cycles before it have left."""

    def __init__(self, flow: _Flow, depths: Mapping[str, int]) -> None:
        self._flow = flow
        self._running: list[_Running] = []
        self._writers: dict[str, _Running] = {}
        for process in flow.processes:
            self._running.append(_Running(process, depths, self._writers))
            self._writers |= dict.fromkeys(process.made, self._running[-1])
        self._agenda: dict[int, set[_Running]] = {0: set(self._running)}
        self._cycles = [0]

    def run(self) -> Run:
        while self._cycles:
            now = heapq.heappop(self._cycles)
            for running in self._agenda.pop(now):
                self._step(running, now)
        if not all(running.done for running in self._running):
            raise _deadlock()
        read = {fifo.name: fifo.read for running in self._running for fifo in running.made}
        return self._flow.run(self._written, read, sum(running.delay for running in self._running))

    @property
    def _written(self) -> dict[str, list[int]]:
        return {name: running.wrote for name, running in self._writers.items()}

    def _step(self, running: _Running, now: int) -> None:
        if running.due(now):
            full = next((fifo for fifo in running.made if not fifo.has_room(now)), None)
            if full:
                running.stop(full, now)
                if full.has_room(now + 1):
                    self._wake(running, now + 1)
                return
            running.go_on(now)
            running.write(now)
            for fifo in running.made:
                if fifo.reader.free <= now + 1:
                    self._wake(fifo.reader, now + 1)
        if running.ready(now):
            running.fire(now)
            for fifo in running.reads[len(running.fired) - 1]:
                if fifo.writer.stopped is not None:
                    self._wake(fifo.writer, now + 1)
        for cycle in running.plans(now):
            self._wake(running, cycle)

    def _wake(self, running: _Running, cycle: int) -> None:
        if cycle in self._agenda:
            self._agenda[cycle].add(running)
        else:
            self._agenda[cycle] = {running}
            heapq.heappush(self._cycles, cycle)

    def binding(self, sample: int) -> Counter[str]:
        """Return how often each FIFO was full along one chain of causes of a sample's last beat."""
        cycle, name = self._flow.last(sample, self._written)
        event = _Event(self._writers[name], cycle, wrote=True)
        found: Counter[str] = Counter()
        while cause := event.cause:
            event = cause
            if event.freed:
                found[event.freed.name] += 1
        return found


@dataclass(frozen=True, eq=False)
class _Event:
    """A process fires or writes in some cycle; ``freed`` is the full FIFO which that gave room."""

    running: _Running
    cycle: int
    wrote: bool = False
    freed: _Fifo | None = None

    @property
    def cause(self) -> _Event | None:
        """What had to happen first and left no cycle between, or None at the start."""
        running = self.running
        if self.wrote:
            sent = running.sent[bisect_left(running.wrote, self.cycle)]
            return self._room(sent) or _Event(running, sent)
        number = bisect_left(running.fired, self.cycle)
        if number and running.fired[number - 1] + running.pace == self.cycle:
            return _Event(running, running.fired[number - 1])
        for fifo in running.reads[number]:
            if fifo.writer.wrote[bisect_left(fifo.read, self.cycle)] == self.cycle - 1:
                return _Event(fifo.writer, self.cycle - 1, wrote=True)
        return self._room(self.cycle - 1)

    def _room(self, start: int) -> _Event | None:
        """The read after which the process last went on, if that was after the start."""
        place = bisect_right(self.running.resumed, self.cycle) - 1
        if place < 0 or self.running.resumed[place] <= start:
            return None
        freed = self.running.freed[place]
        return _Event(freed.reader, self.running.resumed[place] - 1, freed=freed)
