"""What a design may take and what it should be best at."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, TypeAlias

from fpgaprune.errors import InputError
from fpgaprune.resources import AMOUNTS

if TYPE_CHECKING:
    from fpgaprune.board import Board

Amounts: TypeAlias = tuple[int, ...]
"""Counts of look-up tables, flip-flops, DSP slices, block RAMs and UltraRAMs, in the order of `AMOUNTS`."""


@dataclass(frozen=True)
class Budget:
    """The share of each of the board's resources that a design may take, 0…1.

    Raises:
        InputError: a share outside 0…1.
    """

    lut: float = 0.7  # routing suffers first where look-up tables run out
    ff: float = 0.8
    dsp: float = 0.8
    bram_18k: float = 0.8
    uram: float = 0.8

    def __post_init__(self) -> None:
        for field in fields(self):
            share = getattr(self, field.name)
            if not 0 <= share <= 1:
                msg = f"the {field.name} share of a budget must be in 0…1 of the board, not {share:g}"
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
        if self.latency_ns is not None and not (math.isfinite(self.latency_ns) and self.latency_ns > 0):
            msg = f"the latency that a design may have must be a positive number of ns, not {self.latency_ns}"
            raise InputError(msg)
        if self.interval_cycles is not None and self.interval_cycles < 1:
            msg = f"the interval that a design may have must be a cycle or more, not {self.interval_cycles}"
            raise InputError(msg)
        if self.aim is Aim.AREA and self.latency_ns is None and self.interval_cycles is None:
            msg = (
                "the smallest area needs a required speed: give the most that the latency may be (--max-latency-ns) "
                "or the interval (--max-interval-cycles)"
            )
            raise InputError(msg)

    def latency_cycles(self, clock_ns: float) -> int | None:
        """Return the most cycles that the latency may be."""
        return None if self.latency_ns is None else math.floor(round(self.latency_ns / clock_ns, 9))
