"""The top module of a pipeline: an instance of each kernel, and registers that let branches meet again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast, get_args

from fpgaprune.emit.names import argument, names_of
from fpgaprune.lower import ConstantKernel, MatMulKernel, MatVecKernel, results
from fpgaprune.lower.netlist import NetlistKernel, netlist
from fpgaprune.lower.nodes import latency
from fpgaprune.paths import unique_identifiers
from fpgaprune.rtl.pipeline import PortView, port_view
from fpgaprune.schedule import Folded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fpgaprune.fabric import Fabric
    from fpgaprune.lower import Kernel, Lowered, Port

CONTROL = ("clk", "rst", "ce", "in_valid", "out_valid", "valid")
"""Names of the top module that are no tensor's."""


@dataclass(frozen=True)
class DelayView:
    """A vector ``name`` and the registers that hold it one, two and more cycles later."""

    bits: int
    name: str
    later: tuple[str, ...]


@dataclass(frozen=True)
class InstanceView:
    """A kernel of the design: its module, the vectors that it reads and the one that it makes."""

    module: str
    name: str
    inputs: tuple[str, ...]
    output: PortView


@dataclass(frozen=True)
class TopView:
    """What the template of the top module sees."""

    name: str
    latency: int
    inputs: tuple[PortView, ...]
    outputs: tuple[PortView, ...]
    instances: tuple[InstanceView, ...]
    delays: tuple[DelayView, ...]
    leaving: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class PortNames:
    """The top module's name of each port of the design: by that of its input, and by that of its output."""

    inputs: Mapping[str, str]
    outputs: Mapping[str, str]


def module_names(lowered: Lowered) -> dict[str, str]:
    """Return kernel → name of its module, unique in the design."""
    names, design = names_of(lowered), lowered.design.name
    return {kernel.name: f"{design}_{names[kernel.name]}" for kernel in lowered.every_kernel}


def port_names(lowered: Lowered) -> PortNames:
    """Return the names of the ports of a design."""
    names = top_names(lowered)
    return PortNames(
        {port.name: names[port.name] for port in lowered.inputs},
        {output.name: names[argument(output.name)] for output in lowered.outputs},
    )


def top_names(lowered: Lowered, others: Sequence[str] = ()) -> Mapping[str, str]:
    """Return the names of the top module: of tensors, kernels, and ``others``, none of them that of a control."""
    safe = names_of(lowered)
    sides = [f"{name}_{side}" for name in safe.values() for side in ("valid", "ready")]
    unique = unique_identifiers([*safe.values(), *others], reserved=[lowered.design.name, *CONTROL, *sides])
    return {name: unique[identifier] for name, identifier in safe.items()} | {name: unique[name] for name in others}


def pipeline_top(lowered: Lowered, fabric: Fabric, budget: float) -> TopView:
    """Return the view of a design whose kernels all take a beat a cycle."""
    timing = _Timing(lowered, fabric, budget)
    modules, names = module_names(lowered), timing.names
    return TopView(
        name=lowered.design.name,
        latency=timing.latency,
        inputs=tuple(port_view(port, names[port.name]) for port in lowered.inputs),
        outputs=tuple(port_view(output.port, names[argument(output.name)]) for output in lowered.outputs),
        instances=tuple(
            InstanceView(
                modules[kernel.name],
                names[instance(kernel)],
                tuple(timing.delayed(port, timing.start[kernel.name]) for port in kernel.sources),
                port_view(results(kernel)[0], names[results(kernel)[0].name]),
            )
            for kernel in lowered.kernels
        ),
        delays=timing.delays,
        leaving=tuple(
            (names[argument(output.name)], timing.delayed(output.port, timing.latency)) for output in lowered.outputs
        ),
    )


class _Timing:
    """When each vector is there, and what all vectors are called; constants are always there."""

    def __init__(self, lowered: Lowered, fabric: Fabric, budget: float) -> None:
        self._ready: dict[str, int] = {port.name: 0 for port in lowered.inputs}
        self._longest: dict[str, int] = {}
        self._ports = {port.name: port for port in lowered.inputs}
        self.start: dict[str, int] = {}
        for kernel in lowered.kernels:
            self._add(kernel, fabric, budget)
        self.latency = max((self._ready.get(output.port.name, 0) for output in lowered.outputs), default=0)
        for output in lowered.outputs:
            self._wait(output.port, self.latency)
        self.names = self._named(lowered)

    def _add(self, kernel: Kernel, fabric: Fabric, budget: float) -> None:
        start = max((self._ready.get(port.name, 0) for port in kernel.sources), default=0)
        self.start[kernel.name] = start
        for port in kernel.sources:
            self._wait(port, start)
        for port in results(kernel):
            self._ports[port.name] = port
            if not isinstance(kernel, ConstantKernel):
                pipelined = as_pipelined(kernel)
                assert pipelined is not None  # noqa: S101  # other kernels are in dataflows alone
                self._ready[port.name] = start + latency(netlist(pipelined), fabric, budget)

    def _wait(self, port: Port, until: int) -> None:
        cycles = until - self._ready.get(port.name, until)
        self._longest[port.name] = max(cycles, self._longest.get(port.name, 0))

    def _named(self, lowered: Lowered) -> Mapping[str, str]:
        later = [_later(name, cycles) for name, most in self._longest.items() for cycles in range(1, most + 1)]
        return top_names(lowered, [*map(instance, lowered.kernels), *later])

    def delayed(self, port: Port, cycle: int) -> str:
        """Return the name of a vector as it is in a cycle."""
        cycles = cycle - self._ready.get(port.name, cycle)
        return self.names[_later(port.name, cycles) if cycles else port.name]

    @property
    def delays(self) -> tuple[DelayView, ...]:
        return tuple(
            DelayView(
                self._ports[name].size * self._ports[name].word.width,
                self.names[name],
                tuple(self.names[_later(name, cycles)] for cycles in range(1, most + 1)),
            )
            for name, most in self._longest.items()
            if most
        )


def as_pipelined(kernel: Kernel) -> NetlistKernel | None:
    """Return a kernel that takes a beat a cycle and so is a netlist, else None."""
    if isinstance(kernel, MatVecKernel) and isinstance(kernel.plan, Folded):
        return None
    if isinstance(kernel, MatMulKernel) and not kernel.is_whole:
        return None
    if isinstance(kernel, ConstantKernel) and kernel.result.beats > 1:
        return None
    return cast("NetlistKernel", kernel) if isinstance(kernel, get_args(NetlistKernel)) else None


def instance(kernel: Kernel) -> str:
    """Return the key of the name of a kernel's instance."""
    return f"{kernel.name}/kernel"


def _later(name: str, cycles: int) -> str:
    return f"{name}/{cycles}"
