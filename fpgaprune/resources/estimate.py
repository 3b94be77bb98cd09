"""The estimate: physics of adders, multipliers, memories and pipeline cuts, from the lowered kernels alone.

Matrices are calibrated on open synthesis (`calibration`); delays are rounded from vendor data sheets. It is for
comparing designs of this generator with each other, and every number of it is labelled `estimate`.
"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

from fpgaprune.fabric import CLOCK_SHARE, FABRICS
from fpgaprune.lower import Kernel, Lowered, MatVecKernel, ScanKernel, results, simulate
from fpgaprune.resources.costs import costs, fifo, read_array, written_array
from fpgaprune.resources.values import Kind, LayerResources, Resources, together
from fpgaprune.schedule import Interface

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def estimate(lowered: Lowered) -> Resources:
    """Return the estimated resources and timing of a lowered design."""
    fabric = FABRICS[lowered.design.board.family]
    budget = lowered.design.clock_ns * CLOCK_SHARE
    by_kernel = {kernel.name: costs(kernel, fabric, budget) for kernel in lowered.kernels}
    interval, latency = (
        _dataflow(lowered, by_kernel)
        if lowered.design.is_dataflow
        else (1, _longest(lowered.kernels, _latencies(by_kernel)))
    )
    return Resources(
        kind=Kind.ESTIMATE,
        clock_ns=lowered.design.clock_ns,
        interval_cycles=interval,
        latency_cycles=latency,
        layers=(
            *(layer for kernel in lowered.kernels for layer in _with_fifos(kernel, by_kernel, lowered)),
            *_arrays(lowered),
        ),
    )


def _arrays(lowered: Lowered) -> tuple[LayerResources, ...]:
    """What stands between ports that are arrays and the processes inside."""
    design = lowered.design
    if design.interface is Interface.STREAM or not design.is_dataflow:
        return ()
    return (
        *(read_array(port.name, port) for port in lowered.inputs),
        *(written_array(output.name, output.port) for output in lowered.outputs),
    )


def _with_fifos(
    kernel: Kernel, by_kernel: Mapping[str, Sequence[LayerResources]], lowered: Lowered
) -> tuple[LayerResources, ...]:
    """A kernel's FIFOs are those that it fills."""
    *body, own = by_kernel[kernel.name]
    held = [
        fifo(kernel.name, lowered.depths[port.name], port) for port in results(kernel) if port.name in lowered.depths
    ]
    return (*body, reduce(together, held, own))


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


def _dataflow(lowered: Lowered, by_kernel: Mapping[str, Sequence[LayerResources]]) -> tuple[int, int]:
    """Return interval and latency in cycles, of samples that come one after the other, with the design's FIFOs."""
    pace = {kernel.name: _pace(kernel, by_kernel[kernel.name]) for kernel in lowered.kernels}
    latency = _latencies(by_kernel) | {
        kernel.name: pace[kernel.name] for kernel in lowered.kernels if isinstance(kernel, ScanKernel)
    }
    run = simulate(lowered.inputs, lowered.kernels, lowered.outputs, pace=pace, latency=latency, depths=lowered.depths)
    return run.interval, run.latency


def _pace(kernel: Kernel, layers: Sequence[LayerResources]) -> int:
    """Cycles between two firings: lanes work through their slots, a loop waits for its body."""
    if isinstance(kernel, MatVecKernel):
        return kernel.interval
    if isinstance(kernel, ScanKernel):
        return _longest(kernel.body, {layer.tensor: layer.latency_cycles for layer in layers}) + 1
    return 1
