"""Energies that never lose their kind, their unit and their uncertainty."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from fpgaprune.energy.technology import SOURCE, STATIC_UNCERTAINTY, UNCERTAINTY
from fpgaprune.resources import Kind
from fpgaprune.rows import html_table

PARTS = ("logic_pj", "registers_pj", "clock_pj", "multipliers_pj", "memories_pj")
"""What a layer's energy adds up from, as fields of `LayerEnergy`."""

UNIT = "pJ"

_PJ_OF_NJ = 1000.0


@dataclass(frozen=True)
class Switching:
    """What switches in a kernel for one inference: bits that toggle, and products and reads that they cause.

    ``toggled`` of ``possible`` bits of the values that the kernel computes toggle. Products are pairs of bits, each
    times the mean toggle rate of both operands; ``hard`` ones are in DSP slices, ``soft`` ones in look-up tables. Bits
    are read from (or written into) memories of look-up tables and block RAM.
    """

    toggled: float = 0.0
    possible: float = 0.0
    logic: float = 0.0
    registers: float = 0.0
    hard: float = 0.0
    soft: float = 0.0
    table_bits: float = 0.0
    bram_bits: float = 0.0

    def __add__(self, other: Switching) -> Switching:
        """Return both together."""
        return Switching(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))

    def times(self, count: float) -> Switching:
        """Return so many of them."""
        return Switching(*(getattr(self, each.name) * count for each in fields(self)))

    @property
    def activity(self) -> float:
        """The mean toggle rate of the values, 0 where there are none."""
        return self.toggled / self.possible if self.possible else 0.0


@dataclass(frozen=True)
class LayerEnergy:
    """The energy of one kernel for an inference; ``tensor`` is its name in the design, ``layer`` the user's.

    ``activity`` is the mean toggle rate of the ``value_bits`` that it computes.
    """

    tensor: str
    layer: str
    strategy: str
    nonzeros: int
    activity: float
    value_bits: float
    logic_pj: float
    registers_pj: float
    clock_pj: float
    multipliers_pj: float
    memories_pj: float

    @property
    def dynamic_pj(self) -> float:
        """All parts together."""
        return float(sum(getattr(self, part) for part in PARTS))


@dataclass(frozen=True)
class StaticEnergy:
    """The energy of a whole device in the time of an inference without switching, beside that of switching, in pJ."""

    energy_pj: float
    dynamic_pj: float

    @property
    def bounds_pj(self) -> tuple[float, float]:
        """The ends between which it is taken to lie."""
        return self.energy_pj / STATIC_UNCERTAINTY, self.energy_pj * STATIC_UNCERTAINTY

    @property
    def share(self) -> float:
        """Its share of both."""
        return self.energy_pj / (self.energy_pj + self.dynamic_pj)

    @property
    def share_bounds(self) -> tuple[float, float]:
        """The share where one of both is the least and the other the most that it is taken to be."""
        low, high = self.bounds_pj
        return low / (low + self.dynamic_pj * UNCERTAINTY), high / (high + self.dynamic_pj / UNCERTAINTY)


_TRACED = (
    "the result of every kernel is that of the traced C-simulation, which equals the Python interpreter; values within "
    "kernels and loops are computed in Python from those words"
)
_INTERPRETED = "all words are computed by the Python interpreter, no C++ was run"


