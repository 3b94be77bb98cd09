"""The top module of processes: an instance of each kernel, and FIFOs between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fpgaprune.emit.names import argument
from fpgaprune.fabric import places
from fpgaprune.lower import is_deep_fifo, results
from fpgaprune.lower.netlist import netlist
from fpgaprune.lower.nodes import latency
from fpgaprune.rtl.pipeline import PortView, port_view
from fpgaprune.rtl.top import as_pipelined, instance, module_names, top_names

if TYPE_CHECKING:
    from fpgaprune.fabric import Fabric
    from fpgaprune.lower import Kernel, Lowered


@dataclass(frozen=True)
class StreamsView:
    """A pipeline that becomes a process: a beat of each source at a time, all stopped while a result waits."""

    name: str
    module: str
    latency: int
    inputs: tuple[PortView, ...]
    output: PortView


@dataclass(frozen=True)
class FifoView:
    """A FIFO between two processes: what is written is called ``written``, what is read ``read``."""

    name: str
    bits: int
    depth: int
    deep: bool
    written: str
    read: str

    @property
    def count_bits(self) -> int:
        """Bits that count the beats."""
        return places(self.depth + 1)


@dataclass(frozen=True)
class ProcessView:
    """A process, and the streams that it reads and writes."""

    module: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class DataflowView:
    """What the template of the top module of processes sees."""

    name: str
    inputs: tuple[PortView, ...]
    outputs: tuple[PortView, ...]
    pipelines: tuple[StreamsView, ...]
    fifos: tuple[FifoView, ...]
    processes: tuple[ProcessView, ...]

    @property
    def shallow(self) -> bool:
        """Whether a FIFO is a shift register."""
        return not all(fifo.deep for fifo in self.fifos)

    @property
    def deep(self) -> bool:
        """Whether a FIFO is a block RAM."""
        return any(fifo.deep for fifo in self.fifos)


def dataflow_top(lowered: Lowered, fabric: Fabric, budget: float) -> DataflowView:
    """Return the view of a design whose kernels are processes."""
    return _Dataflow(lowered, fabric, budget).view()


class _Dataflow:
    def __init__(self, lowered: Lowered, fabric: Fabric, budget: float) -> None:
        self._lowered = lowered
        self._fabric, self._budget = fabric, budget
        self._modules = module_names(lowered)
        ports = [port for kernel in lowered.kernels for port in results(kernel)]
        self._inner = [port for port in ports if port.name in lowered.depths]
        others = [f"{port.name}/{end}" for port in self._inner for end in _ENDS]
        self._names = top_names(lowered, [*map(instance, lowered.kernels), *others])
        self._leaving = {output.port.name: self._names[argument(output.name)] for output in lowered.outputs}

    def view(self) -> DataflowView:
        lowered = self._lowered
        pipelines = [(kernel, pipelined) for kernel in lowered.kernels if (pipelined := as_pipelined(kernel))]
        return DataflowView(
            name=lowered.design.name,
            inputs=tuple(port_view(port, self._names[port.name]) for port in lowered.inputs),
            outputs=tuple(port_view(output.port, self._leaving[output.port.name]) for output in lowered.outputs),
            pipelines=tuple(
                StreamsView(
                    name=f"{self._modules[kernel.name]}_process",
                    module=self._modules[kernel.name],
                    latency=latency(netlist(pipelined), self._fabric, self._budget),
                    inputs=tuple(port_view(port, f"x{number}") for number, port in enumerate(kernel.sources)),
                    output=port_view(pipelined.result, "y0"),
                )
                for kernel, pipelined in pipelines
            ),
            fifos=tuple(
                FifoView(
                    name=self._names[f"{port.name}/fifo"],
                    bits=port.size * port.word.width,
                    depth=lowered.depths[port.name],
                    deep=is_deep_fifo(lowered.depths[port.name], port),
                    written=self._names[f"{port.name}/written"],
                    read=self._names[f"{port.name}/read"],
                )
                for port in self._inner
            ),
            processes=tuple(self._process(kernel) for kernel in lowered.kernels),
        )

    def _process(self, kernel: Kernel) -> ProcessView:
        module = self._modules[kernel.name]
        return ProcessView(
            module=f"{module}_process" if as_pipelined(kernel) else module,
            name=self._names[instance(kernel)],
            inputs=tuple(self._end(port.name, "read") for port in kernel.sources),
            outputs=tuple(self._end(port.name, "written") for port in results(kernel)),
        )

    def _end(self, port: str, end: str) -> str:
        """Return the name of a stream as its reader or its writer sees it."""
        if port in self._lowered.depths:
            return self._names[f"{port}/{end}"]
        return self._leaving[port] if end == "written" else self._names[port]


_ENDS = ("written", "read", "fifo")
