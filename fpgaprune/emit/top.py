"""The top function's view: ports, one array or stream and one call for each kernel, copies to the outputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fpgaprune.emit.cpp import word_type
from fpgaprune.emit.describe import describe
from fpgaprune.emit.functions import beat_type, function_signature
from fpgaprune.emit.names import argument, beats
from fpgaprune.emit.processes import process_name, process_signature, step_view
from fpgaprune.emit.views import Declaration, Step
from fpgaprune.lower import (
    LEAST_DEPTH,
    AccumulateKernel,
    BufferKernel,
    ForkKernel,
    ScanKernel,
    WindowKernel,
    is_deep_fifo,
    results,
)
from fpgaprune.schedule import Interface

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fpgaprune.lower import Kernel, Lowered, Port
    from fpgaprune.schedule import Design


@dataclass(frozen=True)
class PortView:
    """A port of the top function: ``beats`` vectors of ``size`` words."""

    name: str
    type: str
    word: str
    size: int
    beats: int
    format: str
    exponent: int

    @property
    def words(self) -> int:
        """Words of one sample."""
        return self.beats * self.size


@dataclass(frozen=True)
class Copy:
    """An output that takes the words of an array."""

    target: str
    source: str
    size: int


@dataclass(frozen=True)
class Fifo:
    """A stream between two processes, ``depth`` beats deep."""

    name: str
    beat: str
    depth: int
    memory: str


@dataclass(frozen=True)
class ProcessCall:
    """The call of a process, and the streams that a trace writes after it."""

    call: str
    traced: tuple[str, ...]


@dataclass(frozen=True)
class TopView:
    """The top function, its header, the kernels' declarations and the testbench.

    Its ports are arrays or, ``streaming``, streams. A pipeline has ``steps`` and ``copies``, and takes a sample every
    cycle; a ``dataflow`` has ``fifos`` and ``processes``.
    """

    name: str
    guard: str
    comment: str
    interval: int
    streaming: bool
    dataflow: bool
    inputs: tuple[PortView, ...]
    outputs: tuple[PortView, ...]
    parameters: str
    arguments: str
    unused: tuple[str, ...]
    steps: tuple[Step, ...]
    copies: tuple[Copy, ...]
    fifos: tuple[Fifo, ...]
    processes: tuple[ProcessCall, ...]
    kernels: tuple[Declaration, ...]
    files: tuple[str, ...]
    input_names: str
    output_names: str
    input_words: int
    output_words: int


def top_view(lowered: Lowered, names: Mapping[str, str]) -> TopView:
    """Return the view of the top function; everything in it is a safe name, as in ``names``, or a word."""
    design = lowered.design
    streaming, dataflow = design.interface is Interface.STREAM, design.is_dataflow
    inputs = tuple(_port_view(port, names[port.name], design) for port in lowered.inputs)
    outputs = tuple(_port_view(output.port, names[argument(output.name)], design) for output in lowered.outputs)
    ports = (*inputs, *outputs)
    read = {port.name for kernel in lowered.kernels for port in kernel.sources} | {
        output.port.name for output in lowered.outputs
    }
    return TopView(
        name=design.name,
        guard=design.name.upper(),
        comment=f"{design.name} for {design.board.name} ({design.board.part}) at {design.clock_ns:g} ns",
        interval=lowered.interval,
        streaming=streaming,
        dataflow=dataflow,
        inputs=inputs,
        outputs=outputs,
        parameters=", ".join(_parameter(port, constant=port in inputs, streaming=streaming) for port in ports),
        arguments=", ".join(port.name for port in ports),
        unused=tuple(names[port.name] for port in lowered.inputs if port.name not in read),
        steps=() if dataflow else tuple(step_view(kernel, names) for kernel in lowered.kernels),
        copies=tuple(
            Copy(names[argument(output.name)], names[output.port.name], output.port.size) for output in lowered.outputs
        ),
        fifos=_fifos(lowered, names) if dataflow else (),
        processes=_calls(lowered, names, inputs, outputs) if dataflow else (),
        kernels=tuple(_declarations(lowered, names, dataflow=dataflow)),
        files=tuple(names[kernel.name] for kernel in lowered.every_kernel),
        input_names=", ".join(port.name for port in inputs),
        output_names=", ".join(port.name for port in outputs),
        input_words=sum(port.words for port in inputs),
        output_words=sum(port.words for port in outputs),
    )


def _port_view(port: Port, name: str, design: Design) -> PortView:
    """An array is all beats side by side."""
    whole = design.interface is Interface.PARALLEL
    size, beats = (port.beats * port.size, 1) if whole else (port.size, port.beats)
    kind = f"{design.name}_{name}_t"
    return PortView(name, kind, word_type(port.word), size, beats, str(port.format), -port.format.fraction)


def _parameter(port: PortView, *, constant: bool, streaming: bool) -> str:
    if streaming:
        return f"hls::stream<fpgaprune::Beat<{port.type}, {port.size}>> &{port.name}"
    return f"{'const ' if constant else ''}{port.type} {port.name}[{port.size}]"


def _declarations(lowered: Lowered, names: Mapping[str, str], *, dataflow: bool) -> list[Declaration]:
    """Functions of arrays in a pipeline and in the bodies of loops, processes elsewhere."""
    inside = {inner.name for kernel in lowered.kernels if isinstance(kernel, ScanKernel) for inner in kernel.body}
    return [
        Declaration(
            describe(kernel, lowered.design),
            _signature(kernel, names[kernel.name], dataflow and kernel.name not in inside),
        )
        for kernel in lowered.every_kernel
    ]


def _signature(kernel: Kernel, name: str, process: bool) -> str:
    if process or isinstance(kernel, (WindowKernel, AccumulateKernel, BufferKernel, ScanKernel, ForkKernel)):
        return process_signature(kernel, name)
    return function_signature(kernel, name)


def _fifos(lowered: Lowered, names: Mapping[str, str]) -> tuple[Fifo, ...]:
    ports = {port.name: port for kernel in lowered.kernels for port in results(kernel)}
    inner = [
        Fifo(names[name], beat_type(ports[name]), depth, "bram" if is_deep_fifo(depth, ports[name]) else "srl")
        for name, depth in lowered.depths.items()
    ]
    if lowered.design.interface is Interface.STREAM:
        return tuple(inner)
    ends = [(port.name, port) for port in lowered.inputs]
    ends += [(argument(output.name), output.port) for output in lowered.outputs]
    return (*inner, *(Fifo(names[beats(name)], beat_type(port), LEAST_DEPTH, "srl") for name, port in ends))


def _calls(
    lowered: Lowered, names: Mapping[str, str], inputs: tuple[PortView, ...], outputs: tuple[PortView, ...]
) -> tuple[ProcessCall, ...]:
    """The processes, between those that turn arrays into beats and back where the ports are arrays."""
    leaving = {output.port.name: argument(output.name) for output in lowered.outputs}
    if lowered.design.interface is Interface.STREAM:
        streams = {name: names[leaving.get(name, name)] for name in names}
        return tuple(_call(kernel, lowered.design.name, names, streams) for kernel in lowered.kernels)
    entering = {port.name: beats(port.name) for port in lowered.inputs}
    leaving = {output.port.name: beats(argument(output.name)) for output in lowered.outputs}
    streams = {name: names[(entering | leaving).get(name, name)] for name in names}
    enter = [
        _copy("enter", view.type, port, view.name, streams[port.name])
        for port, view in zip(lowered.inputs, inputs, strict=True)
    ]
    leave = [
        _copy("leave", view.type, output.port, streams[output.port.name], view.name)
        for output, view in zip(lowered.outputs, outputs, strict=True)
    ]
    return (*enter, *(_call(kernel, lowered.design.name, names, streams) for kernel in lowered.kernels), *leave)


def _copy(function: str, word: str, port: Port, source: str, target: str) -> ProcessCall:
    return ProcessCall(f"fpgaprune::{function}<{word}, {port.size}, {port.beats}>({source}, {target})", ())


def _call(kernel: Kernel, design: str, names: Mapping[str, str], streams: Mapping[str, str]) -> ProcessCall:
    arguments = [streams[port.name] for port in (*kernel.sources, *results(kernel))]
    traced = () if isinstance(kernel, ForkKernel) else (names[kernel.name],)
    call = f"{design}_kernels::{process_name(names[kernel.name])}({', '.join(arguments)})"
    return ProcessCall(call, tuple(f'"{name}", {arguments[-1]}' for name in traced))
