"""What the cells of a mapped netlist are on the device."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from fpgaprune.errors import ToolError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


@dataclass(frozen=True)
class Cells:
    """What a netlist takes.

    ``carry`` counts carry chains of 4 bits, which Yosys takes on every family, ``muxf`` the multiplexers of slices
    (MUXF7, MUXF8), which take no look-up table.
    """

    lut: int = 0
    ff: int = 0
    dsp: int = 0
    bram_18k: int = 0
    uram: int = 0
    carry: int = 0
    muxf: int = 0

    def __add__(self, other: Cells) -> Cells:
        """Return both together."""
        return Cells(*(getattr(self, name) + getattr(other, name) for name in _AMOUNTS))

    def times(self, count: int) -> Cells:
        """Return so many of them."""
        return Cells(*(count * getattr(self, name) for name in _AMOUNTS))


_AMOUNTS = tuple(field.name for field in fields(Cells))

_LUT, _FF, _DSP = Cells(lut=1), Cells(ff=1), Cells(dsp=1)
_KINDS: dict[str, Cells] = {
    **{f"LUT{inputs}": _LUT for inputs in range(1, 7)},
    "INV": _LUT,  # mapping merges inverters into tables that read them; what remains drives other cells
    **dict.fromkeys(("FDRE", "FDSE", "FDCE", "FDPE", "FDRE_1", "FDSE_1", "FDCE_1", "FDPE_1"), _FF),
    **dict.fromkeys(("DSP48E1", "DSP48E2"), _DSP),
    **dict.fromkeys(("CARRY4", "CARRY8"), Cells(carry=1)),
    **dict.fromkeys(("SRL16E", "SRLC16E", "SRLC32E"), _LUT),
    **dict.fromkeys(("RAM32X1S", "RAM64X1S"), _LUT),
    **dict.fromkeys(("RAM32X1D", "RAM64X1D", "RAM128X1S"), Cells(lut=2)),
    **dict.fromkeys(("RAM32M", "RAM64M", "RAM128X1D", "RAM256X1S"), Cells(lut=4)),
    **dict.fromkeys(("RAM32M16", "RAM64M8", "RAM256X1D", "RAM512X1S"), Cells(lut=8)),
    **dict.fromkeys(("RAMB18E1", "RAMB18E2"), Cells(bram_18k=1)),
    **dict.fromkeys(("RAMB36E1", "RAMB36E2"), Cells(bram_18k=2)),
    "URAM288": Cells(uram=1),
    **dict.fromkeys(("MUXF7", "MUXF8", "MUXF9"), Cells(muxf=1)),
    **dict.fromkeys(("VCC", "GND", "$scopeinfo"), Cells()),
}
"""What each cell takes, in look-up tables as AMD UG474 and UG574 count memories and shift registers."""


def cells_of(counts: Mapping[str, int], boxes: Collection[str] = ()) -> Cells:
    """Return what cells take, by their types; ``boxes`` are modules that are counted elsewhere.

    Raises:
        ToolError: a cell that no device has: something was not mapped.
    """
    unknown = sorted(name for name in counts if name not in _KINDS and name not in boxes)
    if unknown:
        msg = (
            f"Yosys left cells that are on no device: {', '.join(unknown)}; these numbers would mean nothing. Please "
            "report this network"
        )
        raise ToolError(msg)
    taken = (_KINDS[name].times(count) for name, count in counts.items() if name in _KINDS)
    return sum(taken, Cells())
