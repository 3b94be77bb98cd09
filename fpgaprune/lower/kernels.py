"""Kernels: integer operations with exact widths, which templates, the estimator and an interpreter all read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from fpgaprune.fixed import Overflow, Rounding, smallest_word
from fpgaprune.schedule import Folded, strategy_of
from fpgaprune.schedule.lanes import program

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fpgaprune.fixed import Fixed, IntArray
    from fpgaprune.intervals import Interval
    from fpgaprune.schedule import Design, LaneProgram, Plan, Strategy
    from fpgaprune.sparse import Int64Array, SparseMatrix
    from fpgaprune.windows import Windows


@dataclass(frozen=True)
class Word:
    """An integer word of ``width`` bits."""

    signed: bool
    width: int

    @classmethod
    def holding(cls, low: int, high: int) -> Word:
        """Return the narrowest word that holds the integers ``low``…``high``."""
        return cls(*smallest_word(low, high))

    def holds(self, low: int, high: int) -> bool:
        """Whether the word holds the integers ``low``…``high``."""
        lowest = -(1 << (self.width - 1)) if self.signed else 0
        return lowest <= low and high < 1 << (self.width - self.signed)


@dataclass(frozen=True)
class Port:
    """What passes between kernels: ``beats`` vectors of ``size`` words, one after the other; ``format`` is each word's.

    A parallel design has one beat for each tensor, a streaming one a beat for each position.
    """

    name: str
    size: int
    format: Fixed
    beats: int = 1

    @property
    def word(self) -> Word:
        """The word of each element."""
        return Word(self.format.signed, self.format.width)


@dataclass(frozen=True, eq=False)
class Finish:
    """What becomes of exact values: a shift to the right with rounding, limits, then the result's word.

    ``rounded`` holds the interval of each element after the shift. ``low`` and ``high`` limit it where they bind;
    a saturating format and an activation's clip are both in them. With ``zero_outside`` a value that the result's
    format cannot hold becomes zero (AP_SAT_ZERO); else its high bits are dropped, which is how AP_WRAP wraps.
    """

    shift: int
    rounding: Rounding
    rounded: Interval
    low: int | None
    high: int | None
    zero_outside: bool
    format: Fixed

    @property
    def adds(self) -> bool:
        """Whether rounding needs an addition, as it depends on the value."""
        return self.shift > 0 and self.rounding is not Rounding.TRN

    @property
    def levels(self) -> int:
        """The levels of logic one after the other: rounding that adds, and limits that bind."""
        limits = self.zero_outside or bool(self.binds_low.any() or self.binds_high.any())
        return self.adds + limits

    @property
    def binds_low(self) -> IntArray:
        """Whether the lower limit can alter each element."""
        return self.rounded.low < self.low if self.low is not None else self.rounded.low != self.rounded.low

    @property
    def binds_high(self) -> IntArray:
        """Whether the upper limit can alter each element."""
        return self.rounded.high > self.high if self.high is not None else self.rounded.high != self.rounded.high


class _OneSource:
    """What kernels share that read one port."""

    source: Port

    @property
    def sources(self) -> tuple[Port, ...]:
        """The one port that is read."""
        return (self.source,)


class _TwoSources:
    """What kernels share that read two ports."""

    left: Port
    right: Port

    @property
    def sources(self) -> tuple[Port, ...]:
        """The two factors."""
        return (self.left, self.right)


@dataclass(frozen=True, eq=False)
class MatVecKernel(_OneSource):
    """One exact sum of products for each row of every beat, then the finish, if any, built as ``plan`` says.

    ``layer`` is the user's name of the matrix. ``sums`` is the interval of each row's sum, which sizes its
    accumulator. ``bias`` includes the half step of rounding modes in which it is constant, so that rounding costs
    nothing.
    """

    name: str
    layer: str
    plan: Plan
    source: Port
    result: Port
    weights: SparseMatrix
    bias: IntArray
    sums: Interval
    finish: Finish | None

    @property
    def strategy(self) -> Strategy:
        """The strategy that the plan follows."""
        return strategy_of(self.plan)

    @cached_property
    def program(self) -> LaneProgram:
        """The lanes of a folded matrix."""
        assert isinstance(self.plan, Folded)  # noqa: S101  # only folded matrices have lanes
        return program(self.weights, self.plan)

    @property
    def interval(self) -> int:
        """Cycles from one beat to the next."""
        return self.program.interval(self.source.beats) if isinstance(self.plan, Folded) else 1

    def accumulator(self, row: int) -> Word:
        """Return the word that holds the row's sum, exactly as wide as its interval says."""
        return Word.holding(int(self.sums.low[row]), int(self.sums.high[row]))


