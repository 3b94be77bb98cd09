"""What a design may take and what it should be best at."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass, replace
from numbers import Real
from typing import TYPE_CHECKING, TypeAlias

from fpgaprune import board as boards
from fpgaprune.checks import instance
from fpgaprune.errors import InputError
from fpgaprune.resources import AMOUNTS

if TYPE_CHECKING:
    from fpgaprune.board import Board

Amounts: TypeAlias = tuple[int, ...]
"""Counts of look-up tables, flip-flops, DSP slices, block RAMs and UltraRAMs, in the order of `AMOUNTS`."""


@dataclass(frozen=True)
class Budget:
    """The share of each of the board's resources that a design may take, 0…1, and the most that its latency may be.

    ``board`` is a board's name or TOML file, where it does not come from elsewhere.

    Raises:
        InputError: a share outside 0…1, an unknown board, or a latency that is no positive number of ns.
    """

    lut: float = 0.7  # routing suffers first where look-up tables run out
    ff: float = 0.8
    dsp: float = 0.8
    bram_18k: float = 0.8
    uram: float = 0.8
    board: str | None = None
    latency_ns: float | None = None

    def __post_init__(self) -> None:
        for name in AMOUNTS:
            share = getattr(self, name)
            _refuse_no_number(f"the {name} share of a budget", share)
            if not 0 <= share <= 1:
                msg = f"the {name} share of a budget must be in 0…1 of the board, not {share:g}"
                raise InputError(msg)
        if self.board is not None:
            instance("the board of a budget", self.board, str, "give its name, or the path of a TOML file of your own")
            boards.load(self.board)
        _check_latency(self.latency_ns)

    def require_board(self) -> Board:
        """Return the board of the budget.

        Raises:
            InputError: it names none.
        """
        if self.board is None:
            msg = "the budget is a share of a board and must name it: Budget(board='pynq-z2', …)"
            raise InputError(msg)
        return boards.load(self.board)

    def refuse_other(self, board: Board) -> None:
        """Refuse a board that is not the one which the budget names, where it names one.

        Raises:
            InputError: it is another.
        """
        if self.board is not None and boards.load(self.board) != board:
            msg = f"the budget is of the board {self.board!r}, but the design is for {board.name!r}; name one board"
            raise InputError(msg)

    def limits(self, board: Board) -> Amounts:
        """Return the most of each resource that the design may take."""
        have = board.resources
        return tuple(math.floor(round(getattr(self, name) * getattr(have, name), 6)) for name in AMOUNTS)


class Aim(enum.Enum):
    """What is made as small as it can be."""

    INTERVAL = "interval"  # cycles from one sample to the next
    LATENCY = "latency"  # cycles from a sample to its result
    AREA = "area"  # the shares of the board, added up


@dataclass(frozen=True)
class Goal:
    """What is minimised, within the most that latency and interval may be; of equally good designs, the smallest.

    Raises:
        InputError: a limit that is not positive, or the smallest area without any limit.
    """

    aim: Aim = Aim.INTERVAL
    latency_ns: float | None = None
    interval_cycles: int | None = None

    def __post_init__(self) -> None:
        _check_latency(self.latency_ns)
        if self.interval_cycles is not None and self.interval_cycles < 1:
            msg = f"the interval that a design may have must be a cycle or more, not {self.interval_cycles}"
            raise InputError(msg)
        if self.aim is Aim.AREA and self.latency_ns is None and self.interval_cycles is None:
            msg = (
                "the smallest area needs a required speed: give the most that the latency may be (--max-latency-ns) "
                "or the interval (--max-interval-cycles)"
            )
            raise InputError(msg)

    def within(self, budget: Budget) -> Goal:
        """Return the goal with the shorter of its own latency and that of a budget."""
        given = [each for each in (self.latency_ns, budget.latency_ns) if each is not None]
        return replace(self, latency_ns=min(given, default=None))

    def latency_cycles(self, clock_ns: float) -> int | None:
        """Return the most cycles that the latency may be."""
        return None if self.latency_ns is None else math.floor(round(self.latency_ns / clock_ns, 9))


def _refuse_no_number(field: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, Real):
        msg = f"{field} must be a number, not {value!r}"
        raise InputError(msg)


def _check_latency(latency_ns: float | None) -> None:
    if latency_ns is not None:
        _refuse_no_number("the latency that a design may have", latency_ns)
    if latency_ns is not None and not (math.isfinite(latency_ns) and latency_ns > 0):
        msg = f"the latency that a design may have must be a positive number of ns, not {latency_ns}"
        raise InputError(msg)
