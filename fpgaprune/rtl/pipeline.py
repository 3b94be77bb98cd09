"""A netlist as a module: its operations stage by stage, with registers for what lives across a cut."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from fpgaprune.lower.nodes import Constant, Element, LookUp, Netlist, cuts, operands
from fpgaprune.rtl.expressions import Expressions, declared, pattern

if TYPE_CHECKING:
    from collections.abc import Callable

    from fpgaprune.fabric import Fabric
    from fpgaprune.lower import Port, Word


@dataclass(frozen=True)
class PortView:
    """A port of a module: a flat vector of ``bits`` bits, word i in ``[i * width +: width]``."""

    name: str
    bits: int
    comment: str


@dataclass(frozen=True)
class StageView:
    """What is computed between two registers, and the registers that follow."""

    wires: tuple[str, ...]
    registers: tuple[str, ...]
    moves: tuple[str, ...]


@dataclass(frozen=True)
class TableView:
    """A table: the bits of the address and the word, and each entry."""

    address: int
    width: int
    entries: tuple[tuple[int, str], ...]


@dataclass(frozen=True)
class PipelineView:
    """What the template of a pipeline sees."""

    name: str
    comment: str
    latency: int
    inputs: tuple[PortView, ...]
    output: PortView
    table: TableView | None
    stages: tuple[StageView, ...]
    width: int
    results: tuple[str, ...]


def port_view(port: Port, name: str) -> PortView:
    """Return the port for beats of ``port``."""
    return PortView(name, port.size * port.word.width, f"{port.size} x {port.format}")


def pipeline_view(
    netlist: Netlist, result: Port, fabric: Fabric, budget: float, name: str, comment: str
) -> PipelineView:
    """Return the view of a kernel's netlist that is cut to the budget of a period in ns."""
    inputs = tuple(port_view(port, f"x{number}") for number, port in enumerate(netlist.sources))
    output, stages = port_view(result, "y"), _Stages(netlist, cuts(netlist, fabric, budget), _in_port)
    return stages.view(name, comment, inputs, output, result.word)


def merging_view(netlist: Netlist, result: Port, size: int, fabric: Fabric, budget: float, name: str) -> PipelineView:
    """Return the view of a netlist that makes ``size`` words of a result of partial sums, all in one vector ``x0``."""
    first: dict[int, int] = {}
    bits = 0
    for node in netlist.elements:
        first[node.index], bits = bits, bits + node.word.width

    def part(node: Element) -> str:
        return f"x0[{first[node.index]} +: {node.word.width}]"

    inputs = (PortView("x0", bits, f"{len(first)} partial sums"),)
    output = PortView("y", size * result.word.width, f"{size} x {result.format}")
    stages = _Stages(netlist, cuts(netlist, fabric, budget), part)
    return stages.view(name, "Partial sums of rows", inputs, output, result.word)


def _in_port(node: Element) -> str:
    width = node.word.width
    return f"x{node.port}[{node.index * width} +: {width}]"


class _Stages:
    """When each node is made and last read; ``last`` is the stage in which the results are there."""

    def __init__(self, netlist: Netlist, after: tuple[int, ...], element: Callable[[Element], str]) -> None:
        self._netlist = netlist
        self._element = element
        self.last = len(after) + 1 if netlist.registered else 0
        self._made = [bisect_left(after, level) for level in netlist.levels]

    @cached_property
    def _read(self) -> list[int]:
        """The stage that last reads each node, -1 where no result needs it."""
        read = [-1] * len(self._netlist.nodes)
        for term in self._netlist.results:
            read[term.place] = self.last
        for place in reversed(range(len(read))):
            if read[place] >= 0:
                for source in operands(self._netlist.nodes[place]):
                    read[source] = max(read[source], self._made[place])
        return read

    def view(self, name: str, comment: str, inputs: tuple[PortView, ...], output: PortView, word: Word) -> PipelineView:
        table = None if self._netlist.table is None else _table(self._netlist.table)
        stages, results = tuple(self._views()), tuple(self._results(word))
        return PipelineView(name, comment, self.last, inputs, output, table, stages, word.width, results)

    def _views(self) -> list[StageView]:
        made: list[list[int]] = [[] for _ in range(self.last + 1)]
        moved: list[list[int]] = [[] for _ in range(self.last + 1)]
        for place, node in enumerate(self._netlist.nodes):
            if self._read[place] >= 0 and not isinstance(node, Constant):
                made[self._made[place]].append(place)
                for stage in range(self._made[place], self._read[place]):
                    moved[stage].append(place)
        return [self._stage(stage, places, made[stage]) for stage, places in enumerate(moved)]

    def _stage(self, stage: int, moved: list[int], made: list[int]) -> StageView:
        nodes = self._netlist.nodes
        expressions = Expressions(nodes, lambda place: self._name(place, stage), self._element)
        return StageView(
            tuple(f"{declared(nodes[place].word, f'v{place}')} = {expressions.of(nodes[place])}" for place in made),
            tuple(declared(nodes[place].word, self._name(place, stage + 1), "reg") for place in moved),
            tuple(f"{self._name(place, stage + 1)} <= {self._name(place, stage)}" for place in moved),
        )

    def _name(self, place: int, stage: int) -> str:
        """Return the name of a node in a stage: as it is made, or in the register that holds it there."""
        return f"v{place}" if stage == self._made[place] else f"v{place}_{stage}"

    def _results(self, word: Word) -> list[str]:
        """Return the expression of each word of the result."""
        nodes = self._netlist.nodes
        expressions = Expressions(nodes, lambda place: self._name(place, self.last))
        texts = []
        for term in self._netlist.results:
            node = nodes[term.place]
            if isinstance(node, Constant):
                texts.append(pattern(node.low << term.shift, word.width))
            else:
                texts.append(expressions.read(term.place, signed=node.word.signed, shift=term.shift))
        return texts


def _table(table: LookUp) -> TableView:
    """Return the view of a table whose addresses are the bits of the sources' words."""
    address, width = table.source.width, table.word.width
    mask = (1 << address) - 1
    entries = ((source & mask, pattern(int(value), width)) for source, value in enumerate(table.values, table.low))
    return TableView(address, width, tuple(sorted(entries)))
