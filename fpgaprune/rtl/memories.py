"""Counters, tables and memories, and what registers take when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fpgaprune.fabric import in_block_ram, places
from fpgaprune.rtl.expressions import pattern

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fpgaprune.fixed import IntArray


@dataclass(frozen=True)
class CounterView:
    """A counter from 0 to ``last``; it has no bits where that is 0."""

    count: int

    @property
    def bits(self) -> int:
        """The bits of the counter."""
        return places(self.count)


@dataclass(frozen=True)
class RomView:
    """A table that is read with ``address`` bits, none of which there are if it has one entry only.

    What is read goes into a register where ``registered`` is set.
    """

    name: str
    address: int
    width: int
    entries: tuple[str, ...]
    registered: bool

    @property
    def in_block_ram(self) -> bool:
        """Whether the table is a block RAM, whose output is a register."""
        return self.registered and in_block_ram(len(self.entries), self.width)

    def read(self, address: str) -> str:
        """Return the expression of an entry."""
        if not self.address:
            return self.entries[0]
        return f"{self.name}[{address}]" if self.in_block_ram else f"{self.name}({address})"


@dataclass(frozen=True)
class MemoryView:
    """A memory of words: two halves of a power of two of them each."""

    name: str
    words: int
    width: int

    @property
    def style(self) -> str:
        """What it is built of."""
        return "block" if in_block_ram(self.words, self.width) else "distributed"


@dataclass(frozen=True)
class ChoiceView:
    """What a register takes in the given slots or places, or in all others where there are none."""

    at: tuple[str, ...]
    value: str


def rom(name: str, values: IntArray | Sequence[int], width: int, *, registered: bool = True) -> RomView:
    """Return the table of words of ``width`` bits."""
    entries = tuple(pattern(int(value), width) for value in values)
    return RomView(name, places(len(values)), width, entries, registered)


def at(place: int, counter: CounterView) -> str:
    """Return the literal of a counter's value; empty where the counter has one only."""
    return f"{counter.bits}'d{place}" if counter.bits else ""


def chosen(when: Sequence[int], values: Sequence[str], counter: CounterView) -> tuple[ChoiceView, ...]:
    """Return which value is taken when; the one that is taken most often is what else is taken."""
    by_value: dict[str, list[str]] = {}
    for place, value in zip(when, values, strict=True):
        by_value.setdefault(value, []).append(at(place, counter))
    if not by_value:
        return ()
    default = max(by_value, key=lambda value: len(by_value[value]))
    named = [ChoiceView(tuple(of), value) for value, of in by_value.items() if value != default]
    return (*named, ChoiceView((), default))


def selected(name: str, when: Sequence[int], values: Sequence[str], counter: CounterView) -> tuple[RomView, str] | None:
    """Return a table of which of the distinct values is taken when, with its declaration; None where each is once.

    A multiplexer of few values by a short code takes half the look-up tables of one by a counter at which they repeat.
    """
    distinct = list(dict.fromkeys(values))
    if len(distinct) in {1, len(values)}:
        return None
    codes = [0] * counter.count
    for place, value in zip(when, values, strict=True):
        codes[place] = distinct.index(value)
    bits = places(len(distinct))
    return rom(f"{name}_at", codes, bits, registered=False), f"wire [{bits - 1}:0] {name}"
