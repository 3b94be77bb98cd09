"""Folded matrices: lanes that work through tables of weights, slot by slot, and what adds up their partial sums."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from fpgaprune.fabric import places
from fpgaprune.fixed import bounds
from fpgaprune.lower import Word
from fpgaprune.lower.netlist import lanes_of, merged_group, merged_rows, rows_of
from fpgaprune.lower.nodes import latency
from fpgaprune.lower.partial import partial_sums
from fpgaprune.rtl.expressions import declared, operand
from fpgaprune.rtl.memories import ChoiceView, CounterView, MemoryView, RomView, at, chosen, rom, selected
from fpgaprune.rtl.pipeline import PipelineView, PortView, merging_view, port_view
from fpgaprune.schedule import Folded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fpgaprune.fabric import Fabric
    from fpgaprune.fixed import IntArray
    from fpgaprune.lower import MatVecKernel
    from fpgaprune.lower.nodes import Netlist
    from fpgaprune.lower.partial import PartialSums
    from fpgaprune.schedule import LaneProgram
    from fpgaprune.schedule.lanes import Banks


@dataclass(frozen=True)
class PartView:
    """A partial sum, taken in slot ``end``."""

    declared: str
    name: str
    end: str


@dataclass(frozen=True)
class LaneView:
    """A lane: its table, the fields of an entry, and the words of its arithmetic."""

    number: int
    terms: int
    rom: RomView
    fields: tuple[str, ...]
    operand: str
    product: str
    sum: str
    next: str
    multiplied: str
    added: str
    selected: RomView | None = None
    select: str = ""
    choices: tuple[ChoiceView, ...] = ()
    parts: tuple[PartView, ...] = ()
    memory: MemoryView | None = None
    partial: MemoryView | None = None
    bank: int = 0
    present: RomView | None = None
    part: str = ""
    term: str = ""


@dataclass(frozen=True)
class LanesView:
    """What the template of lanes that read registers sees."""

    name: str
    comment: str
    fabric: bool
    source: PortView
    result: PortView
    slots: CounterView
    elements: tuple[tuple[str, str, str], ...]
    lanes: tuple[LaneView, ...]
    merged: tuple[str, ...]
    merging: int


@dataclass(frozen=True)
class BankView:
    """A bank: its register, and the element that it takes at each place."""

    number: int
    declared: str
    choices: tuple[ChoiceView, ...]


@dataclass(frozen=True)
class GroupView:
    """A group of rows: its pipeline, what that reads, and where its rows go."""

    number: int
    bias: RomView | None
    terms: tuple[str, ...]
    delay: int
    rows: tuple[tuple[int, str], ...]


@dataclass(frozen=True)
class BankedView:
    """What the template of lanes that read memories sees."""

    name: str
    comment: str
    fabric: bool
    source: PortView
    result: PortView
    word: int
    result_word: int
    fill: CounterView
    slots: CounterView
    rounds: CounterView
    elements: tuple[tuple[str, str, str], ...]
    banks: tuple[BankView, ...]
    lanes: tuple[LaneView, ...]
    groups: tuple[GroupView, ...]
    merging: int


def folded_views(
    kernel: MatVecKernel, fabric: Fabric, budget: float, name: str, comment: str
) -> tuple[LanesView | BankedView, tuple[PipelineView, ...]]:
    """Return the view of a folded matrix and those of the pipelines that its rows are made in."""
    maker = _Lanes(kernel)
    if kernel.program.banks is None:
        made = merged_rows(kernel)
        rows = merging_view(made, kernel.result, kernel.result.size, fabric, budget, f"{name}_rows")
        return maker.registers(name, comment, made, latency(made, fabric, budget)), (rows,)
    groups = _groups(kernel.program.banks)
    return maker.memories(kernel.program.banks, fabric, budget, name, comment), tuple(
        merging_view(merged_group(kernel, group), kernel.result, 1, fabric, budget, f"{name}_group_{group}")
        for group in groups
    )


def _groups(banks: Banks) -> list[int]:
    """Return the groups that have rows."""
    groups: list[int] = np.unique(banks.group).tolist()
    return groups


@dataclass(frozen=True, eq=False)
class _Field:
    """A field of a lane's table: its value for each term, and the register that the field is read from."""

    name: str
    word: Word
    values: IntArray
    register: str


