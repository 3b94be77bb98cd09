"""Single modules through Yosys: what they take, what is refused, what is kept, and the proof of netlists."""

from __future__ import annotations

import importlib.util
import json

import pytest

from fpgaprune import tools
from fpgaprune.board import Family
from fpgaprune.errors import ToolError
from fpgaprune.yosys import Cells, Equivalence, synthesise
from fpgaprune.yosys.synthesise import prove

ADDER = """module adder (input wire clk, input wire [7:0] a, input wire [7:0] b, output reg [8:0] y);
  always @(posedge clk) y <= a + b;
endmodule
"""
CONSTANT = "module constant (input wire [3:0] a, output wire [3:0] y);\n  assign y = {a[0], 3'd5};\nendmodule\n"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FPGAPRUNE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize("family", [Family.XC7, Family.XCUP])
def test_an_adder_is_a_table_a_bit_and_a_register_each(family):
    assert synthesise(ADDER, "adder", family) == Cells(lut=8, ff=9, carry=3)


def test_a_result_is_kept_and_a_damaged_one_made_again(cache, monkeypatch):
    first = synthesise(ADDER, "adder", Family.XC7)
    (entry,) = cache.rglob("*.json")
    kept = json.loads(entry.read_text())
    monkeypatch.setattr("fpgaprune.tools.run", None)  # nothing runs any more
    assert synthesise(ADDER, "adder", Family.XC7) == first
    entry.write_text(json.dumps(kept)[:-9])
    with pytest.raises(TypeError):
        synthesise(ADDER, "adder", Family.XC7)


def test_text_that_is_no_verilog_is_an_error_with_what_yosys_says():
    with pytest.raises(ToolError, match=r"Yosys fails on adder: .*syntax error"):
        synthesise(ADDER.replace("<=", "<=<="), "adder", Family.XC7)


def test_an_output_that_collapsed_is_refused():
    assert synthesise(CONSTANT, "constant", Family.XC7, moving={"y": [3]}) == Cells()
    with pytest.raises(ToolError, match="bit 1 of output y became a constant"):
        synthesise(CONSTANT, "constant", Family.XC7, moving={"y": [3, 1]})


def test_the_time_limit_ends_it():
    with pytest.raises(ToolError, match="took longer than its limit"):
        synthesise(ADDER, "adder", Family.XC7, timeout_s=0.05)


def test_without_pyosys_the_message_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(ToolError, match=r"pip install 'fpgaprune\[synth\]'"):
        synthesise(ADDER, "adder", Family.XC7)


def test_a_netlist_is_proved_equal_to_its_text():
    assert prove(ADDER, "adder", Family.XC7) is Equivalence.PROVED


BROKEN = """
import sys
from pathlib import Path
from fpgaprune.yosys import worker

flow = worker.flow
worker.flow = lambda family, top: [*flow(family, top), "setparam -set INIT 4'h7 t:LUT2"]
worker.main(Path(sys.argv[1]))
"""


def test_a_broken_netlist_is_not_proved(monkeypatch, tmp_path):
    (tmp_path / "broken.py").write_text(BROKEN)
    run = tools.run

    def broken(command, **named):
        return run([command[0], tmp_path / "broken.py", command[-1]], **named)

    monkeypatch.setattr("fpgaprune.tools.run", broken)
    assert prove(ADDER, "adder", Family.XC7) is Equivalence.UNPROVED
