"""Netlists: words of exact width, each made by one operation; what kernels become, and what Verilog is printed of."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import numpy as np
from typing_extensions import assert_never

from fpgaprune.digits import signed_digits
from fpgaprune.errors import GraphError
from fpgaprune.fabric import memory
from fpgaprune.fixed import Rounding, as_mantissas, clip, rescale
from fpgaprune.lower.kernels import Word

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fpgaprune.fabric import Fabric
    from fpgaprune.fixed import IntArray
    from fpgaprune.lower.kernels import Port

# --- values ---


@dataclass(frozen=True, slots=True)
class _Value:
    """A node is an integer of the interval ``low``…``high``; its operands are numbers of nodes before it."""

    low: int
    high: int

    @property
    def word(self) -> Word:
        """The narrowest word of the value."""
        return Word.holding(self.low, self.high)


@dataclass(frozen=True, slots=True)
class Element(_Value):
    """Word ``index`` of port ``port``."""

    port: int
    index: int


@dataclass(frozen=True, slots=True)
class Constant(_Value):
    """The one value of its interval."""


@dataclass(frozen=True, slots=True)
class Sum(_Value):
    """``(left << left_shift) + (right << right_shift)``, or their difference."""

    left: int
    right: int
    left_shift: int = 0
    right_shift: int = 0
    subtract: bool = False


@dataclass(frozen=True, slots=True)
class Scaled(_Value):
    """``source * factor``, of a constant factor."""

    source: int
    factor: int


@dataclass(frozen=True, slots=True)
class Product(_Value):
    """``left * right``."""

    left: int
    right: int


@dataclass(frozen=True, slots=True)
class Shifted(_Value):
    """The source without its ``shift`` lowest bits, rounded; a negative shift adds zeros below."""

    source: int
    shift: int
    rounding: Rounding = Rounding.TRN

    @property
    def adds(self) -> bool:
        """Whether rounding looks at the bits that are dropped."""
        return self.shift > 0 and self.rounding is not Rounding.TRN


@dataclass(frozen=True, slots=True)
class Limited(_Value):
    """The source, but at least ``least`` and at most ``most``, where they are given."""

    source: int
    least: int | None
    most: int | None


@dataclass(frozen=True, slots=True)
class Inside(_Value):
    """The source, or zero where it is outside of ``least``…``most``."""

    source: int
    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Wrapped(_Value):
    """The low bits of the source, as many as the word ``to`` has."""

    source: int
    to: Word


@dataclass(frozen=True, slots=True)
class Looked(_Value):
    """The entry of the netlist's table for the source."""

    source: int


@dataclass(frozen=True, slots=True)
class AtLeast(_Value):
    """1 where ``left >= right``, else 0."""

    left: int
    right: int


@dataclass(frozen=True, slots=True)
class Chosen(_Value):
    """``left`` where the condition is 1, else ``right``."""

    condition: int
    left: int
    right: int


Node: TypeAlias = (
    Element | Constant | Sum | Scaled | Product | Shifted | Limited | Inside | Wrapped | Looked | AtLeast | Chosen
)


def operands(node: Node) -> tuple[int, ...]:
    """Return the numbers of the nodes that a node reads."""
    match node:
        case Element() | Constant():
            return ()
        case Sum() | Product() | AtLeast():
            return node.left, node.right
        case Scaled() | Shifted() | Limited() | Inside() | Wrapped() | Looked():
            return (node.source,)
        case Chosen():
            return node.condition, node.left, node.right
        case _:
            assert_never(node)


@dataclass(frozen=True, slots=True)
class Term:
    """``node << shift``."""

    place: int
    shift: int = 0


@dataclass(frozen=True, eq=False)
class LookUp:
    """Entry ``source - low`` is the word for the source."""

    values: IntArray
    low: int

    @property
    def source(self) -> Word:
        """The word of the sources that have an entry."""
        return Word.holding(self.low, self.low + len(self.values) - 1)

    @property
    def word(self) -> Word:
        """The word of the entries."""
        return Word.holding(int(self.values.min()), int(self.values.max()))

    @property
    def in_block_ram(self) -> bool:
        """Whether the table is large enough for a block RAM, whose output is a register."""
        return memory(len(self.values), self.word.width, read_only=True).bram_18k > 0


