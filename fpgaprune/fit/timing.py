"""When things happen in a design, as bounds that are linear in the cycles of its matrices."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from fpgaprune.fit.problem import INTERVAL, LATENCY, Bound
from fpgaprune.lower import MatVecKernel, ScanKernel, results
from fpgaprune.lower.streams import firings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fpgaprune.lower import Kernel, Lowered, Port

_HOP = 1
"""Cycles after which a beat that was written to a FIFO can be read."""


def timing(lowered: Lowered, latencies: Mapping[str, int], layers: Mapping[str, str]) -> tuple[Bound, ...]:
    """Return the bounds of interval and latency of a design, and of the times between.

    ``latencies`` are the cycles of each kernel that is no matrix, by its name; ``layers`` the layer of each that is.
    In a design of processes the beats of a port are taken as evenly spread between its first and its last.
    """
    clocks = _Clocks(latencies, layers)
    if lowered.design.is_dataflow:
        found = [bound for kernel in lowered.kernels for bound in clocks.process(kernel)]
    else:
        found = [*clocks.path(lowered.kernels), Bound(INTERVAL, 1)]
    left = -_HOP if lowered.design.is_dataflow else 0  # what leaves the design is not read from a FIFO
    leaving = [Bound(LATENCY, left, ((_last(output.port), 1.0),)) for output in lowered.outputs]
    return (*found, *leaving)


def _first(port: Port) -> str:
    return f"first/{port.name}"


def _last(port: Port) -> str:
    return f"last/{port.name}"


def _pace(kernel: Kernel) -> str:
    return f"pace/{kernel.name}"


@dataclass(frozen=True)
class _Clocks:
    latencies: Mapping[str, int]
    layers: Mapping[str, str]

    def path(self, kernels: Sequence[Kernel]) -> Iterator[Bound]:
        """Each kernel starts when its last source is there."""
        for kernel in kernels:
            for port in results(kernel):
                own = self._delayed(Bound(_last(port)), kernel, least=0)
                yield own
                yield from (_later(own, (_last(source), 1.0)) for source in kernel.sources)

    def process(self, kernel: Kernel) -> Iterator[Bound]:
        """Each kernel fires once a pace where its sources have beats."""
        if isinstance(kernel, ScanKernel):
            yield from self.path(kernel.body)
            made = [port for inner in kernel.body for port in results(inner)]
            yield from (Bound(_pace(kernel), 1, ((_last(port), 1.0),)) for port in made)
        reads, writes = firings(kernel)
        yield self._paced(Bound(INTERVAL), kernel, len(writes))
        written = np.flatnonzero(writes).tolist()
        if not written:
            return
        for port in results(kernel):
            yield from self._written(kernel, reads, _first(port), written[0])
            yield from self._written(kernel, reads, _last(port), written[-1])
            yield self._paced(Bound(_last(port), after=((_first(port), 1.0),)), kernel, written[-1] - written[0])

    def _written(
        self, kernel: Kernel, reads: np.ndarray[tuple[int, ...], np.dtype[np.bool_]], target: str, firing: int
    ) -> Iterator[Bound]:
        """The beat of a firing comes after the beats that were read up to then, and after the firings since."""
        own = self._delayed(Bound(target, _HOP), kernel, least=1)
        yield own
        for place, source in enumerate(kernel.sources):
            read = np.flatnonzero(reads[: firing + 1, place]).tolist()
            if read:
                share = (len(read) - 1) / max(source.beats - 1, 1)
                yield self._paced(_later(own, (_first(source), 1.0)), kernel, firing - read[0])
                spread = _later(own, (_first(source), 1 - share), (_last(source), share))
                yield self._paced(spread, kernel, firing - read[-1])

    def _delayed(self, bound: Bound, kernel: Kernel, least: int) -> Bound:
        """Add the latency of a kernel; a process that only passes beats on takes a cycle, too."""
        if isinstance(kernel, MatVecKernel):
            return replace(bound, layer=self.layers[kernel.name], latencies=1)
        if isinstance(kernel, ScanKernel):
            return _later(bound, (_pace(kernel), 1.0))
        return replace(bound, cycles=bound.cycles + max(self.latencies[kernel.name], least))

    def _paced(self, bound: Bound, kernel: Kernel, firings: int) -> Bound:
        """Add the time of so many firings."""
        if isinstance(kernel, MatVecKernel):
            return replace(bound, layer=self.layers[kernel.name], intervals=firings)
        if isinstance(kernel, ScanKernel):
            return _later(bound, (_pace(kernel), float(firings)))
        return replace(bound, cycles=bound.cycles + firings)


def _later(bound: Bound, *after: tuple[str, float]) -> Bound:
    return replace(bound, after=bound.after + tuple(each for each in after if each[1]))