@dataclass(frozen=True)
class EnergyEstimate:
    """The energy of one inference, layer by layer, of a design that is given one every ``interval_cycles``.

    ``samples`` successive ``inputs`` were counted; ``simulated`` if the C++ was run on them and traced. ``static_w``
    is the board's power with its clocks still and ``static_source`` where that is published, None where it is not.
    ``edited`` lists files that differ from what was generated.
    """

    layers: tuple[LayerEnergy, ...]
    samples: int
    inputs: str
    interval_cycles: int
    clock_ns: float
    static_w: float | None = None
    static_source: str | None = None
    simulated: bool = False
    edited: tuple[str, ...] = ()

    def _repr_html_(self) -> str:
        """Return the energy of each layer and of all of them for a notebook."""
        head = ("layer", "strategy", "nonzeros", "activity", *PARTS, "dynamic_pj")
        rows = [[each.layer or each.tensor, *(getattr(each, name) for name in head[1:])] for each in self.layers]
        low, high = self.bounds_pj
        within = f"{self.dynamic_pj:,.6g}, taken to lie in {low:,.6g} … {high:,.6g}"
        total = ["all", "", self.nonzeros, self.activity, *map(self.part_pj, PARTS), self.dynamic_pj]
        return html_table(head, [*rows, total], f"{self.kind.value}, {UNIT} of an inference: {within}")

    @property
    def kind(self) -> Kind:
        """An estimate, always: nothing was measured on a device."""
        return Kind.ESTIMATE

    @property
    def interval_ns(self) -> float:
        """The time from an inference to the next."""
        return self.interval_cycles * self.clock_ns

    @property
    def dynamic_pj(self) -> float:
        """The energy of all that switches."""
        return sum(layer.dynamic_pj for layer in self.layers)

    @property
    def bounds_pj(self) -> tuple[float, float]:
        """The ends between which the energy of all that switches is taken to lie."""
        return self.dynamic_pj / UNCERTAINTY, self.dynamic_pj * UNCERTAINTY

    @property
    def activity(self) -> float:
        """The mean toggle rate of all values that are computed."""
        bits = sum(layer.value_bits for layer in self.layers)
        return sum(layer.activity * layer.value_bits for layer in self.layers) / bits if bits else 0.0

    @property
    def static(self) -> StaticEnergy | None:
        """The energy that the whole device takes in an interval without switching; None where it is not known."""
        if self.static_w is None:
            return None
        return StaticEnergy(self.static_w * self.interval_ns * _PJ_OF_NJ, self.dynamic_pj)

    @property
    def nonzeros(self) -> int:
        """The weights of all layers."""
        return sum(layer.nonzeros for layer in self.layers)

    @property
    def switching(self) -> str:
        """How the words whose toggles are counted were found."""
        how = _TRACED if self.simulated else _INTERPRETED
        return f"counted on {self.samples} successive inputs ({self.inputs}): {how}"

    def part_pj(self, part: str) -> float:
        """Return one of `PARTS` of all layers."""
        return float(sum(getattr(layer, part) for layer in self.layers))


def to_data(estimate: EnergyEstimate) -> dict[str, Any]:
    """Return an estimate as JSON values."""
    return {
        "kind": estimate.kind.value,
        "unit": UNIT,
        "source": SOURCE,
        "switching": estimate.switching,
        "simulated": estimate.simulated,
        "edited": list(estimate.edited),
        "samples": estimate.samples,
        "interval_cycles": estimate.interval_cycles,
        "interval_ns": round(estimate.interval_ns, 3),
        "activity": round(estimate.activity, 4),
        "dynamic_pj": _short(estimate.dynamic_pj),
        "bounds_pj": [_short(end) for end in estimate.bounds_pj],
        "uncertainty": UNCERTAINTY,
        "parts": {part: _short(estimate.part_pj(part)) for part in PARTS},
        "static": _static(estimate),
        "layers": [_layer(layer) for layer in estimate.layers],
    }


def _static(estimate: EnergyEstimate) -> dict[str, Any] | None:
    static = estimate.static
    if static is None:
        return None
    return {
        "power_w": estimate.static_w,
        "source": estimate.static_source,
        "per": "interval",
        "energy_pj": _short(static.energy_pj),
        "bounds_pj": [_short(end) for end in static.bounds_pj],
        "uncertainty": STATIC_UNCERTAINTY,
        "share": round(static.share, 4),
        "share_bounds": [round(end, 4) for end in static.share_bounds],
    }


def _layer(layer: LayerEnergy) -> dict[str, Any]:
    numbers = {part: _short(getattr(layer, part)) for part in (*PARTS, "dynamic_pj", "value_bits")}
    return asdict(layer) | {"activity": round(layer.activity, 4)} | numbers


def _short(energy: float) -> float:
    """Return a number without digits that say nothing."""
    return float(f"{energy:.6g}")