@dataclass(frozen=True, eq=False)
class ElementKernel:
    """Element by element: the sum of the sources, each shifted left to one binary point, then the finish, if any.

    With ``subtract`` it is the first source minus the second.
    """

    name: str
    sources: tuple[Port, ...]
    shifts: tuple[int, ...]
    subtract: bool
    result: Port
    sums: Interval
    finish: Finish | None


@dataclass(frozen=True, eq=False)
class ProductKernel(_TwoSources):
    """Element by element: the exact product of two sources, then the finish, if any."""

    name: str
    left: Port
    right: Port
    result: Port
    products: Interval
    finish: Finish | None


@dataclass(frozen=True, eq=False)
class TableKernel(_OneSource):
    """Element by element: word ``low + i`` becomes ``values[i]``."""

    name: str
    source: Port
    result: Port
    values: IntArray
    low: int


@dataclass(frozen=True, eq=False)
class MaximumKernel(_OneSource):
    """Word c of each beat is the largest of the source's words c, c + size, c + 2 * size and so on."""

    name: str
    source: Port
    result: Port


@dataclass(frozen=True, eq=False)
class ArgMaxKernel(_OneSource):
    """The index of the largest word of each beat, the first of equals."""

    name: str
    source: Port
    result: Port


@dataclass(frozen=True, eq=False)
class MatMulKernel(_TwoSources):
    """For each of ``batch`` pairs: left (rows, inner) times right (columns, inner) transposed, then the finish, if any.

    ``sums`` is one interval for all sums. The words of a port are in row-major order over its beats.
    """

    name: str
    left: Port
    right: Port
    result: Port
    batch: int
    rows: int
    columns: int
    inner: int
    sums: Interval
    finish: Finish | None

    @property
    def is_whole(self) -> bool:
        """Whether each matrix is one beat, so that all sums are made at once."""
        return self.left.beats == self.right.beats == self.result.beats == 1


@dataclass(frozen=True, eq=False)
class WireKernel:
    """Word i of each beat is word ``index[i]`` of the sources' words put together, shifted left by ``shift[i]``."""

    name: str
    sources: tuple[Port, ...]
    result: Port
    index: Int64Array
    shift: Int64Array


@dataclass(frozen=True, eq=False)
class ConstantKernel:
    """Words that do not depend on the input, ``values`` (beats * size); they cost nothing where there is one beat."""

    name: str
    result: Port
    values: IntArray

    @property
    def sources(self) -> tuple[Port, ...]:
        """No port is read."""
        return ()


@dataclass(frozen=True, eq=False)
class WindowKernel(_OneSource):
    """The elements ``kept`` of every window over the beats of the source, whose positions have the given ``shape``.

    Element ``tap * size + word`` of a window is a word of that tap's beat; a tap in the padding has words ``fill``.
    """

    name: str
    source: Port
    result: Port
    shape: tuple[int, ...]
    windows: Windows
    fill: int
    kept: Int64Array

    @property
    def kept_taps(self) -> tuple[Int64Array, Int64Array, Int64Array]:
        """For each element that is kept: row and column of its tap in the window, and the word of the source."""
        tap, word = np.divmod(self.kept, self.source.size)
        row, column = np.divmod(tap, self.windows.kernel[-1])
        return row, column, word

    @property
    def row_delays(self) -> Int64Array:
        """The rows for which each word of the source must be stored until its last tap has read it; -1 if none does."""
        two = len(self.shape) == 2
        rows, dilation = (self.windows.kernel[0], self.windows.dilation[0]) if two else (1, 1)
        row, _, word = self.kept_taps
        delays = np.full(self.source.size, -1)
        np.maximum.at(delays, word, (rows - 1 - row) * dilation)
        return delays


@dataclass(frozen=True, eq=False)
class AccumulateKernel(_OneSource):
    """The exact sums over all beats of the source's words ``words``: a mean needs no window as large as its image."""

    name: str
    source: Port
    result: Port
    words: Int64Array


