"""Loops: states in registers, and a body whose kernels wait for what they read, a step at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fpgaprune.lower import results
from fpgaprune.lower.netlist import netlist
from fpgaprune.lower.nodes import latency
from fpgaprune.rtl.expressions import pattern
from fpgaprune.rtl.memories import CounterView
from fpgaprune.rtl.pipeline import PortView, port_view
from fpgaprune.rtl.top import as_pipelined

if TYPE_CHECKING:
    from fpgaprune.fabric import Fabric
    from fpgaprune.lower import Port, ScanKernel


@dataclass(frozen=True)
class StateView:
    """A state: its register, its first words, and the vector that is its next."""

    name: str
    bits: int
    initial: str
    after: str


@dataclass(frozen=True)
class StepView:
    """A kernel of the body, the vectors that it reads and makes; ``latency`` is None where it has streams."""

    module: str
    name: str
    latency: int | None
    inputs: tuple[str, ...]
    output: str
    bits: int


@dataclass(frozen=True)
class ScanView:
    """What the template of a loop sees."""

    name: str
    comment: str
    source: PortView
    result: PortView
    beat: CounterView
    states: tuple[StateView, ...]
    steps: tuple[StepView, ...]
    index: int


def scan_view(kernel: ScanKernel, fabric: Fabric, budget: float, name: str, comment: str) -> ScanView:
    """Return the view of a loop; the kernels of its body are modules, as `body_module` names them."""
    vectors = {kernel.step.name: "x"}
    vectors |= {state.before.name: f"state_{number}" for number, state in enumerate(kernel.states)}
    steps = []
    for number, inner in enumerate(kernel.body):
        (made,) = results(inner)
        pipelined = as_pipelined(inner)
        cycles = None if pipelined is None else latency(netlist(pipelined), fabric, budget)
        inputs = tuple(vectors[port.name] for port in inner.sources)
        vectors[made.name] = f"made_{number}"
        steps.append(
            StepView(body_module(name, number), f"step_{number}", cycles, inputs, f"made_{number}", _bits(made))
        )
    states = tuple(
        StateView(
            f"state_{number}", _bits(state.before), _initial(state.before, state.initial), vectors[state.after.name]
        )
        for number, state in enumerate(kernel.states)
    )
    ports = port_view(kernel.source, "x0"), port_view(kernel.result, "y0")
    return ScanView(name, comment, *ports, CounterView(kernel.source.beats), states, tuple(steps), kernel.index)


def body_module(name: str, number: int) -> str:
    """Return the name of the module of a kernel of a body."""
    return f"{name}_body_{number}"


def _bits(port: Port) -> int:
    return port.size * port.word.width


def _initial(port: Port, words: tuple[int, ...]) -> str:
    width = port.word.width
    packed = sum((word & ((1 << width) - 1)) << width * place for place, word in enumerate(words))
    return pattern(packed, _bits(port))
