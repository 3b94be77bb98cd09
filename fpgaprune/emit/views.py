"""What each template sees: frozen views of kernels, with every word and name already chosen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Declaration:
    """A function as its callers see it."""

    comment: str
    signature: str


@dataclass(frozen=True)
class StreamView:
    """A stream that a process reads or writes, and the beat that it holds for a cycle."""

    name: str
    beat: str
    local: str


@dataclass(frozen=True)
class ProcessView:
    """A process that calls a kernel's function for every beat."""

    signature: str
    beats: int
    sources: tuple[StreamView, ...]
    result: StreamView
    call: str


@dataclass(frozen=True)
class Group:
    """Rows that one function computes, few enough terms to be unrolled."""

    name: str
    rows: tuple[str, ...]


@dataclass(frozen=True)
class MatVecView:
    """A matrix kernel: its tables of non-zeros and a line for each row."""

    design: str
    terms: str
    comment: str
    signature: str
    parameters: str
    source: str
    result: str
    nonzeros: int
    column_type: str
    columns: str
    weight_type: str
    weights: str
    groups: tuple[Group, ...]
    process: ProcessView | None
    inline: bool


@dataclass(frozen=True)
class TableView:
    """A read-only table of numbers."""

    type: str
    name: str
    numbers: str


@dataclass(frozen=True)
class ArrayView:
    """An array of values of one word."""

    word: str
    name: str
    size: int


@dataclass(frozen=True)
class LoopView:
    """A statement that is repeated, unrolled, for i in ``start``…``stop - 1``."""

    start: int
    stop: int
    statement: str


@dataclass(frozen=True)
class AdderGroup:
    """Rows that one function computes, the arrays of values that they are made of, and the loops that fill these."""

    name: str
    arrays: tuple[ArrayView, ...]
    loops: tuple[LoopView, ...]
    rows: tuple[str, ...]


@dataclass(frozen=True)
class AdderView:
    """A matrix kernel made of shared additions, and the tables of their operands."""

    design: str
    terms: str
    comment: str
    signature: str
    parameters: str
    source: str
    result: str
    tables: tuple[TableView, ...]
    groups: tuple[AdderGroup, ...]
    process: ProcessView | None
    inline: bool


@dataclass(frozen=True)
class MemoryView:
    """A memory of constants: its words, the type that holds them in simulation, and what each lane's is built of."""

    word: str
    type: str
    name: str
    numbers: str
    ram: str


@dataclass(frozen=True)
class CaseView:
    """Slots in which a lane reads an element."""

    slots: tuple[int, ...]
    element: int


@dataclass(frozen=True)
class PartView:
    """A part of a row, by its number, and the slot in which its sum is complete."""

    number: int
    end: int


@dataclass(frozen=True)
class LaneView:
    """A lane with so many terms: the elements that it reads, that of all other slots, and the parts that it makes."""

    number: int
    terms: int
    cases: tuple[CaseView, ...]
    default: int
    parts: tuple[PartView, ...]


@dataclass(frozen=True)
class LanesView:
    """A folded matrix whose lanes read registers; ``count`` lanes work for ``slots`` cycles."""

    design: str
    scope: str
    comment: str
    signature: str
    source_word: str
    result_word: str
    sum_word: str
    weight_word: str
    fabric: bool
    count: int
    slots: int
    memories: tuple[MemoryView, ...]
    lanes: tuple[LaneView, ...]
    parts: int
    rows: tuple[str, ...]
    process: ProcessView | None


@dataclass(frozen=True)
class BankedView:
    """A folded matrix whose lanes read memories: ``banks`` of elements times ``groups`` of rows.

    ``stride`` and ``part_stride`` are the places between the copies of elements and of sums for successive vectors.

    ``input_ram``, ``part_ram`` and ``bias_ram`` are what a lane's elements and sums and a group's biases are kept in.
    """

    design: str
    scope: str
    comment: str
    signature: str
    source_word: str
    result_word: str
    sum_word: str
    total_word: str
    weight_word: str
    fabric: bool
    banks: int
    groups: int
    count: int
    depth: int
    slots: int
    rounds: int
    turns: int
    stride: int
    part_stride: int
    apart: int
    size: int
    elements: TableView
    memories: tuple[MemoryView, ...]
    presence: MemoryView
    bias: TableView
    input_ram: str
    part_ram: str
    bias_ram: str
    row_tables: tuple[TableView, ...]
    value: str
    process: ProcessView | None


