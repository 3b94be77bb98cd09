"""Views of kernels that move beats: copies, constants, sums over beats, buffers, windows, products of matrices."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from fpgaprune.fabric import places
from fpgaprune.lower import grid
from fpgaprune.rtl.expressions import declared, literal, operand
from fpgaprune.rtl.memories import ChoiceView, CounterView, MemoryView, RomView, at, chosen, rom
from fpgaprune.rtl.pipeline import PortView, port_view

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fpgaprune.lower import (
        AccumulateKernel,
        BufferKernel,
        ConstantKernel,
        ForkKernel,
        MatMulKernel,
        Port,
        WindowKernel,
        Word,
    )
    from fpgaprune.sparse import Int64Array


@dataclass(frozen=True)
class ForkView:
    """What the template of a fork sees."""

    name: str
    comment: str
    source: PortView
    results: tuple[PortView, ...]


def fork_view(kernel: ForkKernel, name: str, comment: str) -> ForkView:
    """Return the view of a fork."""
    results = tuple(port_view(port, f"y{number}") for number, port in enumerate(kernel.results))
    return ForkView(name, comment, port_view(kernel.source, "x0"), results)


@dataclass(frozen=True)
class BeatsView:
    """What the template of constant beats sees."""

    name: str
    comment: str
    result: PortView
    place: CounterView
    beats: RomView


def beats_view(kernel: ConstantKernel, name: str, comment: str) -> BeatsView:
    """Return the view of a constant of several beats."""
    width = kernel.result.word.width
    beats = kernel.values.reshape(kernel.result.beats, -1).tolist()
    entries = [
        sum((int(word) & ((1 << width) - 1)) << width * place for place, word in enumerate(beat)) for beat in beats
    ]
    result = port_view(kernel.result, "y0")
    return BeatsView(name, comment, result, CounterView(len(beats)), rom("beats", entries, result.bits))


@dataclass(frozen=True)
class SumView:
    """What the template of sums over beats sees: the declaration of each sum, its name and the word that is added."""

    name: str
    comment: str
    source: PortView
    result: PortView
    beat: CounterView
    words: tuple[str, ...]
    width: int
    sums: tuple[tuple[str, str, str], ...]
    zero: str


def sum_view(kernel: AccumulateKernel, name: str, comment: str) -> SumView:
    """Return the view of sums over beats."""
    source, result = kernel.source.word, kernel.result.word
    sums = tuple(
        (declared(result, f"y_{place}", "reg"), f"y_{place}", operand(f"x_{word}", source, signed=result.signed))
        for place, word in enumerate(kernel.words.tolist())
    )
    words = tuple(
        f"{declared(source, f'x_{word}')} = x0[{word * source.width} +: {source.width}]"
        for word in np.unique(kernel.words).tolist()
    )
    zero = f"{result.width}'{'s' * result.signed}d0"
    ports = port_view(kernel.source, "x0"), port_view(kernel.result, "y0")
    return SumView(name, comment, *ports, CounterView(kernel.source.beats), words, result.width, sums, zero)


@dataclass(frozen=True)
class BufferView:
    """What the template of a buffer sees.

    In a memory ``order`` has the address of each beat of the result; else ``kept`` are registers: declaration, name,
    word of the source, beat in which they are taken. ``words`` are the words of the result.
    """

    name: str
    comment: str
    source: PortView
    result: PortView
    width: int
    beat: CounterView
    made: CounterView
    memory: MemoryView | None
    first: int
    stored: int
    order: RomView | None
    kept: tuple[tuple[str, str, str, str], ...]
    words: tuple[tuple[ChoiceView, ...], ...]

    @property
    def address_bits(self) -> int:
        """Bits of an address."""
        return places(self.stored)


def buffer_view(kernel: BufferKernel, name: str, comment: str) -> BufferView:
    """Return the view of a buffer."""
    source, result, stored = kernel.source, kernel.result, kernel.stored
    beat, made = CounterView(source.beats), CounterView(result.beats)
    shift = kernel.shift.reshape(result.beats, result.size)
    width = source.word.width
    memory, order = None, None
    if kernel.in_memory:
        memory = MemoryView("memory", len(stored), source.size * width)
        addresses = (kernel.beats[:, 0] - stored.start).tolist()
        order = rom("order", addresses, max(1, places(len(stored))), registered=False)
        kept = [_held(word, source) for word in np.unique(kernel.words).tolist()]
        names = [[f"held_{word}" for word in row] for row in kernel.words.tolist()]
    else:
        kept = [_kept(index, source, beat) for index in np.unique(kernel.index).tolist()]
        names = [[f"x_{index}" for index in row] for row in kernel.index.reshape(result.beats, -1).tolist()]
    values = [
        [f"{word} <<< {by}" if by else word for word, by in zip(row, shifts, strict=True)]
        for row, shifts in zip(names, shift.tolist(), strict=True)
    ]
    return BufferView(
        name,
        comment,
        port_view(source, "x0"),
        port_view(result, "y0"),
        result.word.width,
        beat,
        made,
        memory,
        stored.start,
        len(stored),
        order,
        tuple(kept),
        tuple(chosen(range(result.beats), column, made) for column in zip(*values, strict=True)),
    )


def _held(word: int, source: Port) -> tuple[str, str, str, str]:
    width, name = source.word.width, f"held_{word}"
    return declared(source.word, name), name, f"held[{word * width} +: {width}]", ""


def _kept(index: int, source: Port, beat: CounterView) -> tuple[str, str, str, str]:
    at_beat, word = divmod(index, source.size)
    width = source.word.width
    name = f"x_{index}"
    return declared(source.word, name, "reg"), name, f"x0[{word * width} +: {width}]", at(at_beat, beat)


@dataclass(frozen=True)
class LineView:
    """A row of delay: its memory, a register where a row has one place; the words that enter, and those that leave."""

    memory: MemoryView
    entering: tuple[str, ...]
    leaving: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class AgedView:
    """The registers that hold a word of a row of the window, the newest first; ``newest`` is what enters."""

    names: tuple[str, ...]
    declared: tuple[str, ...]
    newest: str


@dataclass(frozen=True)
class WindowView:
    """What the template of a window sees."""

    name: str
    comment: str
    source: PortView
    result: PortView
    width: int
    row: CounterView
    column: CounterView
    place: CounterView
    rows: RomView
    columns: RomView
    words: tuple[tuple[str, str], ...]
    lines: tuple[LineView, ...]
    aged: tuple[AgedView, ...]
    results: tuple[str, ...]


def window_view(kernel: WindowKernel, name: str, comment: str) -> WindowView:
    """Return the view of a window."""
    places_of = grid(kernel)
    flags = [_axis_flags(kernel, axis, visited) for axis, visited in enumerate(places_of)]
    if len(flags) == 1:
        flags = [np.full(1, 7), *flags]
    entering = int(((flags[1] >> 1) & 1).sum())
    delays, word = kernel.row_delays, kernel.result.word
    stored = [int(place) for place in np.flatnonzero(delays >= 0)]
    lines = [
        _line(number, [place for place in stored if delays[place] > number], entering, word)
        for number in range(int(delays.max(initial=0)))
    ]
    aged, results = _aged(kernel)
    fill = literal(kernel.fill, signed=word.signed)
    return WindowView(
        name=name,
        comment=comment,
        source=port_view(kernel.source, "x0"),
        result=port_view(kernel.result, "y0"),
        width=word.width,
        row=CounterView(len(flags[0])),
        column=CounterView(len(flags[1])),
        place=CounterView(entering),
        rows=rom("row_flags", flags[0].tolist(), 3, registered=False),
        columns=rom("column_flags", flags[1].tolist(), 3, registered=False),
        words=tuple(_entering(place, kernel.source.word, word, fill) for place in stored),
        lines=tuple(lines),
        aged=aged,
        results=results,
    )


def _axis_flags(kernel: WindowKernel, axis: int, visited: Int64Array) -> Int64Array:
    """For each place of an axis: 1 where it is read, 2 where it is not cropped away, 4 where a window ends there."""
    windows, size = kernel.windows, kernel.shape[axis]
    reads = (visited >= 0) & (visited < size)
    enters = (visited >= -windows.before[axis]) & (visited < size + windows.after[axis])
    offset = visited + windows.before[axis] - (windows.kernel[axis] - 1) * windows.dilation[axis]
    ends = enters & (offset >= 0) & (offset % windows.stride[axis] == 0)
    flags: Int64Array = reads + 2 * enters + 4 * ends
    return flags


def _entering(place: int, source: Word, word: Word, fill: str) -> tuple[str, str]:
    """Return the wire of a word of the beat, and that of what enters the window, as wide as the padding needs."""
    read = operand(f"x_{place}", source, signed=word.signed)
    return (
        f"{declared(source, f'x_{place}')} = x0[{place * source.width} +: {source.width}]",
        f"{declared(word, f'w0_{place}')} = reads ? {read} : {fill}",
    )


def _line(number: int, words: Sequence[int], places: int, word: Word) -> LineView:
    memory = MemoryView(f"line_{number}", places, len(words) * word.width)
    leaving = tuple(
        (declared(word, f"w{number + 1}_{place}"), f"{memory.name}_read[{at * word.width} +: {word.width}]")
        for at, place in enumerate(words)
    )
    return LineView(memory, tuple(f"w{number}_{place}" for place in words), leaving)


def _aged(kernel: WindowKernel) -> tuple[tuple[AgedView, ...], tuple[str, ...]]:
    """Return the registers of a window, and which of them each element of the result is."""
    windows, two = kernel.windows, len(kernel.shape) == _TWO
    rows, dilation = (windows.kernel[0], windows.dilation[0]) if two else (1, 1)
    row, column, word = kernel.kept_taps
    delay = (rows - 1 - row) * dilation
    age = (windows.kernel[-1] - 1 - column) * windows.dilation[-1] + 1
    taps = list(zip(delay.tolist(), word.tolist(), age.tolist(), strict=True))
    oldest: dict[tuple[int, int], int] = {}
    for before, place, steps in taps:
        oldest[before, place] = max(steps, oldest.get((before, place), 0))
    aged = []
    for (before, place), steps in oldest.items():
        names = tuple(f"h{before}_{place}_{step}" for step in range(1, steps + 1))
        registers = tuple(declared(kernel.result.word, name, "reg") for name in names)
        aged.append(AgedView(names, registers, f"w{before}_{place}"))
    return tuple(aged), tuple(f"h{before}_{place}_{steps}" for before, place, steps in taps)


_TWO = 2


@dataclass(frozen=True)
class MatMulView:
    """What the template of a product of two streams sees; its rows are made in a pipeline."""

    name: str
    comment: str
    left: PortView
    right: PortView
    result: PortView
    columns: CounterView
    rows: CounterView
    latency: int


def matmul_view(kernel: MatMulKernel, latency: int, name: str, comment: str) -> MatMulView:
    """Return the view of a product of two streams."""
    ports = port_view(kernel.left, "x0"), port_view(kernel.right, "x1"), port_view(kernel.result, "y0")
    return MatMulView(name, comment, *ports, CounterView(kernel.columns), CounterView(kernel.rows), latency)


def one_row(kernel: MatMulKernel) -> MatMulKernel:
    """Return the kernel of one row of the left matrix with all columns of the right one."""
    left = replace(kernel.left, size=kernel.inner, beats=1)
    right = replace(kernel.right, size=kernel.inner * kernel.columns, beats=1)
    result = replace(kernel.result, size=kernel.columns, beats=1)
    return replace(kernel, left=left, right=right, result=result, batch=1, rows=1)