@dataclass(frozen=True, eq=False)
class Netlist:
    """Nodes in the order in which they are computed, and for each word of the result the term that it is.

    Where ``registered`` is not set the results are wires.
    """

    sources: tuple[Port, ...]
    nodes: tuple[Node, ...]
    results: tuple[Term, ...]
    table: LookUp | None = None
    registered: bool = True

    @property
    def elements(self) -> tuple[Element, ...]:
        """The elements that are read."""
        return tuple(node for node in self.nodes if isinstance(node, Element))

    @cached_property
    def levels(self) -> tuple[int, ...]:
        """For each node the operations that take time on the longest way to it."""
        levels: list[int] = []
        for node in self.nodes:
            levels.append(max((levels[place] for place in operands(node)), default=0) + takes_time(node))
        return tuple(levels)

    def run(self, *words: IntArray) -> IntArray:
        """Return the words of the result (n, size) for those of each source (n, size), checking every interval.

        Raises:
            GraphError: a value outside its interval.
        """
        ports = [as_mantissas(source).astype(object) for source in words]
        samples = len(ports[0]) if ports else 1
        values: list[IntArray] = []
        for place, node in enumerate(self.nodes):
            value = np.broadcast_to(np.asarray(self._value(node, values, ports), dtype=object), (samples,))
            if ((value < node.low) | (value > node.high)).any():
                msg = f"value {place} ({type(node).__name__}) leaves its interval {node.low}…{node.high}"
                raise GraphError(msg)
            values.append(value)
        made = [values[term.place] << term.shift for term in self.results]
        return np.stack(made, axis=1) if made else np.zeros((samples, 0), dtype=object)

    def _value(self, node: Node, values: Sequence[IntArray], ports: Sequence[IntArray]) -> IntArray | int:
        match node:
            case Element():
                return ports[node.port][:, node.index]
            case Constant():
                return node.low
            case Sum():
                left, right = values[node.left] << node.left_shift, values[node.right] << node.right_shift
                return left - right if node.subtract else left + right
            case Scaled():
                return values[node.source] * node.factor
            case Product():
                return values[node.left] * values[node.right]
            case Shifted():
                return rescale(values[node.source], node.shift, node.rounding)
            case Limited():
                return clip(values[node.source], node.least, node.most)
            case Inside():
                source = values[node.source]
                return np.where((source < node.least) | (source > node.most), 0, source)
            case Wrapped():
                return wrapped(values[node.source], node.to)
            case Looked():
                assert self.table is not None  # noqa: S101  # only kernels with a table look something up
                return self.table.values[(values[node.source] - self.table.low).astype(np.int64)]
            case AtLeast():
                return (values[node.left] >= values[node.right]).astype(int)
            case Chosen():
                return np.where(values[node.condition] == 1, values[node.left], values[node.right])
            case _:
                assert_never(node)


ValueT = TypeVar("ValueT", int, "IntArray")


def wrapped(value: ValueT, word: Word) -> ValueT:
    """Return the low bits of a value that a word takes."""
    offset = 1 << word.width - 1 if word.signed else 0
    return (value + offset & (1 << word.width) - 1) - offset


# --- time ---


def takes_time(node: Node) -> bool:
    """Whether a node is logic, and not wires or what chooses by a comparison that is counted."""
    match node:
        case Element() | Constant() | Wrapped() | Chosen():
            return False
        case Shifted():
            return node.adds
        case Sum() | Scaled() | Product() | Limited() | Inside() | Looked() | AtLeast():
            return True
        case _:
            assert_never(node)


def is_multiplier(node: Node) -> bool:
    """Whether a node is a multiplier: a factor of two signed digits makes an adder."""
    return isinstance(node, Product) or (isinstance(node, Scaled) and _has_many_digits(node.factor))


def _has_many_digits(factor: int) -> bool:
    return int(signed_digits(np.array([factor]))[0]) > 2


def cuts(netlist: Netlist, fabric: Fabric, budget: float) -> tuple[int, ...]:
    """Return the levels after which a register stands: before the next one would pass the budget of a period in ns.

    A product of two words has a register in its slice, and a block RAM one in its output. The register of the results
    is not among them.
    """
    depth = max((netlist.levels[term.place] for term in netlist.results), default=0)
    slow, held = set(), set()
    for node, level in zip(netlist.nodes, netlist.levels, strict=True):
        if is_multiplier(node):
            slow.add(level)
        if isinstance(node, Product) or (isinstance(node, Looked) and _in_block_ram(netlist)):
            held.add(level)
    found: list[int] = []
    used = 0.0
    for level in range(depth):
        delay = fabric.multiplier_ns if level + 1 in slow else fabric.adder_ns
        if level in held or (used and used + delay > budget):
            found.append(level)
            used = 0.0
        used += delay
    return (*found, depth) if depth in held else tuple(found)


def _in_block_ram(netlist: Netlist) -> bool:
    return netlist.table is not None and netlist.table.in_block_ram


def latency(netlist: Netlist, fabric: Fabric, budget: float) -> int:
    """Return the cycles from the inputs to the results: the registers at the cuts, and that of the results."""
    return len(cuts(netlist, fabric, budget)) + 1 if netlist.registered else 0
