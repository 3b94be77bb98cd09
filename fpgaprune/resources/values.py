"""Resource counts that never lose their kind and unit."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from fpgaprune.rows import html_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fpgaprune.board import Board

AMOUNTS = ("lut", "ff", "dsp", "bram_18k", "uram")
"""The resources that are counted: look-up tables, flip-flops, DSP slices, 18-kbit block RAMs, UltraRAMs."""


class Kind(enum.Enum):
    """Where a number comes from; kinds are never mixed in one column."""

    ESTIMATE = "estimate"
    OPEN_SYNTHESIS = "open-synthesis"
    CSYNTH = "csynth"
    POST_SYNTHESIS = "post-synthesis"
    POST_ROUTE = "post-route"


@dataclass(frozen=True)
class LayerResources:
    """The cost of one kernel: ``tensor`` is its name in the design, ``layer`` the user's, latency its own depth.

    ``bounds`` are the ends, for some of `AMOUNTS`, between which an estimated count lies in 90 % of what was measured.
    """

    tensor: str
    layer: str
    strategy: str
    nonzeros: int
    adder_bits: int
    multipliers: int
    lut: int
    ff: int
    dsp: int
    bram_18k: int
    uram: int
    latency_cycles: int
    bounds: Mapping[str, tuple[int, int]] = field(default_factory=dict, hash=False)


def together(one: LayerResources, other: LayerResources) -> LayerResources:
    """Return two kernels of one layer as one: what they take adds up, and they work at the same time."""
    added = {name: getattr(one, name) + getattr(other, name) for name in ("nonzeros", "adder_bits", "multipliers")}
    added |= {amount: getattr(one, amount) + getattr(other, amount) for amount in AMOUNTS}
    bounds = {
        name: (one.bounds[name][0] + other.bounds[name][0], one.bounds[name][1] + other.bounds[name][1])
        for name in one.bounds.keys() & other.bounds.keys()
    }
    return replace(one, latency_cycles=max(one.latency_cycles, other.latency_cycles), bounds=bounds, **added)


@dataclass(frozen=True)
class Measured:
    """What a tool says beside counts: its version, the period that the design reaches, power in watts; None if nothing.

    ``timing_met`` covers set-up, hold and pulse widths; ``carry`` counts carry chain primitives of the device (4 or 8
    bits each).
    """

    tool: str
    achieved_ns: float | None = None
    timing_met: bool | None = None
    total_w: float | None = None
    dynamic_w: float | None = None
    static_w: float | None = None
    carry: int | None = None


@dataclass(frozen=True)
class Resources:
    """The cost of a design: per layer and in all, with the kind of the numbers, the clock, and the timing in cycles.

    ``measured`` is what a tool that counted them says beside.
    """

    kind: Kind
    clock_ns: float
    interval_cycles: int
    latency_cycles: int
    layers: tuple[LayerResources, ...]
    measured: Measured | None = None

    def _repr_html_(self) -> str:
        """Return what each kernel and all of them take, for a notebook."""
        amounts = ("nonzeros", *AMOUNTS)
        rows = [
            [each.layer or each.tensor, each.strategy, *(getattr(each, name) for name in amounts)]
            for each in self.layers
        ]
        title = (
            f"{self.kind.value} at {self.clock_ns:g} ns: latency {self.latency_cycles} cycles, "
            f"interval {self.interval_cycles} cycles"
        )
        return html_table(("layer", "strategy", *amounts), [*rows, ["all", "", *map(self.total, amounts)]], title)

    def total(self, amount: str) -> int:
        """Return the sum over layers of one of `AMOUNTS`, ``nonzeros``, ``adder_bits`` or ``multipliers``."""
        return sum(int(getattr(layer, amount)) for layer in self.layers)

    def bounds(self, amount: str) -> tuple[int, int] | None:
        """Return the ends of the 90 % interval of a count, those of all layers added up; None where none is known."""
        ends = [layer.bounds.get(amount) for layer in self.layers]
        known = [each for each in ends if each is not None]
        if not known or len(known) < len(ends):
            return None
        return sum(low for low, _ in known), sum(high for _, high in known)

    @property
    def latency_ns(self) -> float:
        """The time from an input to its output."""
        return self.latency_cycles * self.clock_ns

    def utilisation(self, board: Board) -> dict[str, float]:
        """Return the used share of each of the board's resources; more than 1 does not fit, infinity is none there."""
        return {amount: _share(self.total(amount), getattr(board.resources, amount)) for amount in AMOUNTS}

    def fits(self, board: Board) -> bool:
        """Whether no resource exceeds the board's."""
        return max(self.utilisation(board).values()) <= 1


def _share(used: int, available: int) -> float:
    if available:
        return used / available
    return math.inf if used else 0.0


def to_data(resources: Resources, board: Board) -> dict[str, Any]:
    """Return the resources as JSON values, with the used shares of 1 of the board; None where it has none at all.

    ``measured`` is there for numbers that a tool measured.
    """
    data: dict[str, Any] = {
        "kind": resources.kind.value,
        "clock_ns": resources.clock_ns,
        "interval_cycles": resources.interval_cycles,
        "latency_cycles": resources.latency_cycles,
        "latency_ns": round(resources.latency_ns, 3),
        "total": {amount: resources.total(amount) for amount in (*AMOUNTS, "nonzeros", "adder_bits", "multipliers")},
        "board": board.name,
        "utilisation": {
            amount: round(share, 4) if math.isfinite(share) else None
            for amount, share in resources.utilisation(board).items()
        },
        "fits": resources.fits(board),
        "bounds": {amount: ends for amount in AMOUNTS if (ends := resources.bounds(amount))},
        "layers": [vars(layer) for layer in resources.layers],
    }
    return data if resources.measured is None else data | {"measured": vars(resources.measured)}
