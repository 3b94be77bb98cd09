"""Cells of a mapped netlist, as the device has them."""

from __future__ import annotations

import pytest

from fpgaprune.errors import ToolError
from fpgaprune.yosys import Cells, cells_of


def test_memories_shift_registers_and_inverters_are_look_up_tables():
    counts = {
        "LUT1": 1,
        "LUT6": 2,
        "INV": 3,
        "SRL16E": 4,
        "RAM32M": 5,
        "MUXF7": 9,
        "CARRY4": 6,
        "FDRE": 7,
        "DSP48E1": 8,
    }
    assert cells_of(counts) == Cells(lut=1 + 2 + 3 + 4 + 5 * 4, ff=7, dsp=8, carry=6, muxf=9)


def test_block_rams_are_counted_in_halves():
    assert cells_of({"RAMB18E1": 3, "RAMB36E2": 2, "URAM288": 1}) == Cells(bram_18k=7, uram=1)


def test_a_cell_that_no_device_has_is_refused_and_a_box_is_not():
    with pytest.raises(ToolError, match=r"\$lut"):
        cells_of({"LUT2": 1, "$lut": 4})
    assert cells_of({"LUT2": 1, "net_act1": 1}, ("net_act1",)) == Cells(lut=1)