class _Lanes:
    def __init__(self, kernel: MatVecKernel) -> None:
        self._kernel = kernel
        self._program: LaneProgram = kernel.program
        self._sums: PartialSums = partial_sums(kernel)
        self._start = np.searchsorted(self._program.lane, np.arange(self._program.lanes + 1))
        self._slots = CounterView(self._program.slots)

    @property
    def plan(self) -> Folded:
        assert isinstance(self._kernel.plan, Folded)  # noqa: S101  # only folded matrices have lanes
        return self._kernel.plan

    def registers(self, name: str, comment: str, made: Netlist, merging: int) -> LanesView:
        return LanesView(
            name=name,
            comment=comment,
            fabric=self.plan.fabric,
            source=port_view(self._kernel.source, "x0"),
            result=port_view(self._kernel.result, "y0"),
            slots=self._slots,
            elements=self._elements(),
            lanes=tuple(self._lane_of_registers(number) for number in range(self._program.lanes)),
            merged=tuple(f"part_{element.index}" for element in made.elements),
            merging=merging,
        )

    def memories(self, banks: Banks, fabric: Fabric, budget: float, name: str, comment: str) -> BankedView:
        made = {group: merged_group(self._kernel, group) for group in _groups(banks)}
        cycles = {group: latency(each, fabric, budget) for group, each in made.items()}
        merging, fill = max(cycles.values()), CounterView(banks.depth)
        return BankedView(
            name=name,
            comment=comment,
            fabric=self.plan.fabric,
            source=port_view(self._kernel.source, "x0"),
            result=port_view(self._kernel.result, "y0"),
            word=self._kernel.source.word.width,
            result_word=self._kernel.result.word.width,
            fill=fill,
            slots=self._slots,
            rounds=CounterView(banks.rounds),
            elements=self._elements(),
            banks=tuple(self._bank(number, banks, fill) for number in range(self.plan.banks)),
            lanes=tuple(
                self._lane_of_memories(number, banks)
                for number in range(self._program.lanes)
                if self._start[number] < self._start[number + 1]
            ),
            groups=tuple(self._group(group, banks, each, merging - cycles[group]) for group, each in made.items()),
            merging=merging,
        )

    def _elements(self) -> tuple[tuple[str, str, str], ...]:
        """The declaration and name of the register of each element that is read, and where it is in the beat."""
        word = self._kernel.source.word
        return tuple(
            (declared(word, f"x_{column}", "reg"), f"x_{column}", f"x0[{column * word.width} +: {word.width}]")
            for column in np.unique(self._program.column).tolist()
        )

    def _lane_of_registers(self, number: int) -> LaneView:
        mine = slice(self._start[number], self._start[number + 1])
        lane = self._lane(number, self._fields(mine, "fetched"))
        read = [f"x_{column}" for column in self._program.column[mine].tolist()]
        parts = [
            PartView(
                declared(
                    Word.holding(int(self._sums.part_low[part]), int(self._sums.part_high[part])), f"part_{part}", "reg"
                ),
                f"part_{part}",
                at(int(self._program.part_end[part]), self._slots),
            )
            for part in np.flatnonzero(self._program.part_lane == number).tolist()
        ]
        return replace(self._choosing(lane, self._program.slot[mine].tolist(), read), parts=tuple(parts))

    def _choosing(self, lane: LaneView, slots: Sequence[int], read: Sequence[str]) -> LaneView:
        """Return the lane with the multiplexer of what it reads in these slots."""
        select = selected(f"select_{lane.number}", slots, read, self._slots)
        if select is None:
            return replace(lane, choices=chosen(slots, read, self._slots))
        table, declaration = select
        number = {value: place for place, value in enumerate(dict.fromkeys(read))}
        choices = chosen(list(number.values()), list(number), CounterView(len(number)))
        return replace(lane, selected=table, select=declaration, choices=choices)

    def _lane_of_memories(self, number: int, banks: Banks) -> LaneView:
        program, groups = self._program, self.plan.groups
        mine = slice(self._start[number], self._start[number + 1])
        rows = program.part_row[program.part[mine]]
        ends = program.slot[mine] == program.part_end[program.part[mine]]
        address = Word(signed=False, width=max(1, places(banks.depth)))
        position = Word(signed=False, width=max(1, places(banks.rounds)))
        fields = [
            *self._fields(mine, "moved"),
            _Field("ends", _FLAG, ends.astype(np.int64), "moved"),
            _Field("position", position, banks.position[rows], "moved"),
            _Field("address", address, banks.address[program.column[mine]], "fetched"),
        ]
        lane = self._lane(number, fields)
        present = np.zeros(banks.rounds, dtype=np.int64)
        present[banks.position[rows]] = 1
        word = Word.holding(int(self._sums.lane_low[number]), int(self._sums.lane_high[number]))
        zero = f"{word.width}'{'s' * word.signed}d0"
        value = f"part_{number}" if present.all() else f"present_{number} ? part_{number} : {zero}"
        return replace(
            lane,
            bank=number // groups,
            memory=MemoryView(f"memory_{number}", 2 * banks.stride, self._kernel.source.word.width),
            partial=MemoryView(f"partial_{number}", 2 * banks.part_stride, word.width),
            present=None if present.all() else rom(f"has_{number}", present, 1),
            part=declared(word, f"part_{number}", "reg"),
            term=f"{declared(word, f'term_{number}')} = {value}",
        )

    def _fields(self, mine: slice, register: str) -> list[_Field]:
        """The fields of a lane's table that every lane has, of terms in the order of their slots."""
        program = self._program
        starts = program.slot[mine] == program.part_start[program.part[mine]]
        low, high = bounds(program.weight[mine])
        weight = Word.holding(min(low, 0), max(high, 0))
        return [
            _Field("weight", weight, program.weight[mine], register),
            _Field("starts", _FLAG, starts.astype(np.int64), register),
        ]

    def _lane(self, number: int, fields: Sequence[_Field]) -> LaneView:
        """What a lane has in any case; a slot without a term adds zero."""
        sums, terms = self._sums, len(fields[0].values)
        entries, width, named = np.zeros(self._program.slots, dtype=object), 0, []
        for field in fields:
            entries[:terms] += (field.values.astype(object) & ((1 << field.word.width) - 1)) << width
            place = f"{field.register}_{number}[{width} +: {field.word.width}]"
            named.append(f"{declared(field.word, f'{field.name}_{number}')} = {place}")
            width += field.word.width
        product = Word.holding(int(sums.lane_product_low[number]), int(sums.lane_product_high[number]))
        total = Word.holding(int(sums.lane_low[number]), int(sums.lane_high[number]))
        source, weight = self._kernel.source.word, fields[0].word
        signed = source.signed or weight.signed
        factors = (
            operand(f"operand_{number}", source, signed=signed),
            operand(f"weight_{number}", weight, signed=signed),
        )
        adding = total.signed or product.signed
        before = f"(first_{number} ? {total.width}'{'s' * adding}d0 : {operand(f'sum_{number}', total, signed=adding)})"
        return LaneView(
            number=number,
            terms=terms,
            rom=rom(f"table_{number}", entries, width),
            fields=tuple(named),
            operand=declared(source, f"operand_{number}", "reg"),
            product=declared(product, f"product_{number}", "reg"),
            sum=declared(total, f"sum_{number}", "reg"),
            next=declared(total, f"next_{number}"),
            multiplied=" * ".join(factors),
            added=f"{before} + {operand(f'product_{number}', product, signed=adding)}",
        )

    def _bank(self, number: int, banks: Banks, fill: CounterView) -> BankView:
        columns = np.flatnonzero(banks.bank == number)
        read = [f"x_{column}" for column in columns.tolist()]
        choices = chosen(banks.address[columns].tolist(), read, fill)
        return BankView(number, declared(self._kernel.source.word, f"bank_{number}", "reg"), choices)

    def _group(self, group: int, banks: Banks, made: Netlist, delay: int) -> GroupView:
        rows, lanes = rows_of(self._kernel, group), lanes_of(self._kernel, group)
        words = {element.index: element.word for element in made.elements}
        terms = [f"term_{lanes[index]}" for index in words if index < len(lanes)]
        bias = None
        if len(lanes) in words:
            values = np.zeros(banks.rounds, dtype=object)
            values[: len(rows)] = self._kernel.bias[rows]
            bias = rom(f"biases_{group}", values, words[len(lanes)].width)
            terms.append(f"bias_{group}")
        return GroupView(
            number=group,
            bias=bias,
            terms=tuple(terms),
            delay=delay,
            rows=tuple((row, at(place, CounterView(banks.rounds))) for place, row in enumerate(rows.tolist())),
        )


_FLAG = Word(signed=False, width=1)
