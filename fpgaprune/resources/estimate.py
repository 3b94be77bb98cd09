"""The estimate: physics of adders, multipliers, memories and pipeline cuts, from the lowered kernels alone.

Not calibrated: one look-up table an adder bit, delays rounded from vendor data sheets. It is for comparing designs
of this generator with each other, and every number of it is labelled `estimate`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fpgaprune.lower import BufferKernel, Kernel, Lowered, ScanKernel, cycles, results, simulate
from fpgaprune.resources.costs import costs, fifo_memory
from fpgaprune.resources.fabric import CLOCK_SHARE, FABRICS
from fpgaprune.resources.values import Kind, LayerResources, Resources
from fpgaprune.schedule import Interface

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def estimate(lowered: Lowered) -> Resources:
    """Return the estimated resources and timing of a lowered design."""
    fabric = FABRICS[lowered.design.board.family]
    budget = lowered.design.clock_ns * CLOCK_SHARE
    by_kernel = {kernel.name: costs(kernel, fabric, budget) for kernel in lowered.kernels}
    streaming = lowered.design.interface is Interface.STREAM
    interval, latency = (
        _streaming(lowered, by_kernel) if streaming else (1, _longest(lowered.kernels, _latencies(by_kernel)))
    )
    return Resources(
        kind=Kind.ESTIMATE,
        clock_ns=lowered.design.clock_ns,
        interval_cycles=interval,
        latency_cycles=latency,
        layers=tuple(layer for kernel in lowered.kernels for layer in _with_fifos(kernel, by_kernel, lowered)),
    )


def _with_fifos(
    kernel: Kernel, by_kernel: Mapping[str, Sequence[LayerResources]], lowered: Lowered
) -> tuple[LayerResources, ...]:
    """A kernel's FIFOs are those that it fills."""
    *body, own = by_kernel[kernel.name]
    held = [fifo_memory(lowered.depths[port.name], port) for port in results(kernel) if port.name in lowered.depths]
    lut, bram = sum(each.lut for each in held), sum(each.bram_18k for each in held)
    return (*body, replace(own, lut=own.lut + lut, bram_18k=own.bram_18k + bram))


def _longest(kernels: Sequence[Kernel], cycles_of: Mapping[str, int]) -> int:
    """Return the longest path through kernels, each of which starts when its last source is there."""
    ready: dict[str, int] = {}
    for kernel in kernels:
        start = max((ready.get(port.name, 0) for port in kernel.sources), default=0)
        for port in results(kernel):
            ready[port.name] = start + cycles_of[kernel.name]
    return max(ready.values(), default=0)


def _latencies(by_kernel: Mapping[str, Sequence[LayerResources]]) -> dict[str, int]:
    return {name: layers[-1].latency_cycles for name, layers in by_kernel.items()}


def _streaming(lowered: Lowered, by_kernel: Mapping[str, Sequence[LayerResources]]) -> tuple[int, int]:
    """Return interval and latency in cycles.

    The slowest process sets the interval. The latency is the way of one sample, in which each process takes a cycle
    a beat, and the further cycles of the pipelines that its last beat passes.
    """
    pace = {kernel.name: _pace(kernel, by_kernel[kernel.name]) for kernel in lowered.kernels}
    way = simulate(lowered.inputs, lowered.kernels, lowered.outputs, pace).cycles
    interval = max((cycles(kernel) * pace[kernel.name] for kernel in lowered.kernels), default=1)
    further = {name: max(latency - 1, 0) for name, latency in _latencies(by_kernel).items()}
    return interval, way + _longest(lowered.kernels, further)


def _pace(kernel: Kernel, layers: Sequence[LayerResources]) -> int:
    """Cycles between two firings: a loop waits for its body, a buffer for the two ports of its memory."""
    if isinstance(kernel, ScanKernel):
        return _longest(kernel.body, {layer.tensor: layer.latency_cycles for layer in layers}) + 1
    if isinstance(kernel, BufferKernel):
        return kernel.interval
    return 1
