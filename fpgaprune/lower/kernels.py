"""Kernels: integer operations with exact widths, which templates, the estimator and an interpreter all read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from fpgaprune.fixed import Overflow, Rounding, smallest_word

if TYPE_CHECKING:
    from fpgaprune.fixed import Fixed, IntArray
    from fpgaprune.intervals import Interval
    from fpgaprune.schedule import Design, Strategy
    from fpgaprune.sparse import SparseMatrix


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
    """A vector of ``size`` words between kernels; ``format`` places the binary point in each."""

    name: str
    size: int
    format: Fixed

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
    def binds_low(self) -> IntArray:
        """Whether the lower limit can alter each element."""
        return self.rounded.low < self.low if self.low is not None else self.rounded.low != self.rounded.low

    @property
    def binds_high(self) -> IntArray:
        """Whether the upper limit can alter each element."""
        return self.rounded.high > self.high if self.high is not None else self.rounded.high != self.rounded.high


@dataclass(frozen=True, eq=False)
class MatVecKernel:
    """One exact sum of products for each row, then the finish, if any; interval 1.

    ``layer`` is the user's name of the matrix. ``sums`` is the interval of each row's sum, which sizes its
    accumulator. ``bias`` includes the half step of rounding modes in which it is constant, so that rounding costs
    nothing.
    """

    name: str
    layer: str
    strategy: Strategy
    source: Port
    result: Port
    weights: SparseMatrix
    bias: IntArray
    sums: Interval
    finish: Finish | None

    @property
    def sources(self) -> tuple[Port, ...]:
        """The one vector that is read."""
        return (self.source,)

    def accumulator(self, row: int) -> Word:
        """Return the word that holds the row's sum, exactly as wide as its interval says."""
        return Word.holding(int(self.sums.low[row]), int(self.sums.high[row]))


@dataclass(frozen=True, eq=False)
class ElementKernel:
    """Element by element: the sum of the sources, each shifted left to one binary point, then the finish, if any."""

    name: str
    sources: tuple[Port, ...]
    shifts: tuple[int, ...]
    result: Port
    sums: Interval
    finish: Finish | None


@dataclass(frozen=True, eq=False)
class WireKernel:
    """Element i is element ``index[i]`` of the source, shifted left by ``shift[i]``; it costs nothing."""

    name: str
    source: Port
    result: Port
    index: IntArray
    shift: IntArray

    @property
    def sources(self) -> tuple[Port, ...]:
        """The one vector that is read."""
        return (self.source,)


@dataclass(frozen=True, eq=False)
class ConstantKernel:
    """Words that do not depend on the input; they cost nothing."""

    name: str
    result: Port
    values: IntArray

    @property
    def sources(self) -> tuple[Port, ...]:
        """No vector is read."""
        return ()


Kernel: TypeAlias = MatVecKernel | ElementKernel | WireKernel | ConstantKernel


@dataclass(frozen=True)
class Output:
    """An output of the design: its tensor's name and the port whose words leave under it."""

    name: str
    port: Port


@dataclass(frozen=True, eq=False)
class Lowered:
    """The kernels of a design in the order in which they run, between its inputs and its outputs."""

    design: Design
    inputs: tuple[Port, ...]
    kernels: tuple[Kernel, ...]
    outputs: tuple[Output, ...]


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
