"""The top function's view: ports, one array and one call for each kernel, copies to the outputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fpgaprune.emit.cpp import word_type
from fpgaprune.emit.views import Declaration, declaration, function_name
from fpgaprune.paths import unique_identifiers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fpgaprune.lower import Kernel, Lowered, Port


@dataclass(frozen=True)
class PortView:
    """A port of the top function."""

    name: str
    type: str
    word: str
    size: int
    format: str
    exponent: int


@dataclass(frozen=True)
class Step:
    """The array that a kernel fills and the call that fills it."""

    name: str
    tensor: str
    word: str
    size: int
    call: str


@dataclass(frozen=True)
class Copy:
    """An output that takes the words of an array."""

    target: str
    source: str
    size: int


@dataclass(frozen=True)
class TopView:
    """The top function, its header, the kernels' declarations and the testbench."""

    name: str
    guard: str
    comment: str
    interval: int
    inputs: tuple[PortView, ...]
    outputs: tuple[PortView, ...]
    parameters: str
    arguments: str
    unused: tuple[str, ...]
    steps: tuple[Step, ...]
    copies: tuple[Copy, ...]
    kernels: tuple[Declaration, ...]
    input_names: str
    output_names: str
    input_words: int
    output_words: int


def names_of(lowered: Lowered) -> dict[str, str]:
    """Return tensor → safe C++ name for every port, unique together with the names that the top function adds.

    The array of an output's argument is under ``_argument(name)``.
    """
    ports = dict.fromkeys(port.name for port in (*lowered.inputs, *(kernel.result for kernel in lowered.kernels)))
    reserved = [lowered.design.name, f"{lowered.design.name}_kernels", "fpgaprune", "i"]
    arguments = [_argument(output.name) for output in lowered.outputs]
    return unique_identifiers([*reserved, *ports, *arguments])


def _argument(tensor: str) -> str:
    return f"{tensor}/out"


def top_view(lowered: Lowered) -> TopView:
    """Return the view of the top function; everything in it is a safe name or a word."""
    design, names = lowered.design, names_of(lowered)
    inputs = tuple(_port_view(port, names[port.name], design.name) for port in lowered.inputs)
    outputs = tuple(_port_view(output.port, names[_argument(output.name)], design.name) for output in lowered.outputs)
    ports = (*inputs, *outputs)
    read = {port.name for kernel in lowered.kernels for port in kernel.sources} | {
        output.port.name for output in lowered.outputs
    }
    return TopView(
        name=design.name,
        guard=design.name.upper(),
        comment=f"{design.name} for {design.board.name} ({design.board.part}) at {design.clock_ns:g} ns",
        interval=1,
        inputs=inputs,
        outputs=outputs,
        parameters=", ".join(
            f"{'const ' if port in inputs else ''}{port.type} {port.name}[{port.size}]" for port in ports
        ),
        arguments=", ".join(port.name for port in ports),
        unused=tuple(names[port.name] for port in lowered.inputs if port.name not in read),
        steps=tuple(_step(kernel, names) for kernel in lowered.kernels),
        copies=tuple(
            Copy(names[_argument(output.name)], names[output.port.name], output.port.size) for output in lowered.outputs
        ),
        kernels=tuple(declaration(kernel, names[kernel.name]) for kernel in lowered.kernels),
        input_names=", ".join(port.name for port in inputs),
        output_names=", ".join(port.name for port in outputs),
        input_words=sum(port.size for port in inputs),
        output_words=sum(port.size for port in outputs),
    )


def _port_view(port: Port, name: str, design: str) -> PortView:
    return PortView(
        name, f"{design}_{name}_t", word_type(port.word), port.size, str(port.format), -port.format.fraction
    )


def _step(kernel: Kernel, names: Mapping[str, str]) -> Step:
    name = names[kernel.name]
    arguments = ", ".join([*(names[port.name] for port in kernel.sources), name])
    call = f"{function_name(name)}({arguments})"
    return Step(name, name, word_type(kernel.result.word), kernel.result.size, call)
