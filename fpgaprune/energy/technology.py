"""What switching costs on each device family: published energies of standard cells, scaled to its node and fabric.

Sources, by number:

1. M. Horowitz, "Computing's energy problem (and what we can do about it)", ISSCC 2014: 45 nm, 0.9 V.
2. I. Kuon, J. Rose, "Measuring the gap between FPGAs and ASICs", IEEE TCAD 26(2), 2007: dynamic power.
3. AMD DS181 and DS187 (7 series), DS892 (UltraScale), DS925 (UltraScale+): the core voltage.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fpgaprune.board import Family

if TYPE_CHECKING:
    from collections.abc import Mapping

UNCERTAINTY = 3.0
"""The factor, either way, that absolute energies are taken to be right within: a judgement, not a measurement."""

STATIC_UNCERTAINTY = 2.0
"""The same of the static power of a device, which its process and temperature change: a judgement as well."""

SOURCE = (
    "energies of 45 nm cells (Horowitz, ISSCC 2014), scaled by C V^2 to the device's node, "
    "times the dynamic power gap of FPGAs (Kuon and Rose, TCAD 2007)"
)

_NODE_NM, _VOLTS = 45.0, 0.9  # [1]

_RANDOM_ACTIVITY = 0.5
"""The share of bits that toggle from one random operand to the next. That [1] is of such operands is an assumption."""

_ADD_PJ = (0.03 / 8 + 0.1 / 32) / 2
"""One bit of an addition: the mean of those of 8 and of 32 bits [1]."""

_MULTIPLY_PJ = (0.2 / 8**2 + 3.1 / 32**2) / 2
"""One pair of bits of a multiplication: the mean of those of 8 and of 32 bits [1]."""

_SRAM_PJ = 10.0 / 64
"""One bit of a read of 64 bits from 8 KB [1]."""

_LOGIC_GAP = 14.0
"""Dynamic power of look-up tables and their wires over standard cells [2]."""

_HARD_GAP = 7.0
"""About the same where hard multipliers and memories carry the work [2]; it includes the logic around them. That it
holds for each multiplier and memory alone is an assumption."""

_CLOCK_SHARE = 0.25
"""The clock of a flip-flop for a cycle, over a bit that toggles: an assumption, no published figure is behind it."""


@dataclass(frozen=True)
class Technology:
    """A process and its core voltage."""

    node_nm: float
    volts: float

    @property
    def scale(self) -> float:
        """The energy of a transition over that of 45 nm and 0.9 V: capacitance as the node, times voltage squared."""
        return self.node_nm / _NODE_NM * (self.volts / _VOLTS) ** 2


TECHNOLOGIES: Mapping[Family, Technology] = {
    Family.XC7: Technology(28, 1.0),  # [3]
    Family.XCU: Technology(20, 0.95),
    Family.XCUP: Technology(16, 0.85),
}


@dataclass(frozen=True)
class Costs:
    """Energies in pJ of what switches.

    ``logic`` and ``register`` are those of a bit that toggles, ``clock`` that of a flip-flop's clock for a cycle,
    ``hard_product`` and ``soft_product`` those of a pair of bits of a product at activity 1, in a DSP slice or in
    look-up tables, ``table_bit`` and ``bram_bit`` those of a bit read from such a table or from block RAM.
    """

    logic: float
    register: float
    clock: float
    hard_product: float
    soft_product: float
    table_bit: float
    bram_bit: float


def costs(family: Family) -> Costs:
    """Return what switching costs on a family."""
    scale = TECHNOLOGIES[family].scale
    logic = _ADD_PJ / _RANDOM_ACTIVITY * scale * _LOGIC_GAP
    product = _MULTIPLY_PJ / _RANDOM_ACTIVITY * scale
    return Costs(
        logic=logic,
        register=logic,  # an assumption: a register drives a wire as a table does
        clock=logic * _CLOCK_SHARE,
        hard_product=product * _HARD_GAP,
        soft_product=product * _LOGIC_GAP,
        table_bit=logic * _RANDOM_ACTIVITY,  # half of the bits that are read differ from those before
        bram_bit=_SRAM_PJ * scale * _HARD_GAP,
    )
