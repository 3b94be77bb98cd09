"""What a vendor's report says, before it is tied to a project; None and empty where it says nothing."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fpgaprune.resources.values import Kind


@dataclass(frozen=True)
class Counts:
    """What a design or a part of one takes; ``bram_18k`` counts 18-kbit halves of block RAM."""

    lut: int
    ff: int
    dsp: int
    bram_18k: int
    uram: int

    def __add__(self, other: Counts) -> Counts:
        """Return both together."""
        return Counts(*(getattr(self, name) + getattr(other, name) for name in _AMOUNTS))

    def __sub__(self, other: Counts) -> Counts:
        """Return the rest, which may be below zero where two layers share a LUT that each of them counts."""
        return Counts(*(getattr(self, name) - getattr(other, name) for name in _AMOUNTS))


_AMOUNTS = tuple(field.name for field in fields(Counts))
NOTHING = Counts(0, 0, 0, 0, 0)


@dataclass(frozen=True)
class Cycles:
    """Latency and interval at best and at worst, in cycles; None where the tool cannot tell."""

    latency_best: int | None
    latency_worst: int | None
    interval_best: int | None
    interval_worst: int | None


@dataclass(frozen=True)
class Timing:
    """The constrained period, the one that is reached, in ns, and whether every constraint is met."""

    clock_ns: float
    achieved_ns: float
    met: bool


@dataclass(frozen=True)
class Power:
    """On-chip power in watts, as the tool estimates it without switching activity."""

    total_w: float
    dynamic_w: float
    static_w: float


@dataclass(frozen=True)
class Instance:
    """A module inside of the top one, its own latency, and the instances in it, whose counts its own contain."""

    module: str
    counts: Counts | None
    latency: int | None = None
    parts: tuple[Instance, ...] = ()


@dataclass(frozen=True)
class Report:
    """One report: which tool wrote it at which stage, of which top and part where it names them, and what it says.

    ``tag`` is that of the project whose script ran the tool.
    """

    kind: Kind
    tool: str
    top: str | None
    part: str | None
    tag: str | None = None
    timing: Timing | None = None
    counts: Counts | None = None
    carry: int | None = None
    cycles: Cycles | None = None
    power: Power | None = None
    instances: tuple[Instance, ...] = ()

    @property
    def says(self) -> tuple[str, ...]:
        """What the report is about, in words."""
        about = {
            "counts": self.counts,
            "counts of layers": self.instances,
            "latency": self.cycles is not None and self.cycles.latency_worst is not None,
            "timing": self.timing,
            "power": self.power,
        }
        return tuple(name for name, value in about.items() if value)