@dataclass(frozen=True, eq=False)
class BufferKernel(_OneSource):
    """Word i of the result is word ``index[i]`` of the source, shifted left by ``shift[i]``, counted over all beats.

    All beats of the source are read before the first is written; those between the first and the last that the result
    takes words from are stored.
    """

    name: str
    source: Port
    result: Port
    index: Int64Array
    shift: Int64Array

    @property
    def beats(self) -> Int64Array:
        """The beat of the source that each word (beats, size) of the result comes from."""
        return (self.index // self.source.size).reshape(self.result.beats, self.result.size)

    @property
    def words(self) -> Int64Array:
        """The place in its beat of the source that each word (beats, size) of the result comes from."""
        return (self.index % self.source.size).reshape(self.result.beats, self.result.size)

    @property
    def stored(self) -> range:
        """The beats of the source that are stored."""
        beats = self.beats
        return range(int(beats.min()), int(beats.max()) + 1)

    @property
    def in_memory(self) -> bool:
        """Whether a memory of beats is read once for each beat of the result; else each word is a register.

        A memory gives one beat a cycle, so that each beat of the result must come from a single one. A transpose needs
        all beats at once; as all words of a beat are written in one cycle, a memory for each beat would not do either.
        """
        beats = self.beats
        return self.result.beats > 1 and bool((beats == beats[:, :1]).all())

    @property
    def candidates(self) -> tuple[int, ...]:
        """From how many places, words of a memory or registers, each word of the result is chosen over its beats."""
        places = self.words if self.in_memory else self.index.reshape(self.result.beats, self.result.size)
        return tuple(len(np.unique(column)) for column in places.T)


@dataclass(frozen=True)
class State:
    """A state of a loop: the port that the body reads it from, the one that it leaves the next in, its first words."""

    before: Port
    after: Port
    initial: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class ScanKernel(_OneSource):
    """The body once for each beat of the source; the new state ``index`` is a beat of the result each time."""

    name: str
    source: Port
    result: Port
    step: Port
    body: tuple[Kernel, ...]
    states: tuple[State, ...]
    index: int


@dataclass(frozen=True, eq=False)
class ForkKernel(_OneSource):
    """Every beat of the source copied to each result; with no result, beats that nobody reads are taken away."""

    name: str
    source: Port
    results: tuple[Port, ...]


Pointwise: TypeAlias = (
    MatVecKernel | ElementKernel | ProductKernel | TableKernel | MaximumKernel | ArgMaxKernel | WireKernel
)
"""Kernels that make one beat of one beat from each source."""

Making: TypeAlias = (
    Pointwise | MatMulKernel | ConstantKernel | WindowKernel | AccumulateKernel | BufferKernel | ScanKernel
)
"""Kernels that make one port; windows, sums over beats, buffers and loops are in streaming designs only."""

Kernel: TypeAlias = Making | ForkKernel


def results(kernel: Kernel) -> tuple[Port, ...]:
    """Return the ports that a kernel writes."""
    return kernel.results if isinstance(kernel, ForkKernel) else (kernel.result,)


def layer_of(kernel: Kernel) -> str:
    """Return the name that the user knows a kernel by."""
    return kernel.layer if isinstance(kernel, MatVecKernel) else kernel.name


@dataclass(frozen=True)
class Output:
    """An output of the design: its tensor's name and the port whose words leave under it."""

    name: str
    port: Port


@dataclass(frozen=True, eq=False)
class Lowered:
    """The kernels of a design in the order in which they run, between its inputs and its outputs.

    In a design of processes each port has one reader, and ``depths`` has the beats that the FIFO of each port inside
    the design holds.
    """

    design: Design
    inputs: tuple[Port, ...]
    kernels: tuple[Kernel, ...]
    outputs: tuple[Output, ...]
    depths: Mapping[str, int]

    @property
    def every_kernel(self) -> tuple[Kernel, ...]:
        """All kernels, the bodies of loops included, each body before its loop."""
        return tuple(inner for kernel in self.kernels for inner in (*_body(kernel), kernel))

    @property
    def interval(self) -> int:
        """The cycles of the slowest kernel for one beat."""
        return max((kernel.interval for kernel in self.every_kernel if isinstance(kernel, MatVecKernel)), default=1)

    @property
    def nonzeros(self) -> int:
        """The weights that are built."""
        return sum(kernel.weights.nonzeros for kernel in self.every_kernel if isinstance(kernel, MatVecKernel))


def _body(kernel: Kernel) -> tuple[Kernel, ...]:
    return kernel.body if isinstance(kernel, ScanKernel) else ()


def constant_half(rounding: Rounding, shift: int) -> int | None:
    """Return what to add before a shift by ``shift`` > 0 that truncates, or None where it depends on the value."""
    match rounding:
        case Rounding.TRN:
            return 0
        case Rounding.RND:
            return 1 << (shift - 1)
        case Rounding.RND_MIN_INF:
            return (1 << (shift - 1)) - 1
        case _:
            return None


LIMITING = frozenset({Overflow.SAT, Overflow.SAT_SYM})
"""Overflow modes that are limits."""
