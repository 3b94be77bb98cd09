"""How one matrix is built: the plan of each strategy."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from typing_extensions import assert_never

from fpgaprune.errors import InputError

if TYPE_CHECKING:
    from fpgaprune.schedule.adder_graph import AdderGraph


class Strategy(enum.Enum):
    """How a matrix is built."""

    MULTIPLY = "multiply"  # one constant multiplication for each non-zero weight, interval 1
    ADDERS = "adders"  # a graph of additions that rows share, interval 1
    FOLDED = "folded"  # lanes that work through the non-zeros in turn


class Access(enum.Enum):
    """How the lanes of a folded matrix get at its input."""

    REGISTERS = "registers"  # a multiplexer for each lane over the elements that it reads, in the order of its slots
    MEMORIES = "memories"  # banks of elements, copied to the lanes; each lane reads one bank and works on one row group


@dataclass(frozen=True)
class Multiply:
    """One constant multiplication for each non-zero weight and a tree of adders for each row."""


@dataclass(frozen=True, eq=False)
class Adders:
    """The additions of ``graph``, which computes the matrix times a vector."""

    graph: AdderGraph


@dataclass(frozen=True)
class Folded:
    """So many lanes, each with one multiplier; the schedule follows from the weights (`lanes.program`).

    With ``Access.MEMORIES`` the columns are spread over ``banks``, and ``lanes`` is a multiple of them: the rows are
    spread over ``lanes // banks`` groups. ``fabric`` asks for multipliers of look-up tables instead of DSP slices.

    Raises:
        InputError: no lanes, or a number that the banks do not divide.
    """

    lanes: int
    access: Access = Access.REGISTERS
    banks: int = 1
    fabric: bool = False

    def __post_init__(self) -> None:
        if self.lanes < 1 or self.banks < 1 or self.lanes % self.banks:
            msg = f"a folded matrix must have lanes in whole banks, not {self.lanes} lanes in {self.banks}"
            raise InputError(msg)
        if self.access is Access.REGISTERS and self.banks != 1:
            msg = f"registers have one bank, not {self.banks}; banks are for memories"
            raise InputError(msg)

    @property
    def groups(self) -> int:
        """The number of groups that the rows are spread over, with memories."""
        return self.lanes // self.banks


Plan: TypeAlias = Multiply | Adders | Folded


def strategy_of(plan: Plan) -> Strategy:
    """Return the strategy that a plan follows."""
    match plan:
        case Multiply():
            return Strategy.MULTIPLY
        case Adders():
            return Strategy.ADDERS
        case Folded():
            return Strategy.FOLDED
        case _:
            assert_never(plan)