@dataclass(frozen=True)
class ElementView:
    """An element-wise kernel: one expression for all elements, which may look into tables."""

    design: str
    comment: str
    signature: str
    ports: tuple[str, ...]
    tables: tuple[TableView, ...]
    result: str
    size: int
    value: str
    process: ProcessView | None
    inline: bool


@dataclass(frozen=True)
class WiresView:
    """Wires or constants: a line for each element."""

    design: str
    comment: str
    signature: str
    elements: tuple[str, ...]
    process: ProcessView | None


@dataclass(frozen=True)
class MatMulView:
    """Products of two matrices: a function for one row, and what calls it for all of them."""

    design: str
    comment: str
    signature: str
    row: str
    left_word: str
    right_word: str
    result_word: str
    sum_word: str
    value: str
    batch: int
    rows: int
    columns: int
    inner: int
    streaming: bool
    inline: bool
    left_beat: str
    right_beat: str
    result_beat: str
    process: ProcessView | None


@dataclass(frozen=True)
class RomView:
    """A process that writes constants."""

    design: str
    comment: str
    signature: str
    table: TableView
    result: StreamView
    beats: int
    size: int


@dataclass(frozen=True)
class LineView:
    """A memory that delays some words of every column by one row more than the one before it."""

    name: str
    words: int
    before: str


@dataclass(frozen=True)
class WindowView:
    """A process that slides a window over rows and columns; ``reads``, ``enters``, ``complete`` are C++ conditions.

    ``place`` is where a column lies in a line; a ``narrow`` line is registers.
    """

    design: str
    comment: str
    signature: str
    scope: str
    word: str
    source: StreamView
    result: StreamView
    stored: TableView
    kept: tuple[TableView, ...]
    ends: tuple[TableView, ...]
    size: int
    words: int
    fill: str
    row_start: int
    row_stop: int
    column_start: int
    column_stop: int
    width: int
    narrow: bool
    place: str
    reads: str
    enters: str
    complete: str
    rows: int
    span: int
    lines: tuple[LineView, ...]
    newest: tuple[str, ...]


@dataclass(frozen=True)
class AccumulateView:
    """A process that adds up beats."""

    design: str
    comment: str
    signature: str
    words: TableView
    source: StreamView
    result: StreamView
    beats: int
    size: int


@dataclass(frozen=True)
class BufferView:
    """A process that reads all beats and then writes their words in another order."""

    design: str
    comment: str
    signature: str
    scope: str
    word: str
    source: StreamView
    result: StreamView
    source_beats: int
    stored_beats: int
    first_stored: int
    stores: str
    source_size: int
    result_beats: int
    result_size: int
    result_word: str
    in_memory: bool
    tables: tuple[TableView, ...]
    value: str


@dataclass(frozen=True)
class Step:
    """The array that a kernel fills and the call that fills it."""

    name: str
    tensor: str
    word: str
    size: int
    call: str


@dataclass(frozen=True)
class StateView:
    """A state of a loop: its array, its first words, and the array that it takes next."""

    name: str
    word: str
    size: int
    initial: str
    after: str


@dataclass(frozen=True)
class ScanView:
    """A process that runs a body once a beat and keeps its states; ``in_turn`` its kernels take cycles of their own."""

    design: str
    comment: str
    signature: str
    beats: int
    source: StreamView
    result: StreamView
    step: str
    reads_step: bool
    in_turn: bool
    states: tuple[StateView, ...]
    steps: tuple[Step, ...]
    index: int
    output_size: int


@dataclass(frozen=True)
class ForkView:
    """A process that copies beats."""

    design: str
    comment: str
    signature: str
    beats: int
    source: StreamView
    results: tuple[str, ...]


FunctionView = MatVecView | AdderView | LanesView | BankedView | ElementView | WiresView | MatMulView
KernelView = FunctionView | RomView | WindowView | AccumulateView | BufferView | ScanView | ForkView

TEMPLATES: Mapping[type[KernelView], str] = {
    MatVecView: "vitis/matvec.cpp.j2",
    AdderView: "vitis/adders.cpp.j2",
    LanesView: "vitis/lanes.cpp.j2",
    BankedView: "vitis/banked.cpp.j2",
    ElementView: "vitis/element.cpp.j2",
    WiresView: "vitis/wires.cpp.j2",
    MatMulView: "vitis/matmul.cpp.j2",
    RomView: "vitis/rom.cpp.j2",
    WindowView: "vitis/window.cpp.j2",
    AccumulateView: "vitis/accumulate.cpp.j2",
    BufferView: "vitis/buffer.cpp.j2",
    ScanView: "vitis/scan.cpp.j2",
    ForkView: "vitis/fork.cpp.j2",
}
